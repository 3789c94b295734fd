"""Use cases of a contract's life after it was signed: suspend, resume, terminate; and of a population's, everywhere.

Any party suspends by itself, at once. To resume takes all who are bound, or the operator with a recorded reason; to
terminate likewise. A population is suspended under every contract by one command of its owner or of the operator,
and each of the two lifts its own suspension only.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts.audit.acts import CONSOLE, drafted, happened, population_moved, population_moved_under
from contracts.audit.chain import append as audit
from contracts.audit.records import Action
from contracts.decisions import Contract, get_party, readable, require_acting
from contracts.lifecycle import (
    LEGAL,
    Status,
    Transition,
    find_current,
    find_suspension,
    holders,
    require_legal,
    suspenders,
)
from contracts.parties import Caller, Population, Role
from contracts.ports import Clock, Database, Stores
from contracts.records import ContractEvent, ContractRecord, EventKind, History, PopulationEvent, Stage
from contracts.refusals import AlreadyAgreed, ContractNotFound, NotADraft, PopulationNotFound, TransitionIllegal
from contracts.terms import terms_of


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a party by one of its clients, or the operator (None)."""

    organisation: str | None
    client: str


OPERATOR: Final = Actor(None, "console")


@dataclass(frozen=True, slots=True)
class Stands:
    """Where a contract stands after what was done. waiting_for: whose agreement is still missing."""

    contract_id: str
    version: int
    status: Status
    waiting_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PopulationStands:
    """suspended_by: organisations, and `operator`; empty when it is not suspended."""

    population: str
    suspended_by: tuple[str, ...]


def actor_of(operator: Caller) -> Actor:
    """The operator by one of its clients."""
    return Actor(None, operator.client)


def _party(caller: Caller) -> Actor:
    return Actor(caller.organisation, caller.client)


