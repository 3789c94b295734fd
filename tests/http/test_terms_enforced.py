"""Grants, purposes, reciprocity and pools are enforced on every question, and a refusal names the clause."""

from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.schemas.contracts import ContractDocumentSchema
from contracts.canonical import digest_of
from contracts.parties import Caller, JsonObject, Role
from tests.http.answers import FILLS, MONTHS, SUPPORT, answer, fills_rows, post
from tests.http.terms import assert_term, contract, grant, only
from tests.http.test_bad_input import assert_problem
from tests.support.amending import amend, following
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    EVERY_SCOPE,
    PAYERS,
    NoNoise,
    SmallExchange,
    fills_feed,
    support_feed,
)


@pytest.fixture
def exact(migrated_sqlite_url: str) -> SmallExchange:
    return SmallExchange(migrated_sqlite_url, noise=NoNoise())


# --- grants


def test_a_dimension_outside_the_grant_is_refused_asked_by_or_filtered(exact: SmallExchange) -> None:
    exact.agree(contract(grant(dimensions=["region", "month"])))
    post(exact, "fills", only(FILLS, "2025-01"))

    for query in ({"by": "sex"}, {"by": "region,sex"}, {"where": "sex:F"}, {"by": "year"}, {"by": "planet"}):
        refused = exact.ask(BRAND, "pdc_pooled", **query)
        assert_term(exact, refused, 403, "not-granted", "/grants/0/dimensions")
        assert refused.get_json()["granted"] == ["region", "month"]
    assert answer(exact, "pdc_pooled", by="region,month", where="region:north")["rows"]


def test_a_grant_of_no_dimension_is_one_of_totals(exact: SmallExchange) -> None:
    exact.agree(contract(grant(dimensions=[])))
    post(exact, "fills", only(FILLS, "2025-01"))

    assert_term(exact, exact.ask(BRAND, "pdc_pooled", by="month"), 403, "not-granted", "/grants/0/dimensions")
    assert len(answer(exact, "pdc_pooled")["rows"]) == 1


@pytest.mark.parametrize(
    ("dimensions", "refused", "answered"),
    [
        ([], ["2025-01", "2025-Q1", "2025-01..2025-11"], ["2025", "2025-01..2025-12"]),
        (["quarter"], ["2025-01", "2025-02..2025-Q2"], ["2025-Q1", "2025-01..2025-03", "2025-Q1..2025-Q2", "2025"]),
        (["month"], [], ["2025-01", "2025-02..2025-03", "2025"]),
    ],
)
def test_periods_are_no_finer_than_the_grains_of_time_granted(
    exact: SmallExchange, dimensions: list[str], refused: list[str], answered: list[str]
) -> None:
    """Asked period by period, totals would be answers by period."""
    exact.agree(contract(grant(dimensions=dimensions)))
    post(exact, "fills", only(FILLS, "2025-01", "2025-02"))

    for periods in refused:
        found = exact.ask(BRAND, "pdc_pooled", periods=periods)
        assert_term(exact, found, 403, "not-granted", "/grants/0/dimensions")
        assert found.get_json()["granted"] == dimensions
    for periods in answered:
        assert answer(exact, "pdc_pooled", periods=periods)["rows"]


def test_all_periods_of_a_narrower_grant_may_be_named(exact: SmallExchange) -> None:
    exact.agree(contract(grant(dimensions=[], periods={"first": "2025-01", "last": "2025-02"})))
    post(exact, "fills", only(FILLS, "2025-01"))

    assert answer(exact, "pdc_pooled", periods="2025-01..2025-02")["rows"]
    found = exact.ask(BRAND, "pdc_pooled", periods="2025-01")
    assert_term(exact, found, 403, "not-granted", "/grants/0/dimensions")


def test_coverage_of_others_goes_as_far_as_the_grant(exact: SmallExchange) -> None:
    narrow = grant(
        organisation="sierra", role="payer", feeds=["fills"], periods={"first": "2025-02", "last": "2025-03"}
    )
    exact.agree(contract(narrow, grant(feeds=["support"])))
    post(exact, "fills", only(FILLS, "2025-01", "2025-02"))
    post(exact, "support", only(SUPPORT, "2025-01"))

    def shown(name: str) -> dict[str, tuple[list[str], int, int]]:
        feeds = exact.get(name, f"/v1/contracts/{CONTRACT}/releases").get_json()["feeds"]
        return {each["feed"]: (each["covered"], each["providers_most"], len(each["own_releases"])) for each in feeds}

    assert shown("sierra") == {"fills": (["2025-02"], 3, 2), "support": ([], 0, 0)}
    assert shown("lakeshore") == {"fills": ([], 0, 2), "support": ([], 0, 0)}
    assert shown(BRAND) == {"fills": ([], 0, 0), "support": (["2025-01"], 1, 1)}


