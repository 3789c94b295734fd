"""What somebody who knows everything but one person can learn about that person from all releases together.

The adversary of the definition: it knows every other record, and asks whether the one person is in the data. Its
best test is a likelihood ratio. For Gaussian noise of total loss rho the log of that ratio is normal with mean
+-rho and variance 2 rho, whatever was measured and however the measurements were chosen: mu-GDP with mu = sqrt(2 rho).
Sources: Dong, Roth and Su, Gaussian Differential Privacy (2022), definition 2.6 and corollary 3.3; Bun and Steinke,
Concentrated Differential Privacy (2016). Discrete Gaussian noise follows these numbers as closely as its scale
exceeds the sensitivity; the bound that always holds is `mechanism.epsilon` at delta.
"""

from math import log, sqrt
from statistics import NormalDist

from privacy.units import NANO

_NORMAL = NormalDist()


def right_guesses(rho_nano: int) -> float:
    """How often the adversary guesses right, having started at even odds: 1/2 for a loss of nothing, below 1 always.

    Phi(mu / 2). Raises ValueError for a negative loss.
    """
    return _NORMAL.cdf(_mu(rho_nano) / 2)


def chance_of_certainty(rho_nano: int, certainty: float) -> float:
    """How likely it is that the adversary, having started at even odds, becomes at least so certain of the truth about
    a person who is in the data.

    P(log likelihood ratio >= log(c / (1 - c))). Raises ValueError unless rho_nano >= 0 and 1/2 < certainty < 1.
    """
    if not 0.5 < certainty < 1:
        raise ValueError("a certainty lies above one half and below one")
    mu = _mu(rho_nano)
    if mu == 0:
        return 0.0
    needed = log(certainty / (1 - certainty))
    return _NORMAL.cdf((mu * mu / 2 - needed) / mu)


def _mu(rho_nano: int) -> float:
    if rho_nano < 0:
        raise ValueError("a loss is not negative")
    return sqrt(2 * rho_nano / NANO)
