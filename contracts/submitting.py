"""The use case that everything private passes through: a provider posts one period of one feed.

Order (DESIGN section 3): contract decision, replay, schema and invariants, debit committed, draw, release stored,
receipt. Before the debit nothing depends on data but what the provider alone is told. No release without a
committed debit; at most one release a debit; no answer without a stored release. A debit is never refunded once
noise may have been drawn, so a resumed submission pays again. A scheduled restatement is a submission like the first:
it measures the whole period anew, by the same frozen plan, whether or not anything changed.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from contracts.cells import Columns, exact_tables
from contracts.decisions import (
    get_feed,
    get_party,
    get_period,
    get_visible_contract,
    require_own_plan,
    require_provider,
)
from contracts.ledger import Account, Entry, Purchase
from contracts.lifecycle import require_in_force
from contracts.parties import Caller
from contracts.periods import Period
from contracts.ports import BlockFormat, Clock, Database, Stores
from contracts.records import ContractRecord, ReleaseRecord, SubmissionRecord
from contracts.refusals import AlreadyExists, NoiseUnavailable, SubmissionIdReused, SubmissionInProgress
from contracts.restating import posted_twice, require_due, require_previous
from contracts.source_releases import SourceRelease, read_release, require_place
from contracts.terms import FeedTerms, Party, Terms
from privacy.arrays import Vector
from privacy.mechanism import DrawFailed, NoiseSource
from privacy.release import ExactTable, draw_release


@dataclass(frozen=True, slots=True)
class Submission:
    """What a provider posts. `id` is made by the client and decides what is a replay. `restatement` is 0 for the first
    measurement of the period, then 1, 2, ... `posted`: what turns the posted cells into columns, once the contract has
    allowed them, or raises CellsInvalid; or a release that was measured at source."""

    id: str
    feed: str
    period: str
    restatement: int
    posted: Callable[[FeedTerms], Columns] | SourceRelease


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider gets back, the same at every replay. Losses in nano-rho.

    charged_nano: loss of the release by itself, every attempt included. debited_nano: by how much the population's
    loss rose. balance_nano: what was left of the population's budget then.
    """

    release: ReleaseRecord
    contract_digest: str
    charged_nano: int
    debited_nano: int
    balance_nano: int
    attempts: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class _Decided:
    """A submission that the contract allows, before any cell is looked at."""

    record: ContractRecord
    terms: Terms
    party: Party
    feed: FeedTerms
    period: Period
    restatement: int


class Submitting:
    """Accepts submissions. `lease`: how long a running attempt is taken to be alive."""

    def __init__(
        self, database: Database, clock: Clock, noise: NoiseSource, blocks: BlockFormat, lease: timedelta
    ) -> None:
        self._database = database
        self._clock = clock
        self._noise = noise
        self._blocks = blocks
        self._lease = lease

    def submit(self, caller: Caller, contract_id: str, submission: Submission) -> Receipt:
        """Raises a Refusal, with nothing stored and nothing debited, unless it is NoiseUnavailable."""
        with self._database.reading() as stores:
            decided = self._decide(stores, caller, contract_id, submission)
            done = self._find_receipt(stores, decided, submission)
        if done is not None:
            return done
        require_own_plan(decided.feed)
        draw = self._checked(decided, submission)
        paid = self._debit(caller, contract_id, submission)
        if isinstance(paid, Receipt):
            return paid
        return self._store(decided, submission, paid, draw())

    def _decide(self, stores: Stores, caller: Caller, contract_id: str, submission: Submission) -> _Decided:
        record = get_visible_contract(stores, caller, contract_id)
        terms = require_in_force(record, self._clock.now())
        party = get_party(terms, caller)
        feed = get_feed(terms, submission.feed)
        require_provider(feed, party)
        require_place(feed, submission.posted)
        period = get_period(feed, submission.period, self._clock.now().date())
        require_due(feed, period, submission.restatement, self._clock.now().date())
        return _Decided(record, terms, party, feed, period, submission.restatement)

    def _checked(self, decided: _Decided, submission: Submission) -> Callable[[], dict[str, Vector]]:
        """What was posted, checked; called once it is paid for, it gives the noisy vectors.

        Raises CellsInvalid or ReleaseInvalid.
        """
        if isinstance(submission.posted, SourceRelease):
            vectors = read_release(decided.record.digest, decided.feed, submission.posted)
            return lambda: vectors
        tables = exact_tables(decided.feed, submission.posted(decided.feed))
        return lambda: self._draw(decided.feed, tables)

    def _find_receipt(self, stores: Stores, decided: _Decided, submission: Submission) -> Receipt | None:
        """The receipt if this submission was released before; None if it is new or may resume.

        Decided by submission id, feed and period alone: nothing of a body is kept to compare with.
        """
        known = _find_same(stores, decided, submission)
        if known is None:
            return None
        release = stores.releases.find_for_submission(known.id)
        if release is not None:
            return _receipt(decided.record, release, stores.ledger.entries(known.population), replayed=True)
        left = (known.lease_until - self._clock.now()).total_seconds()
        if left > 0:
            raise SubmissionInProgress(
                "This submission is being measured; ask again with the same id.",
                retry_after_seconds=int(left) + 1,
            )
        return None

    def _debit(self, caller: Caller, contract_id: str, submission: Submission) -> Entry | Receipt:
        """Decide again, claim the attempt and append its debit, in one transaction; a lost race gives the receipt."""
        with self._database.writing() as stores:
            decided = self._decide(stores, caller, contract_id, submission)
            stores.ledger.lock(decided.party.population)
            done = self._find_receipt(stores, decided, submission)
            if done is not None:
                return done
            attempt = self._claim(stores, decided, submission)
            account = Account(decided.party.population, stores.ledger.entries(decided.party.population))
            debit = account.debit(_purchase(decided, submission, attempt), self._clock.now())
            stores.ledger.append(debit)
        return debit

    def _claim(self, stores: Stores, decided: _Decided, submission: Submission) -> int:
        now = self._clock.now()
        known = stores.submissions.find(submission.id)
        if known is None:
            stores.submissions.add(_new_record(decided, submission, now, now + self._lease))
            return 1
        attempt = known.attempt + 1
        if not stores.submissions.claim(known.id, attempt, now + self._lease):
            raise SubmissionInProgress("This submission is being measured.", retry_after_seconds=1)
        return attempt

    def _draw(self, feed: FeedTerms, tables: dict[str, ExactTable]) -> dict[str, Vector]:
        failed = False
        try:
            vectors = draw_release(feed.get_plan(), feed.dimensions, tables, self._noise)
        except DrawFailed:
            failed = True
        if failed:
            raise NoiseUnavailable(
                "No noise could be drawn and nothing was released. The debit stands; post the same submission again "
                "to resume it under a second debit.",
            )
        return vectors

    def _store(self, decided: _Decided, submission: Submission, debit: Entry, vectors: dict[str, Vector]) -> Receipt:
        block = self._blocks.encode(vectors)
        release = _release_record(decided, submission, debit, block, self._clock.now())
        try:
            with self._database.writing() as stores:
                stores.releases.add(release, block)
                entries = stores.ledger.entries(debit.population)
            return _receipt(decided.record, release, entries, replayed=False)
        except AlreadyExists:
            # Another attempt of the same submission was stored first; its release is the one there is.
            return self._stored_receipt(decided, submission)

    def _stored_receipt(self, decided: _Decided, submission: Submission) -> Receipt:
        with self._database.reading() as stores:
            stored = stores.releases.find_for_submission(submission.id)
            if stored is None:
                raise SubmissionInProgress("This submission is being measured.", retry_after_seconds=1)
            return _receipt(decided.record, stored, stores.ledger.entries(stored.population), replayed=True)