def test_more_dimensions_at_once_than_granted_are_refused_time_and_filters_counted(exact: SmallExchange) -> None:
    exact.agree(contract(grant("payer"), grant(by_at_most=2)))
    post(exact, "fills", only(FILLS, "2025-01"))

    for query in ({"by": "region,sex,month"}, {"by": "region,month", "where": "sex:F"}):
        refused = exact.ask(BRAND, "pdc_pooled", **query)
        assert_problem(refused, 422, "question-invalid", "/by", "too_many_dimensions")
        assert_term(exact, refused, 422, "question-invalid", "/grants/1/by_at_most")
    assert answer(exact, "pdc_pooled", by="region,sex", where="sex:F")["rows"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "last", "inside"),
    [
        ("2025-02", "2025-03", ["2025-02", "2025-03"]),
        ("2025-Q1", "2025-Q1", list(MONTHS[:3])),
        ("2025-01-02", "2025-03-30", ["2025-02"]),
        ("2025-01-01", "2025-01-31", ["2025-01"]),
        ("2020", "2025-02", list(MONTHS[:2])),
    ],
)
def test_only_periods_wholly_in_the_grant_are_answered(
    exact: SmallExchange, first: str, last: str, inside: list[str]
) -> None:
    exact.agree(contract(grant(periods={"first": first, "last": last})))
    post(exact, "fills", only(FILLS, *MONTHS[:4]))

    everything = answer(exact, "counts", feed="fills", by="month", measures="members")
    assert [row["key"]["month"] for row in everything["rows"]] == inside
    assert everything["coverage"][0]["asked"] == inside
    for period in inside:
        assert answer(exact, "pdc_pooled", periods=period)["rows"]
    for period in (*sorted(set(MONTHS[:4]) - set(inside)), "2025", "2019..2030"):
        refused = exact.ask(BRAND, "pdc_pooled", periods=period)
        assert_term(exact, refused, 403, "not-granted", "/grants/0/periods")


def test_a_feed_outside_the_grant_is_refused_named_or_needed(exact: SmallExchange) -> None:
    exact.agree(contract(grant(feeds=["support"])))
    post(exact, "support", only(SUPPORT, "2025-01"))

    for statistic, query in (("counts", {"feed": "fills"}), ("pdc_pooled", {}), ("joint_table", {})):
        refused = exact.ask(BRAND, statistic, **query)
        assert_term(exact, refused, 403, "not-granted", "/grants/0/feeds")
        assert refused.get_json()["granted"] == ["support"]
    # Of what is granted one feed is left, so that none has to be named.
    assert answer(exact, "counts")["coverage"][0]["feed"] == "support"


def test_a_feed_of_which_the_granted_periods_leave_nothing_is_refused_by_them(exact: SmallExchange) -> None:
    late = support_feed(first_period="2025-07", k=6)
    document = contract(grant(periods={"first": "2025-01", "last": "2025-06"}))
    exact.agree(document | {"feeds": [fills_feed(), late]})
    post(exact, "fills", only(FILLS, "2025-01"))

    for statistic, query in (("counts", {"feed": "support"}), ("joint_table", {})):
        assert_term(exact, exact.ask(BRAND, statistic, **query), 403, "not-granted", "/grants/0/periods")
    assert answer(exact, "counts")["coverage"][0]["feed"] == "fills"


def test_a_partys_own_grant_stands_instead_of_its_roles(exact: SmallExchange) -> None:
    own = grant("payer", organisation="sierra", statistics=["pdc_pooled"])
    exact.agree(contract(grant("payer", statistics=["counts"]), own))
    post(exact, "fills", only(FILLS, "2025-01"))

    assert answer(exact, "counts", "lakeshore", feed="fills")["rows"]
    assert_term(exact, exact.ask("lakeshore", "pdc_pooled"), 403, "not-granted", "/grants/0/statistics")
    assert answer(exact, "pdc_pooled", "sierra")["rows"]
    assert_term(exact, exact.ask("sierra", "counts"), 403, "not-granted", "/grants/1/statistics")
    assert_term(exact, exact.ask(BRAND, "counts"), 403, "not-granted", "/grants")


