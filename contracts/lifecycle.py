"""Where a contract stands. Nothing stores a status: it follows from what was written, signed and done, and the date.

    draft -> proposed -> signed -> in_force <-> suspended
    proposed, signed, in_force, suspended -> expired (by date) or terminated (all agree, or the operator)
    every version before the newest one that was ever in force, and every proposal before a newer one -> superseded

A version binds once all its signers have signed, from the first instant of its effective date to the last of its
expiry date, in UTC. A version that binds supersedes those before it; until then they stay as they are. Nothing that
comes after a termination changes what was terminated.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

from contracts.records import ContractEvent, ContractRecord, EventKind, History, PopulationEvent, Stage
from contracts.refusals import ContractNotInForce, TransitionIllegal
from contracts.terms import Terms, terms_of


class Status(StrEnum):
    """The states a contract version can be in."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    SIGNED = "signed"
    IN_FORCE = "in_force"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    TERMINATED = "terminated"
    SUPERSEDED = "superseded"


class Transition(StrEnum):
    """What can be done to a contract. A date does the rest."""

    EDIT = "edit"
    DISCARD = "discard"
    PROPOSE = "propose"
    SIGN = "sign"
    AMEND = "amend"
    SUSPEND = "suspend"
    RESUME = "resume"
    TERMINATE = "terminate"


LEGAL: Final[dict[Status, tuple[Transition, ...]]] = {
    Status.DRAFT: (Transition.EDIT, Transition.DISCARD, Transition.PROPOSE),
    Status.PROPOSED: (Transition.SIGN, Transition.AMEND, Transition.TERMINATE),
    Status.SIGNED: (Transition.AMEND, Transition.SUSPEND, Transition.TERMINATE),
    Status.IN_FORCE: (Transition.AMEND, Transition.SUSPEND, Transition.TERMINATE),
    Status.SUSPENDED: (Transition.AMEND, Transition.SUSPEND, Transition.RESUME, Transition.TERMINATE),
    Status.EXPIRED: (),
    Status.TERMINATED: (),
    Status.SUPERSEDED: (),
}
_WHY_NOT: Final = {
    Status.DRAFT: "it is a draft; its drafter can propose it",
    Status.PROPOSED: "not every party has signed it",
    Status.SIGNED: "every party has signed it, and its effective date has not come",
    Status.EXPIRED: "its expiry date has passed",
    Status.TERMINATED: "it was terminated",
    Status.SUPERSEDED: "a later version took its place",
}


def status_of(history: History, record: ContractRecord, now: datetime) -> Status:
    """Where one version stands."""
    return statuses_of(history, now)[record.version]


def statuses_of(history: History, now: datetime) -> dict[int, Status]:
    """Where each version stands, in one pass: a contract may have many."""
    signers = signers_by_version(history)
    binding = find_binding(history, now)
    newest = max(signers, default=0)
    found = {}
    for record in history.versions:
        if record.stage is Stage.DRAFT:
            found[record.version] = Status.DRAFT
            continue
        signed = not _unsigned(record, signers[record.version])
        overtaken = record.version < newest and not signed
        superseded = overtaken or (binding is not None and record.version < binding.version)
        found[record.version] = Status.SUPERSEDED if superseded else _status(history, record, now, signed)
    return found


def _status(history: History, record: ContractRecord, now: datetime, signed: bool) -> Status:
    """Of a proposed version that no other took the place of."""
    terms, today = terms_of(record), day_of(now)
    if day_of(_end(history, now)) > terms.expires:  # what had expired before a termination stays so
        return Status.EXPIRED
    if is_terminated(history):
        return Status.TERMINATED
    if not signed:
        return Status.PROPOSED
    if is_suspended(history, terms):
        return Status.SUSPENDED
    return Status.IN_FORCE if today >= terms.effective else Status.SIGNED


def day_of(now: datetime) -> date:
    """The day that an instant belongs to, in UTC wherever it was read."""
    return now.astimezone(UTC).date()


def find_binding(history: History, now: datetime) -> ContractRecord | None:
    """The newest version that all have signed and whose effective date has come, whatever happened to it since."""
    today = day_of(_end(history, now))
    return next((record for record in _signed(history) if today >= terms_of(record).effective), None)


def find_current(history: History, now: datetime) -> ContractRecord | None:
    """The version that acts for the contract: the binding one, or else the newest that all have signed, or else the
    newest proposed; None for mere drafts."""
    proposed = (record for record in reversed(history.versions) if record.stage is Stage.PROPOSED)
    return find_binding(history, now) or next(_signed(history), None) or next(proposed, None)


def is_signed(history: History, record: ContractRecord) -> bool:
    """Whether all who must sign this version have."""
    return record.stage is Stage.PROPOSED and not waiting_for(history, record)


def signers_of(history: History, record: ContractRecord) -> tuple[str, ...]:
    """Who must sign a proposed version: its parties, and those of the versions that it takes the place of, for nobody
    is written out of a contract without agreeing to it."""
    return signers_by_version(history)[record.version]


def waiting_for(history: History, record: ContractRecord) -> tuple[str, ...]:
    """Those who must sign this version and have not."""
    return _unsigned(record, signers_of(history, record))


