"""The total interval of a mean holds the mean behind the sample: at every size, noise and spread, 94% or more.

Simulated. An entry alarms when its misses have a probability below 1e-9 at 94% itself; with fewer than 200 entries a
right method fails a run with a probability below 1e-6. The two wrong methods below must alarm.
"""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from privacy import bounded_means
from privacy.arrays import Floats
from privacy.bounded_means import squares_at_most, with_sampling
from privacy.contrasts import Rate
from privacy.intervals import rate_interval

Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
DRAWS = 8_000
SIZES = (10, 35, 100, 400)
SDS = (0.0, 1.0, 5.0, 20.0)
EDGES = ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0))


def mixed(share: float, often: Draw, else_: Draw) -> Draw:
    return lambda random, size: np.where(random.random(size) < share, often(random, size), else_(random, size))


def uniform(low: float, high: float) -> Draw:
    return lambda random, size: random.uniform(low, high, size)


# The mean behind each, in closed form.
SPREADS: dict[str, tuple[Draw, float]] = {
    "beta": (lambda random, size: random.beta(4, 1, size), 0.8),
    "as in DE-SynPUF": (mixed(0.73, uniform(0.8, 1.0), uniform(0.1, 0.8)), 0.73 * 0.9 + 0.27 * 0.45),
    "nine in ten are high": (mixed(0.9, uniform(0.95, 1.0), uniform(0.0, 0.9)), 0.9 * 0.975 + 0.1 * 0.45),
    "few are low": (mixed(0.95, uniform(1.0, 1.0), uniform(0.0, 0.5)), 0.95 + 0.05 * 0.25),
    "half are low": (mixed(0.5, uniform(0.0, 0.2), uniform(0.2, 1.0)), 0.5 * 0.1 + 0.5 * 0.6),
}


def misses(spread: str, people: int, sd: float, sampled: Callable[[Rate, Floats, Floats], Rate]) -> int:
    """Of DRAWS samples, each measured with noise of its own in every band: sums with the sd, heads with the sd."""
    random = np.random.default_rng([people, int(10 * sd), len(spread)])
    draw, mean = SPREADS[spread]
    shares = draw(random, (DRAWS, people))
    places = np.clip((shares * 5).astype(int), 0, 4)
    inside = [places == place for place in range(5)]
    sums = [np.where(band, shares, 0.0).sum(axis=1) + random.normal(0, sd, DRAWS) for band in inside]
    heads = [band.sum(axis=1) + np.rint(random.normal(0, sd, DRAWS)) for band in inside]
    variance = np.full(DRAWS, 5.0 * sd**2)
    rate = Rate(np.sum(sums, axis=0), np.sum(heads, axis=0), variance, variance, 0 * variance)
    rate = sampled(rate, squares_at_most(sums, heads, EDGES), np.ones(DRAWS))
    interval = rate_interval(
        rate.part,
        rate.whole,
        part_variance=rate.part_variance,
        whole_variance=rate.whole_variance,
        covariance=rate.covariance,
        confidence=0.95,
        sampling_periods=rate.sampling_periods,
    )
    return int(((interval.lower > mean) | (interval.upper < mean)).sum())


def alarms(sampled: Callable[[Rate, Floats, Floats], Rate]) -> set[tuple[str, int, float]]:
    return {
        entry for entry in product(SPREADS, SIZES, SDS) if binom.sf(misses(*entry, sampled) - 1, DRAWS, 0.06) < 1e-9
    }


@pytest.mark.slow
def test_the_mean_behind_the_sample_is_covered_at_every_size_noise_and_spread() -> None:
    assert alarms(with_sampling) == set()


@pytest.mark.slow
def test_noise_alone_would_not_cover_it() -> None:
    assert len(alarms(lambda rate, squares, periods: rate)) > 20


@pytest.mark.slow
def test_a_histogram_that_is_always_believed_would_not_cover_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_means, "ENOUGH", 0.0)

    assert ("few are low", 35, 0.0) in alarms(with_sampling)
