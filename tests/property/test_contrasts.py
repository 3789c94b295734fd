"""Differences and ratios against the formulas of their sources, known cases, and wild input."""

from dataclasses import replace
from math import exp, inf, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from privacy.arrays import Floats
from privacy.contrasts import (
    Limits,
    Rate,
    correlation_of,
    count_limits,
    difference,
    rate_correlation,
    rate_limits,
    ratio,
)
from privacy.inference import fit
from privacy.intervals import rate_interval, z_value
from privacy.plan import Draw

Z95 = norm.ppf(0.975)


def one(number: float) -> Floats:
    return np.array([float(number)])


def a_rate(part: float, whole: float, sd: float = 0.0, periods: float = 0) -> Rate:
    """Of disjoint cells, part and rest, each with noise of this sd."""
    return Rate(one(part), one(whole), one(sd**2), one(2 * sd**2), one(sd**2), one(periods))


def limits(point: float, lower: float, upper: float) -> Limits:
    return Limits(one(point), one(lower), one(upper), np.array([True]))


def ends(of: Limits) -> tuple[float, float]:
    return float(of.lower[0]), float(of.upper[0])


# --- differences

ARM = st.floats(0, 5)
POINT = st.floats(-3, 3)


@given(POINT, ARM, ARM, POINT, ARM, ARM, st.floats(-1, 1))
def test_a_difference_is_zous_formula(
    x: float, down: float, up: float, y: float, below: float, above: float, r: float
) -> None:
    found = ends(difference(limits(x, x - down, x + up), limits(y, y - below, y + above), correlation=r))

    lower = x - y - sqrt(max(0.0, down**2 + above**2 - 2 * r * down * above))
    upper = x - y + sqrt(max(0.0, up**2 + below**2 - 2 * r * up * below))
    assert found == pytest.approx((lower, upper), abs=1e-6)


def test_the_difference_of_two_proportions_is_newcombes() -> None:
    """Newcombe (1998), table II, method 10: 56/70 - 48/80 is 0.0524 to 0.3339."""
    left, right = (rate_limits(a_rate(a, m, periods=1), 0.95) for a, m in ((56, 70), (48, 80)))
    assert ends(difference(left, right)) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_difference_of_two_empty_proportions_is_newcombes() -> None:
    """Newcombe (1998), table II, method 10: 0/10 - 0/20 is -0.1611 to 0.2775, 10/10 - 0/10 is 0.6075 to 1."""
    nobody = difference(rate_limits(a_rate(0, 10, periods=1), 0.95), rate_limits(a_rate(0, 20, periods=1), 0.95))
    assert ends(nobody) == pytest.approx((-0.1611, 0.2775), abs=5e-5)
    all_or_none = difference(rate_limits(a_rate(10, 10, periods=1), 0.95), rate_limits(a_rate(0, 10, periods=1), 0.95))
    assert ends(all_or_none) == pytest.approx((0.6075, 1.0), abs=5e-5)


@given(st.floats(-1e15, 1e15), st.floats(-1e15, 1e15), st.floats(10, 1e6), st.floats(10, 1e6), st.floats(-1, 1))
def test_the_difference_of_two_fitted_counts_is_the_normal_one_of_their_variance(
    x: float, y: float, sx: float, sy: float, r: float
) -> None:
    left, right = (count_limits(one(v), one(s**2), 0.95, fitted=True) for v, s in ((x, sx), (y, sy)))
    reach = Z95 * sqrt(max(0.0, sx**2 + sy**2 - 2 * r * sx * sy))
    doubt = 1e-6 * (sx + sy) + 1e-15 * (abs(x) + abs(y))
    assert ends(difference(left, right, correlation=r)) == pytest.approx((x - y - reach, x - y + reach), abs=doubt)


def test_differences_of_differences_are_differences() -> None:
    """As programme effects are reckoned: before and after, with and without."""
    sides = [limits(x, x - 0.03, x + 0.04) for x in (0.7, 0.6, 0.5, 0.45)]
    before, after = difference(*sides[:2]), difference(*sides[2:])
    effect = difference(before, after)
    assert effect.point[0] == pytest.approx(0.05)
    assert ends(effect) == pytest.approx((0.05 - sqrt(2 * (0.03**2 + 0.04**2)), 0.05 + sqrt(2 * (0.03**2 + 0.04**2))))


