"""A submission that its contract allows, and what is recorded of it: the claim, what is bought, the release."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from uuid import uuid4

from contracts.decisions import Contract
from contracts.ledger.entries import Entry, Purchase
from contracts.linking import find_linked_party, linked_plan, linked_rho_nano
from contracts.periods import Period
from contracts.records import ReleaseRecord, SubmissionRecord
from contracts.refusals import ContractVersionOther
from contracts.terms import FeedTerms, Party, Terms


@dataclass(frozen=True)
class Decided:
    """A submission that the contract allows, before any cell is looked at."""

    contract: Contract
    terms: Terms
    party: Party
    feed: FeedTerms
    period: Period
    restatement: int

    @cached_property
    def versions(self) -> tuple[int, ...]:
        """The contract versions that this feed is the same in."""
        return self.contract.versions_with(self.feed)

    @property
    def linked_party(self) -> Party | None:
        """The brand whose population pays for the release too."""
        return find_linked_party(self.terms, self.feed)

    @property
    def populations(self) -> list[str]:
        """Those that pay, in the order in which everybody locks their accounts."""
        paying = (self.party, self.linked_party)
        return sorted(party.population for party in paying if party is not None)

    @property
    def place(self) -> tuple[str, tuple[int, ...], str, str, str, int]:
        """What is measured once, whatever the submission is called."""
        return (
            self.terms.id,
            self.versions,
            self.feed.name,
            self.party.organisation,
            str(self.period),
            self.restatement,
        )


def require_same(decided: Decided, checked: FeedTerms) -> None:
    """Raises ContractVersionOther where an amendment of the feed came into force since its cells were checked."""
    if decided.feed != checked:
        version = decided.terms.version
        raise ContractVersionOther(
            f"Version {version} of the contract came into force in this moment, with other terms of {checked.name}. "
            "Nothing was debited; look at the new terms before you post.",
            contract_version=version,
        )


def is_same(known: SubmissionRecord, decided: Decided) -> bool:
    contract_id, versions, *rest = decided.place
    named = [known.feed, known.provider, known.period, known.restatement]
    return known.contract_id == contract_id and known.contract_version in versions and named == rest


def new_record(decided: Decided, submission_id: str, now: datetime, lease_until: datetime) -> SubmissionRecord:
    contract_id, _, feed, provider, period, restatement = decided.place
    return SubmissionRecord(
        submission_id,
        contract_id,
        decided.terms.version,
        feed,
        provider,
        decided.party.population,
        period,
        restatement,
        1,
        lease_until,
        now,
    )


def purchase_of(decided: Decided, claimed: SubmissionRecord) -> Purchase:
    """By the terms in force, also for what was begun under an earlier version."""
    terms = decided.terms
    return Purchase(
        contract_id=terms.id,
        contract_version=terms.version,
        contract_ceiling_nano=terms.privacy.ceilings_nano[decided.party.population],
        feed=decided.feed.name,
        feed_ceiling_nano=decided.feed.rho_nano,
        k=decided.feed.k,
        plan=decided.feed.get_plan(),
        period=str(decided.period),
        generation=decided.feed.generation or "",
        restatement=decided.restatement,
        submission_id=claimed.id,
        attempt=claimed.attempt,
        measured=decided.feed.measured,
    )


def linked_purchase_of(decided: Decided, own: Purchase) -> Purchase | None:
    """What the brand's population pays for the same draw of a linked feed; None of a feed that is not linked."""
    terms, feed = decided.terms, decided.feed
    party = decided.linked_party
    if feed.linked is None or party is None:
        return None
    return replace(
        own,
        contract_ceiling_nano=terms.privacy.ceilings_nano[party.population],
        feed_ceiling_nano=linked_rho_nano(feed),
        plan=linked_plan(feed, feed.linked),
        linked_by=decided.party.organisation,
    )


def release_record(decided: Decided, submission_id: str, debit: Entry, block: bytes, now: datetime) -> ReleaseRecord:
    contract_id, _, feed, provider, period, restatement = decided.place
    return ReleaseRecord(
        id=str(uuid4()),
        submission_id=submission_id,
        debit_id=debit.id,
        contract_id=contract_id,
        contract_version=decided.terms.version,
        feed=feed,
        provider=provider,
        population=debit.population,
        period=period,
        restatement=restatement,
        measured=decided.feed.measured,
        block_sha256=hashlib.sha256(block).hexdigest(),
        provisional=decided.feed.is_provisional(decided.period, now.date()),
        released_at=now,
    )
