"""explain=true: what an answer rests on and how each figure was reckoned, for whoever may know it."""

from math import sqrt

import pytest

from contracts.parties import JsonObject
from tests.http.answers import FILLS, MONTHS, answer, post, support_rows
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    PAYERS,
    SmallExchange,
    fills_feed,
    small_contract,
    support_feed,
)

JANUARY = {key: rows for key, rows in FILLS.items() if key[1] == MONTHS[0]}


@pytest.fixture
def noisy(agreed: SmallExchange) -> SmallExchange:
    """With the noise of production: January of every payer and of the brand."""
    post(agreed, "fills", JANUARY)
    post(agreed, "support", {(BRAND, MONTHS[0]): support_rows(0)})
    return agreed


def explained(small: SmallExchange, statistic: str, name: str = BRAND, **query: str) -> tuple[JsonObject, JsonObject]:
    answered = answer(small, statistic, name, explain="true", periods=MONTHS[0], **query)
    return answered, answered["explanation"]


def plan_in_contract(small: SmallExchange, feed: int = 0) -> JsonObject:
    document = small.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()["document"]
    return dict(document["feeds"][feed]["plan"])


def test_an_answer_is_explained_only_when_asked(noisy: SmallExchange) -> None:
    question = {"feed": "fills", "by": "region", "periods": MONTHS[0]}
    plain = answer(noisy, "counts", **question)
    assert "explanation" not in plain

    with_explanation = answer(noisy, "counts", explain="true", **question)

    del with_explanation["explanation"]
    assert with_explanation == plain


def test_the_releases_are_named_and_of_ones_own_more_is_told(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url)
    small.agree(small_contract(feeds=[fills_feed(restatements=1), support_feed()], rules={"min_payers": 2}))
    post(small, "fills", JANUARY)

    answered, explanation = explained(small, "counts", PAYERS[0], feed="fills")

    releases = explanation["releases"]
    assert [release["id"] for release in releases] == answered["releases"], "in the order of ids, not of posting"
    assert {(r["feed"], r["period"], r["restatement"]) for r in releases} == {("fills", MONTHS[0], 0)}
    (own,) = [release for release in releases if release["provider"] is not None]
    assert own["provider"] == PAYERS[0]
    with small.wiring.database.reading() as stores:
        stored = {release.id: release for release in stores.releases.list_for_contract(CONTRACT)}
    assert (stored[own["id"]].provider, stored[own["id"]].block_sha256) == (own["provider"], own["block_sha256"])
    assert [r["block_sha256"] for r in releases if r is not own] == [None, None]
    assert not any(name in str(explanation) for name in PAYERS[1:])


def test_the_brand_learns_no_payer_by_name_or_digest(noisy: SmallExchange) -> None:
    _, explanation = explained(noisy, "pdc_pooled", by="region")

    assert not any(name in str(explanation) for name in PAYERS)
    assert {release["block_sha256"] for release in explanation["releases"]} == {None}


def test_the_plan_is_the_signed_one(noisy: SmallExchange) -> None:
    _, explanation = explained(noisy, "joint_table", by="region")

    signed = [plan_in_contract(noisy, 0), plan_in_contract(noisy, 2)]
    assert [plan["feed"] for plan in explanation["plans"]] == ["fills", "support"]
    for plan, frozen in zip(explanation["plans"], signed, strict=True):
        assert plan["charge_nano"] == frozen["charge_nano"]
        wanted = ("measure", "margin", "sigma", "charge_nano")
        assert plan["draws"] == [{name: draw[name] for name in wanted} for draw in frozen["draws"]]


def test_a_count_is_worked_out_with_the_noise_that_its_interval_has(noisy: SmallExchange) -> None:
    answered, explanation = explained(noisy, "counts", feed="fills", by="region")

    for row, told in zip(answered["rows"], explanation["rows"], strict=True):
        assert (told["key"], told["figure"], told["state"]) == (row["key"], row["figure"], row["state"])
        (term,) = told["working"]["terms"]
        assert (term["name"], term["estimate"]) == (row["figure"], row["value"])
        assert term["sd"] == told["working"]["sd"] == sqrt(told["working"]["variance"])
        name, _, number = told["working"]["formula"].partition(" = ")
        assert (name, float(number)) == (row["figure"], pytest.approx(row["value"], rel=1e-9))
        assert row["interval"]["upper"] - row["value"] == pytest.approx(1.96 * term["sd"], abs=1.01)


def test_a_change_is_worked_out_with_the_noise_of_both_months_and_one_plan(noisy: SmallExchange) -> None:
    february = {key: rows for key, rows in FILLS.items() if key[1] == MONTHS[1]}
    post(noisy, "fills", february)
    question = {"feed": "fills", "measures": "members", "explain": "true"}
    (before,) = answer(noisy, "counts", periods=MONTHS[0], **question)["explanation"]["rows"]

    told = answer(noisy, "counts", periods=MONTHS[1], compare="previous", **question)

    now, change = told["explanation"]["rows"]
    assert [plan["feed"] for plan in told["explanation"]["plans"]] == ["fills"]
    expected = now["working"]["variance"] + before["working"]["variance"]
    assert change["working"]["variance"] == pytest.approx(expected, rel=1e-12)
    assert change["working"]["sd"] == pytest.approx(sqrt(expected), rel=1e-12)
    assert not any("not_comparable" in note for note in told["notes"]), "no row has the flag"


