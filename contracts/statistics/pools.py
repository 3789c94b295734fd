"""Which releases an asker may see pooled: min_payers, a commercial rule on top of the privacy guarantee.

Counted without the asker, who knows its own numbers. A pooled period opens once min_payers others have posted and
grows only by as many at a time until all have, so that the difference of two answers never is one payer.
"""

from collections.abc import Sequence

from contracts.parties import Role
from contracts.records import ReleaseRecord
from contracts.terms import FeedTerms, Terms


def open_releases(
    terms: Terms, feed: FeedTerms, asker: str, releases: Sequence[ReleaseRecord]
) -> dict[str, list[ReleaseRecord]]:
    """By period, the releases of the feed that the asker's answers rest on. `releases` in the order stored."""
    by_period: dict[str, list[ReleaseRecord]] = {}
    for release in releases:
        if release.feed == feed.name:
            by_period.setdefault(release.period, []).append(release)
    if feed.provider is not Role.PAYER:
        return by_period
    others = [name for name in terms.providers_of(feed) if name != asker]
    pools = {period: _pool(found, asker, len(others), terms.rules.min_payers) for period, found in by_period.items()}
    return {period: pool for period, pool in pools.items() if pool}


def _pool(releases: Sequence[ReleaseRecord], asker: str, others: int, min_payers: int) -> list[ReleaseRecord]:
    posted = [release for release in releases if release.provider != asker]
    if len(posted) < min_payers:
        return []
    opened = len(posted) if len(posted) == others else len(posted) // min_payers * min_payers
    seen = {release.id for release in posted[:opened]}
    return [release for release in releases if release.provider == asker or release.id in seen]
