"""counts: what was posted, summed over the strata and periods asked."""

from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.declarations import Computed, Need, Statistic
from contracts.statistics.figures import Shape, count_rows
from contracts.statistics.questions import Question
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Rules

NOISE_OF_COUNTS = "privacy noise only: the estimand is the number in the posted population, not of a wider one"


def measures_asked(question: Question, feed: FeedTerms, offered: tuple[str, ...]) -> tuple[str, ...]:
    """The measures named in the question, or all that are offered. Raises QuestionInvalid for an unknown one."""
    unknown = [name for name in question.measures if name not in offered]
    if unknown:
        message = f"the measures of {feed.name} are {', '.join(offered)}"
        fault = Fault("/measures", "measure_unknown", message)
        raise QuestionInvalid("The question does not fit this contract.", faults=(fault,))
    return question.measures or offered


def unit_of(feed: FeedTerms, measure: str) -> str:
    """A person counted in each of several periods is counted in each: the unit says so."""
    unit = feed.measures[measure].unit
    return f"person-{feed.grain}s" if unit == "persons" else unit


def _compute(question: Question, rules: Rules, slices: tuple[Slice, ...]) -> Computed:
    (part,) = slices
    shape = Shape.of(part, question.confidence, rules.mask_below)
    rows = []
    for measure in measures_asked(question, part.feed, tuple(part.feed.measures)):
        rows += count_rows(shape, measure, unit_of(part.feed, measure), part.estimate(measure))
    return Computed(rows)


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
)
