"""The account of a population against a plain model: three ceilings, whatever arrives in whatever order."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.ledger import Account, Entry, EntryKind, Purchase
from contracts.refusals import BudgetExhausted
from privacy.plan import Draw, MeasurementPlan
from privacy.units import rho_text

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTRACTS = ("dsc-one", "dsc-two")
FEEDS = ("fills", "adherence")
VERSIONS = (1, 2)
CONTRACT_CEILING = {"dsc-one": 400, "dsc-two": 150}
FEED_CEILING = {"fills": 200, "adherence": 90}
K = {"fills": 2, "adherence": 1}

FeedKey = tuple[str, int, str]


def plan_of(*charges: int) -> MeasurementPlan:
    return MeasurementPlan(
        tuple(Draw(f"measure{i}", ("region",), "31.5", 1, charge) for i, charge in enumerate(charges))
    )


class LedgerModel(RuleBasedStateMachine):
    """The model keeps charges by feed and grants, and works every loss out anew from them."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.granted = 0
        self.first: dict[FeedKey, list[int]] = defaultdict(list)
        self.resumed: dict[FeedKey, list[int]] = defaultdict(list)
        self.attempts: dict[str, tuple[Purchase, int]] = {}
        self.periods = 0

    @property
    def account(self) -> Account:
        return Account("blueridge-members", self.entries)

    def loss_of(self, key: FeedKey) -> int:
        largest = sorted(self.first[key])[-K[key[2]] :]
        return sum(largest) + sum(self.resumed[key])

    def keys(self) -> set[FeedKey]:
        return set(self.first) | set(self.resumed)

    def spent(self) -> int:
        return sum(self.loss_of(key) for key in self.keys())

    def spent_under(self, contract: str) -> int:
        return sum(self.loss_of(key) for key in self.keys() if key[0] == contract)

    @initialize(amount=st.integers(0, 700))
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
        charges=st.lists(st.integers(1, 60), min_size=1, max_size=3),
    )
    def post_a_period(self, contract: str, version: int, feed: str, charges: list[int]) -> None:
        self.periods += 1
        purchase = Purchase(
            contract_id=contract,
            contract_version=version,
            contract_ceiling_nano=CONTRACT_CEILING[contract],
            feed=feed,
            feed_ceiling_nano=FEED_CEILING[feed],
            k=K[feed],
            plan=plan_of(*charges),
            period=f"{2000 + self.periods}",
            submission_id=f"submission {self.periods}",
            attempt=1,
        )
        self.buy(purchase)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def resume_a_submission(self, data: st.DataObject) -> None:
        purchase, attempt = self.attempts[data.draw(st.sampled_from(sorted(self.attempts)))]
        self.buy(replace(purchase, attempt=attempt + 1))

    def buy(self, purchase: Purchase) -> None:
        key = (purchase.contract_id, purchase.contract_version, purchase.feed)
        charge = sum(draw.charge_nano for draw in purchase.plan.draws)
        spent, under, on_feed = self.spent(), self.spent_under(purchase.contract_id), self.loss_of(key)
        planned = self.planned_of(key)
        charges = (self.first if purchase.attempt == 1 else self.resumed)[key]
        charges.append(charge)
        increment = self.loss_of(key) - on_feed
        left = {
            "population": self.granted - spent,
            "contract": purchase.contract_ceiling_nano - under,
        }
        if purchase.attempt == 1:
            left["feed"] = purchase.feed_ceiling_nano - planned
        exhausted = [name for name, balance in left.items() if increment > balance]
        if exhausted:
            charges.pop()
            with pytest.raises(BudgetExhausted) as raised:
                self.account.debit(purchase, NOW)
            assert raised.value.extra == {
                "ceiling": exhausted[0],
                "needed_rho": rho_text(increment),
                "balance_rho": rho_text(left[exhausted[0]]),
            }
            return
        entry = self.account.debit(purchase, NOW)
        assert (entry.charge_nano, entry.increment_nano) == (charge, increment)
        assert purchase.attempt == 1 or entry.increment_nano == charge
        assert (entry.contract_id, entry.contract_version, entry.feed) == key
        assert (entry.period, entry.submission_id, entry.attempt) == (
            purchase.period,
            purchase.submission_id,
            purchase.attempt,
        )
        assert [draw["charge_nano"] for draw in entry.event["draws"]] == [
            draw.charge_nano for draw in purchase.plan.draws
        ]
        self.entries.append(entry)
        self.attempts[purchase.submission_id] = (purchase, purchase.attempt)

    def planned_of(self, key: tuple[str, int, str]) -> int:
        """What the first draws of a feed cost: its own ceiling is for these, and resumes are beyond it."""
        return self.loss_of(key) - sum(self.resumed[key])

    @invariant()
    def nothing_is_ever_overdrawn(self) -> None:
        assert self.spent() <= self.granted
        assert self.account.balance_nano == self.granted - self.spent() >= 0
        for contract, ceiling in CONTRACT_CEILING.items():
            assert self.account.spent_under_nano(contract) == self.spent_under(contract) <= ceiling
        for key in self.keys():
            assert self.planned_of(key) <= FEED_CEILING[key[2]]

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


LedgerModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLedgerModel = LedgerModel.TestCase


def a_purchase(**changes: object) -> Purchase:
    purchase = Purchase("dsc-one", 1, 400, "fills", 200, 2, plan_of(30, 40), "2025-01", "submission 1", 1)
    return replace(purchase, **changes)


def entries_of(*purchases: Purchase, granted: int = 1000) -> list[Entry]:
    entries = [Account("blueridge-members", []).grant(granted, "registered", NOW)]
    for purchase in purchases:
        entries.append(Account("blueridge-members", entries).debit(purchase, NOW))
    return entries


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
    entries = entries_of(*(a_purchase(period=f"2025-0{i}", submission_id=f"s{i}") for i in range(1, 7)))
    assert [entry.increment_nano for entry in entries] == [0, 70, 70, 0, 0, 0, 0]


def test_a_resumed_draw_is_paid_in_full_even_beyond_k() -> None:
    posted = [a_purchase(period=f"2025-0{i}", submission_id=f"s{i}", feed_ceiling_nano=400) for i in (1, 2, 3)]
    entries = entries_of(*posted, replace(posted[2], attempt=2), replace(posted[2], attempt=3))
    assert [entry.increment_nano for entry in entries] == [0, 70, 70, 0, 70, 70]


def test_a_new_version_of_a_contract_pays_its_own_k_and_refills_nothing() -> None:
    entries = entries_of(
        *(a_purchase(period=f"2025-0{i}", submission_id=f"s{i}", contract_version=v) for i, v in
          enumerate((1, 1, 1, 2, 2), start=1))
    )  # fmt: skip
    assert [entry.increment_nano for entry in entries] == [0, 70, 70, 0, 70, 70]
    assert Account("blueridge-members", entries).spent_under_nano("dsc-one") == 280
    with pytest.raises(BudgetExhausted) as raised:
        Account("blueridge-members", entries).debit(
            a_purchase(contract_version=3, contract_ceiling_nano=349, submission_id="s9"), NOW
        )
    assert raised.value.extra["ceiling"] == "contract"


def test_the_event_of_a_debit_is_enough_to_account_for_it_anew() -> None:
    assert entries_of(a_purchase())[-1].event == {
        "mechanism": "discrete_gaussian",
        "relation": "add_or_remove",
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
