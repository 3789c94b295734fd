"""Standardised rates and ratios against R, published numbers and plain reckoning."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf, log, sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from contracts.refusals import QuestionInvalid
from contracts.statistics.answers import Flag, Row, State
from contracts.statistics.columns import rows_of
from contracts.statistics.questions import Compare, Question
from contracts.terms import FeedTerms, Standard
from privacy.mechanism import DiscreteGaussian, NoiseSource
from tests.support.small_exchange import NoNoise
from tests.unit.made_slices import Cell, Cells, computed, fitted_to, made_feed, made_slice, made_terms

BANDS = ("p00_20", "p20_40", "p40_60", "p60_80", "p80_100")
AGES = ("00-64", "65-74", "75-84", "85+")
SEXES = ("F", "M")
UNITS = {"members": "persons", "hospitalised_members": "persons", "hospital_stays": "stays", "treatment_days": "days"}
OF_R = {"members": "members", "hospitalised_members": "hosp_members", "hospital_stays": "hosp",
        "treatment_days": "treatment_days"}  # fmt: skip
# So little noise that no stratum is weak; the numbers themselves are exact.
TINY = 0.05
Z95 = norm.ppf(0.975)


def read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        pytest.skip(f"reference data not present: {path.name}")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rows(question: Question, feed: FeedTerms, cells: Cells, *standards: Standard, noise: NoiseSource | None = None,
         mask_below: int | None = None) -> dict[tuple[str, Cell], Row]:  # fmt: skip
    terms = made_terms(feed, *standards, mask_below=mask_below)
    found = rows_of(computed(question, terms, cells, noise or NoNoise()).columns)
    return {(row.figure, tuple(row.key.values())): row for row in found}


def ends(row: Row, *, total: bool = False) -> tuple[float, float]:
    """No upper end is infinite."""
    found = row.total_interval if total else row.interval
    assert found is not None
    assert found.lower is not None
    return found.lower, inf if found.upper is None else found.upper


def value(found: Mapping[tuple[str, Cell], Row], figure: str, *key: str) -> float:
    row = found[figure, key]
    assert row.value is not None
    return row.value


# --- DE-SynPUF 2008 by R


@pytest.fixture(scope="module")
def synpuf(request: pytest.FixtureRequest) -> Cells:
    shared: Path = request.getfixturevalue("shared_data")
    found: dict[str, dict[Cell, int]] = {name: defaultdict(int) for name in OF_R}
    for row in read(shared / "reference_stats" / "cells.csv"):
        for measure, theirs in OF_R.items():
            found[measure][row["sex"], row["age_band"], row["band"]] += int(float(row[theirs]))
    return found


@pytest.fixture(scope="module")
def by_r(request: pytest.FixtureRequest) -> dict[str, float]:
    shared: Path = request.getfixturevalue("shared_data")
    table = read(shared / "reference_stats" / "reference.csv")
    return {row["statistic"]: float(row["estimate"]) for row in table}


def synpuf_feed() -> FeedTerms:
    return made_feed({"sex": SEXES, "age_band": AGES, "adherence_band": BANDS}, UNITS, TINY)


def group_sum(cells: Cells, measure: str, stratum: Cell, *, adherent: bool) -> int:
    return sum(n for key, n in cells[measure].items() if key[:2] == stratum and (key[2] == BANDS[-1]) is adherent)


def standard_of(name: str, weights: Mapping[Cell, float]) -> Standard:
    """In millionths of a millionth of the largest: whole numbers, as a contract has them."""
    most = max(weights.values())
    return Standard(name, "R", ("sex", "age_band"), {key: round(10**12 * w / most) for key, w in weights.items()})


def all_strata() -> Iterable[Cell]:
    return ((sex, age) for sex in SEXES for age in AGES)


def mantel_haenszel(cells: Cells, measure: str) -> Standard:
    """n1 n0 / (n1 + n0)."""
    pairs = {s: [group_sum(cells, measure, s, adherent=adherent) for adherent in (True, False)] for s in all_strata()}
    return standard_of("mantel_haenszel", {s: n1 * n0 / (n1 + n0) for s, (n1, n0) in pairs.items()})


def test_crude_ratios_are_those_of_r(synpuf: Cells, by_r: dict[str, float]) -> None:
    found = rows(Question("utilisation_rate_ratio"), synpuf_feed(), synpuf)

    assert value(found, "hospital_stay_rate_ratio") == pytest.approx(by_r["hosp_rate_ratio_wald"], rel=1e-9)
    assert value(found, "hospitalised_odds_ratio") == pytest.approx(by_r["crude_odds_ratio_anyhosp"], rel=1e-9)


def test_ratios_with_the_weights_of_mantel_and_haenszel_are_those_of_r(synpuf: Cells, by_r: dict[str, float]) -> None:
    question, feed = Question("utilisation_rate_ratio"), synpuf_feed()
    of_time = rows(question, feed, synpuf, mantel_haenszel(synpuf, "treatment_days"))
    of_heads = rows(question, feed, synpuf, mantel_haenszel(synpuf, "members"))

    rate_ratio = value(of_time, "hospital_stay_rate_ratio_standardised")
    odds_ratio = value(of_heads, "hospitalised_odds_ratio_standardised")
    assert rate_ratio == pytest.approx(by_r["mh_rate_ratio_hosp_by_sex_age"], rel=1e-9)
    assert odds_ratio == pytest.approx(by_r["mh_odds_ratio_anyhosp_by_sex_age"], rel=1e-9)


def test_directly_standardised_rates_are_those_of_r(synpuf: Cells, by_r: dict[str, float]) -> None:
    members = {s: sum(n for key, n in synpuf["members"].items() if key[:2] == s) for s in all_strata()}
    everyone, feed = standard_of("everyone", members), synpuf_feed()
    adherent = Question("utilisation_rate", compare=Compare.STANDARDISED, where={"adherence_band": BANDS[-1:]})
    others = replace(adherent, where={"adherence_band": BANDS[:-1]})

    rates = [
        value(rows(asked, feed, synpuf, everyone), "hospital_stay_rate_standardised") for asked in (adherent, others)
    ]

    expected = [by_r[f"direct_std_hosp_rate_per_1000py_{group}"] for group in ("adherent", "nonadherent")]
    assert rates == pytest.approx(expected, rel=1e-9)
    ratios = rows(Question("utilisation_rate_ratio"), feed, synpuf, everyone)
    ratio = value(ratios, "hospital_stay_rate_ratio_standardised")
    assert ratio == pytest.approx(expected[0] / expected[1], rel=1e-9)


def test_a_risk_ratio_is_that_of_standardised_risks(synpuf: Cells) -> None:
    standard = mantel_haenszel(synpuf, "members")
    found = rows(Question("utilisation_rate_ratio"), synpuf_feed(), synpuf, standard)

    def risk(*, adherent: bool) -> float:
        parts = (
            weight
            * group_sum(synpuf, "hospitalised_members", s, adherent=adherent)
            / group_sum(synpuf, "members", s, adherent=adherent)
            for s, weight in standard.weights.items()
        )
        return sum(parts)

    expected = risk(adherent=True) / risk(adherent=False)
    assert value(found, "hospitalised_risk_ratio_standardised") == pytest.approx(expected, rel=1e-9)


# --- Ho 2006

HO_FEED = made_feed(
    {"adherence_band": ("p00_80", "p80_100")}, {"members": "persons", "hospitalised_members": "persons"}, TINY
)


def test_the_crude_odds_ratio_of_ho_2006() -> None:
    """Ho et al. (2006): 570 of 2,456 non-adherent and 1,743 of 9,076 adherent patients; odds ratio 1.27."""
    cells = {
        "members": {("p00_80",): 2456, ("p80_100",): 9076},
        "hospitalised_members": {("p00_80",): 570, ("p80_100",): 1743},
    }
    found = rows(Question("utilisation_rate_ratio"), HO_FEED, cells)

    assert 1 / value(found, "hospitalised_odds_ratio") == pytest.approx(1.27, abs=0.005)
    assert value(found, "hospitalised_odds_ratio") == pytest.approx(1743 / 7333 / (570 / 1886), rel=1e-12)
    # Without noise the interval with sampling is near Woolf's, as the sample is large.
    total = ends(found["hospitalised_odds_ratio", ()], total=True)
    woolf = sqrt(1 / 1743 + 1 / 7333 + 1 / 570 + 1 / 1886)
    point = log(1743 / 7333 / (570 / 1886))
    assert [log(end) for end in total] == pytest.approx([point - Z95 * woolf, point + Z95 * woolf], abs=1e-3)


# --- adherence_rate_standardised

REGIONS = ("north", "south")
BY_SEX = {"region": REGIONS, "sex": SEXES, "adherence_band": ("p00_80", "p80_100")}
HALF = Standard("half", "as many of either sex", ("sex",), {("F",): 1, ("M",): 1})
THIRDS = Standard("thirds", "a test", ("sex",), {("F",): 2, ("M",): 1})


def adherence_cells(scale: int = 1) -> dict[str, dict[Cell, int]]:
    counts = {("north", "F"): (30, 70), ("north", "M"): (120, 80), ("south", "F"): (90, 310), ("south", "M"): (40, 60)}
    found = {}
    for key, (below, above) in counts.items():
        found[*key, "p00_80"], found[*key, "p80_100"] = scale * below, scale * above
    return {"members": found}


def adherence_feed(sigma: float = TINY, margins: tuple[tuple[str, ...], ...] = ()) -> FeedTerms:
    return made_feed(BY_SEX, {"members": "persons"}, sigma, margins)


def test_a_standardised_rate_is_the_weighted_mean_of_the_rates_of_strata() -> None:
    question = Question("adherence_rate_standardised", by=("region",), standard="thirds")
    found = rows(question, adherence_feed(), adherence_cells(), HALF, THIRDS)

    assert value(found, "adherence_rate_standardised", "north") == pytest.approx((2 * 0.7 + 0.4) / 3, rel=1e-9)
    assert value(found, "adherence_rate_standardised", "south") == pytest.approx((2 * 310 / 400 + 0.6) / 3, rel=1e-9)


def test_compared_each_row_is_shown_less_all_of_them_by_the_same_weights() -> None:
    question = Question("adherence_rate", by=("region",), compare=Compare.STANDARDISED)
    found = rows(question, adherence_feed(), adherence_cells(), HALF)

    north, together = (0.7 + 0.4) / 2, (380 / 500 + 140 / 300) / 2
    assert value(found, "adherence_rate", "north") == pytest.approx(150 / 300)
    assert value(found, "adherence_rate_standardised", "north") == pytest.approx(north, rel=1e-9)
    difference = value(found, "adherence_rate_standardised_difference", "north")
    assert difference == pytest.approx(north - together, rel=1e-9)


def test_of_all_rows_together_the_difference_is_nothing_for_certain() -> None:
    question = Question("adherence_rate", compare=Compare.STANDARDISED)
    row = rows(question, adherence_feed(3.0), adherence_cells(), HALF)["adherence_rate_standardised_difference", ()]

    assert row.value == 0
    assert ends(row) == (0, 0)
    assert ends(row, total=True) == (0, 0)


def test_an_own_figure_that_is_standardised_is_not_shown_twice() -> None:
    question = Question("adherence_rate_standardised", by=("region",), compare=Compare.STANDARDISED)
    terms = made_terms(adherence_feed(), HALF)
    columns = computed(question, terms, adherence_cells(), NoNoise()).columns

    names = [column.name for column in columns]
    assert names == ["adherence_rate_standardised", "adherence_rate_standardised_difference"]
    assert [figure.name for figure in fitted_to(question, terms).figures] == names


def test_without_sampling_the_interval_of_one_stratum_is_that_of_the_rate() -> None:
    """A standard of all weight on one stratum: Fieller's and Wilson's, as adherence_rate of it has them."""
    only_women = Standard("women", "a test", ("sex",), {("F",): 1, ("M",): 0})
    feed, cells = adherence_feed(12.0), adherence_cells()
    plain = rows(Question("adherence_rate", by=("region",), where={"sex": ("F",)}), feed, cells)
    weighted = rows(Question("adherence_rate_standardised", by=("region",)), feed, cells, only_women)

    for region in REGIONS:
        expected, found = plain["adherence_rate", (region,)], weighted["adherence_rate_standardised", (region,)]
        assert found.value == pytest.approx(expected.value)
        for total in (False, True):
            assert ends(found, total=total) == pytest.approx(ends(expected, total=total), abs=1e-9)


def test_the_interval_counts_what_strata_of_one_table_share() -> None:
    """Large cells: half-widths are z sd, with the covariance of all fitted cells by dense least squares."""
    margins = (("region", "adherence_band"), ("adherence_band",), ())
    feed, cells = adherence_feed(200.0, margins), adherence_cells(1000)
    found = rows(Question("adherence_rate_standardised", by=("region",)), feed, cells, THIRDS)
    compared = rows(Question("adherence_rate", by=("region",), compare=Compare.STANDARDISED), feed, cells, THIRDS)

    covariance = dense_covariance(feed)
    for i, region in enumerate(REGIONS):
        weights = np.zeros(feed.shape)
        weights[i] = first_order(cells, region)
        assert half_width(found["adherence_rate_standardised", (region,)]) == pytest.approx(
            Z95 * sqrt(weights.ravel() @ covariance @ weights.ravel()), rel=0.01
        )
        less = weights - first_order(cells, None)[None]
        row = compared["adherence_rate_standardised_difference", (region,)]
        assert half_width(row) == pytest.approx(Z95 * sqrt(less.ravel() @ covariance @ less.ravel()), rel=0.01)


def first_order(cells: Cells, region: str | None) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """What one more person in a cell (sex x band) does to the rate with the weights 2 to 1; None: of all regions."""

    def count(*cell: str) -> int:
        return sum(n for key, n in cells["members"].items() if key[1:] == cell and region in (None, key[0]))

    counts = np.array([[count(sex, band) for band in BY_SEX["adherence_band"]] for sex in SEXES])
    whole = counts.sum(axis=1, keepdims=True)
    rate = counts[:, 1:] / whole
    shares = np.array([[2 / 3], [1 / 3]])
    return shares * np.hstack([-rate, 1 - rate]) / whole


def dense_covariance(feed: FeedTerms) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(A' V^-1 A)^-1, A holding every entry of every margin."""
    places = np.indices(feed.shape).reshape(len(feed.shape), -1)
    lines = []
    for draw in feed.get_plan().draws:
        kept = places[[feed.dimensions.index(name) for name in draw.margin]]
        keys, where = np.unique(kept, axis=1, return_inverse=True)
        lines.append(np.eye(keys.shape[1])[where.ravel()].T / sqrt(draw.variance))
    stacked = np.vstack(lines)
    return np.linalg.inv(stacked.T @ stacked)


