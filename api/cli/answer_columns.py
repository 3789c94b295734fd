"""The rows of a joint table for people: a line a stratum, and a column a figure, so that they stand side by side."""

from collections.abc import Sequence

from adapters.answers.lines import keys_of
from api.cli.answer_numbers import ends_text
from api.cli.answer_table import fits, in_words, say_rows, value_or_state
from api.cli.output import say_paragraph, say_table
from contracts.parties import JsonObject


def say_side_by_side(rows: Sequence[JsonObject]) -> None:
    """A line a figure on a terminal too narrow for it, and where figures go by other keys or have a second interval."""
    figures = {row["figure"]: row["unit"] for row in rows}
    strata: dict[tuple[str, ...], dict[str, JsonObject]] = {}
    keys = keys_of(rows)
    for row in rows:
        strata.setdefault(tuple(row["key"].get(name, "all") for name in keys), {})[row["figure"]] = row
    headings = [*keys, *figures, "flags"]
    alike = all(found.keys() == figures.keys() for found in strata.values())
    lines = [[*key, *(_cell(found[name]) for name in figures), _flags(found)] for key, found in strata.items() if alike]
    if not lines or len(figures) == 1 or any(row["total_interval"] for row in rows) or not fits(headings, lines):
        say_rows(rows)
        return
    say_table(headings, lines, right=tuple(figures))
    say_paragraph(f"In brackets: the interval. Units: {', '.join(f'{name} {unit}' for name, unit in figures.items())}.")


def _cell(row: JsonObject) -> str:
    ends = ends_text(row["interval"], row)
    return f"{value_or_state(row)} ({ends})" if ends else value_or_state(row)


def _flags(found: dict[str, JsonObject]) -> str:
    """Each once, with the figures that have it where not all do."""
    flags = dict.fromkeys(flag for row in found.values() for flag in row["flags"])
    having = {flag: [name for name, row in found.items() if flag in row["flags"]] for flag in flags}
    return ", ".join(
        in_words(flag) if len(names) == len(found) else f"{in_words(flag)} ({', '.join(names)})"
        for flag, names in having.items()
    )
