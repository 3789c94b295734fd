"""What an adversary at even odds learns: against integrals of the two densities, and against OpenDP's epsilon."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from privacy.adversary import belief_at_most, chance_of_certainty, right_guesses
from privacy.mechanism import DiscreteGaussian, epsilon
from privacy.units import NANO

RHOS = [10**6, 2 * 10**7, 10**8, 4 * 10**8, NANO]


@pytest.mark.parametrize("nano", RHOS)
def test_guesses_are_right_as_often_as_the_overlap_of_the_two_densities_says(nano: int) -> None:
    """One entry of sensitivity 1 with sigma = 1 / sqrt(2 rho): guess the world whose density is higher."""
    sigma = (2 * nano / NANO) ** -0.5

    def higher(x: float) -> float:
        return float(max(norm.pdf(x, 0, sigma), norm.pdf(x, 1, sigma)))

    right, _ = quad(higher, -12 * sigma, 1 + 12 * sigma, points=[0.5], limit=200)
    assert right_guesses(nano) == pytest.approx(right / 2, abs=1e-7)


@pytest.mark.parametrize("nano", RHOS)
@pytest.mark.parametrize("certainty", [0.6, 0.75, 0.9])
def test_certainty_is_as_rare_as_the_integral_over_the_outputs_that_give_it(nano: int, certainty: float) -> None:
    sigma = (2 * nano / NANO) ** -0.5
    outputs = np.linspace(-12 * sigma, 1 + 12 * sigma, 400_001)
    inside, outside = norm.pdf(outputs, 1, sigma), norm.pdf(outputs, 0, sigma)
    sure = inside / (inside + outside) >= certainty
    chance = float((inside * sure).sum() * (outputs[1] - outputs[0]))
    assert chance_of_certainty(nano, certainty) == pytest.approx(chance, abs=2e-5)


@pytest.mark.slow
def test_the_real_mechanism_is_guessed_as_often_as_said() -> None:
    """40,000 draws in each world: the standard error is 0.0018, and 6 of them (2e-9) are allowed."""
    draws, sigma = 40_000, 5.0
    with_person = DiscreteGaussian().add_noise(np.ones(draws, dtype=np.int64), sigma)
    without = DiscreteGaussian().add_noise(np.zeros(draws, dtype=np.int64), sigma)
    right = ((with_person >= 1).mean() + (without < 1).mean()) / 2
    assert right == pytest.approx(right_guesses(NANO // 50), abs=6 * 0.0018)


@given(st.integers(0, 10 * NANO), st.floats(0.51, 0.999))
def test_nothing_is_learned_from_nothing_and_more_from_more(nano: int, certainty: float) -> None:
    assert right_guesses(0) == 0.5
    assert chance_of_certainty(0, certainty) == 0.0
    assert right_guesses(nano) <= right_guesses(nano + NANO) < 1
    assert chance_of_certainty(nano, certainty) <= chance_of_certainty(nano + NANO, certainty)


@pytest.mark.parametrize("nano", RHOS)
@pytest.mark.parametrize("delta", [1e-9, 1e-6, 1e-3])
def test_epsilon_at_delta_covers_what_the_adversary_learns(nano: int, delta: float) -> None:
    """P(sure | inside) - e^epsilon P(sure | outside) <= delta, for the certainty that epsilon stands for."""
    bound, mu = epsilon(nano, delta), (2 * nano / NANO) ** 0.5
    inside = chance_of_certainty(nano, float(np.exp(bound) / (1 + np.exp(bound))))
    outside = float(norm.cdf((-mu * mu / 2 - bound) / mu))
    assert inside - np.exp(bound) * outside <= delta * (1 + 1e-6)


@pytest.mark.parametrize("nano", RHOS)
@pytest.mark.parametrize("exception", [1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("prior", [0.5, 0.1, 0.01])
def test_a_belief_is_exceeded_no_more_often_than_said(nano: int, exception: float, prior: float) -> None:
    assert chance_of_certainty(nano, belief_at_most(nano, prior, exception), prior) <= exception


@pytest.mark.parametrize("nano", RHOS[:-1])
def test_the_odds_that_epsilon_allows_are_exceeded_more_often_than_delta(nano: int) -> None:
    """Why a belief is not reckoned from epsilon at delta."""
    odds = float(np.exp(epsilon(nano, 1e-6)))
    assert chance_of_certainty(nano, odds / (1 + odds)) > 1e-6
    assert odds / (1 + odds) < belief_at_most(nano, 0.5, 1e-6)


@given(st.floats(0.01, 0.99))
def test_who_learns_nothing_believes_and_guesses_as_before(prior: float) -> None:
    assert right_guesses(0, prior) == max(prior, 1 - prior)
    assert belief_at_most(0, prior, 1e-6) == pytest.approx(prior)
    assert max(prior, 1 - prior) - 1e-12 <= right_guesses(NANO // 10, prior) < 1


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.1])
def test_a_prior_and_an_exception_are_probabilities(probability: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        right_guesses(NANO, probability)
    with pytest.raises(ValueError, match="probability"):
        belief_at_most(NANO, 0.5, probability)


@pytest.mark.parametrize("certainty", [0.5, 1.0, 0.0])
def test_a_certainty_lies_between_even_odds_and_knowing(certainty: float) -> None:
    with pytest.raises(ValueError, match="certainty"):
        chance_of_certainty(NANO, certainty)
    with pytest.raises(ValueError, match="loss"):
        right_guesses(-1)
