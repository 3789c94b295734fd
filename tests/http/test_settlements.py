"""What a contract settles on: one rate over one period against a target, the same for everybody and for ever."""

import json
import re
from collections.abc import Iterator
from itertools import product
from math import erf, sqrt
from pathlib import Path
from shutil import copyfile
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from api.cli.preview_text import say_preview
from contracts.parties import JsonObject
from tests.http.answers import ADHERENCE, answer, post, totals
from tests.http.terms import assert_term
from tests.http.test_bad_input import assert_problem
from tests.http.test_cli import Console
from tests.http.test_receipts import proved, published
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    PAYERS,
    NoNoise,
    SmallExchange,
    adherence_feed,
    small_contract,
    support_feed,
)
from tests.support.small_server import small_server

CLAUSE: JsonObject = {
    "statistic": "adherence_rate",
    "target": "0.50",
    "period": "2025",
    "as_of": "final",
    "decide_at": "0.9",
    "undecided": "the base rebate applies",
}
PATH = f"/v1/contracts/{CONTRACT}/settlement"
GRANTED = ["threshold_assessment"]


def contract(clause: JsonObject | None = CLAUSE, **changes: Any) -> JsonObject:
    """Adherence by the year; the brand and the payers may ask for the assessment, under pools of two."""
    grants = [{"role": role, "statistics": GRANTED, "by_at_most": 3} for role in ("brand", "payer")]
    rules = {"min_payers": 2, "small_cells": None}
    feeds = [adherence_feed(), support_feed()]
    return small_contract(**{"grants": grants, "rules": rules, "feeds": feeds, "settlement": clause} | changes)


def settling(url: str, clause: JsonObject | None = CLAUSE, **changes: Any) -> SmallExchange:
    """All of both years is posted, without noise."""
    small = SmallExchange(url, noise=NoNoise())
    small.agree(contract(clause, **changes))
    post(small, "adherence", ADHERENCE)
    return small


def test_a_grant_without_grains_of_time_or_for_another_purpose_reaches_the_statement(migrated_sqlite_url: str) -> None:
    """The contract names the period, and the statement says nothing of a purpose."""
    narrow = {"dimensions": ["region"], "purposes": ["quality"]}
    wide = {"dimensions": [], "purposes": ["quality", "teaching"]}
    granted = {"statistics": GRANTED, "by_at_most": 1}
    grants = [{"role": "brand", **granted, **narrow}, {"role": "payer", **granted, **wide}]
    small = settling(migrated_sqlite_url, grants=grants, purposes=["quality", "teaching"])

    stated = small.get(BRAND, PATH)

    assert (stated.status_code, stated.get_json()["outcome"]) == (200, "not_met")
    assert_term(small, small.get("sierra", PATH), 403, "purpose-not-granted", "/grants/1/purposes")
    assert small.get("sierra", PATH, purpose="teaching").get_json() == stated.get_json()
    assert_problem(small.get(BRAND, PATH, purpose="mischief"), 403, "purpose-not-granted")
    assert_problem(small.get(BRAND, PATH, mood="calm"), 422, "input-invalid")


def exact_rate() -> tuple[float, float]:
    """Adherent persons and all of them, as posted."""
    whole = totals(ADHERENCE, "members", periods=["2025"])[()]
    part = totals(ADHERENCE, "members", where={"adherence_band": ["p80_100"]}, periods=["2025"])[()]
    return part, whole


def rate_row(answered: JsonObject, figure: str) -> JsonObject:
    (row,) = (row for row in answered["rows"] if row["figure"] == figure)
    return dict(row)


def variance_at_half(small: SmallExchange) -> float:
    """Of adherent - 0.5 * all, over all payers, by dense least squares of the draws of the frozen plan."""
    cells = list(product(("north", "south"), ("p00_40", "p40_80", "p80_100")))
    precision = np.zeros((len(cells), len(cells)))
    for draw in small.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()["document"]["feeds"][0]["plan"]["draws"]:
        kept = [i for i, name in enumerate(("region", "adherence_band")) if name in draw["margin"]]
        strata = [tuple(cell[i] for i in kept) for cell in cells]
        sums = np.array([[float(stratum == each) for stratum in strata] for each in dict.fromkeys(strata)])
        precision += sums.T @ sums / float(draw["sigma"]) ** 2
    weights = np.array([(band == "p80_100") - 0.5 for _, band in cells])
    return float(len(PAYERS) * weights @ np.linalg.inv(precision) @ weights)


@pytest.fixture(scope="module")
def settled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """Asked by tests that change nothing but the audit."""
    path = tmp_path_factory.mktemp("settlements") / "parley.db"
    copyfile(sqlite_template, path)
    small = settling(f"sqlite:///{path}")
    yield small
    small.wiring.database.close()


