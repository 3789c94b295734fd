"""Who gets in: every route has a guard, scopes are asked for, and what is not yours does not exist."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from api.app import describe_app
from api.auth.guards import guard_of
from contracts.parties import Client, JsonObject, Role, Scope
from contracts.refusals import RegistrationInvalid
from tests.http.answers import FILLS, post
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    EVERY_SCOPE,
    PAYERS,
    SmallExchange,
    fills,
    public,
    small_contract,
)

OPERATOR = "overseer"
ABSENT = "dsc-absent"
PUBLIC = {"/oauth/token", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json", "/healthz", "/readyz"}
PUBLIC |= {"/oauth/revoke", "/.well-known/parley-receipt-keys.json", "/openapi.yaml", "/docs", "/docs/<string:name>"}
PUBLIC |= {"/.well-known/smart-configuration", "/v1/codebook"}


@dataclass(frozen=True)
class Route:
    """One method of one rule."""

    method: str
    rule: str
    scope: Scope | None
    reason: str | None

    def __str__(self) -> str:
        return f"{self.method} {self.rule}"

    def path(self, contract_id: str = CONTRACT) -> str:
        filled = {"contract_id": contract_id, "feed_name": "fills", "name": "counts", "organisation_id": "sierra"}
        filled |= {"kid": "nobodys-kid", "population_id": "sierra-members", "client_id": "nobodys-client"}
        path = self.rule
        for name, value in filled.items():
            path = path.replace(f"<string:{name}>", value)
        assert "<" not in path, "a new parameter: say what to fill in"
        return path


def routes(app: Flask) -> list[Route]:
    found = []
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            guard = guard_of(app.view_functions[rule.endpoint], method)
            assert guard is not None, f"{method} {rule.rule} has no guard"
            found.append(Route(method, rule.rule, guard.scope, guard.reason))
    return found


ROUTES = routes(describe_app())
GUARDED = [route for route in ROUTES if route.scope is not None]
OF_CONTRACTS = [
    route for route in GUARDED if "<string:contract_id>" in route.rule and route.scope is not Scope.ORG_ADMIN
]
OF_OPERATORS = [route for route in GUARDED if route.scope is Scope.ORG_ADMIN]

# A right body for every route that takes one, so that only the caller can be what is wrong.
BODIES: dict[str, JsonObject] = {
    "/v1/contracts": small_contract(id="dsc-new"),
    "/v1/contract-previews": {"document": small_contract(id="dsc-new")},
    "/v1/contracts/<string:contract_id>/signatures": {"jws": "a..b"},
    "/v1/contracts/<string:contract_id>/submissions": fills(),
    "/v1/contracts/<string:contract_id>/versions": small_contract(),
    "/v1/contracts/<string:contract_id>/draft": small_contract(),
    **{
        f"/v1/{place}/{what}": {"reason": "because"}
        for place in (
            "contracts/<string:contract_id>",
            "populations/<string:population_id>",
            "operator/contracts/<string:contract_id>",
            "operator/populations/<string:population_id>",
        )
        for what in ("suspension", "resumption", "termination")
    },
    "/v1/organisations": {"id": "newcomer", "name": "Newcomer", "role": "payer"},
    "/v1/organisations/<string:organisation_id>/populations": {"id": "more-members", "attestation": "none in both"},
    "/v1/organisations/<string:organisation_id>/clients": {
        "id": "more-client",
        "scopes": ["contracts.read"],
        "public_keys": [{"kty": "EC"}],
    },
    "/v1/organisations/<string:organisation_id>/clients/<string:client_id>/keys": {"public_keys": [{"kty": "EC"}]},
    "/v1/organisations/<string:organisation_id>/clients/<string:client_id>/revocation": {"reason": "stolen"},
    "/v1/organisations/<string:organisation_id>/signing-keys": {"public_key": {"kty": "EC"}},
    "/v1/signing-keys": {"public_key": {"kty": "EC"}, "proof": "a..b", "endorsement": "a..b"},
    "/v1/signing-keys/<string:kid>/revocation": {"reason": "rotated", "compromised": False},
}


@pytest.fixture(scope="module")
def small(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """The small contract in force, fills of January posted, and an operator."""
    path = tmp_path_factory.mktemp("guards") / "parley.db"
    copyfile(sqlite_template, path)
    exchange = SmallExchange(f"sqlite:///{path}")
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    exchange.agree()
    post(exchange, "fills", {key: rows for key, rows in FILLS.items() if key[1] == "2025-01"})
    yield exchange
    exchange.wiring.database.close()


def call(small: SmallExchange, route: Route, contract_id: str = CONTRACT, **options: Any) -> TestResponse:
    body = {"json": BODIES[route.rule]} if route.method in ("POST", "PUT") and route.rule in BODIES else {}
    if route.rule.endswith("/draft"):
        options["headers"] = {"If-Match": "*", **options.get("headers", {})}
    return small.app.test_client().open(route.path(contract_id), method=route.method, **body, **options)


def test_every_route_says_who_may_call_it() -> None:
    assert len(GUARDED) >= 15
    assert {route.rule for route in ROUTES if route.scope is None} == PUBLIC
    assert all(route.reason for route in ROUTES if route.scope is None)


def test_every_scope_opens_some_route() -> None:
    assert {route.scope for route in GUARDED} == set(Scope)


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_without_a_token_nobody_gets_in(small: SmallExchange, route: Route) -> None:
    before = small.traces()
    for headers in (
        {},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer x.y.z"},
    ):
        answered = call(small, route, headers=headers)
        assert answered.status_code == 401
        assert answered.content_type == "application/problem+json"
        assert answered.headers["WWW-Authenticate"].startswith('Bearer realm="parley"')

    assert_problem(call(small, route), 401, "token-missing")
    query_token = {"access_token": small.token(OPERATOR)}
    assert_problem(call(small, route, query_string=query_token), 401, "token-missing")
    assert small.traces() == before


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_every_other_scope_is_not_enough(small: SmallExchange, route: Route) -> None:
    assert route.scope is not None
    others = " ".join(scope for scope in Scope if scope is not route.scope)

    answered = call(small, route, headers=small.headers(OPERATOR, others))

    assert_problem(answered, 403, "scope-missing")
    challenge = answered.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert f'scope="{route.scope.value}"' in challenge


@pytest.mark.parametrize("route", OF_CONTRACTS, ids=str)
@pytest.mark.parametrize("caller", ["foreigner", OPERATOR])
def test_a_contract_of_others_is_like_one_that_is_not_there(small: SmallExchange, route: Route, caller: str) -> None:
    there = call(small, route, headers=small.headers(caller))
    absent = call(small, route, ABSENT, headers=small.headers(caller))

    assert_problem(there, 404, "contract-not-found")
    assert there.get_data() == absent.get_data()
    assert without_request_id(there) == without_request_id(absent)
    assert CONTRACT not in there.get_data(as_text=True)


def without_request_id(answered: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answered.headers.items() if name not in ("X-Request-Id", "RateLimit")}


@pytest.mark.parametrize("route", OF_CONTRACTS, ids=str)
def test_a_stranger_learns_nothing_from_what_it_asks_either(small: SmallExchange, route: Route) -> None:
    """Unknown statistics, feeds and periods of a contract that is not the caller's: still no such contract."""
    path = route.path().replace("/fills/", "/stays/").replace("/counts", "/median")
    odd = {"submissions": fills("1999-01", feed="stays"), "signatures": {"jws": "nonsense"}}
    found = odd.get(route.rule.rpartition("/")[2], BODIES.get(route.rule))
    body = {"json": found} if found and route.method in ("POST", "PUT") else {}
    headers = small.headers("foreigner") | {"If-Match": "*"}

    answered = small.app.test_client().open(path, method=route.method, headers=headers, **body)

    assert_problem(answered, 404, "contract-not-found")


