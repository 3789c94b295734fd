"""What of a contract's feeds a grant opens to questions: by what, over which periods, which measures."""

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.grants import Grant
from contracts.parties import Role
from contracts.periods import Grain
from contracts.terms import FeedTerms, Terms


@dataclass(frozen=True, slots=True)
class AskableFeed:
    """A feed as questions may name it. by: its dimensions, their roll-ups, grains of time. first, last: its periods.

    linked: whether its cells hold a brand's flag.
    """

    name: str
    provider: Role
    grain: Grain
    first: str
    last: str
    by: tuple[str, ...]
    measures: tuple[str, ...]
    linked: bool


def askable_feeds(terms: Terms, grant: Grant) -> tuple[AskableFeed, ...]:
    """By the terms alone, whatever was posted; without feeds of which the grant leaves no period."""
    return tuple(_askable(terms, grant))


def _askable(terms: Terms, grant: Grant) -> Iterator[AskableFeed]:
    for feed in terms.feeds:
        periods = [str(period) for period in feed.periods if grant.periods is None or period in grant.periods]
        if periods and (grant.feeds is None or feed.name in grant.feeds):
            yield AskableFeed(
                feed.name,
                feed.provider,
                feed.grain,
                periods[0],
                periods[-1],
                _by(terms, grant, feed),
                tuple(feed.measures),
                feed.linked is not None,
            )


def _by(terms: Terms, grant: Grant, feed: FeedTerms) -> tuple[str, ...]:
    names = (*feed.askable, *(grain.value for grain in terms.grains_of(feed)))
    return tuple(name for name in names if grant.dimensions is None or name in grant.dimensions)
