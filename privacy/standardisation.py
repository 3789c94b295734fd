"""Weighted sums of rates over strata, with public weights, and what is made of two of them: ratios and odds ratios.

Direct standardisation: S = sum_s q_s R_s, with q_s = w_s / sum w and R_s = a_s / m_s. Weights are public and fixed,
so noise moves the rates alone. With the weights n1 n0 / (n1 + n0) of two groups the ratio of their S is the rate ratio
of Mantel and Haenszel, in the form of Rothman and Greenland (Modern Epidemiology), and

    odds ratio = sum q_s p1_s (1 - p0_s) / sum q_s p0_s (1 - p1_s)

is that of Mantel and Haenszel (1959). Weights made of noisy counts would need a study of their bias; none are made.

Intervals by the method of variance estimates recovery (MOVER): the distance of a limit of sum_s g_s R_s is the root of
sum_st (g_s d_s) r_st (g_t d_t), d_s being the distance of the limit of R_s that lies that way (Fieller's, or with
sampling Wilson's beside the noise) and r_st the correlation of two rates to first order (Zou and Donner 2008; Zou,
Huang and Zhang 2009, for linear sums). Of products the g_s are the derivatives. The ratio of two is MOVER's on the
logarithms (`privacy.contrasts.ratio`).

A stratum whose whole is not above z of its own sd has a rate that may be anything: the rate of all strata of the row
stands in for it, and of a share its whole range, from 0 to 1, is added to the interval, without a root. Below 5 sd it
counts as weak, and the row is flagged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from privacy.arrays import Flags, Floats
from privacy.contrasts import Limits, Rate, correlation_of, quotient_limits, rate_limits, ratio
from privacy.intervals import Interval

WEAK_BELOW_SD = 5.0
Form = Mapping[str, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """The strata of one group: of each row of an answer one rate a stratum. Arrays are rows x strata.

    rate: parts and wholes; sampling_periods as in `rate_interval`, one a row, of shares only. weights: one a stratum,
    at least 0, with the sum 1. share: parts are of their wholes, from 0 to 1; else rates of 0 and more.
    form: of coefficients x and rates R the weights of the cells in sum_s x_s (a_s - R_s m_s), by measure.
    covariance: the noise covariance, row by row, of two such weighted sums of cells.
    """

    rate: Rate
    weights: Floats
    share: bool
    form: Callable[[Floats, Floats], Form]
    covariance: Callable[[Form, Form], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """The rates of strata and their limits. point: with stand-ins; inside: from 0 (to 1), for variances.

    sampling: variance of a - R m by sampling. variance: with that of the noise.
    """

    strata: Strata
    point: Floats
    inside: Floats
    lower: Floats
    upper: Floats
    known: Flags
    sampling: Floats
    variance: Floats
    confidence: float

    @property
    def unknown(self) -> Flags:
        """Strata that count and are not known."""
        return ~self.known & (self.strata.weights > 0)


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A weighted sum of rates, or of their products. terms: of each group its rates with their first derivatives."""

    limits: Limits
    terms: tuple[tuple[Rates, Floats], ...]

    def first_order(self) -> Form:
        """The weighted sum of cells whose noise is that of the sum, to first order."""
        return _form([(rates, _divided(slopes, rates.strata.rate.whole)) for rates, slopes in self.terms])


def rates_of(strata: Strata, confidence: float) -> Rates:
    """Every stratum by itself. A row whose strata together have nothing above 0 to divide by is unknown throughout."""
    rate = strata.rate
    limits = rate_limits(rate, confidence) if strata.share else quotient_limits(rate, confidence)
    counted = strata.weights > 0
    pooled_part, pooled_whole = (np.where(counted, x, 0).sum(1, keepdims=True) for x in (rate.part, rate.whole))
    pooled = _inside(strata, _divided(pooled_part, pooled_whole))
    point = np.where(limits.known, _divided(rate.part, rate.whole), pooled)
    inside = _inside(strata, point)
    sampling = np.zeros(point.shape)
    if strata.share:
        sampling += rate.sampling_periods * np.maximum(rate.whole, 0.0) * inside * (1 - inside)
    noise = rate.part_variance - 2 * inside * rate.covariance + inside**2 * rate.whole_variance
    return Rates(
        strata, point, inside, limits.lower, limits.upper, limits.known, sampling, noise + sampling, confidence
    )


def weak_rows(strata: Strata) -> Flags:
    """Rows of which a stratum that counts has a whole below 5 of its own sd."""
    few = strata.rate.whole < WEAK_BELOW_SD * np.sqrt(np.maximum(strata.rate.whole_variance, 0.0))
    return np.asarray(((few | (strata.rate.whole <= 0)) & (strata.weights > 0)).any(axis=1))


def standardised(rates: Rates) -> Sum:
    """Direct standardisation."""
    weights = np.broadcast_to(rates.strata.weights, rates.point.shape)
    found = _sum_of((weights * rates.point).sum(axis=1), ((rates, weights),))
    loose = rates.unknown
    if not rates.strata.share:
        return replace(found, limits=replace(found.limits, known=np.asarray(~loose.any(axis=1))))
    below, above = (np.where(loose, weights * room, 0).sum(axis=1) for room in (rates.inside, 1 - rates.inside))
    known = np.asarray((rates.known & (weights > 0)).any(axis=1))
    limits = replace(found.limits, lower=found.limits.lower - below, upper=found.limits.upper + above, known=known)
    return replace(found, limits=limits)


