"""trend: a statistic period by period, and how it changed."""

from dataclasses import replace
from typing import Final

from contracts.periods import Grain
from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.answers import Flag
from contracts.statistics.columns import Column
from contracts.statistics.comparing import CHANGE, TOTAL_COVERS, changes
from contracts.statistics.declarations import Asked, Computed, Figure, Statistic
from contracts.statistics.fitting import fit_to
from contracts.statistics.questions import Question
from contracts.statistics.slices import Slice
from contracts.terms import Terms
from privacy.arrays import Flags

SUBJECTS: Final = (
    "counts",
    "adherence_rate",
    "adherence_rate_standardised",
    "pdc_mean",
    "pdc_pooled",
    "utilisation_rate",
    "cost_pmpm",
    "psp_penetration",
    "reporting_rate",
)
NOTE: Final = (
    "A change is the figure less that of the period right before, a part of it less the same part; a first period has "
    "none."
)
INCOMPARABLE: Final = (
    "A change is left out, with the flag not_comparable, where one of the two periods does not rest on the same part, "
    "in periods of the feed, by the same providers, as the other; so it is of a first period."
)
PROVISIONAL_LEFT_OUT: Final = (
    "Periods of which a release was posted before its run-out was over are left out: late records would look like a "
    "change."
)
MANY_CHANGES: Final = (
    "Each interval is of one change: among many, some leave out zero by chance alone, one in twenty at a confidence of "
    "95%."
)


def _complete(asked: Asked) -> Question:
    """By the coarsest grain of the feeds that could answer, where no grain is named."""
    question = asked.question
    if question.time_grain is not None or question.of not in SUBJECTS:
        return question
    needs = asked.get(question.of).needs
    fitting = [feed for feed in asked.feeds if any(need.fits(feed) for need in needs)]
    grains = {feed.grain for feed in fitting if feed.name in question.feeds} or {feed.grain for feed in fitting}
    coarsest = [grain.value for grain in reversed(Grain) if grain in grains][:1]
    return replace(question, by=(*coarsest, *question.by))


def _derive(asked: Asked) -> Statistic:
    question = asked.question
    if question.of is None:
        known = ", ".join(name for name in SUBJECTS if name in asked.granted) or "none of those it could be of"
        message = f"say of which statistic; the contract grants you {known}"
        raise QuestionInvalid("A trend is of another statistic.", faults=(Fault("/of", "subject_needed", message),))
    subject = asked.get(question.of)
    return _trend_of(fit_to(subject, replace(asked, question=replace(question, statistic=subject.name, of=None))))


def _trend_of(subject: Statistic) -> Statistic:
    def compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
        half = len(slices) // 2
        now, before = (subject.compute(question, terms, part) for part in (slices[:half], slices[half:]))
        changed = [_comparable_only(column) for column in changes(now.columns, before.columns)]
        notes = (*now.notes, NOTE, INCOMPARABLE, PROVISIONAL_LEFT_OUT, MANY_CHANGES)
        return Computed([*now.columns, *changed], now.labels, notes)

    total = subject.total_interval_covers
    return replace(
        subject,
        name=TREND.name,
        title=f"Trend of: {subject.title}",
        estimand=f"Period by period, and its change from the period before: {subject.estimand}",
        figures=(
            *subject.figures,
            *(Figure(each.name + CHANGE, each.unit, f"change of {each.name}") for each in subject.figures),
        ),
        total_interval_covers=None if total is None else total + TOTAL_COVERS,
        compute=compute,
        settled_only=True,
        before=True,
        compares=(),
    )


def _comparable_only(change: Column) -> Column:
    """Without the changes between what is not alike, which the coverage tells, and no value."""
    incomparable: Flags = change.flags[Flag.NOT_COMPARABLE]
    flags = {**change.shape.flags, Flag.NOT_COMPARABLE: incomparable}
    shape = replace(change.shape, missing=change.shape.missing | incomparable, flags=flags)
    return replace(change, shape=shape, flags={})


def _never(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    raise AssertionError("a trend is computed by what it is derived to")


TREND = Statistic(
    name="trend",
    title="Trend of another statistic",
    estimand="Another statistic period by period, and its change from the period before.",
    formula="the figure of each period; that less the one of the period before",
    source="Zou and Donner (2008), for the interval of a difference from those of its sides (MOVER)",
    needs=(),
    figures=(
        Figure("<figure>", "<unit>", "each figure of the statistic that it is of"),
        Figure(f"<figure>{CHANGE}", "<unit>", "the figure less that of the period before, where they are comparable"),
    ),
    interval_method="of a level as of its statistic; of a change MOVER, from the limits of both levels",
    interval_covers="as of the statistic that it is of",
    total_interval_covers=None,
    compute=_never,
    settled_only=True,
    before=True,
    compares=(),
    # Where what it is of does not, that says so.
    uses_standard=True,
    subjects=SUBJECTS,
    of_granted=True,
    complete=_complete,
    derive=_derive,
)
