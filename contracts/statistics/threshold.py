"""threshold_assessment: what a contract settles on, against the target that it agreed on."""

from dataclasses import replace
from typing import Final

import numpy as np

from contracts.periods import Period
from contracts.refusals import Fault, QuestionInvalid, SettlementNotAgreed
from contracts.statistics.answers import Flag, Working
from contracts.statistics.as_of import FINAL, LATEST
from contracts.statistics.columns import Column
from contracts.statistics.declarations import Asked, Computed, Figure, Need, Statistic
from contracts.statistics.questions import Question
from contracts.statistics.quotients import number
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Measured, Settlement, Terms
from privacy.arrays import Flags, Floats
from privacy.contrasts import Rate
from privacy.targets import confidence_reached, target_variance

# Shares of the posted members, as quotients of sums of one release's cells: of these it is known how sure they are.
SUBJECTS: Final = ("adherence_rate", "pdc_mean", "pdc_pooled")
CONFIDENCE: Final = "confidence"
TARGET: Final = "target"
OUTCOMES: Final = (Flag.MET, Flag.NOT_MET, Flag.UNDECIDED)
NO_CLAUSE: Final = "The contract settles on nothing: it has no settlement clause, so there is no target to assess."


def covers(feed: FeedTerms, period: Period) -> bool:
    """Whether the whole period lies in the feed, at its own grain or a coarser one."""
    parts = period.length_in(feed.grain)  # 0 of a coarser grain
    first = Period(feed.grain, period.index * parts)
    return parts > 0 and first in feed.periods and Period(feed.grain, first.index + parts - 1) in feed.periods


def outcomes(confidence: Floats, whole: Floats, decide_at: float) -> dict[Flag, Flags]:
    """Exactly one of the three a row; undecided too where the denominator is not above zero, which is no rate."""
    there = whole > 0
    met, not_met = (there & (sure >= decide_at) for sure in (confidence, 1 - confidence))
    return {Flag.MET: met, Flag.NOT_MET: not_met, Flag.UNDECIDED: ~(met | not_met)}


def _complete(asked: Asked) -> Question:
    """About the period and the measurement that the contract settles on."""
    question, clause = asked.question, asked.terms.settlement
    if clause is None:
        raise SettlementNotAgreed(NO_CLAUSE)
    return replace(
        question,
        periods=str(clause.period) if question.periods is None else question.periods,
        as_of=FINAL if question.as_of == LATEST else question.as_of,
    )


def _derive(asked: Asked) -> Statistic:
    clause = asked.terms.settlement
    if clause is None:
        raise QuestionInvalid(NO_CLAUSE)
    faults = tuple(_unfixed(asked.question, clause))
    if faults:
        raise QuestionInvalid("The contract says what it settles on, and this asks for something else.", faults=faults)
    subject = asked.get(clause.statistic)
    feeds = () if clause.feed is None else (clause.feed,)
    settled = replace(asked, question=replace(asked.question, statistic=subject.name, feeds=feeds))
    return _assessment_of(subject if subject.derive is None else subject.derive(settled), clause)


def _unfixed(question: Question, clause: Settlement) -> list[Fault]:
    """What a question says that the clause says already; the same for whoever asks."""
    said = {
        "/by": bool(question.by),
        "/where": bool(question.filters),
        "/feed": bool(question.feeds),
        "/periods": question.periods not in (None, str(clause.period)),
        "/as_of": question.as_of not in (LATEST, FINAL),
    }
    posted = "all that is posted" if clause.feed is None else f"all of {clause.feed}"
    fixed = f"{clause.statistic} over {clause.period}, as of {clause.as_of}, of {posted}"
    message = f"the contract settles on {fixed}: leave this out"
    return [Fault(pointer, "fixed_by_contract", message) for pointer, differs in said.items() if differs]


