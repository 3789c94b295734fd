"""The ledger: what each population was granted and what its releases have cost, entry by entry, for ever.

Entries are immutable integers of nano-rho. Three ceilings are tested in the transaction that appends a debit: the
population's (its grants), the contract's for that population, and the feed's. Debits are never refunded, and an
amendment refills nothing: the contract's ceiling counts all versions, the feed's all versions of one generation.
Nor does a restored backup: what it lost is restored from the ledger's witness by corrections.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import uuid4

from contracts.parties import JsonObject
from contracts.refusals import BudgetExhausted
from contracts.terms import Measured, write_draws
from privacy.loss import increment_nano
from privacy.mechanism import NAME as MECHANISM
from privacy.plan import MeasurementPlan
from privacy.units import rho_text

RELATION: Final = "add_or_remove"


class EntryKind(StrEnum):
    """A grant raises the ceiling of a population; a debit pays for one draw of a release; a correction restores one
    of them that the database lost and the witness kept."""

    GRANT = "grant"
    DEBIT = "debit"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Entry:
    """One immutable ledger entry. All losses in nano-rho.

    granted_nano, spent_nano: totals of the population after this entry.
    charge_nano: loss of the release by itself; increment_nano: by how much the population's loss rose.
    restatement: 0 for the first measurement of the period. event: mechanism, relation, generation, k, whether it was
    the period's first measurement, and margin, measure, sigma, squared sensitivity and charge of every draw, enough to
    account for it anew one day. Of a linked feed, in the brand's account, also by which payer.
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
    generation: str | None
    restatement: int | None
    submission_id: str | None
    attempt: int | None
    event: JsonObject
    recorded_at: datetime

    @property
    def balance_nano(self) -> int:
        return self.granted_nano - self.spent_nano

    @property
    def is_first(self) -> bool:
        """Of a debit: whether it measured its period for the first time. Only the k largest of these count."""
        return bool(self.event.get("first", self.attempt == 1))

    @property
    def restores(self) -> JsonObject | None:
        """Of a correction: what the witness knew of the lost entry; None where it only gives a reason."""
        found = self.event.get("restores")
        return found if self.kind is EntryKind.CORRECTION and isinstance(found, dict) else None

    @property
    def linked_by(self) -> str | None:
        """In the account of a brand's population: the payer whose linked feed tells of it. None in the payer's own."""
        found = (self.restores or self.event).get("linked_by")
        return found if isinstance(found, str) else None

    @property
    def is_charge(self) -> bool:
        """Whether it pays for a draw: a debit, or the correction that restores one."""
        return self.kind is EntryKind.DEBIT or (self.kind is EntryKind.CORRECTION and self.feed is not None)

    @property
    def contract(self) -> tuple[str | None, int | None]:
        """Id and version of the contract that it was measured under."""
        named = self.restores
        if named is None:
            return self.contract_id, self.contract_version
        return named.get("contract_id"), named.get("contract_version")


@dataclass(frozen=True, slots=True)
class FeedAccount:
    """What has one k: one generation of one feed under one contract, whatever the contract's version.

    linked_by: of a linked feed, in the brand's account, the payer. One person of the brand can be with several payers,
    and in k periods of each, so that each payer has a k of its own there.
    """

    contract_id: str | None
    feed: str | None
    generation: str
    linked_by: str | None = None


def account_of(debit: Entry) -> FeedAccount:
    """Debits made before generations were recorded are, version by version, a generation of their own."""
    contract_id, version = debit.contract
    return FeedAccount(contract_id, debit.feed, debit.generation or f"version {version}", debit.linked_by)


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a submission asks the ledger to pay: one draw by a feed's frozen plan.

    linked_by: the payer, where the brand's population is to pay for what a linked feed tells of it; plan and ceilings
    are then what the draws cost there.
    """

    contract_id: str
    contract_version: int
    contract_ceiling_nano: int
    feed: str
    feed_ceiling_nano: int
    k: int
    plan: MeasurementPlan
    period: str
    generation: str
    restatement: int
    submission_id: str
    attempt: int
    measured: Measured = Measured.EXCHANGE
    linked_by: str | None = None

    @property
    def account(self) -> FeedAccount:
        return FeedAccount(self.contract_id, self.feed, self.generation, self.linked_by)

    @property
    def is_planned(self) -> bool:
        """Planned releases share the feed's ceiling; a resume after a crash is paid by the other two."""
        return self.attempt == 1


