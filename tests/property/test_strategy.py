"""A plan is made from the contract alone, never charges more than its share, and cannot be altered unseen."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from privacy.loss import feed_loss_nano
from privacy.mechanism import charge_nano
from privacy.plan import Draw, MeasurementPlan, PlanNotSound
from privacy.sensitivity import root_up
from privacy.strategy import BudgetTooSmall, make_plan, period_charge_nano
from privacy.units import NANO, budget_nano

DIMENSIONS = ("region", "age_band")
FILLS = {"members": 1, "days_covered": 31, "treatment_days": 31, "new_starts": 1}
NAMES = st.lists(st.sampled_from(["members", "days", "stays", "cents", "starts"]), min_size=1, max_size=5, unique=True)
BOUNDS = NAMES.flatmap(lambda names: st.fixed_dictionaries({name: st.integers(1, 100_000) for name in names}))


@given(BOUNDS, st.integers(1, 1000 * NANO))
def test_a_plan_never_charges_more_than_its_share_and_wastes_next_to_nothing(
    bounds: dict[str, int], period_nano: int
) -> None:
    assume(period_nano >= len(bounds))
    plan = make_plan(DIMENSIONS, bounds, period_nano)
    share = period_nano // len(bounds)
    assert plan.charge_nano <= period_nano
    assert [draw.measure for draw in plan.draws] == list(bounds)
    for draw in plan.draws:
        assert draw.margin == DIMENSIONS
        assert draw.l2_squared == bounds[draw.measure] ** 2
        assert share * (1 - 1e-6) - 1 <= draw.charge_nano <= share


@given(BOUNDS, st.integers(1, NANO))
def test_its_sigma_is_the_smallest_of_eight_digits(bounds: dict[str, int], period_nano: int) -> None:
    assume(period_nano >= len(bounds))
    for draw in make_plan(DIMENSIONS, bounds, period_nano).draws:
        sigma = Decimal(draw.sigma)
        # Written plainly, with at most eight digits; the double it names is written back as the same number.
        assert draw.sigma == f"{sigma:f}"
        assert len(sigma.normalize().as_tuple().digits) <= 8
        assert Decimal(repr(draw.sigma_value)) == sigma
        smaller = sigma - Decimal(1).scaleb(sigma.adjusted() - 7)
        at_smaller = charge_nano(float(smaller) * (1 - 1e-15), root_up(draw.l2_squared))
        assert at_smaller > period_nano // len(bounds)


@given(BOUNDS, st.integers(1000, 10 * NANO), st.integers(1, 48), st.integers(0, 3))
def test_all_releases_that_the_contract_plans_stay_within_the_ceiling(
    bounds: dict[str, int], ceiling_nano: int, k: int, restatements: int
) -> None:
    period_nano = period_charge_nano(ceiling_nano, k, restatements)
    assert period_nano * k * (1 + restatements) <= ceiling_nano
    assert ceiling_nano - period_nano * k * (1 + restatements) < k * (1 + restatements)
    assume(period_nano >= len(bounds))
    charge = make_plan(DIMENSIONS, bounds, period_nano).charge_nano
    assert feed_loss_nano([charge] * k, [charge] * (k * restatements), k) <= ceiling_nano


GOLDEN = [
    ("members@region,age_band", "30.983877", 520_833),
    ("days_covered@region,age_band", "960.50018", 520_833),
    ("treatment_days@region,age_band", "960.50018", 520_833),
    ("new_starts@region,age_band", "30.983877", 520_833),
]


def test_the_plan_of_the_fills_feed_is_the_same_on_every_machine() -> None:
    plan = make_plan(DIMENSIONS, FILLS, period_charge_nano(budget_nano("0.05"), 24, 0))
    assert [(draw.name, draw.sigma, draw.charge_nano) for draw in plan.draws] == GOLDEN


def test_the_plan_does_not_depend_on_the_process_that_makes_it() -> None:
    script = (
        "from privacy.strategy import make_plan\n"
        f"print([draw.sigma for draw in make_plan({DIMENSIONS!r}, {FILLS!r}, 2_083_333).draws])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert printed == {str([draw.sigma for draw in make_plan(DIMENSIONS, FILLS, 2_083_333).draws])}


@pytest.mark.parametrize("period_nano", [0, 1, 3])
def test_less_than_one_nano_rho_a_measure_is_too_small_a_budget(period_nano: int) -> None:
    with pytest.raises(BudgetTooSmall) as raised:
        make_plan(DIMENSIONS, FILLS, period_nano)
    assert raised.value.needed_nano == 4
    assert make_plan(DIMENSIONS, FILLS, raised.value.needed_nano).charge_nano <= 4


@pytest.mark.parametrize("bounds", [{"cents": 10**9}, {"cents": 10**9, "members": 1}, {"cents": 10**11}])
def test_a_bound_that_the_budget_cannot_hide_is_refused_with_a_budget_that_can(
    bounds: dict[str, int],
) -> None:
    with pytest.raises(BudgetTooSmall) as raised:
        make_plan(DIMENSIONS, bounds, 4)
    assert make_plan(DIMENSIONS, bounds, raised.value.needed_nano).charge_nano <= raised.value.needed_nano


PLAN = make_plan(DIMENSIONS, FILLS, 2_083_333)


def altered(index: int, **changes: object) -> MeasurementPlan:
    draws = list(PLAN.draws)
    draws[index] = replace(draws[index], **changes)
    return MeasurementPlan(tuple(draws))


def test_a_plan_as_it_was_made_is_sound() -> None:
    PLAN.verify(DIMENSIONS, FILLS)


def test_a_plan_with_a_second_margin_is_sound_when_its_charge_is() -> None:
    members = PLAN.draws[0]
    margin = Draw("members", ("region",), members.sigma, members.l2_squared, members.charge_nano)
    plan = MeasurementPlan((*PLAN.draws, margin))
    plan.verify(DIMENSIONS, FILLS)
    assert plan.draws_of("members") == (members, margin)
    assert plan.charge_nano == PLAN.charge_nano + margin.charge_nano


ALTERATIONS: dict[str, Callable[[], MeasurementPlan]] = {
    "a smaller sigma": lambda: altered(1, sigma=str(Decimal(PLAN.draws[1].sigma) * Decimal("0.95"))),
    "a larger sigma": lambda: altered(1, sigma=str(Decimal(PLAN.draws[1].sigma) * Decimal("1.05"))),
    "a sigma of zero": lambda: altered(0, sigma="0"),
    "a lower charge": lambda: altered(2, charge_nano=PLAN.draws[2].charge_nano - 1),
    "a higher charge": lambda: altered(2, charge_nano=PLAN.draws[2].charge_nano + 1),
    "another sensitivity": lambda: altered(1, l2_squared=30**2),
    "an unknown measure": lambda: altered(0, measure="cents"),
    "an unknown dimension": lambda: altered(0, margin=("region", "sex")),
    "a measure forgotten": lambda: MeasurementPlan(PLAN.draws[:-1]),
    "no draws": lambda: MeasurementPlan(()),
    "a draw repeated": lambda: MeasurementPlan((*PLAN.draws, PLAN.draws[0])),
    "a draw repeated with its margin in another order": lambda: MeasurementPlan(
        (*PLAN.draws, replace(PLAN.draws[0], margin=DIMENSIONS[::-1]))
    ),
    "a dimension twice in one margin": lambda: altered(0, margin=("region", "age_band", "region")),
    "a measure without its full table": lambda: altered(0, margin=("region",)),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_an_altered_plan_is_not_sound(alteration: str) -> None:
    with pytest.raises(PlanNotSound):
        ALTERATIONS[alteration]().verify(DIMENSIONS, FILLS)
