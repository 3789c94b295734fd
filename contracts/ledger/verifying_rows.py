"""Every contract, submission, debit and release, each against the others: the larger part of `ledger verify`.

Each check reads one row and what it points to, and yields what differs. A row that makes no sense is named, and the
others are checked all the same.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from contracts.canonical import digest_of
from contracts.ledger.entries import Entry, EntryKind
from contracts.ledger.recomputing import ContractKey, Difference, guarded
from contracts.lifecycle import waiting_for
from contracts.periods import Period
from contracts.ports import Stores
from contracts.records import ContractRecord, History, ReleaseRecord, Signature, Stage, SubmissionRecord
from contracts.refusals import SignatureInvalid
from contracts.signing import key_members, verify
from contracts.terms import FeedTerms, Terms

# What a submission and its debits have in common, besides the generation of the feed: a submission may be resumed
# under a later version. A release and its debit have version and submission in common too.
_SAME: Final = ("population", "contract_id", "feed", "period", "restatement")
# A release is dated right before it is stored, and of two that are stored at once the later may be dated first. More
# than the time that a writer waits for another, and than clocks of two machines differ.
_STORED_WITHIN: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Stored:
    """All that is stored and can be read. terms: of the proposed contracts that are contracts. releases: in the order
    they were stored."""

    entries: list[Entry]
    contracts: dict[ContractKey, ContractRecord]
    terms: dict[ContractKey, Terms]
    submissions: dict[str, SubmissionRecord]
    releases: list[ReleaseRecord]

    def history(self, contract_id: str) -> History:
        """The versions that are contracts, oldest first."""
        return History(tuple(self.contracts[key] for key in sorted(self.terms) if key[0] == contract_id))

    @cached_property
    def debits(self) -> dict[str, Entry]:
        return {entry.id: entry for entry in self.entries if entry.kind is EntryKind.DEBIT}

    @cached_property
    def attempts(self) -> Counter[str | None]:
        """How many debits a submission has in the account of its own population."""
        return Counter(debit.submission_id for debit in self.debits.values() if not _is_linked(debit))

    @cached_property
    def paid(self) -> Counter[tuple[object, ...]]:
        """How many debits there are of each attempt, in its own account and, of linked feeds, in the brand's."""
        return Counter((*_attempt(debit), _is_linked(debit)) for debit in self.debits.values())

    @cached_property
    def used(self) -> set[tuple[str | None, int | None]]:
        """The contracts that something was measured under."""
        rows: list[Entry | SubmissionRecord | ReleaseRecord] = [
            *self.debits.values(), *self.submissions.values(), *self.releases
        ]  # fmt: skip
        return {(row.contract_id, row.contract_version) for row in rows}

    @cached_property
    def signers(self) -> defaultdict[tuple[str, ...], set[str]]:
        """Which organisations signed with a key: whoever holds it signs for one only."""
        found: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for record in self.contracts.values():
            for signature in record.signatures:
                if isinstance(signature.public_key, dict):
                    found[key_members(signature.public_key)].add(signature.organisation)
        return found

    @cached_property
    def released_at(self) -> dict[object, datetime]:
        return {self.measurement(release): release.released_at for release in self.releases}

    def generation(self, row: Entry | SubmissionRecord | ReleaseRecord) -> object:
        """What it was measured as: the same through all versions that leave the feed alone."""
        terms = self.terms.get((row.contract_id or "", row.contract_version or 0))
        feed = terms.find_feed(row.feed or "") if terms else None
        return feed.generation if feed else f"none of version {row.contract_version}"

    def measurement(self, row: Entry | ReleaseRecord) -> tuple[object, ...]:
        """Whose cells were measured, and as what; in whichever account the row is."""
        submission = self.submissions.get(row.submission_id or "")
        population = submission.population if submission and _is_linked(row) else row.population
        return (self.generation(row), population, *(getattr(row, name) for name in _SAME[1:-1]), row.restatement or 0)


def check_rows(stores: Stores, stored: Stored) -> Iterator[Difference]:
    """What differs, row by row."""
    for record in stored.contracts.values():
        if record.stage is Stage.PROPOSED:
            yield from guarded(_named(record), _contract(stores, stored, record))
    for submission in stored.submissions.values():
        what = f"submission {submission.id}"
        yield from guarded(what, _submission(stored, submission))
        yield from guarded(what, _place(stored, what, submission))
    for debit in stored.debits.values():
        yield from guarded(f"debit {debit.sequence} of {debit.population}", _debit(stored, debit))
    for release in stored.releases:
        what = f"release {release.id}"
        yield from guarded(what, _release(stores, stored, release))
        yield from guarded(what, _place(stored, what, release))
    yield from _twice(stored)
    yield from _stored_in_order(stored)


