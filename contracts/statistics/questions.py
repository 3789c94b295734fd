"""A question, and the part of one feed that it selects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import prod

import numpy as np

from contracts.periods import Grain, NotAPeriod, Period, Stretch, parse_any
from contracts.statistics.as_of import LATEST
from contracts.terms import FeedTerms
from privacy.arrays import Floats

Filter = Mapping[str, tuple[str, ...]]
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
    within: the days that the asker's grant is about, which "all periods" then means; None for all. grains: those of
    time by which periods may be told apart; None for any.
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
    grains: tuple[Grain, ...] | None = None
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

    periods: those asked. length: how many make it whole, whether asked and in the contract or not. moved: how many
    periods earlier it is than the stretch that it is compared with.
    """

    key: str | None
    periods: tuple[Period, ...]
    length: int
    moved: int = 0

    def before(self, question: "Question", feed: FeedTerms, coarsest: Grain) -> "Bucket":
        """The stretch of the same length right before it, under the same key: each period moved by the whole length, so
        that a part of a year is beside the same months. Those that the feed has and the grant allows; it may be none.

        coarsest: of the feeds of the answer, so that all of them are moved alike.
        """
        length, within = self._length_moved(question, feed, coarsest), question.within

        def is_there(period: Period) -> bool:
            return period in feed.periods and (within is None or period in within)

        moved = (Period(period.grain, period.index - length) for period in self.periods)
        found = tuple(filter(is_there, moved))
        told = found if _can_be_told(found, is_there, question.grains) else ()
        return replace(self, periods=told, moved=length)

    def _length_moved(self, question: "Question", feed: FeedTerms, coarsest: Grain) -> int:
        """In periods of the feed: a whole one of the grain asked by; of the days named, rounded up to whole periods of
        the coarsest feed; or all there is, before which nothing is."""
        if self.key is not None:
            return self.length
        asked = days_asked(question)
        if asked is None:
            return len(feed.periods)
        first, last = (day.year * 12 + day.month for day in (asked.first, asked.last))
        months = Period(coarsest, 0).length_in(Grain.MONTH)
        return -((first - last - 1) // months) * Period(coarsest, 0).length_in(feed.grain)


def _can_be_told(found: tuple[Period, ...], is_there: Callable[[Period], bool], grains: Sequence[Grain] | None) -> bool:
    """Whether an answer by one of the grains could tell these periods apart from the others that are there."""
    if grains is None or not found:
        return True
    own, order = found[0].grain, list(Grain)
    for grain in grains:
        if order.index(grain) <= order.index(own):
            return True
        wholes = {period.rolled_up_to(grain) for period in found}
        if all(period in found or not is_there(period) for whole in wholes for period in whole.parts(own)):
            return True
    return False


def strata_of(question: Question, feed: FeedTerms) -> int:
    """How many strata the answer shows in each stretch of time."""
    return prod(len(group_names(question, feed, name)) for name in question.dimensions)


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
        asked = Stretch(parse_any(first).first_day, parse_any(last if dots else first).last_day)
    except NotAPeriod:
        raise NotAPeriod("periods read 2025, 2025-Q1, 2025-03, or two of them with .. between") from None
    if asked.first > asked.last:
        raise NotAPeriod(f"the first is after the last; the other way round it reads {last}..{first}")
    return asked


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
    kept = {feed.own_of(name): name for name in question.dimensions}
    return [_group(question, feed, own, kept.get(own), _left_by(narrowed, feed, own)) for own in feed.dimensions]


def _group(question: Question, feed: FeedTerms, own: str, kept: str | None, counted: set[str]) -> Floats:
    """Of one of the feed's own dimensions. kept: by what of it the answer goes, if it does."""
    place = {value: i for i, value in enumerate(feed.vocabularies[own])}
    chosen = values_left(question, feed, own)
    groups = {own: tuple(place)} if kept is None else feed.groups_by(kept)
    rows = (own,) if kept is None else group_names(question, feed, kept)
    matrix = np.zeros((len(rows), len(place)))
    for i, row in enumerate(rows):
        matrix[i, [place[value] for value in groups[row] if value in chosen and value in counted]] = 1.0
    return matrix


def group_names(question: Question, feed: FeedTerms, dimension: str) -> tuple[str, ...]:
    """The values of a dimension that the answer shows, in order: those of which the filters leave something."""
    chosen = values_left(question, feed, feed.own_of(dimension))
    return tuple(value for value, held in feed.groups_by(dimension).items() if not chosen.isdisjoint(held))


def values_left(question: Question, feed: FeedTerms, own: str) -> set[str]:
    """Of one of the feed's own dimensions, the values that the question's filters leave."""
    return _left_by(question.filters, feed, own)


def _left_by(filters: Filter, feed: FeedTerms, own: str) -> set[str]:
    """What filters leave of one of the feed's own dimensions, whichever of its roll-ups they name."""
    left = set(feed.vocabularies[own])
    for name, values in filters.items():
        if name in feed.askable and feed.own_of(name) == own:
            groups = feed.groups_by(name)
            left &= {held for value in values for held in groups.get(value, ())}
    return left
