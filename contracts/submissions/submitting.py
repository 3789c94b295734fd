"""The use case that everything private passes through: a provider posts one period of one feed.

Order (DESIGN section 3): contract decision, replay, schema and invariants, debit witnessed and committed, draw, release
stored, receipt. Before the debit nothing depends on data but what the provider alone is told. No release without a
committed debit; at most one release a debit; no answer without a stored release. A debit is never refunded once
noise may have been drawn, so a resumed submission pays again. A scheduled restatement is a submission like the first:
it measures the whole period anew, by the same frozen plan, whether or not anything changed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from contracts.audit.acts import By, accepted
from contracts.audit.chain import append
from contracts.cells import Columns, exact_tables
from contracts.decisions import (
    Contract,
    get_contract,
    get_feed,
    get_party,
    get_period,
    require_own_plan,
    require_provider,
    require_version,
)
from contracts.ledger.entries import Entry
from contracts.ledger.witnessing import WitnessedLedger
from contracts.linking import LinkedLoss, find_linked_loss
from contracts.parties import Caller
from contracts.ports import BlockFormat, Clock, Database, Stores, Witness
from contracts.records import ReleaseRecord, SubmissionRecord
from contracts.refusals import (
    AlreadyExists,
    NoiseUnavailable,
    SubmissionIdReused,
    SubmissionInProgress,
)
from contracts.submissions.decided import Decided, is_same, new_record, purchase_of, release_record, require_same
from contracts.submissions.linked import debit_linked
from contracts.submissions.restating import posted_twice, require_due, require_previous
from contracts.submissions.source_releases import SourceRelease, read_release, require_place
from contracts.terms import FeedTerms, terms_of
from privacy.arrays import Vector
from privacy.mechanism import DrawFailed, NoiseSource
from privacy.release import ExactTable, draw_release


@dataclass(frozen=True, slots=True)
class Submission:
    """What a provider posts. `id` is made by the client and decides what is a replay. `restatement` is 0 for the first
    measurement of the period, then 1, 2, ... `posted`: what turns the posted cells into columns, once the contract has
    allowed them, or raises CellsInvalid; or a release that was measured at source. version: the contract version that
    it is meant for, if it says so."""

    id: str
    feed: str
    period: str
    restatement: int
    posted: Callable[[FeedTerms], Columns] | SourceRelease
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider gets back, the same at every replay. Losses in nano-rho.

    charged_nano: loss of the release by itself, every attempt included. debited_nano: by how much the population's
    loss rose. balance_nano: what was left of the population's budget then.
    debit: the last entry that this submission wrote in the population's ledger. linked: what the release of a linked
    feed costs the brand's population, an attempt; what that has lost and has left is not for the payer to see.
    """

    release: ReleaseRecord
    contract_digest: str
    charged_nano: int
    debited_nano: int
    balance_nano: int
    attempts: int
    replayed: bool
    debit: Entry
    linked: LinkedLoss | None = None


