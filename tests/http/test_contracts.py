"""The life of a contract: draft, proposal, signatures, in force, expired; and who sees what of it meanwhile."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jsonschema
import pytest
import rfc8785

from contracts.parties import JsonObject
from contracts.terms import read_terms
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    PAYERS,
    SmallExchange,
    fills,
    fills_feed,
    fills_row,
    small_contract,
)

PATH = f"/v1/contracts/{CONTRACT}"


@pytest.fixture
def small(migrated_url: str) -> Iterator[SmallExchange]:
    """A whole exchange on each database in turn, and no contract yet."""
    exchange = SmallExchange(migrated_url)
    yield exchange
    exchange.wiring.database.close()


def drafted(small: SmallExchange, document: JsonObject | None = None, name: str = BRAND) -> JsonObject:
    answered = small.post(name, "/v1/contracts", document or small_contract())
    assert answered.status_code == 201, answered.get_json()
    return dict(answered.get_json())


def proposed(small: SmallExchange, document: JsonObject | None = None) -> JsonObject:
    drafted(small, document)
    answered = small.post(BRAND, f"{PATH}/proposal")
    assert answered.status_code == 200, answered.get_json()
    return dict(answered.get_json())


def status(small: SmallExchange, name: str = BRAND) -> str:
    return str(small.get(name, PATH).get_json()["status"])


# --- draft


def test_a_draft_is_kept_as_it_came_with_the_defaults_written_out(small: SmallExchange) -> None:
    view = drafted(small)

    assert (view["status"], view["digest"], view["waiting_for"]) == ("draft", None, [])
    assert (view["drafted_by"], view["proposed_at"], view["signatures"]) == (BRAND, None, [])
    document = small_contract()
    unnarrowed = dict.fromkeys(("organisation", "dimensions", "feeds", "periods", "purposes"))
    assert view["document"]["grants"] == [unnarrowed | grant for grant in document["grants"]]
    assert view["document"]["privacy"] == document["privacy"] | {"approvals": {}, "max_providers": None}
    for name in ("id", "version", "parties", "vocabularies"):
        assert view["document"][name] == document[name]
    assert all("plan" not in feed for feed in view["document"]["feeds"])
    for term, default in (("measured", "exchange"), ("restatements", 0), ("link", "none"), ("life_table", None)):
        assert [feed[term] for feed in view["document"]["feeds"]] == [default] * 3


def test_a_draft_is_seen_by_its_drafter_only(small: SmallExchange) -> None:
    drafted(small)
    assert small.get(BRAND, PATH).status_code == 200

    for name in (*PAYERS, "foreigner"):
        assert_problem(small.get(name, PATH), 404, "contract-not-found")
        assert_problem(small.post(name, f"{PATH}/proposal"), 404, "contract-not-found")
        assert_problem(small.post(name, f"{PATH}/signatures", {"jws": "a..b"}), 404, "contract-not-found")
        assert_problem(small.get(name, f"{PATH}/feeds/fills/schema"), 404, "contract-not-found")
        assert small.get(name, "/v1/contracts").get_json()["contracts"] == []


def test_a_draft_cannot_be_signed_asked_or_posted_to(small: SmallExchange) -> None:
    drafted(small)

    assert_problem(small.sign(BRAND), 409, "contract-not-proposed")
    assert_problem(small.ask(BRAND, "counts"), 409, "contract-not-in-force")
    assert_problem(small.submit(BRAND, fills(feed="support")), 409, "contract-not-in-force")
    assert_problem(small.get(BRAND, f"{PATH}/ledger"), 409, "contract-not-in-force")


@pytest.mark.parametrize("second", [BRAND, "sierra", "foreigner"])
def test_a_taken_id_is_a_conflict_that_tells_no_more(small: SmallExchange, second: str) -> None:
    drafted(small, small_contract(title="Kept from others"))
    document = small_contract(title="Another")
    if second == "foreigner":
        party = {"organisation": second, "role": "payer", "population": f"{second}-members"}
        document["parties"] = [*document["parties"], party]
        ceilings = document["privacy"]["ceilings"] | {f"{second}-members": "0.1"}
        document["privacy"] = document["privacy"] | {"ceilings": ceilings}

    answered = small.post(second, "/v1/contracts", document)

    assert_problem(answered, 409, "already-exists")
    assert set(answered.get_json()) == {"type", "title", "status", "detail"}
    text = answered.get_data(as_text=True)
    assert BRAND not in text
    assert "Kept" not in text
    assert small.get(BRAND, PATH).get_json()["document"]["title"] == "Kept from others"


# --- proposal


def test_a_proposal_freezes_a_sound_plan_within_every_ceiling(small: SmallExchange) -> None:
    view = proposed(small)

    assert (view["status"], set(view["waiting_for"])) == ("proposed", {*PAYERS, BRAND})
    for written, feed in zip(view["document"]["feeds"], read_terms(view["document"]).feeds, strict=True):
        plan = feed.get_plan()
        plan.verify(feed.dimensions, feed.bounds)
        assert {draw.measure for draw in plan.draws if draw.margin == feed.dimensions} == set(feed.measures)
        assert plan.charge_nano == written["plan"]["charge_nano"] == sum(d.charge_nano for d in plan.draws)
        assert 0.99 * feed.rho_nano < feed.k * plan.charge_nano <= feed.rho_nano
        for draw in plan.draws:
            # rho = b^2 / (2 sigma^2), here with plain arithmetic instead of OpenDP's map
            rho = feed.bounds[draw.measure] ** 2 / (2 * float(draw.sigma) ** 2)
            assert draw.charge_nano == pytest.approx(rho * 1e9, abs=1.001)


def test_the_digest_is_that_of_the_canonical_document(small: SmallExchange) -> None:
    view = proposed(small)

    assert view["digest"] == hashlib.sha256(rfc8785.dumps(view["document"])).hexdigest()
    again = small.get("sierra", PATH).get_json()
    assert (again["document"], again["digest"]) == (view["document"], view["digest"])


def test_the_plan_comes_from_the_document_alone(small: SmallExchange) -> None:
    first = proposed(small)["document"]["feeds"]
    second_document = small_contract(id="dsc-second", title="Other words, same feeds")
    drafted(small, second_document)

    second = small.post(BRAND, "/v1/contracts/dsc-second/proposal").get_json()["document"]["feeds"]

    assert [feed["plan"] for feed in first] == [feed["plan"] for feed in second]


def test_a_contract_is_proposed_once_and_by_its_drafter(small: SmallExchange) -> None:
    before = proposed(small)

    assert_problem(small.post(BRAND, f"{PATH}/proposal"), 409, "contract-not-a-draft")
    assert_problem(small.post("sierra", f"{PATH}/proposal"), 403, "not-the-drafter")
    assert_problem(small.post("foreigner", f"{PATH}/proposal"), 404, "contract-not-found")
    assert small.get(BRAND, PATH).get_json() == before


def test_a_draft_is_checked_again_when_it_is_proposed(small: SmallExchange) -> None:
    drafted(small, small_contract(expires="2026-07-02"))
    small.clock.go_on(days=2)

    answered = small.post(BRAND, f"{PATH}/proposal")

    assert_problem(answered, 422, "contract-invalid", "/expires", "already_expired")
    assert status(small) == "draft"


def test_a_proposed_contract_is_seen_by_its_parties_only(small: SmallExchange) -> None:
    view = proposed(small)

    for name in (*PAYERS, BRAND):
        assert small.get(name, PATH).get_json() == view
    assert_problem(small.get("foreigner", PATH), 404, "contract-not-found")


# --- from signatures to expiry


def test_a_contract_is_in_force_with_the_last_signature(small: SmallExchange) -> None:
    proposed(small)

    for count, name in enumerate((BRAND, *PAYERS), start=1):
        assert_problem(small.ask(BRAND, "counts"), 409, "contract-not-in-force")
        view = small.sign(name).get_json()
        assert len(view["signatures"]) == count
        assert name not in view["waiting_for"]

    assert (view["status"], view["waiting_for"]) == ("in_force", [])
    signature = view["signatures"][-1]
    assert (signature["organisation"], signature["signer_name"]) == (PAYERS[-1], f"Ann of {PAYERS[-1]}")
    assert signature["public_key"]["kid"] == signature["kid"]
    assert "d" not in signature["public_key"]
    assert status(small) == "in_force"


def test_a_signed_contract_waits_for_its_effective_date(small: SmallExchange) -> None:
    proposed(small, small_contract(effective="2026-07-10"))
    for name in (*PAYERS, BRAND):
        small.sign(name)
    assert status(small) == "signed"
    assert_problem(small.submit("sierra", fills()), 409, "contract-not-in-force")

    small.clock.instant = datetime(2026, 7, 9, 23, 59, 59, tzinfo=UTC)
    assert status(small) == "signed"
    small.clock.go_on(seconds=1)

    assert status(small) == "in_force"
    assert small.submit("sierra", fills()).status_code == 201


def test_an_expired_contract_answers_nothing_but_keeps_its_ledger_readable(small: SmallExchange) -> None:
    small.agree()
    small.submit("sierra", fills())
    small.clock.instant = datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert status(small) == "in_force"
    small.clock.go_on(seconds=1)

    assert status(small) == "expired"
    refused = small.ask(BRAND, "counts", feed="fills")
    assert_problem(refused, 409, "contract-not-in-force")
    assert refused.get_json()["contract_status"] == "expired"
    assert len(small.ledger("sierra")["entries"]) == 2
    assert small.get("lakeshore", PATH).status_code == 200


def test_a_proposal_that_expired_can_no_longer_be_signed(small: SmallExchange) -> None:
    proposed(small)
    small.clock.go_on(days=1000)

    assert status(small) == "expired"
    assert_problem(small.sign(BRAND), 409, "transition-illegal")


def test_the_list_shows_ones_own_contracts_only_oldest_first(small: SmallExchange) -> None:
    small.agree()
    small.clock.go_on(minutes=1)
    two = [party for party in small_contract()["parties"] if party["organisation"] in (BRAND, "sierra")]
    private = small_contract(id="dsc-two", title="For two", parties=two, rules={"min_payers": 1})
    private["privacy"] = private["privacy"] | {"ceilings": {"sierra-members": "0.1", "helix-members": "0.1"}}
    drafted(small, private)

    def listed(name: str) -> list[Any]:
        return [(c["id"], c["status"]) for c in small.get(name, "/v1/contracts").get_json()["contracts"]]

    assert listed(BRAND) == [(CONTRACT, "in_force"), ("dsc-two", "draft")]
    assert listed("sierra") == listed("lakeshore") == [(CONTRACT, "in_force")]
    assert listed("foreigner") == []

    small.post(BRAND, "/v1/contracts/dsc-two/proposal")

    assert listed("sierra") == [(CONTRACT, "in_force"), ("dsc-two", "proposed")]
    assert listed("lakeshore") == [(CONTRACT, "in_force")]


@pytest.mark.parametrize("title", ["a\u0000b", "a\ud800b", "\ufeff", "\u202etxt", "Ä" * 400, "\U0001f600"], ids=ascii)
def test_any_title_is_taken_whole_or_refused_cleanly(small: SmallExchange, title: str) -> None:
    answered = small.post(BRAND, "/v1/contracts", small_contract(title=title))

    assert answered.status_code in (201, 400, 422), answered.get_json()
    if answered.status_code == 201:
        frozen = small.post(BRAND, f"{PATH}/proposal")
        assert frozen.status_code == 200, frozen.get_json()
        assert frozen.get_json()["document"]["title"] == title


# --- the schema of a feed's cells


@pytest.fixture
def schema(small: SmallExchange) -> JsonObject:
    proposed(small)
    answered = small.get("sierra", f"{PATH}/feeds/fills/schema")
    assert answered.status_code == 200
    return dict(answered.get_json())


def columns() -> JsonObject:
    body = fills()
    rows = body.pop("rows")
    return body | {"columns": {name: [row[name] for row in rows] for name in rows[0]}}


def test_the_schema_of_a_feed_takes_what_the_exchange_takes(schema: JsonObject) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    for body in (fills(), fills(rows=[]), columns()):
        assert not list(validator.iter_errors(body))


NOT_TAKEN = {
    "another feed": fills(feed="support"),
    "a period outside": fills("2024-12"),
    "an unknown value": fills(rows=[fills_row("east")]),
    "a negative count": fills(rows=[fills_row(members=-1)]),
    "a fraction": fills(rows=[fills_row(members=1.5)]),
    "a null": fills(rows=[fills_row(members=None)]),
    "a field too many": fills(rows=[fills_row(extra=1)]),
    "a field too few": fills(rows=[{"region": "north"}]),
    "rows and columns": fills(columns={}),
    "an unknown member": fills(surprise=1),
    "no cells": {"submission_id": str(uuid4()), "feed": "fills", "period": "2025-01"},
}


def test_the_schema_of_a_feed_refuses_what_the_exchange_refuses(schema: JsonObject) -> None:
    validator = jsonschema.Draft202012Validator(schema)

    assert [name for name, body in NOT_TAKEN.items() if validator.is_valid(body)] == []


def test_the_schema_says_the_invariants_in_words(schema: JsonObject) -> None:
    for invariant in fills_feed()["invariants"]:
        assert invariant in schema["description"]
    assert schema["$id"] == f"urn:parley:contract:{CONTRACT}:1:feed:fills"


def test_an_unknown_feed_has_no_schema_and_the_known_ones_are_listed(small: SmallExchange) -> None:
    proposed(small)

    answered = small.get(BRAND, f"{PATH}/feeds/stays/schema")

    assert_problem(answered, 404, "feed-not-found")
    assert answered.get_json()["feeds"] == ["fills", "adherence", "support"]
