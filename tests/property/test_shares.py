"""No other shares do better: against scipy's optimiser, the optimality conditions, and plain dense least squares."""

import timeit
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import chain, combinations
from math import comb, log, prod, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from privacy.arrays import Floats
from privacy.shares import FULL_TABLE_FLOOR, MILLION, _shares_of_margins, shares_of_margins, shares_of_measures

Axes = frozenset[int]
Wanted = dict[Axes, int]

SIZES = st.lists(st.integers(1, 5), min_size=0, max_size=3)


def subsets(axes: int) -> list[Axes]:
    return [frozenset(c) for c in chain.from_iterable(combinations(range(axes), n) for n in range(axes + 1))]


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[int], Wanted]:
    sizes = draw(SIZES)
    tables = st.sampled_from(subsets(len(sizes)))
    return sizes, draw(st.dictionaries(tables, st.integers(1, 20), min_size=1, max_size=5))


def margin_matrix(sizes: Sequence[int], margin: Axes) -> Floats:
    """Cells to entries of a margin: a Kronecker product of ones and identities, and no formula of ours."""
    rows = np.ones((1, 1))
    for axis, size in enumerate(sizes):
        rows = np.kron(rows, np.eye(size) if axis in margin else np.ones((1, size)))
    return rows


def dense_variances(sizes: Sequence[int], shares: Mapping[Axes, float], tables: Sequence[Axes]) -> list[float]:
    """By the normal equations of least squares: a share p buys noise of variance 1 / p."""
    information = sum(
        share * margin_matrix(sizes, margin).T @ margin_matrix(sizes, margin) for margin, share in shares.items()
    )
    covariance = np.linalg.inv(information)
    return [float(rows[0] @ covariance @ rows[0]) for rows in (margin_matrix(sizes, table) for table in tables)]


def objective(sizes: Sequence[int], shares: Mapping[Axes, float], wanted: Wanted) -> float:
    """The logarithm of the weighted geometric mean of the variances."""
    variances = dense_variances(sizes, shares, list(wanted))
    return sum(w * log(v) for w, v in zip(wanted.values(), variances, strict=True)) / sum(wanted.values())


def best_by_scipy(sizes: Sequence[int], wanted: Wanted) -> float:
    """Sequential quadratic programming over the shares of every margin, from three starting points."""
    margins, random = subsets(len(sizes)), np.random.default_rng(5)

    def loss(shares: Floats) -> float:
        return objective(sizes, dict(zip(margins, shares, strict=True)), wanted)

    found = [
        minimize(
            loss,
            random.dirichlet(np.ones(len(margins))) * (1 - FULL_TABLE_FLOOR)
            + FULL_TABLE_FLOOR * np.eye(len(margins))[-1],
            method="SLSQP",
            bounds=[(0, 1)] * (len(margins) - 1) + [(FULL_TABLE_FLOOR, 1)],
            constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1},
            options={"ftol": 1e-10, "maxiter": 300},
        )
        for _ in range(3)
    ]
    return min(float(result.fun) for result in found)


def as_floats(shares: Mapping[Axes, int]) -> dict[Axes, float]:
    return {margin: share / MILLION for margin, share in shares.items()}


@given(problems())
def test_shares_are_whole_millionths_of_the_whole_with_a_tenth_on_the_full_table(
    problem: tuple[list[int], Wanted],
) -> None:
    sizes, wanted = problem
    shares = shares_of_margins(sizes, wanted)
    assert sum(shares.values()) == MILLION
    assert all(type(share) is int and share > 0 for share in shares.values())
    assert shares[frozenset(range(len(sizes)))] >= MILLION * FULL_TABLE_FLOOR - len(shares)


