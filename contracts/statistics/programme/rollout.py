"""Where the contract says that the programme came by a dimension and time: difference in differences.

Values in which it began are compared only with those in which it never did: a value that has it already is no measure
of what would have been without (Goodman-Bacon, Difference-in-differences with variation in treatment timing, 2021).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from contracts.periods import NotAPeriod, Period
from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.answers import Flag, Label
from contracts.statistics.columns import Column, Shape
from contracts.statistics.declarations import Asked, Compute, Computed, Figure, Need, Statistic
from contracts.statistics.programme.arms import Arm, difference_column
from contracts.statistics.programme.outcomes import Outcome, narrowed_need
from contracts.statistics.questions import TIME, Filter, Question, group_names, selected_periods
from contracts.statistics.selecting import candidates
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Rollout, Terms
from privacy.arrays import Flags, Floats

ASSUMPTION = (
    "This is what the programme did only if, without it, the outcome would have changed where it came as it did where "
    "it did not come (parallel trends), and if nothing else came to either at that time. The cells cannot tell that."
)
WARNING = (
    "What is compared are groups of the payers' members, where the programme came and where it did not, not persons in "
    "it with persons outside it: who of them is in it, these cells do not tell."
)


def need_across(outcome: Outcome, rollout: Rollout) -> Need:
    text = f"that can be asked by {rollout.dimension} and has periods before and after the programme began"

    def holds(feed: FeedTerms) -> bool:
        return reaches_across(rollout, feed) and not outcome.uses(rollout.dimension, feed)

    return narrowed_need(outcome.need, holds, text)


def in_differences(declared: Statistic, outcome: Outcome, rollout: Rollout, asked: Asked) -> Statistic:
    """The statistic of a contract that has the clause, and a feed that goes by its dimension from before to after.
    Raises QuestionInvalid where the question is about neither."""
    need = need_across(outcome, rollout)
    feeds = candidates(need, asked.feeds, asked.question)
    faults = [fault for feed in feeds for fault in _faults(rollout, asked.question, feed)]
    if faults:
        raise QuestionInvalid("The question does not fit this statistic.", faults=tuple(dict.fromkeys(faults)))
    return replace(
        declared,
        estimand=(
            f"Of the payers' members, {outcome.meaning}: how it changed from before to after the programme began, by "
            f"{rollout.dimension}, where it began less where it never did."
        ),
        formula="(r1 after - r1 before) - (r0 after - r0 before), r = part / whole over all periods of the stretch",
        source="Card and Krueger (1994); never-treated comparisons alone: Callaway and Sant'Anna (2021)",
        needs=(replace(need, cut=lambda question, feed: _by_period(question, feed, rollout)),),
        figures=(
            Figure("change_inside", "share", f"change of the {outcome.meaning}, where the programme began"),
            Figure("change_outside", "share", "the same where it never began"),
            Figure("difference_in_differences", "share", "the first less the second"),
        ),
        interval_covers="privacy noise: the changes of the posted members themselves",
        total_interval_covers=_total(outcome),
        compute=_in_differences(outcome, rollout),
        label=Label.ECOLOGICAL,
        warning=WARNING,
        own_dimensions=outcome.own_dimensions,
        # Another payer in one of the stretches, or late claims, would look like an effect.
        whole_pools=True,
        settled_only=True,
        most_figures=lambda question, feeds: 3,
    )


def _total(outcome: Outcome) -> str | None:
    if not outcome.of_persons:
        return None
    return (
        "privacy noise and sampling, as if other persons were sampled before and after, which is the wider where they "
        "are the same; the sampling term times the number of periods of a stretch"
    )


@dataclass(frozen=True, slots=True)
class _Cohort:
    """Values in which the programme began in one period, and those in which it never did."""

    inside: tuple[str, ...]
    outside: tuple[str, ...]
    start: Period


def reaches_across(rollout: Rollout, feed: FeedTerms) -> bool:
    """Whether the feed goes by the dimension, and has a period before and one after the programme began in some
    value."""
    goes_by = rollout.dimension in feed.askable
    return goes_by and any(all(_stretches(tuple(feed.periods), start)) for start in rollout.starts.values())


def _stretches(periods: Sequence[Period], start: Period) -> tuple[list[int], list[int]]:
    """Which of the periods are before, and which after, the first day of the start. One over that day is neither."""
    before = [i for i, period in enumerate(periods) if period.last_day < start.first_day]
    return before, [i for i, period in enumerate(periods) if period.first_day >= start.first_day]


def _cohorts(rollout: Rollout, question: Question, feed: FeedTerms) -> list[_Cohort]:
    """What the answer compares: each value that the question goes by, or all together where they began together."""
    values = group_names(question, feed, rollout.dimension)
    inside = [value for value in values if value in rollout.starts]
    outside = tuple(value for value in values if value not in rollout.starts)
    if rollout.dimension in question.by:
        return [_Cohort((value,), outside, rollout.starts[value]) for value in inside]
    starts = sorted({rollout.starts[value].first_day: rollout.starts[value] for value in inside}.items())
    return [
        _Cohort(tuple(v for v in inside if rollout.starts[v].first_day == day), outside, start) for day, start in starts
    ]


def _faults(rollout: Rollout, question: Question, feed: FeedTerms) -> Iterator[Fault]:
    """Decided by the contract and the calendar alone."""
    dimension, own = rollout.dimension, feed.own_of(rollout.dimension)
    for name in question.by:
        if name in TIME:
            yield Fault(
                "/by", "dimension_in_use", "programme_effect itself compares times here; choose periods instead"
            )
        elif name != dimension and name in feed.askable and feed.own_of(name) == own:
            yield Fault("/by", "dimension_in_use", f"the programme began by {dimension}; ask by it instead of {name}")
    try:
        periods, cohorts = selected_periods(question, feed), _cohorts(rollout, question, feed)
    except (NotAPeriod, KeyError):
        return  # said with the other faults of the question
    if not cohorts or not cohorts[0].outside:
        known = ", ".join(f"{value} from {start}" for value, start in rollout.starts.items())
        message = f"keep values of {dimension} in which the programme began ({known}), and some in which it never did"
        yield Fault("/where", "nothing_to_compare", message)
    elif dimension not in question.by and len(cohorts) > 1:
        message = f"the programme began at several times: ask by {dimension}, or filter it to values of one time"
        yield Fault("/by", "several_starts", message)
    for cohort in cohorts:
        if not all(_stretches(periods, cohort.start)):
            names = " and ".join(cohort.inside)
            message = f"ask for periods before {cohort.start} and from it on, when the programme began in {names}"
            yield Fault("/periods", "not_before_and_after", message)


def _by_period(question: Question, feed: FeedTerms, rollout: Rollout) -> Question:
    """Period by period, all of the dimension together: both sides are then parts of one fitted table."""
    return replace(question, by=(feed.grain, *(name for name in question.dimensions if name != rollout.dimension)))


def _in_differences(outcome: Outcome, rollout: Rollout) -> Compute:
    def compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
        (part,) = slices
        cohorts = _cohorts(rollout, question, part.feed)
        found = [_columns(outcome, rollout.dimension, cohort, question, terms, part) for cohort in cohorts]
        notes = [
            f"{' and '.join(each.inside)}: before and from {each.start} on, against {' and '.join(each.outside)}, "
            "where the programme never began."
            for each in cohorts
        ]
        # Figure by figure, as other answers go.
        return Computed(
            [column for columns in zip(*found, strict=True) for column in columns], (), (*notes, ASSUMPTION)
        )

    return compute


def _columns(
    outcome: Outcome, dimension: str, cohort: _Cohort, question: Question, terms: Terms, part: Slice
) -> tuple[Column, Column, Column]:
    """The two changes, and their difference: each stretch's own difference first, whose sides share their noise."""
    rows = _Rows(part, cohort.start)
    shape = rows.shape(question, terms, dimension, cohort.inside)

    def arm(values: tuple[str, ...], covered: Flags) -> Arm:
        group: Filter = {dimension: values}
        periods = np.full(rows.strata, float(covered.sum()))
        return Arm(part, outcome, terms.rules, group, periods, lambda each: rows.added(each, covered))

    def contrast(covered: Flags) -> tuple[Column, Column, Column]:
        inside, outside = arm(cohort.inside, covered), arm(cohort.outside, covered)
        left, right = inside.column(shape, "inside"), outside.column(shape, "outside")
        noise, total = inside.correlation(outside), inside.correlation(outside, sampled=True)
        return left, right, difference_column("inside - outside", left, right, noise=noise, total=total)

    after, before = (contrast(covered) for covered in (rows.after, rows.before))
    names = ("change_inside", "change_outside", "difference_in_differences")
    first, second, both = (
        difference_column(name, now, then) for name, now, then in zip(names, after, before, strict=True)
    )
    return first, second, both


