"""The closed form is dense generalised least squares: same table, same variances, same covariances."""

from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain, combinations
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.arrays import Floats, Vector
from privacy.inference import FittedTable, NotIdentified, fit
from privacy.plan import Draw

TOLERANCE = 1e-9
Measured = tuple[Draw, Vector, float]


@dataclass(frozen=True)
class Case:
    """A small table, the margins measured of it, and two sets of groups of its cells."""

    shape: tuple[int, ...]
    measured: list[Measured]
    left: list[Floats]
    right: list[Floats]

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(f"d{axis}" for axis in range(len(self.shape)))


def a_draw(margin: tuple[str, ...]) -> Draw:
    return Draw("members", margin, "1", 1, 1)


def design_of(shape: tuple[int, ...], axes: tuple[int, ...]) -> Floats:
    """One row an entry of the margin, one column a cell: which cells the entry sums."""
    rows = np.ones((1, 1))
    for axis, size in enumerate(shape):
        rows = np.kron(rows, np.eye(size) if axis in axes else np.ones((1, size)))
    return rows


def dense_fit(case: Case) -> tuple[Floats, Floats]:
    """Cells and their covariance matrix by the normal equations of weighted least squares."""
    designs = [design_of(case.shape, axes_of(draw)) for draw, _, _ in case.measured]
    design = np.vstack(designs)
    noisy = np.concatenate([vector for _, vector, _ in case.measured])
    weights = np.concatenate([np.full(vector.size, 1 / variance) for _, vector, variance in case.measured])
    covariance = np.linalg.inv(design.T @ (weights[:, None] * design))
    return covariance @ design.T @ (weights * noisy), covariance


def axes_of(draw: Draw) -> tuple[int, ...]:
    return tuple(int(name[1:]) for name in draw.margin)


def dense_groups(groups: list[Floats]) -> Floats:
    rows = np.ones((1, 1))
    for weights in groups:
        rows = np.kron(rows, weights)
    return rows


@st.composite
def cases(draw: st.DrawFn, shape: tuple[int, ...] | None = None) -> Case:
    if shape is None:
        shape = tuple(draw(st.lists(st.integers(1, 4), min_size=0, max_size=3)))
    axes = range(len(shape))
    margins = list(chain.from_iterable(combinations(axes, n) for n in range(len(shape))))
    chosen = [tuple(axes), *(draw(st.lists(st.sampled_from(margins), max_size=4)) if margins else [])]
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    measured = [
        (
            a_draw(tuple(f"d{axis}" for axis in margin)),
            random.integers(-50, 1000, int(np.prod([shape[axis] for axis in margin], dtype=np.int64))),
            draw(st.floats(0.5, 200.0)),
        )
        for margin in chosen
    ]
    sizes = [draw(st.integers(1, 3)) for _ in shape]
    left, right = (
        [random.integers(0, 2, (n, size)) * random.uniform(0.5, 2, (n, size)) for n, size in
         zip(sizes, shape, strict=True)]
        for _ in range(2)
    )  # fmt: skip
    order = draw(st.permutations(measured))
    return Case(shape, list(order), left, right)


def fitted_of(case: Case) -> FittedTable:
    return fit(case.shape, case.dimensions, case.measured)


def close(ours: Floats, theirs: Floats, scale: float) -> bool:
    return bool(np.allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE * scale))


@given(cases())
def test_the_fitted_table_is_that_of_dense_least_squares(case: Case) -> None:
    cells, _ = dense_fit(case)
    assert close(fitted_of(case).values.ravel(), cells, 1000.0)


@given(cases())
def test_sums_of_groups_are_sums_of_the_fitted_cells(case: Case) -> None:
    cells, _ = dense_fit(case)
    sums = fitted_of(case).sums(case.left)
    assert sums.shape == tuple(weights.shape[0] for weights in case.left)
    assert close(sums.ravel(), dense_groups(case.left) @ cells, 10_000.0)


@given(cases())
def test_variances_of_any_groups_are_those_of_the_dense_covariance_matrix(case: Case) -> None:
    _, covariance = dense_fit(case)
    rows = dense_groups(case.left)
    expected = np.diag(rows @ covariance @ rows.T)
    assert close(fitted_of(case).variance(case.left).ravel(), expected, 100.0)


