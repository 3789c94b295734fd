"""Client assertions (RFC 7523): every way to be somebody else, and every way to be somebody twice."""

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import generate_key, import_key

from api.auth.assertions import ALGORITHMS
from api.auth.jose import named_algorithms, public_members
from api.auth.keys import new_private_jwk
from contracts.parties import JsonObject
from tests.http.exchange import NOW, TOKEN_URL, Exchange, assert_not_authenticated, opened, segment

NOT_OURS = "No registered client has signed this assertion with one of its registered keys."


# --- signatures and keys


@pytest.mark.parametrize("algorithm", ["RS384", "ES384", "ES256", "EdDSA", "Ed25519"])
def test_every_published_algorithm_is_accepted(exchange: Exchange, algorithm: str) -> None:
    key = new_private_jwk("Ed25519" if algorithm == "EdDSA" else algorithm)
    public = {name: value for name, value in public_members(key).items() if name != "alg"}
    client = exchange.add_client("blueridge", public)
    assertion = exchange.assertion(key, {"alg": algorithm}, client=client)
    assert exchange.ask(assertion).status_code == 200
    metadata = exchange.http().get("/.well-known/oauth-authorization-server").get_json()
    assert algorithm in metadata["token_endpoint_auth_signing_alg_values_supported"]


def test_a_single_registered_key_may_go_without_kid(exchange: Exchange) -> None:
    assert exchange.ask(exchange.assertion(header={"kid": None})).status_code == 200


def test_kid_chooses_among_several_registered_keys(exchange: Exchange) -> None:
    first, second = new_private_jwk("ES384"), new_private_jwk("ES384")
    client = exchange.add_client("helix", public_members(first), public_members(second))
    assert exchange.ask(exchange.assertion(first, client=client)).status_code == 200
    assert exchange.ask(exchange.assertion(second, client=client)).status_code == 200
    for kid in (first["kid"], None):
        assertion = exchange.assertion(second, {"kid": kid}, client=client)
        assert_not_authenticated(exchange.ask(assertion), NOT_OURS)


def test_an_unsigned_assertion_is_refused(exchange: Exchange) -> None:
    _, payload, _ = exchange.assertion().split(".")
    for algorithm in ("none", "None", "NONE"):
        header = segment({"alg": algorithm, "kid": exchange.keys["blueridge"]["kid"]})
        assert_not_authenticated(exchange.ask(f"{header}.{payload}."), NOT_OURS)


def test_hs256_with_the_public_key_as_secret_is_refused(exchange: Exchange) -> None:
    jwk = exchange.keys["blueridge"]
    public = import_key(public_members(jwk))
    _, payload, _ = exchange.assertion().split(".")
    header = segment({"alg": "HS256", "typ": "JWT", "kid": jwk["kid"]})
    pem = public.as_pem()  # type: ignore[union-attr]
    for secret in (pem, pem.strip(), json.dumps(public.as_dict()).encode(), str(jwk["x"]).encode()):
        signature = segment(hmac.new(secret, f"{header}.{payload}".encode(), hashlib.sha256).digest())
        assert_not_authenticated(exchange.ask(f"{header}.{payload}.{signature}"), NOT_OURS)


def test_a_symmetric_key_is_no_key_even_when_registered(exchange: Exchange) -> None:
    secret = b"0123456789abcdef0123456789abcdef"
    client = exchange.add_client("helix", {"kty": "oct", "k": segment(secret), "kid": "shared"})
    _, payload, _ = exchange.assertion(client=client).split(".")
    header = segment({"alg": "HS256", "kid": "shared"})
    digest = hmac.new(secret, f"{header}.{payload}".encode(), hashlib.sha256).digest()
    assert_not_authenticated(exchange.ask(f"{header}.{payload}.{segment(digest)}"), NOT_OURS)


@pytest.mark.filterwarnings("ignore:Key size should be")
@pytest.mark.parametrize(
    ("kind", "size", "algorithm"),
    [("RSA", 2048, "RS256"), ("RSA", 2048, "PS256"), ("RSA", 1024, "RS384"), ("EC", "P-521", "ES512")],
)
def test_an_algorithm_or_key_that_is_not_published_is_refused(
    exchange: Exchange, kind: Any, size: Any, algorithm: str
) -> None:
    made = generate_key(kind, size, auto_kid=True)
    key = {**made.as_dict(private=True), "alg": algorithm}
    client = exchange.add_client("helix", made.as_dict(private=False))
    assert_not_authenticated(exchange.ask(exchange.assertion(key, client=client)), NOT_OURS)


