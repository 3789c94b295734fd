"""Who may do what under a contract, decided in one order: party, then status, then terms; first failure wins.

Token and scope are decided at the door, before these. Nothing here looks at data.
"""

from datetime import date

from contracts.parties import Caller
from contracts.periods import NotAPeriod, Period
from contracts.ports import Stores
from contracts.records import ContractRecord, Stage
from contracts.refusals import (
    ContractNotFound,
    Fault,
    FeedNotFound,
    NotGranted,
    NotTheDrafter,
    NotTheProvider,
    PeriodNotOver,
    PeriodOutsideContract,
    PlanNotOfContract,
)
from contracts.terms import FeedTerms, Grant, Party, Terms, terms_of
from privacy.plan import PlanNotSound


def get_visible_contract(stores: Stores, caller: Caller, contract_id: str) -> ContractRecord:
    """The contract, if the caller may know of it: drafts by their drafter, the others by their parties.

    Raises ContractNotFound, the same for a contract that is not there and one that is not the caller's.
    """
    record = stores.contracts.find(contract_id)
    if record is None or not is_visible(record, caller.organisation):
        raise ContractNotFound("There is no such contract among those you are a party to.")
    return record


def is_visible(record: ContractRecord, organisation: str) -> bool:
    if record.stage is Stage.DRAFT:
        return record.drafted_by == organisation
    return terms_of(record).find_party(organisation) is not None


def require_drafter(record: ContractRecord, caller: Caller) -> None:
    """Raises NotTheDrafter."""
    if record.drafted_by != caller.organisation:
        raise NotTheDrafter("Only the party that drafted the contract can propose it.")


def get_party(terms: Terms, caller: Caller) -> Party:
    """The caller's part in the contract. Raises ContractNotFound for a foreigner."""
    party = terms.find_party(caller.organisation)
    if party is None:
        raise ContractNotFound("There is no such contract among those you are a party to.")
    return party


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


def get_grant(terms: Terms, party: Party, statistic: str) -> Grant:
    """The grant under which the party may ask. Raises NotGranted with the statistics it may ask."""
    grant = terms.find_grant(party.role)
    if grant is None or statistic not in grant.statistics:
        granted = list(grant.statistics) if grant else []
        raise NotGranted(f"The contract does not grant {statistic} to the {party.role}.", granted=granted)
    return grant
