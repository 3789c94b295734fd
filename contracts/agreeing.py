"""Use cases of a contract's life: draft, propose (the plan is computed and frozen), sign."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.canonical import digest_of
from contracts.decisions import get_party, get_visible_contract, is_visible, require_drafter
from contracts.drafting import check_draft
from contracts.lifecycle import Status, status_of, waiting_for
from contracts.parties import Caller, JsonObject
from contracts.ports import Clock, Database
from contracts.records import ContractRecord, Signature, Stage
from contracts.refusals import AlreadyExists, Fault, NotADraft, NotProposed, SignatureInvalid
from contracts.signing import read_header, verify
from contracts.terms import FeedTerms, read_terms, terms_of, write_plan
from privacy.plan_words import explain_plan
from privacy.strategy import make_plan


@dataclass(frozen=True, slots=True)
class ContractView:
    """A contract as a caller sees it."""

    record: ContractRecord
    status: Status
    waiting_for: tuple[str, ...]


class Agreeing:
    """Drafting, proposing and signing contracts. statistics, max_cells: as `check_draft` takes them."""

    def __init__(self, database: Database, clock: Clock, statistics: frozenset[str], max_cells: int) -> None:
        self._database = database
        self._clock = clock
        self._statistics = statistics
        self._max_cells = max_cells

    def draft(self, caller: Caller, document: JsonObject) -> ContractView:
        """Store a draft. Raises ContractInvalid, or AlreadyExists when the id is taken."""
        now = self._clock.now()
        with self._database.writing() as stores:
            check_draft(
                document,
                stores,
                drafted_by=caller.organisation,
                statistics=self._statistics,
                max_cells=self._max_cells,
                today=now.date(),
            )
            record = ContractRecord(
                document["id"], document["version"], Stage.DRAFT, document, None, caller.organisation, now
            )
            stores.contracts.add(record)
        return self._view(record)

    def propose(self, caller: Caller, contract_id: str) -> ContractView:
        """Compute the plan of every feed and freeze the document with it.

        Raises ContractNotFound, NotTheDrafter, NotADraft, ContractInvalid.
        """
        now = self._clock.now()
        with self._database.writing() as stores:
            record = get_visible_contract(stores, caller, contract_id)
            require_drafter(record, caller)
            if record.stage is not Stage.DRAFT:
                raise NotADraft("The contract was proposed before; its document no longer changes.")
            check_draft(
                record.document,
                stores,
                drafted_by=caller.organisation,
                statistics=self._statistics,
                max_cells=self._max_cells,
                today=now.date(),
            )
            document = with_plans(record.document)
            proposed = replace(
                record, stage=Stage.PROPOSED, document=document, digest=digest_of(document), proposed_at=now
            )
            if not stores.contracts.freeze(proposed):
                raise NotADraft("The contract was proposed before; its document no longer changes.")
        return self._view(proposed)

    def sign(self, caller: Caller, contract_id: str, detached: str) -> ContractView:
        """Add the caller's organisation's signature.

        Raises ContractNotFound, NotProposed, SignatureInvalid, AlreadyExists.
        """
        with self._database.writing() as stores:
            record = get_visible_contract(stores, caller, contract_id)
            if status_of(record, self._clock.now()) not in (Status.PROPOSED, Status.SIGNED, Status.IN_FORCE):
                raise NotProposed("Only a proposed contract that has not expired can be signed.")
            get_party(terms_of(record), caller)
            if any(signature.organisation == caller.organisation for signature in record.signatures):
                raise AlreadyExists("Your organisation has signed this version already.")
            key = stores.parties.find_signing_key(caller.organisation, read_header(detached).kid)
            if key is None:
                raise _unknown_key()
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
        return self._view(replace(record, signatures=(*record.signatures, signature)))

    def get(self, caller: Caller, contract_id: str) -> ContractView:
        """Raises ContractNotFound."""
        with self._database.reading() as stores:
            return self._view(get_visible_contract(stores, caller, contract_id))

    def list(self, caller: Caller) -> Sequence[ContractView]:
        """The contracts the caller may know of, oldest first."""
        with self._database.reading() as stores:
            records = stores.contracts.list_for(caller.organisation)
        return [self._view(record) for record in records if is_visible(record, caller.organisation)]

    def _view(self, record: ContractRecord) -> ContractView:
        waiting = waiting_for(record, terms_of(record)) if record.stage is Stage.PROPOSED else ()
        return ContractView(record, status_of(record, self._clock.now()), waiting)


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


def _unknown_key() -> SignatureInvalid:
    message = "the kid names no signing key registered for your organisation"
    return SignatureInvalid("The signature was not accepted.", faults=(Fault("/jws", "signing_key_unknown", message),))