def test_the_catalogue_says_how_far_the_callers_own_grant_goes(exact: SmallExchange) -> None:
    narrow = {"dimensions": ["region"], "feeds": ["fills"], "periods": {"first": "2025-Q1", "last": "2025-05-20"}}
    purposes = {"purposes": ["quality"], "purpose": "outcomes_research"}
    own = grant("payer", organisation="sierra", **narrow, purposes=["quality"])
    exact.agree(contract(grant("payer"), own, **purposes))

    def listed(name: str) -> Any:
        return exact.get(name, f"/v1/contracts/{CONTRACT}/statistics").get_json()

    assert listed(BRAND) == {"statistics": []}
    both = ["outcomes_research", "quality"]
    unnarrowed = {"dimensions": None, "feeds": None, "periods": None}
    assert listed("lakeshore")["grant"] == {"term": "/grants/0", "by_at_most": 3, "purposes": both, **unnarrowed}
    days = {"first": "2025-01-01", "last": "2025-05-20"}
    told = narrow | {"term": "/grants/1", "by_at_most": 3, "purposes": ["quality"], "periods": days}
    assert listed("sierra")["grant"] == told


# --- purposes


def test_an_answer_is_given_for_a_purpose_that_the_contract_allows(exact: SmallExchange) -> None:
    exact.agree(contract(grant(), purposes=["quality"], prohibited=["underwriting", "marketing"]))
    post(exact, "fills", only(FILLS, "2025-01"))

    given = [answer(exact, "pdc_pooled", **query) for query in ({}, {"purpose": "outcomes_research"})]
    assert [each["purpose"] for each in given] == ["outcomes_research"] * 2
    assert given[0] == given[1]
    other = answer(exact, "pdc_pooled", purpose="quality")
    assert other == given[0] | {"purpose": "quality"}

    for purpose in ("underwriting", "marketing"):
        refused = exact.ask(BRAND, "pdc_pooled", purpose=purpose)
        assert_term(exact, refused, 403, "purpose-prohibited", "/prohibited")
    for purpose in ("curiosity", "", "Quality", "quality ", "outcomes_research,quality", "\u0430"):
        refused = exact.ask(BRAND, "pdc_pooled", purpose=purpose)
        assert_term(exact, refused, 403, "purpose-not-granted", "/purposes")
        assert refused.get_json()["granted"] == ["outcomes_research", "quality"]


def test_a_grant_for_other_purposes_needs_one_of_them_stated(exact: SmallExchange) -> None:
    exact.agree(contract(grant(purposes=["quality"]), purposes=["quality", "teaching"]))
    post(exact, "fills", only(FILLS, "2025-01"))

    for query in ({}, {"purpose": "outcomes_research"}, {"purpose": "teaching"}):
        refused = exact.ask(BRAND, "pdc_pooled", **query)
        assert_term(exact, refused, 403, "purpose-not-granted", "/grants/0/purposes")
        assert refused.get_json()["granted"] == ["quality"]
    assert answer(exact, "pdc_pooled", purpose="quality")["purpose"] == "quality"
    assert_term(exact, exact.ask(BRAND, "pdc_pooled", purpose="curiosity"), 403, "purpose-not-granted", "/purposes")


def test_of_a_contract_with_one_purpose_that_is_the_clause(exact: SmallExchange) -> None:
    exact.agree(contract(grant()))

    assert_term(exact, exact.ask(BRAND, "pdc_pooled", purpose="curiosity"), 403, "purpose-not-granted", "/purpose")


# --- reciprocity


def reciprocal(days: int, **changes: Any) -> JsonObject:
    rules = {"min_payers": 2, "small_cells": None, "reciprocity": {"within_days": days}}
    return contract(grant(), grant("payer"), **{"rules": rules} | changes)


def test_who_has_not_posted_its_own_periods_in_time_is_answered_about_no_pool(exact: SmallExchange) -> None:
    exact.agree(reciprocal(0))
    post(exact, "fills", only(FILLS, "2025-01"))
    post(exact, "support", only(SUPPORT, *MONTHS[1:]))

    refused = exact.ask(BRAND, "counts", feed="fills")
    assert_term(exact, refused, 403, "reciprocity-unmet", "/rules/reciprocity")
    assert refused.get_json()["to_post"] == [{"feed": "support", "periods": ["2025-01"], "periods_count": 1}]
    refused = exact.ask("sierra", "pdc_pooled")
    lacking = {"feed": "fills", "periods": list(MONTHS[1:]), "periods_count": 11}
    assert refused.get_json()["to_post"] == [lacking]
    # The brand's own feed is no pool of payers.
    assert answer(exact, "counts", "sierra", feed="support")["rows"]

    post(exact, "support", only(SUPPORT, "2025-01"))

    assert answer(exact, "counts", feed="fills")["rows"]
    assert_problem(exact.ask("sierra", "joint_table"), 403, "reciprocity-unmet")


