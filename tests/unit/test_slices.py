"""Slices of plans that measure several margins: totals agree with their parts, whichever way they are asked."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from contracts.statistics.pools import Opened
from contracts.statistics.questions import Question, buckets_of, selected_periods
from contracts.statistics.slices import ReadVectors, Slice, Vectors, cut_slice
from contracts.terms import FeedTerms
from privacy.arrays import Floats, Vector
from privacy.inference import FittedTable, fit
from privacy.mechanism import DiscreteGaussian, NoiseSource, charge_nano
from privacy.plan import Draw, MeasurementPlan
from privacy.release import ExactTable, draw_release
from tests.support.small_exchange import NoNoise
from tests.unit.terms import a_release, some_feed

MARGINS = (("region", "sex"), ("region",), ("sex",), ())
MONTHS = ("2025-01", "2025-02", "2025-04")
PAYERS = ("a", "b", "c")
SIGMA = 40.0


def a_feed(margins: Sequence[tuple[str, ...]] = MARGINS) -> FeedTerms:
    """fills, of which so many margins are measured, each more exactly than the one before."""
    measures = ("members", "days_covered")
    draws = [
        Draw(measure, margin, str(SIGMA / (place + 1)), 1, charge_nano(SIGMA / (place + 1), 1.0))
        for measure in measures
        for place, margin in enumerate(margins)
    ]
    return replace(some_feed(), plan=MeasurementPlan(tuple(draws)))


def exact_cells(payer: str, month: str) -> dict[str, ExactTable]:
    start = 100 * PAYERS.index(payer) + 1000 * MONTHS.index(month)
    members = np.arange(start, start + 6, dtype=np.int64).reshape(3, 2)
    return {"members": members, "days_covered": 17 * members}


def released(feed: FeedTerms, noise: NoiseSource) -> tuple[Opened, dict[str, Vectors]]:
    """Three payers in two of the months, two in the third."""
    opened: Opened = {}
    vectors: dict[str, Vectors] = {}
    for month in MONTHS:
        for payer in PAYERS[: 2 if month == MONTHS[-1] else 3]:
            release = a_release(payer, month)
            opened.setdefault(month, []).append(release)
            cells = exact_cells(payer, month)
            drawn: dict[str, Vector] = draw_release(feed.get_plan(), feed.dimensions, cells, noise)
            vectors[release.id] = drawn
    return opened, vectors


@pytest.fixture(params=[NoNoise, DiscreteGaussian])
def noise(request: pytest.FixtureRequest) -> NoiseSource:
    source: NoiseSource = request.param()
    return source


def reader(vectors: Vectors) -> ReadVectors:
    return lambda names: {name: vectors[name] for name in names}


def cut(feed: FeedTerms, released: tuple[Opened, dict[str, Vectors]], *by: str, **where: tuple[str, ...]) -> Slice:
    question = Question("counts", by=by, periods="2025-01..2025-04", where=where)
    opened, vectors = released
    load = {name: vectors[name] for name in vectors}
    buckets = buckets_of(question, selected_periods(question, feed))
    return cut_slice(question, feed, len(PAYERS), buckets, opened, lambda ids: {i: reader(load[i]) for i in ids})


@pytest.mark.parametrize("measure", ["members", "days_covered"])
def test_totals_agree_with_their_parts(noise: NoiseSource, measure: str) -> None:
    feed = a_feed()
    drawn = released(feed, noise)
    (total,) = cut(feed, drawn).estimate(measure).values

    for by in (("region",), ("sex",), ("month",), ("region", "sex"), ("sex", "month", "region")):
        part = cut(feed, drawn, *by)
        assert part.estimate(measure).values[~part.missing].sum() == pytest.approx(total, abs=1e-9)
    by_region = cut(feed, drawn, "region").estimate(measure).values
    for region, value in zip(feed.vocabularies["region"], by_region, strict=True):
        assert cut(feed, drawn, "sex", region=(region,)).estimate(measure).values.sum() == pytest.approx(
            value, abs=1e-9
        )


def test_without_noise_the_cells_come_back() -> None:
    feed = a_feed()
    part = cut(feed, released(feed, NoNoise()), "month", "region", "sex")

    values = part.estimate("members").values.reshape(4, 3, 2)

    for row, month in enumerate(MONTHS[:2]):
        exact = sum(exact_cells(payer, month)["members"] for payer in PAYERS)
        assert values[row] == pytest.approx(exact, abs=1e-9)
    assert part.missing.reshape(4, 6).any(axis=1).tolist() == [False, False, True, False]


def test_noise_of_more_margins_is_less_and_its_values_are_no_longer_whole_numbers() -> None:
    feeds = {margins: a_feed(margins) for margins in (MARGINS[:1], MARGINS)}
    estimates = {
        margins: cut(feed, released(feed, DiscreteGaussian()), "region").estimate("members")
        for margins, feed in feeds.items()
    }

    plain, fitted = estimates[MARGINS[:1]], estimates[MARGINS]
    assert (plain.fitted.any(), fitted.fitted.all()) == (False, True)
    assert plain.values.tolist() == np.rint(plain.values).tolist()
    # Eight releases, two cells a region.
    assert plain.variances == pytest.approx(np.full(3, 8 * 2 * SIGMA**2))
    assert (fitted.variances < plain.variances / 2).all()


def test_rows_tell_which_rest_on_a_part_of_the_providers() -> None:
    feed = a_feed()
    part = cut(feed, released(feed, NoNoise()), "month")

    assert part.partial_pool.tolist() == [False, False, False, True]
    assert cut(feed, released(feed, NoNoise()), "sex").partial_pool.tolist() == [True, True]


WEIGHTS = np.random.default_rng(5)


def one_by_one(feed: FeedTerms, opened: Opened, vectors: dict[str, Vectors], month: str) -> FittedTable:
    """The plain way: the releases of one month by themselves, with their own variances."""
    ids = [release.id for release in opened[month]]
    draws = [
        (draw, np.sum([vectors[i][draw.name] for i in ids], axis=0), draw.variance * len(ids))
        for draw in feed.get_plan().draws_of("members")
    ]
    return fit(feed.shape, feed.dimensions, draws)


@pytest.mark.parametrize("margins", [MARGINS, (("region", "sex"), ("sex",)), (("region", "sex"),)])
def test_months_fitted_together_are_each_fitted_by_itself(margins: Sequence[tuple[str, ...]]) -> None:
    feed = a_feed(margins)
    opened, vectors = released(feed, DiscreteGaussian())
    part = cut(feed, (opened, vectors), "month", "sex", "region")
    there, cells = ~part.missing, (len(opened) + 1, 2, 3)  # nothing was posted of the third month
    left, right = WEIGHTS.normal(size=cells), WEIGHTS.normal(size=cells)
    estimate, narrowed = part.estimate("members"), {"region": feed.vocabularies["region"][:1]}
    each = [one_by_one(feed, opened, vectors, month) for month in opened]
    lefts, rights = (np.delete(weights, 2, axis=0) for weights in (left, right))
    whole = [np.eye(3), np.eye(2)]
    first = [np.diag([1.0, 0.0, 0.0]), np.eye(2)]

    def same(found: Floats, expected: Sequence[Floats]) -> None:
        covered = found[there[:: len(there) // len(found)]]
        np.testing.assert_allclose(covered, np.concatenate([rows.T.ravel() for rows in expected]), rtol=1e-11)

    same(estimate.values, [table.values for table in each])
    same(estimate.variances, [table.variance(whole) for table in each])
    same(part.covariance("members", narrowed, {}), [table.covariance(first, whole) for table in each])
    same(
        part.covariances_with("members", left.ravel()),
        [table.covariances_with(whole, rows.T) for table, rows in zip(each, lefts, strict=True)],
    )
    by_sex = cut(feed, (opened, vectors), "month", "sex").finer(["region"])
    same(
        by_sex.combined_covariance("members", left.ravel(), right.ravel(), ["region"]),
        [t.combined_covariance(whole, a.T, b.T, [0]) for t, a, b in zip(each, lefts, rights, strict=True)],
    )
    coarse = part.coarser(("month", "sex")).estimate("members")
    np.testing.assert_allclose(
        coarse.variances.reshape(-1, 2)[[0, 1, 3]],
        [[t.covariances_with(whole, np.eye(2)[[sex] * 3])[:, sex].sum() for sex in (0, 1)] for t in each],
        rtol=1e-12,
    )