_NEW_BUDGET: Final = {
    "population": "New budget comes only by a recorded grant.",
    "contract": "This ceiling is a signed term of the contract; only an amendment changes it.",
    "feed": "This ceiling is a signed term of the contract; only an amendment changes it.",
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
        return sum(entry.increment_nano for entry in self._charges() if entry.contract[0] == contract_id)

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
            generation=None,
            restatement=None,
            submission_id=None,
            attempt=None,
            event={"granted_nano": amount_nano, "reason": reason},
            recorded_at=now,
        )

    def debit(self, purchase: Purchase, now: datetime) -> Entry:
        """The entry that pays for one draw. Raises BudgetExhausted when any of the three ceilings forbids it."""
        before = [entry for entry in self._charges() if account_of(entry) == purchase.account]
        first = _is_first(before, purchase)
        increment = _increment(before, purchase.plan.charge_nano, purchase.k, first)
        self._require_affordable(before, purchase, increment)
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
            generation=purchase.generation,
            restatement=purchase.restatement,
            submission_id=purchase.submission_id,
            attempt=purchase.attempt,
            event=_event(purchase, first, increment),
            recorded_at=now,
        )

    def _require_affordable(self, before: Sequence[Entry], purchase: Purchase, increment: int) -> None:
        balances = {
            "population": self.balance_nano,
            "contract": purchase.contract_ceiling_nano - self.spent_under_nano(purchase.contract_id),
        }
        if purchase.is_planned:
            planned = sum(entry.increment_nano for entry in before if entry.attempt == 1)
            balances["feed"] = purchase.feed_ceiling_nano - planned
        for ceiling, balance in balances.items():
            if increment > balance:
                raise BudgetExhausted(
                    f"The {ceiling}'s budget is exhausted: this release costs rho {rho_text(increment)} and "
                    f"{rho_text(balance)} is left. {_NEW_BUDGET[ceiling]}",
                    ceiling=ceiling,
                    needed_rho=rho_text(increment),
                    balance_rho=rho_text(balance),
                )

    def correct(self, restores: JsonObject | None, reason: str, now: datetime) -> Entry:
        """The entry that restores a lost one, whatever the ceilings say: what was drawn is out.

        restores: as the witness knew it. Its period was measured, so that no later debit measures it first. Contract
        and submission are named there only: the database may have lost them too, or have others of these names now.
        """
        lost = restores or {}
        entry = Entry(
            id=str(uuid4()),
            population=self._population,
            sequence=len(self._entries) + 1,
            kind=EntryKind.CORRECTION,
            charge_nano=lost.get("charge_nano", 0),
            increment_nano=0,
            granted_nano=self.granted_nano + lost.get("grant_nano", 0),
            spent_nano=self.spent_nano,
            contract_id=None,
            contract_version=None,
            feed=lost.get("feed"),
            period=lost.get("period"),
            generation=lost.get("generation"),
            restatement=lost.get("restatement"),
            submission_id=None,
            attempt=lost.get("attempt"),
            event={"reason": reason, "restores": restores},
            recorded_at=now,
        )
        return self._charged_again(entry, lost) if entry.is_charge else entry

    def _charged_again(self, entry: Entry, lost: JsonObject) -> Entry:
        """By the same rule as the debit was, but never as a period's first when that is in the account already."""
        before = [known for known in self._charges() if account_of(known) == account_of(entry)]
        # Debits of before k was recorded: in full.
        first = lost["k"] is not None and lost["first"] and entry.period not in {known.period for known in before}
        increment = _increment(before, entry.charge_nano, lost["k"] or 1, first)
        event = {**entry.event, "first": first, "k": lost["k"]}
        return replace(entry, increment_nano=increment, spent_nano=self.spent_nano + increment, event=event)

    def _charges(self) -> list[Entry]:
        return [entry for entry in self._entries if entry.is_charge]


def _is_first(before: Sequence[Entry], purchase: Purchase) -> bool:
    """A period is measured first once in a generation: a resume, a restatement, and the same period posted again
    under another version of the contract can each hold a person who is not in k others."""
    planned_first = purchase.attempt == 1 and purchase.restatement == 0
    return planned_first and purchase.period not in {entry.period for entry in before}


def _increment(before: Sequence[Entry], charge_nano: int, k: int, first: bool) -> int:
    return increment_nano(
        [entry.charge_nano for entry in before if entry.is_first],
        [entry.charge_nano for entry in before if not entry.is_first],
        k,
        charge=charge_nano,
        first=first,
    )


def _event(purchase: Purchase, first: bool, increment: int) -> JsonObject:
    linked: JsonObject = {} if purchase.linked_by is None else {"linked_by": purchase.linked_by}
    return linked | {
        "mechanism": MECHANISM,
        "relation": RELATION,
        "measured": purchase.measured.value,
        "generation": purchase.generation,
        "k": purchase.k,
        "first": first,
        "draws": write_draws(purchase.plan),
        "charge_nano": purchase.plan.charge_nano,
        "increment_nano": increment,
    }
