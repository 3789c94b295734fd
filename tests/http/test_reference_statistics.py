"""Published and independently computed numbers, posted as cells and asked back at noise 0."""

import csv
from collections import defaultdict
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.parties import JsonObject
from contracts.statistics.catalogue import OFFERED
from privacy.intervals import rate_interval
from tests.http.answers import Posted, answer, approximately, post, table, values
from tests.support.small_exchange import BRAND, PAYERS, NoNoise, SmallExchange, small_contract, support_feed

REGIONS = ("Midwest", "Northeast", "South", "West")
AGES = ("00-64", "65-74", "75-84", "85+")
BANDS = ("p00_20", "p20_40", "p40_60", "p60_80", "p80_100")
COLUMNS = {
    "members": "members",
    "days_covered": "days_covered",
    "treatment_days": "treatment_days",
    "hospital_stays": "hosp",
    "hospitalised_members": "hosp_members",
    "ed_visits": "ed",
}
MEASURES = (*COLUMNS, "pdc_basis_points")
ADHERENT = "adherence_band:p80_100"
NOT_ADHERENT = ",".join(f"adherence_band:{band}" for band in BANDS[:-1])


def read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        pytest.skip(f"reference data not present: {path.name}")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def yearly_feed(bands: tuple[str, ...], dimensions: list[str], measures: dict[str, int]) -> JsonObject:
    return {
        "name": "adherence",
        "provider": "payer",
        "grain": "year",
        "first_period": "2024",
        "last_period": "2024",
        "k": 1,
        "run_out_days": 0,
        "dimensions": dimensions,
        "measures": {name: {"unit": "persons", "bound": bound} for name, bound in measures.items()},
        "invariants": [],
        "rho": "0.1",
    }


def exchange(url: str, vocabularies: dict[str, list[str]], *feeds: JsonObject) -> SmallExchange:
    small = SmallExchange(url, noise=NoNoise())
    support = support_feed(dimensions=["sex"])
    grants = [{"role": "brand", "statistics": sorted(OFFERED), "by_at_most": 3}]
    vocabularies = {"sex": ["F", "M"], **vocabularies}
    small.agree(small_contract(vocabularies=vocabularies, feeds=[*feeds, support], grants=grants))
    return small