def test_the_confidence_is_that_of_the_noise_of_both_sums(settled: SmallExchange) -> None:
    """Reckoned anew from the frozen plan."""
    part, whole = exact_rate()
    z = (part - 0.5 * whole) / sqrt(variance_at_half(settled))

    answered = answer(settled, "threshold_assessment", explain="true")

    assert rate_row(answered, "adherence_rate")["value"] == pytest.approx(part / whole, rel=1e-9)
    confidence = rate_row(answered, "confidence")
    assert confidence["value"] == pytest.approx(0.5 * (1 + erf(z / sqrt(2))), abs=1e-12)
    assert (confidence["interval"], answered["as_of"]) == (None, "final")
    (working,) = (row["working"] for row in answered["explanation"]["rows"] if row["figure"] == "confidence")
    assert working["terms"] == []  # the grant has no counts


@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["met", "not_met", "undecided"])
def test_the_outcome_is_one_of_three(migrated_sqlite_url: str, outcome: str) -> None:
    part, whole = exact_rate()
    target = {"met": "0.05", "not_met": "0.95", "undecided": f"{part / whole:.6f}"}[outcome]
    small = settling(migrated_sqlite_url, CLAUSE | {"target": target})

    answered = answer(small, "threshold_assessment")

    assert rate_row(answered, "confidence")["flags"] == [outcome]
    assert rate_row(answered, "adherence_rate")["flags"] == []
    assert CLAUSE["undecided"] in " ".join(answered["notes"])
    assert small.get(BRAND, PATH).get_json()["outcome"] == outcome


def test_the_statement_is_the_same_to_the_last_byte_for_every_party_and_for_ever(settled: SmallExchange) -> None:
    first = settled.get(BRAND, PATH)
    settled.clock.go_on(days=3)

    for name in (BRAND, *PAYERS):
        again = settled.get(name, PATH)
        assert (again.status_code, again.get_data()) == (200, first.get_data())
        assert again.headers["ETag"] == first.headers["ETag"]
    payload = proved(settled, first.get_json()["signed_receipt"])
    assert (payload["kind"], payload["outcome"]) == ("settlement", first.get_json()["outcome"])
    part, whole = exact_rate()
    assert payload["rate"] == pytest.approx(part / whole, rel=1e-9)
    assert len(payload["releases"]) == len(PAYERS)


def test_the_statement_is_verified_by_whoever_it_is_handed_to(settled: SmallExchange, tmp_path: Path) -> None:
    console = Console(tmp_path, {"PARLEY_URL": "http://127.0.0.1:9"})
    keys = console.write("keys.json", published(settled))
    statement = settled.get(BRAND, PATH).get_json()
    contract_file = console.write("contract.json", settled.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json())
    words = ("--keys", keys, "--contract", contract_file)

    said = console.done("receipt", "verify", console.write("statement.json", statement), *words)

    assert "Genuine" in said
    assert f"adherence_rate over 2025 of at least 0.50: {statement['outcome'].replace('_', ' ')}" in said
    for name, value in (("outcome", "undecided"), ("rate", 0.9), ("target", "0.1")):
        altered = console.write("altered.json", statement | {name: value})
        assert f"what it shows of {name}" in console.refused("receipt", "verify", altered, *words)


@pytest.mark.slow
def test_the_command_prints_the_statement_and_keeps_it(sqlite_template: Path, tmp_path: Path) -> None:
    posted = [
        (name, {"submission_id": str(uuid4()), "feed": "adherence", "period": period, "rows": rows})
        for (name, period), rows in ADHERENCE.items()
    ]
    document = contract(CLAUSE | {"target": "0.9"}, expires="2099-12-31")
    with small_server(sqlite_template, tmp_path, document, posted) as console:
        file = tmp_path / "settlement.json"
        said = console.of(BRAND).done("settlement", CONTRACT, "--out", file)
        printed = json.loads(console.of("sierra").done("settlement", CONTRACT, "--json"))

        assert "Settled:  adherence_rate over 2025 of at least 0.9: not met" in said
        assert printed == json.loads(file.read_text())
        assert file.stat().st_mode & 0o777 == 0o600
        assert "Genuine" in console.done("receipt", "verify", file)
        assert "exists" in console.of(BRAND).refused("settlement", CONTRACT, "--out", file)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"by": "region"}, "/by"),
        ({"where": "region:north"}, "/where"),
        ({"periods": "2024"}, "/periods"),
        ({"as_of": "first"}, "/as_of"),
        ({"feed": "adherence"}, "/feed"),
    ],
    ids=str,
)
def test_what_the_contract_settles_on_is_not_to_be_chosen(
    settled: SmallExchange, query: dict[str, str], pointer: str
) -> None:
    refused = settled.ask(BRAND, "threshold_assessment", **query)

    assert_problem(refused, 422, "question-invalid", pointer, "fixed_by_contract")
    assert "adherence_rate over 2025" in refused.get_json()["errors"][0]["detail"]


