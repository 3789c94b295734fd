"""Losses add up to those of the worst-placed person, round up, and convert to epsilon; budgets round down."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, combinations, product
from math import exp, floor, log, log1p
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from privacy.loss import feed_loss_nano, increment_nano
from privacy.mechanism import MAX_SIGMA, MIN_SIGMA, charge_nano, epsilon
from privacy.units import NANO, NotABudget, budget_nano, loss_nano, rho_text

CHARGES = st.lists(st.integers(0, 10**7), max_size=7)


def subsets(count: int, at_most: int) -> Iterator[tuple[int, ...]]:
    return chain.from_iterable(combinations(range(count), n) for n in range(at_most + 1))


@given(first=CHARGES, further=CHARGES, k=st.integers(1, 9))
def test_the_loss_of_a_feed_is_that_of_the_worst_member(first: list[int], further: list[int], k: int) -> None:
    worst = max(
        sum(first[i] for i in chosen) + sum(further[i] for i in moved)
        for chosen in subsets(len(first), min(k, len(first)))
        for moved in subsets(len(further), len(further))
    )
    assert feed_loss_nano(first, further, k) == worst


@given(
    st.lists(st.lists(st.integers(1, 1000), min_size=1, max_size=3), min_size=1, max_size=4),
    st.integers(1, 4),
)
def test_nobody_who_moves_between_periods_when_they_are_measured_anew_loses_more(
    measured: list[list[int]], k: int
) -> None:
    """measured: by period, the charge of each measurement. In each version one person is in at most k periods."""
    versions = max(map(len, measured))
    worst = 0
    for placed in product(list(subsets(len(measured), min(k, len(measured)))), repeat=versions):
        worst = max(
            worst,
            sum(
                measured[period][version]
                for version, periods in enumerate(placed)
                for period in periods
                if version < len(measured[period])
            ),
        )
    first = [charges[0] for charges in measured]
    further = [charge for charges in measured for charge in charges[1:]]
    assert feed_loss_nano(first, further, k) >= worst


def test_january_and_february_posted_twice_cost_a_moved_person_three_charges_not_two() -> None:
    assert feed_loss_nano([5, 5], [5, 5], 1) == 15


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.booleans()), max_size=12),
    st.integers(1, 6),
    st.randoms(),
)
def test_increments_add_up_to_the_loss_in_any_order_of_arrival(
    measurements: list[tuple[int, bool]], k: int, random: Random
) -> None:
    arrived = random.sample(measurements, len(measurements))
    first: list[int] = []
    further: list[int] = []
    total = 0
    for charge, is_first in arrived:
        increment = increment_nano(first, further, k, charge=charge, first=is_first)
        assert 0 <= increment <= charge
        assert is_first or increment == charge
        total += increment
        (first if is_first else further).append(charge)
        assert total == feed_loss_nano(first, further, k)


@pytest.mark.parametrize(("first", "further", "k"), [([1], [], 0), ([-1], [], 1), ([], [-1], 1)])
def test_no_k_below_one_and_no_negative_charge_is_added_up(first: list[int], further: list[int], k: int) -> None:
    with pytest.raises(ValueError, match="k is at least 1"):
        feed_loss_nano(first, further, k)


SIGMAS = st.one_of(
    st.floats(MIN_SIGMA, 1e3),
    st.floats(1e3, MAX_SIGMA),
    st.builds(lambda digits, power: float(f"{digits}e{power}"), st.integers(1, 10**8), st.integers(-3, 4)),
)


@given(SIGMAS, st.integers(1, 10**6))
def test_a_charge_is_the_exact_loss_rounded_up_and_no_more(sigma: float, bound: int) -> None:
    exact = Fraction(bound) ** 2 / (2 * Fraction(sigma) ** 2) * NANO
    charge = charge_nano(sigma, float(bound))
    assert exact <= charge <= exact * (1 + Fraction(1, 10**14)) + 1


@pytest.mark.parametrize("sigma", [0.0, -1.0, MIN_SIGMA / 2, MAX_SIGMA * 2, float("nan"), float("inf")])
def test_a_sigma_that_hides_nothing_or_is_no_number_has_no_charge(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma lies between"):
        charge_nano(sigma, 1.0)


@pytest.mark.parametrize("sensitivity", [0.0, -1.0, float("nan"), float("inf")])
def test_a_sensitivity_is_positive_and_finite(sensitivity: float) -> None:
    with pytest.raises(ValueError, match="sensitivity"):
        charge_nano(1.0, sensitivity)


@given(st.floats(0, 1e6))
def test_a_loss_stated_as_a_double_is_rounded_up(rho: float) -> None:
    assert Fraction(rho) * NANO <= loss_nano(rho) < Fraction(rho) * NANO + 1


@given(st.integers(0, 999), st.text("0123456789", min_size=1, max_size=40))
def test_a_budget_is_rounded_down_however_many_digits_it_has(whole: int, decimals: str) -> None:
    text = f"{whole}.{decimals}"
    nano = floor(Fraction(text) * NANO)
    if nano:
        assert budget_nano(text) == nano
    else:
        with pytest.raises(NotABudget):
            budget_nano(text)


def test_a_budget_of_many_nines_is_not_rounded_up() -> None:
    assert budget_nano("0.04" + "9" * 40) == 49_999_999


@pytest.mark.parametrize(
    "text", ["0", "-0.1", "NaN", "sNaN", "Infinity", "1000.0000001", "a tenth", "", "1e-10", "0.0000000009"]
)
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(NotABudget):
        budget_nano(text)


@given(st.integers(1, 1000 * NANO))
def test_nano_rho_survive_being_written_as_rho(nano: int) -> None:
    text = rho_text(nano)
    assert budget_nano(text) == nano
    assert "E" not in text
    assert "." not in text or not text.endswith("0")


def epsilon_by_renyi(rho: float, delta: float) -> float:
    """Proposition 12 of Canonne, Kamath and Steinke (2020): the best epsilon over all Renyi orders."""

    def at(log_order: float) -> float:
        order = 1 + exp(log_order)
        return rho * order + log1p(-1 / order) - (log(delta) + log(order)) / (order - 1)

    return float(minimize_scalar(at, bounds=(-12, 12), method="bounded", options={"xatol": 1e-9}).fun)


def test_epsilon_of_rho_one_half_at_a_millionth_is_5_22() -> None:
    assert epsilon(NANO // 2, 1e-6) == pytest.approx(5.22, abs=0.005)


@pytest.mark.parametrize("nano", [10**6, 5 * 10**7, 10**8, NANO // 2, NANO, 8 * NANO])
@pytest.mark.parametrize("delta", [1e-9, 1e-6, 1e-3])
def test_epsilon_is_that_of_the_best_renyi_order(nano: int, delta: float) -> None:
    assert epsilon(nano, delta) == pytest.approx(epsilon_by_renyi(nano / NANO, delta), rel=1e-6)


@pytest.mark.slow
@given(st.integers(1, 100 * NANO), st.integers(1, NANO), st.sampled_from([1e-9, 1e-6, 1e-3]))
def test_epsilon_grows_with_the_loss_and_shrinks_with_delta(nano: int, more: int, delta: float) -> None:
    assert 0 <= epsilon(nano, delta) <= epsilon(nano + more, delta)
    assert epsilon(nano, delta) >= epsilon(nano, delta * 10)


def test_nothing_lost_is_an_epsilon_of_zero() -> None:
    assert epsilon(0, 1e-6) == 0.0


@pytest.mark.parametrize(("nano", "delta"), [(-1, 1e-6), (1, 0.0), (1, 1.0), (1, -0.1)])
def test_epsilon_needs_a_loss_and_a_delta_between_zero_and_one(nano: int, delta: float) -> None:
    with pytest.raises(ValueError, match="epsilon needs"):
        epsilon(nano, delta)
