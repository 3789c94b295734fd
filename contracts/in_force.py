"""Which versions of a contract were ever in force, and from when: what was answered was answered under them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from contracts.lifecycle import day_of, is_signed
from contracts.records import ContractRecord, History
from contracts.terms import FeedTerms, Party, Terms, terms_of


@dataclass(frozen=True, slots=True)
class InForce:
    """The terms of a version that bound the parties, and since when; until the next one did."""

    terms: Terms
    since: datetime

    def has(self, feed: FeedTerms) -> bool:
        """Whether this feed stands in it, the same generation, whose releases it answers from."""
        found = self.terms.find_feed(feed.name)
        return found is not None and found.generation == feed.generation


def versions_in_force(history: History, now: datetime) -> tuple[InForce, ...]:
    """Oldest first. A version that a newer one overtook before it began never was in force."""
    found = list[InForce]()
    for record in reversed(history.versions):
        if is_signed(history, record):
            terms = terms_of(record)
            # A signature of a little later than now is one by another worker's clock; it binds all the same.
            version = InForce(terms, min(_since(record), now))
            if terms.effective <= day_of(now) and (not found or version.since <= found[-1].since):
                found.append(version)
    return tuple(reversed(found))


def _since(record: ContractRecord) -> datetime:
    """The first instant of its effective date, or the last signature where that came later."""
    begins = datetime.combine(terms_of(record).effective, time.min, UTC)
    return max([begins, *(signature.signed_at for signature in record.signatures)])


def obliged_since(versions: Sequence[InForce], party: Party, feed: FeedTerms) -> date:
    """Since which effective date the party posts the feed: an amendment that leaves both alone begins nothing anew."""
    return min(
        version.terms.effective
        for version in versions
        if version.has(feed) and version.terms.find_party(party.organisation) is not None
    )
