"""Statistics without noise equal what anyone would reckon from the posted cells."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from statistics import NormalDist

import numpy as np
import pytest

from privacy.arrays import Floats
from tests.http.answers import (
    ADHERENCE,
    EVERYTHING,
    FILLS,
    MONTHS,
    SUPPORT,
    answer,
    approximately,
    post,
    table,
    totals,
    values,
)
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    NoNoise,
    SmallExchange,
    adherence_feed,
    fills_feed,
    small_contract,
    support_feed,
)

Z95 = NormalDist().inv_cdf(0.975)


@pytest.fixture(scope="module")
def filled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """The small contract with every period of every feed posted, released without noise."""
    path = tmp_path_factory.mktemp("filled") / "parley.db"
    copyfile(sqlite_template, path)
    small = SmallExchange(f"sqlite:///{path}", noise=NoNoise())
    small.agree()
    for feed, posted in EVERYTHING.items():
        post(small, feed, posted)
    yield small
    small.wiring.database.close()


def cell_covariance(small: SmallExchange, feed: int, measure: str) -> Floats:
    """Of the fitted cells of one release, in C order: dense least squares over the draws that the document signs."""
    document = small.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()["document"]
    terms = document["feeds"][feed]
    information = 0.0
    for draw in terms["plan"]["draws"]:
        if draw["measure"] == measure:
            rows = np.ones((1, 1))
            for name in terms["dimensions"]:
                size = len(document["vocabularies"][name])
                rows = np.kron(rows, np.eye(size) if name in draw["margin"] else np.ones((1, size)))
            information = information + rows.T @ rows / float(draw["sigma"]) ** 2
    return np.linalg.inv(information)


# --- counts

Q2 = MONTHS[3:6]
CUTS: dict[str, tuple[dict[str, str], dict[str, object]]] = {
    "nothing asked": ({}, {}),
    "one dimension": ({"by": "region"}, {"by": ["region"]}),
    "two dimensions": ({"by": "sex,region"}, {"by": ["sex", "region"]}),
    "spaces after commas": ({"by": "sex, region"}, {"by": ["sex", "region"]}),
    "the feed's own grain": ({"by": "month"}, {"by": ["month"]}),
    "quarters": ({"by": "quarter,region"}, {"by": ["quarter", "region"]}),
    "time last": ({"by": "region,quarter"}, {"by": ["region", "quarter"]}),
    "time in the middle": ({"by": "sex,quarter,region"}, {"by": ["sex", "quarter", "region"]}),
    "years": ({"by": "year"}, {"by": ["year"]}),
    "a filter": ({"where": "sex:F"}, {"where": {"sex": ["F"]}}),
    "two filters": ({"where": "region:south,sex:M"}, {"where": {"region": ["south"], "sex": ["M"]}}),
    "a union of all values": ({"where": "region:north,region:south"}, {}),
    "a union beside a filter": (
        {"where": "region:north,sex:F,region:south"},
        {"where": {"sex": ["F"]}},
    ),
    "a filter of the dimension asked": (
        {"by": "region", "where": "region:south"},
        {"by": ["region"], "where": {"region": ["south"]}},
    ),
    "a filter of another dimension": (
        {"by": "region", "where": "sex:M"},
        {"by": ["region"], "where": {"sex": ["M"]}},
    ),
    "one month": ({"periods": "2025-03"}, {"periods": ["2025-03"]}),
    "one quarter": ({"periods": "2025-Q2"}, {"periods": Q2}),
    "one year": ({"periods": "2025"}, {"periods": MONTHS}),
    "a range of months": ({"periods": "2025-11..2025-12"}, {"periods": MONTHS[10:]}),
    "a range of mixed grains": ({"periods": "2025-04..2025-Q2"}, {"periods": Q2}),
    "a range wider than the feed": ({"periods": "2020..2030"}, {"periods": MONTHS}),
    "a range across quarters": (
        {"by": "quarter", "periods": "2025-03..2025-04"},
        {"by": ["quarter"], "periods": MONTHS[2:4]},
    ),
}


@pytest.mark.parametrize("cut", CUTS)
def test_counts_are_the_sums_of_what_was_posted(filled: SmallExchange, cut: str) -> None:
    query, part = CUTS[cut]

    answered = answer(filled, "counts", feed="fills", **query)

    for measure in ("members", "days_covered", "treatment_days"):
        assert values(answered, measure) == approximately(totals(FILLS, measure, **part))  # type: ignore[arg-type]


def test_rows_say_by_what_they_were_asked_in_that_order(filled: SmallExchange) -> None:
    answered = answer(filled, "counts", feed="fills", by="sex,quarter,region", measures="members")

    assert all(list(row["key"]) == ["sex", "quarter", "region"] for row in answered["rows"])


def test_the_order_of_by_changes_no_value(filled: SmallExchange) -> None:
    one = table(answer(filled, "counts", feed="fills", by="region,sex,month", measures="members"))
    other = table(answer(filled, "counts", feed="fills", by="month,sex,region", measures="members"))

    turned = {key[::-1]: (row["value"], row["interval"]) for key, row in other.items()}
    assert {key: (row["value"], row["interval"]) for key, row in one.items()} == turned


def test_persons_counted_in_several_periods_say_so_in_their_unit(filled: SmallExchange) -> None:
    fills = answer(filled, "counts", feed="fills")
    yearly = answer(filled, "counts", feed="adherence")

    assert {row["figure"]: row["unit"] for row in fills["rows"]} == {
        "members": "persons once a month",
        "days_covered": "days",
        "treatment_days": "days",
    }
    assert yearly["rows"][0]["unit"] == "persons once a year"


def test_only_the_measures_asked_are_answered_in_the_order_asked(filled: SmallExchange) -> None:
    answered = answer(filled, "counts", feed="fills", measures="treatment_days,members")

    assert [row["figure"] for row in answered["rows"]] == ["treatment_days", "members"]


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_the_interval_of_a_pooled_count_follows_from_the_signed_sigma(filled: SmallExchange, confidence: float) -> None:
    answered = answer(filled, "counts", feed="fills", by="region", measures="days_covered", confidence=str(confidence))

    # Independent releases of three payers in twelve months; a region is the first two or the last two of four cells.
    covariance = cell_covariance(filled, 0, "days_covered")
    sd = np.sqrt(3 * 12 * covariance[:2, :2].sum())
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * sd
    assert answered["confidence"] == confidence
    for row in answered["rows"]:
        assert row["interval"]["upper"] - row["value"] == pytest.approx(half)
        assert row["interval"]["lower"] == pytest.approx(max(0.0, row["value"] - half))
        assert row["total_interval"] is None


# --- rates


@pytest.mark.parametrize("by", [(), ("region",), ("region", "year"), ("year",)], ids=str)
def test_adherence_rate_is_the_share_of_members_in_bands_from_80(filled: SmallExchange, by: tuple[str, ...]) -> None:
    adherent = totals(ADHERENCE, "members", by, {"adherence_band": ["p80_100"]})
    everyone = totals(ADHERENCE, "members", by)

    answered = answer(filled, "adherence_rate", **({"by": ",".join(by)} if by else {}))

    assert values(answered) == pytest.approx({key: adherent[key] / everyone[key] for key in everyone})


def test_pdc_pooled_is_a_ratio_of_sums(filled: SmallExchange) -> None:
    answered = answer(filled, "pdc_pooled", by="region,sex", periods="2025-Q3")

    cut = {"by": ["region", "sex"], "periods": MONTHS[6:9]}
    covered, treated = totals(FILLS, "days_covered", **cut), totals(FILLS, "treatment_days", **cut)  # type: ignore[arg-type]
    assert values(answered) == pytest.approx({key: covered[key] / treated[key] for key in treated})
    assert all(row["total_interval"] is None for row in answered["rows"])


def test_the_joint_table_sets_both_sides_beside_each_other(filled: SmallExchange) -> None:
    answered = answer(filled, "joint_table", by="region,quarter")

    by = ("region", "quarter")
    covered, treated = totals(FILLS, "days_covered", by), totals(FILLS, "treatment_days", by)
    assert values(answered, "pdc_pooled") == pytest.approx({k: covered[k] / treated[k] for k in treated})
    assert values(answered, "enrolled") == approximately(totals(SUPPORT, "enrolled", by))
    assert values(answered, "contacts") == approximately(totals(SUPPORT, "contacts", by))
    assert "ecological" in answered["labels"]
    assert any("not by person" in note for note in answered["notes"])


def test_the_payers_side_of_a_joint_table_can_be_another_statistic(filled: SmallExchange) -> None:
    answered = answer(filled, "joint_table", of="adherence_rate", by="region", periods="2025", measures="contacts")

    alone = table(answer(filled, "adherence_rate", by="region", periods="2025"))
    assert table(answered, "adherence_rate") == alone
    assert all(row["total_interval"] for row in alone.values())
    assert values(answered, "contacts") == approximately(totals(SUPPORT, "contacts", ["region"]))
    assert {"ecological"} <= set(answered["labels"])
    in_use = filled.ask(BRAND, "joint_table", of="adherence_rate", by="adherence_band").get_json()["errors"]
    assert "dimension_in_use" in [error["code"] for error in in_use]
    assert filled.ask(BRAND, "joint_table", of="cost_pmpm").status_code == 403


def test_penetration_divides_the_enrolled_in_the_network_by_the_members(filled: SmallExchange) -> None:
    answered = answer(filled, "psp_penetration", by="region")

    enrolled = totals(SUPPORT, "enrolled", ["region"], {"coverage": ["in_network"]})
    members = totals(FILLS, "members", ["region"])
    assert values(answered) == pytest.approx({key: enrolled[key] / members[key] for key in members})
    assert "coverage_mismatch" not in answered["labels"]


def brute_force(a: float, m: float, *, va: float, vm: float, c: float, periods: int) -> tuple[float, float]:
    """Ends of {R in [0, 1]: (a - R m)^2 <= z^2 (va - 2 R c + R^2 vm + P m R (1 - R))}, by trying them all."""
    rates = np.linspace(0, 1, 400_001)
    spread = va - 2 * rates * c + rates**2 * vm + periods * m * rates * (1 - rates)
    inside = rates[(a - rates * m) ** 2 <= Z95**2 * spread]
    return float(inside.min()), float(inside.max())


def test_adherence_intervals_are_fiellers_sets_at_the_signed_sigma(filled: SmallExchange) -> None:
    answered = table(answer(filled, "adherence_rate", by="region"))

    adherent = totals(ADHERENCE, "members", ["region"], {"adherence_band": ["p80_100"]})
    everyone = totals(ADHERENCE, "members", ["region"])
    cells = cell_covariance(filled, 1, "members")[:3, :3] * 3 * 2  # a region's three bands; three payers, two years
    known = {"va": float(cells[2, 2]), "vm": float(cells.sum()), "c": float(cells[2].sum())}  # the last band, and all
    for key, row in answered.items():
        noise = brute_force(adherent[key], everyone[key], **known, periods=0)
        both = brute_force(adherent[key], everyone[key], **known, periods=2)
        assert tuple(row["interval"].values()) == pytest.approx(noise, abs=1e-5)
        assert tuple(row["total_interval"].values()) == pytest.approx(both, abs=1e-5)
        assert row["total_interval"]["upper"] > row["interval"]["upper"]


def test_pdc_and_penetration_intervals_take_both_sides_noise(filled: SmallExchange) -> None:
    (pdc,) = answer(filled, "pdc_pooled", periods="2025-05")["rows"]
    (share,) = answer(filled, "psp_penetration", periods="2025-05")["rows"]

    month = {"periods": ["2025-05"]}
    expected = brute_force(
        totals(FILLS, "days_covered", **month)[()],
        totals(FILLS, "treatment_days", **month)[()],
        va=3 * cell_covariance(filled, 0, "days_covered").sum(),  # three payers
        vm=3 * cell_covariance(filled, 0, "treatment_days").sum(),
        c=0,
        periods=0,
    )
    assert tuple(pdc["interval"].values()) == pytest.approx(expected, abs=1e-5)
    expected = brute_force(
        totals(SUPPORT, "enrolled", where={"coverage": ["in_network"]}, **month)[()],
        totals(FILLS, "members", **month)[()],
        va=cell_covariance(filled, 2, "enrolled")[:2, :2].sum(),  # in_network in both regions, from the one brand
        vm=3 * cell_covariance(filled, 0, "members").sum(),
        c=0,
        periods=0,
    )
    assert tuple(share["interval"].values()) == pytest.approx(expected, abs=1e-5)


# --- what must not matter


def test_the_order_of_posted_rows_does_not_matter(filled: SmallExchange, migrated_sqlite_url: str) -> None:
    turned = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    turned.agree()
    post(turned, "fills", {key: rows[::-1] for key, rows in FILLS.items()})

    for by in ("region,sex", "month"):
        question = {"feed": "fills", "by": by}
        assert answer(turned, "counts", **question)["rows"] == answer(filled, "counts", **question)["rows"]


def test_an_empty_stratum_changes_no_value(filled: SmallExchange, migrated_sqlite_url: str) -> None:
    wide = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    document = small_contract()
    document["vocabularies"] = document["vocabularies"] | {"region": ["north", "east", "south"]}
    wide.agree(document)
    post(wide, "fills", {key: FILLS[key] for key in FILLS if key[1] == "2025-01"})

    for question in ({"by": "sex"}, {}, {"by": "region,sex"}):
        narrow = values(answer(filled, "counts", feed="fills", periods="2025-01", measures="members", **question))
        found = values(answer(wide, "counts", feed="fills", periods="2025-01", measures="members", **question))
        assert {key: value for key, value in found.items() if "east" not in key} == approximately(narrow)
        assert all(value == pytest.approx(0, abs=1e-9) for key, value in found.items() if "east" in key)


def test_feeds_may_list_their_dimensions_in_any_order(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    feeds = [
        fills_feed(dimensions=["sex", "region"]),
        adherence_feed(dimensions=["adherence_band", "region"]),
        support_feed(dimensions=["region", "coverage", "sex"]),
    ]
    small.agree(small_contract(feeds=feeds))
    months = MONTHS[:2]
    fills = {key: FILLS[key] for key in FILLS if key[1] in months}
    support = {
        key: [{**row, "sex": sex, "enrolled": row["enrolled"] + 5 * (sex == "M")} for row in rows for sex in "FM"]
        for key, rows in SUPPORT.items()
        if key[1] in months
    }
    for feed, posted in (("fills", fills), ("adherence", ADHERENCE), ("support", support)):
        post(small, feed, posted)

    for by in (("region", "sex"), ("sex", "region"), ("sex", "month", "region")):
        joint = answer(small, "joint_table", by=",".join(by))
        covered, treated = totals(fills, "days_covered", by), totals(fills, "treatment_days", by)
        got = {key: value for key, value in values(joint, "pdc_pooled").items() if value is not None}
        assert got == pytest.approx({key: covered[key] / treated[key] for key in treated})
        shares = values(answer(small, "psp_penetration", by=",".join(by)))
        enrolled = totals(support, "enrolled", by, {"coverage": ["in_network"]})
        members = totals(fills, "members", by)
        assert {k: v for k, v in shares.items() if v is not None} == pytest.approx(
            {key: enrolled[key] / members[key] for key in members}
        )
    rate = values(answer(small, "adherence_rate", by="region"))
    adherent = totals(ADHERENCE, "members", ["region"], {"adherence_band": ["p80_100"]})
    everyone = totals(ADHERENCE, "members", ["region"])
    assert rate == pytest.approx({key: adherent[key] / everyone[key] for key in everyone})
