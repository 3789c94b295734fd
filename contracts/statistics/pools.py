"""Which releases an asker may see pooled: min_payers, a commercial rule on top of the privacy guarantee.

Counted without the asker, who knows its own numbers. A pooled period opens and grows by min_payers others at a time, in
the order they posted; the last step takes in the rest, so that the difference of an earlier and a later answer is never
fewer payers (docs/decisions/0011-pool-steps.md).
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
    seen = {release.id for release in posted[: _opened(len(posted), others, min_payers)]}
    if not seen:
        return []
    return [release for release in releases if release.provider == asker or release.id in seen]


def _opened(posted: int, others: int, min_payers: int) -> int:
    """How many of the others' releases are open, in whole steps; what is left after a step is none or a step."""
    if posted == others and others >= min_payers:
        return others
    return max(0, min(posted, others - min_payers) // min_payers * min_payers)
