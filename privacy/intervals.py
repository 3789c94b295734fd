"""Confidence intervals for what was measured with noise. Ends are clipped for show, points never.

All functions work on arrays of the same shape and return (lower, upper) in that shape.
"""

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np

from privacy.arrays import Flags, Floats

_EXACT_BELOW_SIGMA = 50.0


@dataclass(frozen=True, slots=True)
class Interval:
    """lower, upper: ends. unbounded: the set was the whole range. empty: no admissible value; the nearest end."""

    lower: Floats
    upper: Floats
    unbounded: Flags
    empty: Flags


def z_value(confidence: float) -> float:
    """The two-sided normal quantile. Raises ValueError outside (0.5, 0.999]."""
    if not 0.5 < confidence <= 0.999:
        raise ValueError("a confidence lies above 0.5 and is at most 0.999")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def count_half_width(variance: float, confidence: float) -> int:
    """Half-width of the closed interval around an integer count with noise of this variance.

    Up to sigma 50 the exact quantile of the discrete Gaussian of this variance: a - 1 for the smallest a with
    P(|Z| >= a) <= alpha. Above it ceil(z sigma + 1/2), which is never narrower. A sum of independent cells is
    treated as one draw of the summed variance.
    """
    z = z_value(confidence)
    if variance <= 0:
        return 0
    sigma = sqrt(variance)
    if sigma >= _EXACT_BELOW_SIGMA:
        return ceil(z * sigma + 0.5)
    reach = np.arange(1, ceil(12 * sigma) + 2)
    mass = np.exp(-(reach.astype(np.float64) ** 2) / (2 * variance))
    tail = 2 * np.cumsum(mass[::-1])[::-1] / (1 + 2 * mass.sum())
    return int(reach[np.argmax(tail <= 1 - confidence)]) - 1


def count_interval(value: Floats, variance: Floats, confidence: float) -> Interval:
    """Around unclipped counts; ends below 0 are shown as 0."""
    widths = {v: count_half_width(v, confidence) for v in set(np.ravel(variance).tolist())}
    half = np.vectorize(widths.__getitem__, otypes=[np.float64])(variance)
    never = np.zeros(np.shape(value), dtype=bool)
    return Interval(np.maximum(value - half, 0.0), np.maximum(value + half, 0.0), never, np.asarray(value + half < 0))


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

    All R with (a - R m)^2 <= z^2 (v_a - 2 R c + R^2 v_m + P max(m, 0) R (1 - R)). sampling_periods: P, the
    number of periods pooled over the same people; 0 leaves sampling out and covers noise alone. At zero noise
    and P = 1 the set is Wilson's interval. Source: Fieller, Some Problems in Interval Estimation (1954).
    """
    z2 = z_value(confidence) ** 2
    sampling = z2 * sampling_periods * np.maximum(whole, 0.0)
    square = whole**2 - z2 * whole_variance + sampling
    half = part * whole - z2 * covariance + sampling / 2
    constant = part**2 - z2 * part_variance
    # half^2 - square * constant, multiplied out so that the large part^2 * whole^2 cancels on paper.
    discriminant = (
        z2 * (part_variance * whole**2 - 2 * part * whole * covariance + whole_variance * part**2)
        + z2**2 * (covariance**2 - part_variance * whole_variance)
        + sampling * (part * (whole - part) + z2 * (part_variance - covariance) + sampling / 4)
    )
    return _quadratic_set(square, half, constant, discriminant, nearest=2 * part > whole)


def _quadratic_set(square: Floats, half: Floats, constant: Floats, discriminant: Floats, *, nearest: Flags) -> Interval:
    """The hull of {R in [0, 1]: square R^2 - 2 half R + constant <= 0}. nearest: the end that stands for no R."""
    with np.errstate(all="ignore"):
        # The form that does not lose digits when square is tiny (Press et al., Numerical Recipes, 5.6).
        q = half + np.where(half >= 0, 1.0, -1.0) * np.sqrt(np.maximum(discriminant, 0.0))
        roots = np.sort(
            np.nan_to_num(np.stack([q / square, constant / q]), nan=0.0, posinf=np.inf, neginf=-np.inf), axis=0
        )
    low, high = roots
    between = (square >= 0) & (discriminant >= 0) & ~((square == 0) & (discriminant == 0))
    nowhere = (square > 0) & (discriminant < 0)
    outside = (square < 0) & (discriminant > 0)
    lower = np.where(between, low, np.where(outside & (low < 0), high, 0.0))
    upper = np.where(between, high, np.where(outside & (high > 1), low, 1.0))
    empty = nowhere | (lower > 1) | (upper < 0)
    end = np.where(between, lower > 1, nearest).astype(np.float64)
    lower, upper = (np.where(empty, end, np.clip(ends, 0.0, 1.0)) for ends in (lower, upper))
    return Interval(lower, upper, ~between & (lower == 0) & (upper == 1), empty)
