"""How a period's loss is shared: among the margins of a measure, and among the measures. No data.

Within a measure the shares minimise the weighted geometric mean of the variances of the wanted tables. The variance
of an entry of table W, from margins A measured with precision p_A (one over the variance of their noise), is that of
the least-squares fit (privacy/inference.py):

    V_W = sum over effects B within W of  N(W')^2 prod_{i in B} (1 - 1/n_i) / sum_{A holds B} p_A N(B')^2 / N(A - B)

where N(S) is the product of the sizes n_i over S and S' are the other axes. log V_W is convex in p, since it is the
logarithm of a sum of reciprocals of linear functions: what cannot be improved nearby cannot be improved at all.
Source: Li, Miklau, Hay, McGregor and Rastogi, The matrix mechanism (2015), for choosing what to measure; Silvey,
Titterington and Torsney, An algorithm for optimal designs on a finite design space (1978), for the updates.

Between measures the sum of relative variances rules instead, damped by a floor: docs/decisions/0013 says why.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from privacy.arrays import Floats

Axes = frozenset[int]
Masks = NDArray[np.int64]

MILLION = 1_000_000
# With at least a tenth on the full table, a question that no named table helps is at most sqrt(10) = 3.2 times as
# uncertain as if cells alone had been measured; the named tables are at most sqrt(10/9) = 1.05 times worse for it.
FULL_TABLE_FLOOR = 0.1
# Fewer margins are easier to read, post and draw: up to this worsening of the logarithm they are worth it.
_SPARE = 5e-4
_GAP = 1e-4
_TRIFLE = 1e-3
# Where the gap closes slowly, what is left by then no longer shows in the plan: it is well below `_SPARE`.
_MOST_STEPS = 1_000


def shares_of_margins(sizes: Sequence[int], wanted: Mapping[Axes, int]) -> dict[Axes, int]:
    """The margins to measure, each with its share in millionths; they sum to a million.

    sizes: length of each axis. wanted: weight of each wanted table, named by its axes; at least one. The candidates
    are all margins of the table. The full table always gets at least `FULL_TABLE_FLOOR`, since the fit needs it.
    Rounded, so that the last bits of a machine's arithmetic do not change a plan.
    """
    return dict(_shares_of_margins(tuple(sizes), frozenset(wanted.items())))


# Up to a second's work for eight dimensions, and the plans of a feed at whatever budget share the answer.
@lru_cache(maxsize=1_024)
def _shares_of_margins(sizes: tuple[int, ...], wanted: frozenset[tuple[Axes, int]]) -> dict[Axes, int]:
    # An axis of one value splits nothing: margins with and without it are the same numbers.
    split = [axis for axis, size in enumerate(sizes) if size > 1]
    grid = _Grid([sizes[axis] for axis in split])
    weights = np.zeros(grid.margins)
    for axes, weight in wanted:
        weights[_mask(split.index(axis) for axis in axes if axis in split)] += weight
    shares = _rounded(_best_shares(grid, weights / weights.sum()))
    full = grid.margins - 1
    return {
        frozenset(range(len(sizes))) if mask == full else frozenset(split[bit] for bit in _bits(mask)): share
        for mask, share in shares.items()
    }


def shares_of_measures(bounds: Mapping[str, int], expected: Mapping[str, int]) -> dict[str, Fraction]:
    """Each measure's share of a period's loss, exactly; they sum to one.

    In proportion to bound / expected sum, which minimises the sum of relative variances, but never below half of an
    equal share. A measure without an expected sum counts as if everybody reached its bound: like the stated one with
    the most persons. Without any expected sum all are equal.
    """
    stated = {name: Fraction(bounds[name], expected[name]) for name in bounds if name in expected}
    smallest = min(stated.values(), default=Fraction(1))
    need = {name: stated.get(name, smallest) for name in bounds}
    floor = Fraction(1, 2 * len(bounds))
    # Whoever falls below the floor gets it, and the rest is shared anew: the exact optimum under the floor.
    low: set[str] = set()
    while True:
        rest = sum(value for name, value in need.items() if name not in low)
        shares = {name: floor if name in low else (1 - floor * len(low)) * need[name] / rest for name in bounds}
        below = {name for name, share in shares.items() if share < floor}
        if not below:
            return shares
        low |= below


class _Grid:
    """All subsets of the axes as bit masks, and the matrices of the variance formula over them."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.margins = 1 << len(sizes)
        self._effects = np.arange(self.margins)
        self._cells = _products(sizes)
        self._freedom = _products([1 - 1 / size for size in sizes])

    def precisions(self, margins: Masks) -> Floats:
        """C[B, A] = N(B')^2 / N(A - B) for effects B within margin A, else 0."""
        effects = self._effects[:, None]
        outside = self._cells[self.margins - 1 - effects]
        return np.where(effects & ~margins == 0, outside**2 / self._cells[margins & ~effects], 0.0)

    def spreads(self, tables: Masks) -> Floats:
        """G[W, B] = N(W')^2 prod_{i in B} (1 - 1/n_i) for effects B within table W, else 0."""
        outside = self._cells[self.margins - 1 - tables][:, None]
        return np.where(self._effects & ~tables[:, None] == 0, outside**2 * self._freedom, 0.0)


