"""The columns of an answer, and their rows: values, intervals, how they were reckoned, and whether they may be shown.

A column is one figure in every row of an answer. It keeps what rows do not show, limits that nothing has clipped, so
that columns can be compared with each other (`contracts.statistics.comparing`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from contracts.statistics.answers import Ends, Flag, Key, Row, State, Working
from contracts.statistics.questions import Question
from contracts.statistics.slices import RestsOn, Slice
from contracts.terms import Rules
from privacy.arrays import Flags, Floats
from privacy.contrasts import Limits, Rate
from privacy.intervals import Interval


@dataclass(frozen=True, slots=True)
class Shape:
    """What the columns of an answer share. flags: what to know of a row whatever its value. rests_on: of each row and
    of each feed behind it, needed only of columns that are compared."""

    keys: list[Key]
    missing: Flags
    flags: Mapping[Flag, Flags]
    confidence: float
    mask_below: int | None
    explain: bool
    rests_on: Sequence[tuple[RestsOn, ...]] = ()

    @classmethod
    def of(cls, question: Question, rules: Rules, *parts: Slice) -> "Shape":
        """Of rows that need all the parts, which are cut alike: missing or partial where any of them is."""
        flags = {
            Flag.PARTIAL_PERIODS: np.logical_or.reduce([part.partial for part in parts]),
            Flag.PARTIAL_POOL: np.logical_or.reduce([part.partial_pool for part in parts]),
        }
        missing = np.logical_or.reduce([part.missing for part in parts])
        rests_on = list(zip(*(part.rests_on for part in parts), strict=True))
        return cls(parts[0].keys, missing, flags, question.confidence, rules.mask_below, question.explain, rests_on)


@dataclass(frozen=True, slots=True)
class Column:
    """One figure in every row.

    values: None where it has none. interval, total: as shown, clipped to what is possible; total None where cells do
    not identify it, interval where the figure says itself how sure it is. hidden: by the small-cell rule.
    limits, total_limits: unclipped, by MOVER's needs, made only where they are asked for; None of what is not to be
    compared. flags: of this figure alone. rate: of a share, what it is the quotient of.
    """

    shape: Shape
    name: str
    unit: str
    values: Sequence[float | None]
    interval: Interval | None
    hidden: Flags
    working: Callable[[int], Working]
    total: Interval | None = None
    limits: Callable[[], Limits] | None = None
    total_limits: Callable[[], Limits] | None = None
    flags: Mapping[Flag, Flags] = field(default_factory=dict)
    rate: Rate | None = None

    def rows(self) -> list[Row]:
        """One a key. Whatever could tell a value is left out of a row that does not show it."""
        return [self._row(i, key) for i, key in enumerate(self.shape.keys)]

    def _row(self, i: int, key: Key) -> Row:
        state = State.MISSING if self.shape.missing[i] else State.SUPPRESSED if self.hidden[i] else State.SHOWN
        shown = state is State.SHOWN
        return Row(
            key=key,
            figure=self.name,
            unit=self.unit,
            state=state,
            value=self.values[i] if shown else None,
            interval=_ends(self.interval, i) if shown and self.interval is not None else None,
            total_interval=_ends(self.total, i) if shown and self.total is not None else None,
            flags=tuple(self._flags(i, shown=shown)),
            working=self.working(i) if shown and self.shape.explain else None,
        )

    def _flags(self, i: int, *, shown: bool) -> Iterable[Flag]:
        found = {flag: bool(holds[i]) for flag, holds in self.shape.flags.items()} | {
            Flag.WHOLE_RANGE: shown and self.interval is not None and bool(self.interval.unbounded[i]),
            Flag.NEAREST_END: shown and self.interval is not None and bool(self.interval.empty[i]),
        }
        return (flag for flag, holds in {**found, **self._own_flags(i, shown=shown)}.items() if holds)

    def _own_flags(self, i: int, *, shown: bool) -> Mapping[Flag, bool]:
        return {flag: shown and bool(holds[i]) for flag, holds in self.flags.items()}


def rows_of(columns: Iterable[Column]) -> list[Row]:
    """Column by column, as rows were always told."""
    return [row for column in columns for row in column.rows()]


def upper_limits_only(column: Column) -> Column:
    """The same figure where no more than an upper limit is identified: no value, and nothing to compare."""
    rows = len(column.values)

    def working(i: int) -> Working:
        return replace(column.working(i), formula="only an upper limit is identified", variance=None, sd=None)

    return replace(
        column,
        values=[None] * rows,
        # No lower end: `_ends` tells it so.
        interval=None if column.interval is None else replace(column.interval, lower=np.full(rows, -np.inf)),
        total=None,
        limits=None,
        total_limits=None,
        rate=None,
        working=working,
        flags={**column.flags, Flag.UPPER_LIMIT_ONLY: np.ones(rows, dtype=bool)},
    )


def _ends(interval: Interval, i: int) -> Ends:
    """None where there is no end."""
    lower, upper = (_finite(ends[i]) for ends in (interval.lower, interval.upper))
    return Ends(lower, upper)


def _finite(end: Floats) -> float | None:
    return float(end) if np.isfinite(end) else None
