"""Checks of a noise source, each a p-value: how likely the real mechanism is to look as odd as what was seen.

A test alarms below ALARM = 1e-8. With fewer than a hundred p-values in the whole folder, the chance that a
right mechanism fails a run is below 1e-6. z scores are of sums of many thousand draws with tails thinner than
normal, and every bin of a chi-square expects at least 100 draws, so that both tails hold this far out.

Sizes: 100,000 draws estimate a variance to sqrt(2 / 100,000) = 0.45%. A sigma wrong by 5% moves it by 10%, more
than 20 standard errors, where 5.7 alarm: it is missed with a probability far below 1e-40.
"""

from collections.abc import Iterable
from math import ceil, sqrt

import numpy as np
from scipy.stats import binom, chi2, norm

from privacy.arrays import Floats, Vector
from privacy.mechanism import NoiseSource

ALARM = 1e-8
CALLS, CELLS = 250, 400
DRAWS = CALLS * CELLS
_LEAST_EXPECTED = 100


def sample(source: NoiseSource, sigma: float, calls: int = CALLS, cells: int = CELLS) -> Vector:
    """Noise of many calls, one row a call, on small counts as in sparse strata."""
    exact = np.arange(cells, dtype=np.int64) % 5
    return np.stack([source.add_noise(exact, sigma) - exact for _ in range(calls)])


def exact_mass(sigma: float) -> tuple[Vector, Floats]:
    """Support and probabilities of the discrete Gaussian; what lies beyond 12 sigma is below 1e-31."""
    reach = ceil(12 * sigma) + 1
    support = np.arange(-reach, reach + 1)
    mass = np.exp(-(support.astype(np.float64) ** 2) / (2 * sigma**2))
    return support, mass / mass.sum()


def distribution(noise: Vector, sigma: float) -> float:
    """Chi-square of every value near the middle and of both tails against the exact probabilities."""
    support, mass = exact_mass(sigma)
    expected = mass * noise.size
    middle = np.flatnonzero(expected >= _LEAST_EXPECTED)
    low, high = support[middle[0]], support[middle[-1]]
    bins = np.clip(noise, low - 1, high + 1) - low + 1
    seen = np.bincount(bins.ravel(), minlength=high - low + 3)
    wanted = np.concatenate([[expected[: middle[0]].sum()], expected[middle], [expected[middle[-1] + 1 :].sum()]])
    if wanted[0] < _LEAST_EXPECTED:
        # Tails too thin for a bin of their own go to their neighbours.
        seen, wanted = _fold(seen), _fold(wanted)
    statistic = float(((seen - wanted) ** 2 / wanted).sum())
    return float(chi2.sf(statistic, len(wanted) - 1))


def variance(noise: Vector, sigma: float) -> float:
    """Mean square against the exact variance, with the exact fourth moment for its standard error."""
    support, mass = exact_mass(sigma)
    second, fourth = (float((mass * support.astype(np.float64) ** power).sum()) for power in (2, 4))
    error = sqrt((fourth - second**2) / noise.size)
    return _two_sided((float(np.mean(noise.astype(np.float64) ** 2)) - second) / error)


def scale(noise: Vector, sigma: float) -> float:
    """Sum of squares against sigma^2, by the chi-square distribution: for any number of draws, at sigma 5 and above."""
    squares = float(np.sum(noise.astype(np.float64) ** 2)) / sigma**2
    return float(2 * min(chi2.sf(squares, noise.size), chi2.cdf(squares, noise.size)))


def tails(noise: Vector, sigma: float) -> float:
    """How many draws lie beyond three sigma, exactly binomial: about 270 of 100,000."""
    support, mass = exact_mass(sigma)
    rare = float(mass[np.abs(support) > 3 * sigma].sum())
    seen = int((np.abs(noise) > 3 * sigma).sum())
    return float(min(1.0, 2 * min(binom.cdf(seen, noise.size, rare), binom.sf(seen - 1, noise.size, rare))))


def mean(noise: Vector, sigma: float) -> float:
    """Mean against zero."""
    support, mass = exact_mass(sigma)
    second = float((mass * support.astype(np.float64) ** 2).sum())
    return _two_sided(float(noise.mean()) / sqrt(second / noise.size))


def between_cells(noise: Vector) -> float:
    """Correlation of neighbouring cells of one call."""
    return _correlation(noise[:, :-1], noise[:, 1:])


def within_calls(noise: Vector) -> float:
    """Sums of whole calls: their mean square against the cells' own, which catches noise common to all."""
    cells = noise.astype(np.float64)
    ratio = float(np.mean(cells.sum(axis=1) ** 2) / (cells.shape[1] * np.mean(cells**2)))
    # The sum of a call is normal to a good approximation: its squares average to a chi-square over the calls.
    calls = cells.shape[0]
    return float(2 * min(chi2.sf(ratio * calls, calls), chi2.cdf(ratio * calls, calls)))


def between_calls(noise: Vector) -> float:
    """Correlation of a cell in one call with the same cell in the next."""
    return _correlation(noise[:-1], noise[1:])


def between(left: Vector | Floats, right: Vector | Floats) -> float:
    """Correlation of two vectors of noise."""
    return _correlation(left, right)


def all_checks(source: NoiseSource, sigma: float) -> dict[str, float]:
    """Every p-value of one source at one sigma."""
    noise = sample(source, sigma)
    if not noise.any():
        return {"no noise at all": 0.0}
    return {
        "distribution": distribution(noise, sigma),
        "variance": variance(noise, sigma),
        "tails": tails(noise, sigma),
        "mean": mean(noise, sigma),
        "between cells": between_cells(noise),
        "within calls": within_calls(noise),
        "between calls": between_calls(noise),
    }


def worst(p_values: Iterable[float]) -> float:
    """One p-value of many: however they depend on one another, it is below x with a chance of at most x."""
    found = list(p_values)
    return min(1.0, len(found) * min(found)) if found else 1.0


def alarms(p_values: dict[str, float]) -> set[str]:
    """The checks that a right mechanism fails once in a hundred million runs. No number is an alarm too."""
    return {name for name, p in p_values.items() if not p >= ALARM}


def _correlation(left: Vector | Floats, right: Vector | Floats) -> float:
    a, b = left.astype(np.float64).ravel(), right.astype(np.float64).ravel()
    return _two_sided(float((a * b).sum() / sqrt((a * a).sum() * (b * b).sum())) * sqrt(a.size))


def _two_sided(z: float) -> float:
    return float(2 * norm.sf(abs(z)))


def _fold(bins: Floats) -> Floats:
    return np.concatenate([[bins[0] + bins[1]], bins[2:-2], [bins[-2] + bins[-1]]])