def _best_shares(grid: _Grid, weights: Floats) -> dict[int, float]:
    """The share of every margin worth measuring, by its mask: as few as stay within 0.1% of the best there is."""
    tables = np.flatnonzero(weights)
    spreads, weights = grid.spreads(tables), weights[tables]
    asked = spreads.any(axis=0)
    margins = np.arange(grid.margins)
    precisions = grid.precisions(margins)[asked]
    shares, best = _optimum(precisions, spreads[:, asked], weights)
    while margins.size > 1:
        # All trifles at once, or else the smallest; equal shares stay or go together, whatever their last bits.
        kept = shares > max(_TRIFLE, shares[:-1].min() * (1 + 1e-4))
        kept[-1] = True
        fewer, loss = _optimum(precisions[:, kept], spreads[:, asked], weights)
        if loss > best + _SPARE:
            break
        margins, precisions, shares = margins[kept], precisions[:, kept], fewer
    return {int(mask): float(share) for mask, share in zip(margins, shares, strict=True)}


def _optimum(precisions: Floats, spreads: Floats, weights: Floats) -> tuple[Floats, float]:
    """Shares that minimise sum_W weight_W log V_W with the floor on the last margin, and that minimum.

    With h = minus the gradient, the multiplicative update p <- p sqrt(h), brought back to the simplex and the floor,
    minimises a majorant (the logarithm lies below its tangent, a reciprocal of a sum below the sum by Cauchy and
    Schwarz), so that no step makes it worse. Since the objective is convex, the best value there is lies at most
    max over shares q of h.(q - p) below: the loop ends when that gap says that no more than 0.01% is left.
    """
    shares = _with_floor(np.full(precisions.shape[1], 1 / precisions.shape[1]))
    for _ in range(_MOST_STEPS):
        effects = precisions @ shares
        variances = spreads @ (1 / effects)
        slopes = precisions.T @ (((weights / variances) @ spreads) / effects**2)
        best = FULL_TABLE_FLOOR * slopes[-1] + (1 - FULL_TABLE_FLOOR) * slopes.max()
        if best - shares @ slopes <= _GAP:
            break
        shares = _with_floor(shares * np.sqrt(slopes))
    return shares, float(weights @ np.log(variances))


def _with_floor(shares: Floats) -> Floats:
    shares = shares / shares.sum()
    if shares[-1] < FULL_TABLE_FLOOR:
        shares *= (1 - FULL_TABLE_FLOOR) / shares[:-1].sum()
        shares[-1] = FULL_TABLE_FLOOR
    return shares


def _rounded(shares: Mapping[int, float]) -> dict[int, int]:
    """In millionths; the largest share takes what rounding leaves."""
    rounded = {mask: round(share * MILLION) for mask, share in shares.items()}
    rounded[max(rounded, key=lambda mask: rounded[mask])] += MILLION - sum(rounded.values())
    return rounded


def _products(factors: Sequence[float]) -> Floats:
    """For every bit mask the product of the factors of its bits."""
    products = np.ones(1)
    for factor in factors:
        products = np.concatenate([products, products * factor])
    return products


def _mask(axes: Iterable[int]) -> int:
    return sum(1 << axis for axis in axes)


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