@given(cases())
def test_covariances_of_any_two_groups_are_those_of_the_dense_covariance_matrix(case: Case) -> None:
    _, covariance = dense_fit(case)
    expected = np.diag(dense_groups(case.left) @ covariance @ dense_groups(case.right).T)
    fitted = fitted_of(case)
    assert close(fitted.covariance(case.left, case.right).ravel(), expected, 100.0)
    assert close(fitted.covariance(case.right, case.left).ravel(), expected, 100.0)


@given(cases())
def test_totals_are_the_sums_of_their_parts(case: Case) -> None:
    fitted = fitted_of(case)
    cells = fitted.sums([np.eye(size) for size in case.shape])
    total = fitted.sums([np.ones((1, size)) for size in case.shape])
    assert float(total.ravel()[0]) == pytest.approx(float(cells.sum()), rel=TOLERANCE, abs=1e-6)


@given(cases())
def test_more_measurements_never_make_a_sum_less_certain(case: Case) -> None:
    full = next(measured for measured in case.measured if len(measured[0].margin) == len(case.shape))
    alone = fit(case.shape, case.dimensions, [full]).variance(case.left)
    assert np.all(fitted_of(case).variance(case.left) <= alone * (1 + 1e-9))


@given(
    st.lists(st.integers(1, 5), max_size=3),
    st.integers(0, 2**32),
    st.floats(0.01, 1e9),
    st.integers(1, 2**52),
)
def test_a_single_full_table_comes_back_to_the_last_integer(
    shape: list[int], seed: int, variance: float, reach: int
) -> None:
    dimensions = tuple(f"d{axis}" for axis in range(len(shape)))
    cells = np.random.default_rng(seed).integers(-reach, reach, int(np.prod(shape, dtype=np.int64)))
    fitted = fit(tuple(shape), dimensions, [(a_draw(dimensions), cells, variance)])
    assert fitted.values.ravel().astype(np.int64).tolist() == cells.tolist()
    one_a_cell = [np.eye(size) for size in shape]
    assert np.allclose(fitted.variance(one_a_cell), variance, rtol=TOLERANCE)


def test_margins_without_the_full_table_do_not_identify_it() -> None:
    draws = [
        (a_draw(("d0",)), np.array([1, 2]), 1.0),
        (a_draw(("d1",)), np.array([1, 1, 1]), 1.0),
    ]
    with pytest.raises(NotIdentified):
        fit((2, 3), ("d0", "d1"), draws)


def test_a_margin_measured_well_pulls_the_table_towards_it() -> None:
    table = np.array([10, 20, 30, 40])
    margin = np.array([130, 70])
    fitted = fit((2, 2), ("d0", "d1"), [(a_draw(("d0", "d1")), table, 1e6), (a_draw(("d0",)), margin, 1e-6)])
    rows = [np.eye(2), np.ones((1, 2))]
    assert np.allclose(fitted.sums(rows).ravel(), margin, rtol=1e-6)
    assert np.allclose(fitted.values[0, 1] - fitted.values[0, 0], 10, rtol=1e-6)


# --- sums over periods and providers


@dataclass(frozen=True)
class Year:
    """One plan, drawn for several periods by a number of providers that differs from period to period."""

    case: Case
    releases: list[list[list[Vector]]]  # by period, by provider, by draw

    @property
    def months(self) -> list[FittedTable]:
        return [self.fitted(month) for month in self.releases]

    @property
    def whole(self) -> FittedTable:
        return self.fitted([release for month in self.releases for release in month])

    def fitted(self, releases: list[list[Vector]]) -> FittedTable:
        """The fit of the summed vectors, as an answer makes it."""
        summed = [np.sum(vectors, axis=0) for vectors in zip(*releases, strict=True)]
        noisy = [
            (draw, vector, variance * len(releases))
            for vector, (draw, _, variance) in zip(summed, self.case.measured, strict=True)
        ]
        return fit(self.case.shape, self.case.dimensions, noisy)


@st.composite
def years(draw: st.DrawFn) -> Year:
    case = draw(cases())
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    providers = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    releases = [
        [[random.integers(-50, 1000, vector.size) for _, vector, _ in case.measured] for _ in range(count)]
        for count in providers
    ]
    return Year(case, releases)


def total_of(tables: list[FittedTable]) -> FittedTable:
    return reduce(add, tables)


