"""Who may do what under a contract, decided in one order: party, authorization_details, status, version, then terms;
first failure wins.

Token and scope are decided at the door, before these. Nothing here looks at data.
"""

from dataclasses import dataclass
from datetime import date, datetime

from contracts.in_force import InForce, versions_in_force
from contracts.lifecycle import (
    LEGAL,
    Status,
    Transition,
    agreed_to,
    find_current,
    require_in_force,
    signers_by_version,
    signers_of,
    status_of,
)
from contracts.parties import Caller
from contracts.periods import NotAPeriod, Period
from contracts.ports import Stores
from contracts.records import ContractRecord, EventKind, History, ReleaseRecord, Stage
from contracts.refusals import (
    ContractNotFound,
    ContractVersionOther,
    Fault,
    FeedNotFound,
    NotTheDrafter,
    NotTheProvider,
    PeriodNotOver,
    PeriodOutsideContract,
    PlanNotOfContract,
    TokenNarrowed,
    TransitionIllegal,
)
from contracts.terms import FeedTerms, Party, Terms, terms_of
from privacy.plan import PlanNotSound


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of a contract, with all that decides where it stands."""

    history: History
    record: ContractRecord

    @property
    def terms(self) -> Terms:
        return terms_of(self.record)

    def get_version(self, number: int) -> ContractRecord:
        """Raises KeyError."""
        return {record.version: record for record in self.history.versions}[number]

    def status(self, now: datetime) -> Status:
        return status_of(self.history, self.record, now)

    def require_in_force(self, now: datetime) -> Terms:
        """The terms, if they bind now. Raises ContractNotInForce."""
        return require_in_force(self.history, self.record, now)

    def agreed_to(self, kind: EventKind) -> tuple[str, ...]:
        """Who agreed to resume, or to terminate, under this version."""
        return agreed_to(self.history, self.record.version, kind)

    def versions_with(self, feed: FeedTerms) -> tuple[int, ...]:
        """The versions under which this feed is the same, schema, bounds, k, plan and all: what was released under
        any of them belongs to all of them."""
        return tuple(
            record.version
            for record in self.history.versions
            if record.stage is Stage.PROPOSED
            and (found := terms_of(record).find_feed(feed.name)) is not None
            and found.generation == feed.generation
        )

    def releases(self, stores: Stores) -> list[ReleaseRecord]:
        """What this version's answers follow from: releases of its feeds as they are now, in the order stored. Of those
        too who have left: which pools are open depends on what they had opened, though no answer rests on theirs."""
        same = {feed.name: self.versions_with(feed) for feed in self.terms.feeds}
        return [
            release
            for release in stores.releases.list_for_contract(self.record.id)
            if release.contract_version in same.get(release.feed, ())
        ]

    def versions_in_force(self, now: datetime) -> tuple[InForce, ...]:
        """Those that were ever in force, oldest first."""
        return versions_in_force(self.history, now)


def get_contract(stores: Stores, caller: Caller, contract_id: str, now: datetime) -> Contract:
    """The version that acts for the contract now, to a party of it: the one to ask and to post under.

    Raises ContractNotFound, the same for a contract that is not there and one that is not the caller's; TokenNarrowed.
    """
    history = stores.contracts.find_history(contract_id)
    current = None if history is None else find_current(history, now) or history.versions[-1]
    return _visible(history, current, caller)


def get_readable_contract(
    stores: Stores, caller: Caller, contract_id: str, now: datetime, version: int | None = None
) -> Contract:
    """The version named; or the one that acts now, if the caller is a party to it, and else the newest that it is a
    party to: who left a contract still reads what bound it. Raises ContractNotFound, TokenNarrowed."""
    history = stores.contracts.find_history(contract_id)
    return readable(history, caller, now, version)


def readable(history: History | None, caller: Caller, now: datetime, version: int | None = None) -> Contract:
    """As `get_readable_contract`, of a history at hand."""
    if history is None:
        raise _not_found()
    visible = visible_versions(history, caller.organisation)
    current = find_current(history, now)
    if version is not None:
        chosen = next((record for record in visible if record.version == version), None)
    else:
        own = [record for record in visible if names(record, caller.organisation)]
        chosen = current if current in own else next(reversed(own), None)
    return _visible(history, chosen, caller)


def is_visible(history: History, record: ContractRecord, organisation: str) -> bool:
    """Drafts are seen by their drafter, the others by their parties and whoever else has to sign them."""
    if record.stage is Stage.DRAFT:
        return record.drafted_by == organisation
    return organisation in signers_of(history, record)


def visible_versions(history: History, organisation: str) -> tuple[ContractRecord, ...]:
    """Those that `is_visible` says, in one pass."""
    signers = signers_by_version(history)
    return tuple(
        record
        for record in history.versions
        if (
            record.drafted_by == organisation
            if record.stage is Stage.DRAFT
            else organisation in signers[record.version]
        )
    )


def _visible(history: History | None, record: ContractRecord | None, caller: Caller) -> Contract:
    if history is None or record is None or not is_visible(history, record, caller.organisation):
        raise _not_found()
    require_in_details(caller, record.id)
    return Contract(history, record)


def require_in_details(caller: Caller, contract_id: str) -> None:
    """The token is not narrowed to other contracts, or to other actions on this one. Raises TokenNarrowed.

    After the party check, so that no stranger learns which contracts there are.
    """
    if not caller.may_touch(contract_id):
        raise TokenNarrowed("The authorization_details of the access token do not allow this for this contract.")


def names(record: ContractRecord, organisation: str) -> bool:
    """Whether the organisation is a party to this version."""
    return any(party["organisation"] == organisation for party in record.document["parties"])


def _not_found() -> ContractNotFound:
    return ContractNotFound("There is no such contract among those you are a party to.")


def require_drafter(record: ContractRecord, caller: Caller) -> None:
    """Raises NotTheDrafter."""
    if record.drafted_by != caller.organisation:
        raise NotTheDrafter("Only the party that drafted the contract can propose it.")


def require_acting(contract: Contract, now: datetime) -> None:
    """The caller's version, as `readable` chose it, is the one that acts for the contract. Whoever is named in a
    proposal only is not bound yet: it can end nothing of those who are, nor come before them with words of its own.

    Raises TransitionIllegal.
    """
    current = find_current(contract.history, now)
    if current is not None and current is not contract.record:
        status = contract.status(now)
        own = (Transition.SIGN, Transition.EDIT, Transition.DISCARD)
        legal = [step for step in LEGAL[status] if step in own]
        todo = f"What can be done now: {', '.join(legal)}." if legal else "Nothing more can be done by it."
        raise TransitionIllegal(
            f"Your organisation is a party to version {contract.record.version}, which is not the one that acts for "
            f"the contract now. {todo}",
            contract_status=status.value,
            legal_now=[step.value for step in legal],
        )


def get_party(terms: Terms, caller: Caller) -> Party:
    """The caller's part in the contract. Raises ContractNotFound for a foreigner."""
    party = terms.find_party(caller.organisation)
    if party is None:
        raise _not_found()
    return party


