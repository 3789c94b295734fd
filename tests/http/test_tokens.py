"""POST /oauth/token: who gets a token, what stands in it, and who gets none."""

from base64 import b64encode
from io import BytesIO
from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc.jwk import import_key

from api.auth.jose import public_members
from api.auth.keys import TokenKeys
from contracts.parties import Scope
from tests.http.exchange import (
    AUDIENCE,
    ISSUER,
    NOW,
    TOKEN_URL,
    Exchange,
    assert_not_authenticated,
    assert_refused,
    opened,
)

# --- what is given


def test_a_signed_assertion_is_answered_with_a_bearer_token_of_300_seconds(exchange: Exchange) -> None:
    answer = exchange.ask(exchange.assertion())
    body = answer.get_json()
    assert answer.status_code == 200
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)
    assert body["scope"] == "contracts.read submissions.write"
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_access_token_follows_rfc_9068_and_names_its_key(exchange: Exchange) -> None:
    header, token_claims = opened(exchange.access_token(scope="contracts.read"))
    published = exchange.http().get("/.well-known/jwks.json").get_json()["keys"]
    assert header == {"typ": "at+jwt", "alg": "ES256", "kid": published[0]["kid"]}
    assert token_claims.pop("jti")
    assert token_claims == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "blueridge-client",
        "client_id": "blueridge-client",
        "organisation": "blueridge",
        "scope": "contracts.read",
        "iat": NOW,
        "exp": NOW + 300,
    }


def test_neither_token_nor_assertion_is_logged(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    assertion = exchange.assertion()
    token = exchange.ask(assertion).get_json()["access_token"]
    exchange.ask(assertion)
    assert caplog.records
    for secret in (token, assertion):
        assert secret.rsplit(".", 1)[1] not in caplog.text


def test_a_key_that_was_given_without_kid_is_named_all_the_same(exchange: Exchange) -> None:
    """Authlib, given a bare key to sign with, would name none."""
    bare = {name: value for name, value in exchange.token_jwk.items() if name not in ("kid", "alg", "use")}
    exchange.wiring.token_keys = TokenKeys([bare])
    header, _ = opened(exchange.access_token())
    assert header["kid"] == import_key(bare).thumbprint()


def test_two_tokens_have_two_identifiers(exchange: Exchange) -> None:
    assert opened(exchange.access_token())[1]["jti"] != opened(exchange.access_token())[1]["jti"]


@pytest.mark.parametrize("audience", [TOKEN_URL, ISSUER, [TOKEN_URL], [TOKEN_URL, ISSUER]])
def test_the_token_endpoint_and_the_issuer_are_audiences(exchange: Exchange, audience: Any) -> None:
    assert exchange.ask(exchange.assertion(aud=audience)).status_code == 200


def test_the_host_header_changes_nothing(exchange: Exchange) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    for aud, status in ((TOKEN_URL, 200), ("https://evil.example/oauth/token", 401)):
        form["client_assertion"] = exchange.assertion(aud=aud)
        answer = exchange.http().post("/oauth/token", data=form, headers={"Host": "evil.example"})
        assert answer.status_code == status


# --- scopes


@pytest.mark.parametrize("scope", ["contracts.read", "submissions.write contracts.read contracts.read"])
def test_a_token_has_the_scopes_that_were_asked_for(exchange: Exchange, scope: str) -> None:
    assert exchange.ask(exchange.assertion(), scope=scope).get_json()["scope"] == " ".join(sorted(set(scope.split())))


def test_an_empty_scope_parameter_counts_as_none(exchange: Exchange) -> None:
    assert exchange.ask(exchange.assertion(), scope="").get_json()["scope"] == "contracts.read submissions.write"


@pytest.mark.parametrize("scope", ["org.admin", "contracts.read ledger.read", "everything", "contracts", " "])
def test_a_scope_that_is_not_registered_is_refused_and_never_dropped(exchange: Exchange, scope: str) -> None:
    assert_refused(exchange.ask(exchange.assertion(), scope=scope), "invalid_scope")


@pytest.mark.parametrize("blank", ["\u00a0", "\t", "\n", "\r\n", "\u2003", "  ", "\x1f", '"', "\\"])
def test_scopes_are_parted_by_one_space_and_nothing_else(exchange: Exchange, blank: str) -> None:
    for scope in (f"contracts.read{blank}submissions.write", f"contracts.read{blank}", f"{blank}contracts.read"):
        assert_refused(exchange.ask(exchange.assertion(), scope=scope), "invalid_scope")


def test_a_client_without_scopes_gets_no_token(exchange: Exchange) -> None:
    key = exchange.keys["helix"]
    idle = exchange.add_client("helix", public_members(key), scopes=frozenset[Scope]())
    assertion = exchange.assertion(key, client=idle)
    assert_refused(exchange.ask(assertion), "invalid_scope")


# --- the request


def test_there_is_no_get_on_the_token_endpoint(exchange: Exchange) -> None:
    answer = exchange.http().get("/oauth/token")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "form",
    [
        {"client_id": "blueridge-client", "client_secret": "secret"},
        {"client_id": "blueridge-client"},
        {},
        {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
            "client_assertion": "x",
        },
    ],
)
def test_a_client_without_a_jwt_assertion_is_not_authenticated(exchange: Exchange, form: dict[str, str]) -> None:
    answer = exchange.http().post("/oauth/token", data={"grant_type": "client_credentials", **form})
    assert_not_authenticated(answer)


def test_basic_authentication_is_refused_with_a_challenge_even_beside_an_assertion(
    exchange: Exchange,
) -> None:
    basic = {"Authorization": "Basic " + b64encode(b"blueridge-client:secret").decode()}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": exchange.assertion(),
    }
    for data in ({"grant_type": "client_credentials"}, form):
        answer = exchange.http().post("/oauth/token", data=data, headers=basic)
        assert_not_authenticated(answer)
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_secret_beside_an_assertion_is_refused(exchange: Exchange) -> None:
    assert_not_authenticated(exchange.ask(exchange.assertion(), client_secret="secret"))


