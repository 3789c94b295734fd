"""Checks of whole releases: does every margin of every measure have noise of its own, of the sigma of its plan?

A release draws a full table and margins of it. What can go wrong beyond the noise source: a draw that is left out
(its numbers go out exact, or are taken from another draw), one that gets another's sigma, and noise that two draws,
two measures, two periods or two measurements of one period share. The last four all show as correlation between
vectors that should have none, or between one margin and the sum of another over the same cells.

Each check is one p-value, however many pairs it looks at (Bonferroni), so that `checks.ALARM` holds as it stands.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from math import prod

import numpy as np

from privacy.arrays import Floats, Vector
from privacy.mechanism import NoiseSource
from privacy.plan import Draw, MeasurementPlan
from privacy.release import ExactTable, draw_release, margin_of
from tests.statistical import checks
from tests.statistical.checks import between, worst

Draws = dict[str, Vector]
DrawRelease = Callable[[MeasurementPlan, tuple[str, ...], Mapping[str, ExactTable], NoiseSource], Draws]

# Long and narrow, so that few releases give many draws of two margins; of the other two there are few.
SIZES = {"region": 500, "sex": 2}
DIMENSIONS = tuple(SIZES)
SIGMAS = {("region", "sex"): ("10", "21.5"), ("region",): ("15", "33"), ("sex",): ("20", "8"), (): ("30.5", "12")}
PLAN = MeasurementPlan(
    tuple(
        Draw(measure, margin, sigmas[i], 1, 1)
        for i, measure in enumerate(("members", "stays"))
        for margin, sigmas in SIGMAS.items()
    )
)
RELEASES = 50
_ENOUGH_FOR_A_SHAPE = 10_000


class Noise:
    """The noise of many releases by one way of drawing them. by_draw: one row a release, one column an entry."""

    def __init__(
        self,
        draw: DrawRelease,
        source: NoiseSource,
        sizes: Mapping[str, int] = SIZES,
        plan: MeasurementPlan = PLAN,
        releases: int = RELEASES,
    ) -> None:
        self.dimensions, self.shape, self.plan = tuple(sizes), tuple(sizes.values()), plan
        cells = prod(self.shape)
        # Small counts, as in sparse strata, and other ones in each measure.
        measures = dict.fromkeys(d.measure for d in plan.draws)
        tables = {name: ((np.arange(cells) + i) % 5).reshape(self.shape) for i, name in enumerate(measures)}
        exact = {d.name: margin_of(tables[d.measure], self.dimensions, d) for d in plan.draws}
        drawn = [draw(plan, self.dimensions, tables, source) for _ in range(releases)]
        self.by_draw = {name: np.stack([release[name] - exact[name] for release in drawn]) for name in exact}

    def summed(self, draw: Draw, onto: Draw) -> Floats:
        """The noise of a draw summed, release by release, to the entries that it has in common with `onto`."""
        return self._summed(draw, [name for name in draw.margin if name in onto.margin])

    def _summed(self, draw: Draw, kept: Sequence[str]) -> Floats:
        shape = [size for name, size in zip(self.dimensions, self.shape, strict=True) if name in draw.margin]
        table = self.by_draw[draw.name].reshape(-1, *shape).astype(np.float64)
        dropped = tuple(axis for axis, name in enumerate(draw.margin, start=1) if name not in kept)
        summed: Floats = table.sum(axis=dropped)
        return summed.reshape(len(table), -1)


def release_checks(noise: Noise) -> dict[str, float]:
    """Every p-value of many releases."""
    draws = noise.plan.draws
    if any(not noise.by_draw[draw.name].any() for draw in draws):
        return {"no noise at all": 0.0}
    pairs = list(combinations(draws, 2))
    return {
        "sigmas": worst(_each(noise, checks.scale)),
        "means": worst(_each(noise, checks.mean)),
        "shapes": worst(_each(noise, _shape)),
        "margins": worst(_common(noise, [(a, b) for a, b in pairs if a.measure == b.measure])),
        "measures": worst(_common(noise, [(a, b) for a, b in pairs if a.measure != b.measure])),
        "cells": worst(_neighbours(noise.by_draw[draw.name]) for draw in draws),
        "releases": worst(_next(noise.by_draw[draw.name]) for draw in draws),
    }


def _each(noise: Noise, check: Callable[[Vector, float], float]) -> Iterator[float]:
    return (check(noise.by_draw[draw.name], draw.sigma_value) for draw in noise.plan.draws)


def _shape(rows: Vector, sigma: float) -> float:
    """Against the exact distribution, where there are enough draws to fill its bins."""
    return checks.distribution(rows, sigma) if rows.size >= _ENOUGH_FOR_A_SHAPE else 1.0


def _common(noise: Noise, pairs: Sequence[tuple[Draw, Draw]]) -> Iterator[float]:
    """Correlation of two draws on the entries they have in common, and of the vectors as they stand."""
    for left, right in pairs:
        yield between(noise.summed(left, right), noise.summed(right, left))
        a, b = noise.by_draw[left.name], noise.by_draw[right.name]
        both = min(a.shape[1], b.shape[1])
        yield between(a[:, :both], b[:, :both])


def _neighbours(rows: Vector) -> float:
    return between(rows[:, :-1], rows[:, 1:]) if rows.shape[1] > 1 else 1.0


def _next(rows: Vector) -> float:
    return between(rows[:-1], rows[1:])


REAL: DrawRelease = draw_release