def _end(history: History, now: datetime) -> datetime:
    """When the contract was terminated, or else now: its versions stand as they did then."""
    ended = next((event.recorded_at for event in history.events if event.kind is EventKind.TERMINATED), now)
    return min(now, ended)


def is_terminated(history: History) -> bool:
    return any(event.kind is EventKind.TERMINATED for event in history.events)


def is_suspended(history: History, terms: Terms) -> bool:
    return find_suspension(history) is not None or bool(suspended_populations(history, terms))


def find_suspension(history: History) -> ContractEvent | None:
    """The suspension of the contract that is in effect, the latest if there are several."""
    for event in reversed(history.events):
        if event.kind is EventKind.RESUMED:
            return None
        if event.kind is EventKind.SUSPENDED:
            return event
    return None


def holders(history: History) -> frozenset[str | None]:
    """Who suspended the contract since it was last resumed; None for the operator."""
    held: set[str | None] = set()
    for event in history.events:
        if event.kind is EventKind.RESUMED:
            held.clear()
        elif event.kind is EventKind.SUSPENDED:
            held.add(event.organisation)
    return frozenset(held)


def suspended_populations(history: History, terms: Terms) -> tuple[str, ...]:
    """The contract's populations that are suspended everywhere."""
    return tuple(
        party.population
        for party in terms.parties
        if suspenders(event for event in history.population_events if event.population == party.population)
    )


def suspenders(events: Iterable[PopulationEvent]) -> frozenset[str | None]:
    """Who holds a population suspended: its owner, the operator (None), or both. Each lifts its own only."""
    held: set[str | None] = set()
    for event in events:
        if event.kind is EventKind.SUSPENDED:
            held.add(event.organisation)
        else:
            held.discard(event.organisation)
    return frozenset(held)


def agreed_to(history: History, version: int, kind: EventKind) -> tuple[str, ...]:
    """The organisations that agreed to resume, or to terminate, while this version acted for the contract. A suspension
    or resumption withdraws what was agreed before it."""
    agreed: list[str] = []
    for event in history.events:
        if event.kind in (EventKind.SUSPENDED, EventKind.RESUMED):
            agreed.clear()
        elif event.kind is kind and event.contract_version == version and event.organisation is not None:
            agreed.append(event.organisation)
    return tuple(agreed)


def require_legal(status: Status, transition: Transition) -> None:
    """Raises TransitionIllegal, which says what is legal now."""
    legal = LEGAL[status]
    if transition not in legal:
        now = f"What can be done now: {', '.join(legal)}." if legal else "Nothing more can be done to it."
        raise TransitionIllegal(
            f"A contract that is {status.replace('_', ' ')} cannot be {_DONE[transition]}. {now}",
            contract_status=status.value,
            legal_now=[step.value for step in legal],
        )


def require_in_force(history: History, record: ContractRecord, now: datetime) -> Terms:
    """The terms, if they bind now. Raises ContractNotInForce."""
    status = status_of(history, record, now)
    if status is Status.IN_FORCE:
        return terms_of(record)
    why = _why_suspended(history, terms_of(record)) if status is Status.SUSPENDED else _WHY_NOT[status]
    raise ContractNotInForce(f"The contract is not in force: {why}.", contract_status=status.value)


_DONE: Final = {
    Transition.EDIT: "edited",
    Transition.DISCARD: "discarded",
    Transition.PROPOSE: "proposed",
    Transition.SIGN: "signed",
    Transition.AMEND: "amended",
    Transition.SUSPEND: "suspended",
    Transition.RESUME: "resumed",
    Transition.TERMINATE: "terminated",
}


def _why_suspended(history: History, terms: Terms) -> str:
    event = find_suspension(history)
    if event is None:
        return f"the population {suspended_populations(history, terms)[0]} is suspended, and who did that resumes it"
    who, day = event.organisation or "the operator", event.recorded_at.date()
    return f"{who} suspended it on {day}; it resumes when all parties, or the operator, resume it"


def signers_by_version(history: History) -> dict[int, tuple[str, ...]]:
    """Of every proposed version who must sign it.

    A version takes the place of all before it that all have signed: of the newest one that is effective no later than
    itself, and of those after that one, which were to follow and no longer will.
    """
    found: dict[int, tuple[str, ...]] = {}
    signed: list[Terms] = []
    for record in history.versions:
        if record.stage is Stage.PROPOSED:
            terms = terms_of(record)
            parties = [party.organisation for party in terms.parties]
            for earlier in reversed(signed):
                parties += [party.organisation for party in earlier.parties]
                if earlier.effective <= terms.effective:
                    break
            found[record.version] = tuple(dict.fromkeys(parties))
            if not _unsigned(record, found[record.version]):
                signed.append(terms)
    return found


def _signed(history: History) -> Iterator[ContractRecord]:
    """The versions that all have signed, newest first."""
    signers = signers_by_version(history)
    for record in reversed(history.versions):
        if record.stage is Stage.PROPOSED and not _unsigned(record, signers[record.version]):
            yield record


def _unsigned(record: ContractRecord, signers: Iterable[str]) -> tuple[str, ...]:
    signed = {signature.organisation for signature in record.signatures}
    return tuple(name for name in signers if name not in signed)
