"""counts: what was posted, summed over the strata and periods asked."""

from contracts.statistics.columns import Column, Shape
from contracts.statistics.declarations import Computed, Figure, Need, Statistic
from contracts.statistics.masks import make_count
from contracts.statistics.questions import Question
from contracts.statistics.quotients import count_column
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Rules, Terms

NOISE_OF_COUNTS = "privacy noise only: the estimand is the number in the posted population, not of a wider one"


def unit_of(feed: FeedTerms, measure: str) -> str:
    """A person who is in several periods is counted in each: the unit says so. No person-years, which are a length of
    time. A life table counts a person once."""
    unit = feed.measures[measure].unit
    return f"persons once a {feed.grain}" if unit == "persons" and feed.life_table is None else unit


def _compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    (part,) = slices
    return Computed(columns_of_counts(question, terms.rules, part))


def columns_of_counts(question: Question, rules: Rules, part: Slice) -> list[Column]:
    """The measures asked, or all of the feed."""
    shape = Shape.of(question, rules, part)
    return [
        count_column(shape, unit_of(part.feed, measure), make_count(part, measure, rules))
        for measure in question.measures or part.feed.measures
    ]


COUNTS = Statistic(
    name="counts",
    title="Counts",
    estimand="Sum of a measure over the posted persons of the strata and periods asked.",
    formula="sum of fitted cells",
    source="none: a sum",
    needs=(Need(None),),
    figures=(Figure("<measure>", "<unit>", "the sum of the measure"),),
    interval_method=(
        "exact quantile of the discrete Gaussian for sums as drawn (Canonne, Kamath and Steinke 2020), normal with the "
        "closed-form variance for fitted ones"
    ),
    interval_covers=NOISE_OF_COUNTS,
    total_interval_covers=None,
    compute=_compute,
    choosable=0,
)
