"""An answer as CSV (RFC 4180), for programs: one line a row, full precision, the same columns in every answer.

No cell holds what a spreadsheet would run. Vocabularies cannot (their values begin with a letter or a digit), so a
text that does comes from no exchange of ours, and gets an apostrophe in front, as OWASP has it.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from api.cli.answer_table import is_identified, keys_of
from api.cli.answer_text import coverage_text, notes_of
from contracts.parties import JsonObject
from contracts.rendering.pages import printable

COLUMNS: Final = (
    "figure",
    "unit",
    "value",
    "interval_lower",
    "interval_upper",
    "total_interval_lower",
    "total_interval_upper",
    "state",
    "flags",
    "labels",
    "statistic",
    "contract_id",
    "contract_version",
    "as_of",
    "confidence",
)
_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
Cell = str | int | float | None


def answer_csv(answer: JsonObject, *, with_notes: bool = False) -> str:
    """Dimensions, then COLUMNS. A figure that is suppressed, missing or not identified has no value, and its state says
    why; limits stay where there are any. with_notes: what must be known to read it, in front, behind `# `."""
    keys = keys_of(answer["rows"])
    headings = [f"by_{name}" if name in COLUMNS else name for name in keys]
    text = csv_text([*headings, *COLUMNS], (_line(row, keys, answer) for row in answer["rows"]))
    return "".join(f"# {printable(note)}\n" for note in _notes(answer)) + text if with_notes else text


def csv_text(headings: Sequence[str], lines: Iterable[Sequence[Cell]]) -> str:
    """CSV with a header. Nothing is an empty field; a number is written as it is."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(map(_safe, headings))
    writer.writerows(map(_safe, line) for line in lines)
    return written.getvalue()


def _line(row: JsonObject, keys: Sequence[str], answer: JsonObject) -> list[Cell]:
    shown = row["state"] == "shown"
    identified = shown and is_identified(row)
    interval, total = row["interval"] or {}, row["total_interval"] or {}
    return [
        *(row["key"].get(name) for name in keys),
        row["figure"],
        row["unit"],
        row["value"] if identified else None,
        interval.get("lower"),
        interval.get("upper"),
        total.get("lower"),
        total.get("upper"),
        "not_identified" if shown and not identified else row["state"],
        " ".join(row["flags"]),
        " ".join(answer["labels"]),
        *(answer[name] for name in COLUMNS[-5:]),
    ]


def _notes(answer: JsonObject) -> Iterator[str]:
    yield answer["estimand"]
    yield f"interval: {answer['interval_covers']}"
    if answer["total_interval_covers"]:
        yield f"total_interval: {answer['total_interval_covers']}"
    yield from notes_of(answer)
    for feed in answer["coverage"]:
        yield f"coverage: {coverage_text(feed)}"
    yield f"purpose: {answer['purpose']}"
    yield f"contract_digest: {answer['contract_digest']}"
    yield f"releases: {' '.join(answer['releases'])}"


def _safe(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    text = printable(cell)
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text
