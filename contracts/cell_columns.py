"""Columns of posted cells in one form, whatever they came as, so that one validator can look at whole columns at once.

JSON gives lists of anything; CSV, Parquet and Arrow give `Positions` and `Counts`, in which no value of a row is a
Python object but the few that are wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat
from typing import Any, Final

import numpy as np

from contracts.refusals import MAX_FAULTS
from privacy.arrays import Vector

MAX_COUNT: Final = 10**12
# As many wrong entries as a refusal lists and one more: who has that many is refused all the same.
MOST_ODD: Final = MAX_FAULTS + 1

# Stands where a row of a row-wise submission has no value for a field.
MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Positions:
    """A dimension as positions in its vocabulary; -1 for what is not in it. missing: rows that lack the field."""

    positions: Vector
    missing: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, slots=True)
class Counts:
    """A measure as numbers. odd: the entries that are no number of 64 bits, as posted, by index; the first MOST_ODD of
    them are enough. Their numbers mean nothing."""

    numbers: Vector
    odd: Mapping[int, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)


Column = Sequence[Any] | Positions | Counts


def as_positions(column: Column, vocabulary: Sequence[str]) -> Positions:
    """A list is looked up value by value; only texts can be in a vocabulary."""
    if isinstance(column, Positions):
        return column
    if isinstance(column, Counts):
        return Positions(np.full(len(column), -1, dtype=np.int64))
    known = {value: place for place, value in enumerate(vocabulary)}
    if set(map(type, column)) <= {str}:
        return Positions(np.fromiter(map(known.get, column, repeat(-1)), np.int64, len(column)))
    missing = frozenset(index for index, value in enumerate(column) if value is MISSING)
    places = (known.get(value, -1) if isinstance(value, str) else -1 for value in column)
    return Positions(np.fromiter(places, np.int64, len(column)), missing)


def as_counts(column: Column) -> Counts:
    """A list is taken for numbers only if each entry is a whole number as such: no boolean, float or text."""
    if isinstance(column, Counts):
        return column
    if isinstance(column, Positions):
        return Counts(np.zeros(len(column), dtype=np.int64), dict.fromkeys(range(min(len(column), MOST_ODD)), ""))
    if set(map(type, column)) <= {int}:
        try:
            return Counts(np.array(column, dtype=np.int64))
        except OverflowError:
            pass  # a number beyond 64 bits: found below
    wrong = ((index, value) for index, value in enumerate(column) if not _is_count(value))
    odd = dict(islice(wrong, MOST_ODD))
    return Counts(np.fromiter((v if _is_count(v) else 0 for v in column), np.int64, len(column)), odd)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT
