"""The account of a population against a plain model: three ceilings, whatever arrives in whatever order."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.ledger.entries import Account, Entry, EntryKind, Purchase
from contracts.ledger.words import add_up, explain
from contracts.refusals import BudgetExhausted
from privacy.plan import Draw, MeasurementPlan
from privacy.units import rho_text

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTRACTS = ("dsc-one", "dsc-two")
FEEDS = ("fills", "adherence")
VERSIONS = (1, 2)
GENERATIONS = ("first schema", "second schema")
PERIODS = tuple(f"2025-0{month}" for month in range(1, 7))
CONTRACT_CEILING = {"dsc-one": 400, "dsc-two": 150}
FEED_CEILING = {"fills": 200, "adherence": 90}
K = {("fills", "first schema"): 2, ("fills", "second schema"): 3, ("adherence", "first schema"): 1,
     ("adherence", "second schema"): 1}  # fmt: skip

# In a brand's account: by which payer's linked feed, each of which has a k and a ceiling of its own.
LINKED_BY = (None, None, "blueridge", "lakeshore")

FeedKey = tuple[str, str, str, str | None]


def plan_of(*charges: int) -> MeasurementPlan:
    return MeasurementPlan(
        tuple(Draw(f"measure{i}", ("region",), "31.5", 1, charge) for i, charge in enumerate(charges))
    )


def key_of(purchase: Purchase) -> FeedKey:
    return purchase.contract_id, purchase.feed, purchase.generation, purchase.linked_by


def charge_of(purchase: Purchase) -> int:
    return sum(draw.charge_nano for draw in purchase.plan.draws)


class LedgerModel(RuleBasedStateMachine):
    """The model keeps what was bought and granted, and works every loss out anew from it."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.granted = 0
        self.bought: list[Purchase] = []

    @property
    def account(self) -> Account:
        return Account("blueridge-members", self.entries)

    def loss_of(self, key: FeedKey, *, planned_only: bool = False) -> int:
        """The first time that each period was measured, the k largest of them; and everything else."""
        first: dict[str, int] = {}
        further = 0
        for purchase in self.bought:
            if key_of(purchase) != key:
                continue
            if purchase.period not in first:
                first[purchase.period] = charge_of(purchase)
            elif purchase.attempt == 1 or not planned_only:
                further += charge_of(purchase)
        return sum(sorted(first.values())[-K[key[1:3]] :]) + further

    def keys(self) -> set[FeedKey]:
        return {key_of(purchase) for purchase in self.bought}

    def spent(self) -> int:
        return sum(self.loss_of(key) for key in self.keys())

    def spent_under(self, contract: str) -> int:
        return sum(self.loss_of(key) for key in self.keys() if key[0] == contract)

    @initialize(amount=st.integers(0, 900))
    def register_the_population(self, amount: int) -> None:
        self.grant_more(amount)

    @rule(amount=st.integers(1, 200))
    def grant_more(self, amount: int) -> None:
        entry = self.account.grant(amount, "more was agreed", NOW)
        assert (entry.kind, entry.increment_nano, entry.charge_nano) == (EntryKind.GRANT, 0, 0)
        assert entry.event == {"granted_nano": amount, "reason": "more was agreed"}
        self.entries.append(entry)
        self.granted += amount

    @rule(
        contract=st.sampled_from(CONTRACTS),
        version=st.sampled_from(VERSIONS),
        feed=st.sampled_from(FEEDS),
        generation=st.sampled_from(GENERATIONS),
        period=st.sampled_from(PERIODS),
        charges=st.lists(st.integers(1, 60), min_size=1, max_size=3),
        linked_by=st.sampled_from(LINKED_BY),
    )
    def post_a_period(
        self,
        contract: str,
        version: int,
        feed: str,
        generation: str,
        period: str,
        charges: list[int],
        linked_by: str | None,
    ) -> None:
        """Once under one version; again under another, with or without a new generation."""
        submission = f"{contract} {version} {feed} {generation} {period} {linked_by}"
        if any(purchase.submission_id == submission for purchase in self.bought):
            return
        self.buy(
            Purchase(
                contract_id=contract,
                contract_version=version,
                contract_ceiling_nano=CONTRACT_CEILING[contract],
                feed=feed,
                feed_ceiling_nano=FEED_CEILING[feed],
                k=K[feed, generation],
                plan=plan_of(*charges),
                period=period,
                generation=generation,
                restatement=0,
                submission_id=submission,
                attempt=1,
                linked_by=linked_by,
            )
        )

    @precondition(lambda self: self.bought)
    @rule(data=st.data())
    def resume_a_submission(self, data: st.DataObject) -> None:
        self.buy(self.latest(data, attempt=1))

    @precondition(lambda self: self.bought)
    @rule(data=st.data())
    def restate_a_period(self, data: st.DataObject) -> None:
        restated = self.latest(data, restatement=1)
        self.buy(replace(restated, attempt=1, submission_id=f"{restated.submission_id} anew"))

    def latest(self, data: st.DataObject, **steps: int) -> Purchase:
        """The last purchase for some submission, one attempt or restatement further."""
        last = {purchase.submission_id: purchase for purchase in self.bought}
        known = last[data.draw(st.sampled_from(sorted(last)))]
        return replace(known, **{name: getattr(known, name) + step for name, step in steps.items()})

    def buy(self, purchase: Purchase) -> None:
        key, charge = key_of(purchase), charge_of(purchase)
        spent, under, planned = self.spent(), self.spent_under(key[0]), self.loss_of(key, planned_only=True)
        left = {"population": self.granted - spent, "contract": purchase.contract_ceiling_nano - under}
        if purchase.attempt == 1:
            left["feed"] = purchase.feed_ceiling_nano - planned
        first = not any(key_of(known) == key and known.period == purchase.period for known in self.bought)
        self.bought.append(purchase)
        increment = self.spent() - spent
        exhausted = [name for name, balance in left.items() if increment > balance]
        if exhausted:
            self.bought.pop()
            before = list(self.entries)
            with pytest.raises(BudgetExhausted) as raised:
                self.account.debit(purchase, NOW)
            assert raised.value.extra == {
                "ceiling": exhausted[0],
                "needed_rho": rho_text(increment),
                "balance_rho": rho_text(left[exhausted[0]]),
            }
            assert self.entries == before
            return
        entry = self.account.debit(purchase, NOW)
        assert (entry.charge_nano, entry.increment_nano, entry.is_first) == (charge, increment, first)
        assert first or increment == charge
        for name in (
            "contract_id", "contract_version", "feed", "generation", "period", "restatement", "submission_id", "attempt"
        ):  # fmt: skip
            assert getattr(entry, name) == getattr(purchase, name)
        assert entry.linked_by == purchase.linked_by
        self.entries.append(entry)

    @invariant()
    def nothing_is_ever_overdrawn(self) -> None:
        assert self.spent() <= self.granted
        assert self.account.balance_nano == self.granted - self.spent() >= 0
        for contract, ceiling in CONTRACT_CEILING.items():
            assert self.account.spent_under_nano(contract) == self.spent_under(contract) <= ceiling
        for key in self.keys():
            assert self.loss_of(key, planned_only=True) <= FEED_CEILING[key[1]]

    @invariant()
    def every_entry_follows_from_the_ones_before(self) -> None:
        assert [entry.sequence for entry in self.entries] == list(range(1, len(self.entries) + 1))
        assert len({entry.id for entry in self.entries}) == len(self.entries)
        spent = 0
        for entry in self.entries:
            spent += entry.increment_nano
            assert entry.spent_nano == spent
            assert entry.balance_nano == entry.granted_nano - spent
            assert entry.population == "blueridge-members"
        assert self.account.granted_nano == self.granted
        assert self.account.spent_nano == spent == self.spent()

    @invariant()
    def what_is_said_of_the_total_adds_up_to_it(self) -> None:
        subtotals = add_up(self.entries)
        assert {
            (s.account.contract_id, s.account.feed, s.account.generation, s.account.linked_by): s.loss_nano
            for s in subtotals
        } == {key: self.loss_of(key) for key in self.keys()}
        assert len(explain(self.entries)) == len(self.entries)


LedgerModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLedgerModel = LedgerModel.TestCase


def a_purchase(**changes: object) -> Purchase:
    purchase = Purchase(
        "dsc-one", 1, 400, "fills", 200, 2, plan_of(30, 40), "2025-01", "first schema", 0, "submission 1", 1
    )
    return replace(purchase, **changes)


def entries_of(*purchases: Purchase, granted: int = 1000) -> list[Entry]:
    entries = [Account("blueridge-members", []).grant(granted, "registered", NOW)]
    for purchase in purchases:
        entries.append(Account("blueridge-members", entries).debit(purchase, NOW))
    return entries


def increments(*purchases: Purchase) -> list[int]:
    return [entry.increment_nano for entry in entries_of(*purchases)[1:]]


def posted(*months: int, **changes: object) -> list[Purchase]:
    """One first measurement a month, under ceilings that are no matter here."""
    plenty = {"feed_ceiling_nano": 1000, "contract_ceiling_nano": 1000, **changes}
    return [a_purchase(period=f"2025-0{i}", submission_id=f"s{i} {changes}", **plenty) for i in months]


def test_an_account_without_entries_has_nothing_to_spend() -> None:
    account = Account("blueridge-members", [])
    assert (account.granted_nano, account.spent_nano, account.balance_nano) == (0, 0, 0)
    with pytest.raises(BudgetExhausted) as raised:
        account.debit(a_purchase(), NOW)
    assert raised.value.extra["ceiling"] == "population"


