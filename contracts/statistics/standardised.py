"""Rates standardised by public weights: adherence_rate_standardised, and compare=standardised of any share or rate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from contracts.statistics.adherence import ADHERENCE_RATE, adherence_quotients
from contracts.statistics.answers import Flag, Working
from contracts.statistics.columns import Column, Shape
from contracts.statistics.declarations import Asked, Computed, Figure, Statistic
from contracts.statistics.questions import Question
from contracts.statistics.quotients import number
from contracts.statistics.selecting import find_feed
from contracts.statistics.slices import Slice
from contracts.statistics.standards import get_standard, own_of_standard
from contracts.statistics.stratified import Quotient, Stratified
from contracts.terms import Standard, Terms
from privacy.arrays import Flags
from privacy.contrasts import Limits, correlation_of, difference
from privacy.standardisation import Sum, covariance_of, rates_of, shared_sampling, standardised, weak_rows

STANDARDISED = "_standardised"
DIFFERENCE = "_difference"
METHOD = (
    "MOVER for weighted sums (Zou, Huang and Zhang 2009) of Fieller's sets (1954), with the covariances of the fitted "
    "table; with sampling, of Fieller's sets with Wilson's term (1927)"
)
WEAK = (
    "A row with a stratum whose denominator is below 5 of its own sd has the flag weak_strata. A stratum whose "
    "denominator cannot be told from 0 counts with the rate of its row, and the interval with its whole range."
)


@dataclass(frozen=True, slots=True)
class Standardised:
    """One quotient standardised in every row. total: None where sampling is not identified. scale: of what is shown."""

    quotient: Quotient
    noise: Sum
    total: Sum | None
    weak: Flags
    hidden: Flags

    @property
    def most(self) -> float:
        return self.quotient.scale if self.quotient.share else np.inf

    @property
    def values(self) -> list[float | None]:
        """None where the strata together have nothing above 0 to divide by."""
        (rates, _), *_ = self.noise.terms
        whole = np.where(rates.strata.weights > 0, rates.strata.rate.whole, 0.0).sum(axis=1)
        points = self.quotient.scale * self.noise.limits.point
        return [float(point) if under > 0 else None for point, under in zip(points, whole, strict=True)]


def standardise(stratified: Stratified, quotient: Quotient, shape: Shape) -> Standardised:
    noise, total = (
        standardised(rates_of(stratified.strata(quotient, sampled=sampled), shape.confidence))
        for sampled in (False, True)
    )
    weak = weak_rows(noise.terms[0][0].strata)
    return Standardised(
        quotient, noise, total if quotient.of_persons else None, weak, stratified.hidden(shape, quotient)
    )


def standardised_column(shape: Shape, name: str, standard: Standard, found: Standardised) -> Column:
    quotient, values = found.quotient, found.values
    times = "" if quotient.scale == 1 else f"{number(quotient.scale)} * "
    words = f"{times}sum of weight * ({quotient.part.name} / {quotient.whole.name}), by {standard.name}"
    variances = quotient.scale**2 * np.maximum(covariance_of(found.noise, found.noise), 0.0)

    def working(i: int) -> Working:
        value = values[i]
        if value is None:
            return Working(f"{words} has no value here", (), None, None, None)
        variance = float(variances[i])
        return Working(f"{words} = {number(value)}", (), None, variance, variance**0.5)

    limits = _scaled(found.noise.limits, quotient.scale)
    total = None if found.total is None else _scaled(found.total.limits, quotient.scale)
    return Column(
        shape,
        name,
        quotient.unit,
        values,
        limits.within(0.0, found.most),
        found.hidden,
        working,
        total=None if total is None else total.within(0.0, found.most),
        limits=lambda: limits,
        total_limits=None if total is None else lambda: total,
        flags={Flag.WEAK_STRATA: found.weak},
    )


def _scaled(limits: Limits, scale: float) -> Limits:
    return Limits(scale * limits.point, scale * limits.lower, scale * limits.upper, limits.known)


# --- adherence_rate_standardised


def _derive(asked: Asked) -> Statistic:
    """With the strata of the standard in use."""
    standard = get_standard(ADHERENCE_RATE_STANDARDISED, asked)
    if standard is None:
        return ADHERENCE_RATE_STANDARDISED

    def compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
        (part,) = slices
        shape = Shape.of(question, terms.rules, part)
        (quotient,) = adherence_quotients(part.feed)
        found = standardise(Stratified(part, standard, own_dimensions([quotient])), quotient, shape)
        column = standardised_column(shape, "adherence_rate" + STANDARDISED, standard, found)
        return Computed([column], notes=(words_of(standard), WEAK))

    return using(standard, replace(ADHERENCE_RATE_STANDARDISED, compute=compute), asked)


def using(standard: Standard, statistic: Statistic, asked: Asked) -> Statistic:
    """Nobody can ask by the strata, nor filter them: weights are of all of them."""
    feed = find_feed(statistic.needs[0], asked)
    own = () if feed is None else own_of_standard(standard, feed)
    return replace(statistic, own_dimensions=(*statistic.own_dimensions, *own))


def own_dimensions(quotients: Sequence[Quotient]) -> tuple[str, ...]:
    """The dimensions that amounts are narrowed in."""
    amounts = [amount for quotient in quotients for amount in (quotient.part, quotient.whole)]
    return tuple(dict.fromkeys(name for amount in amounts for name in amount.narrowed))


def words_of(standard: Standard) -> str:
    return f"Standardised by {', '.join(standard.by)} with the public weights {standard.name}: {standard.source}."


def _not_derived(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    raise ValueError("a standardised rate is computed by the standard of a question")


ADHERENCE_RATE_STANDARDISED = replace(
    ADHERENCE_RATE,
    name="adherence_rate_standardised",
    title="Standardised adherence rate",
    estimand=(
        "What the adherence rate would be if the members of each row were spread over the strata as the public weights "
        "say. Rows differ by adherence alone then, and not by who is in them, as far as the strata tell."
    ),
    formula="sum of weight * (adherent members / members) over the strata of the standard / sum of weights",
    source="direct standardisation; Breslow and Day, Statistical Methods in Cancer Research II (1987), chapter 2",
    figures=(Figure("adherence_rate_standardised", "share", "the adherence rate with the weights of the standard"),),
    interval_method=METHOD,
    compute=_not_derived,
    derive=_derive,
    uses_standard=True,
)


# --- compare=standardised


def against_standard(declared: Statistic, statistic: Statistic, asked: Asked) -> Statistic:
    """The same statistic with each of its shares and rates standardised, and their differences from all rows together.

    declared: as it was before it was made for the question. Raises QuestionInvalid where no weights fit.
    """
    standard = get_standard(declared, asked)
    if standard is None or statistic.quotients is None:
        return statistic
    quotients_of = statistic.quotients

    def compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
        computed = statistic.compute(question, terms, slices)
        (part,) = slices
        shape = Shape.of(question, terms.rules, part)
        shown = {column.name for column in computed.columns}
        columns = [column for quotient in quotients_of(part.feed)
                   for column in _compared(shape, part, standard, quotient)
                   if column.name not in shown]  # fmt: skip
        notes = dict.fromkeys((*computed.notes, words_of(standard), WEAK, NOTE))
        return Computed([*computed.columns, *columns], computed.labels, tuple(notes))

    figures = _figures(statistic, asked)
    made = using(standard, statistic, asked)
    return replace(made, compute=compute, figures=figures, most_figures=lambda question, feeds: len(figures))


NOTE = (
    "A difference is the standardised figure less that of all rows of its stretch of time together, of which the row "
    "is a part: what both share is in the interval once."
)


def _figures(statistic: Statistic, asked: Asked) -> tuple[Figure, ...]:
    feed = find_feed(statistic.needs[0], asked)
    if feed is None or statistic.quotients is None:
        return statistic.figures
    found = {figure.name: figure for figure in statistic.figures}
    for quotient in statistic.quotients(feed):
        name = quotient.name + STANDARDISED
        said = f"{quotient.name} with the weights of the standard"
        found.setdefault(name, Figure(name, quotient.unit, said))
        found[name + DIFFERENCE] = Figure(name + DIFFERENCE, quotient.unit, f"{said}, less that of all rows together")
    return tuple(found.values())


def _compared(shape: Shape, part: Slice, standard: Standard, quotient: Quotient) -> list[Column]:
    own = own_dimensions([quotient])
    rows, whole = Stratified(part, standard, own), Stratified(part.together(), standard, own)
    each, all_ = (standardise(stratified, quotient, shape) for stratified in (rows, whole))
    name = quotient.name + STANDARDISED
    return [
        standardised_column(shape, name, standard, each),
        _difference_column(shape, name + DIFFERENCE, each, all_, rows, whole.rows),
    ]


def _difference_column(
    shape: Shape, name: str, each: Standardised, all_: Standardised, rows: Stratified, pools: int
) -> Column:
    times = rows.rows // pools
    together = [value for value in all_.values for _ in range(times)]
    values = [
        None if a is None or b is None else a - b if times > 1 else 0.0
        for a, b in zip(each.values, together, strict=True)
    ]
    scale = each.quotient.scale
    noise = _scaled(_less(each.noise, all_.noise, rows, pools), scale)
    total = None
    if each.total is not None and all_.total is not None:
        total = _scaled(_less(each.total, all_.total, rows, pools), scale)

    def working(i: int) -> Working:
        value = values[i]
        said = "one of the two has no value" if value is None else f"row - all rows together = {number(value)}"
        return Working(said, (), None, None, None)

    return Column(
        shape,
        name,
        each.quotient.unit,
        values,
        noise.within(-each.most, each.most),
        each.hidden | np.repeat(all_.hidden, times),
        working,
        total=None if total is None else total.within(-each.most, each.most),
        limits=lambda: noise,
        total_limits=None if total is None else lambda: total,
        flags={Flag.WEAK_STRATA: each.weak | np.repeat(all_.weak, times)},
    )


def _less(left: Sum, right: Sum, rows: Stratified, pools: int) -> Limits:
    """The difference of each row's sum and that of its stretch of time, which the row is a part of."""
    times = rows.rows // pools
    limits, variance = right.limits, covariance_of(right, right)
    point, lower, upper = (np.repeat(each, times) for each in (limits.point, limits.lower, limits.upper))
    whole = Limits(point, lower, upper, np.repeat(limits.known, times))
    noise = rows.covariance_with_whole(left.first_order(), right.first_order(), pools)
    (mine, _), (theirs, _) = left.terms[0], right.terms[0]
    shared = noise + shared_sampling(mine, theirs)
    correlation = correlation_of(shared, covariance_of(left, left), np.repeat(variance, times))
    found = difference(left.limits, whole, correlation=correlation)
    return found if times > 1 else _nothing(found)


def _nothing(found: Limits) -> Limits:
    """The only row of its stretch is all of it: what the two differ by is 0 for certain, where there is any."""
    point, lower, upper = (np.where(found.known, 0.0, ends) for ends in (found.point, found.lower, found.upper))
    return Limits(point, lower, upper, found.known)
