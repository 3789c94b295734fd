"""How exact the answers from a measurement plan will be: closed form, before there is any data.

What is asked for is a sum of cells: of each dimension with n values it takes c (one where the answer goes by it, all
where it does not, some where a statistic picks values). A margin A, of noise variance v_A in an entry, tells of every
effect B within it (sets of dimensions; A' are the dimensions that A drops, N the number of cells) with the precision
N(A') / v_A in a cell. With P(B) the sum over the margins that hold B, a sum of c values has with one of C values that
contains it the covariance

    sum over B of  1 / P(B)  *  product over i in B of (c - c C / n)  *  product over i not in B of (c C / n).

For an entry of margin W this is the variance N(W')^2 / Lambda(B) * product of (1 - 1/n), summed over B within W, with
Lambda(B) = P(B) N(B') the precision of the effect itself.
Equal to what `privacy.inference` says of a fitted table (Scheffe, The Analysis of Variance, 1959, chapter 4; proved in
tests/unit/test_accuracy.py). Releases are independent: a sum over periods and providers has the sum of the variances.
"""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Final

import numpy as np

from privacy.arrays import Floats
from privacy.intervals import count_half_width, rate_interval
from privacy.plan import MeasurementPlan

CONFIDENCE: Final = 0.95
# Widths of rates are the widest over these: noise widens them towards 1, sampling towards 1/2.
RATES: Final = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)

Taken = Mapping[str, int]


class PlanNoise:
    """The noise that a plan leaves in the fitted table of one release.

    sizes: by dimension, in the feed's order, the length of its vocabulary. Every effect is a row of `_holds`, which
    has a column for each dimension.
    """

    def __init__(self, plan: MeasurementPlan, sizes: Mapping[str, int]) -> None:
        self._plan = plan
        self._sizes = dict(sizes)
        self._lengths = np.array(list(sizes.values()), dtype=np.float64)
        self._holds = np.array(list(product((False, True), repeat=len(sizes))), dtype=bool)
        self._spreads: dict[str, Floats] = {}

    def variance(self, measure: str, taken: Taken) -> float:
        """Of a sum that takes so many values of each dimension, and all of those that are not named."""
        return self.covariance(measure, taken, taken)

    def covariance(self, measure: str, inner: Taken, outer: Taken) -> float:
        """Of two sums of one measure, every cell of the first being one of the second's."""
        if measure not in self._spreads:
            self._spreads[measure] = 1 / self._precision(measure)
        least, most = (np.array([taken.get(n, size) for n, size in self._sizes.items()]) for taken in (inner, outer))
        both = least * most / self._lengths
        return float(np.where(self._holds, least - both, both).prod(axis=1) @ self._spreads[measure])

    def is_fitted(self, measure: str) -> bool:
        """True if answers are weighted means of several draws; sums of one drawn table are whole numbers."""
        return len(self._plan.draws_of(measure)) > 1

    def _precision(self, measure: str) -> Floats:
        """P(B) for every effect B."""
        total = np.zeros(len(self._holds))
        for draw in self._plan.draws_of(measure):
            kept = np.array([name in draw.margin for name in self._sizes], dtype=bool)
            dropped = np.where(kept, 1.0, self._lengths).prod()
            total += np.where((self._holds & ~kept).any(axis=1), 0.0, dropped / draw.variance)
        return total


def count_width(variance: float, *, fitted: bool) -> float:
    """Half-width, at `CONFIDENCE`, of the interval that an answer gives around a count."""
    return float(count_half_width(variance, CONFIDENCE, fitted=fitted))


def rate_width(
    whole: float, *, part_variance: float, whole_variance: float, covariance: float, sampling_periods: int = 0
) -> float:
    """Half the length of Fieller's interval for part / whole, the longest over `RATES`; 1/2 is the whole range.

    whole: the expected denominator. sampling_periods: as in `privacy.intervals.rate_interval`.
    """
    rates = np.array(RATES)
    same = np.ones_like(rates)
    interval = rate_interval(
        whole * rates,
        whole * same,
        part_variance=part_variance * same,
        whole_variance=whole_variance * same,
        covariance=covariance * same,
        confidence=CONFIDENCE,
        sampling_periods=sampling_periods,
    )
    return float(np.max(interval.upper - interval.lower) / 2)


def largest_scale(reaches: Callable[[float], bool]) -> float:
    """By how much a noise may be multiplied so that `reaches` still holds, to a relative 1e-12.

    reaches: true up to some scale and false from there on. Zero or infinity when no positive double is that scale.
    """
    low, high = 1.0, 1.0
    while reaches(high):
        low, high = high, high * 4
        if high > 1e30:
            return np.inf
    while not reaches(low):
        low, high = low / 4, low
        if low < 1e-30:
            return 0.0
    while high - low > 1e-12 * low:
        middle = (low + high) / 2
        low, high = (middle, high) if reaches(middle) else (low, middle)
    return low


def smallest_reaching(reaches: Callable[[int], bool], *, near: int, most: int) -> int | None:
    """The smallest whole number from 1 to `most` for which `reaches` holds; None if it does not hold for `most`.

    reaches: false up to some number and true from there on. near: where that is about; a good guess saves calls.
    """
    step, below, above = 1, 0, most
    if not reaches(most):
        return None
    probe = min(max(near, 1), most)
    while below < probe < above:
        if reaches(probe):
            above, probe = probe, probe - step
        else:
            below, probe = probe, probe + step
        step *= 2
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if reaches(middle) else (middle, above)
    return above
