"""counts: what was posted, summed over the strata and periods asked."""

from contracts.statistics.answers import Row
from contracts.statistics.declarations import Computed, Need, Statistic
from contracts.statistics.figures import Shape, count_rows
from contracts.statistics.masks import make_count
from contracts.statistics.questions import Question
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Rules

NOISE_OF_COUNTS = "privacy noise only: the estimand is the number in the posted population, not of a wider one"


def unit_of(feed: FeedTerms, measure: str) -> str:
    """A person counted in each of several periods is counted in each: the unit says so. A life table counts it once."""
    unit = feed.measures[measure].unit
    return f"person-{feed.grain}s" if unit == "persons" and feed.life_table is None else unit


def _compute(question: Question, rules: Rules, slices: tuple[Slice, ...]) -> Computed:
    (part,) = slices
    return Computed(rows_of_counts(question, rules, part))


def rows_of_counts(question: Question, rules: Rules, part: Slice) -> list[Row]:
    """The measures asked, or all of the feed."""
    shape = Shape.of(question, rules, part)
    rows = []
    for measure in question.measures or part.feed.measures:
        rows += count_rows(shape, unit_of(part.feed, measure), make_count(part, measure, rules))
    return rows


COUNTS = Statistic(
    name="counts",
    title="Counts",
    estimand="Sum of a measure over the posted persons of the strata and periods asked.",
    formula="sum of fitted cells",
    source="none: a sum",
    needs=(Need(None),),
    interval_covers=NOISE_OF_COUNTS,
    total_interval_covers=None,
    compute=_compute,
    choosable=0,
)
