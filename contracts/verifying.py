"""`parley ledger verify`: does every population's ledger follow from its events, contracts and releases?

Whoever can write to the database can write to all of it, so this finds mistakes and clumsy hands, and whatever would
need a signature of a party to look right. What it cannot find by itself is a whole ledger rewritten by its operator:
each party can check the entries of its own population against what it saw before.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.canonical import digest_of
from contracts.ledger import Entry, EntryKind
from contracts.lifecycle import waiting_for
from contracts.periods import NotAPeriod, Period
from contracts.ports import Database, Stores
from contracts.recomputing import ContractKey, Difference, recompute
from contracts.records import ContractRecord, ReleaseRecord, Stage, SubmissionRecord
from contracts.refusals import PopulationNotFound, SignatureInvalid
from contracts.signing import verify as verify_signature
from contracts.terms import FeedTerms, Terms, read_terms

# What a debit has in common with the release that it paid for, and but for the last with their submission.
_SAME: Final = ("population", "contract_id", "contract_version", "feed", "period", "restatement", "submission_id")


@dataclass(frozen=True, slots=True)
class Verified:
    """One population. loss_nano: recomputed. unreleased: submissions that were debited and have no release, because
    they crashed, or are being measured at this moment. None where only the entries were at hand."""

    population: str
    entries: int
    releases: int | None
    unreleased: int | None
    loss_nano: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """All that is stored of one population."""

    population: str
    entries: list[Entry]
    contracts: list[ContractRecord]
    submissions: dict[str, SubmissionRecord | None]
    releases: list[ReleaseRecord]
    sha256: dict[str, str]


def verify_ledgers(database: Database, population: str | None = None) -> list[Verified]:
    """Every population, or one. Raises PopulationNotFound."""
    with database.reading() as stores:
        owners = {
            found.id: organisation.id
            for organisation in stores.parties.list_organisations()
            for found in stores.parties.list_populations(organisation.id)
        }
        if population is not None and population not in owners:
            raise PopulationNotFound("There is no population of this name.")
        chosen = owners if population is None else {population: owners[population]}
        return [_verify(_read(stores, name, owner)) for name, owner in chosen.items()]


def _read(stores: Stores, population: str, organisation: str) -> _Kept:
    entries = stores.ledger.entries(population)
    contracts = [record for record in stores.contracts.list_for(organisation) if record.stage is Stage.PROPOSED]
    own = {entry.id for entry in entries}
    releases = [
        release
        for record in contracts
        for release in stores.releases.list_for_contract(record.id, record.version)
        if release.population == population or release.debit_id in own
    ]
    named = {entry.submission_id for entry in entries} | {release.submission_id for release in releases}
    return _Kept(
        population,
        entries,
        contracts,
        {name: stores.submissions.find(name) for name in sorted(filter(None, named))},
        releases,
        {release.id: _sha256(stores, release.id) for release in releases},
    )


def _sha256(stores: Stores, release_id: str) -> str:
    """Of the block as it is stored; one at a time, for all of them may be too much for memory."""
    return hashlib.sha256(stores.releases.get_blocks([release_id])[release_id]).hexdigest()


def _verify(kept: _Kept) -> Verified:
    contracts = dict(_readable(kept.contracts))
    recomputed = recompute(kept.population, kept.entries, contracts)
    debited = {entry.submission_id for entry in kept.entries if entry.submission_id}
    return Verified(
        kept.population,
        entries=len(kept.entries),
        releases=len(kept.releases),
        unreleased=len(debited - {release.submission_id for release in kept.releases}),
        loss_nano=recomputed.loss_nano,
        differences=(
            *recomputed.differences,
            *_contracts(kept, contracts),
            *_submissions(kept),
            *_releases(kept, contracts),
            *_order(kept),
        ),
    )


def _readable(records: list[ContractRecord]) -> Iterator[tuple[ContractKey, Terms]]:
    """A document that was altered may be no contract any more; it is named for its digest."""
    for record in records:
        try:
            yield (record.id, record.version), read_terms(record.document)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue


def _contracts(kept: _Kept, contracts: Mapping[ContractKey, Terms]) -> Iterator[Difference]:
    """The documents that were debited under are those that all their parties signed."""
    used = {(entry.contract_id, entry.contract_version) for entry in kept.entries}
    for record in kept.contracts:
        if (record.id, record.version) not in used:
            continue
        what = f"contract {record.id} version {record.version}"
        digest = digest_of(record.document)
        if digest != record.digest:
            yield Difference(kept.population, None, f"{what}: digest", str(record.digest), digest)
        terms = contracts.get((record.id, record.version))
        for name in waiting_for(record, terms) if terms else ():
            yield Difference(kept.population, None, f"{what}: signature of {name}", "none", "one")
        for signature in record.signatures:
            try:
                verify_signature(record.document, signature.jws, signature.public_key)
            except SignatureInvalid:
                signer = f"{what}: signature of {signature.organisation}"
                yield Difference(kept.population, None, signer, "of another document", "of this document")


def _submissions(kept: _Kept) -> Iterator[Difference]:
    """One debit an attempt, and every debit of a submission is for what was submitted."""
    debits = [entry for entry in kept.entries if entry.kind is EntryKind.DEBIT]
    attempts = Counter(entry.submission_id for entry in debits)
    for entry in debits:
        submission = kept.submissions.get(entry.submission_id or "")
        if submission is None:
            yield Difference(kept.population, entry.sequence, "submission_id", str(entry.submission_id), "a submission")
            continue
        for name in _SAME[:-1]:
            yield from _compare(kept, entry.sequence, name, getattr(entry, name), getattr(submission, name))
    for name, submission in kept.submissions.items():
        if submission is not None and attempts[name]:
            what = f"submission {name}: attempt"
            yield from _compare(kept, None, what, submission.attempt, attempts[name])


def _releases(kept: _Kept, contracts: Mapping[ContractKey, Terms]) -> Iterator[Difference]:
    """Every release was paid for by one debit, of the same measurement, and is the block that its receipt named."""
    debits = {entry.id: entry for entry in kept.entries if entry.kind is EntryKind.DEBIT}
    for release in kept.releases:
        what = f"release {release.id}"
        debit = debits.get(release.debit_id)
        if debit is None:
            yield Difference(kept.population, None, f"{what}: debit_id", release.debit_id, "a debit of this population")
            continue
        for name in _SAME:
            yield from _compare(kept, debit.sequence, f"{what}: {name}", getattr(release, name), getattr(debit, name))
        if release.released_at < debit.recorded_at:
            yield Difference(kept.population, debit.sequence, what, "released before its debit", "released after it")
        submission = kept.submissions.get(release.submission_id)
        if submission is not None:
            yield from _compare(kept, debit.sequence, f"{what}: provider", release.provider, submission.provider)
        sha256 = kept.sha256[release.id]
        yield from _compare(kept, debit.sequence, f"{what}: block_sha256", release.block_sha256, sha256)
        terms = contracts.get((release.contract_id, release.contract_version))
        yield from _labels(kept, release, terms.find_feed(release.feed) if terms else None)
    for name in ("debit_id", "submission_id"):
        for value, times in Counter(getattr(release, name) for release in kept.releases).items():
            if times > 1:
                yield Difference(kept.population, None, f"releases of {name} {value}", str(times), "1")


def _labels(kept: _Kept, release: ReleaseRecord, feed: FeedTerms | None) -> Iterator[Difference]:
    if feed is None:
        return
    what = f"release {release.id}"
    yield from _compare(kept, None, f"{what}: measured", release.measured, feed.measured.value)
    try:
        period = Period.parse(release.period, feed.grain)
    except NotAPeriod:
        return
    provisional = feed.is_provisional(period, release.released_at.date())
    yield from _compare(kept, None, f"{what}: provisional", release.provisional, provisional)


def _order(kept: _Kept) -> Iterator[Difference]:
    """A restatement was debited only after the measurement before it had been released."""
    released = {_measurement(release) for release in kept.releases}
    for entry in kept.entries:
        if entry.restatement:
            *period, restatement = _measurement(entry)
            if (*period, restatement - 1) not in released:
                what = f"release of restatement {restatement - 1} of {entry.period}"
                yield Difference(kept.population, entry.sequence, what, "none", "one before this debit")


def _measurement(measured: Entry | ReleaseRecord) -> tuple[str | None, int | None, str | None, str | None, int]:
    return (
        measured.contract_id,
        measured.contract_version,
        measured.feed,
        measured.period,
        measured.restatement or 0,
    )


def _compare(kept: _Kept, sequence: int | None, what: str, recorded: object, expected: object) -> Iterator[Difference]:
    # A debit of before restatements were recorded is a first measurement.
    if (recorded or 0) != (expected or 0):
        yield Difference(kept.population, sequence, what, str(recorded), str(expected))
