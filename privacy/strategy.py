"""Makes the measurement plan from the contract alone: no data, deterministic.

Today's strategy measures the full table of every measure and gives each measure the same share of the period's
loss: shares in proportion to L2 / scale, where the bound stands for the scale of a measure. Every answer is then
a sum of cells of one table, so totals agree with their parts by construction.
"""

from decimal import ROUND_CEILING, Context, Decimal
from math import sqrt

from privacy.mechanism import MAX_SIGMA, charge_nano
from privacy.plan import Draw, MeasurementPlan
from privacy.sensitivity import l2_squared_of_period, root_up
from privacy.units import NANO

_SIGMA_DIGITS = 8


class BudgetTooSmall(ValueError):
    """The period's share of the ceiling cannot pay for a single draw of every measure."""

    def __init__(self, needed_nano: int) -> None:
        super().__init__(f"a period needs at least {needed_nano} nano-rho")
        self.needed_nano = needed_nano


def make_plan(dimensions: tuple[str, ...], bounds: dict[str, int], period_nano: int) -> MeasurementPlan:
    """The plan of one period that charges at most `period_nano`.

    bounds: the most one person adds to a cell, by measure. Raises BudgetTooSmall below one nano-rho a measure.
    """
    share = period_nano // len(bounds)
    least = max(charge_nano(MAX_SIGMA, root_up(l2_squared_of_period(bound))) for bound in bounds.values())
    if share < least:
        raise BudgetTooSmall(needed_nano=least * len(bounds))
    return MeasurementPlan(tuple(_draw(measure, dimensions, bound, share) for measure, bound in bounds.items()))


def period_charge_nano(ceiling_nano: int, k: int, restatements: int) -> int:
    """What one release may charge: ceiling / (k (1 + r)), rounded down (DESIGN, restatement)."""
    return ceiling_nano // (k * (1 + restatements))


def _draw(measure: str, margin: tuple[str, ...], bound: int, share_nano: int) -> Draw:
    l2_squared = l2_squared_of_period(bound)
    sensitivity = root_up(l2_squared)
    sigma = _smallest_sigma(sensitivity, share_nano)
    return Draw(measure, margin, str(sigma), l2_squared, charge_nano(float(sigma), sensitivity))


def _smallest_sigma(sensitivity: float, share_nano: int) -> Decimal:
    """The smallest sigma of `_SIGMA_DIGITS` digits whose charge is within the share."""
    context = Context(prec=_SIGMA_DIGITS, rounding=ROUND_CEILING)
    sigma = context.create_decimal(Decimal(min(MAX_SIGMA, sensitivity / sqrt(2 * share_nano / NANO))))
    while charge_nano(float(sigma), sensitivity) > share_nano:
        sigma = context.next_plus(sigma)
    return Decimal(f"{sigma:f}")
