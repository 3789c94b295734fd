"""utilisation_rate: hospital stays and emergency visits per person-year, and who has one or more."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from contracts.parties import Role
from contracts.statistics.adherence import BAND
from contracts.statistics.columns import Column, Shape
from contracts.statistics.declarations import Asked, Computed, Figure, Need, Statistic
from contracts.statistics.masks import make_figure
from contracts.statistics.person_time import find_person_time
from contracts.statistics.questions import Compare, Question
from contracts.statistics.quotients import FIELLER, rate_column, share_column
from contracts.statistics.selecting import find_feed
from contracts.statistics.slices import Slice
from contracts.statistics.stratified import Amount, Quotient
from contracts.terms import FeedTerms, Rules, Terms

PERSON_YEARS = 1000
MEMBERS = "members"
# By the measure that they are made of.
RATES = {
    "hospital_stays": Figure("hospital_stay_rate", "stays per 1000 person-years", "hospital stays / person-years"),
    "ed_visits": Figure("ed_visit_rate", "visits per 1000 person-years", "emergency visits / person-years"),
}
SHARES = {
    "hospitalised_members": Figure("hospitalised_share", "share", "members with one or more hospital stays / members"),
    "ed_members": Figure("ed_share", "share", "members with one or more emergency visits / members"),
}


def figures_of(feed: FeedTerms) -> tuple[Figure, ...]:
    """Those that the feed has the measures for."""
    rates = [figure for measure, figure in RATES.items() if measure in feed.measures and find_person_time(feed)]
    shares = [figure for measure, figure in SHARES.items() if {measure, MEMBERS} <= set(feed.measures)]
    return (*rates, *shares)


def quotients_of(feed: FeedTerms) -> tuple[Quotient, ...]:
    """The same, as what can be standardised."""
    time, found = find_person_time(feed), list[Quotient]()
    for measure, figure in RATES.items():
        if measure in feed.measures and time is not None:
            part, whole, scale = Amount(measure), Amount(time.measure), PERSON_YEARS * time.per_year
            found.append(Quotient(figure.name, figure.unit, part, whole, share=False, scale=scale))
    for measure, figure in SHARES.items():
        if {measure, MEMBERS} <= set(feed.measures):
            part, whole = Amount(measure), Amount(MEMBERS)
            found.append(Quotient(figure.name, figure.unit, part, whole, share=True, of_persons=True))
    return tuple(found)


def utilisation_columns(question: Question, rules: Rules, part: Slice) -> list[Column]:
    """Rates with the interval of their noise; shares with that of sampling, too."""
    shape = Shape.of(question, rules, part)
    return [*_rates(shape, rules, part), *_shares(shape, rules, part)]


def _rates(shape: Shape, rules: Rules, part: Slice) -> Iterator[Column]:
    time = find_person_time(part.feed)
    if time is None:
        return
    whole = make_figure(part, time.measure, rules)
    for measure, figure in RATES.items():
        if measure in part.feed.measures:
            events, scale = make_figure(part, measure, rules), PERSON_YEARS * time.per_year
            yield rate_column(shape, figure.name, figure.unit, events, whole, scale=scale)


def _shares(shape: Shape, rules: Rules, part: Slice) -> Iterator[Column]:
    for measure, figure in SHARES.items():
        if {measure, MEMBERS} <= set(part.feed.measures):
            some, all_ = (make_figure(part, name, rules) for name in (measure, MEMBERS))
            yield share_column(shape, figure.name, some, all_, sampling_periods=part.periods_covered)


def _compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    (part,) = slices
    columns = utilisation_columns(question, terms.rules, part)
    time = find_person_time(part.feed)
    rated = time is not None and any(measure in part.feed.measures for measure in RATES)
    return Computed(columns, notes=(time.words,) if time and rated else ())


def _derive(asked: Asked) -> Statistic:
    """The figures that the feed has; without a share nothing has a total interval."""
    feed = find_feed(NEED, asked)
    if feed is None:
        return UTILISATION_RATE
    figures = figures_of(feed)
    has_share = any(figure in figures for figure in SHARES.values())
    total = UTILISATION_RATE.total_interval_covers if has_share else None
    return replace(UTILISATION_RATE, figures=figures, total_interval_covers=total)


def _how_many(question: Question, feeds: Sequence[FeedTerms]) -> int:
    return len(figures_of(feeds[0]))


NEED = Need(
    Role.PAYER,
    (BAND,),
    condition=lambda feed: bool(figures_of(feed)),
    condition_text=(
        "and hospitalised_members or ed_members with members, or hospital_stays or ed_visits with a measure of time "
        "(enrolled_days, member_months, treatment_days or members)"
    ),
)

UTILISATION_RATE = Statistic(
    name="utilisation_rate",
    title="Utilisation of hospitals and emergency departments",
    estimand=(
        "Hospital stays and emergency visits of the posted members per 1,000 person-years, and the share of them with "
        "one or more in a period; ask by adherence_band to see it by adherence. Over several periods a member counts "
        "once in each."
    ),
    formula=(
        "1000 * sum of stays or visits / person-years; members with one or more / members. Person-years: the first of "
        "enrolled_days / 365.25, member_months / 12, treatment_days / 365.25, members * length of a period that the "
        "feed has"
    ),
    source="HEDIS, Inpatient Utilization and Ambulatory Care; rates per person-year as in Rothman, Modern Epidemiology",
    needs=(NEED,),
    figures=(*RATES.values(), *SHARES.values()),
    interval_method=FIELLER,
    interval_covers="privacy noise: the figure of the posted members themselves (Fieller)",
    total_interval_covers=(
        "of shares, privacy noise and sampling: the share behind them, the sampling term times the number of periods "
        "pooled, since they may be the same people (Fieller with Wilson's term). Rates have none: how stays and visits "
        "are spread over persons, which sampling needs, is not in the cells"
    ),
    compute=_compute,
    compares=(Compare.PREVIOUS, Compare.STANDARDISED),
    derive=_derive,
    quotients=quotients_of,
    most_figures=_how_many,
)
