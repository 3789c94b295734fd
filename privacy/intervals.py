"""Confidence intervals for counts and rates measured with noise. Ends are clipped for show, points never.

All functions work on arrays of the same shape and answer in that shape, for any finite input: where nothing can be
said the answer is the whole range, flagged, never NaN. Coverage is at least 94% for 95% at every sd and size
(`make study`). Sources: Fieller, Some Problems in Interval Estimation (1954), for rates; Wilson (1927) for their
sampling term; the discrete Gaussian of Canonne, Kamath and Steinke (2020) for counts.
"""

from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from statistics import NormalDist

import numpy as np

from privacy.arrays import Flags, Floats

_EXACT_BELOW_SIGMA = 50.0
_COARSE_BELOW_VARIANCE = 100.0


@dataclass(frozen=True, slots=True)
class Interval:
    """lower, upper: ends. unbounded: the set was the whole range. empty: no admissible value; the nearest end.

    An upper end is infinite where the whole range is, as that of a ratio: `ends` has None there, for show.
    """

    lower: Floats
    upper: Floats
    unbounded: Flags
    empty: Flags

    def ends(self, i: int) -> tuple[float, float | None]:
        """Of the i-th entry."""
        upper = float(self.upper[i])
        return float(self.lower[i]), upper if isfinite(upper) else None


def z_value(confidence: float) -> float:
    """The two-sided normal quantile. Raises ValueError outside (0.5, 0.999]."""
    if not 0.5 < confidence <= 0.999:
        raise ValueError("a confidence lies above 0.5 and is at most 0.999")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def count_half_width(variance: float, confidence: float, *, fitted: bool = False) -> float:
    """Half-width of the closed interval around a count with noise of this variance.

    An integer as it was drawn, or a sum of such: up to sigma 50 the exact quantile of the discrete Gaussian of this
    variance: a - 1 for the smallest a with P(|Z| >= a) <= alpha. Above it ceil(z sigma + 1/2), which is never narrower.
    A sum of independent cells is treated as one draw of the summed variance. fitted: the value is real, and normal:
    z sd, and a little more below an sd of 10 (`_step_variance`).
    """
    z = z_value(confidence)
    if variance <= 0:
        return 0
    if fitted:
        return float(_normal_half_width(np.array(variance), confidence))
    sigma = sqrt(variance)
    if sigma >= _EXACT_BELOW_SIGMA:
        return ceil(z * sigma + 0.5)
    reach = np.arange(1, ceil(12 * sigma) + 2)
    with np.errstate(over="ignore"):
        mass = np.exp(-(reach.astype(np.float64) ** 2) / (2 * variance))
    tail = 2 * np.cumsum(mass[::-1])[::-1] / (1 + 2 * mass.sum())
    return int(reach[np.argmax(tail <= 1 - confidence)]) - 1


def count_interval(value: Floats, variance: Floats, confidence: float, *, fitted: Flags | bool = False) -> Interval:
    """Around unclipped counts; ends below 0 are shown as 0. fitted: where values are not integers as drawn."""
    half = half_widths(variance, confidence, fitted=fitted)
    never = np.zeros(np.shape(value), dtype=bool)
    return Interval(np.maximum(value - half, 0.0), np.maximum(value + half, 0.0), never, np.asarray(value + half < 0))


def half_widths(variance: Floats, confidence: float, *, fitted: Flags | bool = False) -> Floats:
    """`count_half_width` of every entry."""
    real = np.broadcast_to(fitted, np.shape(variance))
    drawn = {v: count_half_width(v, confidence) for v in set(variance[~real].tolist())}
    half = _normal_half_width(variance, confidence)
    half[~real] = [drawn[v] for v in variance[~real].tolist()]
    return half


def rate_interval(
    part: Floats,
    whole: Floats,
    *,
    part_variance: Floats,
    whole_variance: Floats,
    covariance: Floats,
    confidence: float,
    sampling_periods: Floats | int = 0,
) -> Interval:
    """Fieller's set for part / whole, intersected with [0, 1].

    All R with (a - R m)^2 <= z^2 (v_a - 2 R c + R^2 v_m + P m R (1 - R)), where m > 0; else the whole range.
    sampling_periods: P, the number of periods pooled over the same people; 0 leaves sampling out and covers noise
    alone. At zero noise and P = 1 the set is Wilson's interval. part and whole may each be measured (covariance 0),
    both be sums of one fitted table (its covariance), or m = a + rest of disjoint cells (covariance v_a).
    """
    noise = _with_steps(part_variance, whole_variance, covariance)
    found = _fieller(part, whole, noise, confidence, sampling_periods)
    interval = _within_unit(found, nearest=2 * part > whole)
    undefined = whole <= 0
    return Interval(
        np.where(undefined, 0.0, interval.lower),
        np.where(undefined, 1.0, interval.upper),
        interval.unbounded | undefined,
        interval.empty & ~undefined,
    )


