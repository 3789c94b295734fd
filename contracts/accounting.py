"""Statements of loss: what a population's releases have cost, as rho and as epsilon at the contract's delta.

Losses are added as rho and converted once; epsilons are never added. A person who is in several providers' data
incurs the loss of each, so every statement shows "one person in everything" beside it.
"""

from dataclasses import dataclass

from contracts.decisions import get_party, get_visible_contract
from contracts.ledger import Account, Entry
from contracts.lifecycle import Status, status_of
from contracts.parties import Caller
from contracts.ports import Clock, Database
from contracts.records import ContractRecord
from contracts.refusals import ContractNotInForce
from contracts.terms import Terms, terms_of
from privacy.mechanism import epsilon

UNIT = "one person's whole contribution to one provider's population, added or removed"
SEVERAL_PROVIDERS = (
    "A person who is in the data of several providers incurs the loss of each; rho adds up and is converted once."
)


@dataclass(frozen=True, slots=True)
class Loss:
    """An amount of zCDP loss: nano-rho, and the epsilon it implies at `delta`."""

    rho_nano: int
    epsilon: float
    delta: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What one population has spent. lifetime: over all contracts. everything_ceiling: one person in every
    population of this contract, if each spent its whole ceiling under it."""

    population: str
    entries: tuple[Entry, ...]
    granted: Loss
    lifetime: Loss
    under_contract: Loss
    contract_ceiling: Loss
    balance_nano: int
    everything_ceiling: Loss


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What an answer may say of losses to any party: the signed ceilings, never another party's ledger."""

    of_populations: dict[str, Loss]
    everything: Loss


def loss(rho_nano: int, delta: str) -> Loss:
    return Loss(rho_nano, epsilon(rho_nano, float(delta)), delta)


def ceilings(terms: Terms) -> Ceilings:
    """The contract's ceilings by population, and of one person in all of them."""
    nano, delta = terms.privacy.ceilings_nano, terms.privacy.delta
    return Ceilings({name: loss(rho, delta) for name, rho in nano.items()}, loss(sum(nano.values()), delta))


class Accounting:
    """Reads the ledger for the party it belongs to."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def statement(self, caller: Caller, contract_id: str) -> Statement:
        """The caller's own population. Raises ContractNotFound, ContractNotInForce for what was never in force."""
        with self._database.reading() as stores:
            record = get_visible_contract(stores, caller, contract_id)
            _require_once_in_force(record, status_of(record, self._clock.now()))
            terms = terms_of(record)
            party = get_party(terms, caller)
            entries = stores.ledger.entries(party.population)
        return _statement(terms, Account(party.population, entries), party.population, tuple(entries))


def _require_once_in_force(record: ContractRecord, status: Status) -> None:
    """A ledger stays readable when its contract has expired."""
    if status not in (Status.IN_FORCE, Status.EXPIRED):
        raise ContractNotInForce("The contract is not in force, so nothing was debited under it yet.",
                                 contract_status=status.value)  # fmt: skip


def _statement(terms: Terms, account: Account, population: str, entries: tuple[Entry, ...]) -> Statement:
    delta = terms.privacy.delta
    return Statement(
        population=population,
        entries=entries,
        granted=loss(account.granted_nano, delta),
        lifetime=loss(account.spent_nano, delta),
        under_contract=loss(account.spent_under_nano(terms.id), delta),
        contract_ceiling=loss(terms.privacy.ceilings_nano.get(population, 0), delta),
        balance_nano=account.balance_nano,
        everything_ceiling=ceilings(terms).everything,
    )
