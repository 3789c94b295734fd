"""From noisy margins to one fitted table, with the variance and covariance of every sum of its cells.

Exact weighted least squares through the ANOVA decomposition of the factorial: the noise of a margin is the same
in every entry, so the space of tables splits into orthogonal effects, one for each set of dimensions, and each
effect is the precision-weighted mean of what the margins that hold it say. Closed form; equal to dense
generalised least squares. Source: Scheffe, The Analysis of Variance (1959), chapter 4, for the decomposition;
Gauss-Markov for the weights. Nothing is clipped here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from math import prod

import numpy as np

from privacy.arrays import Floats, Vector
from privacy.plan import Draw

Effect = frozenset[int]
Groups = Sequence[Floats]


class NotIdentified(ValueError):
    """No measured margin holds an effect that the question needs."""


@dataclass(frozen=True, slots=True)
class FittedTable:
    """values: the fitted table, one axis a dimension. effect_variances: the eigenvalue of the covariance of
    `values` on the space of each effect (effects are sets of axes)."""

    values: Floats
    effect_variances: dict[Effect, float]

    def sums(self, groups: Groups) -> Floats:
        """Weighted sums of cells. groups: for each axis a matrix (groups x values) of weights.

        Returns an array with one axis per dimension, as long as that dimension has groups.
        """
        result = self.values
        for axis, weights in enumerate(groups):
            result = np.moveaxis(np.tensordot(weights, result, axes=(1, axis)), 0, axis)
        return result

    def covariance(self, left: Groups, right: Groups) -> Floats:
        """Covariance, entry by entry, of `sums(left)` and `sums(right)`, which must have the same shape."""
        pairs = list(zip(left, right, strict=True))
        if len(set(self.effect_variances.values())) == 1:
            # Independent cells of one variance, as when the full table alone was measured.
            variance = next(iter(self.effect_variances.values()))
            return variance * _outer([(g * h).sum(axis=1) for g, h in pairs])
        total = np.zeros([weights.shape[0] for weights in left])
        for effect, variance in self.effect_variances.items():
            factors = [_inside(g, h) if axis in effect else _mean_part(g, h) for axis, (g, h) in enumerate(pairs)]
            total += variance * _outer(factors)
        return total

    def variance(self, groups: Groups) -> Floats:
        """Variance of every entry of `sums(groups)`."""
        return self.covariance(groups, groups)


def fit(
    shape: tuple[int, ...], dimensions: tuple[str, ...], draws: Sequence[tuple[Draw, Vector, float]]
) -> FittedTable:
    """The least-squares table from the draws of one measure.

    draws: (draw, noisy vector, variance of one entry). Vectors may be sums over several releases of one plan;
    the variances then are sums too. Raises NotIdentified when no draw holds the full table's highest effect.
    """
    margins = [(frozenset(map(dimensions.index, draw.margin)), vector, variance) for draw, vector, variance in draws]
    everything = frozenset(range(len(shape)))
    if not any(axes == everything for axes, _, _ in margins):
        raise NotIdentified("no draw measured the full table")
    if len(margins) == 1:
        # One full table is its own fit, to the last integer.
        _, vector, variance = margins[0]
        same = dict.fromkeys(_effects(len(shape)), variance)
        return FittedTable(vector.reshape(shape).astype(np.float64), same)
    variances = {effect: _effect_variance(shape, effect, margins) for effect in _effects(len(shape))}
    return FittedTable(_weighted(shape, margins), variances)


Margin = tuple[Effect, Vector, float]


def _weighted(shape: tuple[int, ...], margins: Sequence[Margin]) -> Floats:
    values = np.zeros(shape)
    for effect in _effects(len(shape)):
        holding = [margin for margin in margins if effect <= margin[0]]
        precisions = [_precision(shape, effect, margin) for margin in holding]
        parts = [_effect_of(shape, effect, margin) for margin in holding]
        values += sum(p * part for p, part in zip(precisions, parts, strict=True)) / sum(precisions)
    return values


def _effects(axes: int) -> list[Effect]:
    return [frozenset(c) for c in chain.from_iterable(combinations(range(axes), n) for n in range(axes + 1))]


def _size(shape: tuple[int, ...], axes: Effect) -> int:
    return prod(shape[axis] for axis in axes)


def _precision(shape: tuple[int, ...], effect: Effect, margin: Margin) -> float:
    """lambda(B, A) = N(B')^2 / (v_A N(A without B)), in the units of FORMULAS."""
    axes, _, variance = margin
    outside = frozenset(range(len(shape))) - effect
    return float(_size(shape, outside) ** 2 / (variance * _size(shape, axes - effect)))


def _effect_variance(shape: tuple[int, ...], effect: Effect, margins: Sequence[Margin]) -> float:
    """N(B') / Lambda(B): the eigenvalue of the fitted table's covariance on the effect's space."""
    precision = sum(_precision(shape, effect, margin) for margin in margins if effect <= margin[0])
    return _size(shape, frozenset(range(len(shape))) - effect) / precision


def _effect_of(shape: tuple[int, ...], effect: Effect, margin: Margin) -> Floats:
    axes, vector, _ = margin
    kept = [n if axis in axes else 1 for axis, n in enumerate(shape)]
    table = vector.reshape(kept) / _size(shape, frozenset(range(len(shape))) - axes)
    for axis in axes - effect:
        table = table.mean(axis=axis, keepdims=True)
    for axis in effect:
        table = table - table.mean(axis=axis, keepdims=True)
    return table


def _mean_part(left: Floats, right: Floats) -> Floats:
    mean_part: Floats = left.sum(axis=1) * right.sum(axis=1) / left.shape[1]
    return mean_part


def _inside(left: Floats, right: Floats) -> Floats:
    inside: Floats = (left * right).sum(axis=1) - _mean_part(left, right)
    return inside


def _outer(factors: Sequence[Floats]) -> Floats:
    result = np.ones(())
    for factor in factors:
        result = np.multiply.outer(result, factor)
    return result
