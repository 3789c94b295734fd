"""What a histogram says of the spread of a mean: never less than there is, and no more than knowing nothing says."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.bounded_means import ENOUGH, squares_at_most, with_sampling
from privacy.contrasts import Rate, share_interval
from privacy.intervals import z_value

persons = st.lists(st.integers(0, 10_000).map(lambda points: points / 10_000), min_size=1, max_size=60)
cuts = st.lists(st.integers(1, 99).map(lambda percent: percent / 100), max_size=6, unique=True).map(sorted)


def bound(shares: list[float], inner: list[float]) -> float:
    edges = [0.0, *inner, 1.0]
    places = np.clip(np.searchsorted(edges, shares, side="right") - 1, 0, len(edges) - 2)
    bands = [np.array(shares)[places == place] for place in range(len(edges) - 1)]
    found = squares_at_most(
        [np.array([band.sum()]) for band in bands],
        [np.array([float(band.size)]) for band in bands],
        list(pairwise(edges)),
    )
    return float(found[0])


def exactly(part: float, whole: float) -> Rate:
    nothing = np.zeros(1)
    return Rate(np.array([part]), np.array([whole]), nothing, nothing, nothing)


def total(rate: Rate, confidence: float = 0.95) -> tuple[float, float]:
    interval = share_interval(rate, confidence)
    return float(interval.lower[0]), float(interval.upper[0])


@given(shares=persons, inner=cuts)
def test_the_bound_is_between_the_sum_of_squares_and_that_of_knowing_nothing(
    shares: list[float], inner: list[float]
) -> None:
    found = bound(shares, inner)

    assert sum(share**2 for share in shares) - 1e-9 <= found <= sum(shares) + 1e-9


@given(inner=cuts, counts=st.lists(st.integers(0, 30), min_size=8, max_size=8))
def test_of_members_at_the_edges_the_bound_is_exact(inner: list[float], counts: list[int]) -> None:
    shares = [share for share, count in zip([0.0, *inner, 1.0], counts, strict=False) for _ in range(count)]

    assert bound(shares, inner) == pytest.approx(sum(share**2 for share in shares), abs=1e-9)


def test_the_interval_without_noise_is_that_of_the_sum_of_squares_around_each_mean() -> None:
    shares = np.repeat([0.1, 0.5, 0.9, 1.0], [400, 600, 1200, 1800])
    part, whole, squares = float(shares.sum()), float(shares.size), float((shares**2).sum())
    rate = with_sampling(exactly(part, whole), np.array([squares]), np.ones(1))

    # By brute search of all means R: (sum of x - R)^2 <= z^2 * sum of (x - R)^2.
    means = np.linspace(0, 1, 1_000_001)
    held = means[(part - means * whole) ** 2 <= z_value(0.95) ** 2 * (squares - 2 * means * part + means**2 * whole)]
    # So many persons that what is added for noise in whole numbers (privacy.intervals) is not.
    assert total(rate) == pytest.approx((held[0], held[-1]), abs=2e-6)


@given(high=st.integers(0, 400), low=st.integers(0, 6), periods=st.integers(1, 12))
def test_where_hardly_anyone_differs_the_term_is_wilsons(high: int, low: int, periods: int) -> None:
    part, whole = float(high), float(high + low)
    if not whole:
        return
    rate = exactly(part, whole)
    # All at 1 but a few at 0: the histogram is exact, and holds fewer than enough who differ.
    found = with_sampling(rate, np.array([part]), np.full(1, float(periods)))

    assert low < ENOUGH
    wilson = replace(rate, sampling_periods=np.full(1, float(periods)))
    assert total(found) == total(wilson)


@given(
    part=st.floats(-500, 500),
    whole=st.floats(-500, 500),
    squares=st.floats(-500, 500),
    sd=st.floats(0, 100),
    periods=st.integers(0, 12),
)
def test_whatever_noise_does_the_interval_is_one_and_holds_that_of_the_noise(
    part: float, whole: float, squares: float, sd: float, periods: int
) -> None:
    v = np.full(1, sd**2)
    rate = Rate(np.array([part]), np.array([whole]), v, v, 0 * v)

    lower, upper = total(with_sampling(rate, np.array([squares]), np.full(1, float(periods))))
    noise = total(rate)

    assert 0 <= lower <= upper <= 1
    if 0 < part < whole:
        assert lower <= noise[0] + 1e-9
        assert upper >= noise[1] - 1e-9
