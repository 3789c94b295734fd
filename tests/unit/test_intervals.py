"""Intervals against exact probabilities, a brute search of the set, Wilson's closed form, and coverage."""

from decimal import Decimal, localcontext
from math import ceil, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from privacy.arrays import Floats
from privacy.intervals import Interval, count_half_width, count_interval, rate_interval, z_value

CONFIDENCES = (0.8, 0.9, 0.95, 0.99, 0.999)
Z95 = norm.ppf(0.975)


def rate(
    part: float,
    whole: float,
    part_variance: float = 0.0,
    whole_variance: float = 0.0,
    covariance: float = 0.0,
    confidence: float = 0.95,
    periods: float = 0,
) -> Interval:
    """One rate, as arrays of one entry."""
    return rate_interval(
        np.array([part]),
        np.array([whole]),
        part_variance=np.array([part_variance]),
        whole_variance=np.array([whole_variance]),
        covariance=np.array([covariance]),
        confidence=confidence,
        sampling_periods=np.array([periods]),
    )


def ends(interval: Interval) -> tuple[float, float]:
    return float(interval.lower[0]), float(interval.upper[0])


# --- counts


def exact_tails(variance: Decimal, reach: int) -> list[Decimal]:
    """P(|Z| >= a) for a = 0, 1, ... of the discrete Gaussian, to 40 digits."""
    with localcontext() as context:
        context.prec = 40
        mass = [(-(Decimal(a) ** 2) / (2 * variance)).exp() for a in range(reach + 1)]
        whole = mass[0] + 2 * sum(mass[1:])
        tails = [Decimal(1)]
        for a in range(1, reach + 1):
            tails.append(tails[-1] - (2 if a > 1 else 1) * mass[a - 1] / whole)
        return tails


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize("sigma", ["0.3", "0.5", "0.7", "1", "1.5", "2.25", "7.3", "10", "30.983877", "49.9"])
def test_a_count_reaches_as_far_as_the_exact_discrete_gaussian_says(sigma: str, confidence: float) -> None:
    variance = Decimal(sigma) ** 2
    tails = exact_tails(variance, ceil(8 * float(sigma)) + 4)
    alpha = 1 - Decimal(str(confidence))
    first_rare = next(a for a, tail in enumerate(tails) if tail <= alpha)
    assert count_half_width(float(sigma) ** 2, confidence) == first_rare - 1


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize("sigma", [50.0, 51.7, 200.0, 960.50018])
def test_a_count_with_much_noise_reaches_at_least_as_far_as_the_exact_discrete_gaussian(
    sigma: float, confidence: float
) -> None:
    tails = exact_tails(Decimal(sigma) ** 2, ceil(4 * sigma))
    half = int(count_half_width(sigma**2, confidence))
    assert tails[half + 1] <= 1 - Decimal(str(confidence))
    assert half == ceil(float(norm.ppf(0.5 + confidence / 2)) * sigma + 0.5)


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize(("sigma", "summands"), [(0.4, 6), (0.6, 2), (0.6, 3), (0.8, 4), (1.0, 7), (3.0, 5)])
def test_a_sum_of_noisy_counts_reaches_as_far_as_its_exact_distribution_needs(
    sigma: float, summands: int, confidence: float
) -> None:
    reach = ceil(12 * sigma) + 2
    mass = np.exp(-(np.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    one = total = mass / mass.sum()
    for _ in range(summands - 1):
        total = np.convolve(total, one)
    middle = total.size // 2
    half = int(count_half_width(sigma**2 * summands, confidence))
    assert total[middle - half : middle + half + 1].sum() >= confidence - 1e-12


def test_a_count_without_noise_is_exact() -> None:
    assert count_half_width(0.0, 0.95) == 0
    assert count_half_width(0.0, 0.95, fitted=True) == 0


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize("sigma", [10.0, 10.3, 49.9, 960.50018])
def test_a_fitted_count_is_normal(sigma: float, confidence: float) -> None:
    z = float(norm.ppf(0.5 + confidence / 2))
    assert count_half_width(sigma**2, confidence, fitted=True) == pytest.approx(z * sigma, rel=1e-12)


@pytest.mark.parametrize("sigma", [0.3, 0.7, 1.0, 2.0, 2.54, 5.1, 6.12, 9.0, 9.97])
def test_a_fitted_count_with_little_noise_is_wide_enough_even_if_it_moves_in_steps_of_one(sigma: float) -> None:
    tails = exact_tails(Decimal(sigma) ** 2, ceil(8 * sigma) + 4)
    half = count_half_width(sigma**2, 0.95, fitted=True)
    assert 1 - tails[int(half) + 1] >= Decimal("0.94")
    assert half <= Z95 * sqrt(sigma**2 + 1)


@given(st.floats(1e-6, 1e10), st.floats(0.51, 0.999))
def test_more_confidence_or_more_noise_never_narrows_a_fitted_count(variance: float, confidence: float) -> None:
    half = count_half_width(variance, confidence, fitted=True)
    assert half >= 0
    assert count_half_width(variance, min(0.999, confidence + 0.05), fitted=True) >= half
    assert count_half_width(variance * 1.001, confidence, fitted=True) >= half


def test_counts_may_be_fitted_one_by_one() -> None:
    fitted = np.array([True, False, True])
    values, variances = np.array([40.5, 40.0, 0.25]), np.full(3, 121.0)
    interval = count_interval(values, variances, 0.95, fitted=fitted)
    half = [Z95 * 11, count_half_width(121.0, 0.95), Z95 * 11]
    assert interval.upper.tolist() == pytest.approx([v + h for v, h in zip(values, half, strict=True)])
    assert interval.lower.tolist() == pytest.approx([40.5 - half[0], 40.0 - half[1], 0.0])


def test_an_infinite_end_is_shown_as_none() -> None:
    flags = np.array([False, True])
    interval = Interval(np.array([0.5, 0.0]), np.array([2.0, np.inf]), flags, ~flags)
    assert [interval.ends(i) for i in range(2)] == [(0.5, 2.0), (0.0, None)]


@given(st.floats(1e-6, 1e10), st.floats(0.51, 0.999))
def test_more_confidence_or_more_noise_never_narrows_a_count(variance: float, confidence: float) -> None:
    half = count_half_width(variance, confidence)
    assert half >= 0
    assert count_half_width(variance, min(0.999, confidence + 0.05)) >= half
    assert count_half_width(variance * 1.5, confidence) >= half


def test_counts_keep_their_middle_and_show_no_end_below_zero() -> None:
    interval = count_interval(np.array([100.0, 3.0, -200.0]), np.array([100.0, 100.0, 2500.0]), 0.95)
    assert interval.lower.tolist() == [80.0, 0.0, 0.0]
    assert interval.upper.tolist() == [120.0, 23.0, 0.0]
    assert not interval.unbounded.any()


def test_no_counts_at_all_have_no_intervals() -> None:
    assert count_interval(np.array([]), np.array([]), 0.95).lower.size == 0


@pytest.mark.parametrize("confidence", [0.5, 0.0, -1.0, 0.9991, 1.0, float("nan")])
def test_a_confidence_lies_above_one_half_and_is_at_most_999_in_a_thousand(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        z_value(confidence)


def test_the_normal_quantile_is_two_sided() -> None:
    assert z_value(0.95) == pytest.approx(1.959964, abs=1e-6)


# --- rates: the set itself

AMOUNT = st.floats(-300, 3000).map(lambda amount: round(amount, 3))
SPREAD = st.floats(0, 60).map(lambda sigma: round(sigma, 3))
CORRELATION = st.floats(-1, 1)


def step(variance: float) -> float:
    """What noise below an sd of 10 counts beyond its variance: one unit, less near 0 and near 100."""
    return max(0.0, min(1.0, variance, 100 - variance))


def slack(at: Floats, a: float, m: float, va: float, vm: float, c: float, periods: float) -> Floats:
    """Right side minus left side of the inequality in FORMULAS, with the steps of part and rest; the set is where it
    is not negative."""
    noise = va - 2 * at * c + at**2 * vm + (1 - at) ** 2 * step(va) + at**2 * step(va - 2 * c + vm)
    return Z95**2 * (noise + periods * max(m, 0.0) * at * (1 - at)) - (a - at * m) ** 2


@given(AMOUNT, AMOUNT, SPREAD, SPREAD, CORRELATION, st.sampled_from([0, 1, 12]))
def test_a_rate_holds_every_ratio_that_a_brute_search_finds(
    a: float, m: float, sa: float, sm: float, correlation: float, periods: int
) -> None:
    va, vm, c = sa**2, sm**2, correlation * sa * sm
    grid = np.linspace(0, 1, 4001)
    over = slack(grid, a, m, va, vm, c, periods)
    doubt = 1e-6 * (1 + a**2 + m**2 + va + vm)
    interval = rate(a, m, va, vm, c, periods=periods)
    lower, upper = ends(interval)
    assert 0 <= lower <= upper <= 1
    if m <= 0:
        assert (lower, upper, bool(interval.unbounded[0])) == (0, 1, True)
        return

    surely = grid[over > doubt]
    if surely.size:
        assert lower <= surely[0] + 1e-6
        assert upper >= surely[-1] - 1e-6
        assert not interval.empty[0]
    # And not wider: beyond the ends nothing is in the set.
    maybe = grid[over > -doubt]
    step = grid[1]
    if maybe.size:
        assert lower >= maybe[0] - step
        assert upper <= maybe[-1] + step
    elif m > Z95 * sqrt(vm + 2) * (1 + 1e-6):
        # A whole that is surely not zero, and no ratio: the nearest end. Else the whole range is honest too.
        assert interval.empty[0]
        assert lower == upper


@given(AMOUNT, AMOUNT, SPREAD, SPREAD, CORRELATION)
def test_a_rate_without_a_value_is_the_nearest_end_and_says_so(
    a: float, m: float, sa: float, sm: float, correlation: float
) -> None:
    interval = rate(a, m, sa**2, sm**2, correlation * sa * sm)
    lower, upper = ends(interval)
    if interval.empty[0]:
        assert lower == upper
        assert lower in (0.0, 1.0)
        if m > 0:
            assert lower == (1.0 if a > 0 else 0.0)


WILD = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, 1e-160, 1e-12, 1e6, 1e12, 1e18, -1e18]),
    st.floats(-1e18, 1e18),
    st.integers(-1000, 1000).map(float),
)
WILD_VARIANCE = st.one_of(
    st.sampled_from([0.0, 5e-324, 1e-12, 1.0, 1e6, 1e24, Z95**-2, 100 / Z95**2]), st.floats(0, 1e24)
)


