"""Feeds that are divided by one another rest on the same stretches of time: those of the coarsest of their grains."""

from collections import Counter
from collections.abc import Iterable, Sequence

from contracts.periods import Grain, Period
from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.pools import Opened
from contracts.terms import FeedTerms

Selected = list[tuple[Period, ...]]


def _coarsest(feeds: Iterable[FeedTerms]) -> Grain:
    return max((feed.grain for feed in feeds), key=list(Grain).index)


def in_common(feeds: Sequence[FeedTerms], opened: list[Opened], periods: Selected) -> tuple[list[Opened], Selected]:
    """Of every feed what lies in stretches that all were asked about, and what in those that all cover."""
    posted = [[Period.parse(name, feed.grain) for name in found] for feed, found in zip(feeds, opened, strict=True)]
    covered, asked = _shared(feeds, posted), _shared(feeds, periods)
    shared = [
        {str(period): found[str(period)] for period in _within(covered, each)}
        for found, each in zip(opened, posted, strict=True)
    ]
    return shared, [_within(asked, each) for each in periods]


def require_common(feeds: Sequence[FeedTerms], periods: Selected) -> None:
    """Raises QuestionInvalid with the periods of each feed, where no stretch of those asked lies in all."""
    if not _shared(feeds, periods):
        known = ", ".join(f"{feed.name} has {feed.periods.first} to {feed.periods.last}" for feed in feeds)
        fault = Fault(
            "/periods", "period_invalid", f"no whole {_coarsest(feeds)} there lies in all of the feeds; {known}"
        )
        raise QuestionInvalid("The question does not fit this contract.", faults=(fault,))


def _shared(feeds: Sequence[FeedTerms], periods: Sequence[Iterable[Period]]) -> set[Period]:
    """The stretches of the coarsest grain of which every feed has all its periods."""
    grain = _coarsest(feeds)
    return set.intersection(*(_wholes(feed.grain, grain, each) for feed, each in zip(feeds, periods, strict=True)))


def _wholes(fine: Grain, grain: Grain, periods: Iterable[Period]) -> set[Period]:
    parts = Counter(period.rolled_up_to(grain) for period in periods)
    return {whole for whole, count in parts.items() if count == whole.length_in(fine)}


def _within(stretches: set[Period], periods: Sequence[Period]) -> tuple[Period, ...]:
    grains = {stretch.grain for stretch in stretches}
    return tuple(period for period in periods if any(period.rolled_up_to(grain) in stretches for grain in grains))
