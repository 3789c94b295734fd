"""An answer as CSV, with what must be known to read it in front, where that is wanted."""

from collections.abc import Iterator

from adapters.answers.csv_answers import answer_csv
from adapters.answers.words import about_lines, coverage_text
from api.cli.answer_text import notes_of
from contracts.parties import JsonObject
from contracts.rendering.pages import printable


def answer_csv_text(answer: JsonObject, *, with_notes: bool = False) -> str:
    """with_notes: in lines that begin with `# `."""
    notes = _notes(answer) if with_notes else iter(())
    return "".join(f"# {printable(note)}\n" for note in notes) + answer_csv(answer)


def _notes(answer: JsonObject) -> Iterator[str]:
    yield from about_lines(answer)
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