def test_two_strata_of_one_fitted_table_know_what_they_share() -> None:
    """Their correlation, part by part, is that of a - R m in the dense covariance of the fitted cells."""
    draws = [
        (Draw("m", ("d0", "d1"), "1", 1, 1), np.array([60, 40, 20, 80, 30, 70]), 100.0),
        (Draw("m", ("d1",), "1", 1, 1), np.array([141, 68, 91]), 25.0),
    ]
    table = fit((2, 3), ("d0", "d1"), draws)

    def group(stratum: int, bands: list[float]) -> list[Floats]:
        return [np.eye(1, 2, stratum), np.array([bands])]

    # The first stratum's part is one band, the second's are two, so that no two covariances are the same.
    parts = group(0, [1, 0, 0]), group(1, [1, 1, 0])
    wholes = group(0, [1, 1, 1]), group(1, [1, 1, 1])
    rates = [
        Rate(*(table.sums(g).ravel() for g in both), *(table.variance(g).ravel() for g in both),
             table.covariance(*both).ravel())
        for both in zip(parts, wholes, strict=True)
    ]  # fmt: skip
    shared = {
        "parts": table.covariance(parts[0], parts[1]).ravel(),
        "part_whole": table.covariance(parts[0], wholes[1]).ravel(),
        "whole_part": table.covariance(wholes[0], parts[1]).ravel(),
        "wholes": table.covariance(wholes[0], wholes[1]).ravel(),
    }

    units = [group(s, [float(i == b) for i in range(3)]) for s in range(2) for b in range(3)]
    cells = np.array([[table.covariance(g, h).item() for h in units] for g in units])
    first, second = ((rate.part / rate.whole).item() for rate in rates)
    left = np.array([1 - first, -first, -first, 0, 0, 0])
    right = np.array([0, 0, 0, 1 - second, 1 - second, -second])
    noise = np.array([left @ cells @ left, right @ cells @ right])
    expected = left @ cells @ right / sqrt(noise.prod())
    assert rate_correlation(*rates, **shared).item() == pytest.approx(expected, rel=1e-9)
    assert abs(expected) > 0.1

    # Sampling is each stratum's own: it adds to the variances and not to what they share.
    sampling = [rate.whole.item() * share * (1 - share) for rate, share in zip(rates, (first, second), strict=True)]
    sampled = rate_correlation(*(replace(rate, sampling_periods=1) for rate in rates), **shared)
    assert sampled.item() == pytest.approx(left @ cells @ right / sqrt((noise + sampling).prod()), rel=1e-9)


# --- ratios

POSITIVE = st.floats(0.01, 100)
FACTOR = st.floats(1.0, 20)


@given(POSITIVE, FACTOR, FACTOR, POSITIVE, FACTOR, FACTOR, st.floats(-1, 1))
def test_a_ratio_is_the_difference_of_the_logarithms(
    x: float, down: float, up: float, y: float, below: float, above: float, r: float
) -> None:
    interval = ratio(limits(x, x / down, x * up), limits(y, y / below, y * above), correlation=r)

    of_logarithms = difference(
        limits(log(x), log(x / down), log(x * up)), limits(log(y), log(y / below), log(y * above)), correlation=r
    )
    assert interval.ends(0) == pytest.approx(tuple(exp(end) for end in ends(of_logarithms)), rel=1e-6)
    assert not interval.unbounded[0]
    assert not interval.empty[0]


@given(POSITIVE, FACTOR, FACTOR, POSITIVE, FACTOR, FACTOR, st.floats(-1, 1))
def test_the_ratio_the_other_way_round_has_the_inverse_ends(
    x: float, down: float, up: float, y: float, below: float, above: float, r: float
) -> None:
    left, right = limits(x, x / down, x * up), limits(y, y / below, y * above)
    lower, upper = ratio(left, right, correlation=r).ends(0)
    inverse_lower, inverse_upper = ratio(right, left, correlation=r).ends(0)
    assert upper is not None
    assert inverse_upper is not None
    assert lower * inverse_upper == pytest.approx(1)
    assert upper * inverse_lower == pytest.approx(1)