@given(WILD, WILD, WILD_VARIANCE, WILD_VARIANCE, CORRELATION, st.sampled_from([0, 1, 24]))
def test_a_rate_is_never_no_number_never_upside_down_and_never_beyond_zero_and_one(
    a: float, m: float, va: float, vm: float, correlation: float, periods: int
) -> None:
    interval = rate(a, m, va, vm, correlation * sqrt(va) * sqrt(vm), periods=periods)
    lower, upper = ends(interval)
    assert 0 <= lower <= upper <= 1
    assert not (interval.unbounded[0] and interval.empty[0])
    assert bool(interval.unbounded[0]) <= (lower == 0 and upper == 1)
    assert interval.unbounded[0] or m > 0


# --- rates: known cases


@pytest.mark.parametrize(("part", "whole"), [(0, 10), (3, 10), (7, 10), (10, 10), (570, 2456), (1743, 9076)])
def test_a_rate_without_noise_is_wilsons_interval(part: int, whole: int) -> None:
    p, z2 = part / whole, Z95**2
    middle = (p + z2 / (2 * whole)) / (1 + z2 / whole)
    reach = Z95 / (1 + z2 / whole) * sqrt(p * (1 - p) / whole + z2 / (4 * whole**2))
    lower, upper = ends(rate(part, whole, periods=1))
    assert lower == pytest.approx(max(0.0, middle - reach), abs=1e-12)
    assert upper == pytest.approx(min(1.0, middle + reach), abs=1e-12)