CASES: list[tuple[list[int], Wanted]] = [
    ([4, 3], {frozenset(): 1}),
    ([4, 3], {frozenset({0}): 2, frozenset({1}): 1}),
    ([4, 3], {frozenset({0, 1}): 1, frozenset(): 3}),
    ([5, 2, 2], {frozenset({0}): 1, frozenset({0, 1}): 1, frozenset({1, 2}): 1}),
    ([4, 3, 2], {frozenset(): 1, frozenset({0}): 1, frozenset({1}): 1, frozenset({2}): 1, frozenset({0, 1, 2}): 1}),
    ([2, 2, 2], dict.fromkeys(subsets(3), 1)),
    ([1, 4, 1], {frozenset({0}): 1, frozenset({1, 2}): 2}),
    ([6, 4, 3], {frozenset({0, 1}): 1, frozenset({1, 2}): 7, frozenset({0, 2}): 2}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "wanted"), CASES)
def test_no_shares_that_scipy_finds_improve_the_objective_by_more_than_a_thousandth(
    sizes: list[int], wanted: Wanted
) -> None:
    ours = objective(sizes, as_floats(shares_of_margins(sizes, wanted)), wanted)
    assert ours <= best_by_scipy(sizes, wanted) + 0.001


def test_shares_of_two_margins_are_those_of_a_grid_search() -> None:
    """One axis, so that the total and the full table are all there is: a line to search."""
    wanted = {frozenset(): 1, frozenset({0}): 1}
    line = np.linspace(FULL_TABLE_FLOOR, 1, 901)
    losses = [objective([6], {frozenset(): 1 - p, frozenset({0}): p}, wanted) for p in line[:-1]]
    best = line[int(np.argmin(losses))]
    ours = shares_of_margins([6], wanted)
    assert ours[frozenset({0})] / MILLION == pytest.approx(best, abs=0.01)
    assert objective([6], as_floats(ours), wanted) <= min(losses) + 1e-4


class Formula:
    """The objective with its slopes, from the formula of FORMULAS written out over sets; dense matrices of many
    dimensions would be too large. Equal to dense least squares by the first of the tests that use it."""

    def __init__(self, sizes: Sequence[int], wanted: Wanted) -> None:
        self.margins = subsets(len(sizes))
        cells = {axes: prod(sizes[axis] for axis in axes) for axes in self.margins}
        freedom = {axes: prod(1 - 1 / sizes[axis] for axis in axes) for axes in self.margins}
        full = self.margins[-1]
        self.precisions = np.array([
            [cells[full - e] ** 2 / cells[a - e] if e <= a else 0 for a in self.margins] for e in self.margins
        ])  # fmt: skip
        self.spreads = np.array([
            [cells[full - w] ** 2 * freedom[e] if e <= w else 0 for e in self.margins] for w in wanted
        ])  # fmt: skip
        self.weights = np.array(list(wanted.values())) / sum(wanted.values())

    def __call__(self, shares: Floats) -> tuple[float, Floats]:
        held = self.precisions @ shares
        variances = self.spreads @ (1 / held)
        slopes = -self.precisions.T @ ((self.weights / variances) @ self.spreads / held**2)
        return float(self.weights @ np.log(variances)), slopes

    def of(self, shares: Mapping[Axes, float]) -> float:
        return self(np.array([shares.get(margin, 0.0) for margin in self.margins]))[0]

    def lower_bound(self) -> float:
        """No shares have a smaller objective. Scipy finds good ones; since the objective is convex, it lies above its
        tangent there, and the tangent is least at a corner. A poor find makes a weak bound, never a wrong one."""
        count = len(self.margins)
        start = np.array([(1 - FULL_TABLE_FLOOR) / (count - 1)] * (count - 1) + [FULL_TABLE_FLOOR])
        found = minimize(
            self, start, jac=True, method="SLSQP",
            bounds=[(0, 1)] * (count - 1) + [(FULL_TABLE_FLOOR, 1)],
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1, "jac": np.ones_like},
            options={"ftol": 1e-10, "maxiter": 300},
        ).x  # fmt: skip
        value, slopes = self(found)
        corner = FULL_TABLE_FLOOR * slopes[-1] + (1 - FULL_TABLE_FLOOR) * slopes.min()
        return value + corner - float(found @ slopes)


