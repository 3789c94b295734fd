"""Is a rate that was measured with noise at or above a target? How sure that is, and how often it will be said.

With estimates a of the part and m of the whole, noise variances v_a and v_m and covariance c, the combination a - T m
is normal around (R - T) M, where R = A / M is the rate of the true numbers, and its variance does not depend on them:

    v = v_a - 2 T c + T^2 v_m.

Noise only: the statement is about the persons posted, whose rate is a number and no draw from a wider population.
Source: Fieller, Some Problems in Interval Estimation (1954): the confidence is that of the widest one-sided set of
rates, by Fieller's theorem, that begins at the target; it is a confidence, and no probability of the rate, since there
is no prior. Checked by simulation in tests/unit/test_targets.py.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from privacy.arrays import Floats
from privacy.contrasts import Rate

_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True)
class Odds:
    """How often a decision comes out as each of the three, which add up to 1."""

    met: float
    not_met: float
    undecided: float


def target_variance(rate: Rate, target: float) -> Floats:
    """v, of the same shape as the rate's arrays."""
    return rate.part_variance - 2 * target * rate.covariance + target**2 * rate.whole_variance


def confidence_reached(rate: Rate, target: float) -> Floats:
    """Phi((a - T m) / sqrt(v)): near 1 where the rate is surely at the target or above, near 0 where below.

    If the true rate is the target, every confidence is as likely as any other: one of at least q comes out with
    probability 1 - q. Without any noise 1 at the target and above, and 0 below.
    """
    above = rate.part - target * rate.whole
    sd = np.sqrt(np.maximum(target_variance(rate, target), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(sd > 0, above / sd, np.where(above >= 0, np.inf, -np.inf))
    return np.array([_NORMAL.cdf(each) for each in z.ravel().tolist()]).reshape(z.shape)


def odds_of_deciding(truth: float, target: float, *, whole: float, variance: float, decide_at: float) -> Odds:
    """What a decision will be where the true rate is `truth`: met from a confidence of `decide_at` on, not met from
    1 - decide_at down, else undecided.

    whole: the true denominator, taken as known. variance: v at the target, above 0. The chance of saying met at the
    target, or not met, is 1 - decide_at each, whatever the whole and the noise.
    Raises ValueError for a variance that is not above 0, and for a decide_at outside (0.5, 1).
    """
    if variance <= 0 or not 0.5 < decide_at < 1:
        raise ValueError("a variance above 0, and a confidence above 0.5 and below 1")
    shift, quantile = (truth - target) * whole / variance**0.5, _NORMAL.inv_cdf(decide_at)
    met, not_met = _NORMAL.cdf(shift - quantile), _NORMAL.cdf(-shift - quantile)
    return Odds(met, not_met, max(0.0, 1 - met - not_met))