def test_a_ratio_over_what_may_be_zero_is_the_whole_range() -> None:
    interval = ratio(limits(0.5, 0.4, 0.6), limits(0.05, -0.01, 0.11))
    assert interval.ends(0) == (0.0, None)
    assert interval.unbounded[0]
    assert not interval.empty[0]


def test_a_ratio_of_what_may_be_zero_starts_at_zero() -> None:
    interval = ratio(limits(0.05, -0.01, 0.11), limits(0.5, 0.4, 0.6))
    lower, upper = interval.ends(0)
    assert lower == 0
    assert upper is not None
    assert 0.11 / 0.6 < upper < 0.11 / 0.4
    assert not interval.unbounded[0]


def test_a_ratio_of_an_estimate_below_zero_still_has_the_upper_end_of_its_part() -> None:
    interval = ratio(limits(-0.02, -0.08, 0.04), limits(0.5, 0.4, 0.6))
    lower, upper = interval.ends(0)
    assert lower == 0
    assert upper == pytest.approx(0.04 / 0.5, rel=1e-2)


def test_a_ratio_of_what_is_surely_below_zero_is_zero_and_says_so() -> None:
    interval = ratio(limits(-0.2, -0.3, -0.1), limits(0.5, 0.4, 0.6))
    assert interval.ends(0) == (0.0, 0.0)
    assert interval.empty[0]


# --- limits of rates on the whole line


@given(st.floats(0, 1), st.integers(50, 5000), st.floats(0.1, 5), st.sampled_from([0, 1, 12]))
def test_limits_of_a_rate_are_its_interval_where_that_is_not_clipped(
    share: float, whole: int, sd: float, periods: int
) -> None:
    rate = a_rate(share * whole, whole, sd, periods)
    found = rate_limits(rate, 0.95)
    shown = rate_interval(
        rate.part,
        rate.whole,
        part_variance=rate.part_variance,
        whole_variance=rate.whole_variance,
        covariance=rate.covariance,
        confidence=0.95,
        sampling_periods=rate.sampling_periods,
    )
    assert found.known[0]
    assert found.lower[0] <= found.point[0] <= found.upper[0]
    clipped = found.within(0, 1)
    assert clipped.lower[0] == pytest.approx(shown.lower[0], abs=1e-9)
    assert clipped.upper[0] == pytest.approx(shown.upper[0], abs=1e-9)


def test_limits_of_a_rate_near_zero_reach_below_zero() -> None:
    """A part of 2 in 1000 with noise of sd 10: the noise is as wide below as above."""
    lower, upper = ends(rate_limits(a_rate(2, 1000, 10.0), 0.95))
    assert lower == pytest.approx(0.002 - Z95 * 0.01, abs=5e-4)
    assert upper == pytest.approx(0.002 + Z95 * 0.01, abs=5e-4)


# --- wild input

WILD = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, 1e-160, 1e-12, 1e6, 1e15, -1e15]),
    st.floats(-1e15, 1e15),
    st.integers(-1000, 1000).map(float),
)
WILD_VARIANCE = st.one_of(st.sampled_from([0.0, 5e-324, 1e-30, 1e-12, 1.0, 1e6, 1e15]), st.floats(0, 1e15))


@st.composite
def wild_rates(draw: st.DrawFn) -> Rate:
    va, vm = draw(WILD_VARIANCE), draw(WILD_VARIANCE)
    c = draw(st.floats(-1, 1)) * sqrt(va) * sqrt(vm)
    return Rate(*map(one, (draw(WILD), draw(WILD), va, vm, c, draw(st.sampled_from([0, 1, 24])))))


