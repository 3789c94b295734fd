"""The client's side: assertions that the exchange accepts, and a token kept until near its end."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from adapters.client.tokens import TokenNotGranted, TokenSource, make_client_assertion
from api.auth.jose import public_members
from api.auth.keys import new_private_jwk
from tests.http.exchange import ISSUER, TOKEN_URL, Exchange, opened


@pytest.fixture
def http(exchange: Exchange) -> Iterator[httpx.Client]:
    with httpx.Client(transport=httpx.WSGITransport(exchange.app), base_url=ISSUER) as client:
        yield client


def source(exchange: Exchange, http: httpx.Client, **options: Any) -> TokenSource:
    key = options.pop("key", exchange.keys["blueridge"])
    return TokenSource(http, TOKEN_URL, "blueridge-client", key, now=exchange.clock.now, **options)


@pytest.mark.parametrize("algorithm", ["RS384", "ES384", "ES256", "Ed25519"])
def test_an_assertion_by_any_kind_of_key_is_accepted(exchange: Exchange, algorithm: str) -> None:
    key = new_private_jwk(algorithm)
    client = exchange.add_client("helix", public_members(key))
    assertion = make_client_assertion(client, key, TOKEN_URL, exchange.clock.now())
    assert exchange.ask(assertion).status_code == 200


def test_a_key_of_another_kind_cannot_sign(exchange: Exchange) -> None:
    secret = {"kty": "oct", "k": "MDEyMzQ1Njc4OWFiY2RlZg"}
    with pytest.raises(ValueError, match="RSA"):
        make_client_assertion("signer", secret, TOKEN_URL, exchange.clock.now())


def test_a_client_with_a_source_calls_the_api(exchange: Exchange, http: httpx.Client) -> None:
    http.auth = source(exchange, http)
    assert http.get("/contracts").json()["organisation"] == "blueridge"
    assert http.get("/ledger").status_code == 403


def test_only_the_wanted_scope_is_asked_for(exchange: Exchange, http: httpx.Client) -> None:
    http.auth = source(exchange, http, scope="contracts.read")
    assert http.get("/contracts").json()["scopes"] == ["contracts.read"]


def test_a_narrowed_token_is_asked_for_and_got(exchange: Exchange, http: httpx.Client) -> None:
    details = [{"type": "data_sharing_contract", "identifier": "dsc-a", "actions": ["contracts.read"]}]
    token = source(exchange, http, authorization_details=details).token()
    assert opened(token)[1]["authorization_details"] == details


def test_a_source_takes_back_its_tokens(exchange: Exchange, http: httpx.Client) -> None:
    tokens = source(exchange, http)
    taken, kept = tokens.token(), exchange.access_token()
    tokens.revoke(taken)
    assert [exchange.call(each).status_code for each in (taken, kept)] == [401, 200]
    with pytest.raises(TokenNotGranted, match="invalid_client"):
        source(exchange, http, key=new_private_jwk("ES384")).revoke(kept)


def test_a_token_is_kept_until_30_seconds_before_its_end(exchange: Exchange, http: httpx.Client) -> None:
    tokens = source(exchange, http)
    first = tokens.token()
    exchange.clock.go_on(269)
    assert tokens.token() == first
    exchange.clock.go_on(1)
    second = tokens.token()
    assert second != first
    assert exchange.call(second).status_code == 200


def test_threads_share_one_token(exchange: Exchange, http: httpx.Client) -> None:
    tokens = source(exchange, http)
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: tokens.token(), range(8)))) == 1


def test_a_refusal_is_told_in_the_endpoints_words(exchange: Exchange, http: httpx.Client) -> None:
    with pytest.raises(TokenNotGranted, match=r"invalid_client: No registered client"):
        source(exchange, http, key=new_private_jwk("ES384")).token()
    with pytest.raises(TokenNotGranted, match="invalid_scope"):
        source(exchange, http, scope="everything").token()


def test_an_endpoint_that_is_none_is_told_by_its_status(exchange: Exchange, http: httpx.Client) -> None:
    elsewhere = TokenSource(http, f"{ISSUER}/nowhere", "blueridge-client", exchange.keys["blueridge"])
    with pytest.raises(TokenNotGranted, match="404"):
        elsewhere.token()
