"""cost_pmpm: allowed amounts per member and month."""

from collections.abc import Sequence
from dataclasses import replace

from contracts.parties import Role
from contracts.statistics.columns import Shape
from contracts.statistics.declarations import Asked, Computed, Figure, Need, Statistic
from contracts.statistics.masks import make_figure
from contracts.statistics.person_time import find_person_time, get_person_time
from contracts.statistics.questions import Question
from contracts.statistics.quotients import FIELLER, rate_column
from contracts.statistics.selecting import find_feed
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Terms

IN_MONTHS = ("member_months",)
UNIT = "cents per member-month"
# By the measure that they are made of.
COSTS = {
    "allowed_cents": Figure("cost_pmpm", UNIT, "all allowed amounts / member-months"),
    "drug_allowed_cents": Figure("drug_cost_pmpm", UNIT, "allowed amounts of drugs / member-months"),
    "medical_allowed_cents": Figure("medical_cost_pmpm", UNIT, "allowed amounts of stays and visits / member-months"),
}


def _figures_of(feed: FeedTerms) -> tuple[Figure, ...]:
    timed = find_person_time(feed, measured=IN_MONTHS) is not None
    return tuple(figure for measure, figure in COSTS.items() if measure in feed.measures and timed)


def _compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    (part,) = slices
    shape, time = Shape.of(question, terms.rules, part), get_person_time(part.feed, measured=IN_MONTHS)
    months = make_figure(part, time.measure, terms.rules)
    columns = [
        rate_column(shape, figure.name, UNIT, make_figure(part, measure, terms.rules), months, scale=time.per_month)
        for measure, figure in COSTS.items()
        if measure in part.feed.measures
    ]
    return Computed(columns, notes=(time.words,))


def _derive(asked: Asked) -> Statistic:
    feed = find_feed(NEED, asked)
    return COST_PMPM if feed is None else replace(COST_PMPM, figures=_figures_of(feed))


def _how_many(question: Question, feeds: Sequence[FeedTerms]) -> int:
    return len(_figures_of(feeds[0]))


NEED = Need(
    Role.PAYER,
    condition=lambda feed: bool(_figures_of(feed)),
    condition_text=f"with any of {', '.join(COSTS)}, and member_months or members",
)

COST_PMPM = Statistic(
    name="cost_pmpm",
    title="Cost per member and month",
    estimand="Allowed amounts of the posted members per month of membership: of all care, of drugs, of medical care.",
    formula="sum of cents / member-months: member_months where the feed has them, else members * months of a period",
    source="HEDIS, Relative Resource Use: allowed amounts; member months as CMS counts them",
    needs=(NEED,),
    figures=tuple(COSTS.values()),
    interval_method=FIELLER,
    interval_covers=(
        "privacy noise only: how cost is spread over persons, which sampling needs, is not in the cells; it is so "
        "uneven that sampling may well be the larger part"
    ),
    total_interval_covers=None,
    compute=_compute,
    derive=_derive,
    most_figures=_how_many,
)