@given(years())
def test_the_fit_of_all_releases_is_the_sum_of_their_dense_fits(year: Year) -> None:
    cells, covariance = 0.0, 0.0
    for release in (release for month in year.releases for release in month):
        measured = [(d, vector, v) for vector, (d, _, v) in zip(release, year.case.measured, strict=True)]
        one, its_covariance = dense_fit(replace(year.case, measured=measured))
        cells, covariance = cells + one, covariance + its_covariance
    rows = dense_groups(year.case.left)
    assert close(year.whole.sums(year.case.left).ravel(), rows @ cells, 100_000.0)
    assert close(year.whole.variance(year.case.left).ravel(), np.diag(rows @ covariance @ rows.T), 1000.0)


@given(years())
def test_months_add_up_to_their_year(year: Year) -> None:
    added = total_of(year.months)
    groups, others = year.case.left, year.case.right
    assert close(added.sums(groups), year.whole.sums(groups), 100_000.0)
    assert close(added.covariance(groups, others), year.whole.covariance(groups, others), 1000.0)


@given(cases(), st.data())
def test_releases_of_different_plans_are_fitted_each_by_its_own_and_then_added(case: Case, data: st.DataObject) -> None:
    other = data.draw(cases(case.shape))
    cells, covariance = (a + b for a, b in zip(dense_fit(case), dense_fit(other), strict=True))
    rows = dense_groups(case.left)
    added = fitted_of(case) + fitted_of(other)
    assert close(added.values.ravel(), cells, 1000.0)
    assert close(added.variance(case.left).ravel(), np.diag(rows @ covariance @ rows.T), 100.0)


# --- any two answers agree


def grouping(random: np.random.Generator, size: int, groups: int) -> Floats:
    """A partition of a dimension's values, some groups perhaps empty."""
    return np.eye(groups)[random.integers(0, groups, size)].T


@given(years(), st.integers(0, 2**32))
def test_parts_add_up_to_their_whole_whichever_way_they_are_asked(year: Year, seed: int) -> None:
    """A fine grouping, the same by a coarser one of each dimension, by month and over all months."""
    random = np.random.default_rng(seed)
    fine = [grouping(random, size, 3) for size in year.case.shape]
    coarser = [grouping(random, 3, 2) for _ in fine]
    coarse = [c @ f for c, f in zip(coarser, fine, strict=True)]
    regrouped = sum(FittedTable(month.sums(fine), month.effect_variances, False).sums(coarser) for month in year.months)
    assert close(np.asarray(regrouped), year.whole.sums(coarse), 100_000.0)
    everything = [np.ones((1, size)) for size in year.case.shape]
    by_month = sum(month.sums(fine).sum() for month in year.months)
    assert by_month == pytest.approx(year.whole.sums(everything).item(), rel=TOLERANCE, abs=1e-6)


@given(years())
def test_only_a_full_table_alone_is_on_the_lattice_and_so_are_sums_of_such(year: Year) -> None:
    alone = len(year.case.measured) == 1
    assert year.whole.on_lattice == alone
    assert total_of(year.months).on_lattice == alone
    if alone:
        counts = [np.ones((1, size)) for size in year.case.shape]
        assert float(year.whole.sums(counts).item()).is_integer()


# --- nothing is clipped


def test_estimates_below_zero_stay_below_zero_and_count_in_every_sum() -> None:
    """An empty stratum with noise below zero: clipped, the region would gain seven people that nobody posted."""
    table, margin = np.array([-7, 2, 60, 40]), np.array([-6, 101])
    fitted = fit((2, 2), ("d0", "d1"), [(a_draw(("d0", "d1")), table, 9.0), (a_draw(("d0",)), margin, 9.0)])
    assert fitted.values.min() < -5
    by_region = fitted.sums([np.eye(2), np.ones((1, 2))]).ravel()
    assert by_region[0] < -5
    assert by_region.sum() == pytest.approx(fitted.values.sum(), rel=TOLERANCE)
    cells, _ = dense_fit(
        Case((2, 2), [(a_draw(("d0", "d1")), table, 9.0), (a_draw(("d0",)), margin, 9.0)], [np.eye(2)] * 2, [])
    )
    assert np.allclose(fitted.values.ravel(), cells, rtol=TOLERANCE)