def test_client_id_must_be_the_assertions_client(exchange: Exchange) -> None:
    assert exchange.ask(exchange.assertion(), client_id="blueridge-client").status_code == 200
    assert_not_authenticated(exchange.ask(exchange.assertion(), client_id="helix-client"))


@pytest.mark.parametrize("grant_type", ["password", "authorization_code", "refresh_token", "implicit", '\u00e9"\\'])
def test_client_credentials_is_the_only_grant_type(exchange: Exchange, grant_type: str) -> None:
    answer = exchange.ask(exchange.assertion(), grant_type=grant_type)
    assert_refused(answer, "unsupported_grant_type", "The only grant type here is client_credentials.")


def test_a_missing_grant_type_is_a_malformed_request(exchange: Exchange) -> None:
    assert_refused(exchange.ask(exchange.assertion(), grant_type=None), "invalid_request", "grant_type is missing.")


def test_a_resource_may_be_this_api_and_no_other(exchange: Exchange) -> None:
    """RFC 8707. Who the client is comes first."""
    for resource in (AUDIENCE, ""):
        granted = exchange.ask(exchange.assertion(), resource=resource)
        assert opened(granted.get_json()["access_token"])[1]["aud"] == AUDIENCE
    for resource in (ISSUER, f"{AUDIENCE}/", f"{AUDIENCE}#x", f" {AUDIENCE}", "https://other.example", "x"):
        refused = exchange.ask(exchange.assertion(), resource=resource)
        assert_refused(refused, "invalid_target", f"resource may be left out, or is {AUDIENCE}.")
    assert_not_authenticated(exchange.ask("a.b.c", resource="x"))


def test_a_repeated_parameter_is_a_malformed_request(exchange: Exchange) -> None:
    answer = exchange.http().post(
        "/oauth/token", data={"grant_type": "client_credentials", "scope": ["contracts.read", "ledger.read"]}
    )
    assert_refused(answer, "invalid_request", "No parameter may appear more than once.")


def test_parameters_in_the_query_are_not_read(exchange: Exchange) -> None:
    query = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": exchange.assertion(),
    }
    answer = exchange.http().post("/oauth/token", query_string=query, data={})
    assert_refused(answer, "invalid_request")
    answer = exchange.http().post("/oauth/token", query_string=query, data={"grant_type": "client_credentials"})
    assert_not_authenticated(answer)


@pytest.mark.parametrize("media_type", ["multipart/form-data; boundary=x", "application/json", "text/plain", ""])
def test_another_media_type_is_refused_before_the_body_is_read(exchange: Exchange, media_type: str) -> None:
    class Unread(BytesIO):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

        readline = read1 = readinto = read  # type: ignore[assignment]

    answer = exchange.http().post("/oauth/token", content_type=media_type, input_stream=Unread(b"a=b"))
    assert_refused(answer, "invalid_request", "The body must be application/x-www-form-urlencoded.")


def test_a_large_body_is_refused(exchange: Exchange) -> None:
    answer = exchange.ask("a" * 20_000)
    assert_refused(answer, "invalid_request", "The body must be at most 16384 bytes.", 413)


# --- what is published


def test_the_metadata_document_is_valid_and_true(exchange: Exchange) -> None:
    answer = exchange.http().get("/.well-known/oauth-authorization-server")
    metadata = AuthorizationServerMetadata(answer.get_json())
    # Authlib asks for a response type; where there is no authorization endpoint there is none.
    # Of RFC 9396 it knows nothing.
    for key in metadata.keys() - {"response_types_supported", "authorization_details_types_supported"}:
        getattr(metadata, f"validate_{key}")()
    assert metadata["issuer"] == ISSUER
    assert metadata["token_endpoint"] == TOKEN_URL
    assert metadata["jwks_uri"] == f"{ISSUER}/.well-known/jwks.json"
    assert metadata["response_types_supported"] == []
    assert metadata["grant_types_supported"] == ["client_credentials"]
    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert metadata["scopes_supported"] == [scope.value for scope in Scope]


def test_the_smart_configuration_is_what_the_profile_asks_of_backend_services(exchange: Exchange) -> None:
    """SMART App Launch 2.2, Conformance and Backend Services; without OpenID Connect an issuer is to be left out."""
    answer = exchange.http().get("/.well-known/smart-configuration")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    smart = answer.get_json()
    assert (smart.pop("capabilities"), smart.pop("code_challenge_methods_supported")) == (
        ["client-confidential-asymmetric"],
        ["S256"],
    )
    assert {"RS384", "ES384"} <= set(smart["token_endpoint_auth_signing_alg_values_supported"])
    required = {"token_endpoint", "grant_types_supported", "token_endpoint_auth_methods_supported", "scopes_supported"}
    assert required <= smart.keys()
    assert "issuer" not in smart
    assert smart.items() <= exchange.http().get("/.well-known/oauth-authorization-server").get_json().items()


def test_the_key_set_holds_no_private_member(exchange: Exchange) -> None:
    (key,) = exchange.http().get("/.well-known/jwks.json").get_json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_the_oauth_routes_are_in_the_openapi_document(exchange: Exchange) -> None:
    document = exchange.api.spec.to_dict()
    token = document["paths"]["/oauth/token"]["post"]
    form = token["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    assert form["$ref"] == "#/components/schemas/TokenRequest"
    assert token["security"] == []
    assert set(token["responses"]) >= {"200", "400", "401"}
    assert set(document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"]) == set(
        Scope
    )