@pytest.mark.parametrize(
    ("changes", "granted", "ceiling"),
    [
        ({}, 69, "population"),
        ({"contract_ceiling_nano": 69}, 1000, "contract"),
        ({"feed_ceiling_nano": 69}, 1000, "feed"),
    ],
)
def test_each_ceiling_is_kept_to_the_last_nano_rho(changes: dict[str, int], granted: int, ceiling: str) -> None:
    with pytest.raises(BudgetExhausted) as raised:
        entries_of(a_purchase(**changes), granted=granted)
    assert raised.value.extra["ceiling"] == ceiling
    raised_by_one = {name: value + 1 for name, value in changes.items()}
    assert entries_of(a_purchase(**raised_by_one), granted=granted + 1)[-1].increment_nano == 70


def test_a_period_beyond_k_of_the_same_charge_costs_nothing_more() -> None:
    assert increments(*posted(1, 2, 3, 4, 5, 6, feed_ceiling_nano=200)) == [70, 70, 0, 0, 0, 0]


def test_a_larger_charge_beyond_k_costs_the_difference_to_the_smallest_that_counts() -> None:
    larger = posted(3, plan=plan_of(90))[0]
    assert increments(*posted(1, 2), larger, *posted(4)) == [70, 70, 20, 0]


def test_a_resumed_draw_is_paid_in_full_even_beyond_k() -> None:
    months = posted(1, 2, 3)
    assert increments(*months, replace(months[2], attempt=2), replace(months[2], attempt=3)) == [70, 70, 0, 70, 70]


def test_every_restatement_is_paid_in_full_even_beyond_k() -> None:
    restated = [replace(purchase, restatement=1) for purchase in posted(1, 3)]
    assert increments(*posted(1, 2, 3), *restated) == [70, 70, 0, 70, 70]


def test_a_new_version_of_a_contract_shares_the_k_of_its_generation_and_refills_nothing() -> None:
    again = posted(3, 4, contract_version=2)
    entries = entries_of(*posted(1, 2, 3), *again)
    assert [entry.increment_nano for entry in entries] == [0, 70, 70, 0, 70, 0]
    assert Account("blueridge-members", entries).spent_under_nano("dsc-one") == 210
    with pytest.raises(BudgetExhausted) as raised:
        Account("blueridge-members", entries).debit(
            a_purchase(contract_version=3, contract_ceiling_nano=279, submission_id="s9"), NOW
        )
    assert raised.value.extra["ceiling"] == "contract"


def test_generations_add_and_so_do_contracts_and_feeds() -> None:
    for change in ({"generation": "second schema"}, {"contract_id": "dsc-two"}, {"feed": "adherence"}):
        assert increments(*posted(1, 2, 3), *posted(1, 2, 3, **change)) == [70, 70, 0, 70, 70, 0]