class Submitting:
    """Accepts submissions. `lease`: how long a running attempt is taken to be alive."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        noise: NoiseSource,
        blocks: BlockFormat,
        lease: timedelta,
        witness: Witness,
    ) -> None:
        self._database = database
        self._ledger = WitnessedLedger(database, witness)
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
        paid = self._debit(caller, contract_id, submission, decided.feed)
        if isinstance(paid, Receipt):
            return paid
        return self._store(caller, *paid, submission, draw())

    def _decide(self, stores: Stores, caller: Caller, contract_id: str, submission: Submission) -> Decided:
        now = self._clock.now()
        contract = get_contract(stores, caller, contract_id, now)
        party = get_party(contract.terms, caller)
        terms = contract.require_in_force(now)
        require_version(contract.record, submission.version)
        feed = get_feed(terms, submission.feed)
        require_provider(feed, party)
        require_place(feed, submission.posted)
        period = get_period(feed, submission.period, now.date())
        require_due(feed, period, submission.restatement, now.date())
        return Decided(contract, terms, party, feed, period, submission.restatement)

    def _checked(self, decided: Decided, submission: Submission) -> Callable[[], dict[str, Vector]]:
        """What was posted, checked; called once it is paid for, it gives the noisy vectors.

        Raises CellsInvalid or ReleaseInvalid.
        """
        if isinstance(submission.posted, SourceRelease):
            digests = [str(decided.contract.get_version(n).digest) for n in decided.versions]
            vectors = read_release(digests, decided.feed, submission.posted)
            return lambda: vectors
        tables = exact_tables(decided.feed, submission.posted(decided.feed))
        return lambda: self._draw(decided.feed, tables)

    def _find_receipt(self, stores: Stores, decided: Decided, submission: Submission) -> Receipt | None:
        """The receipt if this submission was released before; None if it is new or may resume.

        Decided by submission id, feed and period alone: nothing of a body is kept to compare with.
        """
        known = _find_same(stores, decided, submission)
        if known is None:
            return None
        release = stores.releases.find_for_submission(known.id)
        if release is not None:
            return _receipt(decided.contract, release, stores.ledger.entries(known.population), replayed=True)
        left = (known.lease_until - self._clock.now()).total_seconds()
        if left > 0:
            raise SubmissionInProgress(
                "This submission is being measured; ask again with the same id.",
                retry_after_seconds=int(left) + 1,
            )
        return None

    def _debit(
        self, caller: Caller, contract_id: str, submission: Submission, checked: FeedTerms
    ) -> tuple[Decided, Entry] | Receipt:
        """Decide again, claim the attempt and append its debit, in one transaction; a lost race gives the receipt.

        checked: the feed by which the cells were checked, and will be drawn.
        """
        with self._ledger.writing() as writing:
            stores = writing.stores
            stores.contracts.hold(contract_id)  # so that whoever suspends it comes before the debit, or after it
            decided = self._decide(stores, caller, contract_id, submission)
            require_same(decided, checked)
            for population in decided.populations:
                stores.ledger.lock(population)
            done = self._find_receipt(stores, decided, submission)
            if done is not None:
                return done
            account = writing.open_account(decided.party.population)
            claimed = self._claim(stores, decided, submission)
            purchase = purchase_of(decided, claimed)
            debit = account.debit(purchase, self._clock.now())
            writing.append(debit)
            debit_linked(writing, decided, purchase, self._clock.now())
        return decided, debit

    def _claim(self, stores: Stores, decided: Decided, submission: Submission) -> SubmissionRecord:
        now = self._clock.now()
        known = stores.submissions.find(submission.id)
        if known is None:
            new = new_record(decided, submission.id, now, now + self._lease)
            stores.submissions.add(new)
            return new
        claimed = replace(known, attempt=known.attempt + 1, lease_until=now + self._lease)
        if not stores.submissions.claim(claimed.id, claimed.attempt, claimed.lease_until):
            raise SubmissionInProgress("This submission is being measured.", retry_after_seconds=1)
        return claimed

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

    def _store(
        self, caller: Caller, decided: Decided, debit: Entry, submission: Submission, vectors: dict[str, Vector]
    ) -> Receipt:
        block = self._blocks.encode(vectors)
        release = release_record(decided, submission.id, debit, block, self._clock.now())
        try:
            with self._database.writing() as stores:
                stores.releases.add(release, block)
                entries = stores.ledger.entries(debit.population)
                append(
                    stores,
                    release.released_at,
                    accepted(By.caller(caller), decided.contract.get_version(release.contract_version), release),
                )
            return _receipt(decided.contract, release, entries, replayed=False)
        except AlreadyExists:
            # Another attempt of the same submission was stored first; its release is the one there is.
            return self._stored_receipt(decided, submission)

    def _stored_receipt(self, decided: Decided, submission: Submission) -> Receipt:
        with self._database.reading() as stores:
            stored = stores.releases.find_for_submission(submission.id)
            if stored is None:
                raise SubmissionInProgress("This submission is being measured.", retry_after_seconds=1)
            return _receipt(decided.contract, stored, stores.ledger.entries(stored.population), replayed=True)


def _find_same(stores: Stores, decided: Decided, submission: Submission) -> SubmissionRecord | None:
    """The submission of this id. Raises SubmissionIdReused when it belongs to another period, PeriodTaken or
    CohortReposted when this measurement of the period has another id, RestatementOutOfOrder when its turn has not come.
    """
    known = stores.submissions.find(submission.id)
    if known is not None:
        if not is_same(known, decided):
            raise SubmissionIdReused("This submission id belongs to another submission; make a new one.")
        return known
    taken = stores.submissions.find_for_period(*decided.place)
    if taken is not None:
        raise posted_twice(decided.feed, decided.period, decided.restatement, taken.id)
    if decided.restatement:
        before = stores.submissions.find_for_period(*decided.place[:-1], decided.restatement - 1)
        require_previous(stores, decided.period, decided.restatement, before)
    return None


def _receipt(contract: Contract, release: ReleaseRecord, entries: list[Entry], *, replayed: bool) -> Receipt:
    """Made from what is stored, so that a replay says the same as the first answer."""
    paid = [entry for entry in entries if entry.submission_id == release.submission_id]
    return Receipt(
        release=release,
        contract_digest=contract.get_version(release.contract_version).digest or "",
        charged_nano=sum(entry.charge_nano for entry in paid),
        debited_nano=sum(entry.increment_nano for entry in paid),
        balance_nano=paid[-1].balance_nano,
        attempts=len(paid),
        replayed=replayed,
        debit=paid[-1],
        linked=_linked(contract, release),
    )


def _linked(contract: Contract, release: ReleaseRecord) -> LinkedLoss | None:
    """By the version that it was measured under."""
    terms = terms_of(contract.get_version(release.contract_version))
    feed = terms.find_feed(release.feed)
    return None if feed is None else find_linked_loss(terms, feed)