@given(wild_rates(), wild_rates(), WILD_VARIANCE)
def test_differences_and_ratios_of_anything_are_numbers_in_range_and_in_order(
    left: Rate, right: Rate, shared: float
) -> None:
    same = {name: one(shared) for name in ("parts", "part_whole", "whole_part", "wholes")}
    correlation = rate_correlation(left, right, **same)
    assert -1 <= correlation[0] <= 1
    a, b = rate_limits(left, 0.95), rate_limits(right, 0.95)

    for found, least, most in (
        (difference(a, b, correlation=correlation).within(-1, 1), -1.0, 1.0),
        (ratio(a, b, correlation=correlation), 0.0, inf),
        (a.within(0, 1), 0.0, 1.0),
    ):
        lower, upper = float(found.lower[0]), float(found.upper[0])
        assert least <= lower <= upper <= most
        assert lower < inf
        whole = bool(found.unbounded[0])
        assert (found.ends(0)[1] is None) == (whole and most == inf)
        assert not whole or (lower, upper) == (least, most)
        assert not (whole and found.empty[0])


@given(WILD, WILD_VARIANCE, WILD, WILD_VARIANCE, st.floats(-1e15, 1e15), st.booleans())
def test_contrasts_of_any_counts_are_numbers_in_order(
    x: float, vx: float, y: float, vy: float, c: float, fitted: bool
) -> None:
    correlation = correlation_of(one(c), one(vx), one(vy))
    assert -1 <= correlation[0] <= 1
    a, b = (count_limits(one(v), one(variance), 0.95, fitted=fitted) for v, variance in ((x, vx), (y, vy)))
    lower, upper = ends(difference(a, b, correlation=correlation))
    assert -inf < lower <= upper < inf
    found = ratio(a, b, correlation=correlation)
    assert 0 <= found.lower[0] <= found.upper[0]
    assert found.lower[0] < inf
    assert (found.ends(0)[1] is None) == bool(found.unbounded[0])


@pytest.mark.parametrize(
    ("part", "whole", "sd"),
    [(0.0, 0.0, 0.0), (5.0, 0.0, 0.0), (5.0, -3.0, 0.0), (5.0, -900.0, 10.0), (5.0, 15.0, 10.0)],
)
@pytest.mark.parametrize("periods", [0, 12])
def test_a_side_without_a_denominator_makes_every_contrast_the_whole_range(
    part: float, whole: float, sd: float, periods: int
) -> None:
    undefined, defined = rate_limits(a_rate(part, whole, sd, periods), 0.95), rate_limits(a_rate(30, 100, 1.0), 0.95)
    for left, right in ((undefined, defined), (defined, undefined), (undefined, undefined)):
        between, over = difference(left, right).within(-1, 1), ratio(left, right)
        assert (between.ends(0), bool(between.unbounded[0])) == ((-1.0, 1.0), True)
        assert (over.ends(0), bool(over.unbounded[0])) == ((0.0, None), True)


@pytest.mark.parametrize("correlation", [-1.0, 0.5, 1.0])
def test_limits_too_far_out_to_square_are_no_limits(correlation: float) -> None:
    far = rate_limits(Rate(one(0), one(1e-150), one(1e15), one(0), one(0)), 0.95)
    assert difference(far, far, correlation=correlation).within(-1, 1).ends(0) == (-1.0, 1.0)


def test_rates_without_noise_are_compared_exactly() -> None:
    left, right = rate_limits(a_rate(30, 100), 0.95), rate_limits(a_rate(10, 100), 0.95)
    assert ends(difference(left, right)) == pytest.approx((0.2, 0.2))
    assert ratio(left, right).ends(0) == pytest.approx((3.0, 3.0))


def test_more_correlation_never_widens_a_difference() -> None:
    left, right = limits(0.6, 0.5, 0.7), limits(0.4, 0.35, 0.55)
    widths = [np.subtract(*ends(difference(left, right, correlation=r))) for r in (-1.0, 0.0, 0.5, 1.0)]
    assert widths == sorted(widths)


def test_confidence_is_checked_here_too() -> None:
    assert z_value(0.95) == pytest.approx(Z95)
    with pytest.raises(ValueError, match="confidence"):
        rate_limits(a_rate(1, 2), 0.5)