def shared_out(rows: list[JsonObject], measures: tuple[str, ...]) -> Posted:
    """Each count split over the three payers, so that the pool must add them up again."""
    posted: dict[tuple[str, str], list[JsonObject]] = defaultdict(list)
    for row in rows:
        for i, name in enumerate(PAYERS):
            parts = {measure: (row[measure] + i) // len(PAYERS) for measure in measures}
            posted[name, "2024"].append(row | parts)
    return dict(posted)


# --- DE-SynPUF 2008 by R


@pytest.fixture
def cells(shared_data: Path) -> list[JsonObject]:
    dimensions = {"census_region": "census_region", "age_band": "age_band", "sex": "sex", "adherence_band": "band"}
    rows = read(shared_data / "reference_stats" / "cells.csv")
    return [
        {name: row[column] for name, column in dimensions.items()}
        | {measure: int(float(row[column])) for measure, column in COLUMNS.items()}
        | {"pdc_basis_points": points}
        for row, points in zip(rows, in_basis_points([float(row["pdc_sum"]) for row in rows]), strict=True)
    ]


def in_basis_points(sums: list[float]) -> list[int]:
    """Whole ones; what rounding leaves is carried on to the next cell, so that no more than half of one is lost."""
    upto = [round(10_000 * part) for part in accumulate(sums)]
    return [after - before for before, after in pairwise([0, *upto])]


@pytest.fixture
def by_r(shared_data: Path) -> dict[str, dict[str, str]]:
    return {row["statistic"]: row for row in read(shared_data / "reference_stats" / "reference.csv")}


@pytest.fixture
def synpuf(migrated_sqlite_url: str, cells: list[JsonObject]) -> SmallExchange:
    bounds = dict.fromkeys(MEASURES, 1) | {"days_covered": 366, "treatment_days": 366, "hospital_stays": 30}
    bounds |= {"ed_visits": 30, "pdc_basis_points": 10_000}
    dimensions = ["census_region", "age_band", "sex", "adherence_band"]
    vocabularies = {"census_region": list(REGIONS), "age_band": list(AGES), "adherence_band": list(BANDS)}
    small = exchange(migrated_sqlite_url, vocabularies, yearly_feed(BANDS, dimensions, bounds))
    post(small, "adherence", shared_out(cells, MEASURES))
    return small


def test_rates_of_de_synpuf_are_those_of_r(synpuf: SmallExchange, by_r: dict[str, dict[str, str]]) -> None:
    def estimate(name: str) -> float:
        return float(by_r[name]["estimate"])

    members = answer(synpuf, "counts", feed="adherence", measures="members")["rows"][0]["value"]
    assert members == pytest.approx(estimate("n_members"), rel=1e-9)
    rate = answer(synpuf, "adherence_rate")["rows"][0]["value"]
    assert rate == pytest.approx(estimate("pct_adherent_wilson"), abs=1e-12)
    pdc = answer(synpuf, "pdc_pooled")["rows"][0]["value"]
    assert pdc == pytest.approx(estimate("pooled_pdc_ratio_of_sums"), abs=1e-12)
    mean = answer(synpuf, "pdc_mean")["rows"][0]["value"]
    assert mean == pytest.approx(estimate("mean_pdc"), abs=1e-6)
    for group, where in (("adherent", ADHERENT), ("nonadherent", NOT_ADHERENT)):
        rates = values(answer(synpuf, "utilisation_rate", where=where, by="year"), "hospital_stay_rate")
        assert rates["2024",] == pytest.approx(estimate(f"hosp_rate_per_1000py_{group}"), rel=1e-9)
        visits = values(answer(synpuf, "utilisation_rate", where=where, by="year"), "ed_visit_rate")
        assert visits["2024",] == pytest.approx(estimate(f"ed_rate_per_1000py_{group}"), rel=1e-9)


def test_a_distribution_of_de_synpuf_is_that_of_its_members(
    synpuf: SmallExchange, cells: list[JsonObject], by_r: dict[str, dict[str, str]]
) -> None:
    answered = answer(synpuf, "pdc_distribution", by="sex")

    members: dict[tuple[str, ...], int] = defaultdict(int)
    for row in cells:
        members[row["sex"], row["adherence_band"]] += row["members"]
    of_sex = {sex: sum(members[sex, band] for band in BANDS) for sex in ("F", "M")}
    shares: dict[tuple[str, ...], float] = {
        (sex, band): members[sex, band] / of_sex[sex] for sex in of_sex for band in BANDS
    }
    assert values(answered, "share_in_band") == approximately(shares)
    adherent = values(answer(synpuf, "pdc_distribution"), "share_from_band_up")["p80_100",]
    assert adherent == pytest.approx(float(by_r["pct_adherent_wilson"]["estimate"]), abs=1e-12)


def test_the_total_interval_is_wilsons_of_r_where_noise_has_no_variance(
    synpuf: SmallExchange, by_r: dict[str, dict[str, str]]
) -> None:
    wilson = by_r["pct_adherent_wilson"]
    (row,) = answer(synpuf, "adherence_rate", explain="true")["rows"]
    counts = values(answer(synpuf, "counts", feed="adherence", measures="members", by="adherence_band"))
    adherent, all_members = counts["p80_100",], sum(counts.values())

    # The plan's noise has a variance, also where a test draws none: the answer counts it, so it is the wider.
    assert row["total_interval"]["lower"] < float(wilson["lower95"])
    assert row["total_interval"]["upper"] > float(wilson["upper95"])
    nothing = np.zeros(1)
    interval = rate_interval(
        np.array([adherent]),
        np.array([all_members]),
        part_variance=nothing,
        whole_variance=nothing,
        covariance=nothing,
        confidence=0.95,
        sampling_periods=1,
    )
    assert interval.ends(0) == pytest.approx((float(wilson["lower95"]), float(wilson["upper95"])), abs=1e-6)


def test_the_total_interval_of_the_mean_pdc_holds_that_of_r(
    synpuf: SmallExchange, by_r: dict[str, dict[str, str]]
) -> None:
    (row,) = answer(synpuf, "pdc_mean")["rows"]

    # The histogram bounds how far members differ from above, and there is the plan's noise besides.
    assert row["total_interval"]["lower"] < float(by_r["mean_pdc"]["lower95"])
    assert row["total_interval"]["upper"] > float(by_r["mean_pdc"]["upper95"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by", "where"),
    [
        (("census_region",), {}),
        (("sex", "age_band"), {}),
        (("adherence_band",), {}),
        (("age_band",), {"sex": "F"}),
        (("census_region", "adherence_band"), {"age_band": "85+"}),
    ],
    ids=str,
)
def test_cells_of_de_synpuf_are_asked_back(
    synpuf: SmallExchange, cells: list[JsonObject], by: tuple[str, ...], where: dict[str, str]
) -> None:
    filters: dict[str, Any] = {"where": ",".join(f"{k}:{v}" for k, v in where.items())} if where else {}
    answered = answer(synpuf, "counts", feed="adherence", by=",".join(by), **filters)

    for measure in MEASURES:
        expected: dict[tuple[str, ...], int] = defaultdict(int)
        for row in cells:
            if all(row[name] == value for name, value in where.items()):
                expected[tuple(row[name] for name in by)] += row[measure]
        found = values(answered, measure)
        assert found == approximately(dict.fromkeys(found, 0) | expected)


# --- Ho 2006


def test_the_cells_of_ho_2006_are_asked_back(migrated_sqlite_url: str, shared_data: Path) -> None:
    published = {
        (row["group"], row["quantity"].split(" (")[0]): float(row["value"])
        for row in read(shared_data / "published" / "published_effects.csv")
        if row["study"] == "ho2006"
    }
    rows = [
        {
            "adherence_band": band,
            "members": int(published[group, "n"]),
            "hospitalised_members": int(published[group, "hosp members"]),
        }
        for band, group in (("p00_80", "nonadherent"), ("p80_100", "adherent"))
    ]
    measures = {"members": 1, "hospitalised_members": 1}
    feed = yearly_feed(("p00_80", "p80_100"), ["adherence_band"], measures)
    small = exchange(migrated_sqlite_url, {"adherence_band": ["p00_80", "p80_100"]}, feed)

    post(small, "adherence", shared_out(rows, tuple(measures)))

    counts = answer(small, "counts", BRAND, feed="adherence", by="adherence_band")
    members = {key: row["value"] for key, row in table(counts, "members").items()}
    stays = {key: row["value"] for key, row in table(counts, "hospitalised_members").items()}
    assert members == approximately({("p00_80",): 2456, ("p80_100",): 9076})
    assert stays == approximately({("p00_80",): 570, ("p80_100",): 1743})
    assert sum(members.values()) == pytest.approx(published["all", "n"], rel=1e-9)
    low, high = ("p00_80",), ("p80_100",)
    odds = (stays[low] / (members[low] - stays[low])) / (stays[high] / (members[high] - stays[high]))
    assert odds == pytest.approx(1.27, abs=0.005)
    rate = answer(small, "adherence_rate")["rows"][0]["value"]
    assert rate == pytest.approx(1 - published["nonadherent(PDC<0.80)", "share"], abs=0.0005)
    shares = values(answer(small, "utilisation_rate", by="adherence_band"), "hospitalised_share")
    assert shares[low] == pytest.approx(published["nonadherent", "allcause_hosp_share"], abs=0.0005)
    assert shares[high] == pytest.approx(published["adherent", "allcause_hosp_share"], abs=0.0005)
    of_shares = shares[low] / (1 - shares[low]) / (shares[high] / (1 - shares[high]))
    assert of_shares == pytest.approx(1.27, abs=0.005)


# --- Raebel 2011 and Brixner 2019


def test_the_cells_of_raebel_2011_and_brixner_2019_are_asked_back(migrated_sqlite_url: str, shared_data: Path) -> None:
    rows = read(shared_data / "published" / "published_effects.csv")
    published = {(row["study"], row["group"], row["quantity"]): float(row["value"]) for row in rows}
    statuses = ("primary non-adherent", "early non-persistent", "ongoing")
    raebel = {status: int(published["raebel2011", status, "n"]) for status in statuses}
    brixner = {group: int(published["brixner2019abandon", group, "n"]) for group in ("PSP", "non-PSP")}
    abandoned = {group: published["brixner2019abandon", group, "abandonment_share"] for group in brixner}
    names = {"primary non-adherent": "primary", "early non-persistent": "early", "ongoing": "ongoing"}
    names |= {"PSP": "psp", "non-PSP": "without"}
    small = exchange(
        migrated_sqlite_url,
        {"status": ["primary", "early", "ongoing"], "programme": ["psp", "without"]},
        yearly_feed((), ["status"], {"members": 1, "pdc_basis_points": 10_000}) | {"rho": "0.05"},
        yearly_feed((), ["programme"], {"members": 1, "abandoned": 1}) | {"name": "starts", "rho": "0.05"},
    )
    of_raebel = [
        {"status": names[status], "members": n, "pdc_basis_points": 8400 * n if status == "ongoing" else 0}
        for status, n in raebel.items()
    ]
    of_brixner = [
        {"programme": names[group], "members": n, "abandoned": round(abandoned[group] * n)}
        for group, n in brixner.items()
    ]

    post(small, "adherence", shared_out(of_raebel, ("members", "pdc_basis_points")))
    post(small, "starts", shared_out(of_brixner, ("members", "abandoned")))

    n = values(answer(small, "counts", feed="adherence", measures="members", by="status"))
    total = sum(n.values())
    assert total == pytest.approx(published["raebel2011", "all", "n"], rel=1e-9)
    assert [round(100 * share / total, 1) for share in n.values()] == [7.4, 21.8, 70.8]
    mean = values(answer(small, "pdc_mean", where="status:ongoing", by="status"))
    assert mean["ongoing",] == pytest.approx(0.84, abs=1e-9)
    patients = answer(small, "counts", feed="starts", by="programme")
    starts, left = (values(patients, measure) for measure in ("members", "abandoned"))
    odds = {group: left[group] / (starts[group] - left[group]) for group in starts}
    assert odds["psp",] / odds["without",] == pytest.approx(0.2315, abs=0.0005)