def half_width(row: Row) -> float:
    lower, upper = ends(row)
    return (upper - lower) / 2


# --- weak strata


def test_a_stratum_that_noise_hides_counts_with_the_rate_of_its_row_and_its_whole_range() -> None:
    cells = adherence_cells(100)
    cells["members"]["north", "M", "p00_80"] = cells["members"]["north", "M", "p80_100"] = 1
    found = rows(Question("adherence_rate_standardised", by=("region",)), adherence_feed(10.0), cells, HALF)

    north, south = (found["adherence_rate_standardised", (region,)] for region in REGIONS)
    assert (Flag.WEAK_STRATA in north.flags, Flag.WEAK_STRATA in south.flags) == (True, False)
    assert north.value == pytest.approx((0.7 + 7001 / 10002) / 2, abs=1e-9)
    lower, upper = ends(north)
    assert lower < 0.35 < 0.85 < upper
    assert upper - lower < 0.51


def test_a_weak_stratum_without_weight_says_nothing() -> None:
    cells = adherence_cells(100)
    cells["members"]["north", "M", "p00_80"] = cells["members"]["north", "M", "p80_100"] = 0
    only_women = Standard("women", "a test", ("sex",), {("F",): 1, ("M",): 0})
    found = rows(Question("adherence_rate_standardised", by=("region",)), adherence_feed(10.0), cells, only_women)

    assert Flag.WEAK_STRATA not in found["adherence_rate_standardised", ("north",)].flags


