"""Bad input gets a problem document that names the field; nothing is stored, debited, or visible to others."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    SmallExchange,
    adherence_feed,
    fills,
    fills_feed,
    fills_row,
    small_contract,
    support_feed,
)

PATH = f"/v1/contracts/{CONTRACT}/submissions"


@dataclass(frozen=True)
class Bad:
    """One bad submission: what is posted by whom, and what must come back."""

    post: Callable[[SmallExchange], TestResponse]
    status: int
    code: str
    pointer: str | None = None
    fault: str | None = None


def by_payer(body: Any, **expected: Any) -> Bad:
    return Bad(lambda small: small.submit("blueridge", body), **expected)


def cells(pointer: str, fault: str, *rows: Any) -> Bad:
    body = fills(rows=list(rows))
    return by_payer(body, status=422, code="cells-invalid", pointer=pointer, fault=fault)


def columns(pointer: str, fault: str, **changes: Any) -> Bad:
    right = {"region": ["north"], "sex": ["F"], "members": [7], "days_covered": [1], "treatment_days": [1]}
    changed = {name: column for name, column in {**right, **changes}.items() if column is not None}
    body = {"submission_id": str(uuid4()), "feed": "fills", "period": "2025-01", "columns": changed}
    return by_payer(body, status=422, code="cells-invalid", pointer=pointer, fault=fault)


def raw(text: str | bytes, **options: Any) -> Callable[[SmallExchange], TestResponse]:
    def post(small: SmallExchange) -> TestResponse:
        headers = small.headers("blueridge") | options.pop("headers", {})
        given = {"content_type": "application/json", **options}
        return small.app.test_client().post(PATH, data=text, headers=headers, **given)

    return post


def with_token(token: Callable[[SmallExchange], str | None]) -> Callable[[SmallExchange], TestResponse]:
    def post(small: SmallExchange) -> TestResponse:
        value = token(small)
        headers = {} if value is None else {"Authorization": f"Bearer {value}"}
        return small.app.test_client().post(PATH, json=fills(), headers=headers)

    return post


def expired(small: SmallExchange) -> str:
    token = small.token("blueridge")
    small.clock.go_on(seconds=3600)
    return token


def twice_named() -> str:
    text = json.dumps(fills(rows=[fills_row()]))
    return text.replace('"members": 100', '"members": 100, "members": 0')


def too_large(small: SmallExchange) -> TestResponse:
    limit = small.app.config["MAX_CONTENT_LENGTH"]
    return raw(b" " * (limit + 1))(small)


BAD = {
    "an unknown field": by_payer(
        fills(surprise=1), status=422, code="input-invalid", pointer="/surprise", fault="field_invalid"
    ),
    "an unknown column in a row": cells("/rows/0/mebers", "field_unknown", fills_row(mebers=1)),
    "a missing measure": cells(
        "/rows/1/members",
        "field_missing",
        fills_row(),
        {n: v for n, v in fills_row("south").items() if n != "members"},
    ),
    "an unknown dimension value": cells("/rows/0/region", "value_unknown", fills_row("east")),
    "a dimension value of another type": cells("/rows/0/region", "value_unknown", fills_row(["north"])),  # type: ignore[arg-type]
    "a float": cells("/rows/0/members", "not_an_integer", fills_row(members=100.0)),
    "a float with an exponent": by_payer(
        json.dumps(fills(rows=[fills_row()])).replace('"members": 100', '"members": 1e2'),
        status=422,
        code="cells-invalid",
        pointer="/rows/0/members",
        fault="not_an_integer",
    ),
    "a boolean": cells("/rows/0/members", "not_an_integer", fills_row(members=True)),
    "a number in a text": cells("/rows/0/members", "not_an_integer", fills_row(members="100")),
    "a negative count": cells("/rows/0/days_covered", "negative_count", fills_row(days_covered=-1)),
    "a count beyond all bounds": cells("/rows/0/members", "count_too_large", fills_row(members=10**13)),
    "a null cell": cells("/rows/0/members", "cell_suppressed", fills_row(members=None)),
    "a suppressed cell": cells("/rows/0/members", "cell_suppressed", fills_row(members="<11")),
    "a starred cell": cells("/rows/0/members", "cell_suppressed", fills_row(members="*")),
    "days above 31 x members": cells("/rows/0/treatment_days", "invariant_broken", fills_row(treatment_days=3101)),
    "another invariant broken": cells("/rows/0/days_covered", "invariant_broken", fills_row(days_covered=1801)),
    "a duplicate cell": cells("/rows/1/region", "cell_repeated", fills_row(), fills_row()),
    "a row that is no object": cells("/rows/0", "row_invalid", 7),
    "columns of different lengths": columns("/columns", "columns_uneven", members=[1, 2]),
    "a column that is no list": columns("/columns/members", "column_invalid", members=7),
    "a float in a column": columns("/columns/members/0", "not_an_integer", members=[1.5]),
    "an unknown column": columns("/columns/extra", "field_unknown", extra=[1]),
    "a missing column": columns("/columns/sex", "field_missing", sex=None),
    "rows without any field": cells("/rows/0/region", "field_missing", {}, {}),
    "more rows than strata": cells("/rows", "too_many_strata", *[fills_row()] * 5),
    "columns without any field": by_payer(
        {"submission_id": str(uuid4()), "feed": "fills", "period": "2025-01", "columns": {}},
        status=422,
        code="cells-invalid",
        pointer="/columns/region",
        fault="field_missing",
    ),
    "a foreigner's rows that are none": Bad(
        lambda small: small.submit("foreigner", fills(rows=[1])), status=404, code="contract-not-found"
    ),
    "a doubled slash in the address": Bad(
        lambda small: small.post("blueridge", PATH.replace("/v1/", "/v1//"), fills()),
        status=404,
        code="route-not-found",
    ),
    "rows and columns": by_payer(fills(columns={}), status=422, code="input-invalid", pointer=""),
    "neither rows nor columns": by_payer(
        {n: v for n, v in fills().items() if n != "rows"}, status=422, code="input-invalid", pointer=""
    ),
    "an id that is no UUID": by_payer(
        fills(submission_id="january"), status=422, code="input-invalid", pointer="/submission_id"
    ),
    "a period outside the contract": by_payer(
        fills("2024-12"), status=422, code="period-outside-contract", pointer="/period"
    ),
    "a period of another grain": by_payer(fills("2025"), status=422, code="period-outside-contract", pointer="/period"),
    "a feed of another provider": by_payer(fills(feed="support"), status=403, code="not-the-provider"),
    "a feed that is not there": by_payer(fills(feed="stays"), status=404, code="feed-not-found"),
    "a caller that is no party": Bad(
        lambda small: small.submit("foreigner", fills()), status=404, code="contract-not-found"
    ),
    "a contract that is not there": Bad(
        lambda small: small.submit("blueridge", fills(), "dsc-other"), status=404, code="contract-not-found"
    ),
    "no token": Bad(with_token(lambda _: None), status=401, code="token-missing"),
    "an expired token": Bad(with_token(expired), status=401, code="token-expired"),
    "a foreign token": Bad(with_token(lambda _: "eyJhbGciOiJub25lIn0.e30."), status=401, code="token-invalid"),
    "a token without the scope": Bad(
        with_token(lambda small: small.token("blueridge", "contracts.read")), status=403, code="scope-missing"
    ),
    "duplicate JSON names": Bad(raw(twice_named()), status=400, code="request-malformed"),
    "malformed JSON": Bad(raw('{"feed": '), status=400, code="request-malformed"),
    "JSON that is no object": Bad(raw("[1]"), status=422, code="input-invalid"),
    "NaN": Bad(raw('{"feed": NaN}'), status=400, code="request-malformed"),
    "JSON of great depth": Bad(raw("[" * 100_000), status=400, code="request-malformed"),
    "an integer of great length": Bad(raw('{"feed": ' + "9" * 5000 + "}"), status=400, code="request-malformed"),
    "text that is not UTF-8": Bad(raw(b'{"feed": "\xff"}'), status=400, code="request-malformed"),
    "an empty body": Bad(raw(""), status=400, code="request-malformed"),
    "another media type": Bad(raw("a,b", content_type="text/html"), status=415, code="media-type-unsupported"),
    "a multipart body": Bad(
        raw("x", content_type="multipart/form-data; boundary=x"), status=415, code="media-type-unsupported"
    ),
    "a form": Bad(
        raw("a=1", content_type="application/x-www-form-urlencoded"),
        status=415,
        code="media-type-unsupported",
    ),
    "no media type": Bad(raw("{}", content_type=""), status=415, code="media-type-unsupported"),
    "a body that is no gzip": Bad(
        raw(b"\x1f\x8b", headers={"Content-Encoding": "gzip"}), status=400, code="request-malformed"
    ),
    "another content encoding": Bad(
        raw(b"\x1f\x8b", headers={"Content-Encoding": "br"}), status=415, code="media-type-unsupported"
    ),
    "a body that is too large": Bad(too_large, status=413, code="body-too-large"),
}


@pytest.fixture
def strict(migrated_sqlite_url: str) -> SmallExchange:
    small = SmallExchange(migrated_sqlite_url, settings_changes={"PARLEY_MAX_BODY_BYTES": "300000"})
    small.agree()
    return small


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_a_pointer_and_leaves_nothing(strict: SmallExchange, name: str) -> None:
    bad = BAD[name]
    before, seen_before = strict.traces(), seen_by_others(strict)

    answered = bad.post(strict)

    assert_problem(answered, bad.status, bad.code, bad.pointer, bad.fault)
    assert strict.traces() == before
    assert seen_by_others(strict) == seen_before


def test_a_contract_not_yet_signed_takes_no_submission(small: SmallExchange) -> None:
    small.post(BRAND, "/v1/contracts", small_contract())
    small.post(BRAND, f"/v1/contracts/{CONTRACT}/proposal")

    assert_problem(small.submit("blueridge", fills()), 409, "contract-not-in-force")
    assert small.traces() == {"entries": 4, "releases": 0}


def test_an_expired_contract_takes_no_submission(agreed: SmallExchange) -> None:
    agreed.clock.go_on(days=1000)

    assert_problem(agreed.submit("blueridge", fills()), 409, "contract-not-in-force")


def test_a_contract_is_in_force_up_to_the_last_instant_of_its_last_day(agreed: SmallExchange) -> None:
    agreed.clock.instant = agreed.clock.instant.replace(2027, 12, 31, 23, 59, 59)
    assert agreed.submit("blueridge", fills()).status_code == 201

    agreed.clock.go_on(seconds=1)
    assert_problem(agreed.submit("blueridge", fills("2025-02")), 409, "contract-not-in-force")


def test_a_period_is_not_posted_before_it_is_over(agreed: SmallExchange) -> None:
    feed = fills_feed(first_period="2026-06", last_period="2026-07", k=2)
    document = small_contract(id="dsc-now", feeds=[feed, adherence_feed(), support_feed()])
    agreed.agree(document)

    assert_problem(agreed.submit("blueridge", fills("2026-07"), "dsc-now"), 409, "period-not-over")
    assert agreed.submit("blueridge", fills("2026-06"), "dsc-now").status_code == 201


def test_an_exhausted_budget_refuses_before_anything_is_drawn(agreed: SmallExchange) -> None:
    poor = small_contract(
        id="dsc-poor", feeds=[fills_feed(first_period="2025-01", last_period="2025-02", k=2, rho="0.1")]
    )
    poor["privacy"] = poor["privacy"] | {
        "ceilings": {f"{n}-members": "0.1" for n in ("blueridge", "lakeshore", "sierra")}
    }
    agreed.agree(poor)
    for period in ("2025-01", "2025-02"):
        assert agreed.submit("blueridge", fills(period), "dsc-poor").status_code == 201
    before = agreed.traces()

    answered = agreed.submit("blueridge", fills())

    assert_problem(answered, 409, "budget-exhausted")
    assert answered.get_json()["ceiling"] == "population"
    assert agreed.traces() == before


def test_a_replayed_client_assertion_gets_no_second_token(agreed: SmallExchange) -> None:
    from adapters.client.tokens import ASSERTION_TYPE, make_client_assertion

    url = "https://parley.example/oauth/token"
    assertion = make_client_assertion("blueridge-client", agreed.client_keys["blueridge"], url, agreed.clock.now())
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    http = agreed.app.test_client()
    assert http.post("/oauth/token", data=form).status_code == 200

    answered = http.post("/oauth/token", data=form)

    assert answered.status_code == 401
    assert answered.get_json()["type"] == "urn:parley:problem:invalid-client"


def seen_by_others(small: SmallExchange) -> Any:
    """All that the brand can see of the feed."""
    coverage = small.get(BRAND, f"/v1/contracts/{CONTRACT}/releases").get_json()
    asked = small.ask(BRAND, "pdc_pooled")
    return coverage, asked.status_code, asked.get_json(), small.ledger(BRAND)["entries"]


def assert_problem(
    answered: TestResponse, status: int, code: str, pointer: str | None = None, fault: str | None = None
) -> None:
    body = answered.get_json(force=True)
    assert (answered.status_code, body["type"]) == (status, f"urn:parley:problem:{code}"), body
    assert answered.content_type == "application/problem+json"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    if pointer is not None:
        found = {(error["pointer"], error["code"]) for error in body["errors"]}
        assert any(p == pointer and fault in (None, c) for p, c in found), found


@pytest.mark.parametrize("path", ["/v1/contracts/a%00b", "/v1/contracts/%0a", "/v1/contracts/a/feeds/%00/schema"])
def test_an_address_with_control_characters_leads_nowhere(small: SmallExchange, path: str) -> None:
    assert_problem(small.get(BRAND, path), 404, "route-not-found")


@pytest.mark.parametrize("title", ['"\\ud800"', '"a\\u0000b"', '"a\\nb"', '""', '"' + "x" * 401 + '"'])
def test_a_text_that_is_no_text_is_refused(small: SmallExchange, title: str) -> None:
    draft = json.dumps(small_contract(title="TITLE")).replace('"TITLE"', title)

    answered = small.post(BRAND, "/v1/contracts", draft)

    assert answered.status_code in (400, 422)
    assert answered.get_json()["type"].startswith("urn:parley:problem:")