# --- the operator's own


def test_no_party_is_ever_given_the_operators_scope(small: SmallExchange) -> None:
    for name in (*PAYERS, BRAND):
        with pytest.raises(RegistrationInvalid) as refused:
            small.wiring.registering.add_client(
                name, f"{name}-second", frozenset({Scope.ORG_ADMIN}), (public(small.client_keys[name]),)
            )
        assert [fault.code for fault in refused.value.faults] == ["scope_reserved"]


@pytest.mark.parametrize("route", OF_OPERATORS, ids=str)
def test_a_party_whose_client_has_that_scope_all_the_same_is_no_operator(small: SmallExchange, route: Route) -> None:
    """As if somebody had written it into the database: the organisation's role decides, not the scope."""
    if "intruder" not in small.client_keys:
        small.register("intruder", Role.PAYER, frozenset())
        key = small.client_keys["intruder"]
        scopes, now = EVERY_SCOPE | {Scope.ORG_ADMIN}, small.clock.now()
        with small.wiring.database.writing() as stores:
            stores.parties.add_client(Client("crook-client", "intruder", scopes, (public(key),), now))
        small.client_keys["crook"] = key

    answered = call(small, route, headers=small.headers("crook"))

    assert_problem(answered, 403, "operator-only")


def test_an_operator_is_party_to_nothing(small: SmallExchange) -> None:
    assert small.get(OPERATOR, "/v1/contracts").get_json() == {"contracts": [], "next_cursor": None}
    assert small.get(OPERATOR, "/v1/organisations").status_code == 200


