"""Where the payers' cells hold the brand's flag: those in the programme against those outside it."""

from collections.abc import Sequence
from dataclasses import replace

from contracts.statistics.answers import Label
from contracts.statistics.columns import Shape
from contracts.statistics.declarations import Asked, Compute, Computed, Figure, Need, Statistic
from contracts.statistics.programme.arms import Arm, difference_column, ratio_column
from contracts.statistics.programme.outcomes import Outcome, narrowed_need
from contracts.statistics.questions import Question
from contracts.statistics.selecting import candidates
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Terms

ENROLLED, NOT_ENROLLED = "enrolled", "not_enrolled"
WARNING = (
    "Who joins a programme differs from who does not, in ways that no cell tells: the difference is one between two "
    "groups, not what the programme does."
)


def need_linked(outcome: Outcome) -> Need:
    def holds(feed: FeedTerms) -> bool:
        return tells_apart(feed) and not outcome.uses(_flag_of(feed), feed)

    return narrowed_need(outcome.need, holds, "whose linked dimension has two values or more", linked=True)


def by_flag(declared: Statistic, outcome: Outcome, asked: Asked) -> Statistic:
    """The statistic of a contract that has such a feed."""
    need = need_linked(outcome)
    feeds = candidates(need, asked.feeds, asked.question)
    return replace(
        declared,
        estimand=(
            f"Of the payers' members, {outcome.meaning}: of those who are in the programme by the brand's flag, of "
            "those outside it, and the difference and the ratio of the two."
        ),
        formula="r1 - r0 and r1 / r0, with r = part / whole of the cells of each value of the linked dimension",
        needs=(need,),
        figures=(
            Figure(f"{outcome.figure}_inside", "share", f"{outcome.meaning}, in the programme"),
            Figure(f"{outcome.figure}_outside", "share", f"{outcome.meaning}, outside it"),
            Figure("difference", "share", "the first less the second"),
            Figure("ratio", "ratio", "the first over the second"),
        ),
        interval_covers="privacy noise: the figures of the posted members themselves",
        total_interval_covers=_total(outcome),
        compute=_contrast(outcome),
        label=Label.ASSOCIATIONAL,
        own_dimensions=(*outcome.own_dimensions, *dict.fromkeys(_flag_of(feed) for feed in feeds)),
        most_figures=lambda question, feeds: 4,
    )


def inside_and_outside(values: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which values of a linked dimension are in the programme, and which outside: `enrolled` and `not_enrolled` where
    it has both, so that a third, such as unknown, is in neither; else the first, and all others."""
    if {ENROLLED, NOT_ENROLLED} <= set(values):
        return (ENROLLED,), (NOT_ENROLLED,)
    return tuple(values[:1]), tuple(values[1:])


def _flag_of(feed: FeedTerms) -> str:
    return feed.linked.dimension if feed.linked else ""


def tells_apart(feed: FeedTerms) -> bool:
    return len(feed.vocabularies.get(_flag_of(feed), ())) > 1


def _total(outcome: Outcome) -> str | None:
    if not outcome.of_persons:
        return None
    return (
        "privacy noise and sampling: the figures behind them, the sampling term times the number of periods pooled, "
        "since they may be the same people"
    )


def _contrast(outcome: Outcome) -> Compute:
    def compute(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
        (part,) = slices
        flag, shape = _flag_of(part.feed), Shape.of(question, terms.rules, part)
        groups = inside_and_outside(part.feed.vocabularies[flag])
        inside, outside = (Arm(part, outcome, terms.rules, {flag: values}, part.periods_covered) for values in groups)
        left = inside.column(shape, f"{outcome.figure}_inside")
        right = outside.column(shape, f"{outcome.figure}_outside")
        noise, total = inside.correlation(outside), inside.correlation(outside, sampled=True)
        contrasts = [
            difference_column("difference", left, right, noise=noise, total=total),
            ratio_column("ratio", left, right, noise=noise, total=total),
        ]
        said = [" or ".join(values) for values in groups]
        note = f"In the programme: {flag} {said[0]}. Outside it: {flag} {said[1]}."
        return Computed([left, right, *contrasts], notes=(note, WARNING))

    return compute
