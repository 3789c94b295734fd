"""What stands above and below a picture: what is asked, and what must be known to read it, as below a table."""

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Final

from adapters.answers.words import coverage_lines, heading_of
from adapters.pictures.panels import Course, Forest, in_words, stratum_of
from contracts.parties import JsonObject
from contracts.rendering.pages import printable
from contracts.statistics.codebook import FLAGS
from contracts.statistics.threshold import CONFIDENCE

_LETTERS_A_LINE: Final = 118
_LETTERS_A_HEADING: Final = 80
_NEARLY_SURE: Final = 0.9999


def heading(answer: JsonObject) -> str:
    """The statistic with what it is by and narrowed to, and how sure a figure that says so itself is."""
    lines = [in_words(heading_of(answer)), *_sure(answer["rows"])]
    return "\n".join(fill(printable(line), _LETTERS_A_HEADING) for line in lines)


def caption(answer: JsonObject, panels: Sequence[Course | Forest]) -> str:
    lines = _lines(answer, curves=any(isinstance(panel, Course) and panel.is_curve for panel in panels))
    return "\n".join(fill(printable(line), _LETTERS_A_LINE) for line in lines)


def _sure(rows: Sequence[JsonObject]) -> Iterator[str]:
    for row in rows:
        if row["unit"] == CONFIDENCE:
            stratum = "" if not row["key"] else f" of {stratum_of(row)}"
            flags = f" ({', '.join(map(in_words, row['flags']))})" if row["flags"] else ""
            yield f"{in_words(row['figure'])}{stratum}: {_confidence(row)}{flags}"


def _confidence(row: JsonObject) -> str:
    """Never 0 or 1: noise leaves nothing certain."""
    value = row["value"]
    if value is None:
        return str(row["state"])
    if value > _NEARLY_SURE:
        return f"above {_NEARLY_SURE}"
    return f"below {1 - _NEARLY_SURE:.4f}" if value < 1 - _NEARLY_SURE else f"{value:.4f}"


def _lines(answer: JsonObject, *, curves: bool) -> Iterator[str]:
    percent = f"{answer['confidence'] * 100:g}%"
    yield answer["estimand"]
    yield f"{'Thick line or filled band' if curves else 'Thick line'} ({percent}): {answer['interval_covers']}"
    if answer["total_interval_covers"]:
        line = "Thin line or dotted band" if curves else "Thin line"
        yield f"{line} ({percent}): {answer['total_interval_covers']}"
    if standard := answer["question"]["standard"]:
        yield f"Standard: {standard}"
    if answer["labels"]:
        yield f"Labels: {', '.join(map(in_words, answer['labels']))}"
    yield from (f"Note: {note}" for note in answer["notes"])
    there = {flag for row in answer["rows"] for flag in row["flags"]}
    yield from (f"Flag {in_words(flag)}: {meaning}" for flag, meaning in FLAGS.items() if flag in there)
    yield from coverage_lines(answer)
    yield f"Contract {answer['contract_id']}, version {answer['contract_version']}; as of {answer['as_of']}"
