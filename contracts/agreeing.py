"""Use cases of a contract's words: draft, amend, edit, propose (the plan is computed and frozen), sign, read."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from contracts.audit import acts
from contracts.audit.acts import By
from contracts.audit.chain import append
from contracts.audit.records import Action
from contracts.canonical import digest_of
from contracts.decisions import (
    Contract,
    get_readable_contract,
    is_visible,
    names,
    readable,
    require_acting,
    require_drafter,
    visible_versions,
)
from contracts.drafting import check_amendment, check_draft
from contracts.lifecycle import (
    Status,
    Transition,
    find_current,
    find_suspension,
    is_signed,
    require_legal,
    status_of,
    statuses_of,
    suspended_populations,
    waiting_for,
)
from contracts.parties import Caller, JsonObject
from contracts.ports import Clock, Database, Stores
from contracts.records import ContractEvent, ContractRecord, EventKind, History, Signature, Stage
from contracts.refusals import (
    AlreadyExists,
    ContractNotFound,
    DraftChanged,
    NotADraft,
    NotProposed,
    ProposalsTooMany,
)
from contracts.signing import read_header, verify
from contracts.signing_keys import get_usable_key
from contracts.terms import FeedTerms, read_terms, terms_of, write_plan
from privacy.plan_words import explain_plan
from privacy.strategy import make_plan

# So long a draft of an amendment keeps others from drafting theirs.
DRAFT_LASTS: Final = timedelta(days=30)
MAX_UNSIGNED: Final = 10


@dataclass(frozen=True, slots=True)
class ContractView:
    """A contract version as a caller sees it.

    events: those of the time in which the caller was a party, and the suspension that it is under.
    resume_agreed, termination_agreed: the organisations that did, of those whose agreement it takes.
    draft_tag: names the words of a draft, for If-Match (RFC 9110 section 13.1.1); None once it is frozen.
    """

    record: ContractRecord
    status: Status
    waiting_for: tuple[str, ...]
    versions: tuple[tuple[int, Status], ...]
    events: tuple[ContractEvent, ...]
    suspended_populations: tuple[str, ...]
    resume_agreed: tuple[str, ...]
    termination_agreed: tuple[str, ...]

    @property
    def draft_tag(self) -> str | None:
        return draft_tag(self.record)


def draft_tag(record: ContractRecord) -> str | None:
    return digest_of(record.document) if record.stage is Stage.DRAFT else None


class Agreeing:
    """Drafting, amending, proposing and signing contracts. statistics, max_cells: as `check_draft` takes them."""

    def __init__(self, database: Database, clock: Clock, statistics: frozenset[str], max_cells: int) -> None:
        self._database = database
        self._clock = clock
        self._statistics = statistics
        self._max_cells = max_cells

    def draft(self, caller: Caller, document: JsonObject) -> ContractView:
        """Store the draft of a first version. Raises ContractInvalid, or AlreadyExists when the id is taken."""
        with self._database.writing() as stores:
            check_amendment(document, ())
            self._check(stores, caller, document)
            record = self._new_draft(caller, document)
            stores.contracts.add(record)
            append(stores, record.drafted_at, acts.drafted(Action.CONTRACT_DRAFTED, By.caller(caller), record))
        return self._view(History((record,)), record, caller)

    def amend(self, caller: Caller, contract_id: str, document: JsonObject) -> ContractView:
        """Store the draft of the next version; the one in force stays so until all have signed the new one.

        Raises ContractNotFound, TransitionIllegal, ProposalsTooMany, ContractInvalid, or AlreadyExists while there is
        a draft that has not lapsed.
        """
        now = self._clock.now()
        with self._database.writing() as stores:
            contract = self._locked(stores, caller, contract_id)
            require_legal(contract.status(now), Transition.AMEND)
            require_acting(contract, now)
            history = self._without_lapsed(stores, caller, contract.history)
            _require_few_unsigned(history, caller)
            check_amendment(document, history.versions)
            self._check(stores, caller, document)
            record = self._new_draft(caller, document)
            stores.contracts.add(record)
            append(stores, record.drafted_at, acts.drafted(Action.CONTRACT_DRAFTED, By.caller(caller), record))
        return self._view(replace(history, versions=(*history.versions, record)), record, caller)

    def edit(
        self, caller: Caller, contract_id: str, document: JsonObject, if_match: Collection[str] | None
    ) -> ContractView:
        """Put another document in place of the draft whose tag is one of `if_match`; None for whatever it is.

        Raises ContractNotFound, NotADraft, DraftChanged, ContractInvalid.
        """
        with self._database.writing() as stores:
            history, draft = self._get_draft(stores, caller, contract_id, if_match)
            check_amendment(document, history.versions[:-1], contract_id)
            self._check(stores, caller, document)
            edited = replace(draft, document=document)
            stores.contracts.replace_draft(edited)
            append(stores, self._clock.now(), acts.drafted(Action.DRAFT_REPLACED, By.caller(caller), edited))
        return self._view(_with(history, edited), edited, caller)

    def discard(self, caller: Caller, contract_id: str, if_match: Collection[str] | None) -> None:
        """Delete the draft whose tag is one of `if_match`; None for whatever it is.

        Raises ContractNotFound, NotADraft, DraftChanged.
        """
        with self._database.writing() as stores:
            _, draft = self._get_draft(stores, caller, contract_id, if_match)
            stores.contracts.discard_draft(draft.id, draft.version)
            append(stores, self._clock.now(), acts.drafted(Action.DRAFT_DELETED, By.caller(caller), draft))

    def propose(self, caller: Caller, contract_id: str, if_match: Collection[str] | None = None) -> ContractView:
        """Compute the plan of every feed and freeze the document with it. if_match: as `edit` takes it.

        Raises ContractNotFound, NotTheDrafter, NotADraft, DraftChanged, TransitionIllegal, ContractInvalid.
        """
        with self._database.writing() as stores:
            history, draft = self._get_draft(stores, caller, contract_id, if_match)
            self._require_amendable(history, caller)
            # Anew: versions before it may have been signed since it was drafted.
            check_amendment(draft.document, history.versions[:-1], contract_id)
            self._check(stores, caller, draft.document)
            document = with_plans(draft.document)
            now = self._clock.now()
            proposed = replace(
                draft, stage=Stage.PROPOSED, document=document, digest=digest_of(document), proposed_at=now
            )
            stores.contracts.replace_draft(proposed)
            append(stores, now, acts.proposed(By.caller(caller), proposed))
        return self._view(_with(history, proposed), proposed, caller)

    def sign(self, caller: Caller, contract_id: str, detached: str) -> ContractView:
        """Add the signature of the caller's organisation to the newest proposed version.

        Raises ContractNotFound, NotProposed, SignatureInvalid, AlreadyExists.
        """
        with self._database.writing() as stores:
            contract = self._locked(stores, caller, contract_id)
            record = self._get_signable(contract, caller)
            key = get_usable_key(stores, caller.organisation, read_header(detached).kid, "/jws")
            signed_by = verify(record.document, detached, key.public_key)
            signature = Signature(
                caller.organisation,
                key.kid,
                key.public_key,
                detached,
                signed_by.signer_name,
                signed_by.signer_title,
                self._clock.now(),
            )
            stores.contracts.add_signature(record.id, record.version, signature)
            append(stores, signature.signed_at, acts.signed(By.caller(caller), record, signature))
        signed = replace(record, signatures=(*record.signatures, signature))
        return self._view(_with(contract.history, signed), signed, caller)

    def get(self, caller: Caller, contract_id: str, version: int | None = None) -> ContractView:
        """The version named, or the one that acts now, or else the newest there is for the caller.

        Raises ContractNotFound.
        """
        with self._database.reading() as stores:
            contract = get_readable_contract(stores, caller, contract_id, self._clock.now(), version)
        return self._view(contract.history, contract.record, caller)

    def _without_lapsed(self, stores: Stores, caller: Caller, history: History) -> History:
        """The history in which the caller's draft may come next: a draft that lapsed is deleted for it."""
        newest = history.versions[-1]
        if newest.stage is not Stage.DRAFT:
            return history
        lapses = newest.drafted_at + DRAFT_LASTS
        if self._clock.now() < lapses or newest.drafted_by == caller.organisation:
            raise AlreadyExists(
                f"Version {newest.version} of this contract is being drafted by {newest.drafted_by}; it is to be "
                f"proposed or discarded first. From {lapses.isoformat()} on another party's draft may take its place."
            )
        stores.contracts.discard_draft(newest.id, newest.version)
        append(stores, self._clock.now(), acts.drafted(Action.DRAFT_DELETED, By.caller(caller), newest))
        return replace(history, versions=history.versions[:-1])

    def _require_amendable(self, history: History, caller: Caller) -> None:
        """For a proposal: by a party of the version that acts now, unless it is the first. Raises TransitionIllegal."""
        now = self._clock.now()
        current = find_current(history, now)
        if current is not None:
            require_legal(status_of(history, current, now), Transition.AMEND)
            require_acting(readable(history, caller, now), now)

    def _new_draft(self, caller: Caller, document: JsonObject) -> ContractRecord:
        now = self._clock.now()
        return ContractRecord(
            document["id"], document["version"], Stage.DRAFT, document, None, caller.organisation, now
        )

    def _check(self, stores: Stores, caller: Caller, document: JsonObject) -> None:
        check_draft(
            document,
            stores,
            drafted_by=caller.organisation,
            statistics=self._statistics,
            max_cells=self._max_cells,
            today=self._clock.now().date(),
        )

    def _locked(self, stores: Stores, caller: Caller, contract_id: str) -> Contract:
        return readable(stores.contracts.lock(contract_id), caller, self._clock.now())

    def _get_draft(
        self, stores: Stores, caller: Caller, contract_id: str, if_match: Collection[str] | None
    ) -> tuple[History, ContractRecord]:
        """The newest version, if it is the caller's draft, and the one that is meant."""
        contract = self._locked(stores, caller, contract_id)
        newest = contract.history.versions[-1]
        if newest.stage is not Stage.DRAFT or newest.drafted_by != caller.organisation:
            require_drafter(contract.record, caller)
            raise NotADraft("The contract was proposed before; its document no longer changes. Amend it instead.")
        if if_match is not None and draft_tag(newest) not in if_match:
            raise DraftChanged("The draft has changed since you read it; read it again, and then decide.")
        return contract.history, newest

    def _get_signable(self, contract: Contract, caller: Caller) -> ContractRecord:
        """The newest proposed version, which alone can be signed."""
        proposed = [record for record in contract.history.versions if record.stage is Stage.PROPOSED]
        if not proposed:
            raise NotProposed("Only a proposed contract can be signed; its drafter can propose it.")
        record = proposed[-1]
        if not is_visible(contract.history, record, caller.organisation):
            require_legal(contract.status(self._clock.now()), Transition.SIGN)
            raise ContractNotFound("There is no such contract among those you are a party to.")
        if any(signature.organisation == caller.organisation for signature in record.signatures):
            raise AlreadyExists("Your organisation has signed this version already.")
        require_legal(Contract(contract.history, record).status(self._clock.now()), Transition.SIGN)
        return record

    def _view(self, history: History, record: ContractRecord, caller: Caller) -> ContractView:
        contract, proposed = Contract(history, record), record.stage is Stage.PROPOSED
        statuses = statuses_of(history, self._clock.now())
        status = statuses[record.version]
        return ContractView(
            record=record,
            status=status,
            waiting_for=waiting_for(history, record) if proposed else (),
            versions=tuple(
                (each.version, statuses[each.version]) for each in visible_versions(history, caller.organisation)
            ),
            events=_events_for(history, status, caller) if proposed else (),
            suspended_populations=suspended_populations(history, terms_of(record))
            if status not in _NOT_BINDING
            else (),
            resume_agreed=contract.agreed_to(EventKind.RESUME_AGREED) if proposed else (),
            termination_agreed=contract.agreed_to(EventKind.TERMINATION_AGREED) if proposed else (),
        )


