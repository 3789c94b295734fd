"""Allowed cost of a period: all claims of it, in whole cents."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.preparation.groups import COST
from tests.unit.histories import Histories, opened_histories

Amounts = list[tuple[int, int | None]]
AMOUNTS = st.lists(st.tuples(st.integers(-3, 33), st.none() | st.integers(-5000, 20000)), max_size=6)
NOTHING = dict.fromkeys(COST.columns, 0)


@pytest.fixture(scope="module")
def histories() -> Iterator[Histories]:
    with opened_histories() as histories:
        yield histories


def tell(histories: Histories, people: list[tuple[Amounts, Amounts, Amounts]]) -> None:
    """Amounts by day, of fills, stays and visits of each person."""
    histories.replace(
        {"first_day": 0, "last_day": 30},
        fills=[(f"m{i}", *each) for i, (fills, _, _) in enumerate(people) for each in fills],
        stays=[
            (f"m{i}", day, day + 40, "snf", cents) for i, (_, stays, _) in enumerate(people) for day, cents in stays
        ],
        visits=[(f"m{i}", day, "office", cents) for i, (_, _, visits) in enumerate(people) for day, cents in visits],
    )


def cost(
    histories: Histories, fills: Amounts | None = None, stays: Amounts | None = None, visits: Amounts | None = None
) -> tuple[int, int, int]:
    tell(histories, [(fills or [], stays or [], visits or [])])
    row = histories.rows(COST).get("m0", NOTHING)
    return row["allowed_cents"], row["drug_allowed_cents"], row["medical_allowed_cents"]


@pytest.mark.slow
@settings(max_examples=12)
@given(people=st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), min_size=1, max_size=8))
def test_cost_is_the_sum_of_the_period_s_claims(
    people: list[tuple[Amounts, Amounts, Amounts]], histories: Histories
) -> None:
    tell(histories, people)
    found = histories.rows(COST)
    for i, (fills, stays, visits) in enumerate(people):
        drug, medical = (
            max(0, sum(cents or 0 for day, cents in amounts if 0 <= day <= 30)) for amounts in (fills, stays + visits)
        )
        expected = {
            "allowed_cents": drug + medical, "drug_allowed_cents": drug, "medical_allowed_cents": medical,
        }  # fmt: skip
        assert found.get(f"m{i}", NOTHING) == expected


def test_a_claim_belongs_to_the_period_of_its_first_day(histories: Histories) -> None:
    """HEDIS, Relative Resource Use: a stay that goes on into the next period is paid for in this one."""
    assert cost(histories, [(-1, 100), (0, 200), (30, 300), (31, 400)]) == (500, 500, 0)
    assert cost(histories, stays=[(-1, 100), (0, 200), (30, 300), (31, 400)]) == (500, 0, 500)
    assert cost(histories, visits=[(-1, 100), (0, 200), (30, 300), (31, 400)]) == (500, 0, 500)


def test_a_claim_without_an_amount_adds_nothing(histories: Histories) -> None:
    assert cost(histories, [(1, None), (2, 250)], [(1, None)], [(1, None)]) == (250, 250, 0)


def test_an_adjustment_lowers_the_cost_of_its_kind_and_never_below_nothing(histories: Histories) -> None:
    assert cost(histories, [(1, 500), (2, -200)], [], [(3, 100)]) == (400, 300, 100)
    assert cost(histories, [(1, 500)], [(1, -900)], [(3, 100)]) == (500, 500, 0)


@pytest.mark.slow
def test_a_sum_of_absurd_amounts_is_cut_before_it_overflows(histories: Histories) -> None:
    """Ten million claims at the cap are more than an integer of 64 bits holds."""
    histories.replace({"first_day": 0, "last_day": 30})
    histories.repeat("fills", ("m", 1, 2**63 - 1), 10_000_000)
    assert histories.rows(COST)["m"] == {
        "allowed_cents": 10**18, "drug_allowed_cents": 10**18, "medical_allowed_cents": 0,
    }  # fmt: skip


def test_absurd_amounts_do_not_overflow(histories: Histories) -> None:
    """The most that an integer of 64 bits holds, thrice."""
    most = 10**12
    assert cost(histories, [(1, 2**63 - 1)] * 3, [(1, -(2**63))] * 3, [(1, 5)]) == (3 * most, 3 * most, 0)