@pytest.mark.parametrize(
    ("part", "whole"), [(0, 7), (3, 7), (7, 7), (123_456_789, 987_654_321), (333_333_333, 999_999_999)]
)
def test_a_rate_without_noise_or_sampling_is_the_exact_rate(part: int, whole: int) -> None:
    interval = rate(part, whole)
    assert ends(interval) == pytest.approx((part / whole, part / whole), abs=1e-9)
    assert not interval.unbounded[0]


@pytest.mark.parametrize("sigma", [10.0, 1000.0])
def test_a_rate_of_huge_counts_keeps_its_digits(sigma: float) -> None:
    """So many days, so little noise: the interval is that of the delta method, to its own last digits."""
    part, whole = 700_123_456.0, 987_654_321.0
    share = part / whole
    reach = Z95 * sigma * sqrt(1 + share**2) / whole
    lower, upper = ends(rate(part, whole, sigma**2, sigma**2))
    assert lower == pytest.approx(share - reach, abs=reach / 100)
    assert upper == pytest.approx(share + reach, abs=reach / 100)


@pytest.mark.parametrize("periods", [0, 1, 12])
@pytest.mark.parametrize(
    ("part", "whole"), [(0.0, 0.0), (5.0, -3.0), (-5.0, 20.0), (5.0, 3.0), (-50.0, -900.0), (0.0, -900.0)]
)
def test_a_whole_lost_in_noise_is_answered_by_the_whole_range(part: float, whole: float, periods: int) -> None:
    interval = rate(part, whole, 400.0, 400.0, 0.0, periods=periods)
    assert ends(interval) == (0.0, 1.0)
    assert interval.unbounded[0]
    assert not interval.empty[0]


