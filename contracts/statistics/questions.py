"""A question, and the part of one feed that it selects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import prod

import numpy as np

from contracts.periods import Grain, NotAPeriod, Period, Stretch, parse_any
from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.as_of import LATEST, names_of
from contracts.terms import FeedTerms, Terms
from privacy.arrays import Floats

Filter = Mapping[str, tuple[str, ...]]
MAX_ROWS = 20_000
TIME = frozenset(grain.value for grain in Grain)


class Compare(StrEnum):
    """With what the figures of an answer are compared."""

    PREVIOUS = "previous"
    STANDARDISED = "standardised"


@dataclass(frozen=True, slots=True)
class Question:
    """by: dimensions and at most one of month, quarter, year. where: allowed values by dimension.

    periods: `2025-01..2025-12`, `2025-Q1`, `2025`; None for all. feeds, measures: where a statistic lets choose.
    as_of: which measurement of restated periods. explain: say how each figure was reckoned. purpose: what the answer is
    for; None for the contract's own. version: the contract version that it is meant for; None for the one in force.
    within: the days that the asker's grant is about, which "all periods" then means; None for all.
    of: which statistic this one is about, as a trend is. compare: with what each figure is compared; None for nothing.
    standard: by which of the contract's public weights; None where it has one that fits.
    """

    statistic: str
    by: tuple[str, ...] = ()
    periods: str | None = None
    where: Filter | None = None
    confidence: float = 0.95
    feeds: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    as_of: str = LATEST
    explain: bool = False
    purpose: str | None = None
    version: int | None = None
    within: Stretch | None = None
    of: str | None = None
    compare: Compare | None = None
    standard: str | None = None

    @property
    def filters(self) -> Filter:
        return self.where or {}

    @property
    def time_grain(self) -> Grain | None:
        """The grain of time that the answer goes by, if any."""
        return next((Grain(name) for name in self.by if name in TIME), None)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What the answer goes by, besides time."""
        return tuple(name for name in self.by if name not in TIME)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of time that an answer shows as one. key is None where the answer does not go by time.

    periods: those asked. length: how many make it whole, whether asked and in the contract or not.
    """

    key: str | None
    periods: tuple[Period, ...]
    length: int

    def before(self, question: "Question", feed: FeedTerms) -> "Bucket":
        """The stretch of the same length right before it, under the same key: those of its periods that the feed has
        and the grant allows, which may be none."""
        moved = (Period(period.grain, period.index - self.length) for period in self.periods)
        within = question.within
        allowed = (period for period in moved if period in feed.periods and (within is None or period in within))
        return replace(self, periods=tuple(allowed))


def check_question(question: Question, terms: Terms, feeds: Sequence[FeedTerms], figures: Sequence[int]) -> None:
    """Raises QuestionInvalid with every fault: unknown or repeated names, too many rows, a wrong confidence.

    figures: for each feed, how many the answer shows in each of its strata.
    """
    faults = [fault for feed in feeds for fault in _feed_faults(question, terms, feed)]
    if not faults:
        faults += _too_many_rows(question, feeds, figures)
    if len(set(question.by)) < len(question.by) or sum(name in TIME for name in question.by) > 1:
        faults.append(Fault("/by", "dimension_repeated", "each dimension once, and one grain of time"))
    if not 0.5 < question.confidence <= 0.999:
        faults.append(Fault("/confidence", "confidence_invalid", "above 0.5 and at most 0.999"))
    if faults:
        raise QuestionInvalid("The question does not fit this contract.", faults=tuple(dict.fromkeys(faults)))


def _too_many_rows(question: Question, feeds: Sequence[FeedTerms], figures: Sequence[int]) -> list[Fault]:
    """Reckoned from the contract alone, so that nothing is read for an answer that is not given."""
    rows = sum(
        shown * strata_of(question, feed) * len(buckets_of(question, selected_periods(question, feed)))
        for feed, shown in zip(feeds, figures, strict=True)
    )
    if rows <= MAX_ROWS:
        return []
    message = f"an answer has at most {MAX_ROWS} rows, and this one would have {rows}: "
    return [Fault("/by", "too_many_rows", message + "ask by less, for fewer measures or periods, or filter")]


def strata_of(question: Question, feed: FeedTerms) -> int:
    """How many strata the answer shows in each stretch of time."""
    return prod(len(group_names(question, feed, name)) for name in question.dimensions)


def _feed_faults(question: Question, terms: Terms, feed: FeedTerms) -> list[Fault]:
    known = ", ".join((*feed.dimensions, *(grain.value for grain in terms.grains_of(feed))))
    faults = []
    for name in question.dimensions:
        if name not in feed.vocabularies:
            faults.append(Fault("/by", "dimension_unknown", f"{feed.name} can be asked by {known}"))
    for name, values in question.filters.items():
        vocabulary = feed.vocabularies.get(name)
        if vocabulary is None:
            faults.append(Fault("/where", "dimension_unknown", f"{feed.name} can be filtered by {known}"))
        elif not values or not set(values) <= set(vocabulary):
            faults.append(Fault("/where", "value_unknown", f"{name} is one of {', '.join(vocabulary)}"))
    if question.time_grain and question.time_grain not in terms.grains_of(feed):
        faults.append(Fault("/by", "grain_unknown", f"{feed.name} can be asked by {known}"))
    if question.as_of not in names_of(feed):
        faults.append(Fault("/as_of", "as_of_invalid", f"{feed.name} can be asked as of {', '.join(names_of(feed))}"))
    try:
        selected_periods(question, feed)
    except NotAPeriod as error:
        faults.append(Fault("/periods", "period_invalid", str(error)))
    return faults


def selected_periods(question: Question, feed: FeedTerms) -> tuple[Period, ...]:
    """The feed's periods that lie wholly in the range asked. Raises NotAPeriod when there is none."""
    asked = days_asked(question) or question.within
    if asked is None:
        return tuple(feed.periods)
    found = tuple(period for period in feed.periods if period in asked)
    if not found:
        raise NotAPeriod(
            f"no whole {feed.grain} of {feed.name} lies there; it has {feed.periods.first} to {feed.periods.last}"
        )
    return found