def ratio_of(top: Sum, bottom: Sum) -> Interval:
    """top / bottom, whose noise, and where they rest on the same rates whose sampling, is shared."""
    correlation = correlation_of(covariance_of(top, bottom), covariance_of(top, top), covariance_of(bottom, bottom))
    return ratio(top.limits, bottom.limits, correlation=correlation)


def odds_of(share: Sum) -> Sum:
    """The odds R / (1 - R) of a share: its limits are those of the share, since they rise together."""
    ends = (share.limits.point, share.limits.lower, share.limits.upper)
    point, lower, upper = (end / np.where(end < 1, 1 - end, 1.0) for end in ends)
    known = share.limits.known & (share.limits.upper < 1) & (share.limits.point < 1)
    # The correlation of two odds is, to first order, that of the shares.
    return Sum(Limits(point, lower, upper, known), share.terms)


def cross_products(first: Rates, second: Rates) -> Sum:
    """sum_s q_s p_s (1 - r_s), p of the first group and r of the second: one side of the odds ratio.

    Not known where any stratum that counts is not.
    """
    weights, p, r = first.strata.weights, first.point, second.point
    found = _sum_of((weights * p * (1 - r)).sum(axis=1), ((first, weights * (1 - r)), (second, -weights * p)))
    known = np.asarray(~(first.unknown | second.unknown).any(axis=1))
    return replace(found, limits=replace(found.limits, known=known))


def covariance_of(left: Sum, right: Sum) -> Floats:
    """Of the noise and the sampling of two sums, to first order, row by row."""
    found = left.terms[0][0].strata.covariance(left.first_order(), right.first_order())
    for rates, slopes in left.terms:
        for others, their_slopes in right.terms:
            if others is rates:
                squared = _divided(1.0, np.where(rates.known, rates.strata.rate.whole, 0.0)) ** 2
                found = found + (slopes * their_slopes * rates.sampling * squared).sum(axis=1)
    return found


def shared_sampling(part: Rates, whole: Rates) -> Floats:
    """Covariance by sampling of two standardised shares, of the persons of a row and of all rows with them: sum of
    q_s^2 * cov(R_s, R'_s), and cov = var(R_s) m_s / m'_s, since the persons of the row are in both. whole: one row a
    stretch of time, of which as many rows of `part` follow one another."""
    weights, m = part.strata.weights, part.strata.rate.whole
    known = part.known & (part.sampling > 0)
    times = len(m) // len(whole.strata.rate.whole)
    both = np.repeat(whole.strata.rate.whole, times, axis=0) * np.where(known, m, 0.0)
    return np.asarray((weights**2 * _divided(part.sampling, both)).sum(axis=1))


def _sum_of(point: Floats, terms: Sequence[tuple[Rates, Floats]]) -> Sum:
    """slopes: the derivative of the sum by each rate."""
    down = [(rates, slopes, np.where(slopes > 0, *_arms(rates))) for rates, slopes in terms]
    up = [(rates, slopes, np.where(slopes > 0, *reversed(_arms(rates)))) for rates, slopes in terms]
    lower, upper = (point - _distance(down), point + _distance(up))
    return Sum(Limits(point, lower, upper, np.ones(point.shape, dtype=bool)), tuple(terms))


def _arms(rates: Rates) -> tuple[Floats, Floats]:
    """How far down and up the limits of each rate lie; 0 where it is not known."""
    down, up = rates.point - rates.lower, rates.upper - rates.point
    return np.where(rates.known, np.maximum(down, 0.0), 0.0), np.where(rates.known, np.maximum(up, 0.0), 0.0)


def _distance(terms: Sequence[tuple[Rates, Floats, Floats]]) -> Floats:
    """sqrt(sum_st (g_s d_s) r_st (g_t d_t)): the noise of the sum of g_s d_s / sd_s, in units of a - R m."""
    scaled = [(rates, _divided(slopes * arms, np.sqrt(np.maximum(rates.variance, 0)))) for rates, slopes, arms in terms]
    form = _form(scaled)
    noise = terms[0][0].strata.covariance(form, form)
    sampling = sum((x**2 * rates.sampling).sum(axis=1) for rates, x in scaled)
    return np.asarray(np.sqrt(np.maximum(noise + sampling, 0.0)))


def _form(terms: Sequence[tuple[Rates, Floats]]) -> Form:
    """The weights of all cells; none of a stratum that is not known."""
    found: dict[str, Floats] = {}
    for rates, coefficients in terms:
        for measure, weights in rates.strata.form(np.where(rates.known, coefficients, 0.0), rates.inside).items():
            found[measure] = found.get(measure, 0.0) + weights
    return found


def _inside(strata: Strata, rate: Floats) -> Floats:
    return np.clip(rate, 0.0, 1.0) if strata.share else np.maximum(rate, 0.0)


def _divided(over: Floats | float, under: Floats) -> Floats:
    """0 where there is nothing above 0 to divide by."""
    return np.where(under > 0, over / np.where(under > 0, under, 1.0), 0.0)