class _Rows:
    """The rows of a slice that goes by period first, as those of one answer over all periods."""

    def __init__(self, part: Slice, start: Period) -> None:
        grain = part.feed.grain
        keys = part.keys
        periods = list(dict.fromkeys(key[grain] for key in keys))
        self.strata = len(keys) // len(periods)
        self.keys = [{name: value for name, value in key.items() if name != grain} for key in keys[: self.strata]]
        covered = ~part.missing.reshape(len(periods), -1)[:, 0]
        before, after = (
            np.isin(np.arange(len(periods)), places)
            for places in _stretches([Period.parse(period, grain) for period in periods], start)
        )
        self.before, self.after = before & covered, after & covered
        self.asked = before | after

    def added(self, rows: Floats, covered: Flags) -> Floats:
        """Over the periods covered, which are independent."""
        total: Floats = rows.reshape(len(covered), self.strata)[covered].sum(axis=0)
        return total

    def shape(self, question: Question, terms: Terms, dimension: str, inside: tuple[str, ...]) -> Shape:
        """Missing where a stretch has no period that is covered."""
        named = [{**key, **({dimension: inside[0]} if dimension in question.by else {})} for key in self.keys]
        covered = self.before | self.after
        every = np.ones(self.strata, dtype=bool)
        missing = not (self.before.any() and self.after.any())
        partial = not missing and not covered[self.asked].all()
        return Shape(
            [{name: key[name] for name in question.by} for key in named],
            every & missing,
            {Flag.PARTIAL_PERIODS: every & partial},
            question.confidence,
            terms.rules.mask_below,
            question.explain,
        )
