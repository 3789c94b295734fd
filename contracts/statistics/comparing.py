"""compare=previous: each figure beside the same one of the stretch of time right before, and the difference of the two.

The difference's interval is MOVER's, from the limits of both sides (`privacy.contrasts`). Releases of different periods
are drawn independently, so their noise has no correlation. Of sampling none is taken either: persons who are in both
stretches tend to stay what they are, which makes the difference more certain than the interval says, not less.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from contracts.statistics.answers import Flag, Working
from contracts.statistics.columns import Column
from contracts.statistics.declarations import Computed, Figure, Statistic
from contracts.statistics.questions import Question
from contracts.statistics.quotients import number
from contracts.statistics.slices import Slice
from contracts.terms import Terms
from privacy.arrays import Flags
from privacy.contrasts import Limits, difference

CHANGE = "_change"
NOTE = (
    "A change is the figure less that of the stretch of time right before: by month, quarter or year the one before, a "
    "part of it less the same part; else as long a one as was asked."
)
INCOMPARABLE = "A row whose stretch, or the one before, is not covered as the other is has the flag not_comparable."
TOTAL_COVERS = "; of a change: as if other persons were sampled in each stretch, which is the wider where they are not"


def against_previous(statistic: Statistic) -> Statistic:
    """The same statistic with the change of each of its figures."""

    def compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
        half = len(slices) // 2
        now, before = (statistic.compute(question, terms, part) for part in (slices[:half], slices[half:]))
        columns = [*now.columns, *changes(now.columns, before.columns)]
        return Computed(columns, now.labels, (*now.notes, NOTE, INCOMPARABLE))

    figures = tuple(
        Figure(figure.name + CHANGE, figure.unit, f"{figure.name} less that of the stretch before")
        for figure in statistic.figures
    )
    total = statistic.total_interval_covers
    return replace(
        statistic,
        figures=(*statistic.figures, *figures),
        compute=compute,
        before=True,
        total_interval_covers=None if total is None else total + TOTAL_COVERS,
    )


def changes(now: Sequence[Column], before: Sequence[Column]) -> list[Column]:
    """The differences of the columns that can be compared."""
    return [
        _change(a, b, difference(a.limits(), b.limits()), _total(a, b))
        for a, b in zip(now, before, strict=True)
        if a.limits is not None and b.limits is not None
    ]


def _incomparable(now: Column, before: Column) -> Flags:
    """Rows of which the two stretches do not cover the same part, by the same providers, in each of the figure's own
    feeds: those beside it in a joint table may be cut into other stretches, and do not count."""
    pairs = zip(now.shape.rests_on, before.shape.rests_on, strict=True)
    return np.array([a != b or not all(a) for a, b in pairs], dtype=bool)


def _summed(now: float | None, before: float | None) -> float | None:
    """The variance of the noise of a difference: releases of different periods are drawn independently."""
    return None if now is None or before is None else now + before


def _total(now: Column, before: Column) -> Limits | None:
    if now.total_limits is None or before.total_limits is None:
        return None
    return difference(now.total_limits(), before.total_limits())


def _change(now: Column, before: Column, noise: Limits, total: Limits | None) -> Column:
    least, most = (-1.0, 1.0) if now.unit == "share" else (-np.inf, np.inf)

    def working(i: int) -> Working:
        a, b = now.values[i], before.values[i]
        if a is None or b is None:
            return Working("one of the two has no value", (), None, None, None)
        variance = _summed(now.working(i).variance, before.working(i).variance)
        sd = None if variance is None else variance**0.5
        return Working(f"{number(a)} - {number(b)} = {number(a - b)}", (), None, variance, sd)

    return Column(
        replace(now.shape, missing=now.shape.missing | before.shape.missing),
        now.name + CHANGE,
        now.unit,
        [None if a is None or b is None else a - b for a, b in zip(now.values, before.values, strict=True)],
        noise.within(least, most),
        now.hidden | before.hidden,
        working,
        total=None if total is None else total.within(least, most),
        limits=lambda: noise,
        total_limits=None if total is None else lambda: total,
        flags={Flag.NOT_COMPARABLE: _incomparable(now, before)},
    )