@pytest.mark.parametrize(
    "kid",
    [
        *("unknown", "", "../../etc/passwd", "/dev/null", "file:///etc/passwd", "https://evil.example/jwks.json"),
        *("' OR 1=1 --", "'; DROP TABLE clients; --", "|id", "$(id)", "{{7*7}}", "%s%n", "*", "a" * 300),
        *("\x00", "a\r\nSet-Cookie: x", "\u202e\u0430", "\ud800", 7, 1.5, True, ["a"], {}, {"$ne": None}),
    ],
)
def test_an_unknown_kid_is_refused(exchange: Exchange, kid: Any) -> None:
    _, payload, signature = exchange.assertion().split(".")
    header = segment({"alg": "ES384", "kid": kid})
    assert_not_authenticated(exchange.ask(f"{header}.{payload}.{signature}"), NOT_OURS)


@pytest.mark.parametrize(
    "header",
    [
        *(
            {"jku": jku}
            for jku in ("https://evil.example/jwks.json", "", TOKEN_URL, "file:///etc/passwd", "a" * 300, 7, ["a"])
        ),
        {"x5u": "https://evil.example/x.pem"},
    ],
)
@pytest.mark.parametrize("own_key", [True, False])
def test_a_header_that_points_to_a_key_is_refused_whoever_signed(
    exchange: Exchange, header: JsonObject, own_key: bool
) -> None:
    key = exchange.keys["blueridge"] if own_key else new_private_jwk("ES384")
    assert_not_authenticated(exchange.ask(exchange.assertion(key, header)), NOT_OURS)


@pytest.mark.parametrize("own_key", [True, False])
def test_a_header_that_brings_a_key_is_refused_whoever_signed(exchange: Exchange, own_key: bool) -> None:
    key = exchange.keys["blueridge"] if own_key else new_private_jwk("ES384")
    brought = {name: key[name] for name in ("kty", "crv", "x", "y")}
    assert_not_authenticated(exchange.ask(exchange.assertion(key, {"jwk": brought})), NOT_OURS)
    assert_not_authenticated(exchange.ask(exchange.assertion(key, {"jwk": brought, "kid": None})), NOT_OURS)


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": 5}, {"b64": False}, {"typ": "at+jwt"}, {"typ": 1}])
def test_a_header_that_changes_how_the_assertion_is_read_is_refused(exchange: Exchange, header: JsonObject) -> None:
    _, payload, signature = exchange.assertion().split(".")
    changed = segment({"alg": "ES384", "kid": exchange.keys["blueridge"]["kid"], **header})
    assert_not_authenticated(exchange.ask(f"{changed}.{payload}.{signature}"))


def test_the_header_types_of_assertions_are_accepted(exchange: Exchange) -> None:
    for kind in ("JWT", "client-authentication+jwt", None):
        assert exchange.ask(exchange.assertion(header={"typ": kind})).status_code == 200
    assert_not_authenticated(exchange.ask(exchange.assertion(header={"typ": "at+jwt"})), NOT_OURS)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["RS384", "ES384", "ES256", "Ed25519"])
