"""An outcome in one group of persons, and how it differs from that in another."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from contracts.statistics.answers import Working
from contracts.statistics.columns import Column, Shape
from contracts.statistics.masks import Figure, in_small_cell, make_figure, persons_behind
from contracts.statistics.programme.outcomes import Outcome
from contracts.statistics.questions import Filter
from contracts.statistics.quotients import number, share_column
from contracts.statistics.slices import Estimate, Slice
from contracts.terms import Rules
from privacy.arrays import Floats
from privacy.contrasts import Limits, Rate, difference, rate_correlation, ratio

# From the rows of a slice to those of the answer: sums of independent rows, or the rows as they are.
Add = Callable[[Floats], Floats]


def as_they_are(rows: Floats) -> Floats:
    return rows


@dataclass(frozen=True)
class Arm:
    """The outcome of those in `group`, over what `add` adds up.

    sampling_periods: in how many periods the same persons may be counted.
    """

    part: Slice
    outcome: Outcome
    rules: Rules
    group: Filter
    sampling_periods: Floats
    add: Add = as_they_are

    @property
    def sides(self) -> tuple[tuple[str, Filter], tuple[str, Filter]]:
        """Measure and cells of the share's part, and of its whole."""
        held = {**self.group, **self.outcome.narrowed(self.part.feed)}
        return (self.outcome.part, held), (self.outcome.whole, self.group)

    @cached_property
    def figures(self) -> tuple[Figure, Figure]:
        left, right = (self._figure(measure, cells) for measure, cells in self.sides)
        return left, right

    def column(self, shape: Shape, name: str) -> Column:
        (part, held), (whole, cells) = self.sides
        return share_column(
            shape,
            name,
            *self.figures,
            covariance=self._covariance(part, held, whole, cells),
            sampling_periods=self.sampling_periods if self.outcome.of_persons else None,
        )

    def correlation(self, other: "Arm", *, sampled: bool = False) -> Floats:
        """Of the noise of both shares, which are of one fitted table. sampled: of their noise and sampling, where the
        persons of the two arms are different ones."""
        (a, a_cells), (m, m_cells) = self.sides
        (b, b_cells), (n, n_cells) = other.sides
        return rate_correlation(
            self._rate(sampled=sampled),
            other._rate(sampled=sampled),
            parts=self._covariance(a, a_cells, b, b_cells),
            part_whole=self._covariance(a, a_cells, n, n_cells),
            whole_part=self._covariance(m, m_cells, b, b_cells),
            wholes=self._covariance(m, m_cells, n, n_cells),
        )

    def _rate(self, *, sampled: bool) -> Rate:
        (part, held), (whole, cells) = self.sides
        a, m = (figure.estimate for figure in self.figures)
        together = self._covariance(part, held, whole, cells)
        periods = self.sampling_periods if sampled else 0
        return Rate(a.values, m.values, a.variances, m.variances, together, periods)

    def _covariance(self, left: str, left_cells: Filter, right: str, right_cells: Filter) -> Floats:
        """Different measures are drawn independently."""
        if left != right:
            return np.zeros_like(self.sampling_periods)
        return self.add(self.part.covariance(left, left_cells, right_cells))

    def _figure(self, measure: str, cells: Filter) -> Figure:
        """As `make_figure`, after adding up: the small-cell rule is about what is shown."""
        figure = make_figure(self.part, measure, self.rules, cells)
        estimate = figure.estimate
        added = Estimate(
            self.add(estimate.values), self.add(estimate.variances), self.add(estimate.fitted.astype(np.float64)) > 0
        )
        persons = [self.part.estimate(name, cells).values for name in persons_behind(self.part.feed, measure)]
        small = [in_small_cell(values, self.rules.mask_below) for values in (added.values, *map(self.add, persons))]
        return replace(figure, estimate=added, hidden=np.logical_or.reduce(small))


def difference_column(
    name: str, left: Column, right: Column, *, noise: Floats | float = 0.0, total: Floats | float = 0.0
) -> Column:
    """left - right of two shares, by MOVER. noise, total: the correlation of both, of their noise and of all."""
    (first, of_all), (second, of_all_other) = _limits(left), _limits(right)
    limits = difference(first, second, correlation=noise)
    whole = None if of_all is None or of_all_other is None else difference(of_all, of_all_other, correlation=total)
    return Column(
        left.shape,
        name,
        "share",
        [None if a is None or b is None else a - b for a, b in zip(left.values, right.values, strict=True)],
        limits.within(-1.0, 1.0),
        left.hidden | right.hidden,
        lambda i: _working(left, right, i, "-"),
        total=None if whole is None else whole.within(-1.0, 1.0),
        limits=lambda: limits,
        total_limits=None if whole is None else lambda: whole,
    )


def ratio_column(name: str, left: Column, right: Column, *, noise: Floats, total: Floats) -> Column:
    """left / right of two shares, by MOVER on logarithms. No value where the right one is not above 0."""
    (first, of_all), (second, of_all_other) = _limits(left), _limits(right)
    whole = None if of_all is None or of_all_other is None else ratio(of_all, of_all_other, correlation=total)
    return Column(
        left.shape,
        name,
        "ratio",
        [None if a is None or b is None or b <= 0 else a / b for a, b in zip(left.values, right.values, strict=True)],
        ratio(first, second, correlation=noise),
        left.hidden | right.hidden,
        lambda i: _working(left, right, i, "/"),
        total=whole,
    )


def _limits(column: Column) -> tuple[Limits, Limits | None]:
    """Of the noise, and of all. Raises ValueError for a column that is not to be compared."""
    if column.limits is None:
        raise ValueError(f"{column.name} has no limits to compare")
    return column.limits(), None if column.total_limits is None else column.total_limits()


def _working(left: Column, right: Column, i: int, sign: str) -> Working:
    a, b = left.values[i], right.values[i]
    if a is None or b is None or (sign == "/" and b <= 0):
        return Working(f"{left.name} {sign} {right.name} has no value", (), None, None, None)
    value = a - b if sign == "-" else a / b
    words = f"{left.name} {sign} {right.name} = {number(a)} {sign} {number(b)} = {number(value)}"
    return Working(words, (), None, None, None)
