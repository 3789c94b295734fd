"""The ledger: what each population was granted and what its releases have cost, entry by entry, for ever.

Entries are immutable integers of nano-rho. Three ceilings are tested in the transaction that appends a debit: the
population's (its grants), the contract's for that population, and the feed's. Debits are never refunded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import uuid4

from contracts.parties import JsonObject
from contracts.refusals import BudgetExhausted
from contracts.terms import write_draws
from privacy.loss import increment_nano
from privacy.mechanism import NAME as MECHANISM
from privacy.plan import MeasurementPlan
from privacy.units import rho_text


class EntryKind(StrEnum):
    """A grant raises the ceiling of a population; a debit pays for one draw of a release."""

    GRANT = "grant"
    DEBIT = "debit"


@dataclass(frozen=True, slots=True)
class Entry:
    """One immutable ledger entry. All losses in nano-rho.

    granted_nano, spent_nano: totals of the population after this entry.
    charge_nano: loss of the release by itself; increment_nano: by how much the population's loss rose.
    event: mechanism, relation, and margin, measure, sigma, squared sensitivity and charge of every draw, enough
    to account for it anew one day.
    """

    id: str
    population: str
    sequence: int
    kind: EntryKind
    charge_nano: int
    increment_nano: int
    granted_nano: int
    spent_nano: int
    contract_id: str | None
    contract_version: int | None
    feed: str | None
    period: str | None
    submission_id: str | None
    attempt: int | None
    event: JsonObject
    recorded_at: datetime

    @property
    def balance_nano(self) -> int:
        return self.granted_nano - self.spent_nano


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a submission asks the ledger to pay: one draw by a feed's frozen plan."""

    contract_id: str
    contract_version: int
    contract_ceiling_nano: int
    feed: str
    feed_ceiling_nano: int
    k: int
    plan: MeasurementPlan
    period: str
    submission_id: str
    attempt: int

    @property
    def is_first(self) -> bool:
        """The first draw for its period; every further one is added in full."""
        return self.attempt == 1


_NEW_BUDGET: Final = {
    "population": "New budget comes only by a recorded grant.",
    "contract": "This ceiling is a signed term of the contract.",
    "feed": "This ceiling is a signed term of the contract.",
}


class Account:
    """The entries of one population, and what may be appended to them."""

    def __init__(self, population: str, entries: Sequence[Entry]) -> None:
        self._population = population
        self._entries = entries

    @property
    def granted_nano(self) -> int:
        return self._entries[-1].granted_nano if self._entries else 0

    @property
    def spent_nano(self) -> int:
        """The population's lifetime loss over all feeds, contracts and versions."""
        return self._entries[-1].spent_nano if self._entries else 0

    @property
    def balance_nano(self) -> int:
        return self.granted_nano - self.spent_nano

    def spent_under_nano(self, contract_id: str) -> int:
        """Loss under all versions of one contract; an amendment refills nothing."""
        return sum(entry.increment_nano for entry in self._debits() if entry.contract_id == contract_id)

    def grant(self, amount_nano: int, reason: str, now: datetime) -> Entry:
        """An entry that raises the population's ceiling, with its recorded reason."""
        return Entry(
            id=str(uuid4()),
            population=self._population,
            sequence=len(self._entries) + 1,
            kind=EntryKind.GRANT,
            charge_nano=0,
            increment_nano=0,
            granted_nano=self.granted_nano + amount_nano,
            spent_nano=self.spent_nano,
            contract_id=None,
            contract_version=None,
            feed=None,
            period=None,
            submission_id=None,
            attempt=None,
            event={"granted_nano": amount_nano, "reason": reason},
            recorded_at=now,
        )

    def debit(self, purchase: Purchase, now: datetime) -> Entry:
        """The entry that pays for one draw. Raises BudgetExhausted when any of the three ceilings forbids it."""
        increment = self._increment(purchase)
        self._require_affordable(purchase, increment)
        return Entry(
            id=str(uuid4()),
            population=self._population,
            sequence=len(self._entries) + 1,
            kind=EntryKind.DEBIT,
            charge_nano=purchase.plan.charge_nano,
            increment_nano=increment,
            granted_nano=self.granted_nano,
            spent_nano=self.spent_nano + increment,
            contract_id=purchase.contract_id,
            contract_version=purchase.contract_version,
            feed=purchase.feed,
            period=purchase.period,
            submission_id=purchase.submission_id,
            attempt=purchase.attempt,
            event=_event(purchase.plan),
            recorded_at=now,
        )

    def _increment(self, purchase: Purchase) -> int:
        before = self._feed_debits(purchase.contract_id, purchase.contract_version, purchase.feed)
        return increment_nano(
            [entry.charge_nano for entry in before if entry.attempt == 1],
            [entry.charge_nano for entry in before if entry.attempt != 1],
            purchase.k,
            charge=purchase.plan.charge_nano,
            first=purchase.is_first,
        )

    def _require_affordable(self, purchase: Purchase, increment: int) -> None:
        balances = {
            "population": self.balance_nano,
            "contract": purchase.contract_ceiling_nano - self.spent_under_nano(purchase.contract_id),
        }
        if purchase.is_first:
            # Planned releases share the feed's ceiling; a resume after a crash is paid by the other two.
            balances["feed"] = purchase.feed_ceiling_nano - self._planned_nano(purchase)
        for ceiling, balance in balances.items():
            if increment > balance:
                raise BudgetExhausted(
                    f"The {ceiling}'s budget is exhausted: this release costs rho {rho_text(increment)} and "
                    f"{rho_text(balance)} is left. {_NEW_BUDGET[ceiling]}",
                    ceiling=ceiling,
                    needed_rho=rho_text(increment),
                    balance_rho=rho_text(balance),
                )

    def _planned_nano(self, purchase: Purchase) -> int:
        debits = self._feed_debits(purchase.contract_id, purchase.contract_version, purchase.feed)
        return sum(entry.increment_nano for entry in debits if entry.attempt == 1)

    def _debits(self) -> list[Entry]:
        return [entry for entry in self._entries if entry.kind is EntryKind.DEBIT]

    def _feed_debits(self, contract_id: str, version: int, feed: str) -> list[Entry]:
        key = (contract_id, version, feed)
        return [e for e in self._debits() if (e.contract_id, e.contract_version, e.feed) == key]


def _event(plan: MeasurementPlan) -> JsonObject:
    return {"mechanism": MECHANISM, "relation": "add_or_remove", "draws": write_draws(plan)}