def _require_few_unsigned(history: History, caller: Caller) -> None:
    """One party alone cannot use up the versions that a contract may have. Raises ProposalsTooMany."""
    last = max((record.version for record in history.versions if is_signed(history, record)), default=0)
    own = [each for each in history.versions if each.version > last and each.drafted_by == caller.organisation]
    if len(own) >= MAX_UNSIGNED:
        raise ProposalsTooMany(
            f"Your organisation has proposed {len(own)} versions since the last that all signed, which is the most. "
            "Have all sign the newest one, or have another party propose the next."
        )


# What becomes of a population is nothing to those who are not bound any more, or not yet.
_NOT_BINDING: Final = (Status.DRAFT, Status.PROPOSED, Status.EXPIRED, Status.TERMINATED, Status.SUPERSEDED)


def _events_for(history: History, status: Status, caller: Caller) -> tuple[ContractEvent, ...]:
    """Who left a contract reads no more of what happens to it, and who joined it nothing of before."""
    own = {record.version for record in history.versions if names(record, caller.organisation)}
    suspension = find_suspension(history) if status is Status.SUSPENDED else None
    return tuple(event for event in history.events if event.contract_version in own or event is suspension)


def with_plans(document: JsonObject) -> JsonObject:
    """The document with a measurement plan in every feed, made from the document alone."""
    terms = read_terms(document)
    planned = [
        {**feed, "plan": _plan_of(feed_terms)} for feed, feed_terms in zip(document["feeds"], terms.feeds, strict=True)
    ]
    return {**document, "feeds": planned}


def _plan_of(feed: FeedTerms) -> JsonObject:
    plan = make_plan(feed.design, feed.charge_nano)
    return write_plan(plan, explain_plan(feed.design, plan))


def _with(history: History, record: ContractRecord) -> History:
    versions = tuple(record if each.version == record.version else each for each in history.versions)
    return replace(history, versions=versions)
