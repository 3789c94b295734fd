"""The columns and lines of an answer as a table: one line a row, the same columns in every answer but for its keys."""

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.parties import JsonObject
from contracts.statistics.answers import State
from contracts.statistics.codebook import COLUMNS, NOT_IDENTIFIED, NOT_REACHED, ColumnKind

Cell = str | int | float | list[str] | None

NAMES: Final = tuple(column.name for column in COLUMNS)
_OF_ANSWER: Final = NAMES[-5:]
SHOWN: Final = State.SHOWN.value


def keys_of(rows: Sequence[JsonObject]) -> list[str]:
    """Dimensions and grains that the rows are broken down by, in order."""
    return list(dict.fromkeys(name for row in rows for name in row["key"]))


def columns_of(answer: JsonObject) -> dict[str, ColumnKind]:
    """Keys first, each as itself, or as `by_` and its name where that is a column of every answer."""
    keys = [f"by_{name}" if name in NAMES else name for name in keys_of(answer["rows"])]
    return dict.fromkeys(keys, ColumnKind.TEXT) | {column.name: column.kind for column in COLUMNS}


def lines_of(answer: JsonObject) -> Iterator[list[Cell]]:
    """A figure that is suppressed, missing, not reached or not identified has no value, and its state says why; limits
    stay where there are any."""
    keys = keys_of(answer["rows"])
    for row in answer["rows"]:
        interval, total = row["interval"] or {}, row["total_interval"] or {}
        yield [
            *(row["key"].get(name) for name in keys),
            row["figure"],
            row["unit"],
            row["value"] if state_of(row) == SHOWN else None,
            interval.get("lower"),
            interval.get("upper"),
            total.get("lower"),
            total.get("upper"),
            state_of(row),
            row["flags"],
            answer["labels"],
            *(answer[name] for name in _OF_ANSWER),
        ]


def state_of(row: JsonObject) -> str:
    """That of the row, or of one that is shown why it has no value all the same."""
    if row["state"] != SHOWN or is_identified(row):
        return str(row["state"])
    return NOT_REACHED if NOT_REACHED in row["flags"] else NOT_IDENTIFIED


def is_identified(row: JsonObject) -> bool:
    """Of what may be anything at all the point is noise; as JSON it is there, with its flag."""
    return row["value"] is not None and "whole_range" not in row["flags"]