def test_a_debit_of_before_generations_were_recorded_shares_its_k_with_no_later_one() -> None:
    old = [
        replace(entry, generation=None, restatement=None, event={"draws": []})
        for entry in entries_of(*posted(1, 2, 3))
        if entry.kind is EntryKind.DEBIT
    ]
    after = Account("blueridge-members", [entries_of()[0], *old])
    assert after.debit(posted(4)[0], NOW).increment_nano == 70
    assert after.debit(replace(posted(3)[0], attempt=2), NOW).increment_nano == 70
    assert [subtotal.loss_nano for subtotal in add_up(old)] == [140]


def test_restatements_share_the_feeds_ceiling_and_a_resume_takes_nothing_from_it() -> None:
    first = a_purchase(feed_ceiling_nano=140)
    restated = replace(first, restatement=1, submission_id="s2")
    entries = entries_of(first, replace(first, attempt=2), restated)
    with pytest.raises(BudgetExhausted) as raised:
        Account("blueridge-members", entries).debit(replace(restated, restatement=2, submission_id="s3"), NOW)
    assert raised.value.extra["ceiling"] == "feed"
    assert Account("blueridge-members", entries).debit(replace(restated, attempt=2), NOW).increment_nano == 70


def test_each_entry_says_why_it_counts_as_it_does() -> None:
    months = posted(1, 2, 3)
    larger = posted(4, plan=plan_of(90))[0]
    told = explain(
        entries_of(
            *months,
            larger,
            replace(months[0], restatement=1),
            replace(months[1], attempt=2),
            replace(months[1], restatement=1, attempt=2),
            replace(months[2], contract_version=2),
            granted=5000,
        )
    )
    for text, words in zip(
        told,
        (
            "Grant: raises what the population may lose by rho 0.000005. Reason: registered.",
            "fills 2025-01: first measurement number 1; counts in full, since one person is in at most 2 periods.",
            "fills 2025-02: first measurement number 2; counts in full",
            "fills 2025-03: first measurement number 3; adds nothing, since one person is in at most 2 periods and 2",
            "fills 2025-04: first measurement number 4; adds only the difference to the smallest of the 2 largest",
            "Restatement 1 of fills 2025-01: counts in full, since late records can move a person between periods",
            "fills 2025-02, attempt 2: counts in full, since the draw of an attempt before",
            "Restatement 1 of fills 2025-02, attempt 2: counts in full, since the draw of an attempt before",
            "fills 2025-03: counts in full: the period was measured before, under an earlier version",
        ),
        strict=True,
    ):
        assert text.startswith(words)


def test_the_total_is_derived_feed_by_feed_in_words() -> None:
    months = posted(1, 2, 3)
    subtotals = add_up(entries_of(*months, replace(months[0], restatement=1), *posted(1, generation="second schema")))
    assert [subtotal.words for subtotal in subtotals] == [
        "3 first measurements of fills, of which the 2 largest count: rho 0.00000014; "
        "1 restatement, in full: rho 0.00000007.",
        "1 first measurement of fills: rho 0.00000007.",
    ]


def test_a_draw_that_was_resumed_is_not_called_a_restatement() -> None:
    (month,) = posted(1)
    (subtotal,) = add_up(entries_of(month, replace(month, attempt=2)))
    assert subtotal.words == (
        "1 first measurement of fills: rho 0.00000007; 1 further measurement, in full: rho 0.00000007."
    )


def test_the_event_of_a_debit_is_enough_to_account_for_it_anew() -> None:
    assert entries_of(a_purchase())[-1].event == {
        "mechanism": "discrete_gaussian",
        "relation": "add_or_remove",
        "measured": "exchange",
        "generation": "first schema",
        "k": 2,
        "first": True,
        "charge_nano": 70,
        "increment_nano": 70,
        "draws": [
            {
                "measure": f"measure{i}",
                "margin": ["region"],
                "sigma": "31.5",
                "l2_squared": 1,
                "charge_nano": c,
            }
            for i, c in enumerate((30, 40))
        ],
    }