def _find_same(stores: Stores, decided: _Decided, submission: Submission) -> SubmissionRecord | None:
    """The submission of this id. Raises SubmissionIdReused when it belongs to another period, PeriodTaken or
    CohortReposted when this measurement of the period has another id, RestatementOutOfOrder when its turn has not come.
    """
    known = stores.submissions.find(submission.id)
    if known is not None:
        if _key(known) != _wanted_key(decided):
            raise SubmissionIdReused("This submission id belongs to another submission; make a new one.")
        return known
    taken = stores.submissions.find_for_period(*_wanted_key(decided))
    if taken is not None:
        raise posted_twice(decided.feed, decided.period, decided.restatement, taken.id)
    if decided.restatement:
        before = stores.submissions.find_for_period(*_wanted_key(decided)[:-1], decided.restatement - 1)
        require_previous(stores, decided.period, decided.restatement, before)
    return None


def _key(known: SubmissionRecord) -> tuple[str, int, str, str, str, int]:
    return (
        known.contract_id,
        known.contract_version,
        known.feed,
        known.provider,
        known.period,
        known.restatement,
    )


def _wanted_key(decided: _Decided) -> tuple[str, int, str, str, str, int]:
    return (
        decided.terms.id,
        decided.terms.version,
        decided.feed.name,
        decided.party.organisation,
        str(decided.period),
        decided.restatement,
    )


def _new_record(decided: _Decided, submission: Submission, now: datetime, lease_until: datetime) -> SubmissionRecord:
    contract_id, version, feed, provider, period, restatement = _wanted_key(decided)
    return SubmissionRecord(
        submission.id,
        contract_id,
        version,
        feed,
        provider,
        decided.party.population,
        period,
        restatement,
        1,
        lease_until,
        now,
    )


def _purchase(decided: _Decided, submission: Submission, attempt: int) -> Purchase:
    return Purchase(
        contract_id=decided.terms.id,
        contract_version=decided.terms.version,
        contract_ceiling_nano=decided.terms.privacy.ceilings_nano[decided.party.population],
        feed=decided.feed.name,
        feed_ceiling_nano=decided.feed.rho_nano,
        k=decided.feed.k,
        plan=decided.feed.get_plan(),
        period=str(decided.period),
        generation=decided.feed.generation or "",
        restatement=decided.restatement,
        submission_id=submission.id,
        attempt=attempt,
        measured=decided.feed.measured,
    )


def _release_record(
    decided: _Decided, submission: Submission, debit: Entry, block: bytes, now: datetime
) -> ReleaseRecord:
    contract_id, version, feed, provider, period, restatement = _wanted_key(decided)
    return ReleaseRecord(
        id=str(uuid4()),
        submission_id=submission.id,
        debit_id=debit.id,
        contract_id=contract_id,
        contract_version=version,
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


def _receipt(record: ContractRecord, release: ReleaseRecord, entries: list[Entry], *, replayed: bool) -> Receipt:
    """Made from what is stored, so that a replay says the same as the first answer."""
    paid = [entry for entry in entries if entry.submission_id == release.submission_id]
    return Receipt(
        release=release,
        contract_digest=record.digest or "",
        charged_nano=sum(entry.charge_nano for entry in paid),
        debited_nano=sum(entry.increment_nano for entry in paid),
        balance_nano=paid[-1].balance_nano,
        attempts=len(paid),
        replayed=replayed,
    )
