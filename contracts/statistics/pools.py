"""Which releases an asker may see pooled: min_payers, a commercial rule on top of the privacy guarantee.

Counted without the asker, who knows its own numbers. A pooled period opens and grows by min_payers others at a time, in
the order in which they first posted it; the last step takes in the rest (docs/decisions/0011-pool-steps.md). Every
measurement of the period follows the same steps: a restatement is open as far as whole steps of that order have posted
it. So any two answers differ by whole steps, whichever measurement and time they are of, and a step is never fewer than
min_payers payers (docs/decisions/0014-pools-over-restatements.md).
"""

from collections.abc import Sequence

from contracts.parties import Role
from contracts.records import ReleaseRecord
from contracts.statistics.as_of import FINAL, LATEST, find_number
from contracts.terms import FeedTerms, Terms

Opened = dict[str, list[ReleaseRecord]]


def open_releases(
    terms: Terms, feed: FeedTerms, asker: str, releases: Sequence[ReleaseRecord], as_of: str = LATEST
) -> Opened:
    """By period, the releases of the feed that the asker's answers rest on, one of each provider at most.

    releases: in the order stored. as_of: one of `names_of(feed)`.
    """
    by_period: Opened = {}
    for release in releases:
        if release.feed == feed.name:
            by_period.setdefault(release.period, []).append(release)
    others = sum(name != asker for name in terms.providers_of(feed))
    steps = _steps(others, terms.rules.min_payers)
    pools = {period: _pool(feed, found, asker, steps, as_of) for period, found in by_period.items()}
    return {period: pool for period, pool in pools.items() if pool}


def _steps(others: int, min_payers: int) -> list[int]:
    """The sizes that a pool of so many payers may have, smallest first; each is min_payers or more above the last."""
    return [*range(min_payers, others - min_payers + 1, min_payers), others] if others >= min_payers else []


def _pool(
    feed: FeedTerms, releases: Sequence[ReleaseRecord], asker: str, steps: Sequence[int], as_of: str
) -> list[ReleaseRecord]:
    """releases: all of one period."""
    # What was measured before the run-out was over is nobody's final word.
    usable = [release for release in releases if as_of != FINAL or not release.provisional]
    number = find_number(as_of, feed)
    if feed.provider is not Role.PAYER:
        return [release for release in usable if release.restatement == _own(usable, release.provider, number, number)]
    order = [release.provider for release in releases if release.restatement == 0 and release.provider != asker]
    pools = [_others(order, usable, n, steps) for n in range(feed.restatements + 1)]
    # The latest pool never loses payers: a restatement counts once all have posted it whom the first measurement shows.
    chosen = max(n for n, pool in enumerate(pools) if len(pool) == len(pools[0])) if number is None else number
    if not pools[chosen]:
        return []
    seen = {(name, chosen) for name in pools[chosen]} | {(asker, _own(usable, asker, number, chosen))}
    return [release for release in usable if (release.provider, release.restatement) in seen]


def _others(order: Sequence[str], usable: Sequence[ReleaseRecord], number: int, steps: Sequence[int]) -> Sequence[str]:
    """The payers, in whole steps of the order, whose measurement of this number is open."""
    posted = {release.provider for release in usable if release.restatement == number}
    waiting = next((place for place, name in enumerate(order) if name not in posted), len(order))
    return order[: max((step for step in steps if step <= waiting), default=0)]


def _own(usable: Sequence[ReleaseRecord], provider: str, named: int | None, at_most: int | None) -> int | None:
    """The measurement of a provider that needs no pool: the one named, or else its latest up to `at_most`."""
    if named is not None:
        return named
    numbers = [release.restatement for release in usable if release.provider == provider]
    return max((n for n in numbers if at_most is None or n <= at_most), default=None)