@given(problems())
def test_the_formula_used_here_is_dense_least_squares(problem: tuple[list[int], Wanted]) -> None:
    sizes, wanted = problem
    shares = as_floats(shares_of_margins(sizes, wanted))
    assert Formula(sizes, wanted).of(shares) == pytest.approx(objective(sizes, shares, wanted), abs=1e-9)


@given(problems())
@settings(max_examples=30)
def test_no_shares_whatever_improve_the_objective_by_more_than_a_thousandth(
    problem: tuple[list[int], Wanted],
) -> None:
    sizes, wanted = problem
    assume(sizes)
    formula = Formula(sizes, wanted)
    assert formula.of(as_floats(shares_of_margins(sizes, wanted))) <= formula.lower_bound() + 0.001


def test_naming_only_the_full_table_measures_only_the_full_table() -> None:
    full = frozenset({0, 1})
    assert shares_of_margins([4, 5], {full: 1}) == {full: MILLION}


def test_naming_only_the_total_gives_it_all_that_the_full_table_can_spare() -> None:
    shares = shares_of_margins([30, 40], {frozenset(): 1})
    assert shares == {frozenset(): 900_000, frozenset({0, 1}): 100_000}


@given(problems(), st.integers(2, 50))
def test_weights_count_only_beside_each_other(problem: tuple[list[int], Wanted], times: int) -> None:
    sizes, wanted = problem
    more = {table: weight * times for table, weight in wanted.items()}
    ours, theirs = shares_of_margins(sizes, wanted), shares_of_margins(sizes, more)
    assert ours.keys() == theirs.keys()
    assert all(abs(ours[margin] - theirs[margin]) <= 2 for margin in ours)


def test_a_heavier_table_becomes_more_accurate() -> None:
    sizes, tables = [6, 4], [frozenset({0}), frozenset({1})]
    variances = []
    for weight in (1, 3, 10):
        shares = as_floats(shares_of_margins(sizes, {tables[0]: weight, tables[1]: 1}))
        variances.append(dense_variances(sizes, shares, tables)[0])
    assert variances[0] > variances[1] > variances[2]


@given(st.permutations(range(3)))
def test_the_order_of_the_dimensions_does_not_matter(order: list[int]) -> None:
    sizes, wanted = [5, 3, 2], {frozenset({0, 1}): 1, frozenset({2}): 2, frozenset(): 1}
    turned = shares_of_margins([sizes[axis] for axis in order], {
        frozenset(map(order.index, table)): weight for table, weight in wanted.items()
    })  # fmt: skip
    straight = shares_of_margins(sizes, wanted)
    back = {frozenset(order[axis] for axis in margin): share for margin, share in turned.items()}
    assert back.keys() == straight.keys()
    assert all(abs(back[margin] - straight[margin]) <= 2 for margin in back)


def many_tables(axes: int, count: int) -> Wanted:
    random = np.random.default_rng(count)
    return {
        frozenset(np.flatnonzero(random.random(axes) < 0.4).tolist()): int(random.integers(1, 5)) for _ in range(count)
    }


@pytest.mark.parametrize("tables", [1, 10, 100])
def test_with_six_dimensions_too_nothing_improves_by_more_than_a_thousandth(tables: int) -> None:
    sizes, wanted = (10, 6, 2, 5, 4, 3), many_tables(6, tables)
    formula = Formula(sizes, wanted)
    assert formula.of(as_floats(shares_of_margins(sizes, wanted))) <= formula.lower_bound() + 0.001


@pytest.mark.parametrize("sizes", [(10, 6, 2, 5, 4, 3), (10, 6, 2, 5, 4, 3, 2, 4)])
@pytest.mark.parametrize("tables", [1, 10, 100])
def test_shares_of_many_dimensions_take_less_than_a_second(sizes: tuple[int, ...], tables: int) -> None:
    wanted = many_tables(len(sizes), tables)
    assert (
        min(
            timeit.repeat(
                lambda: shares_of_margins(sizes, wanted), setup=_shares_of_margins.cache_clear, number=1, repeat=3
            )
        )
        < 1
    )


