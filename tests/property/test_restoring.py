"""Whatever is backed up, lost, restored and reconciled, in whatever order: every draw that was ever made is charged.

A ledger that never lost anything is kept beside the real one, as a list of all draws; and the real ledger, witness
and reconciling run on a database whose commits can fail and whose backups are copies of its rows.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.ledger.entries import Account, Entry, EntryKind, FeedAccount, Purchase, account_of
from contracts.ledger.recomputing import recompute
from contracts.ledger.reconciling import Reconciling
from contracts.ledger.witnessing import WitnessedLedger
from contracts.ledger.words import add_up, explain
from contracts.parties import JsonObject, Population
from contracts.ports import WitnessDamaged, WitnessText
from contracts.refusals import BudgetExhausted, LedgerSealed
from privacy.loss import feed_loss_nano
from privacy.mechanism import charge_nano
from privacy.plan import Draw, MeasurementPlan

OURS = "blueridge-members"
NOW = datetime(2026, 7, 1, tzinfo=UTC)
K = 2
PLENTY = 10**9


class Killed(BaseException):
    """The process died: nothing gets to tidy up."""


class CommitFailed(Exception):
    pass


class AnswerLost(CommitFailed):
    """It was committed, and nobody was told."""


@dataclass
class Rows:
    """A database of one ledger. fails: what the next commit raises, instead of committing."""

    entries: list[Entry] = field(default_factory=list)
    fails: BaseException | None = None

    @contextmanager
    def reading(self) -> Iterator[Any]:
        yield self._stores([*self.entries])

    @contextmanager
    def writing(self) -> Iterator[Any]:
        kept = [*self.entries]
        yield self._stores(kept)
        if kept != self.entries and self.fails is not None:
            failure, self.fails = self.fails, None
            if isinstance(failure, AnswerLost):
                self.entries = kept
            raise failure
        self.entries = kept

    def _stores(self, entries: list[Entry]) -> Any:
        nobody = Population(OURS, "blueridge", None, NOW)
        ledger = SimpleNamespace(entries=lambda _: entries, append=entries.append, lock=lambda _: None)
        return SimpleNamespace(
            ledger=ledger,
            parties=SimpleNamespace(find_population=lambda _: nobody),
            stored=SimpleNamespace(populations=lambda: [OURS]),
            audit=Forgetful(),
        )


class Forgetful:
    """The books of the audit, which matter to none of this."""

    def lock(self, book: str) -> Any:
        return SimpleNamespace(book=book, sequence=0, hash="00" * 32)

    def append(self, record: Any) -> None:
        del record


class Lines:
    """A witness that loses nothing. whole: that nobody has damaged it so that it cannot say so."""

    def __init__(self) -> None:
        self.lines: list[JsonObject] = []
        self.whole = True

    def find_last(self, population: str) -> JsonObject | None:
        if not self.whole:
            raise WitnessDamaged
        return next((line for line in reversed(self.lines) if line["population"] == population), None)

    def append(self, population: str, lines: list[JsonObject], *, after: JsonObject | None) -> JsonObject:
        assert self.find_last(population) == after
        self.lines += [{**line, "population": population} for line in lines]
        return self.lines[-1]

    def read(self) -> WitnessText:
        return WitnessText(tuple(self.lines), 0, self.whole)

    def mend(self, note: JsonObject, populations: Iterable[str], *, aside: str) -> None:
        del aside
        self.lines += [{**note, "population": name} for name in populations]
        self.whole = True


class Restoring(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.database, self.witness = Rows(), Lines()
        self.ledger = WitnessedLedger(self.database, self.witness)  # type: ignore[arg-type]
        self.now = NOW
        self.operator = Reconciling(self.database, self.witness, SimpleNamespace(now=lambda: self.now))  # type: ignore[arg-type]
        self.drawn: list[Entry] = []
        self.granted = 0
        self.backups: list[list[Entry]] = [[]]  # of before there was anything
        self.only_failed_commits = True
        self.grant(PLENTY)

    def append(self, make: Any) -> Entry | None:
        """The entry, if it was committed."""
        try:
            with self.ledger.writing() as writing:
                entry: Entry = make(writing.open_account(OURS))
                writing.append(entry)
        except (LedgerSealed, CommitFailed, Killed, BudgetExhausted):
            return None
        self.now += timedelta(seconds=1)
        return entry

    @rule(amount=st.integers(1, 500))
    def grant(self, amount: int) -> None:
        entry = self.append(lambda account: account.grant(amount, "a grant", self.now))
        self.granted += amount if entry else 0

    @rule(
        feed=st.sampled_from(("fills", "adherence")),
        month=st.integers(1, 4),
        sigma=st.sampled_from(("20.0", "31.5", "44.0")),
        restatement=st.sampled_from((0, 0, 0, 1)),
        attempt=st.sampled_from((1, 1, 1, 2)),
    )
    def debit(self, feed: str, month: int, sigma: str, restatement: int, attempt: int) -> None:
        if not any((entry.feed, entry.period) == (feed, f"2025-0{month}") for entry in self.database.entries):
            restatement, attempt = 0, 1  # nothing is restated or resumed before it was measured
        plan = MeasurementPlan((Draw("members", ("region",), sigma, 1, charge_nano(float(sigma), 1)),))
        purchase = Purchase(
            "dsc-one", 1, PLENTY, feed, PLENTY, K, plan, f"2025-0{month}", "generation", restatement,
            f"submission {len(self.witness.lines)}", attempt,
        )  # fmt: skip
        entry = self.append(lambda account: account.debit(purchase, self.now))
        if entry is not None:
            self.drawn.append(entry)

    @rule(failure=st.sampled_from((Killed, CommitFailed, AnswerLost)))
    def fail_at_the_next_commit(self, failure: type[BaseException]) -> None:
        self.database.fails = failure()
        self.only_failed_commits = self.only_failed_commits and failure is not Killed

    @rule()
    def back_up(self) -> None:
        self.backups.append([*self.database.entries])

    @precondition(lambda self: self.backups)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        self.only_failed_commits = False
        self.database.entries = [*data.draw(st.sampled_from(self.backups))]

    @rule()
    def damage_the_witness(self) -> None:
        """A line of somebody else: nothing of ours is lost, which nobody can know."""
        self.only_failed_commits = False
        self.witness.whole = False

    @rule()
    def reconcile(self) -> None:
        try:
            self.operator.reconcile(OURS, "a backup was restored")
        except (CommitFailed, Killed):
            return
        assert not self.ledger.is_sealed(OURS)

    @invariant()
    def a_ledger_that_is_not_sealed_has_charged_for_every_draw(self) -> None:
        entries = self.database.entries
        if self.ledger.is_sealed(OURS):
            return
        known = [entry.restores["entry_id"] if entry.restores else entry.id for entry in entries]
        assert len(set(known)) == len(known)
        assert {entry.id for entry in self.drawn} <= {*known}
        spent = entries[-1].spent_nano if entries else 0
        assert spent >= true_loss(self.drawn)
        # What is charged on top was witnessed, and may not have been drawn.
        assert spent == true_loss([entry for entry in entries if entry.is_charge])
        assert self.granted <= (entries[-1].granted_nano if entries else 0)
        assert spent == sum(entry.increment_nano for entry in entries)

    @invariant()
    def every_ledger_follows_from_its_events_and_says_why(self) -> None:
        entries = self.database.entries
        differences = [d for d in recompute(OURS, entries, {}).differences if d.what != "contract"]
        assert [d for d in differences if d.what != "attempt"] == []
        assert sum(subtotal.loss_nano for subtotal in add_up(entries)) == (entries[-1].spent_nano if entries else 0)
        assert len(explain(entries)) == len(entries)
        assert all(entry.kind is EntryKind.CORRECTION or "restores" not in entry.event for entry in entries)

    @invariant()
    def a_commit_that_failed_in_a_living_process_seals_nothing(self) -> None:
        if self.only_failed_commits:
            assert not self.ledger.is_sealed(OURS)


def test_a_period_that_is_in_the_account_is_not_restored_as_a_first_measurement() -> None:
    """As when two ledgers went on apart, each with a witness of its own: the same persons were measured twice."""
    lost = {
        "entry_id": "lost", "kind": "debit", "recorded_at": NOW.isoformat(), "charge_nano": 70, "k": 1, "first": True,
        "contract_id": "dsc-one", "contract_version": 1, "feed": "fills", "generation": "generation",
        "period": "2025-01", "restatement": 0, "submission_id": "submission", "attempt": 1,
    }  # fmt: skip
    entries = [Account(OURS, []).grant(PLENTY, "registered", NOW)]
    for name in ("first ledger", "second ledger"):
        entries.append(Account(OURS, entries).correct({**lost, "entry_id": name}, "two ledgers", NOW))
    assert [(entry.is_first, entry.increment_nano) for entry in entries[1:]] == [(True, 70), (False, 70)]
    # Another period would be one that the same person cannot be in as well, since k is 1.
    other = Account(OURS, entries).correct({**lost, "period": "2025-02"}, "two ledgers", NOW)
    assert (other.is_first, other.increment_nano) == (True, 0)
    # A debit of before k was recorded counts in full.
    old = Account(OURS, entries).correct({**lost, "period": "2025-03", "k": None}, "two ledgers", NOW)
    assert (old.is_first, old.increment_nano) == (False, 70)


def true_loss(draws: list[Entry]) -> int:
    """By the k-largest rule, over all the draws there are."""
    accounts: dict[FeedAccount, list[Entry]] = {}
    for draw in draws:
        accounts.setdefault(account_of(draw), []).append(draw)
    return sum(
        feed_loss_nano(
            [draw.charge_nano for draw in found if draw.is_first],
            [draw.charge_nano for draw in found if not draw.is_first],
            K,
        )
        for found in accounts.values()
    )


Restoring.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRestoring = Restoring.TestCase
