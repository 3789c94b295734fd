"""Differences and ratios of two estimates, by the method of variance estimates recovery (MOVER).

From an estimate x with limits l1, u1 and y with l2, u2, whose noise has the correlation r:

    lower = x - y - sqrt((x - l1)^2 + (u2 - y)^2 - 2 r (x - l1) (u2 - y)), upper likewise with u1 and l2,

and a ratio is the difference of the logarithms. Sources: Newcombe, Interval estimation for the difference between
independent proportions (1998); Zou and Donner, Construction of confidence limits about effect measures (2008); r:
Zou, Toward using confidence intervals to compare correlations (2007).

The limits of either side are those on the whole line: limits clipped to [0, 1] claim less noise than there is, and
near 0 and 1 the difference would be covered too rarely. Only what comes out is clipped.
"""

from dataclasses import dataclass

import numpy as np

from privacy.arrays import Flags, Floats
from privacy.intervals import Interval, fieller_ends, half_widths, rate_interval

# Farther out a limit of a rate says nothing, and nearer its square is finite.
_FARTHEST = 1e12
_TINIEST = 1e-300


@dataclass(frozen=True, slots=True)
class Rate:
    """Estimates of a part and its whole with their noise. sampling_periods: as in `rate_interval`."""

    part: Floats
    whole: Floats
    part_variance: Floats
    whole_variance: Floats
    covariance: Floats
    sampling_periods: Floats | int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """An estimate between its confidence limits, nothing clipped. known: false where it may be anything; the numbers
    then mean nothing, and are finite."""

    point: Floats
    lower: Floats
    upper: Floats
    known: Flags

    def within(self, least: float, most: float) -> Interval:
        """For show: ends clipped to what is possible; the whole range where nothing is known."""
        lower, upper = (np.clip(ends, least, most) for ends in (self.lower, self.upper))
        beyond = (self.upper < least) | (self.lower > most)
        return Interval(
            np.where(self.known, lower, least), np.where(self.known, upper, most), ~self.known, self.known & beyond
        )


def count_limits(value: Floats, variance: Floats, confidence: float, *, fitted: Flags | bool = False) -> Limits:
    """As in `count_interval`, with ends below 0 where they are."""
    half = half_widths(variance, confidence, fitted=fitted)
    return Limits(value, value - half, value + half, np.ones(np.shape(value), dtype=bool))


def share_interval(rate: Rate, confidence: float) -> Interval:
    """`rate_interval` of such estimates: as it is shown."""
    return rate_interval(
        rate.part,
        rate.whole,
        part_variance=rate.part_variance,
        whole_variance=rate.whole_variance,
        covariance=rate.covariance,
        confidence=confidence,
        sampling_periods=rate.sampling_periods,
    )


def rate_limits(rate: Rate, confidence: float) -> Limits:
    """Fieller's set on the whole line; unknown where the whole is not above z of its own sd.

    Beyond [0, 1] there is no sampling: an end there is that of the noise alone, where both sets meet.
    """
    noise = quotient_limits(rate, confidence)
    inside = share_interval(rate, confidence)
    low, high, known = noise.lower, noise.upper, noise.known
    lower = np.where((low < 0) | (low > 1) | ~known, low, inside.lower)
    upper = np.where((high < 0) | (high > 1) | ~known, high, inside.upper)
    return Limits(noise.point, lower, upper, known)


def quotient_limits(rate: Rate, confidence: float, scale: float = 1.0) -> Limits:
    """Fieller's set of the noise alone on the whole line, times `scale`: of a quotient of sums that is no share.

    Unknown where the whole is not above z of its own sd; the numbers are 0 there.
    """
    low, high, known = fieller_ends(
        rate.part,
        rate.whole,
        part_variance=rate.part_variance,
        whole_variance=rate.whole_variance,
        covariance=rate.covariance,
        confidence=confidence,
    )
    known &= np.maximum(np.abs(low), np.abs(high)) < _FARTHEST
    point, lower, upper = (np.where(known, scale * end, 0.0) for end in (_quotient(rate.part, rate.whole), low, high))
    return Limits(point, lower, upper, known)


def difference(left: Limits, right: Limits, *, correlation: Floats | float = 0.0) -> Limits:
    """left - right. correlation: of the two estimates, as `correlation_of` tells."""
    point = left.point - right.point
    down = _arm(left.point - left.lower, right.upper - right.point, correlation)
    up = _arm(left.upper - left.point, right.point - right.lower, correlation)
    return Limits(point, point - down, point + up, left.known & right.known)


def ratio(left: Limits, right: Limits, *, correlation: Floats | float = 0.0) -> Interval:
    """left / right, of what cannot be negative, within [0, infinity).

    Unbounded, the whole range, where either side is unknown or the limits of `right` hold 0. Empty, shown as 0, where
    those of `left` are all below 0. The upper end is infinite exactly where unbounded: `Interval.ends` has None.
    """
    x, l1, u1 = _logarithms(left)
    y, l2, u2 = _logarithms(right)
    with np.errstate(over="ignore"):
        lower = np.where(left.lower <= 0, 0.0, np.exp(x - y - _arm(x - l1, u2 - y, correlation)))
        upper = np.where(left.upper <= 0, 0.0, np.exp(x - y + _arm(u1 - x, y - l2, correlation)))
    known = left.known & right.known & (right.lower > 0) & np.isfinite(upper)
    return Interval(np.where(known, lower, 0.0), np.where(known, upper, np.inf), ~known, known & (left.upper < 0))


def correlation_of(covariance: Floats, left_variance: Floats, right_variance: Floats) -> Floats:
    """Within [-1, 1], and 0 where either side has no variance."""
    scale = np.sqrt(np.maximum(left_variance, 0.0)) * np.sqrt(np.maximum(right_variance, 0.0))
    return np.clip(_quotient(covariance, scale), -1.0, 1.0)


def rate_correlation(
    left: Rate, right: Rate, *, parts: Floats, part_whole: Floats, whole_part: Floats, wholes: Floats
) -> Floats:
    """Of two rates whose noise is shared, as of two strata of one fitted table, to first order.

    parts, part_whole, whole_part, wholes: noise covariance of left.part and right.part, left.part and right.whole, and
    so on. The noise of a rate R = a / m is that of a - R m, over m.
    """
    first, second = (np.clip(_quotient(rate.part, rate.whole), 0.0, 1.0) for rate in (left, right))
    shared = parts - second * part_whole - first * whole_part + first * second * wholes
    return correlation_of(shared, _variance_at(first, left), _variance_at(second, right))


def _variance_at(share: Floats, rate: Rate) -> Floats:
    noise = rate.part_variance - 2 * share * rate.covariance + share**2 * rate.whole_variance
    return noise + rate.sampling_periods * np.maximum(rate.whole, 0.0) * share * (1 - share)


def _arm(left: Floats, right: Floats, correlation: Floats | float) -> Floats:
    """Rounding can leave an arm a hair below 0."""
    left, right = np.maximum(left, 0.0), np.maximum(right, 0.0)
    return np.sqrt(np.maximum(left**2 + right**2 - 2 * correlation * left * right, 0.0))


def _logarithms(limits: Limits) -> tuple[Floats, Floats, Floats]:
    point, lower, upper = (np.log(np.maximum(n, _TINIEST)) for n in (limits.point, limits.lower, limits.upper))
    return point, lower, upper


def _quotient(over: Floats, under: Floats) -> Floats:
    """0 where there is nothing above 0 to divide by."""
    with np.errstate(all="ignore"):
        return np.where(under > 0, np.nan_to_num(over / under, posinf=0.0, neginf=0.0), 0.0)