def test_strangers_are_refused_as_late_as_clients(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    """After one verification of a signature, whoever is named: the time it takes tells nobody who is a client."""
    key = new_private_jwk(algorithm)
    client = exchange.add_client("helix", public_members(key))
    verified: list[str] = []

    def spy(kind: type[JWSAlgModel]) -> Any:
        real = kind.verify

        def verify(self: Any, msg: bytes, sig: bytes, key: Any) -> bool:
            verified.append(self.name)
            return real(self, msg, sig, key)

        return verify

    for kind in {type(known) for known in named_algorithms(*ALGORITHMS)}:
        monkeypatch.setattr(kind, "verify", spy(kind))
    forged = {**new_private_jwk(algorithm), "kid": key["kid"]}
    two = public_members(key), public_members({**forged, "kid": "second"})
    for assertion in (
        exchange.assertion(forged, client="nobody"),
        exchange.assertion(forged, client=client),
        exchange.assertion(forged, {"kid": "other"}, client=client),
        exchange.assertion(forged, {"kid": None}, client=exchange.add_client("helix", *two)),
        exchange.assertion(forged, {"jku": "https://evil.example/"}, client=client),
        exchange.assertion(forged, client="blueridge-client"),
    ):
        verified.clear()
        assert_not_authenticated(exchange.ask(assertion), NOT_OURS)
        assert verified == [algorithm]


def test_another_clients_key_is_refused(exchange: Exchange) -> None:
    theirs = exchange.keys["helix"]
    assert_not_authenticated(exchange.ask(exchange.assertion(theirs)), NOT_OURS)
    own_kid = {"kid": exchange.keys["blueridge"]["kid"]}
    assert_not_authenticated(exchange.ask(exchange.assertion(theirs, own_kid)), NOT_OURS)


def test_an_unknown_client_is_told_the_same_as_one_with_a_wrong_key(exchange: Exchange) -> None:
    unknown = exchange.ask(exchange.assertion(client="nobody"))
    wrong_key = exchange.ask(exchange.assertion(new_private_jwk("ES384")))
    assert_not_authenticated(unknown, NOT_OURS)
    assert unknown.get_json() == wrong_key.get_json()


@pytest.mark.parametrize("part", [0, 1, 2])
def test_an_altered_assertion_is_refused(exchange: Exchange, part: int) -> None:
    parts = exchange.assertion().split(".")
    parts[part] = exchange.assertion(header={"cty": "x"}, jti="other").split(".")[part]
    assert_not_authenticated(exchange.ask(".".join(parts)), NOT_OURS)


# --- token claims of the assertion


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"exp": NOW - 31}, id="expired"),
        pytest.param({"exp": None}, id="exp missing"),
        pytest.param({"exp": str(NOW + 60)}, id="exp as text"),
        pytest.param({"exp": True}, id="exp as boolean"),
        pytest.param({"exp": float("nan")}, id="exp not a number"),
        pytest.param({"exp": NOW + 331}, id="exp just too far ahead"),
        pytest.param({"exp": NOW + 10 * 365 * 86400}, id="exp in ten years"),
        pytest.param({"exp": 10**400}, id="exp beyond every date"),
        pytest.param({"iat": NOW + 31}, id="iat in the future"),
        pytest.param({"nbf": NOW + 31}, id="nbf in the future"),
        pytest.param({"iat": "now"}, id="iat as text"),
        pytest.param({"aud": None}, id="aud missing"),
        pytest.param({"aud": "https://other.example/oauth/token"}, id="aud of another server"),
        pytest.param({"aud": TOKEN_URL + "/"}, id="aud almost right"),
        pytest.param({"aud": [TOKEN_URL, "https://other.example"]}, id="aud shared with another server"),
        pytest.param({"aud": []}, id="aud empty"),
        pytest.param({"aud": {"a": 1}}, id="aud an object"),
        pytest.param({"iss": "helix-client"}, id="iss is not sub"),
        pytest.param({"iss": None}, id="iss missing"),
        pytest.param({"sub": None}, id="sub missing"),
        pytest.param({"sub": ["blueridge-client"]}, id="sub a list"),
        pytest.param({"sub": "\ud800"}, id="sub a lone surrogate"),
        pytest.param({"sub": "blueridge-client\x00"}, id="sub with NUL"),
        pytest.param({"jti": None}, id="jti missing"),
        pytest.param({"jti": ""}, id="jti empty"),
        pytest.param({"jti": 7}, id="jti a number"),
        pytest.param({"jti": "a" * 256}, id="jti too long"),
        pytest.param({"jti": "a\x00b"}, id="jti with NUL"),
        pytest.param({"jti": "\ud800"}, id="jti a lone surrogate"),
    ],
)
def test_a_wrong_token_claim_is_refused(exchange: Exchange, wrong: JsonObject) -> None:
    assert_not_authenticated(exchange.ask(exchange.assertion(**wrong)))