def test_the_days_of_grace_end_with_the_last_of_them(exact: SmallExchange) -> None:
    feeds = [fills_feed(first_period="2026-05", last_period="2026-08", k=4), support_feed()]
    exact.agree(reciprocal(10, feeds=feeds, effective="2026-07-05"))

    def at_once(day: datetime, name: str) -> TestResponse:
        exact.clock.instant = day
        return exact.ask(name, "pdc_pooled")

    exact.clock.instant = datetime(2026, 7, 5, tzinfo=UTC)
    post(exact, "fills", {(name, "2026-05"): fills_rows(0, 0) for name in PAYERS})
    post(exact, "fills", {("sierra", "2026-06"): fills_rows(0, 0)})

    # June could be posted since the contract came into force, on the 5th.
    assert at_once(datetime(2026, 7, 15, 23, 59, 59, tzinfo=UTC), "lakeshore").status_code == 200
    refused = at_once(datetime(2026, 7, 16, tzinfo=UTC), "lakeshore")
    assert refused.get_json()["to_post"] == [{"feed": "fills", "periods": ["2026-06"], "periods_count": 1}]
    # July is posted from 1 August on.
    assert at_once(datetime(2026, 8, 11, 23, 59, 59, tzinfo=UTC), "sierra").status_code == 200
    assert_problem(at_once(datetime(2026, 8, 12, tzinfo=UTC), "sierra"), 403, "reciprocity-unmet")


def test_an_amendment_does_not_begin_the_days_of_grace_anew(exact: SmallExchange) -> None:
    exact.agree(reciprocal(30))
    assert_problem(exact.ask("sierra", "pdc_pooled"), 403, "reciprocity-unmet")

    amend(exact, following(exact, effective=exact.clock.now().date().isoformat()))

    assert_problem(exact.ask("sierra", "pdc_pooled"), 403, "reciprocity-unmet")


def test_without_reciprocity_nobody_has_to_have_posted(exact: SmallExchange) -> None:
    exact.agree(contract(grant()))
    post(exact, "fills", only(FILLS, "2025-01"))

    assert answer(exact, "counts", feed="fills")["rows"]


# --- pools


def test_what_is_not_released_names_the_clause_that_decides_when_it_is(exact: SmallExchange) -> None:
    exact.agree(contract(grant()))

    assert_term(exact, exact.ask(BRAND, "counts", feed="fills"), 409, "nothing-released", "/rules/min_payers")
    assert_term(exact, exact.ask(BRAND, "counts", feed="support"), 409, "nothing-released", "/feeds/1")
    assert_term(exact, exact.ask(BRAND, "pdc_pooled", as_of="final"), 409, "nothing-released", "/rules/min_payers")


# --- contracts signed before these terms were there


def test_a_contract_without_the_new_terms_keeps_its_digest_and_is_answered_as_before(exact: SmallExchange) -> None:
    """Drafted as an earlier version kept it, past the door, which would write the new defaults out."""
    old = ContractDocumentSchema().load(contract(grant()))
    del old["purposes"], old["rules"]["reciprocity"]
    old["grants"] = [grant()]
    exact.wiring.agreeing.draft(Caller(f"{BRAND}-client", BRAND, Role.BRAND, EVERY_SCOPE), old)
    proposed = exact.post(BRAND, f"/v1/contracts/{CONTRACT}/proposal").get_json()
    for name in (*PAYERS, BRAND):
        assert exact.sign(name, CONTRACT).status_code == 201
    post(exact, "fills", only(FILLS, "2025-01"))

    assert proposed["document"]["grants"] == [grant()]
    assert digest_of(proposed["document"]) == proposed["digest"]
    answered = answer(exact, "pdc_pooled", by="region,sex")
    assert (answered["contract_digest"], answered["purpose"]) == (proposed["digest"], "outcomes_research")
    assert_problem(exact.ask("sierra", "pdc_pooled"), 403, "not-granted")