@pytest.mark.parametrize(
    "weights", [(1, 1, 0, 0, 0, 1), (1, 1, 3, 0, 1, 3), (1, 0, 1, 1, 1, 1), (0, 3, 3, 3, 3, 1)], ids=str
)
def test_dimensions_that_are_alike_get_shares_that_are_alike(weights: tuple[int, ...]) -> None:
    """A tie that the last bit of a sum decided would make a plan depend on the machine. weights: by number of axes."""
    wanted = {axes: weights[len(axes)] for axes in subsets(5) if weights[len(axes)]}
    found: dict[int, list[int]] = {}
    for margin, share in shares_of_margins([3] * 5, wanted).items():
        found.setdefault(len(margin), []).append(share)
    for count, shares in found.items():
        assert len(shares) == comb(5, count)
        # But for the millionths that rounding leaves over, which go to one of them.
        assert max(shares) - min(shares) <= 2**5


# --- between measures

NAMES = ("members", "days", "stays", "cents", "starts")
BOUNDS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.integers(1, 100_000) for name in names})
)


@given(BOUNDS, st.dictionaries(st.sampled_from(NAMES), st.integers(1, 10**9)))
def test_every_measure_gets_at_least_half_of_an_equal_share(bounds: dict[str, int], expected: dict[str, int]) -> None:
    shares = shares_of_measures(bounds, expected)
    assert list(shares) == list(bounds)
    assert sum(shares.values()) == 1
    assert all(share >= Fraction(1, 2 * len(bounds)) for share in shares.values())


@given(BOUNDS, st.fixed_dictionaries({name: st.integers(1, 10**6) for name in NAMES}))
def test_under_the_floor_no_shares_have_a_smaller_sum_of_relative_variances(
    bounds: dict[str, int], expected: dict[str, int]
) -> None:
    relative = np.array([(bounds[name] / expected[name]) ** 2 for name in bounds])
    relative /= relative.sum()
    ours = np.array([float(share) for share in shares_of_measures(bounds, expected).values()])
    floor = 1 / (2 * len(bounds))
    # A convex sum of one term a measure: at the optimum every share above the floor has the same slope, and the
    # slope at the floor is nowhere steeper.
    slopes = relative / ours**2
    above = slopes[ours > floor * (1 + 1e-12)]
    assert np.allclose(above, above[0], rtol=1e-9)
    assert np.all(slopes <= above[0] * (1 + 1e-9))


def test_without_expected_sums_all_measures_are_alike() -> None:
    assert shares_of_measures({"a": 1, "b": 31, "c": 5}, {}) == dict.fromkeys("abc", Fraction(1, 3))


def test_a_measure_without_an_expected_sum_counts_as_if_everybody_reached_its_bound() -> None:
    bounds = {"members": 1, "days": 31, "stays": 10}
    assert shares_of_measures(bounds, {"members": 20_000}) == dict.fromkeys(bounds, Fraction(1, 3))
    stated = shares_of_measures(bounds, {"members": 20_000, "stays": 100_000})
    assert stated == shares_of_measures(bounds, {"members": 20_000, "stays": 100_000, "days": 31 * 20_000})
    assert stated["stays"] == 2 * stated["members"] == 2 * stated["days"]


def test_a_rare_event_does_not_starve_the_members() -> None:
    """The numbers of docs/decisions/0013: undamped, members would get 1 part in 201."""
    shares = shares_of_measures({"members": 1, "new_starts": 1}, {"members": 20_000, "new_starts": 100})
    assert shares == {"members": Fraction(1, 4), "new_starts": Fraction(3, 4)}
    worse_than_equal = sqrt(Fraction(1, 2) / shares["members"])
    assert worse_than_equal == pytest.approx(1.414, abs=0.001)


def test_between_half_and_double_the_shares_follow_the_expected_sums_exactly() -> None:
    assert shares_of_measures({"a": 1, "b": 1}, {"a": 300, "b": 200}) == {"a": Fraction(2, 5), "b": Fraction(3, 5)}
