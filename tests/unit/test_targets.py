"""How sure a rate is to reach a target, and how often it will be said: against plain reckoning and simulation."""

from math import erf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.statistics.answers import Flag
from contracts.statistics.threshold import outcomes
from privacy.contrasts import Rate
from privacy.targets import confidence_reached, odds_of_deciding, target_variance


def phi(z: float) -> float:
    return 0.5 * (1 + erf(z / sqrt(2)))


def a_rate(part: float, whole: float, part_sd: float, rest_sd: float) -> Rate:
    """Of a part and the rest, drawn apart: the whole is their sum."""
    one = np.ones(1)
    return Rate(part * one, whole * one, part_sd**2 * one, (part_sd**2 + rest_sd**2) * one, part_sd**2 * one)


@pytest.mark.parametrize(
    ("part", "whole", "target", "z"),
    [
        # (a - T m) / sqrt((1 - T)^2 v_part + T^2 v_rest), by hand: part sd 30, rest sd 40.
        (700.0, 1000.0, 0.7, 0.0),
        (730.0, 1000.0, 0.7, 30 / sqrt(0.09 * 900 + 0.49 * 1600)),
        (480.0, 1000.0, 0.5, -20 / sqrt(0.25 * 900 + 0.25 * 1600)),
    ],
)
def test_the_confidence_is_the_normal_one_of_part_less_target_times_whole(
    part: float, whole: float, target: float, z: float
) -> None:
    (sure,) = confidence_reached(a_rate(part, whole, 30.0, 40.0), target)

    assert sure == pytest.approx(phi(z), abs=1e-12)


def test_without_noise_a_rate_reaches_its_target_or_not() -> None:
    nothing = np.zeros(3)
    rate = Rate(np.array([70.0, 69.0, 71.0]), np.full(3, 100.0), nothing, nothing, nothing)

    assert confidence_reached(rate, 0.7).tolist() == [1.0, 0.0, 1.0]


@given(st.floats(0.02, 0.98), st.floats(0.02, 0.98), st.floats(0.51, 0.995), st.floats(10, 1e6), st.floats(0.1, 1e6))
def test_the_three_odds_add_up_and_the_one_of_met_grows_with_the_rate(
    truth: float, target: float, decide_at: float, whole: float, variance: float
) -> None:
    odds, higher = (
        odds_of_deciding(rate, target, whole=whole, variance=variance, decide_at=decide_at)
        for rate in (truth, min(1.0, truth + 0.01))
    )

    assert odds.met + odds.not_met + odds.undecided == pytest.approx(1, abs=1e-12)
    assert higher.met >= odds.met
    assert higher.not_met <= odds.not_met


@pytest.mark.parametrize("whole", [100.0, 1e6])
def test_at_the_target_either_is_said_as_often_as_the_contract_leaves_open(whole: float) -> None:
    odds = odds_of_deciding(0.7, 0.7, whole=whole, variance=400.0, decide_at=0.9)

    assert (odds.met, odds.not_met, odds.undecided) == pytest.approx((0.1, 0.1, 0.8), abs=1e-12)


def test_odds_of_no_noise_or_of_no_decision_are_refused() -> None:
    for variance, decide_at in ((0.0, 0.9), (1.0, 0.5), (1.0, 1.0)):
        with pytest.raises(ValueError, match="above"):
            odds_of_deciding(0.7, 0.7, whole=1.0, variance=variance, decide_at=decide_at)


@pytest.mark.parametrize("truth", [0.65, 0.69, 0.7, 0.72])
def test_the_odds_are_those_of_a_simulation(truth: float) -> None:
    """50,000 draws of both sums: 5 sd of a share, so a false alarm in fewer than 1e-6 of runs of each check."""
    draws, whole, target, decide_at = 50_000, 2000.0, 0.7, 0.9
    rng = np.random.default_rng(7)
    part = truth * whole + rng.normal(0, 30, draws)
    rest = (1 - truth) * whole + rng.normal(0, 40, draws)
    same = np.ones(draws)
    rate = Rate(part, part + rest, 900 * same, 2500 * same, 900 * same)

    variance = float(target_variance(rate, target)[0])
    sure = confidence_reached(rate, target)
    odds = odds_of_deciding(truth, target, whole=whole, variance=variance, decide_at=decide_at)

    for found, expected in ((np.mean(sure >= decide_at), odds.met), (np.mean(sure <= 1 - decide_at), odds.not_met)):
        assert abs(found - expected) <= 5 * sqrt(expected * (1 - expected) / draws) + 1e-9


def test_every_row_has_one_outcome_and_none_is_decided_of_what_is_no_rate() -> None:
    """Exactly at decide_at, and at one minus it, is decided; a denominator at zero never is."""
    sure = np.array([0.9, 0.8999, 0.1001, 0.1, 0.99, 0.01])
    whole = np.array([5.0, 5.0, 5.0, 5.0, 0.0, -3.0])

    found = outcomes(sure, whole, 0.9)

    assert found[Flag.MET].tolist() == [True, False, False, False, False, False]
    assert found[Flag.NOT_MET].tolist() == [False, False, False, True, False, False]
    assert sum(flags.astype(int) for flags in found.values()).tolist() == [1] * 6  # type: ignore[union-attr]