def require_version(record: ContractRecord, wanted: int | None) -> None:
    """Raises ContractVersionOther for what is meant for another version than the one in force."""
    if wanted is not None and wanted != record.version:
        raise ContractVersionOther(
            f"This is meant for another version of the contract; in force is version {record.version}.",
            contract_version=record.version,
        )


def get_feed(terms: Terms, name: str) -> FeedTerms:
    """Raises FeedNotFound with the feeds there are."""
    feed = terms.find_feed(name)
    if feed is None:
        known = [feed.name for feed in terms.feeds]
        raise FeedNotFound(f"This contract has no such feed; it has {', '.join(known)}.", feeds=known)
    return feed


def require_provider(feed: FeedTerms, party: Party) -> None:
    """Raises NotTheProvider for a feed that another role posts."""
    if feed.provider is not party.role:
        raise NotTheProvider(f"The feed {feed.name} is posted by the {feed.provider}, not by the {party.role}.")


def require_own_plan(feed: FeedTerms) -> None:
    """Never draw by a plan that its own contract does not bear out, whoever signed it. Raises PlanNotOfContract."""
    plan = feed.get_plan()
    try:
        plan.verify(feed.dimensions, feed.bounds)
    except PlanNotSound as error:
        raise _not_of_contract(feed, str(error)) from None
    if plan.charge_nano > feed.charge_nano:
        raise _not_of_contract(feed, "a release by it costs more than the ceiling pays for")


def _not_of_contract(feed: FeedTerms, reason: str) -> PlanNotOfContract:
    return PlanNotOfContract(
        f"The measurement plan of {feed.name} does not belong to its contract: {reason}. Nothing is drawn by it; draft "
        "the contract anew, and the exchange makes its plan."
    )


def get_period(feed: FeedTerms, text: str, today: date) -> Period:
    """The period of the feed that the text names. Raises PeriodOutsideContract, or PeriodNotOver while it lasts."""
    try:
        period = Period.parse(text, feed.grain)
    except NotAPeriod as error:
        raise _outside(str(error)) from None
    if period not in feed.periods:
        raise _outside(f"the feed's periods run from {feed.periods.first} to {feed.periods.last}")
    if period.last_day >= today:
        raise PeriodNotOver(f"The period {period} is posted whole, after it has ended.")
    return period


def _outside(message: str) -> PeriodOutsideContract:
    fault = Fault("/period", "period_outside_contract", message)
    return PeriodOutsideContract("The period is not one of the feed's periods.", faults=(fault,))