@pytest.mark.parametrize(
    "right", [{"exp": NOW - 29}, {"exp": NOW + 330}, {"iat": NOW + 30}, {"iat": None}, {"jti": "a" * 255}]
)
def test_clocks_may_differ_by_30_seconds(exchange: Exchange, right: JsonObject) -> None:
    assert exchange.ask(exchange.assertion(**right)).status_code == 200


def test_time_is_the_exchanges_clock(exchange: Exchange) -> None:
    assertion = exchange.assertion()
    exchange.clock.go_on(151)
    assert_not_authenticated(exchange.ask(assertion), "The assertion has expired (exp).")


# --- single use


def test_an_assertion_is_good_for_one_request(exchange: Exchange) -> None:
    assertion = exchange.assertion()
    assert exchange.ask(assertion).status_code == 200
    for _ in range(2):
        assert_not_authenticated(exchange.ask(assertion))
    assert_not_authenticated(exchange.ask(exchange.assertion(jti=opened(assertion)[1]["jti"])))


def test_an_assertion_stays_used_for_as_long_as_it_could_be_accepted(exchange: Exchange) -> None:
    assertion = exchange.assertion(exp=NOW + 60.9)
    assert exchange.ask(assertion).status_code == 200
    exchange.clock.go_on(90.5)
    assert exchange.ask(exchange.assertion()).status_code == 200  # the store may sweep here
    assert_not_authenticated(
        exchange.ask(assertion), "The assertion has been used before (jti); sign a new one for each request."
    )


def test_two_clients_may_use_the_same_jti(exchange: Exchange) -> None:
    jti = str(uuid4())
    theirs = exchange.assertion(exchange.keys["helix"], client="helix-client", jti=jti)
    assert exchange.ask(exchange.assertion(jti=jti)).status_code == 200
    assert exchange.ask(theirs).status_code == 200


@pytest.mark.slow
def test_of_32_threads_with_one_assertion_one_wins(migrated_url: str) -> None:
    exchange = Exchange(migrated_url)
    assertion = exchange.assertion()
    together = Barrier(32)

    def ask(_: int) -> int:
        together.wait()
        return int(exchange.ask(assertion).status_code)

    with ThreadPoolExecutor(32) as threads:
        statuses = list(threads.map(ask, range(32)))
    exchange.close()
    assert sorted(statuses) == [200] + [401] * 31


@pytest.mark.parametrize("wrong", [{"exp": NOW + 3600}, {"aud": "https://other.example"}, {"iss": "helix-client"}])
def test_a_refused_assertion_does_not_use_up_its_jti(exchange: Exchange, wrong: JsonObject) -> None:
    jti = str(uuid4())
    assert_not_authenticated(exchange.ask(exchange.assertion(jti=jti, **wrong)))
    assert exchange.ask(exchange.assertion(jti=jti)).status_code == 200


def test_nobody_else_can_use_up_a_clients_jti(exchange: Exchange) -> None:
    jti = str(uuid4())
    assert_not_authenticated(exchange.ask(exchange.assertion(new_private_jwk("ES384"), jti=jti)), NOT_OURS)
    assert exchange.ask(exchange.assertion(jti=jti)).status_code == 200


# --- nonsense


@pytest.mark.parametrize("assertion", ["a", "a.b", "..", "a.b.c", "a.b.c.d", "\u00e9.\u00e9.\u00e9"])
def test_what_is_no_jwt_is_refused(exchange: Exchange, assertion: str) -> None:
    assert_not_authenticated(exchange.ask(assertion))


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"alg": "ES384"},
        {"alg": ["ES384"]},
        {"alg": "ES384", "crit": 5},
        {"alg": "ES384", "b64": False, "crit": ["b64"]},
        b"[]",
        b"7",
        b'["alg"]',
        b'"alg"',
    ],
)
def test_nonsense_in_a_jwt_is_refused(exchange: Exchange, header: Any) -> None:
    for payload in ({"sub": "blueridge-client"}, b"[]", b"7", b"\xff\xfe", b"[" * 6000, b"9" * 6000):
        for signature in ("", "AAAA", "!"):
            assert_not_authenticated(exchange.ask(f"{segment(header)}.{segment(payload)}.{signature}"))
