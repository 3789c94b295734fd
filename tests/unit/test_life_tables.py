"""Curves of noisy life tables: exact covariances, derivatives, and numbers that others have published."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privacy.arrays import Floats
from privacy.cohorts import Exits, LifeTables, Starts, joined, life_tables
from privacy.intervals import Interval
from privacy.life_tables import (
    Curve,
    band,
    few_at_risk,
    first_at_most_half,
    hazards_of,
    incidence,
    never_rising,
    noise_ends,
    persistence,
    restricted_mean,
    simultaneous,
    total_ends,
)

COHORTS, PERIODS, MONTHS = 4, 5, 3


def single(at_risk: list[float], exits: list[list[float]], variance: float = 0.0) -> LifeTables:
    """One life table whose at-risk and exits were each measured with this variance. exits: of each kind."""
    kinds, months = len(exits) + 1, len(at_risk)
    covariance = variance * np.eye(kinds * months).reshape(1, kinds, months, kinds, months)
    followed = np.ones((1, months), dtype=bool)
    return LifeTables(np.array([at_risk], dtype=np.float64), np.array([exits], dtype=np.float64), covariance, followed)


# --- putting starts and exits together


def plain(cells: Floats) -> Floats:
    """At risk and the exits of both kinds, month by month, straight from starts and three disjoint kinds of cells."""
    starts, exits = cells[:COHORTS], cells[COHORTS:].reshape(PERIODS, 3, MONTHS)
    found = np.zeros((3, MONTHS))
    for cohort in range(COHORTS):
        left = starts[cohort]
        for month in range(MONTHS):
            if cohort + month < PERIODS:
                now = exits[cohort + month, :, month]
                found[:, month] += (left, now[0], now[1])
                left -= now.sum()
    return found.ravel()


def test_sums_and_covariances_are_those_of_the_cells_one_by_one() -> None:
    """Three kinds of exits, two of which are told; months of one release are correlated, those of different not."""
    rng = np.random.default_rng(4)
    cells = rng.integers(50, 900, COHORTS + PERIODS * 3 * MONTHS).astype(np.float64)
    sigma2, shared = rng.uniform(1, 4, PERIODS), rng.uniform(-0.3, 0.3, PERIODS)
    dense = np.diag(np.concatenate([np.full(COHORTS, 9.0), np.repeat(sigma2, 3 * MONTHS)]))
    for period in range(PERIODS):  # every two months of one kind have a covariance of their own
        for kind in range(3):
            at = COHORTS + (period * 3 + kind) * MONTHS
            block = dense[at : at + MONTHS, at : at + MONTHS]
            block[~np.eye(MONTHS, dtype=bool)] = shared[period]
    exits = cells[COHORTS:].reshape(PERIODS, 3, MONTHS)
    values = np.concatenate([exits.sum(axis=1, keepdims=True), exits[:, :2]], axis=1)[..., None]
    members = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0]])
    overlap = (members @ members.T)[None, :, :, None]
    same, apart = (overlap * each[:, None, None, None] for each in (sigma2, shared))

    found = life_tables(
        Starts(cells[:COHORTS, None], np.full((COHORTS, 1), 9.0), np.ones(COHORTS, dtype=bool)),
        Exits(values, same, apart, np.ones(PERIODS, dtype=bool)),
        range(COHORTS),
    )

    jacobian = np.array([plain(cells + step) - plain(cells) for step in np.eye(len(cells))]).T
    assert np.concatenate([found.at_risk[0], found.exits[0].ravel()]) == pytest.approx(plain(cells))
    assert found.covariance.reshape(3 * MONTHS, 3 * MONTHS) == pytest.approx(jacobian @ dense @ jacobian.T)


def test_a_cohort_is_followed_until_the_first_exits_that_are_missing() -> None:
    starts = Starts(np.full((2, 1), 100.0), np.ones((2, 1)), np.array([True, True]))
    values = np.full((4, 2, 3, 1), 10.0)
    blank = np.zeros((4, 2, 2, 1))
    exits = Exits(values, blank, blank, np.array([True, True, False, True]))

    both = life_tables(starts, exits, (0, 1))
    second = life_tables(starts, exits, (1,))

    # In the period that is missing would be the exits of the second cohort after one month, and of the first after two.
    assert both.at_risk.tolist() == [[200.0, 90.0, 0.0]]
    assert both.followed.tolist() == [[True, True, False]]
    assert second.followed.tolist() == [[True, False, False]]
    assert joined([both, second]).at_risk.tolist() == [[200.0, 90.0, 0.0], [100.0, 0.0, 0.0]]


# --- curves


def numeric(figure: Callable[[LifeTables], Floats], tables: LifeTables) -> float:
    """The variance of a figure by central differences on at risk and exits, all measured with variance 1."""
    step, total = 1e-4, 0.0
    for kind in range(tables.exits.shape[1] + 1):
        for month in range(tables.at_risk.shape[1]):
            ends = []
            for sign in (step, -step):
                at_risk, exits = tables.at_risk.copy(), tables.exits.copy()
                (at_risk if kind == 0 else exits[:, kind - 1])[0, month] += sign
                ends.append(float(figure(replace(tables, at_risk=at_risk, exits=exits)).ravel()[-1]))
            total += ((ends[0] - ends[1]) / (2 * step)) ** 2
    return total


@pytest.mark.parametrize(
    "figure",
    [
        lambda tables: persistence(hazards_of(tables)),
        lambda tables: restricted_mean(hazards_of(tables)),
        lambda tables: incidence(hazards_of(tables), 0),
        lambda tables: incidence(hazards_of(tables), 1),
    ],
    ids=["persistence", "restricted mean", "incidence", "incidence of the other"],
)
def test_the_noise_of_a_figure_is_that_of_its_derivatives(figure: Callable[[LifeTables], Curve]) -> None:
    tables = single([500, 400, 260, 90], [[60, 80, 70, 5], [10, 20, 0, -2]], 1.0)

    assert figure(tables).noise[0, -1] == pytest.approx(numeric(lambda each: figure(each).values, tables), rel=1e-6)


def test_everybody_may_leave_in_one_month() -> None:
    curve = persistence(hazards_of(single([500, 400], [[100, 400]], 1.0)))

    assert curve.values.tolist() == [[0.8, 0.0]]
    assert curve.noise[0, 1] == pytest.approx(0.8**2 * 2 / 400**2)  # of (at risk - exits) / at risk, times 0.8


def test_incidence_of_one_kind_is_what_persistence_lacks() -> None:
    hazards = hazards_of(single([500, 400, 260, 90], [[60, 80, 70, 5]], 1.0))
    stays, left = persistence(hazards), incidence(hazards, 0)

    assert left.values[0, 0] == pytest.approx(1 - stays.values[0, -1])
    assert left.noise[0, 0] == pytest.approx(stays.noise[0, -1])
    assert left.sampling[0, 0] == pytest.approx(stays.sampling[0, -1])


def test_without_noise_and_censoring_the_total_interval_is_wilsons() -> None:
    """81 of 263: Newcombe 1998, table I, score method without continuity correction: 0.2553 to 0.3662."""
    curve = persistence(hazards_of(single([263, 200, 150], [[63, 50, 69]])))

    ends = total_ends(curve, 0.95)
    assert curve.values[0, 2] == pytest.approx(81 / 263)
    assert (ends.lower[0, 2], ends.upper[0, 2]) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_hazards_are_not_clipped() -> None:
    curve = persistence(hazards_of(single([300, 310, 200], [[-5, 20, 30]], 4.0)))
    assert curve.values[0] == pytest.approx(np.cumprod([305 / 300, 290 / 310, 170 / 200]))


def test_too_few_are_at_risk_below_five_of_their_own_sd_and_ever_after() -> None:
    tables = single([100.0, 10.0, 9.9, 50.0], [[10.0, 1.0, 1.0, 1.0]], 4.0)

    assert few_at_risk(tables).tolist() == [[False, False, True, True]]
    assert hazards_of(tables).usable.tolist() == [[True, True, False, False]]
    assert hazards_of(tables).values[0, 0].tolist() == [0.1, 0.1, 0.0, 0.0]


# --- bands, medians, shown curves


def interval(lower: list[float], upper: list[float]) -> Interval:
    never = np.zeros((1, len(lower)), dtype=bool)
    return Interval(np.array([lower]), np.array([upper]), never, never)


def test_a_band_is_cut_by_what_other_months_leave_it() -> None:
    usable = np.array([[True, True, True, False]])
    found = band(interval([0.5, 0.6, 0.1, 0.9], [0.9, 0.8, 0.95, 1.0]), usable)

    assert found.lower.tolist() == [[0.6, 0.6, 0.1, 0.0]]
    assert found.upper.tolist() == [[0.9, 0.8, 0.8, 0.8]]


def test_simultaneous_intervals_are_wider_the_more_there_are() -> None:
    """Sidak: two at 0.975 hold together at 0.950625."""
    assert simultaneous(0.950625, np.array([2.0])) == pytest.approx([0.975])
    curve = Curve(*(np.array([[each]]) for each in (0.5, 0.01, 0.0, 100.0)))
    assert noise_ends(curve, 0.999).lower[0, 0] == pytest.approx(0.5 - 3.290527 * 0.1, abs=1e-6)


def test_a_shown_curve_never_rises_and_its_median_is_where_it_passes_one_half() -> None:
    curve = Curve(np.array([[1.02, 0.7, 0.8, 0.4, 0.6]]), *[np.zeros((1, 5))] * 3)
    usable = np.ones((1, 5), dtype=bool)

    shown = never_rising(curve, usable)
    assert shown[0] == pytest.approx([1.0, 0.75, 0.75, 0.5, 0.5])
    assert first_at_most_half(shown, usable).tolist() == [4.0]
    assert first_at_most_half(shown[:, :3], usable[:, :3]).tolist() == [np.inf]


# --- R's Kaplan-Meier of persistence


def test_the_curve_and_greenwoods_error_of_adherer_are_those_of_r(shared_data: Path) -> None:
    """The fills of AdhereR at gap 30, by survival::survfit; every day on which somebody stops is a month here, and no
    time at all for a curve, which only asks what came before."""
    path = shared_data / "adherer" / "reference_km_persistence.csv"
    if not path.is_file():
        pytest.skip(f"reference data not present: {path.name}")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    at_risk, exits = ([float(row[name]) for row in rows] for name in ("n_risk", "n_event"))

    curve = persistence(hazards_of(single(at_risk, [exits])))

    assert curve.values[0] == pytest.approx([float(row["surv"]) for row in rows], abs=1e-9)
    assert np.sqrt(curve.sampling[0]) == pytest.approx([float(row["std_err_greenwood"]) for row in rows], abs=1e-9)