def test_a_rate_is_worked_out_from_its_two_sides(noisy: SmallExchange) -> None:
    answered, explanation = explained(noisy, "pdc_pooled", by="region")
    counted = answer(noisy, "counts", feed="fills", by="region", periods=MONTHS[0])["rows"]
    found = {(row["key"]["region"], row["figure"]): row["value"] for row in counted}

    for row, told in zip(answered["rows"], explanation["rows"], strict=True):
        working, region = told["working"], row["key"]["region"]
        covered, treated = working["terms"]
        assert (covered["name"], covered["estimate"]) == ("days_covered", found[region, "days_covered"])
        assert (treated["name"], treated["estimate"]) == ("treatment_days", found[region, "treatment_days"])
        words, numbers, rate = working["formula"].split(" = ")
        assert words == "days_covered / treatment_days"
        a, m = map(float, numbers.split(" / "))
        assert a / m == pytest.approx(float(rate), rel=1e-8)
        assert float(rate) == pytest.approx(row["value"], rel=1e-9)
        assert working["covariance"] == 0
        first_order = (covered["variance"] + row["value"] ** 2 * treated["variance"]) / treated["estimate"] ** 2
        assert working["variance"] == pytest.approx(first_order)


def test_the_parts_of_a_rate_are_noised_together_where_one_holds_the_other(small: SmallExchange) -> None:
    small.agree()
    bands = ("p00_40", "p40_80", "p80_100")
    rows = [{"region": "north", "adherence_band": band, "members": 400} for band in bands]
    post(small, "adherence", {(name, "2025"): rows for name in PAYERS})

    answered = answer(small, "adherence_rate", by="region", periods="2025", explain="true")

    (north, _) = answered["explanation"]["rows"]
    adherent, everyone = north["working"]["terms"]
    assert (adherent["name"], everyone["name"]) == ("members of p80_100", "members")
    assert 0 < north["working"]["covariance"] < everyone["variance"]
    rate = answered["rows"][0]["value"]
    spread = adherent["variance"] - 2 * rate * north["working"]["covariance"] + rate**2 * everyone["variance"]
    assert north["working"]["variance"] == pytest.approx(spread / everyone["estimate"] ** 2)


def test_a_missing_row_has_no_working(noisy: SmallExchange) -> None:
    answered = answer(noisy, "pdc_pooled", by="month", periods="2025-01..2025-02", explain="true")

    shown, missing = answered["explanation"]["rows"]
    assert shown["working"] is not None
    assert missing == {"key": {"month": "2025-02"}, "figure": "pdc_pooled", "state": "missing", "working": None}


def test_without_a_grant_of_counts_a_rate_is_explained_without_its_parts(small: SmallExchange) -> None:
    grants = [{"role": role, "statistics": ["pdc_pooled"], "by_at_most": 3} for role in ("brand", "payer")]
    small.agree(small_contract(grants=grants))
    post(small, "fills", JANUARY)

    _, explanation = explained(small, "pdc_pooled", by="region")

    for row in explanation["rows"]:
        assert row["working"]["terms"] == []
        assert row["working"]["covariance"] is None
        assert row["working"]["formula"] == "days_covered / treatment_days; the contract grants you no counts"
        assert row["working"]["sd"] > 0


def test_where_only_an_upper_limit_is_identified_no_rate_is_worked_out(small: SmallExchange) -> None:
    small.agree(small_contract(feeds=[fills_feed(), support_feed(dimensions=["region"])]))
    post(small, "fills", JANUARY)
    row = {"region": "north", "enrolled": 30, "contacts": 0}
    post(small, "support", {(BRAND, MONTHS[0]): [row]})

    _, explanation = explained(small, "psp_penetration", by="region")

    for told in explanation["rows"]:
        assert told["working"]["formula"] == "only an upper limit is identified"
        assert (told["working"]["variance"], told["working"]["sd"]) == (None, None)


def test_it_says_why_it_is_private(noisy: SmallExchange) -> None:
    _, explanation = explained(noisy, "counts", feed="support")

    for word in ("drawn once", "discrete Gaussian", "zCDP", "debited", "several providers", "no part of this"):
        assert word in explanation["why_private"]
    assert "on whose word" not in explanation["why_private"]


@pytest.mark.parametrize("explain", ["perhaps", "2", ""])
def test_explain_is_yes_or_no(noisy: SmallExchange, explain: str) -> None:
    assert_problem(noisy.ask(BRAND, "pdc_pooled", explain=explain), 422, "input-invalid")