def test_a_part_far_below_zero_is_answered_by_the_lower_end() -> None:
    interval = rate(-500.0, 1000.0, 100.0, 100.0)
    assert ends(interval) == (0.0, 0.0)
    assert interval.empty[0]
    assert not interval.unbounded[0]


@pytest.mark.parametrize(
    ("part", "whole", "variance", "periods"),
    [
        (12.0, 10.0, 0.0, 0),
        (12.0, 10.0, 0.0, 1),
        (300.0, 250.0, 1.0, 0),
        (300.0, 250.0, 1.0, 1),
        (300.0, 250.0, 1.0, 12),
        (3000.0, 1000.0, 100.0, 1),
    ],
)
def test_a_part_far_above_its_whole_is_answered_by_the_upper_end(
    part: float, whole: float, variance: float, periods: int
) -> None:
    interval = rate(part, whole, variance, variance, periods=periods)
    assert ends(interval) == (1.0, 1.0)
    assert interval.empty[0]
    assert not interval.unbounded[0]


@pytest.mark.parametrize("part", [1.5, 5.0, 9.0, -40.0])
def test_a_set_whose_square_term_vanishes_is_the_limit_of_its_neighbours(part: float) -> None:
    """m^2 = z^2 v_m to the last bit: the quadratic becomes a line, and nothing else may change."""
    z2 = z_value(0.95) ** 2
    whole = next(float(m) for m in range(5, 400) if z2 * (m * m / z2) == m * m)
    exactly = whole**2 / z2
    at, above, below = (
        ends(rate(part, whole, 1.0, variance)) for variance in (exactly, exactly * (1 + 1e-9), exactly * (1 - 1e-9))
    )
    assert z2 * exactly == whole**2
    assert at == pytest.approx(above, abs=1e-4)
    assert at == pytest.approx(below, abs=1e-4)


def test_the_sampling_term_grows_with_the_periods_pooled() -> None:
    widths = [np.subtract(*ends(rate(300, 1000, 25.0, 25.0, 5.0, periods=p))[::-1]) for p in (0, 1, 12)]
    assert widths[0] < widths[1] < widths[2]
    # Without noise, and for many people, the width grows as the root of the number of periods.
    narrow, wide = (np.subtract(*ends(rate(3e6, 1e7, periods=p))[::-1]) for p in (1, 12))
    assert wide / narrow == pytest.approx(sqrt(12), rel=1e-3)


def test_an_array_of_rates_is_each_rate_by_itself() -> None:
    parts, wholes, variances = [40.0, -3.0, 900.0, 2.0], [100.0, 50.0, 400.0, 1.0], [16.0, 400.0, 9.0, 900.0]
    together = rate_interval(
        np.array(parts),
        np.array(wholes),
        part_variance=np.array(variances),
        whole_variance=np.array(variances),
        covariance=np.zeros(4),
        confidence=0.95,
        sampling_periods=1,
    )
    for i, (a, m, v) in enumerate(zip(parts, wholes, variances, strict=True)):
        alone = rate(a, m, v, v, periods=1)
        assert (together.lower[i], together.upper[i]) == ends(alone)
        assert (together.unbounded[i], together.empty[i]) == (alone.unbounded[0], alone.empty[0])


# --- coverage, simulated with a fixed seed
#
# 20,000 draws estimate a coverage of 0.94 with a standard deviation of 0.0017. The design wants the true one at
# 0.94 or more (and 0.96 or less where stated); 0.008 beyond that is 4.75 of them: about 1e-6 for a false alarm,
# had the seed not been fixed.