def test_where_nobody_is_there_is_no_value_and_the_whole_range() -> None:
    cells = {"members": dict.fromkeys(adherence_cells()["members"], 0)}
    question = Question("adherence_rate", by=("region",), compare=Compare.STANDARDISED)
    found = rows(question, adherence_feed(10.0), cells, HALF)

    row = found["adherence_rate_standardised", ("north",)]
    assert (row.value, ends(row)) == (None, (0, 1))
    difference = found["adherence_rate_standardised_difference", ("north",)]
    assert (difference.value, ends(difference)) == (None, (-1, 1))


def test_a_ratio_over_nobody_has_no_upper_end() -> None:
    cells: Cells = {"members": {("p80_100",): 500}, "hospitalised_members": {("p80_100",): 50}}
    feed = made_feed(dict(HO_FEED.vocabularies), {"members": "persons", "hospitalised_members": "persons"}, 5.0)

    for figure in ("hospitalised_risk_ratio", "hospitalised_odds_ratio"):
        row = rows(Question("utilisation_rate_ratio"), feed, cells)[figure, ()]
        assert (row.value, ends(row)) == (None, (0, inf))
        assert Flag.WHOLE_RANGE in row.flags


# --- the small-cell rule


def test_a_row_of_few_persons_is_not_shown_by_weights_either() -> None:
    cells = adherence_cells()
    for sex in SEXES:
        cells["members"]["north", sex, "p00_80"] = 3
    question = Question("adherence_rate", by=("region",), compare=Compare.STANDARDISED)
    found = rows(question, adherence_feed(), cells, HALF, mask_below=11)

    assert {row.state for (_, key), row in found.items() if key == ("north",)} == {State.SUPPRESSED}
    assert {row.state for (_, key), row in found.items() if key == ("south",)} == {State.SHOWN}


