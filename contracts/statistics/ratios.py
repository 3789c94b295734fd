"""utilisation_rate_ratio: hospital stays and emergency visits of adherent members beside those of the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from contracts.statistics.adherence import BAND, adherent_bands, splits_at_threshold
from contracts.statistics.answers import Flag, Working
from contracts.statistics.columns import Column, Shape
from contracts.statistics.declarations import Asked, Computed, Figure, Statistic
from contracts.statistics.person_time import find_person_time
from contracts.statistics.questions import Question
from contracts.statistics.quotients import number
from contracts.statistics.selecting import find_feed
from contracts.statistics.slices import Slice
from contracts.statistics.standardised import METHOD, STANDARDISED, WEAK, using, words_of
from contracts.statistics.standards import find_standard
from contracts.statistics.stratified import CRUDE, Amount, Quotient, Stratified
from contracts.statistics.utilisation import NEED as UTILISATION
from contracts.statistics.utilisation import RATES, SHARES, quotients_of
from contracts.terms import FeedTerms, Standard, Terms
from privacy.arrays import Flags
from privacy.contrasts import Limits
from privacy.intervals import Interval
from privacy.standardisation import Rates, Sum, cross_products, odds_of, rates_of, ratio_of, standardised, weak_rows

RATIO, RISK, ODDS = "_ratio", "_risk_ratio", "_odds_ratio"
UNIT = "ratio"
Pair = tuple[Quotient, Quotient]


@dataclass(frozen=True, slots=True)
class _Ratio:
    """One figure: top / bottom. words: what it is of, in names."""

    name: str
    words: str
    top: Sum
    bottom: Sum
    weak: Flags

    def values(self) -> list[float | None]:
        """None where there is nothing above 0 to divide by, or nothing that is known."""
        top, bottom = self.top.limits, self.bottom.limits
        known = top.known & bottom.known & (bottom.point > 0)
        return [float(a / b) if fine else None for a, b, fine in zip(top.point, bottom.point, known, strict=True)]

    def interval(self) -> Interval:
        return ratio_of(self.top, self.bottom)


def pairs_of(feed: FeedTerms) -> tuple[Pair, ...]:
    """Each rate and share that the feed has the measures for: of adherent members, and of the others."""
    bands = feed.vocabularies[BAND]
    adherent = adherent_bands(bands)
    others = tuple(band for band in bands if band not in adherent)
    return tuple((_of(adherent, each), _of(others, each)) for each in quotients_of(feed))


def _of(bands: tuple[str, ...], quotient: Quotient) -> Quotient:
    part, whole = (Amount(amount.measure, {BAND: bands}) for amount in (quotient.part, quotient.whole))
    return replace(quotient, part=part, whole=whole)


def figures_of(feed: FeedTerms, *, with_standard: bool) -> tuple[Figure, ...]:
    found = []
    for suffix, said in (("", "crude"), (STANDARDISED, "with the weights of the standard")):
        if not suffix or with_standard:
            for quotient, _ in pairs_of(feed):
                found += [Figure(name + suffix, UNIT, f"{words}, {said}") for name, words in _names(quotient)]
    return tuple(found)


def _names(quotient: Quotient) -> list[tuple[str, str]]:
    """Of a rate its ratio; of a share the ratio of risks and that of odds."""
    if not quotient.share:
        return [(quotient.name + RATIO, f"{quotient.name} of adherent members / that of the others")]
    risk = quotient.name.removesuffix("_share")
    return [
        (risk + RISK, f"{quotient.name} of adherent members / that of the others"),
        (risk + ODDS, f"odds of {quotient.name} of adherent members / those of the others"),
    ]


def _compute(standard: Standard | None, question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    (part,) = slices
    shape = Shape.of(question, terms.rules, part)
    columns = list(_columns(shape, Stratified(part, CRUDE, (BAND,)), ""))
    notes = [ORDER]
    if standard is None:
        notes.append(NO_STANDARD)
    else:
        columns += _columns(shape, Stratified(part, standard, (BAND,)), STANDARDISED)
        notes += [words_of(standard), WEAK]
    time = find_person_time(part.feed)
    if time is not None and any(not first.share for first, _ in pairs_of(part.feed)):
        notes.append(time.words)
    return Computed(columns, notes=tuple(notes))


def _columns(shape: Shape, stratified: Stratified, suffix: str) -> Iterator[Column]:
    for first, second in pairs_of(stratified.part.feed):
        hidden = stratified.hidden(shape, first, second)
        noise = _ratios(shape, stratified, first, second, sampled=False)
        totals = _ratios(shape, stratified, first, second, sampled=True) if first.of_persons else [None] * len(noise)
        for ratio, total in zip(noise, totals, strict=True):
            yield _column(shape, suffix, ratio, total, hidden)


def _ratios(shape: Shape, stratified: Stratified, first: Quotient, second: Quotient, *, sampled: bool) -> list[_Ratio]:
    adherent, others = (
        rates_of(stratified.strata(quotient, sampled=sampled), shape.confidence) for quotient in (first, second)
    )
    weak = weak_rows(adherent.strata) | weak_rows(others.strata)
    top, bottom = standardised(adherent), standardised(others)
    sums = [(top, bottom)]
    if first.share:
        sums.append(_odds(adherent, others, top, bottom))
    return [_Ratio(name, words, *each, weak) for (name, words), each in zip(_names(first), sums, strict=True)]


def _odds(adherent: Rates, others: Rates, top: Sum, bottom: Sum) -> tuple[Sum, Sum]:
    """Of one stratum the odds themselves; of several the two sides of Mantel and Haenszel's ratio."""
    if len(adherent.strata.weights) == 1:
        return odds_of(top), odds_of(bottom)
    return cross_products(adherent, others), cross_products(others, adherent)


