"""The rows of an answer as a table for people. Zero, suppressed and missing are three different things, and look so."""

import sys
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import Final

from adapters.answers.lines import SHOWN, keys_of, state_of
from api.cli.answer_numbers import ends_text, value_text
from api.cli.output import say, say_paragraph, say_table
from contracts.parties import JsonObject

_NUMBERS: Final = ("value", "interval", "total interval")
_OFTEN_EQUAL: Final = ("figure", "unit", "flags")
_GAP: Final = 2


def say_rows(rows: Sequence[JsonObject]) -> None:
    """One aligned line a figure. On a terminal too narrow for them: without the columns that say the same everywhere,
    which are said once; and where that is too wide as well, row by row. A pipe or a file gets whole lines."""
    headings, lines = _table(rows)
    if fits(headings, lines):
        say_table(headings, lines, right=_NUMBERS)
        return
    equal = [name for name in _OFTEN_EQUAL if len({line[headings.index(name)] for line in lines}) == 1]
    told = [f"{name} {text}" for name in equal if (text := lines[0][headings.index(name)])]
    kept = [place for place, name in enumerate(headings) if name not in equal]
    headings, lines = [headings[place] for place in kept], [[line[place] for place in kept] for line in lines]
    if fits(headings, lines):
        say_table(headings, lines, right=_NUMBERS)
    else:
        _say_one_by_one(headings, lines)
    if told:
        say_paragraph(f"In every row: {', '.join(told)}.")


def in_words(name: str) -> str:
    return name.replace("_", " ")


def _table(rows: Sequence[JsonObject]) -> tuple[list[str], list[list[str]]]:
    keys = keys_of(rows)
    has_total = any(row["total_interval"] for row in rows)
    headings = [*keys, "figure", "value", "interval", *(["total interval"] if has_total else []), "unit", "flags"]
    lines = []
    for row in rows:
        key = [row["key"].get(name, "all") for name in keys]
        total = [ends_text(row["total_interval"], row)] if has_total else []
        flags = ", ".join(map(in_words, row["flags"]))
        lines.append(
            [*key, row["figure"], value_or_state(row), ends_text(row["interval"], row), *total, row["unit"], flags]
        )
    return headings, lines


def fits(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> bool:
    """Whether a table is no wider than the terminal; a pipe or a file has any width."""
    if not sys.stdout.isatty() or not lines:
        return True
    widest = [max(map(len, column)) for column in zip(headings, *lines, strict=True)]
    return sum(widest) + _GAP * (len(widest) - 1) <= get_terminal_size().columns


def _say_one_by_one(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    width = max(map(len, headings))
    for line in lines:
        for heading, text in zip(headings, line, strict=True):
            if text:
                say(f"{heading.ljust(width)}  {text}")
        say()


def value_or_state(row: JsonObject) -> str:
    """Its value, or why it has none."""
    state = state_of(row)
    return value_text(row) if state == SHOWN else in_words(state)
