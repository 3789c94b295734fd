"""The measurement plan: what is drawn for one period of a feed, at which sigma and charge. Frozen once signed."""

from dataclasses import dataclass, replace

from privacy.mechanism import MAX_SIGMA, MIN_SIGMA, charge_nano
from privacy.sensitivity import l2_squared_of_move, l2_squared_of_period, root_up


class PlanNotSound(ValueError):
    """A plan whose charges are not those of its sigmas, or whose margins do not fit its feed."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One margin of one measure, noised as one vector.

    margin: the dimensions kept, in the feed's order. sigma: a decimal that names one double.
    l2_squared: exact squared sensitivity of this margin of one period. charge_nano: loss in nano-rho.
    """

    measure: str
    margin: tuple[str, ...]
    sigma: str
    l2_squared: int
    charge_nano: int

    @property
    def name(self) -> str:
        """Names the draw's vector in a release block."""
        return f"{self.measure}@{','.join(self.margin)}"

    @property
    def sigma_value(self) -> float:
        return float(self.sigma)

    @property
    def variance(self) -> float:
        """Of the noise in one entry. The discrete Gaussian's variance is at most sigma^2, and within 1e-15 of
        it for sigma >= 2 (Canonne, Kamath and Steinke 2020, corollary 9)."""
        return self.sigma_value**2


@dataclass(frozen=True, slots=True)
class MeasurementPlan:
    """All draws of one period, in a fixed order."""

    draws: tuple[Draw, ...]

    @property
    def charge_nano(self) -> int:
        """Loss of one release: draws of the same person compose by addition (Bun and Steinke 2016)."""
        return sum(draw.charge_nano for draw in self.draws)

    def draws_of(self, measure: str) -> tuple[Draw, ...]:
        return tuple(draw for draw in self.draws if draw.measure == measure)

    def of_moves(self, dimension: str, bounds: dict[str, int]) -> "MeasurementPlan":
        """The same draws, charged for persons who are only moved between values of `dimension`: in margins that hold
        it they leave one entry and come into another, 2 b^2; the others do not change, and so lose nothing of them.

        For records that decide the dimension and nothing else of the cells (docs/decisions/0028). Nothing is drawn by
        this plan: it says what the draws of the other cost those persons. bounds: by measure.
        """
        return MeasurementPlan(
            tuple(_of_move(draw, bounds[draw.measure]) for draw in self.draws if dimension in draw.margin)
        )

    def verify(self, dimensions: tuple[str, ...], bounds: dict[str, int]) -> None:
        """Recompute every sensitivity and charge. Raises PlanNotSound at the first that differs."""
        for draw in self.draws:
            in_order = tuple(name for name in dimensions if name in draw.margin)
            if draw.measure not in bounds or draw.margin != in_order:
                raise PlanNotSound(f"{draw.name} names what the feed does not have")
            if draw.l2_squared != l2_squared_of_period(bounds[draw.measure]):
                raise PlanNotSound(f"{draw.name} has another sensitivity than its bound")
            if not MIN_SIGMA <= draw.sigma_value <= MAX_SIGMA:
                raise PlanNotSound(f"{draw.name} has a sigma that hides nothing")
            if draw.charge_nano != charge_nano(draw.sigma_value, root_up(draw.l2_squared)):
                raise PlanNotSound(f"{draw.name} has another charge than its sigma")
        if {draw.measure for draw in self.draws if draw.margin == dimensions} != set(bounds):
            raise PlanNotSound("the plan forgets the full table of a measure")
        if len({draw.name for draw in self.draws}) != len(self.draws):
            raise PlanNotSound("the plan draws the same margin twice")


def _of_move(draw: Draw, bound: int) -> Draw:
    l2_squared = l2_squared_of_move(bound)
    return replace(draw, l2_squared=l2_squared, charge_nano=charge_nano(draw.sigma_value, root_up(l2_squared)))