class Suspending:
    """What stops a contract, and lets it go on."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def suspend(self, caller: Caller, contract_id: str, reason: str) -> Stands:
        """From the next request on nothing is answered or taken under it.

        Raises ContractNotFound, TransitionIllegal.
        """
        return self._act(caller, contract_id, Transition.SUSPEND, EventKind.SUSPENDED, reason)

    def resume(self, caller: Caller, contract_id: str, reason: str) -> Stands:
        """Agree to resume; it resumes when all have agreed since it was suspended.

        Raises ContractNotFound, TransitionIllegal, AlreadyAgreed.
        """
        return self._act(caller, contract_id, Transition.RESUME, EventKind.RESUME_AGREED, reason)

    def terminate(self, caller: Caller, contract_id: str, reason: str) -> Stands:
        """Agree to terminate; it ends, for good, when all have agreed.

        Raises ContractNotFound, TransitionIllegal, AlreadyAgreed.
        """
        return self._act(caller, contract_id, Transition.TERMINATE, EventKind.TERMINATION_AGREED, reason)

    def suspend_as_operator(self, actor: Actor, contract_id: str, reason: str) -> Stands:
        """Raises ContractNotFound, TransitionIllegal."""
        return self._operate(actor, contract_id, Transition.SUSPEND, EventKind.SUSPENDED, reason)

    def resume_as_operator(self, actor: Actor, contract_id: str, reason: str) -> Stands:
        """In place of the agreement of all. Raises ContractNotFound, TransitionIllegal."""
        return self._operate(actor, contract_id, Transition.RESUME, EventKind.RESUMED, reason)

    def terminate_as_operator(self, actor: Actor, contract_id: str, reason: str) -> Stands:
        """In place of the agreement of all. Raises ContractNotFound, TransitionIllegal."""
        return self._operate(actor, contract_id, Transition.TERMINATE, EventKind.TERMINATED, reason)

    def discard_as_operator(self, contract_id: str, reason: str) -> ContractRecord:
        """Delete the draft that the contract has, whoever wrote it; on record in its drafter's own book.

        Raises ContractNotFound, NotADraft.
        """
        with self._database.writing() as stores:
            history = stores.contracts.lock(contract_id)
            if history is None:
                raise ContractNotFound("There is no contract of this id.")
            draft = history.versions[-1]
            if draft.stage is not Stage.DRAFT:
                raise NotADraft("The contract has no draft; what was proposed stays.")
            stores.contracts.discard_draft(draft.id, draft.version)
            act = drafted(Action.DRAFT_DELETED, CONSOLE, draft, reason)
            audit(stores, self._clock.now(), act)
        return draft

    def suspend_own_population(self, caller: Caller, population_id: str, reason: str) -> PopulationStands:
        """As its owner. Raises PopulationNotFound, TransitionIllegal."""
        return self._move_population(_party(caller), population_id, EventKind.SUSPENDED, reason)

    def resume_own_population(self, caller: Caller, population_id: str, reason: str) -> PopulationStands:
        """As its owner. Raises PopulationNotFound, TransitionIllegal."""
        return self._move_population(_party(caller), population_id, EventKind.RESUMED, reason)

    def suspend_population(self, actor: Actor, population_id: str, reason: str) -> PopulationStands:
        """Suspend every contract that draws on it. Raises PopulationNotFound, TransitionIllegal."""
        return self._move_population(actor, population_id, EventKind.SUSPENDED, reason)

    def resume_population(self, actor: Actor, population_id: str, reason: str) -> PopulationStands:
        """Lift the actor's own suspension. Raises PopulationNotFound, TransitionIllegal."""
        return self._move_population(actor, population_id, EventKind.RESUMED, reason)

    def _act(self, caller: Caller, contract_id: str, transition: Transition, kind: EventKind, reason: str) -> Stands:
        now = self._clock.now()
        with self._database.writing() as stores:
            contract = readable(stores.contracts.lock(contract_id), caller, now)
            get_party(contract.terms, caller)
            require_legal(contract.status(now), transition)
            require_acting(contract, now)
            _require_unsuspended_by(contract, transition, caller.organisation)
            _require_new(contract, transition, kind, caller)
            history = _append(stores, contract, _party(caller), kind, reason, now)
            return self._completed(stores, Contract(history, contract.record), caller, now)

    def _completed(self, stores: Stores, contract: Contract, caller: Caller, now: datetime) -> Stands:
        """What all have agreed to is done in the same step."""
        for agreed, done in _DONE_BY_ALL.items():
            if contract.agreed_to(agreed) and not _missing(contract, agreed):
                history = _append(stores, contract, _party(caller), done, "all agreed", now)
                contract = Contract(history, contract.record)
        return _stands(contract, now)

    def _operate(self, actor: Actor, contract_id: str, transition: Transition, kind: EventKind, reason: str) -> Stands:
        now = self._clock.now()
        with self._database.writing() as stores:
            history = stores.contracts.lock(contract_id)
            current = None if history is None else find_current(history, now)
            if history is None or current is None:
                raise ContractNotFound("There is no contract of this id that was ever proposed.")
            contract = Contract(history, current)
            require_legal(contract.status(now), transition)
            _require_unsuspended_by(contract, transition, None)
            if transition is Transition.RESUME:
                _require_contract_suspended(contract)
            history = _append(stores, contract, actor, kind, reason, now)
            return _stands(Contract(history, current), now)

    def _move_population(self, actor: Actor, population_id: str, kind: EventKind, reason: str) -> PopulationStands:
        with self._database.writing() as stores:
            population = stores.parties.find_population(population_id)
            if population is None or actor.organisation not in (None, population.organisation):
                raise PopulationNotFound("There is no population of this name among yours.")
            drawing = _drawing_on(stores, population, self._clock.now())
            for record in sorted(drawing, key=lambda record: record.id):
                stores.contracts.lock(record.id)  # before the population: as a submission holds them
            stores.parties.lock_population(population_id)
            events = stores.parties.population_events(population_id)
            _require_population_legal(suspenders(events), actor, kind)
            event = PopulationEvent(
                population_id, len(events) + 1, kind, actor.organisation, actor.client, reason, self._clock.now()
            )
            stores.parties.add_population_event(event)
            told = [population_moved_under(event, record) for record in drawing]
            audit(stores, event.recorded_at, population_moved(event, population.organisation), *told)
            held = suspenders([*events, event])
        return PopulationStands(population_id, tuple(sorted(name or Role.OPERATOR.value for name in held)))