# --- what is one's own


def test_a_ledger_shows_ones_own_population_only(small: SmallExchange) -> None:
    for name in (*PAYERS, BRAND):
        statement = small.ledger(name)
        assert statement["population"] == f"{name}-members"
        assert len(statement["entries"]) == (1 if name == BRAND else 2)
        strangers = {f"{other}-members" for other in (*PAYERS, BRAND)} - {f"{name}-members"}
        assert not any(stranger in str(statement) for stranger in strangers)


def test_releases_are_listed_to_their_provider_only(small: SmallExchange) -> None:
    own: dict[str, set[str]] = {}
    for name in (*PAYERS, BRAND):
        feeds = small.get(name, f"/v1/contracts/{CONTRACT}/releases").get_json()["feeds"]
        own[name] = {release["release_id"] for feed in feeds for release in feed["own_releases"]}

    assert own[BRAND] == set()
    assert [len(own[name]) for name in PAYERS] == [1, 1, 1]
    assert len(set.union(*own.values())) == 3


def test_another_providers_submission_id_gives_no_receipt(small: SmallExchange) -> None:
    feeds = small.get("sierra", f"/v1/contracts/{CONTRACT}/releases").get_json()["feeds"]
    (release,) = feeds[0]["own_releases"]
    body = fills("2025-01") | {"submission_id": release["submission_id"]}

    answered = small.submit("lakeshore", body)

    assert answered.status_code == 409
    assert release["release_id"] not in answered.get_data(as_text=True)
    assert "balance" not in answered.get_json()


def test_organisations_are_not_read_by_parties(small: SmallExchange) -> None:
    assert_problem(small.get("sierra", "/v1/organisations"), 403, "scope-missing")


@pytest.mark.parametrize(
    "contract_id", ["%00", "a%00b", "%ff", "..", "dsc-small%20", "DSC-SMALL", "x" * 5000, "%F0%9F%98%80", "'--", "%25"]
)
def test_ids_that_nobody_has_are_not_found(migrated_url: str, contract_id: str) -> None:
    exchange = SmallExchange(migrated_url)

    answered = exchange.get("sierra", f"/v1/contracts/{contract_id}")

    exchange.wiring.database.close()
    assert answered.status_code in (404, 308), answered.get_json()
