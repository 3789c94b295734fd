"""The ledger's loss is never below that of the worst-placed person: brute force over histories and over persons.

A history is what one provider posts, in any order: periods, scheduled restatements, resumes after a crash, the same
period again under an amended contract, a changed feed (a new generation), two feeds, two contracts. Its loss is what
`Account.debit` makes of it. A person is given by the periods she is in at each posting; her true loss is the sum of
the charges of the draws whose exact table changes when she is removed. Every person is tried that the contribution
bound allows: in at most k of a generation's periods at a time, moved by late records from one posting to the next.

A person of a brand whose flag is in linked feeds is with any number of payers, and in k periods of each.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, combinations, product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ledger.entries import Account, Entry, Purchase
from privacy.plan import Draw, MeasurementPlan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLENTY = 10**12


@dataclass(frozen=True)
class Draws:
    """One draw of one period: everything of a debit but its charge."""

    contract: str
    version: int
    feed: str
    generation: str
    period: str
    restatement: int
    attempt: int
    linked_by: str | None = None

    @property
    def bounded_by_one_k(self) -> tuple[str, str, str, str | None]:
        return self.contract, self.feed, self.generation, self.linked_by


History = Sequence[Draws]
FIRST = Draws("dsc-one", 1, "fills", "one schema", "2025-01", 0, 1)


def next_draws(history: History, periods: int, *, elsewhere: bool) -> Iterator[Draws]:
    """What a provider can post after a history; elsewhere: also in a new generation, another feed or contract."""
    seen = set(history)
    wheres = [FIRST, replace(FIRST, version=2)]
    if elsewhere:
        wheres += [
            replace(FIRST, version=2, generation="other schema"),
            replace(FIRST, feed="adherence"),
            replace(FIRST, contract="dsc-two"),
            replace(FIRST, linked_by="lakeshore"),
            replace(FIRST, linked_by="sierra"),
        ]
    for where in wheres:
        for month in range(1, periods + 1):
            posted = replace(where, period=f"2025-0{month}")
            if posted not in seen:
                yield posted
                continue
            last = max(
                (d for d in seen if replace(d, restatement=0, attempt=1) == posted),
                key=lambda d: (d.restatement, d.attempt),
            )
            yield replace(last, attempt=last.attempt + 1)
            yield replace(last, restatement=last.restatement + 1, attempt=1)


def histories(length: int, periods: int) -> Iterator[tuple[Draws, ...]]:
    """All of them up to a length."""
    growing: list[tuple[Draws, ...]] = [()]
    for _ in range(length):
        growing = [(*h, draw) for h in growing for draw in next_draws(h, periods, elsewhere=False)]
        yield from growing


def ledger_loss_nano(history: History, charges: Sequence[int], k: int) -> int:
    entries: list[Entry] = [Account("blueridge-members", []).grant(PLENTY, "registered", NOW)]
    for draw, charge in zip(history, charges, strict=True):
        purchase = Purchase(
            contract_id=draw.contract,
            contract_version=draw.version,
            contract_ceiling_nano=PLENTY,
            feed=draw.feed,
            feed_ceiling_nano=PLENTY,
            k=k,
            plan=MeasurementPlan((Draw("members", ("region",), "31.5", 1, charge),)),
            period=draw.period,
            generation=draw.generation,
            restatement=draw.restatement,
            submission_id=f"{replace(draw, attempt=0)}",
            attempt=draw.attempt,
            linked_by=draw.linked_by,
        )
        entries.append(Account("blueridge-members", entries).debit(purchase, NOW))
    return entries[-1].spent_nano


def postings(history: History) -> list[int]:
    """Of each draw, how many measurements of its period came before it: 0 for the first."""
    counted: Counter[tuple[object, ...]] = Counter()
    numbers = []
    for draw in history:
        numbers.append(counted[draw.bounded_by_one_k, draw.period])
        counted[draw.bounded_by_one_k, draw.period] += 1
    return numbers


def true_loss_nano(history: History, charges: Sequence[int], k: int, *, in_step: bool) -> int:
    """Of the worst-placed person, over everything she can be in.

    in_step: the n-th postings of all periods are one version of the data, with at most k periods each. Otherwise only
    the first ones are: every later posting has records of its own, so that she may have moved again in between.
    """
    worst = 0
    versions: dict[tuple[str, str, str, str | None], dict[object, dict[str, int]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for index, (draw, number) in enumerate(zip(history, postings(history), strict=True)):
        version = number if in_step or number == 0 else f"draw {index}"
        versions[draw.bounded_by_one_k][version][draw.period] = charges[index]
    for measured in versions.values():
        # She is one person, but nothing ties her places in one feed to those in another.
        worst += max(
            sum(
                charge
                for charge_of, periods in zip(measured.values(), placed, strict=True)
                for period, charge in charge_of.items()
                if table(charge_of, periods) != table(charge_of, periods - {period})
            )
            for placed in product(*(list(places(sorted(charge_of), k)) for charge_of in measured.values()))
        )
    return worst


def places(periods: Sequence[str], k: int) -> Iterator[frozenset[str]]:
    """Every choice of at most k periods."""
    return map(frozenset, chain.from_iterable(combinations(periods, n) for n in range(min(k, len(periods)) + 1)))


def table(posted: dict[str, int], periods: frozenset[str]) -> dict[str, int]:
    """What she adds to the one cell of every posted period."""
    return {period: int(period in periods) for period in posted}


@pytest.mark.parametrize(
    ("length", "count"), [(4, 816), pytest.param(5, 5_200, marks=pytest.mark.slow)], ids=["4 draws", "5 draws"]
)
@pytest.mark.parametrize("k", [1, 2])
def test_no_person_loses_more_than_the_ledger_says_in_any_small_history(k: int, length: int, count: int) -> None:
    random, tried = Random(7), 0
    for history in histories(length, periods=2):
        charges = [random.choice((1, 2, 3, 5)) for _ in history]
        recorded = ledger_loss_nano(history, charges, k)
        assert true_loss_nano(history, charges, k, in_step=True) <= recorded
        assert true_loss_nano(history, charges, k, in_step=False) == recorded
        tried += 1
    assert tried == count


@st.composite
def long_histories(draw: st.DrawFn) -> tuple[list[Draws], list[int], int]:
    """Up to three periods, two feeds, two contracts and two generations, with charges of any size."""
    history: list[Draws] = []
    for _ in range(draw(st.integers(1, 8))):
        history.append(draw(st.sampled_from(list(next_draws(history, 3, elsewhere=True)))))
    charges = draw(st.lists(st.integers(0, 10**6), min_size=len(history), max_size=len(history)))
    return history, charges, draw(st.integers(1, 3))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(long_histories())
def test_no_person_loses_more_than_the_ledger_says_over_feeds_contracts_and_generations(
    drawn: tuple[list[Draws], list[int], int],
) -> None:
    history, charges, k = drawn
    recorded = ledger_loss_nano(history, charges, k)
    assert true_loss_nano(history, charges, k, in_step=True) <= recorded
    assert true_loss_nano(history, charges, k, in_step=False) == recorded


def test_january_and_february_measured_twice_cost_a_moved_person_three_charges_and_the_ledger_says_so() -> None:
    months = [FIRST, replace(FIRST, period="2025-02")]
    history = [*months, *(replace(month, restatement=1) for month in months)]
    assert ledger_loss_nano(history, [5] * 4, k=1) == true_loss_nano(history, [5] * 4, k=1, in_step=False) == 15


def test_to_count_restatements_within_k_would_understate_what_a_moved_person_loses() -> None:
    history = [FIRST, replace(FIRST, period="2025-02"), replace(FIRST, period="2025-02", restatement=1)]
    assert true_loss_nano(history, [5] * 3, k=1, in_step=True) == 10
    assert ledger_loss_nano(history, [5] * 3, k=1) == 10


def test_to_count_all_payers_within_one_k_would_understate_what_a_person_of_the_brand_loses() -> None:
    history = [replace(FIRST, linked_by=payer) for payer in ("blueridge", "lakeshore", "sierra")]
    assert ledger_loss_nano(history, [5] * 3, k=1) == true_loss_nano(history, [5] * 3, k=1, in_step=True) == 15
    as_of_one = [replace(draw, period=f"2025-0{month}", linked_by=None) for month, draw in enumerate(history, 1)]
    assert ledger_loss_nano(as_of_one, [5] * 3, k=1) == 5