# --- questions that do not fit


def refused(question: Question, *standards: Standard) -> tuple[str, str, str]:
    with pytest.raises(QuestionInvalid) as error:
        fitted_to(question, made_terms(adherence_feed(), *standards))
    (fault,) = error.value.faults
    return fault.pointer, fault.code, fault.message


def test_what_cannot_be_standardised_says_by_what_it_could() -> None:
    asked = Question("adherence_rate_standardised")
    by_age = Standard("by_age", "a test", ("age_band",), {("00-64",): 1})

    assert refused(asked, by_age)[:2] == ("/standard", "standard_missing")
    assert "region, sex" in refused(asked, by_age)[2]
    assert "by_age by age_band" in refused(asked, by_age)[2]
    assert refused(asked, HALF, THIRDS) == ("/standard", "standard_needed", "name one of half, thirds")
    assert refused(replace(asked, standard="who"), HALF)[1] == "standard_unknown"
    assert refused(replace(asked, by=("sex",)), HALF)[1] == "standard_missing"
    assert refused(replace(asked, where={"sex": ("F",)}), HALF)[1] == "standard_missing"
    assert refused(Question("adherence_rate", standard="half"), HALF)[1] == "standard_unused"
    assert refused(Question("counts", compare=Compare.STANDARDISED), HALF)[1] == "compare_unknown"