_DONE_BY_ALL: Final = {
    EventKind.RESUME_AGREED: EventKind.RESUMED,
    EventKind.TERMINATION_AGREED: EventKind.TERMINATED,
}


def _drawing_on(stores: Stores, population: Population, now: datetime) -> list[ContractRecord]:
    """Of every contract that names the population the version whose parties it concerns: the one that acts for the
    contract, so that whoever is named in a mere proposal reads no reason; else the newest that names it."""
    found = []
    for history in stores.contracts.list_histories(population.organisation):
        naming = [
            record
            for record in history.versions
            if record.stage is Stage.PROPOSED
            and any(party.population == population.id for party in terms_of(record).parties)
        ]
        if naming:
            current = find_current(history, now)
            found.append(current if current in naming else naming[-1])
    return found


def _append(stores: Stores, contract: Contract, actor: Actor, kind: EventKind, reason: str, now: datetime) -> History:
    history, record = contract.history, contract.record
    event = ContractEvent(
        record.id, len(history.events) + 1, record.version, kind, actor.organisation, actor.client, reason, now
    )
    stores.contracts.add_event(event)
    audit(stores, now, happened(event))
    return History(history.versions, (*history.events, event), history.population_events)


def _require_new(contract: Contract, transition: Transition, kind: EventKind, caller: Caller) -> None:
    if transition is Transition.RESUME:
        _require_contract_suspended(contract)
    if caller.organisation in contract.agreed_to(kind):
        missing = ", ".join(_missing(contract, kind))
        raise AlreadyAgreed(f"Your organisation has agreed already; still to agree: {missing}.")


def _require_unsuspended_by(contract: Contract, transition: Transition, organisation: str | None) -> None:
    """Nobody suspends what it holds suspended already, unless to withdraw what was agreed since."""
    agreed = contract.agreed_to(EventKind.RESUME_AGREED) or contract.agreed_to(EventKind.TERMINATION_AGREED)
    if transition is not Transition.SUSPEND or agreed or organisation not in holders(contract.history):
        return
    legal = [step.value for step in LEGAL[Status.SUSPENDED] if step is not Transition.SUSPEND]
    raise TransitionIllegal(
        "You suspended the contract before, and nothing was agreed since that a second suspension would withdraw. "
        f"What can be done now: {', '.join(legal)}.",
        contract_status=Status.SUSPENDED.value,
        legal_now=legal,
    )


def _require_contract_suspended(contract: Contract) -> None:
    if find_suspension(contract.history) is None:
        raise TransitionIllegal(
            "The contract itself is not suspended. A population that it draws on is, which whoever did it resumes.",
            contract_status=Status.SUSPENDED.value,
            legal_now=[Transition.AMEND.value, Transition.SUSPEND.value, Transition.TERMINATE.value],
        )


def _require_population_legal(held: frozenset[str | None], actor: Actor, kind: EventKind) -> None:
    suspended = actor.organisation in held
    if suspended == (kind is EventKind.SUSPENDED):
        word = "is suspended by you already" if suspended else "is not suspended by you"
        legal = Transition.RESUME if suspended else Transition.SUSPEND
        raise TransitionIllegal(f"The population {word}. What can be done now: {legal.value}.", legal_now=[legal.value])


def _missing(contract: Contract, kind: EventKind) -> tuple[str, ...]:
    agreed = contract.agreed_to(kind)
    return tuple(party.organisation for party in contract.terms.parties if party.organisation not in agreed)


def _stands(contract: Contract, now: datetime) -> Stands:
    status = contract.status(now)
    waiting: tuple[str, ...] = ()
    for kind in (EventKind.TERMINATION_AGREED, EventKind.RESUME_AGREED):
        if status is not Status.TERMINATED and contract.agreed_to(kind):
            waiting = _missing(contract, kind)
    return Stands(contract.record.id, contract.record.version, status, waiting)
