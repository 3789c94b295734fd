"""Bounds of what two margins of one population leave open: how many persons are in both of two groups.

Of a stratum of a persons who have an outcome, b who have not, and e who are in a programme, nothing tells how many are
both: n lies between max(0, e - b) and min(a, e), and each of these can be. Sources: Frechet, Sur les tableaux de
correlation dont les marges sont donnees (1951); Duncan and Davis, An alternative to ecological correlation (1953),
for the bounds of strata added up.

Bounds reckoned from noisy margins as if these were exact are too narrow: a maximum of noisy numbers is too high, a
minimum too low. So limits come first, of all margins at once (Bonferroni), and the bounds are those of any margins
within them: a confidence set for all that the margins leave possible (Horowitz and Manski, Nonparametric analysis of
randomized experiments with missing covariate and outcome data, 2000), hence for the truth.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from privacy.arrays import Flags, Floats
from privacy.intervals import Interval


@dataclass(frozen=True, slots=True)
class Noisy:
    """Unclipped estimates of counts, and the variances of their noise."""

    values: Floats
    variances: Floats


@dataclass(frozen=True, slots=True)
class Margins:
    """Of one population: who has the outcome, who has not, and who is in the programme."""

    having: Noisy
    lacking: Noisy
    inside: Noisy


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of the share with the outcome inside the programme, outside it, and of the first less the second.

    unbounded: nothing is ruled out. empty: no table has such margins, as where more are inside than there are.
    """

    inside: Interval
    outside: Interval
    difference: Interval


@dataclass(frozen=True, slots=True)
class _Box:
    """Margins between limits that hold all at once."""

    having: tuple[Floats, Floats]
    lacking: tuple[Floats, Floats]
    inside: tuple[Floats, Floats]


def joint_bounds(strata: Margins, totals: Margins, confidence: float) -> Bounds:
    """Row by row. strata: arrays (rows x strata); totals: (rows), of the same persons, measured better than the sum of
    their strata. Half of what may go wrong is given to each; all of it to the totals where they are the one stratum.

    Nothing is assumed of how noise is shared between margins. Sharp without noise: both ends can be true.
    """
    several = strata.having.values.shape[-1] > 1
    miss = (1 - confidence) / 2 if several else 1 - confidence
    whole = _box(totals, miss / 3)
    low, high = _both(whole)
    if several:
        parts = _box(strata, miss / (3 * strata.having.values.shape[-1]))
        low, high = _narrower((low, high), tuple(ends.sum(axis=-1) for ends in _both(parts)))
    empty = low > high
    inside, outside = _shares(whole, np.minimum(low, high), np.maximum(low, high))
    difference = (inside[0] - outside[1], inside[1] - outside[0])
    return Bounds(_within(inside, 0.0, empty), _within(outside, 0.0, empty), _within(difference, -1.0, empty))


def _box(margins: Margins, miss: float) -> _Box:
    """miss: with which probability each pair of limits may fail."""
    return _Box(*(_limits(each, miss) for each in (margins.having, margins.lacking, margins.inside)))


def _limits(noisy: Noisy, miss: float) -> tuple[Floats, Floats]:
    """Of a count, so not below 0. The tail of the discrete Gaussian at m is at most that of the normal at m - 1
    (Canonne, Kamath and Steinke 2020, proposition 25), hence a step of 1 beyond the normal quantile."""
    certain = np.maximum(noisy.variances, 0.0)
    half = np.where(certain > 0, NormalDist().inv_cdf(1 - miss / 2) * np.sqrt(certain) + 1, 0.0)
    return np.maximum(noisy.values - half, 0.0), np.maximum(noisy.values + half, 0.0)


def _both(box: _Box) -> tuple[Floats, Floats]:
    """How many are in the programme and have the outcome: at least, and at most."""
    (_, most_having), (_, most_lacking), (least_inside, most_inside) = box.having, box.lacking, box.inside
    return np.maximum(least_inside - most_lacking, 0.0), np.minimum(most_having, most_inside)


def _narrower(left: tuple[Floats, ...], right: tuple[Floats, ...]) -> tuple[Floats, Floats]:
    return np.maximum(left[0], right[0]), np.minimum(left[1], right[1])


def _shares(box: _Box, low: Floats, high: Floats) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Of n persons who are both: n / e inside; outside (a - n) / (a - n + b - e + n), which falls as n rises."""
    (a0, a1), (b0, b1), (e0, e1) = box.having, box.lacking, box.inside
    inside = _quotient(low, e1, 0.0), _quotient(high, e0, 1.0)
    outside = _part(a0 - high, b1 - e0 + high, 0.0), _part(a1 - low, b0 - e1 + low, 1.0)
    return inside, outside


def _part(having: Floats, lacking: Floats, unknown: float) -> Floats:
    """Of those outside, none of whom can be fewer than nobody."""
    having, lacking = np.maximum(having, 0.0), np.maximum(lacking, 0.0)
    return _quotient(having, having + lacking, unknown)


def _quotient(over: Floats, under: Floats, unknown: float) -> Floats:
    found = np.full(np.shape(under), unknown)
    np.divide(over, under, out=found, where=under > 0)
    shares: Floats = np.clip(found, 0.0, 1.0)
    return shares


def _within(ends: tuple[Floats, Floats], least: float, empty: Flags) -> Interval:
    lower, upper = ends
    return Interval(lower, upper, (lower <= least) & (upper >= 1), empty)