def test_every_statement_is_in_the_audit_with_its_digest(settled: SmallExchange) -> None:
    tag = settled.get("sierra", PATH).headers["ETag"]

    book = settled.get("sierra", f"/v1/contracts/{CONTRACT}/audit", limit="1000").get_json()
    last = book["records"][-1]["act"]
    assert (last["organisation"], last["subject"]["statistic"]) == ("sierra", "threshold_assessment")
    assert last["subject"]["answer_sha256"] == tag.strip('"')


@pytest.mark.slow
def test_a_contract_that_settles_on_nothing_has_no_target_to_assess(migrated_sqlite_url: str) -> None:
    small = settling(migrated_sqlite_url, None)

    for refused in (small.get(BRAND, PATH), small.ask(BRAND, "threshold_assessment", by="nonsense")):
        assert_problem(refused, 404, "settlement-not-agreed")


@pytest.mark.slow
def test_it_is_settled_on_every_payer_and_on_final_releases_or_not_at_all(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    small.agree(contract(feeds=[adherence_feed(run_out_days=200), support_feed()]))
    provisional, *final = ((key, rows) for key, rows in ADHERENCE.items() if key[1] == "2025")

    post(small, "adherence", dict([provisional]))
    small.clock.go_on(days=30)
    post(small, "adherence", dict(final))

    for name in (BRAND, *PAYERS):  # the first of the payers would else see the pool of the others
        refused = small.get(name, PATH)
        assert_problem(refused, 409, "nothing-released")
        assert "as of final" in refused.get_json()["detail"]


@pytest.mark.slow
def test_every_period_of_the_settlement_has_to_be_there(migrated_sqlite_url: str) -> None:
    """Three of four quarters are no year."""
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    feed = adherence_feed(grain="quarter", first_period="2025-Q1", last_period="2025-Q4", k=4)
    small.agree(contract(feeds=[feed, support_feed()]))
    rows = ADHERENCE[PAYERS[0], "2025"]
    quarters = [f"2025-Q{quarter}" for quarter in (1, 2, 3, 4)]
    post(small, "adherence", {(name, quarter): rows for name in PAYERS for quarter in quarters[:3]})

    assert_problem(small.get(BRAND, PATH), 409, "nothing-released")

    small.clock.go_on(hours=1)
    post(small, "adherence", {(name, quarters[3]): rows for name in PAYERS})
    last = int(small.clock.now().timestamp())
    small.clock.go_on(hours=1)
    statement = small.get(BRAND, PATH).get_json()
    assert len(statement["releases"]) == 12
    assert proved(small, statement["signed_receipt"])["iat"] == last


@pytest.mark.slow
def test_a_rate_that_the_small_cell_rule_hides_has_no_outcome(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    small.agree(contract(rules={"min_payers": 2, "small_cells": {"mask_below": 1000}}))
    post(small, "adherence", {(name, "2025"): [{**ADHERENCE[name, "2025"][0], "members": 40}] for name in PAYERS})

    statement = small.get(BRAND, PATH).get_json()

    hidden = {name: statement[name] for name in ("outcome", "confidence", "rate", "interval")}
    assert hidden == dict.fromkeys(hidden)
    assert statement["state"] == "suppressed"
    answered = answer(small, "threshold_assessment", explain="true")
    rows = {row["figure"]: row for row in answered["rows"]}
    # What the contract says is no secret, whatever comes out.
    assert (rows.pop("target")["value"], len(rows)) == (float(statement["target"]), 2)
    assert all(row["flags"] == [] and row["value"] is None for row in rows.values())


@pytest.mark.slow
def test_who_is_not_granted_the_assessment_gets_no_statement(migrated_sqlite_url: str) -> None:
    grants = [{"role": "brand", "statistics": GRANTED, "by_at_most": 3},
              {"role": "payer", "statistics": ["adherence_rate"], "by_at_most": 3}]  # fmt: skip
    small = settling(migrated_sqlite_url, grants=grants)

    assert_term(small, small.get("sierra", PATH), 403, "not-granted", "/grants/1/statistics")
    assert_term(small, small.ask("sierra", "trend", of="counts"), 403, "not-granted", "/grants/1/statistics")


# --- trends


TREND_GRANTS = [
    {"role": role, "statistics": ["trend", "adherence_rate"], "by_at_most": 3, "dimensions": dimensions}
    for role, dimensions in (("brand", ["region", "year"]), ("payer", ["region"]))
]


def test_a_trend_is_answered_by_the_grain_of_its_feed_and_counts_it_as_asked(migrated_sqlite_url: str) -> None:
    small = settling(migrated_sqlite_url, None, grants=TREND_GRANTS)

    answered = answer(small, "trend", of="adherence_rate", by="region")

    found = {(*row["key"].values(), row["figure"]): row for row in answered["rows"]}
    for region in ("north", "south"):
        rates = []
        for year in ("2024", "2025"):
            where = {"region": [region]}
            whole = totals(ADHERENCE, "members", where=where, periods=[year])[()]
            part = totals(ADHERENCE, "members", where=where | {"adherence_band": ["p80_100"]}, periods=[year])[()]
            rates.append(part / whole)
            assert found[year, region, "adherence_rate"]["value"] == pytest.approx(part / whole, rel=1e-9)
        assert found["2025", region, "adherence_rate_change"]["value"] == pytest.approx(rates[1] - rates[0], abs=1e-12)
        assert found["2024", region, "adherence_rate_change"]["flags"] == ["not_comparable"]
    assert {line["compared"] for line in answered["coverage"]} == {True, False}
    refused = small.ask("sierra", "trend", of="adherence_rate", by="region")
    assert_term(small, refused, 403, "not-granted", "/grants/1/dimensions")
    refused = small.ask(BRAND, "trend", of="counts")
    assert_term(small, refused, 403, "not-granted", "/grants/0/statistics")
    assert_problem(small.ask(BRAND, "trend", of="trend"), 422, "question-invalid", "/of", "subject_unknown")
    assert_problem(small.ask(BRAND, "trend"), 422, "question-invalid", "/of", "subject_needed")


@pytest.mark.slow
def test_a_trend_leaves_provisional_periods_out(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    small.agree(contract(None, grants=TREND_GRANTS, feeds=[adherence_feed(run_out_days=365), support_feed()]))
    post(small, "adherence", ADHERENCE)

    answered = answer(small, "trend", of="adherence_rate")

    states = {(row["key"]["year"], row["figure"]): row["state"] for row in answered["rows"]}
    assert states["2024", "adherence_rate"] == "shown"
    assert states["2025", "adherence_rate"] == "missing"
    assert "provisional" not in answered["labels"]


# --- previews


def test_a_preview_says_how_often_each_outcome_will_come_out(
    settled: SmallExchange, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the target one minus decide_at either way; five points away by the normal law, reckoned here."""
    document = contract(feeds=[adherence_feed(expected={"members": 300}), support_feed()])
    previewed_whole = settled.post(BRAND, "/v1/contract-previews", {"document": document}).get_json()
    previewed = previewed_whole["settlement"]

    odds = {line["rate"]: line for line in previewed["odds"]}
    assert {0.45, 0.48, 0.49, 0.5, 0.51, 0.52, 0.55} < set(odds)
    assert list(odds) == sorted(odds)
    assert previewed["noise_sd"] == pytest.approx(sqrt(variance_at_half(settled)) / 900, rel=1e-9)
    assert (odds[0.5]["met"], odds[0.5]["not_met"]) == pytest.approx((0.1, 0.1), abs=1e-9)
    assert previewed["expected"] == 900
    shift = 0.05 * 900 / sqrt(variance_at_half(settled))
    assert odds[0.55]["met"] == pytest.approx(0.5 * (1 + erf((shift - 1.2815515655446004) / sqrt(2))), abs=1e-6)
    assert odds[0.45]["not_met"] == pytest.approx(odds[0.55]["met"], abs=1e-9)
    say_preview(previewed_whole)
    printed = capsys.readouterr().out
    assert "Settlement: adherence_rate over 2025 against 0.50, decided at 0.9, of 900 expected in adherence" in printed
    assert "rate of the posted members  " in printed
    assert previewed_whole["without_widths"] == []  # of the settlement it says more than a width
    assert re.search(r"^ *0\.5 +10\.0% +10\.0% +80\.0%$", printed, re.MULTILINE)
    without = settled.post(BRAND, "/v1/contract-previews", {"document": contract(None)}).get_json()
    assert without["settlement"] is None
    unsized = settled.post(BRAND, "/v1/contract-previews", {"document": contract()}).get_json()
    assert (unsized["settlement"]["expected"], unsized["settlement"]["odds"]) == (None, [])
