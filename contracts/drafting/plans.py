"""Faults of the measurement plans that the feeds would get: too much work to make, too many draws, too dear."""

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.refusals import Fault
from contracts.terms import FeedTerms
from privacy.strategy import BudgetTooSmall, count_draws, require_budget
from privacy.units import rho_text

# Of one feed: whatever is signed can be drawn, posted and kept release by release. And of all feeds together.
MAX_DRAWS: Final = 1_000
MAX_DRAWS_TOGETHER: Final = 3_000
# A feed of d dimensions has 2^d margins, and all are weighed. Bounds the time that one document takes.
MAX_MARGINS_TOGETHER: Final = 512

Placed = tuple[str, FeedTerms]


def plan_faults(feeds: Sequence[Placed]) -> Iterator[Fault]:
    """feeds: each with its pointer, and without other faults."""
    margins = sum(2 ** len(feed.dimensions) for _, feed in feeds)
    if margins > MAX_MARGINS_TOGETHER:
        message = (
            f"the feeds have {margins} margins to choose from, two to the power of the dimensions of each; at most "
            f"{MAX_MARGINS_TOGETHER} are weighed in one contract: drop dimensions where there are most, or feeds"
        )
        yield Fault("/feeds", "plan_too_large", message)
        return
    draws = {at: count_draws(feed.design) for at, feed in feeds}
    for at, feed in feeds:
        if draws[at] > MAX_DRAWS:
            yield _too_many_draws(at, feed, draws[at])
        else:
            yield from _affordable(at, feed)
    if sum(draws.values()) > MAX_DRAWS_TOGETHER:
        message = (
            f"the plans of all feeds have {sum(draws.values())} draws, one a measure and margin, and at most "
            f"{MAX_DRAWS_TOGETHER} are taken: drop measures, name fewer tables, or make two contracts"
        )
        yield Fault("/feeds", "plan_too_large", message)


def _too_many_draws(at: str, feed: FeedTerms, draws: int) -> Fault:
    margins = draws // len(feed.measures)
    message = (
        f"its plan has {draws} draws, {margins} margins of {len(feed.measures)} measures, and at most {MAX_DRAWS} are "
        f"taken: keep at most {MAX_DRAWS // margins} measures, or name fewer tables"
    )
    return Fault(f"{at}/measures", "plan_too_large", message)


def _affordable(at: str, feed: FeedTerms) -> Iterator[Fault]:
    """A feed must be able to pay for each of its releases."""
    try:
        require_budget(feed.design, feed.charge_nano)
    except BudgetTooSmall as error:
        needed = rho_text(error.needed_nano * feed.releases_paid)
        yield Fault(
            f"{at}/rho",
            "budget_too_small",
            f"this ceiling cannot pay for {feed.releases_paid} releases; from {needed} it can",
        )