def _contract(stores: Stores, stored: Stored, record: ContractRecord) -> Iterator[Difference]:
    """The document is the one that was frozen, and signed with the registered keys: by all, if it was ever used."""
    what, key = _named(record), (record.id, record.version)
    yield from _compare(None, None, f"{what}: digest", record.digest, digest_of(record.document))
    terms = stored.terms.get(key)
    if terms is None:
        yield Difference(None, None, what, "something that cannot be read", "a contract")
    else:
        yield from _compare(None, None, f"{what}: id and version", (terms.id, terms.version), key)
        for name in waiting_for(stored.history(record.id), record) if key in stored.used else ():
            yield Difference(None, None, f"{what}: signature of {name}", "none", "one")
    for signature in record.signatures:
        signer = f"{what}: signature of {signature.organisation}"
        yield from guarded(signer, _signature(stores, stored, record, signature))


def _signature(stores: Stores, stored: Stored, record: ContractRecord, signature: Signature) -> Iterator[Difference]:
    what = f"{_named(record)}: signature of {signature.organisation}"
    registered = stores.parties.find_signing_key(signature.organisation, signature.kid)
    if registered is None:
        expected = f"with a signing key registered for {signature.organisation}"
        yield Difference(None, None, what, f"with the key {signature.kid}", expected)
        return
    if registered.public_key != signature.public_key:
        yield Difference(None, None, f"{what}: public key", "another", f"the one registered as {signature.kid}")
    for other in sorted(stored.signers[key_members(registered.public_key)] - {signature.organisation}):
        yield Difference(None, None, f"{what}: key", f"that of {other} too", "of one organisation")
    try:
        signed_by = verify(record.document, signature.jws, registered.public_key)
    except SignatureInvalid:
        yield Difference(None, None, what, "of another document or key", "of this document with the registered key")
        return
    for name in ("kid", "signer_name", "signer_title"):
        yield from _compare(None, None, f"{what}: {name}", getattr(signature, name), getattr(signed_by, name))
    if registered.revoked_at is not None and signature.signed_at > registered.revoked_at:
        expected = f"before its key was revoked, at {registered.revoked_at}"
        yield Difference(None, None, f"{what}: signed_at", str(signature.signed_at), expected)


def _submission(stored: Stored, submission: SubmissionRecord) -> Iterator[Difference]:
    """One debit an attempt."""
    debits, what = stored.attempts[submission.id], f"submission {submission.id}: attempt"
    yield from _compare(submission.population, None, what, submission.attempt, debits)


def _debit(stored: Stored, debit: Entry) -> Iterator[Difference]:
    """It is for what was submitted, and that of a restatement came after the release before it."""
    place = debit.population, debit.sequence
    submission = stored.submissions.get(debit.submission_id or "")
    if submission is None:
        yield Difference(*place, "submission_id", str(debit.submission_id), "a submission")
    else:
        yield from _compare(*place, "generation", stored.generation(debit), stored.generation(submission))
        for name in _SAME[1:] if _is_linked(debit) else _SAME:
            yield from _compare(*place, name, getattr(debit, name), getattr(submission, name))
        yield from _linked(stored, debit, submission)
    if debit.restatement:
        before = stored.released_at.get((*stored.measurement(debit)[:-1], debit.restatement - 1))
        if before is None or before > debit.recorded_at:
            what = f"release of restatement {debit.restatement - 1} of {debit.period}"
            yield Difference(*place, what, str(before or "none"), f"one before this debit, of {debit.recorded_at}")


def _linked(stored: Stored, debit: Entry, submission: SubmissionRecord) -> Iterator[Difference]:
    """Of a linked feed each attempt is paid for twice: by its provider's population, and by that of the brand."""
    place = debit.population, debit.sequence
    terms = stored.terms.get((debit.contract_id or "", debit.contract_version or 0))
    feed = terms.find_feed(debit.feed or "") if terms else None
    if _is_linked(debit):
        yield from _compare(*place, "event.linked_by", debit.linked_by, submission.provider)
    if feed is not None and (feed.linked is not None or _is_linked(debit)):
        what = "debits of this attempt by its provider" if _is_linked(debit) else "debits of this attempt by the brand"
        yield from _compare(*place, what, stored.paid[*_attempt(debit), not _is_linked(debit)], 1)