def fieller_ends(
    part: Floats,
    whole: Floats,
    *,
    part_variance: Floats,
    whole_variance: Floats,
    covariance: Floats,
    confidence: float,
) -> tuple[Floats, Floats, Flags]:
    """Both ends of the set of noise alone on the whole line, and where they are ends: where m > z sd(m)."""
    noise = _with_steps(part_variance, whole_variance, covariance)
    found = _fieller(part, whole, noise, confidence, 0)
    low, high = found.roots()
    return low, high, np.asarray((whole > 0) & (found.square > 0) & np.isfinite(low) & np.isfinite(high))


Noise = tuple[Floats, Floats, Floats]


def _with_steps(part_variance: Floats, whole_variance: Floats, covariance: Floats) -> Noise:
    """Variances and covariance with those of the steps: a rate near 0 is as coarse as its part, near 1 as the rest."""
    part_step = _step_variance(part_variance)
    rest_step = _step_variance(part_variance - 2 * covariance + whole_variance)
    return part_variance + part_step, whole_variance + part_step + rest_step, covariance + part_step


def _normal_half_width(variance: Floats, confidence: float) -> Floats:
    certain = np.maximum(variance, 0.0)
    half: Floats = z_value(confidence) * np.sqrt(certain + _step_variance(certain))
    return half


def _step_variance(variance: Floats) -> Floats:
    """What a normal interval needs beyond the variance of noise that moves in steps of 1.

    An integer closer than z sd is inside, the next one is not: at sd 2 plus or minus 3 covers 92%. One unit of
    variance more keeps 94% at any sd (exact enumeration: tests/statistical/test_coverage.py). From sd 10 on the steps
    are too fine to matter and nothing is added; nor is anything to noise of variance 0. Continuous, never decreasing.
    """
    return np.clip(_COARSE_BELOW_VARIANCE - variance, 0.0, np.clip(variance, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class _Quadratic:
    """All R with square R^2 - 2 half R + constant <= 0. discriminant: half^2 - square * constant."""

    square: Floats
    half: Floats
    constant: Floats
    discriminant: Floats

    def roots(self) -> tuple[Floats, Floats]:
        with np.errstate(all="ignore"):
            # The form that does not lose digits when square is tiny (Press et al., Numerical Recipes, 5.6).
            q = self.half + np.where(self.half >= 0, 1.0, -1.0) * np.sqrt(np.maximum(self.discriminant, 0.0))
            both = np.stack([q / self.square, self.constant / q])
        low, high = np.sort(np.nan_to_num(both, nan=0.0, posinf=np.inf, neginf=-np.inf), axis=0)
        return low, high


def _fieller(
    part: Floats, whole: Floats, noise: Noise, confidence: float, sampling_periods: Floats | int
) -> _Quadratic:
    z2 = z_value(confidence) ** 2
    part_variance, whole_variance, covariance = noise
    sampling = z2 * sampling_periods * np.maximum(whole, 0.0)
    return _Quadratic(
        square=whole**2 - z2 * whole_variance + sampling,
        half=part * whole - z2 * covariance + sampling / 2,
        constant=part**2 - z2 * part_variance,
        # Multiplied out so that the large part^2 * whole^2 cancels on paper.
        discriminant=z2 * (part_variance * whole**2 - 2 * part * whole * covariance + whole_variance * part**2)
        + z2**2 * (covariance**2 - part_variance * whole_variance)
        + sampling * (part * (whole - part) + z2 * (part_variance - covariance) + sampling / 4),
    )


def _within_unit(found: _Quadratic, *, nearest: Flags) -> Interval:
    """The hull of the set within [0, 1]. nearest: the end that stands for no R."""
    low, high = found.roots()
    square, discriminant = found.square, found.discriminant
    between = (square >= 0) & (discriminant >= 0) & ~((square == 0) & (discriminant == 0))
    nowhere = (square > 0) & (discriminant < 0)
    outside = (square < 0) & (discriminant > 0)
    lower = np.where(between, low, np.where(outside & (low < 0), high, 0.0))
    upper = np.where(between, high, np.where(outside & (high > 1), low, 1.0))
    empty = nowhere | (lower > 1) | (upper < 0)
    end = np.where(between, lower > 1, nearest).astype(np.float64)
    lower, upper = (np.where(empty, end, np.clip(ends, 0.0, 1.0)) for ends in (lower, upper))
    return Interval(lower, upper, ~between & (lower == 0) & (upper == 1), empty)
