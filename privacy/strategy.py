"""Makes the measurement plan from the contract alone: no data, no clock, the same on every machine.

A plan measures the full table of every measure and those margins of it that help the tables which the contract
names. privacy/shares.py divides the loss; here shares become whole nano-rho and those become sigmas, so that no float
decides what a release charges.
"""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from itertools import combinations
from math import sqrt

from privacy.mechanism import MAX_SIGMA, charge_nano
from privacy.plan import Draw, MeasurementPlan
from privacy.sensitivity import l2_squared_of_period, root_up
from privacy.shares import MILLION, shares_of_margins, shares_of_measures
from privacy.units import NANO

# Where a contract names no tables, whatever goes by so many dimensions is wanted: most questions do.
USUAL_DIMENSIONS = 3
_SIGMA_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Table:
    """A table that the parties care about: the dimensions it goes by, and how much it matters beside the others."""

    by: tuple[str, ...]
    weight: int = 1


@dataclass(frozen=True, slots=True)
class FeedDesign:
    """All that a plan is made from; public terms of the contract, never data.

    sizes: by dimension, in the feed's order, the length of its vocabulary. bounds: by measure, the most one person
    adds to a cell. expected: by measure, the expected sum over one period, where the contract states it.
    """

    sizes: dict[str, int]
    bounds: dict[str, int]
    expected: dict[str, int]
    tables: tuple[Table, ...]

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(self.sizes)


class BudgetTooSmall(ValueError):
    """The period's share of the ceiling cannot pay for a single draw of every margin and measure."""

    def __init__(self, needed_nano: int) -> None:
        super().__init__(f"a period needs at least {needed_nano} nano-rho")
        self.needed_nano = needed_nano


def wanted_tables(design: FeedDesign) -> tuple[Table, ...]:
    """The tables to be accurate for: those that the contract names, or else every table by up to `USUAL_DIMENSIONS`
    dimensions and the full table, all alike (docs/decisions/0013 compares this with other defaults)."""
    if design.tables:
        return design.tables
    names, most = design.dimensions, min(USUAL_DIMENSIONS, len(design.dimensions))
    usual = [by for count in range(most + 1) for by in combinations(names, count)]
    return tuple(Table(by) for by in dict.fromkeys([*usual, names]))


def make_plan(design: FeedDesign, period_nano: int, measures: Collection[str] | None = None) -> MeasurementPlan:
    """The plan of one period that charges at most `period_nano`; `measures`: only their part of it.

    Raises BudgetTooSmall below what the cheapest possible draws cost together.
    """
    of_margins = _margins(design)
    of_measures = shares_of_measures(design.bounds, design.expected)
    least = {measure: _least_nano(bound) for measure, bound in design.bounds.items()}
    needed = sum(least.values()) * len(of_margins)
    if period_nano < needed:
        raise BudgetTooSmall(needed_nano=needed)
    return MeasurementPlan(
        tuple(
            _draw(
                measure,
                tuple(name for axis, name in enumerate(design.dimensions) if axis in axes),
                bound,
                # Rounded down: the parts never add up to more than the whole.
                least[measure] + int((period_nano - needed) * of_measures[measure] * share / MILLION),
            )
            for measure, bound in design.bounds.items()
            if measures is None or measure in measures
            for axes, share in sorted(of_margins.items(), key=_largest_first)
        )
    )


def count_draws(design: FeedDesign, measures: Collection[str] | None = None) -> int:
    """How many draws its plan has, at any budget; `measures`: only theirs."""
    return len(_margins(design)) * len(set(design.bounds if measures is None else measures))


def require_budget(design: FeedDesign, period_nano: int) -> None:
    """Raises BudgetTooSmall where `make_plan` would, without making the plan."""
    make_plan(design, period_nano, measures=())


def releases_paid(*, k: int, periods: int, restatements: int) -> int:
    """How many releases the ceiling of a feed has to pay for, whatever happens.

    One person is in at most k of the first measurements, and every restatement of each of the feed's periods counts
    in full: k + r periods, which is k (1 + r) where k is all periods of the term (docs/decisions/0012).
    """
    return k + restatements * periods


def _margins(design: FeedDesign) -> dict[frozenset[int], int]:
    """The margins to measure with their shares in millionths."""
    wanted: dict[frozenset[int], int] = {}
    for table in wanted_tables(design):
        axes = frozenset(map(design.dimensions.index, table.by))
        wanted[axes] = wanted.get(axes, 0) + table.weight
    return shares_of_margins(tuple(design.sizes.values()), wanted)


def _largest_first(margin: tuple[frozenset[int], int]) -> tuple[int, list[int]]:
    axes, _ = margin
    return -len(axes), sorted(axes)


def _least_nano(bound: int) -> int:
    """What a draw costs at the largest sigma there is."""
    return charge_nano(MAX_SIGMA, root_up(l2_squared_of_period(bound)))


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
