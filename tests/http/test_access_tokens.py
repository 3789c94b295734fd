"""Bearer access tokens at a guarded route: what is let in, what is refused, and with which challenge."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from flask import Flask
from flask.views import MethodView
from joserfc.jwk import import_key

from api.auth.guards import Guard, guard_of, public, requires
from api.auth.jose import public_members
from api.auth.keys import TokenKeys, new_private_jwk
from contracts.parties import JsonObject, Scope
from tests.http.exchange import AUDIENCE, ISSUER, NOW, Exchange, opened, segment

REALM = 'Bearer realm="parley"'


def assert_refused(answer: Any, code: str, challenge: str | None = None, status: int = 401) -> None:
    body = answer.get_json()
    assert (answer.status_code, body.get("type")) == (status, f"urn:parley:problem:{code}")
    assert answer.content_type == "application/problem+json"
    sent = answer.headers["WWW-Authenticate"]
    assert sent.startswith(REALM)
    if challenge is None:
        assert 'error="invalid_token"' in sent
    else:
        assert sent == challenge


# --- let in


def test_a_granted_token_opens_what_its_scope_is_for(exchange: Exchange) -> None:
    answer = exchange.call(exchange.access_token())
    assert answer.status_code == 200
    assert answer.get_json() == {
        "client": "blueridge-client",
        "organisation": "blueridge",
        "role": "payer",
        "scopes": ["contracts.read", "submissions.write"],
    }


def test_the_caller_has_only_the_scopes_of_the_token(exchange: Exchange) -> None:
    token = exchange.access_token(scope="contracts.read")
    assert exchange.call(token).get_json()["scopes"] == ["contracts.read"]


def test_the_scheme_is_read_whatever_its_case(exchange: Exchange) -> None:
    headers = {"Authorization": f"bEARER {exchange.access_token()}"}
    assert exchange.http().get("/contracts", headers=headers).status_code == 200


@pytest.mark.parametrize("right", [{"aud": [AUDIENCE, "https://other.example"]}, {"iat": NOW + 30}])
def test_tokens_made_here_are_right_until_a_test_changes_them(exchange: Exchange, right: JsonObject) -> None:
    assert exchange.call(exchange.forged_access_token()).status_code == 200
    assert exchange.call(exchange.forged_access_token(**right)).status_code == 200
    assert exchange.call(exchange.forged_access_token(header={"typ": "application/at+jwt"})).status_code == 200


def test_a_token_of_the_previous_key_is_good_until_that_key_is_taken_away(exchange: Exchange) -> None:
    token = exchange.access_token()
    following = new_private_jwk("ES384")
    exchange.wiring.token_keys = TokenKeys([following, exchange.token_jwk])
    assert exchange.call(token).status_code == 200
    rotated = exchange.access_token()
    assert opened(rotated)[0] == {"alg": "ES384", "kid": following["kid"], "typ": "at+jwt"}
    exchange.wiring.token_keys = TokenKeys([following])
    assert exchange.call(rotated).status_code == 200
    assert_refused(exchange.call(token), "token-invalid")


# --- no token


def test_a_request_without_a_token_learns_only_that_one_is_needed(exchange: Exchange) -> None:
    assert_refused(exchange.call(None), "token-missing", REALM)


@pytest.mark.parametrize("authorization", ["Basic YTpi", "", "Token abc", "Bearer"])
def test_another_scheme_is_no_token(exchange: Exchange, authorization: str) -> None:
    answer = exchange.http().get("/contracts", headers={"Authorization": authorization})
    assert answer.status_code == 401


def test_a_token_in_query_or_form_is_not_looked_at(exchange: Exchange) -> None:
    sent = {"access_token": exchange.access_token()}
    assert_refused(exchange.http().get("/contracts", query_string=sent), "token-missing", REALM)
    assert_refused(exchange.http().get("/contracts", data=sent), "token-missing", REALM)


def test_a_public_route_needs_no_token(exchange: Exchange) -> None:
    assert exchange.http().get("/open").status_code == 200


# --- refused tokens


def test_a_token_is_refused_from_its_300th_second(exchange: Exchange) -> None:
    token = exchange.access_token()
    exchange.clock.go_on(299)
    assert exchange.call(token).status_code == 200
    exchange.clock.go_on(1)
    assert_refused(exchange.call(token), "token-expired")
    exchange.clock.go_on(3600)
    assert_refused(exchange.call(token), "token-expired")


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"iss": "https://other.example"}, id="another issuer"),
        pytest.param({"iss": None}, id="no issuer"),
        pytest.param({"aud": "https://other.example"}, id="another audience"),
        pytest.param({"aud": "blueridge-client"}, id="the client as audience"),
        pytest.param({"aud": ISSUER}, id="the issuer as audience"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"exp": None}, id="no end"),
        pytest.param({"iat": NOW + 31}, id="issued in the future"),
        pytest.param({"iat": None}, id="no time of issue"),
        pytest.param({"nbf": NOW + 31}, id="not yet valid"),
        pytest.param({"jti": None}, id="no identifier"),
        pytest.param({"sub": None}, id="no subject"),
        pytest.param({"client_id": None}, id="no client"),
        pytest.param({"client_id": ["blueridge-client"]}, id="client not text"),
        pytest.param({"client_id": "nobody"}, id="client not registered"),
        pytest.param({"organisation": None}, id="no organisation"),
        pytest.param({"organisation": "helix"}, id="organisation of another client"),
        pytest.param({"organisation": "nowhere"}, id="organisation not registered"),
        pytest.param({"scope": None}, id="no scope"),
        pytest.param({"scope": ["contracts.read"]}, id="scope not text"),
    ],
)
def test_a_wrong_token_claim_is_refused(exchange: Exchange, wrong: JsonObject) -> None:
    assert_refused(exchange.call(exchange.forged_access_token(**wrong)), "token-invalid")


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"typ": None}, id="typ missing"),
        pytest.param({"typ": "JWT"}, id="typ of any JWT"),
        pytest.param({"typ": "client-authentication+jwt"}, id="typ of an assertion"),
        pytest.param({"kid": None}, id="kid missing"),
        pytest.param({"kid": "unknown"}, id="kid unknown"),
        pytest.param({"jku": "https://evil.example/jwks.json"}, id="jku"),
        pytest.param({"x5u": "https://evil.example/x.pem"}, id="x5u"),
        pytest.param({"jwk": {"kty": "EC"}}, id="jwk"),
    ],
)
def test_a_wrong_header_is_refused(exchange: Exchange, header: JsonObject) -> None:
    assert_refused(exchange.call(exchange.forged_access_token(header=header)), "token-invalid")


def test_a_token_signed_by_another_key_is_refused(exchange: Exchange) -> None:
    stranger = new_private_jwk("ES256")
    assert_refused(exchange.call(exchange.forged_access_token(stranger)), "token-invalid")
    disguised = exchange.forged_access_token(stranger, {"kid": exchange.token_jwk["kid"]})
    assert_refused(exchange.call(disguised), "token-invalid")


def test_a_client_cannot_sign_itself_a_token(exchange: Exchange) -> None:
    assert_refused(exchange.call(exchange.forged_access_token(exchange.keys["blueridge"])), "token-invalid")


def test_an_assertion_is_no_access_token(exchange: Exchange) -> None:
    assert_refused(exchange.call(exchange.assertion()), "token-invalid")


def test_an_unsigned_token_is_refused(exchange: Exchange) -> None:
    _, payload, _ = exchange.forged_access_token().split(".")
    for algorithm in ("none", "None"):
        header = segment({"alg": algorithm, "typ": "at+jwt", "kid": exchange.token_jwk["kid"]})
        assert_refused(exchange.call(f"{header}.{payload}."), "token-invalid")


def test_hs256_with_the_published_key_as_secret_is_refused(exchange: Exchange) -> None:
    _, payload, _ = exchange.forged_access_token().split(".")
    header = segment({"alg": "HS256", "typ": "at+jwt", "kid": exchange.token_jwk["kid"]})
    public_key = import_key(public_members(exchange.token_jwk))
    pem = public_key.as_pem()  # type: ignore[union-attr]
    for secret in (pem, pem.strip(), json.dumps(public_key.as_dict()).encode()):
        digest = hmac.new(secret, f"{header}.{payload}".encode(), hashlib.sha256).digest()
        assert_refused(exchange.call(f"{header}.{payload}.{segment(digest)}"), "token-invalid")


@pytest.mark.parametrize("part", [0, 1, 2])
def test_an_altered_token_is_refused(exchange: Exchange, part: int) -> None:
    parts = exchange.access_token().split(".")
    parts[part] = exchange.forged_access_token(header={"cty": "x"}, scope="org.admin").split(".")[part]
    assert_refused(exchange.call(".".join(parts)), "token-invalid")


@pytest.mark.parametrize("token", ["a", "a.b.c", "a b", "..", "é.é.é", f"{segment(b'[]')}.{segment(b'{}')}."])
def test_nonsense_is_refused(exchange: Exchange, token: str) -> None:
    assert_refused(exchange.call(token), "token-invalid")


# --- the registration decides


def test_a_scope_taken_from_the_client_is_gone_at_once(exchange: Exchange) -> None:
    token = exchange.forged_access_token(scope="contracts.read ledger.read org.admin")
    assert exchange.call(token).get_json()["scopes"] == ["contracts.read"]
    assert exchange.call(token, "/ledger").status_code == 403


def test_a_missing_scope_is_403_and_names_the_scope(exchange: Exchange) -> None:
    challenge = f'{REALM}, error="insufficient_scope", scope="ledger.read"'
    assert_refused(exchange.call(exchange.access_token(), "/ledger"), "scope-missing", challenge, 403)


def test_a_registered_scope_that_the_token_lacks_is_403(exchange: Exchange) -> None:
    scopes = frozenset({Scope.CONTRACTS_READ, Scope.LEDGER_READ})
    reader = exchange.add_client("helix", scopes=scopes)
    token = exchange.forged_access_token(client_id=reader, sub=reader, organisation="helix", scope="contracts.read")
    assert exchange.call(token, "/ledger").status_code == 403


# --- every route declares its guard


def test_guards_are_found_on_functions_and_on_methods_of_views() -> None:
    class Things(MethodView):
        @requires(Scope.CONTRACTS_READ)
        def get(self, **_: Any) -> str:
            return ""

        @public("A thing may be left by anyone.")
        def post(self) -> str:
            return ""

        def delete(self) -> str:
            return ""

    app = Flask("guards", static_folder=None)
    app.add_url_rule("/things", view_func=Things.as_view("things"))
    view = app.view_functions["things"]
    assert guard_of(view, "GET") == guard_of(view, "HEAD") == Guard(Scope.CONTRACTS_READ)
    assert guard_of(view, "POST") == Guard(None, "A thing may be left by anyone.")
    assert guard_of(view, "DELETE") is None
    assert guard_of(view, "PUT") is None
    assert guard_of(lambda: "") is None


def test_every_route_here_declares_its_guard(exchange: Exchange) -> None:
    ours = [rule for rule in exchange.app.url_map.iter_rules() if not rule.endpoint.startswith("api-docs")]
    assert len(ours) >= 6
    for rule in ours:
        for method in (rule.methods or set()) - {"OPTIONS"}:
            assert guard_of(exchange.app.view_functions[rule.endpoint], method), rule.rule


def test_a_token_that_was_seen_before_is_still_looked_at_each_time(exchange: Exchange) -> None:
    """Only its signature is remembered, and of no other text than just this one."""
    token = exchange.access_token()
    assert exchange.call(token).status_code == 200
    head, payload, signature = token.split(".")

    assert_refused(exchange.call(f"{head}.{payload}.{'A' * len(signature)}"), "token-invalid")
    exchange.clock.go_on(seconds=300)
    assert_refused(exchange.call(token), "token-expired")