def _column(shape: Shape, suffix: str, ratio: _Ratio, total: _Ratio | None, hidden: Flags) -> Column:
    values, interval = ratio.values(), ratio.interval()
    whole = None if total is None else total.interval()

    def working(i: int) -> Working:
        value = values[i]
        said = f"{ratio.words} = {number(value)}" if value is not None else f"{ratio.words} has no value here"
        return Working(said, (), None, None, None)

    return Column(
        shape,
        ratio.name + suffix,
        UNIT,
        values,
        interval,
        hidden,
        working,
        total=whole,
        limits=lambda: _limits(values, interval),
        total_limits=None if whole is None else lambda: _limits(values, whole),
        flags={Flag.WEAK_STRATA: ratio.weak} if suffix else {},
    )


def _limits(values: Sequence[float | None], interval: Interval) -> Limits:
    known = ~interval.unbounded
    point = np.array([value or 0.0 for value in values])
    return Limits(point, interval.lower, np.where(known, interval.upper, 0.0), known)


def _derive(asked: Asked) -> Statistic:
    """The figures of the feed, and by weights only where the contract has some."""
    feed = find_feed(NEED, asked)
    standard = find_standard(UTILISATION_RATE_RATIO, asked)
    if feed is None:
        return UTILISATION_RATE_RATIO
    figures = figures_of(feed, with_standard=standard is not None)
    identified = any(quotient.of_persons for quotient, _ in pairs_of(feed))
    made = replace(
        UTILISATION_RATE_RATIO,
        figures=figures,
        total_interval_covers=UTILISATION_RATE_RATIO.total_interval_covers if identified else None,
        compute=lambda question, terms, slices: _compute(standard, question, terms, slices),
        most_figures=lambda question, feeds: len(figures),
    )
    return made if standard is None else using(standard, made, asked)


ORDER = (
    "Above 1, adherent members have more of it. Adherent and other members differ in more than adherence: this does "
    "not tell what adherence does."
)
NO_STANDARD = "Crude ratios only: the contract has no public weights by dimensions that this question leaves."
NEED = replace(
    UTILISATION,
    condition=lambda feed: splits_at_threshold(feed) and UTILISATION.condition(feed),
    condition_text=f"whose bands split at 80 {UTILISATION.condition_text}",
)

UTILISATION_RATE_RATIO = Statistic(
    name="utilisation_rate_ratio",
    title="Utilisation of adherent members against that of the others",
    estimand=(
        "Rate of hospital stays and emergency visits per person-time, and the risk and the odds of one or more, of the "
        "posted members whose PDC is at least 80% divided by those of the others: crude, and over the strata of the "
        "contract's public weights."
    ),
    formula=(
        "crude: r1 / r0, odds: p1 (1 - p0) / (p0 (1 - p1)); with weights w of strata: sum w r1 / sum w r0, odds: "
        "sum w p1 (1 - p0) / sum w p0 (1 - p1). With w = n1 n0 / (n1 + n0) these are Mantel and Haenszel's"
    ),
    source="Mantel and Haenszel (1959); Rothman and Greenland, Modern Epidemiology, for rates; weights public, fixed",
    needs=(NEED,),
    figures=tuple(
        Figure(name, UNIT, f"{words}; with {STANDARDISED} after it by the weights of the standard")
        for figure in (*RATES.values(), *SHARES.values())
        for name, words in _names(
            Quotient(figure.name, figure.unit, Amount(""), Amount(""), share=figure in SHARES.values())
        )
    ),
    interval_method=f"MOVER on logarithms (Zou and Donner 2008), of sums over strata: {METHOD}",
    interval_covers="privacy noise: the ratio of the posted members themselves",
    total_interval_covers=(
        "of risks and odds, privacy noise and sampling, the sampling term times the number of periods pooled; rates "
        "have none: how stays and visits are spread over persons, which sampling needs, is not in the cells"
    ),
    compute=lambda question, terms, slices: _compute(None, question, terms, slices),
    derive=_derive,
    own_dimensions=(BAND,),
    uses_standard=True,
)
