"""Statements of loss: what a population's releases have cost, as rho and as epsilon at the contract's delta.

Losses are added as rho and converted once; epsilons are never added. Each statement follows the contract's privacy
unit (contracts/privacy_unit.py) and shows "one person in everything" beside it.
"""

from dataclasses import dataclass

from contracts.decisions import get_party, get_readable_contract
from contracts.ledger.entries import Account, Entry
from contracts.ledger.witnessing import WitnessedLedger
from contracts.lifecycle import Status
from contracts.parties import Caller
from contracts.ports import Clock, Database, Witness
from contracts.privacy_unit import (
    adds_up_text,
    providers_at_most,
    unit_ceiling_nano,
    unit_of_population_nano,
    unit_text,
)
from contracts.refusals import ContractNotInForce
from contracts.terms import Terms
from privacy.mechanism import epsilon


@dataclass(frozen=True, slots=True)
class Loss:
    """An amount of zCDP loss: nano-rho, and the epsilon it implies at `delta`."""

    rho_nano: int
    epsilon: float
    delta: str


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What may be said of losses to any party: the signed ceilings, never another party's ledger.

    unit, adds_up: words for whose loss it is, and for a person who is in the data of several providers.
    of_unit: the most that the contract's privacy unit may lose under it. everything: one person in every population
    of the contract, if each spent its whole ceiling.
    """

    unit: str
    adds_up: str
    providers_at_most: int
    of_populations: dict[str, Loss]
    of_unit: Loss
    everything: Loss


@dataclass(frozen=True, slots=True)
class Statement:
    """What one population has spent. lifetime: over all contracts. sealed: nothing may be debited until the operator
    has reconciled the ledger with its witness.

    unit_under_contract, unit_ceiling: of a person of this population who is in as many others as the unit allows,
    taking the largest ceilings of the others, since what they have spent is not for this party to see.
    """

    population: str
    entries: tuple[Entry, ...]
    granted: Loss
    lifetime: Loss
    under_contract: Loss
    contract_ceiling: Loss
    unit_under_contract: Loss
    unit_ceiling: Loss
    balance_nano: int
    sealed: bool
    ceilings: Ceilings


def loss(rho_nano: int, delta: str) -> Loss:
    return Loss(rho_nano, epsilon(rho_nano, float(delta)), delta)


def ceilings(terms: Terms) -> Ceilings:
    """The contract's ceilings by population, of its privacy unit, and of one person in everything."""
    privacy = terms.privacy
    return Ceilings(
        unit=unit_text(privacy),
        adds_up=adds_up_text(privacy),
        providers_at_most=providers_at_most(privacy),
        of_populations={name: loss(rho, privacy.delta) for name, rho in privacy.ceilings_nano.items()},
        of_unit=loss(unit_ceiling_nano(privacy), privacy.delta),
        everything=loss(sum(privacy.ceilings_nano.values()), privacy.delta),
    )


class Accounting:
    """Reads the ledger for the party it belongs to."""

    def __init__(self, database: Database, clock: Clock, witness: Witness) -> None:
        self._ledger = WitnessedLedger(database, witness)
        self._database = database
        self._clock = clock

    def statement(self, caller: Caller, contract_id: str) -> Statement:
        """The caller's own population; of entries under contracts that its token is not for, the totals alone.

        Raises ContractNotFound, TokenNarrowed, ContractNotInForce for what was never in force.
        """
        with self._database.reading() as stores:
            contract = get_readable_contract(stores, caller, contract_id, self._clock.now())
            terms, party = contract.terms, get_party(contract.terms, caller)
            _require_once_in_force(contract.status(self._clock.now()))
            entries = stores.ledger.entries(party.population)
        sealed = self._ledger.is_sealed(party.population)
        shown = tuple(entry for entry in entries if caller.may_touch(entry.contract[0]))
        return _statement(terms, Account(party.population, entries), party.population, shown, sealed)


def _require_once_in_force(status: Status) -> None:
    """A ledger stays readable whatever becomes of its contract."""
    if status in (Status.DRAFT, Status.PROPOSED, Status.SIGNED):
        raise ContractNotInForce("The contract is not in force, so nothing was debited under it yet.",
                                 contract_status=status.value)  # fmt: skip


def _statement(terms: Terms, account: Account, population: str, entries: tuple[Entry, ...], sealed: bool) -> Statement:
    privacy, delta = terms.privacy, terms.privacy.delta
    spent, ceiling = account.spent_under_nano(terms.id), privacy.ceilings_nano.get(population, 0)
    return Statement(
        population=population,
        entries=entries,
        granted=loss(account.granted_nano, delta),
        lifetime=loss(account.spent_nano, delta),
        under_contract=loss(spent, delta),
        contract_ceiling=loss(ceiling, delta),
        unit_under_contract=loss(unit_of_population_nano(privacy, population, spent), delta),
        unit_ceiling=loss(unit_of_population_nano(privacy, population, ceiling), delta),
        balance_nano=account.balance_nano,
        sealed=sealed,
        ceilings=ceilings(terms),
    )