# --- the noise of weighted sums


def test_covariances_of_weighted_sums_are_those_of_dense_least_squares() -> None:
    margins = (("region", "sex"), ("adherence_band",), ("sex",))
    feed = adherence_feed(7.0, margins)
    part = made_slice(Question("counts", by=("region",)), feed, adherence_cells(), DiscreteGaussian())
    finest = part.finer(("adherence_band", "sex"))
    draw = np.random.default_rng(7)
    left, right = draw.normal(size=(2, 2, 2, 2))

    found = finest.combined_covariance("members", left.ravel(), right.ravel(), ("adherence_band", "sex"))

    covariance = dense_covariance(feed).reshape(*feed.shape, *feed.shape)
    expected = [np.einsum("bs,sbtc,ct->", left[i], covariance[i, :, :, i], right[i]) for i in range(2)]
    assert found == pytest.approx(expected, rel=1e-9)


def test_an_odds_ratio_by_weights_is_that_of_the_cross_products() -> None:
    """sum w p (1 - r) / sum w r (1 - p), of a hand-made table of two strata."""
    vocabularies = {"sex": SEXES, "adherence_band": ("p00_80", "p80_100")}
    feed = made_feed(vocabularies, {"members": "persons", "hospitalised_members": "persons"}, TINY)
    hospitalised = {("F", "p80_100"): 40, ("F", "p00_80"): 50, ("M", "p80_100"): 60, ("M", "p00_80"): 20}
    members = {("F", "p80_100"): 200, ("F", "p00_80"): 100, ("M", "p80_100"): 150, ("M", "p00_80"): 100}
    cells = {"members": members, "hospitalised_members": hospitalised}

    found = rows(Question("utilisation_rate_ratio"), feed, cells, THIRDS)

    expected = (2 * 0.2 * 0.5 + 0.4 * 0.8) / (2 * 0.5 * 0.8 + 0.2 * 0.6)
    assert value(found, "hospitalised_odds_ratio_standardised") == pytest.approx(expected, rel=1e-9)