def days_asked(question: Question) -> Stretch | None:
    """The days that the question names; None where it names none. Raises NotAPeriod."""
    if question.periods is None:
        return None
    first, dots, last = question.periods.partition("..")
    try:
        return Stretch(parse_any(first).first_day, parse_any(last if dots else first).last_day)
    except NotAPeriod:
        raise NotAPeriod("periods read 2025, 2025-Q1, 2025-03, or two of them with .. between") from None


def buckets_of(question: Question, periods: Sequence[Period]) -> tuple[Bucket, ...]:
    """The periods asked, grouped by the grain of time of the answer."""
    grain = question.time_grain
    if grain is None:
        return (Bucket(None, tuple(periods), len(periods)),)
    grouped: dict[Period, list[Period]] = {}
    for period in periods:
        grouped.setdefault(period.rolled_up_to(grain), []).append(period)
    return tuple(Bucket(str(whole), tuple(parts), whole.length_in(parts[0].grain)) for whole, parts in grouped.items())


def groups_of(question: Question, feed: FeedTerms, narrowed: Filter) -> list[Floats]:
    """For each dimension of the feed a matrix (groups x values) of zeros and ones: what each row sums over.

    narrowed: a statistic's own restriction, on top of the question's filters.
    """
    return [_group(name in question.dimensions, values, question.filters.get(name), narrowed.get(name))
            for name, values in feed.vocabularies.items()]  # fmt: skip


def _group(
    kept: bool, values: tuple[str, ...], asked: tuple[str, ...] | None, narrowed: tuple[str, ...] | None
) -> Floats:
    chosen = [asked is None or value in asked for value in values]
    counted = [narrowed is None or value in narrowed for value in values]
    if not kept:
        return np.array([[float(a and b) for a, b in zip(chosen, counted, strict=True)]])
    return np.array([[float(i == j and counted[j]) for j in range(len(values))] for i, c in enumerate(chosen) if c])


def group_names(question: Question, feed: FeedTerms, dimension: str) -> tuple[str, ...]:
    """The values of a dimension that the answer shows, in the vocabulary's order."""
    asked = question.filters.get(dimension)
    return tuple(value for value in feed.vocabularies[dimension] if asked is None or value in asked)
