"""From noisy margins to one fitted table, with the variance and covariance of every sum of its cells.

Exact weighted least squares through the ANOVA decomposition of the factorial: the noise of a margin is the same
in every entry, so the space of tables splits into orthogonal effects, one for each set of dimensions, and each
effect is the precision-weighted mean of what the margins that hold it say. Closed form; equal to dense
generalised least squares. Source: Scheffe, The Analysis of Variance (1959), chapter 4, for the decomposition;
Gauss-Markov for the weights. Nothing is clipped here: an estimate below zero stays below zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Self

import numpy as np

from privacy.arrays import Floats, Vector
from privacy.plan import Draw

Axes = frozenset[int]
Groups = Sequence[Floats]


class NotIdentified(ValueError):
    """No measured margin holds an effect that the question needs."""


@dataclass(frozen=True, slots=True)
class FittedTable:
    """values: the fitted table, one axis a dimension. effect_variances: the eigenvalue of the covariance of `values`
    on the space of each effect; one axis a dimension too, of length 2: at 1 where the effect holds it.
    on_lattice: the values are noisy integers as they were drawn, so the exact discrete Gaussian holds for their sums.

    Axes of `values` and of weights before those of the dimensions are of several tables, each with the same variances.
    """

    values: Floats
    effect_variances: Floats
    on_lattice: bool

    def __add__(self, other: Self) -> "FittedTable":
        """Of independent releases, such as other periods, providers or plans: values add, and so do variances."""
        return FittedTable(
            self.values + other.values,
            self.effect_variances + other.effect_variances,
            self.on_lattice and other.on_lattice,
        )

    def sums(self, groups: Groups) -> Floats:
        """Weighted sums of cells. groups: for each axis a matrix (groups x values) of weights.

        Returns an array with one axis per dimension, as long as that dimension has groups.
        """
        return _contracted(self.values, groups)

    def covariance(self, left: Groups, right: Groups) -> Floats:
        """Covariance, entry by entry, of `sums(left)` and `sums(right)`, which must have the same shape.

        sum over effects B of variance(B) * prod over axes in B of inside * prod over the other axes of mean, where
        g.h = mean + inside splits a product of weights into that of their means and that of what is left.
        """
        pairs = list(zip(left, right, strict=True))
        if np.ptp(self.effect_variances) == 0:
            # Independent cells of one variance, as when the full table alone was measured: exact, for the lattice.
            dots = [(g * h).sum(axis=1, keepdims=True) for g, h in pairs]
            return _contracted(self.effect_variances[(slice(1),) * len(pairs)], dots)
        return _contracted(self.effect_variances, [np.stack([_mean(g, h), _inside(g, h)], axis=1) for g, h in pairs])

    def variance(self, groups: Groups) -> Floats:
        """Variance of every entry of `sums(groups)`."""
        return self.covariance(groups, groups)

    def covariances_with(self, groups: Groups, weights: Floats) -> Floats:
        """Covariance of every entry of `sums(groups)` with one weighted sum of them all, of any weights.

        weights: of the shape of `sums(groups)`, which the answer has too. The covariance of the cells is the sum over
        effects B of variance(B) times the projection on the space of B, which is applied and never written out.
        """
        cells = _contracted(weights, [matrix.T for matrix in groups])
        return _contracted(_weighted_effects(cells, self.effect_variances, range(-len(groups), 0)), groups)

    def combined_covariance(self, groups: Groups, left: Floats, right: Floats, axes: Sequence[int]) -> Floats:
        """Covariance of two weighted sums over the groups of `axes`, entry by entry of the other axes.

        left, right: weights, of the shape of `sums(groups)`. Returns that shape, with `axes` of length 1. The other
        axes keep the factors of `covariance`, mean and inside; along `axes` the projection on each effect is applied.
        """
        kept = [np.eye(2) if i in axes else np.stack([_mean(g, g), _inside(g, g)], 1) for i, g in enumerate(groups)]
        expand = [matrix.T if i in axes else np.eye(len(matrix)) for i, matrix in enumerate(groups)]
        first, second = (_contracted(weights, expand) for weights in (left, right))
        own = tuple(axis - len(groups) for axis in axes)
        noise = _weighted_effects(second, _contracted(self.effect_variances, kept), own)
        combined: Floats = (first * noise).sum(axis=own, keepdims=True)
        return combined


@dataclass(frozen=True, slots=True)
class _Margin:
    """axes: those kept. table: the noisy sums, one axis a dimension, of length 1 where the margin drops it."""

    axes: Axes
    table: Floats
    variance: float


def fit(
    shape: tuple[int, ...], dimensions: tuple[str, ...], draws: Sequence[tuple[Draw, Vector, float]]
) -> FittedTable:
    """The least-squares table from the draws of one measure.

    draws: (draw, noisy vector, variance of one entry). Vectors may be sums over several releases of one plan;
    the variances then are sums too: fitting is linear, so the sum of fits is the fit of sums. Or several such vectors,
    one a row, for as many tables.
    Raises NotIdentified when no draw holds the full table's highest effect.
    """
    margins = [_margin(shape, dimensions, *drawn) for drawn in draws]
    full = [margin for margin in margins if len(margin.axes) == len(shape)]
    if not full:
        raise NotIdentified("no draw measured the full table")
    if len(margins) == 1:
        # One full table is its own fit, to the last integer.
        return FittedTable(full[0].table, np.full((2,) * len(shape), full[0].variance), on_lattice=True)
    precisions = [_precisions(shape, margin) for margin in margins]
    total = np.sum(precisions, axis=0)
    values = np.zeros(shape)
    for margin, precision in zip(margins, precisions, strict=True):
        dropped = _size(shape, frozenset(range(len(shape))) - margin.axes)
        values = values + _weighted_effects(margin.table / dropped, precision / total, range(-len(shape), 0))
    return FittedTable(values, 1 / total, on_lattice=False)


def _margin(
    shape: tuple[int, ...], dimensions: tuple[str, ...], draw: Draw, vector: Vector, variance: float
) -> _Margin:
    axes = frozenset(map(dimensions.index, draw.margin))
    kept = [n if axis in axes else 1 for axis, n in enumerate(shape)]
    return _Margin(axes, vector.reshape([*vector.shape[:-1], *kept]).astype(np.float64), variance)


def _precisions(shape: tuple[int, ...], margin: _Margin) -> Floats:
    """What a margin A says of each effect B within it: N(not in A) / v_A in every cell; 0 of the other effects.

    This is lambda(B, A) / N(not in B) of FORMULAS: lambda measures an effect's entry, this one unit of its space.
    """
    everything = frozenset(range(len(shape)))
    within = tuple(slice(None) if axis in margin.axes else slice(1) for axis in range(len(shape)))
    precisions = np.zeros((2,) * len(shape))
    precisions[within] = _size(shape, everything - margin.axes) / margin.variance
    return precisions


def _size(shape: tuple[int, ...], axes: Axes) -> int:
    return prod(shape[axis] for axis in axes)


def _weighted_effects(table: Floats, weights: Floats, axes: Sequence[int]) -> Floats:
    """The sum over all effects of `axes` of weight * effect of `table`: along each its mean and what is left.

    axes: counted from the last. weights: along these of length 2, without and with the axis in the effect; as `table`
    or of length 1 elsewhere. Where the two weigh the same the table is not taken apart.
    """
    if not axes:
        return weights * table
    axis, others = axes[0], axes[1:]
    low, high = np.split(weights, 2, axis=axis)
    if np.array_equal(low, high):
        return _weighted_effects(table, low, others)
    mean = table.mean(axis=axis, keepdims=True)
    without = _weighted_effects(mean, low, others)
    return without if table.shape[axis] == 1 else without + _weighted_effects(table - mean, high, others)


def _contracted(values: Floats, matrices: Groups) -> Floats:
    """Multiply each of the last axes by its matrix, as long as the matrix is wide."""
    for axis, matrix in enumerate(matrices, start=values.ndim - len(matrices)):
        if not _changes_nothing(matrix):
            values = np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)
    return values


def _changes_nothing(matrix: Floats) -> bool:
    return matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, np.eye(len(matrix)))


def _mean(left: Floats, right: Floats) -> Floats:
    mean: Floats = left.sum(axis=1) * right.sum(axis=1) / left.shape[1]
    return mean


def _inside(left: Floats, right: Floats) -> Floats:
    """Of centred weights, so that groups which are whole axes have exactly nothing inside."""
    inside: Floats = ((left - left.mean(axis=1, keepdims=True)) * (right - right.mean(axis=1, keepdims=True))).sum(1)
    return inside