def _attempt(debit: Entry) -> tuple[object, ...]:
    return debit.submission_id, debit.attempt, debit.contract_version


def _is_linked(row: Entry | ReleaseRecord) -> bool:
    """Whether it is a debit in the account of the brand that a feed is linked to."""
    return isinstance(row, Entry) and row.linked_by is not None


def _release(stores: Stores, stored: Stored, release: ReleaseRecord) -> Iterator[Difference]:
    """It was paid for by one debit, of the same measurement, and is the block that its receipt named."""
    what = f"release {release.id}"
    debit = stored.debits.get(release.debit_id)
    if debit is None:
        yield Difference(release.population, None, f"{what}: debit_id", release.debit_id, "a debit")
    else:
        for name in (*_SAME, "contract_version", "submission_id"):
            recorded, expected = getattr(release, name), getattr(debit, name)
            yield from _compare(release.population, debit.sequence, f"{what}: {name}", recorded, expected)
        if release.released_at < debit.recorded_at:
            yield Difference(release.population, debit.sequence, what, "released before its debit", "released after it")
    submission = stored.submissions.get(release.submission_id)
    if submission is None:
        yield Difference(release.population, None, f"{what}: submission_id", release.submission_id, "a submission")
    else:
        generations = stored.generation(release), stored.generation(submission)
        yield from _compare(release.population, None, f"{what}: generation", *generations)
        for name in (*_SAME, "provider"):
            recorded, expected = getattr(release, name), getattr(submission, name)
            yield from _compare(release.population, None, f"{what}: {name}", recorded, expected)
    # One at a time, for all blocks may be too much for memory.
    sha256 = hashlib.sha256(stores.releases.get_blocks([release.id])[release.id]).hexdigest()
    yield from _compare(release.population, None, f"{what}: block_sha256", release.block_sha256, sha256)


def _place(stored: Stored, what: str, row: SubmissionRecord | ReleaseRecord) -> Iterator[Difference]:
    """The signed contract has this feed, its provider posts it, and the loss is that of the provider's population."""
    terms = stored.terms.get((row.contract_id, row.contract_version))
    feed = terms.find_feed(row.feed) if terms else None
    if terms is None or feed is None:
        named = f"{row.feed} of {row.contract_id} version {row.contract_version}"
        yield Difference(row.population, None, f"{what}: contract", named, "a contract and feed that were signed")
        return
    party = terms.find_party(row.provider)
    if party is None or party.role is not feed.provider:
        yield Difference(row.population, None, f"{what}: provider", row.provider, f"one that posts {feed.name}")
    else:
        yield from _compare(row.population, None, f"{what}: population", row.population, party.population)
    if isinstance(row, ReleaseRecord):
        yield from _labels(what, row, feed)


def _labels(what: str, release: ReleaseRecord, feed: FeedTerms) -> Iterator[Difference]:
    yield from _compare(release.population, None, f"{what}: measured", release.measured, feed.measured.value)
    provisional = feed.is_provisional(Period.parse(release.period, feed.grain), release.released_at.date())
    yield from _compare(release.population, None, f"{what}: provisional", release.provisional, provisional)


def _twice(stored: Stored) -> Iterator[Difference]:
    for name in ("debit_id", "submission_id"):
        for value, times in Counter(getattr(release, name) for release in stored.releases).items():
            if times > 1:
                yield Difference(None, None, f"releases of {name} {value}", str(times), "1")


def _stored_in_order(stored: Stored) -> Iterator[Difference]:
    """Which releases were there when a pool opened is told by their order, so no later one may be put before it."""
    latest: dict[str, datetime] = {}
    for release in stored.releases:
        key = release.contract_id
        newest = latest.get(key, release.released_at)
        if release.released_at < newest - _STORED_WITHIN:
            what = f"release {release.id}: released_at"
            expected = f"about {newest} or later, as the release stored before it"
            yield Difference(release.population, None, what, str(release.released_at), expected)
        latest[key] = max(newest, release.released_at)


def _compare(
    population: str | None, sequence: int | None, what: str, recorded: object, expected: object
) -> Iterator[Difference]:
    # A debit of before restatements were recorded is a first measurement.
    if (recorded or 0) != (expected or 0):
        yield Difference(population, sequence, what, str(recorded), str(expected))


def _named(record: ContractRecord) -> str:
    return f"contract {record.id} version {record.version}"
