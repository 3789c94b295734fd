"""Ways to draw a release that are wrong in one thing each."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from privacy.mechanism import NoiseSource
from privacy.plan import Draw, MeasurementPlan
from privacy.release import ExactTable, draw_release, margin_of
from tests.statistical.release_checks import Draws

Tables = Mapping[str, ExactTable]
Dimensions = tuple[str, ...]


def _draw(plan: MeasurementPlan, name: str) -> Draw:
    return next(draw for draw in plan.draws if draw.name == name)


def forgets_a_measure(plan: MeasurementPlan, dimensions: Dimensions, tables: Tables, noise: NoiseSource) -> Draws:
    """Stays go out as they came in."""
    exact = {d.name: margin_of(tables[d.measure], dimensions, d) for d in plan.draws_of("stays")}
    return draw_release(plan, dimensions, tables, noise) | exact


def forgets_a_margin(plan: MeasurementPlan, dimensions: Dimensions, tables: Tables, noise: NoiseSource) -> Draws:
    """One margin goes out as it came in."""
    draw = _draw(plan, "members@sex")
    exact = margin_of(tables[draw.measure], dimensions, draw)
    return draw_release(plan, dimensions, tables, noise) | {draw.name: exact}


def sums_a_margin_from_the_noisy_table(
    plan: MeasurementPlan, dimensions: Dimensions, tables: Tables, noise: NoiseSource
) -> Draws:
    """A margin that was never measured: with the full table's noise in it, and another variance than its plan's."""
    drawn = draw_release(plan, dimensions, tables, noise)
    full = drawn["members@region,sex"].reshape(tables["members"].shape)
    return drawn | {"members@region": margin_of(full, dimensions, _draw(plan, "members@region"))}


class SharedNoise:
    """Standard noise drawn once and used, scaled, for several draws: each by itself is right."""

    def __init__(self, *names: str, kept_for_releases: int = 1) -> None:
        self._names = names
        self._kept_for_releases = kept_for_releases
        self._releases = 0
        self._random = np.random.default_rng(20250102)
        self._kept = np.zeros(0)

    def __call__(self, plan: MeasurementPlan, dimensions: Dimensions, tables: Tables, noise: NoiseSource) -> Draws:
        drawn = draw_release(plan, dimensions, tables, noise)
        if self._releases % self._kept_for_releases == 0:
            self._kept = self._random.normal(size=max(table.size for table in tables.values()))
        self._releases += 1
        for name in self._names:
            draw = _draw(plan, name)
            exact = margin_of(tables[draw.measure], dimensions, draw)
            drawn[name] = exact + np.rint(draw.sigma_value * self._kept[: exact.size]).astype(np.int64)
        return drawn


class OtherSigma:
    """One draw by another sigma than its plan's."""

    def __init__(self, name: str, factor: float) -> None:
        self._name, self._factor = name, factor

    def __call__(self, plan: MeasurementPlan, dimensions: Dimensions, tables: Tables, noise: NoiseSource) -> Draws:
        draws = [
            replace(draw, sigma=str(self._factor * draw.sigma_value)) if draw.name == self._name else draw
            for draw in plan.draws
        ]
        return draw_release(MeasurementPlan(tuple(draws)), dimensions, tables, noise)


def swaps_the_sigmas_of_two_margins(
    plan: MeasurementPlan, dimensions: Dimensions, tables: Tables, noise: NoiseSource
) -> Draws:
    small, large = _draw(plan, "stays@region,sex"), _draw(plan, "stays@region")
    others = [draw for draw in plan.draws if draw not in (small, large)]
    swapped = (replace(small, sigma=large.sigma), replace(large, sigma=small.sigma))
    return draw_release(MeasurementPlan((*others, *swapped)), dimensions, tables, noise)


def clamps_a_margin_at_zero(plan: MeasurementPlan, dimensions: Dimensions, tables: Tables, noise: NoiseSource) -> Draws:
    drawn = draw_release(plan, dimensions, tables, noise)
    return drawn | {"members@region": np.maximum(drawn["members@region"], 0)}


class Otherwise:
    """One draw from another noise source than the rest."""

    def __init__(self, name: str, source: NoiseSource) -> None:
        self._name, self._source = name, source

    def __call__(self, plan: MeasurementPlan, dimensions: Dimensions, tables: Tables, noise: NoiseSource) -> Draws:
        draw = _draw(plan, self._name)
        drawn = draw_release(MeasurementPlan((draw,)), dimensions, tables, self._source)
        return draw_release(plan, dimensions, tables, noise) | drawn
