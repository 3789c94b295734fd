"""Which releases an asker may see pooled: min_payers, a commercial rule on top of the privacy guarantee.

Counted without the asker, who knows its own numbers. A pooled period opens and grows by min_payers others at a time, in
the order in which they first posted it; the last step takes in the rest (docs/decisions/0011-pool-steps.md). Every
measurement of the period follows the same steps: a restatement is open as far as whole steps of that order have posted
it. So any two answers differ by whole steps, whichever measurement, time and version they are of, and a step is never
fewer than min_payers payers (docs/decisions/0014-pools-over-restatements.md, 0021-pools-over-versions.md).
"""

from collections.abc import Sequence

from contracts.in_force import InForce
from contracts.parties import Role
from contracts.periods import Period
from contracts.records import ReleaseRecord
from contracts.statistics.as_of import FINAL, LATEST, find_number
from contracts.statistics.steps import Steps, reigns_of, steps_of
from contracts.terms import FeedTerms

Opened = dict[str, list[ReleaseRecord]]


def open_releases(
    versions: Sequence[InForce], feed: FeedTerms, asker: str, releases: Sequence[ReleaseRecord], as_of: str = LATEST
) -> Opened:
    """By period, the releases of the feed that the asker's answers rest on, one of each provider at most.

    versions: those ever in force, the last of which answers now. releases: in the order stored, of those too who have
    left. as_of: one of `names_of(feed)`.
    """
    by_period: Opened = {}
    for release in releases:
        if release.feed == feed.name and Period.parse(release.period, feed.grain) in feed.periods:
            by_period.setdefault(release.period, []).append(release)
    providers = set(versions[-1].terms.providers_of(feed))
    reigns = reigns_of(versions, feed)
    pools: Opened = {}
    for period, found in by_period.items():
        steps = steps_of(reigns, asker, found) if feed.provider is Role.PAYER else None
        # What was measured before the run-out was over is nobody's final word.
        usable = [each for each in found if each.provider in providers and (as_of != FINAL or not each.provisional)]
        pools[period] = _pool(feed, usable, asker, steps, as_of)
    return {period: pool for period, pool in pools.items() if pool}


def _pool(
    feed: FeedTerms, usable: Sequence[ReleaseRecord], asker: str, steps: Steps | None, as_of: str
) -> list[ReleaseRecord]:
    """usable: all of one period that may be open. steps: None for a feed that is no pool."""
    number = find_number(as_of, feed)
    if steps is None:
        return [release for release in usable if release.restatement == _own(usable, release.provider, number, number)]
    posted = [(release.provider, release.restatement) for release in usable]
    pools = [steps.open_of(n, posted) for n in range(feed.restatements + 1)]
    # The latest pool never loses payers: a restatement counts once all have posted it whom the first measurement shows.
    chosen = max(n for n, pool in enumerate(pools) if len(pool) == len(pools[0])) if number is None else number
    if not pools[chosen]:
        return []
    seen = {(name, chosen) for name in pools[chosen]} | {(asker, _own(usable, asker, number, chosen))}
    return [release for release in usable if (release.provider, release.restatement) in seen]


def _own(usable: Sequence[ReleaseRecord], provider: str, named: int | None, at_most: int | None) -> int | None:
    """The measurement of a provider that needs no pool: the one named, or else its latest up to `at_most`."""
    if named is not None:
        return named
    numbers = [release.restatement for release in usable if release.provider == provider]
    return max((n for n in numbers if at_most is None or n <= at_most), default=None)
