"""Columns of counts, of shares and of other quotients of two sums, from estimates and their noise."""

from math import sqrt

import numpy as np

from contracts.statistics.answers import Term, Working
from contracts.statistics.columns import Column, Shape
from contracts.statistics.masks import Figure, in_small_cell
from privacy.arrays import Floats
from privacy.contrasts import Rate, count_limits, quotient_limits, rate_limits, share_interval
from privacy.intervals import count_interval

FIELLER = "Fieller's set (1954) intersected with what is possible; with sampling, Wilson's term (1927) beside the noise"


def count_column(shape: Shape, unit: str, count: Figure) -> Column:
    """Counts with the interval of their noise."""
    estimate = count.estimate
    values, variances, fitted = estimate.values, estimate.variances, estimate.fitted

    def working(i: int) -> Working:
        term = term_of(count, i)
        return Working(f"{count.name} = {number(term.estimate)}", (term,), None, term.variance, term.sd)

    return Column(
        shape,
        count.name,
        unit,
        values.tolist(),
        count_interval(values, variances, shape.confidence, fitted=fitted),
        count.hidden,
        working,
        limits=lambda: count_limits(values, variances, shape.confidence, fitted=fitted),
    )


def share_column(
    shape: Shape,
    name: str,
    part: Figure,
    whole: Figure,
    *,
    covariance: Floats | None = None,
    sampling_periods: Floats | None = None,
) -> Column:
    """part / whole, from 0 to 1, with Fieller intervals; total ones too where sampling_periods says how many periods of
    the same persons were pooled (Wilson's term).

    A share is masked with its parts and with what remains of the whole. It has no value where the whole is estimated at
    zero or below.
    """
    rate = _rate(part, whole, covariance)
    sampled = None if sampling_periods is None else _rate(part, whole, covariance, sampling_periods)
    return Column(
        shape,
        name,
        "share",
        _quotients(rate, 1.0),
        share_interval(rate, shape.confidence),
        part.hidden | whole.hidden | in_small_cell(rate.whole - rate.part, shape.mask_below),
        lambda i: _working(part, whole, rate, i),
        total=None if sampled is None else share_interval(sampled, shape.confidence),
        limits=lambda: rate_limits(rate, shape.confidence),
        total_limits=None if sampled is None else lambda: rate_limits(sampled, shape.confidence),
        rate=rate,
    )


def rate_column(
    shape: Shape,
    name: str,
    unit: str,
    part: Figure,
    whole: Figure,
    *,
    scale: float = 1.0,
    covariance: Floats | None = None,
) -> Column:
    """scale * part / whole of what cannot be negative and may be above 1: stays a person-year, cents a member-month.

    The interval is of the noise alone: how far persons differ, which sampling needs, is not in sums. Unbounded above
    where the whole is not above its noise.
    """
    rate = _rate(part, whole, covariance)
    limits = quotient_limits(rate, shape.confidence, scale)
    return Column(
        shape,
        name,
        unit,
        _quotients(rate, scale),
        limits.within(0.0, np.inf),
        part.hidden | whole.hidden,
        lambda i: _working(part, whole, rate, i, scale),
        limits=lambda: limits,
    )


def term_of(figure: Figure, i: int) -> Term:
    variance = float(figure.estimate.variances[i])
    return Term(figure.name, float(figure.estimate.values[i]), variance, sqrt(max(variance, 0.0)))


def number(value: float) -> str:
    """Ten digits: enough to reckon with, and without the last bits of a double."""
    return f"{value + 0.0:.10g}"


def _rate(part: Figure, whole: Figure, covariance: Floats | None, sampling_periods: Floats | int = 0) -> Rate:
    a, m = part.estimate, whole.estimate
    together = np.zeros(np.shape(a.values)) if covariance is None else covariance
    return Rate(a.values, m.values, a.variances, m.variances, together, sampling_periods)


def _quotients(rate: Rate, scale: float) -> list[float | None]:
    return [scale * a / m if m > 0 else None for a, m in zip(rate.part.tolist(), rate.whole.tolist(), strict=True)]


def _working(part: Figure, whole: Figure, rate: Rate, i: int, scale: float = 1.0) -> Working:
    """The variance of the quotient to first order: (v_a - 2 R c + R^2 v_m) / m^2, times scale^2."""
    a, m, together = term_of(part, i), term_of(whole, i), float(rate.covariance[i])
    times = "" if scale == 1 else f"{number(scale)} * "
    words = f"{times}{a.name} / {m.name} = {times}{number(a.estimate)} / {number(m.estimate)}"
    if m.estimate <= 0:
        what = "share" if scale == 1 else "rate"
        return Working(f"{words}, which is no {what}", (a, m), together, None, None)
    quotient = a.estimate / m.estimate
    variance = (a.variance - 2 * quotient * together + quotient**2 * m.variance) / m.estimate**2
    variance = max(variance, 0.0) * scale**2  # below 0 by rounding alone
    return Working(f"{words} = {number(scale * quotient)}", (a, m), together, variance, sqrt(variance))