def _assessment_of(subject: Statistic, clause: Settlement) -> Statistic:
    def compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
        found = subject.compute(question, terms, slices)
        (column,) = (column for column in found.columns if column.name == subject.name)
        if column.rate is None:
            raise AssertionError(f"{subject.name} is no quotient")
        columns = [column, _target(column, clause), _confidence(column, column.rate, clause)]
        return Computed(columns, found.labels, (*found.notes, _rule(clause)))

    return replace(
        THRESHOLD_ASSESSMENT,
        estimand=(
            f"Whether the {subject.title.lower()} of the posted members over {clause.period} is at least "
            f"{clause.target}. {subject.estimand}"
        ),
        needs=tuple(_settling(need, clause) for need in subject.needs),
        figures=(*(each for each in subject.figures if each.name == subject.name), *THRESHOLD_ASSESSMENT.figures[1:]),
        interval_method=subject.interval_method,
        interval_covers=subject.interval_covers,
        total_interval_covers=subject.total_interval_covers,
        compute=compute,
        label=subject.label,
        same_periods=subject.same_periods,
    )


def _settling(need: Need, clause: Settlement) -> Need:
    def condition(feed: FeedTerms) -> bool:
        vouched = feed.measured is Measured.SOURCE and not clause.accept_measured_at_source
        meant = clause.feed in (None, feed.name)
        return meant and need.condition(feed) and covers(feed, clause.period) and not vouched

    named = "" if clause.feed is None else f"called {clause.feed}"
    text = (
        f"{named} {need.condition_text} that has all of {clause.period}, measured as the settlement clause accepts it"
    )
    return replace(need, condition=condition, condition_text=text.strip())


def _rule(clause: Settlement) -> str:
    """The same whatever comes out, so that it tells nothing of a row that is hidden."""
    return (
        f"Met from a confidence of {clause.decide_at} that the rate is at least {clause.target}, not met at "
        f"{1 - clause.decide_at} or less; between them undecided, and then the contract says: {clause.undecided}. "
        "A confidence is about the privacy noise alone, and no probability of the rate. Where the rate is just the "
        f"target, met is said with a chance of {1 - clause.decide_at}, and not met with the same."
    )


def _target(column: Column, clause: Settlement) -> Column:
    """A number of the contract, which is no secret where the rate is hidden."""
    return Column(
        column.shape,
        TARGET,
        column.unit,
        [float(clause.target)] * len(column.values),
        None,
        np.zeros(len(column.values), dtype=bool),
        lambda i: Working("the contract's target, /settlement/target", (), None, None, None),
    )


def _confidence(column: Column, rate: Rate, clause: Settlement) -> Column:
    target = float(clause.target)
    sure = confidence_reached(rate, target)

    def working(i: int) -> Working:
        part, whole = column.working(i).terms
        variance = float(target_variance(rate, target)[i])
        z = f"({number(part.estimate)} - {clause.target} * {number(whole.estimate)}) / {number(variance**0.5)}"
        return Working(f"Phi({z}) = {number(float(sure[i]))}", (part, whole), float(rate.covariance[i]), None, None)

    return Column(
        column.shape,
        CONFIDENCE,
        "confidence",
        np.asarray(sure).tolist(),
        None,
        column.hidden,
        working,
        flags=outcomes(sure, rate.whole, float(clause.decide_at)),
    )


def _never(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    raise AssertionError("an assessment is computed by what it is derived to")


THRESHOLD_ASSESSMENT = Statistic(
    name="threshold_assessment",
    title="Assessment against the agreed target",
    estimand=(
        "Whether the realised rate of the posted members, over the period that the contract's settlement clause names, "
        "is at least the target that it names."
    ),
    formula="confidence = Phi((a - T m) / sqrt(v_a - 2 T c + T^2 v_m)) of a rate a / m and a target T",
    source="Fieller, Some Problems in Interval Estimation (1954): the one-sided set of rates that begins at the target",
    needs=(),
    figures=(
        Figure("<statistic>", "share", "the rate that the contract settles on"),
        Figure(TARGET, "share", "the target that the contract names"),
        Figure(CONFIDENCE, "confidence", "how sure it is, of the noise, that the rate is at least the target"),
    ),
    interval_method="of the rate as of its statistic; the confidence is one-sided, and has no interval",
    interval_covers="privacy noise: the rate of the posted members themselves",
    total_interval_covers=None,
    compute=_never,
    # Of some payers, or of a part of the period, another rate would be settled on.
    whole_pools=True,
    every_period=True,
    period_of_contract=True,
    compares=(),
    complete=_complete,
    derive=_derive,
    most_figures=lambda question, feeds: 3,
)
