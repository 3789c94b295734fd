"""What a linked feed costs a person of the brand, against every person that there can be in a small table.

With or without the brand's record of a person, the payer's cells have that person under another value of the linked
dimension. No other cell changes, and by no more than the person adds.
"""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.mechanism import charge_nano
from privacy.plan import MeasurementPlan
from privacy.release import margin_of
from privacy.sensitivity import l2_squared_of_move
from privacy.strategy import FeedDesign, make_plan

SIZES = {"region": 2, "programme": 3, "sex": 2}
DIMENSIONS = tuple(SIZES)
FLAG = DIMENSIONS.index("programme")
BOUNDS = {"members": 1, "stays": 3}


def a_plan(sizes: dict[str, int] = SIZES, rho_nano: int = 1_000_000) -> MeasurementPlan:
    return make_plan(FeedDesign(sizes, BOUNDS, {}, ()), rho_nano)


def moves(bound: int) -> list[np.ndarray]:
    """Of one measure, what the table changes by, over every stratum, two values of the flag and amount of a person."""
    found = []
    for place in product(*map(range, SIZES.values())):
        for other in range(SIZES["programme"]):
            for amount in range(bound + 1):
                change = np.zeros(tuple(SIZES.values()), np.int64)
                change[place] -= amount
                change[*place[:FLAG], other, *place[FLAG + 1 :]] += amount
                found.append(change)
    return found


def worst_by_margin(bound: int) -> dict[tuple[str, ...], int]:
    """By margin, the largest squared change that the move of one person makes there."""
    plan = a_plan()
    return {
        draw.margin: max(int((margin_of(change, DIMENSIONS, draw) ** 2).sum()) for change in moves(bound))
        for draw in plan.draws_of("members")
    }


@pytest.mark.parametrize("measure", BOUNDS)
def test_each_draw_is_charged_for_the_worst_move_and_those_that_no_move_changes_are_not(measure: str) -> None:
    worst = worst_by_margin(BOUNDS[measure])
    charged = {draw.margin: draw for draw in a_plan().of_moves("programme", BOUNDS).draws_of(measure)}

    assert {margin: draw.l2_squared for margin, draw in charged.items()} == {m: s for m, s in worst.items() if s}
    assert set(worst.values()) == {0, l2_squared_of_move(BOUNDS[measure])}
    for draw in charged.values():
        # rho = D^2 / (2 sigma^2), of exact numbers; never less, and at most a billionth and a rounding more.
        exact = 10**9 * draw.l2_squared / (2 * draw.sigma_value**2)
        assert exact <= draw.charge_nano <= exact * (1 + 1e-12) + 1


@given(st.integers(1, 10**6), st.integers(10_000, 10**9))
def test_a_move_costs_at_most_twice_what_an_added_person_costs(bound: int, rho_nano: int) -> None:
    plan = make_plan(FeedDesign({"programme": 2}, {"members": bound}, {}, ()), rho_nano)
    for moved in plan.of_moves("programme", {"members": bound}).draws:
        (added,) = (draw for draw in plan.draws if draw.name == moved.name)
        assert added.charge_nano == charge_nano(added.sigma_value, float(bound))
        assert moved.sigma == added.sigma
        assert added.charge_nano <= moved.charge_nano <= 2 * added.charge_nano + 1


def test_a_dimension_that_decides_nothing_costs_nothing() -> None:
    assert a_plan().of_moves("payer", BOUNDS).charge_nano == 0
