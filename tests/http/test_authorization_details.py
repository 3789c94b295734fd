"""authorization_details: what a token may be narrowed to, and that every route keeps to it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from werkzeug.test import TestResponse

from adapters.client.tokens import ASSERTION_TYPE, make_client_assertion
from api.auth.access_tokens import DETAILS_CLAIM, TokenRefused, details_in
from api.auth.details import ACTIONS, DETAILS_MAX, TEXT_LENGTH_MAX, contracts_for
from api.auth.metadata import DETAILS_TYPE
from contracts.parties import JsonObject, Role, Scope
from tests.http.answers import FILLS, post
from tests.http.exchange import assert_refused, opened
from tests.http.test_bad_input import assert_problem
from tests.http.test_who_gets_in import ABSENT, BODIES, GUARDED, OF_CONTRACTS, Route
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange, fills, small_contract

OTHER, DRAFT = "dsc-other", "dsc-draft"
OPERATOR = "overseer"
# What is not under one contract's address and yet keeps to the contracts of a narrowed token; all else is closed to it.
KEEPING = {"POST /v1/contracts", "GET /v1/contracts", "POST /v1/contract-previews"}


_NARROWED: dict[str, str] = {}


def detail(contract_id: str = CONTRACT, *actions: str, **changes: Any) -> JsonObject:
    named = {"type": DETAILS_TYPE, "identifier": contract_id, "actions": list(actions or ACTIONS), **changes}
    return {name: value for name, value in named.items() if value is not None}


def request_token(small: SmallExchange, name: str, details: Any, **form: str) -> TestResponse:
    url = f"{small.settings.issuer}/oauth/token"
    text = details if isinstance(details, str) else json.dumps(details, separators=(",", ":"))
    assertion = make_client_assertion(f"{name}-client", small.client_keys[name], url, small.clock.now())
    asked = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return small.app.test_client().post("/oauth/token", data={**asked, "authorization_details": text, **form})


def narrowed(small: SmallExchange, name: str, *details: JsonObject, **form: str) -> dict[str, str]:
    """Headers with a token that is narrowed to these; the same again for the same, since the clock stands still."""
    asked = json.dumps([name, details, form])
    if asked not in _NARROWED:
        granted = request_token(small, name, list(details), **form)
        assert granted.status_code == 200, granted.get_json()
        _NARROWED[asked] = granted.get_json()["access_token"]
    return {"Authorization": f"Bearer {_NARROWED[asked]}"}


@pytest.fixture(scope="module")
def small(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """Two contracts in force between the same parties, fills of January posted under the first, and a draft."""
    path = tmp_path_factory.mktemp("details") / "parley.db"
    copyfile(sqlite_template, path)
    exchange = SmallExchange(f"sqlite:///{path}")
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    exchange.agree()
    exchange.agree(small_contract(id=OTHER))
    assert exchange.post(BRAND, "/v1/contracts", small_contract(id=DRAFT)).status_code == 201
    post(exchange, "fills", {key: rows for key, rows in FILLS.items() if key[1] == "2025-01"})
    yield exchange
    _NARROWED.clear()
    exchange.wiring.database.close()


def call(small: SmallExchange, route: Route, headers: dict[str, str], contract_id: str = CONTRACT) -> TestResponse:
    """Right in form, and too late or too early to change anything."""
    body = BODIES.get(route.rule) if route.method in ("POST", "PUT") else None
    if route.rule.endswith("/submissions"):
        body = fills("1999-01")
    if route.rule.endswith(("/draft", "/proposal")):
        headers = {"If-Match": '"another draft"', **headers}
    options = {} if body is None else {"json": body}
    return small.app.test_client().open(route.path(contract_id), method=route.method, headers=headers, **options)


def code(answered: TestResponse) -> str:
    if answered.content_type != "application/problem+json":
        return ""
    return str(answered.get_json()["type"]).rpartition(":")[2]


def assert_narrowed(answered: TestResponse, scope: Scope) -> None:
    assert_problem(answered, 403, "authorization-details-insufficient")
    assert answered.get_json()["needed"] == {"type": DETAILS_TYPE, "actions": [scope.value]}
    challenge = answered.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="parley", error="insufficient_scope", error_description="')
    assert challenge.endswith(f'scope="{scope.value}"')


# --- at the token endpoint


def test_a_narrowed_token_says_to_what_in_answer_and_token(small: SmallExchange) -> None:
    details = [
        detail(CONTRACT, "statistics.read"),
        detail(ABSENT, "contracts.read", locations=[small.settings.audience]),
    ]
    granted = request_token(small, BRAND, details, scope="statistics.read contracts.read").get_json()
    assert granted["authorization_details"] == details
    token_claims = opened(granted["access_token"])[1]
    assert token_claims["authorization_details"] == details
    assert token_claims["scope"] == granted["scope"] == "contracts.read statistics.read"


def test_a_token_without_details_has_none(small: SmallExchange) -> None:
    for form in ({}, {"authorization_details": ""}):
        granted = request_token(small, BRAND, "", **form).get_json()
        assert "authorization_details" not in granted
        assert "authorization_details" not in opened(granted["access_token"])[1]


def test_nothing_is_told_of_which_contracts_there_are(small: SmallExchange) -> None:
    """To whomever asks: the answers for a contract of others, an own one and none differ by its name alone."""
    for name in (BRAND, "foreigner"):
        there, absent = (request_token(small, name, [detail(each)]) for each in (CONTRACT, ABSENT))
        assert there.status_code == absent.status_code == 200
        assert there.get_json()["authorization_details"] == [detail(CONTRACT)]
        assert absent.get_json()["authorization_details"] == [detail(ABSENT)]


@pytest.mark.parametrize(
    ("details", "where"),
    [
        ("nonsense", ""),
        ("{}", ""),
        ("null", ""),
        ("[]", ""),
        ('[{"type": "data_sharing_contract", "type": "data_sharing_contract"}]', ""),
        ("[NaN]", ""),
        ('["\\ud800"]', ""),
        ("[" * 4000, ""),
        ('{"a":' * 800, ""),
        ([detail(f"dsc-{number}", "contracts.read") for number in range(DETAILS_MAX + 1)], ""),
        (json.dumps([detail()]) + " " * TEXT_LENGTH_MAX, ""),
        (["dsc-small"], "/0"),
        ([[detail()]], "/0"),
        ([detail(type="payment_initiation")], "/0/type"),
        ([detail(type=None)], "/0/type"),
        ([detail(type=1.0)], "/0/type"),
        ([detail(), detail(OTHER, identifier=None)], "/1/identifier"),
        ([detail("DSC-SMALL")], "/0/identifier"),
        ([detail("dsc-small\r\nSet-Cookie: a=b")], "/0/identifier"),
        ([detail("x" * 64)], "/0/identifier"),
        ([detail(actions=None)], "/0/actions"),
        ([detail(actions=[])], "/0/actions"),
        ([detail(actions="statistics.read")], "/0/actions"),
        ([detail(actions=["everything"])], "/0/actions/0"),
        ([detail(actions=["keys.write"])], "/0/actions/0"),
        ([detail(actions=["org.admin"])], "/0/actions/0"),
        ([detail(actions=["statistics.read", "statistics.read"])], "/0/actions"),
        ([detail(actions=["ledger.read"])], "/0/actions"),
        ([detail(CONTRACT, "statistics.read", locations=["https://other.example"])], "/0/locations"),
        ([detail(locations=[])], "/0/locations"),
        ([detail(CONTRACT, "statistics.read"), detail(CONTRACT, "contracts.read")], "/1/identifier"),
        ([detail(privileges=["admin"])], "/0"),
        ([detail(**{'a"\\\r\nb/é': {"deep": [{}]}})], "/0"),
    ],
)
def test_details_that_are_not_right_are_refused_in_words_of_ours(
    small: SmallExchange, details: Any, where: str
) -> None:
    refused = request_token(small, BRAND, details, scope="statistics.read contracts.read")
    assert_refused(refused, "invalid_authorization_details")
    description = refused.get_json()["error_description"]
    assert description.startswith(f"authorization_details{where}: ")
    assert description.isascii()
    assert not {'"', "\\", "\r", "\n"} & set(description)
    assert "Set-Cookie" not in str(refused.headers)


def test_as_many_details_as_there_may_be_fit_into_a_request(small: SmallExchange) -> None:
    headers = narrowed(small, BRAND, *(detail(f"d{number}", "audit.read") for number in range(DETAILS_MAX)))
    assert len(headers["Authorization"]) < 8000
    assert_narrowed(small.app.test_client().get(f"/v1/contracts/{CONTRACT}/audit", headers=headers), Scope.AUDIT_READ)


# --- at use


@pytest.mark.parametrize("route", OF_CONTRACTS, ids=str)
def test_a_token_of_another_contract_or_action_does_not_open_a_contract(small: SmallExchange, route: Route) -> None:
    """Of every route of a contract that there is: one that forgets to ask fails here."""
    assert route.scope is not None
    others = [scope.value for scope in ACTIONS if scope is not route.scope]
    for details in ([detail(OTHER)], [detail(CONTRACT, *others)], [detail(CONTRACT, *others), detail(OTHER)]):
        assert_narrowed(call(small, route, narrowed(small, BRAND, *details)), route.scope)
    # It is not the status, or what is asked, that refuses: of its own contract it may do what any token may.
    there = call(small, route, narrowed(small, BRAND, detail(DRAFT, route.scope.value)), DRAFT)
    plain = call(small, route, small.headers(BRAND), DRAFT)
    assert (there.status_code, code(there)) == (plain.status_code, code(plain))
    assert code(there) != "authorization-details-insufficient"


@pytest.mark.parametrize("route", OF_CONTRACTS, ids=str)
def test_a_stranger_with_a_narrowed_token_learns_nothing(small: SmallExchange, route: Route) -> None:
    plain = call(small, route, small.headers("foreigner"))
    for details in ([detail(CONTRACT)], [detail(OTHER)], [detail(ABSENT)]):
        headers = narrowed(small, "foreigner", *details)
        for contract_id in (CONTRACT, ABSENT):
            answered = call(small, route, headers, contract_id)
            assert answered.status_code == plain.status_code
            assert "WWW-Authenticate" not in answered.headers
            assert answered.get_data() == plain.get_data()


@pytest.mark.parametrize("route", [r for r in GUARDED if r not in OF_CONTRACTS], ids=str)
def test_what_is_not_about_a_contract_is_closed_to_a_narrowed_token(small: SmallExchange, route: Route) -> None:
    assert route.scope is not None
    who = OPERATOR if route.scope is Scope.ORG_ADMIN else BRAND
    headers = narrowed(small, who, detail(CONTRACT), detail("dsc-new"))
    answered = call(small, route, headers)
    if str(route) in KEEPING:
        assert code(answered) != "authorization-details-insufficient"
    else:
        assert_narrowed(answered, route.scope)


def test_a_list_shows_the_contracts_that_a_token_may_see_and_no_others(small: SmallExchange) -> None:
    def listed(*details: JsonObject) -> set[str]:
        answered = small.app.test_client().get("/v1/contracts", headers=narrowed(small, BRAND, *details))
        return {line["id"] for line in answered.get_json()["contracts"]}

    assert listed(detail(OTHER)) == {OTHER}
    assert listed(detail(OTHER), detail(CONTRACT, "statistics.read")) == {OTHER}
    assert listed(detail(ABSENT)) == set()
    assert {line["id"] for line in small.get(BRAND, "/v1/contracts").get_json()["contracts"]} >= {OTHER, CONTRACT}


@pytest.mark.parametrize("path", ["/v1/contracts", "/v1/contract-previews"])
def test_a_document_is_drafted_and_previewed_for_a_contract_of_the_token_alone(small: SmallExchange, path: str) -> None:
    headers = narrowed(small, BRAND, detail("dsc-drafted"))
    client = small.app.test_client()

    def send(contract_id: str) -> TestResponse:
        document = small_contract(id=contract_id)
        return client.post(path, headers=headers, json={"document": document} if "previews" in path else document)

    for contract_id in (DRAFT, "dsc-another"):
        assert_narrowed(send(contract_id), Scope.CONTRACTS_WRITE)
    assert send("dsc-drafted").status_code in (200, 201)


def test_a_ledger_shows_no_entry_under_a_contract_that_the_token_is_not_for(small: SmallExchange) -> None:
    def statement(*details: JsonObject) -> JsonObject:
        headers = narrowed(small, "sierra", *details)
        path = f"/v1/contracts/{details[0]['identifier']}/ledger"
        return dict(small.app.test_client().get(path, headers=headers).get_json())

    own, other = statement(detail(CONTRACT)), statement(detail(OTHER))
    assert [entry["kind"] for entry in own["entries"]] == ["grant", "debit"]
    assert [entry["kind"] for entry in other["entries"]] == ["grant"]
    assert CONTRACT not in json.dumps(other)
    assert (other["lifetime"], other["balance"]) == (own["lifetime"], own["balance"])


def test_the_terms_still_decide_for_a_narrowed_token(small: SmallExchange) -> None:
    headers = narrowed(small, BRAND, detail())
    client = small.app.test_client()
    ask = f"/v1/contracts/{CONTRACT}/statistics"
    assert client.get(f"{ask}/counts?feed=fills&periods=2025-01", headers=headers).status_code == 200
    refused = client.get(f"{ask}/trend", headers=headers)
    assert_problem(refused, 403, "not-granted")
    assert "WWW-Authenticate" not in refused.headers  # no other token would do (RFC 6750 section 3.1)


def test_a_narrowed_token_has_no_scope_that_it_was_not_granted(small: SmallExchange) -> None:
    headers = narrowed(small, BRAND, detail(CONTRACT, "statistics.read"), scope="statistics.read")
    answered = small.app.test_client().get(f"/v1/contracts/{CONTRACT}", headers=headers)
    assert_problem(answered, 403, "scope-missing")


# --- challenges


def kinds_of(refused: type[TokenRefused]) -> Iterator[type[TokenRefused]]:
    yield refused
    for kind in refused.__subclasses__():
        yield from kinds_of(kind)


def test_no_description_of_a_challenge_could_end_its_quotes_or_header() -> None:
    """RFC 6750 section 3, error_description. Other tests see that challenges hold nothing of a request."""
    for kind in kinds_of(TokenRefused):
        assert re.fullmatch(r"[ !#-\[\]-~]+", kind.detail), kind


@pytest.mark.parametrize("injected", ['a"\r\nSet-Cookie: a=b', 'a", error="', "\u00e9", "x" * 3000])
def test_nothing_of_a_request_gets_into_a_header(small: SmallExchange, injected: str) -> None:
    """By what is asked of the token endpoint, and by a contract id that is no id."""
    plain = {name for name, _ in request_token(small, BRAND, [detail()]).headers}
    for form in ({"scope": injected}, {"client_id": injected}, {"grant_type": injected}):
        refused = request_token(small, BRAND, [detail(injected)], **form)
        assert refused.status_code in (400, 401)
        assert {name for name, _ in refused.headers} <= plain | {"WWW-Authenticate", "Pragma"}
        assert injected not in "".join(refused.headers.values())
    headers = narrowed(small, BRAND, detail())
    answered = small.app.test_client().post("/v1/contracts", headers=headers, json=small_contract(id=injected))
    assert answered.status_code == 422
    assert "WWW-Authenticate" not in answered.headers


# --- details that another issuer wrote


@pytest.mark.parametrize(
    "details",
    [
        [],
        {},
        "data_sharing_contract",
        0,
        False,
        [None],
        ["dsc-small"],
        [{"type": "account_information", "identifier": CONTRACT, "actions": ["statistics.read"]}],
        [{"identifier": CONTRACT, "actions": ["statistics.read"]}],
        [detail(actions="statistics.read")],
        [detail(actions={"statistics.read": True})],
        [detail(actions=None)],
        [detail(locations=["https://other.example"])],
        [detail(locations="https://parley.example")],
        [detail(datatypes=["summaries"])],
    ],
)
def test_details_that_are_not_understood_open_nothing(details: Any) -> None:
    assert contracts_for(details, Scope.STATISTICS_READ, "https://parley.example") == frozenset()


@pytest.mark.parametrize("written", [None, 0, False, "", [], {}, "all"])
def test_a_token_claim_that_is_there_narrows_whatever_its_value(written: Any) -> None:
    details = details_in({DETAILS_CLAIM: written}, DETAILS_CLAIM)
    assert contracts_for(details, Scope.STATISTICS_READ, "https://parley.example") == frozenset()
    assert details_in({"details": written}, DETAILS_CLAIM) is None


def test_details_that_are_understood_open_what_they_name() -> None:
    audience = "https://parley.example"
    details = [
        detail(CONTRACT, "statistics.read"),
        detail(OTHER, "audit.read", locations=[audience]),
        {"type": "other"},
    ]
    assert contracts_for(details, Scope.STATISTICS_READ, audience) == {CONTRACT}
    assert contracts_for(details, Scope.AUDIT_READ, audience) == {OTHER}
    assert contracts_for(details, Scope.LEDGER_READ, audience) == frozenset()
    assert contracts_for(None, Scope.LEDGER_READ, audience) is None
