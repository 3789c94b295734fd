"""Draws a release by the frozen plan: exact cells in, noisy vectors out, and nothing else remembered."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from privacy.arrays import Vector
from privacy.mechanism import NoiseSource
from privacy.plan import Draw, MeasurementPlan

ExactTable = NDArray[np.int64]


def draw_release(
    plan: MeasurementPlan,
    dimensions: tuple[str, ...],
    tables: Mapping[str, ExactTable],
    noise: NoiseSource,
) -> dict[str, Vector]:
    """One noisy vector per draw of the plan, by the draw's name.

    tables: by measure, the dense exact table with one axis per dimension in the feed's order.
    Raises DrawFailed when noise could not be drawn; no vector is returned then.
    """
    return {
        draw.name: noise.add_noise(margin_of(tables[draw.measure], dimensions, draw), draw.sigma_value)
        for draw in plan.draws
    }


def margin_of(table: ExactTable, dimensions: tuple[str, ...], draw: Draw) -> Vector:
    """The table summed over the dimensions that the draw's margin drops, flattened in C order."""
    dropped = tuple(axis for axis, name in enumerate(dimensions) if name not in draw.margin)
    return np.ascontiguousarray(table.sum(axis=dropped, dtype=np.int64)).reshape(-1)
