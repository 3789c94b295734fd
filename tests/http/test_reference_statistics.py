"""Published and independently computed numbers, posted as cells and asked back at noise 0."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from contracts.parties import JsonObject
from tests.http.answers import Posted, answer, approximately, post, table, values
from tests.support.small_exchange import BRAND, PAYERS, NoNoise, SmallExchange, small_contract, support_feed

REGIONS = ("Midwest", "Northeast", "South", "West")
AGES = ("00-64", "65-74", "75-84", "85+")
BANDS = ("p00_20", "p20_40", "p40_60", "p60_80", "p80_100")
MEASURES = ("members", "days_covered", "treatment_days", "hosp", "hosp_members")


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


def exchange(url: str, vocabularies: dict[str, list[str]], feed: JsonObject) -> SmallExchange:
    small = SmallExchange(url, noise=NoNoise())
    support = support_feed(dimensions=["sex"])
    small.agree(small_contract(vocabularies={"sex": ["F", "M"], **vocabularies}, feeds=[feed, support]))
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
    dimensions = ("census_region", "age_band", "sex", "band")
    return [
        {("adherence_band" if name == "band" else name): row[name] for name in dimensions}
        | {measure: int(float(row[measure])) for measure in MEASURES}
        for row in read(shared_data / "reference_stats" / "cells.csv")
    ]


@pytest.fixture
def by_r(shared_data: Path) -> dict[str, dict[str, str]]:
    return {row["statistic"]: row for row in read(shared_data / "reference_stats" / "reference.csv")}


@pytest.fixture
def synpuf(migrated_sqlite_url: str, cells: list[JsonObject]) -> SmallExchange:
    bounds = {"members": 1, "days_covered": 366, "treatment_days": 366, "hosp": 30, "hosp_members": 1}
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


def test_the_noise_and_sampling_interval_holds_wilsons_interval_of_r(
    synpuf: SmallExchange, by_r: dict[str, dict[str, str]]
) -> None:
    wilson = by_r["pct_adherent_wilson"]
    (row,) = answer(synpuf, "adherence_rate")["rows"]

    assert row["total_interval"]["lower"] <= float(wilson["lower95"])
    assert row["total_interval"]["upper"] >= float(wilson["upper95"])


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
