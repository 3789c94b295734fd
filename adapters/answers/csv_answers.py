"""An answer as CSV (RFC 4180): full precision, a header, a line a row, in UTF-8.

No cell holds what a spreadsheet would run. Vocabularies cannot (their values begin with a letter or a digit), so a
text that does comes from no exchange of ours, and gets an apostrophe in front, as OWASP has it.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from adapters.answers.lines import Cell, columns_of, lines_of
from contracts.parties import JsonObject
from contracts.rendering.pages import printable

_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def answer_csv(answer: JsonObject) -> str:
    """Its rows and what of it programs need beside each of them."""
    return csv_text(list(columns_of(answer)), lines_of(answer))


def csv_text(headings: Sequence[str], lines: Iterable[Sequence[Cell]]) -> str:
    """CSV with a header. Nothing is an empty field, a list its texts by blanks; a number is written as it is."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(map(_safe, headings))
    writer.writerows(map(_safe, line) for line in lines)
    return written.getvalue()


def _safe(cell: Cell) -> str | int | float | None:
    if isinstance(cell, list):
        cell = " ".join(cell)
    if not isinstance(cell, str):
        return cell
    text = printable(cell)
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text
