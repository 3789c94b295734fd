"""Rounding always errs on the side of privacy, and each way of erring on the other side is caught.

Nothing here is left to chance: losses, roots and plans are held against exact fractions.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import ceil, floor, inf, nextafter, sqrt

import pytest

from privacy.mechanism import charge_nano
from privacy.plan import Draw, MeasurementPlan, PlanNotSound
from privacy.sensitivity import root_up
from privacy.strategy import FeedDesign, Table, make_plan
from privacy.units import NANO, loss_nano

Charge = Callable[[float, float], int]
Root = Callable[[int], float]
SIGMAS = [float(f"{digits}e{power}") for digits in (1, 3, 7, 1.0954451, 30.983867) for power in range(-1, 5)]


def exact_loss_nano(sigma: float, l2_squared: int) -> Fraction:
    return Fraction(l2_squared) * NANO / (2 * Fraction(sigma) ** 2)


def no_charge_is_below_its_loss(charge: Charge) -> bool:
    return all(charge(s, float(b)) >= exact_loss_nano(s, b * b) for s in SIGMAS for b in (1, 31, 1000))


def no_root_is_below_its_square(root: Root) -> bool:
    return all(Fraction(root(square)) ** 2 >= square for square in range(1, 2000))


def test_charges_and_roots_round_up() -> None:
    assert no_charge_is_below_its_loss(charge_nano)
    assert no_root_is_below_its_square(root_up)
    assert loss_nano(0.1) == 100_000_001  # the double lies above a tenth


WRONG_CHARGES: dict[str, Charge] = {
    "rounded down": lambda sigma, bound: floor(exact_loss_nano(sigma, int(bound) ** 2)),
    "rounded to the nearest": lambda sigma, bound: round(exact_loss_nano(sigma, int(bound) ** 2)),
    "truncated from a double": lambda sigma, bound: int(bound**2 / (2 * sigma**2) * NANO),
    "rounded up in micro-rho and one short": lambda s, b: ceil(exact_loss_nano(s, int(b) ** 2)) - 1,
}


@pytest.mark.parametrize("name", WRONG_CHARGES)
def test_a_charge_that_can_be_below_its_loss_is_caught(name: str) -> None:
    assert not no_charge_is_below_its_loss(WRONG_CHARGES[name])


WRONG_ROOTS: dict[str, Root] = {
    "the nearest double": sqrt,
    "the double below": lambda square: nextafter(sqrt(square), -inf),
    "ten digits": lambda square: float(f"{sqrt(square):.10g}"),
}


@pytest.mark.parametrize("name", WRONG_ROOTS)
def test_a_root_that_can_be_below_the_true_one_is_caught(name: str) -> None:
    assert not no_root_is_below_its_square(WRONG_ROOTS[name])


DESIGN = FeedDesign(
    sizes={"region": 4, "sex": 2},
    bounds={"members": 1, "days": 31},
    expected={"members": 1000, "days": 15_000},
    tables=(Table(("region",)), Table(("sex",)), Table(("region", "sex"))),
)
THREE_DIGITS = Context(prec=3, rounding=ROUND_FLOOR)
BUDGETS_NANO = [1_000_000_000, 999_999_937, 123_456_789, 700_000_001]


def is_sound(plan: MeasurementPlan, budget_nano: int) -> bool:
    """Every loss is charged in full, and the charges fit the budget."""
    try:
        plan.verify(DESIGN.dimensions, DESIGN.bounds)
    except PlanNotSound:
        return False
    losses = [exact_loss_nano(float(draw.sigma), draw.l2_squared) for draw in plan.draws]
    charged = all(draw.charge_nano >= loss for draw, loss in zip(plan.draws, losses, strict=True))
    return charged and plan.charge_nano <= budget_nano and sum(losses) <= plan.charge_nano


@pytest.mark.parametrize("budget_nano", BUDGETS_NANO)
def test_a_plan_charges_every_loss_in_full_and_fits_its_budget(budget_nano: int) -> None:
    assert is_sound(make_plan(DESIGN, budget_nano), budget_nano)


def one_digit_smaller(draw: Draw) -> Draw:
    sigma = Decimal(draw.sigma)
    last_digit = Decimal(1).scaleb(int(sigma.as_tuple().exponent))
    return replace(draw, sigma=str(sigma - last_digit))


WRONG_DRAWS: dict[str, Callable[[Draw], Draw]] = {
    "a sigma one digit too small": one_digit_smaller,
    "a sigma cut to three digits": lambda draw: replace(draw, sigma=f"{THREE_DIGITS.create_decimal(draw.sigma):f}"),
    "a charge rounded down": lambda draw: replace(draw, charge_nano=draw.charge_nano - 1),
    "a sensitivity of another bound": lambda draw: replace(draw, l2_squared=draw.l2_squared + 1),
    "a charge of nothing": lambda draw: replace(draw, charge_nano=0),
}


@pytest.mark.parametrize("budget_nano", BUDGETS_NANO)
@pytest.mark.parametrize("name", WRONG_DRAWS)
def test_a_plan_that_charges_too_little_for_a_draw_is_caught(name: str, budget_nano: int) -> None:
    draws = make_plan(DESIGN, budget_nano).draws
    for i, draw in enumerate(draws):
        changed = (*draws[:i], WRONG_DRAWS[name](draw), *draws[i + 1 :])
        assert not is_sound(MeasurementPlan(changed), budget_nano), draw.name


def test_a_plan_over_its_budget_is_caught() -> None:
    plan = make_plan(DESIGN, BUDGETS_NANO[0])
    assert not is_sound(plan, plan.charge_nano - 1)
