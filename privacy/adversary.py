"""What somebody who knows everything but one person can learn about that person from all releases together.

The adversary of the definition: it knows every other record, and asks whether the one person is in the data, which
it held likely by `prior` beforehand. Its best test is a likelihood ratio. For Gaussian noise of total loss rho the log
of that ratio is normal with mean +-rho and variance 2 rho, whatever was measured and however the measurements were
chosen: mu-GDP with mu = sqrt(2 rho).
Sources: Dong, Roth and Su, Gaussian Differential Privacy (2022), definition 2.6 and corollary 3.3; Bun and Steinke,
Concentrated Differential Privacy (2016). Discrete Gaussian noise follows these numbers as closely as its scale
exceeds the sensitivity; the bounds that always hold are `belief_at_most` and `mechanism.epsilon` at delta.
"""

from math import exp, log, sqrt
from statistics import NormalDist

from privacy.units import NANO

_NORMAL = NormalDist()


def right_guesses(rho_nano: int, prior: float = 0.5) -> float:
    """How often the adversary guesses right: max(prior, 1 - prior) for a loss of nothing, below 1 always.

    prior Phi((mu^2 / 2 + t) / mu) + (1 - prior) Phi((mu^2 / 2 - t) / mu) with t the log of the prior odds: Phi(mu / 2)
    at even odds. Raises ValueError for a negative loss, or a prior that is not between 0 and 1.
    """
    odds, mu = _log_odds(prior), _mu(rho_nano)
    if mu == 0:
        return max(prior, 1 - prior)
    inside, outside = (_NORMAL.cdf((mu * mu / 2 + t) / mu) for t in (odds, -odds))
    return prior * inside + (1 - prior) * outside


def chance_of_certainty(rho_nano: int, certainty: float, prior: float = 0.5) -> float:
    """How likely it is that the adversary becomes at least so certain of the truth about a person who is in the data.

    P(log likelihood ratio >= log(c / (1 - c)) - t). Raises ValueError unless rho_nano >= 0 and prior < certainty < 1.
    """
    if not prior < certainty < 1:
        raise ValueError("a certainty lies above the prior (one half at even odds) and below one")
    needed, mu = _log_odds(certainty) - _log_odds(prior), _mu(rho_nano)
    return 0.0 if mu == 0 else _NORMAL.cdf((mu * mu / 2 - needed) / mu)


def belief_at_most(rho_nano: int, prior: float, exception: float) -> float:
    """How sure the adversary can become of a person who is in the data, but for outputs of probability `exception`.

    Holds for every mechanism of this loss: the log likelihood ratio exceeds rho + 2 sqrt(rho log(1 / exception)) with
    at most that probability (Bun and Steinke 2016, proof of proposition 1.3). The epsilon at delta would not do: it
    bounds how far two probabilities are apart, and the ratio may exceed it more often than delta.
    Raises ValueError for a negative loss, or a probability that is not between 0 and 1.
    """
    _log_odds(exception)
    rho = _mu(rho_nano) ** 2 / 2
    ratio = rho + 2 * sqrt(rho * log(1 / exception))
    return 1 / (1 + exp(-ratio - _log_odds(prior)))


def _log_odds(probability: float) -> float:
    if not 0 < probability < 1:
        raise ValueError("a probability lies between zero and one")
    return log(probability / (1 - probability))


def _mu(rho_nano: int) -> float:
    if rho_nano < 0:
        raise ValueError("a loss is not negative")
    return sqrt(2 * rho_nano / NANO)
