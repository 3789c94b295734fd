"""Invariants of a feed, such as `treatment_days <= 31 * members`: linear, with whole coefficients.

An invariant that does not hold in a cell means a broken contribution bound or a broken export. It is refused,
never repaired: clipping belongs on the provider's premises, person by person, before summing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from privacy.arrays import Flags, Vector

MAX_COEFFICIENT = 10_000
_TERM = re.compile(r"(?:(\d{1,5}) \* )?([a-z][a-z0-9_]*)", re.ASCII)


class NotAnInvariant(ValueError):
    """The text is not `a + 2 * b <= 31 * c` over the feed's measures."""


Side = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Invariant:
    """left <= right in every cell; each side a sum of coefficient times measure."""

    text: str
    left: Side
    right: Side

    @property
    def measures(self) -> tuple[str, ...]:
        return tuple(measure for _, measure in (*self.left, *self.right))

    def broken(self, columns: Mapping[str, Vector]) -> Flags:
        """Where the invariant does not hold, cell by cell."""
        return np.asarray(_sum(self.left, columns) > _sum(self.right, columns))


def parse_invariant(text: str, measures: tuple[str, ...]) -> Invariant:
    """Raises NotAnInvariant, saying what was expected."""
    sides = " ".join(text.split()).split(" <= ")
    if len(sides) != 2:
        raise NotAnInvariant("an invariant reads `a <= b`, for instance `days_covered <= 31 * members`")
    invariant = Invariant(text, _side(sides[0]), _side(sides[1]))
    unknown = [measure for measure in invariant.measures if measure not in measures]
    if unknown:
        raise NotAnInvariant(f"`{unknown[0]}` is not a measure of this feed")
    return invariant


def _side(text: str) -> Side:
    terms = [_TERM.fullmatch(term) for term in text.split(" + ")]
    found = tuple((int(term[1] or 1), term[2]) for term in terms if term is not None)
    if len(found) != len(terms) or any(coefficient > MAX_COEFFICIENT for coefficient, _ in found):
        raise NotAnInvariant(
            f"each side is a sum of measures, with whole coefficients up to {MAX_COEFFICIENT}: `2 * a + b`"
        )
    return found


def _sum(side: Side, columns: Mapping[str, Vector]) -> Vector:
    total: Vector = np.sum([coefficient * columns[measure] for coefficient, measure in side], axis=0)
    return total