DRAWS = 20_000
ALLOWANCE = 4.75 * sqrt(0.94 * 0.06 / DRAWS)


def discrete_gaussian(random: np.random.Generator, sigma: float, size: int) -> Floats:
    reach = ceil(10 * sigma) + 1
    support = np.arange(-reach, reach + 1)
    mass = np.exp(-(support.astype(float) ** 2) / (2 * sigma**2))
    return random.choice(support, size, p=mass / mass.sum()).astype(float)


def share_covered(interval: Interval, truth: float) -> float:
    return float(np.mean((interval.lower <= truth) & (truth <= interval.upper)))


@pytest.mark.parametrize("sigma", [0.8, 3.0, 10.0, 30.983877, 80.0])
@pytest.mark.parametrize("count", [5, 1000])
def test_counts_are_covered_as_often_as_they_claim(sigma: float, count: int) -> None:
    noise = discrete_gaussian(np.random.default_rng(7), sigma, DRAWS)
    interval = count_interval(count + noise, np.full(DRAWS, sigma**2), 0.95)
    covered = share_covered(interval, count)
    assert covered >= 0.94 - ALLOWANCE
    if sigma >= 10:
        assert covered <= 0.96 + ALLOWANCE


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("people", [10, 25, 50, 100, 250, 1000])
@pytest.mark.parametrize("sigma", [3.0, 10.0])
def test_rates_of_the_posted_members_are_covered_as_often_as_they_claim(
    share: float, people: int, sigma: float
) -> None:
    random = np.random.default_rng(11)
    part = round(share * people)
    noisy_part = part + discrete_gaussian(random, sigma, DRAWS)
    noisy_rest = people - part + discrete_gaussian(random, sigma, DRAWS)
    variance = np.full(DRAWS, sigma**2)
    interval = rate_interval(
        noisy_part,
        noisy_part + noisy_rest,
        part_variance=variance,
        whole_variance=2 * variance,
        covariance=variance,
        confidence=0.95,
    )
    covered = share_covered(interval, part / people)
    assert covered >= 0.94 - ALLOWANCE
    # An unbounded set covers for certain; it is the honest answer where the whole drowns in its noise.
    if sigma >= 10 and people >= 5 * sqrt(2) * sigma and 0.05 < share < 0.95:
        assert covered <= 0.96 + ALLOWANCE
    if people < sqrt(2) * sigma:
        assert interval.unbounded.mean() > 0.5


@pytest.mark.parametrize("share", [0.3, 0.7])
@pytest.mark.parametrize(("people", "sigma"), [(50, 3.0), (250, 10.0), (1000, 10.0), (1000, 30.0)])
def test_rates_behind_the_posted_members_are_covered_as_often_as_they_claim(
    share: float, people: int, sigma: float
) -> None:
    random = np.random.default_rng(13)
    part = random.binomial(people, share, DRAWS)
    noisy_part = part + discrete_gaussian(random, sigma, DRAWS)
    noisy_rest = people - part + discrete_gaussian(random, sigma, DRAWS)
    variance = np.full(DRAWS, sigma**2)
    interval = rate_interval(
        noisy_part,
        noisy_part + noisy_rest,
        part_variance=variance,
        whole_variance=2 * variance,
        covariance=variance,
        confidence=0.95,
        sampling_periods=1,
    )
    covered = share_covered(interval, share)
    assert 0.94 - ALLOWANCE <= covered <= 0.96 + ALLOWANCE


def test_pooling_a_year_of_the_same_people_as_if_they_were_others_covers_far_too_little() -> None:
    random = np.random.default_rng(17)
    people, share, sigma, months = 500, 0.6, 5.0, 12
    part = months * random.binomial(people, share, DRAWS)
    noisy_part = part + np.rint(random.normal(0, sigma * sqrt(months), DRAWS))
    noisy_rest = months * people - part + np.rint(random.normal(0, sigma * sqrt(months), DRAWS))
    variance = np.full(DRAWS, months * sigma**2)

    def covered(periods: int) -> float:
        interval = rate_interval(
            noisy_part,
            noisy_part + noisy_rest,
            part_variance=variance,
            whole_variance=2 * variance,
            covariance=variance,
            confidence=0.95,
            sampling_periods=periods,
        )
        return share_covered(interval, share)

    assert covered(months) >= 0.94 - ALLOWANCE
    assert covered(1) < 0.7
