"""The keys of the token endpoint: which are taken, what is published, and where the server may live."""

import base64
import hashlib
import json

import pytest
from joserfc.jwk import generate_key

from api.auth.jose import KeyUnsuitable, TokenUnreadable
from api.auth.keys import TokenKeys, new_private_jwk
from api.auth.metadata import SCOPE_MEANINGS, check_issuer
from contracts.parties import JsonObject, Scope

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def bare(kind: str, size: str | int) -> JsonObject:
    """A private JWK of nothing but its numbers."""
    return dict(generate_key(kind, size).as_dict(private=True))  # type: ignore[call-overload]


def thumbprint(jwk: JsonObject) -> str:
    """RFC 7638, written out anew."""
    members = ("e", "kty", "n") if jwk["kty"] == "RSA" else ("crv", "kty", "x", "y")
    text = json.dumps({name: jwk[name] for name in members}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("kind", "size", "algorithm"),
    [("EC", "P-256", "ES256"), ("EC", "P-384", "ES384"), ("RSA", 2048, "RS256")],
)
def test_a_bare_key_gets_its_thumbprint_as_kid_and_its_only_algorithm(
    kind: str, size: str | int, algorithm: str
) -> None:
    jwk = bare(kind, size)
    keys = TokenKeys.from_json(json.dumps(jwk))
    (published,) = keys.public_jwks()["keys"]
    assert published["kid"] == thumbprint(jwk)
    assert published["alg"] == algorithm
    assert published["use"] == "sig"
    assert not PRIVATE & set(published)
    assert keys.read(keys.sign({"sub": "a"})) == {"sub": "a"}


def test_a_given_kid_is_kept() -> None:
    keys = TokenKeys([{**bare("EC", "P-256"), "kid": "2026-03"}])
    assert keys.public_jwks()["keys"][0]["kid"] == "2026-03"


def test_a_set_signs_with_the_first_and_reads_all() -> None:
    old, new = new_private_jwk("ES256"), new_private_jwk("ES384")
    token = TokenKeys([old]).sign({"sub": "a"})
    both = TokenKeys.from_json(json.dumps({"keys": [new, old]}))
    assert [key["kid"] for key in both.public_jwks()["keys"]] == [new["kid"], old["kid"]]
    assert both.read(token) == {"sub": "a"}
    with pytest.raises(TokenUnreadable):
        TokenKeys([old]).read(both.sign({"sub": "a"}))


def test_members_we_do_not_know_are_never_published() -> None:
    keys = TokenKeys([{**new_private_jwk("ES256"), "backup_of_d": "secret", "k": "secret"}])
    assert "secret" not in json.dumps(keys.public_jwks())


def test_generated_keys_differ() -> None:
    assert TokenKeys.generate().public_jwks() != TokenKeys.generate().public_jwks()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "7",
        "{}",
        '{"keys": []}',
        '{"keys": 5}',
        '{"keys": [7]}',
        '{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}',
        '{"kty": "EC", "crv": "P-256", "d": "c2VjcmV0"}',
        '{"kty": "EC", "crv": "P-256", "d": "c2VjcmV0", "x": "c2VjcmV0", "y": "c2VjcmV0"}',
    ],
)
def test_what_is_no_private_key_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(KeyUnsuitable) as refused:
        TokenKeys.from_json(text)
    assert "c2VjcmV0" not in str(refused.value)


@pytest.mark.filterwarnings("ignore:Key size should be")
@pytest.mark.parametrize(
    ("kind", "size"),
    [("RSA", 1024), ("EC", "P-521"), ("EC", "secp256k1"), ("OKP", "Ed25519"), ("OKP", "X25519")],
)
def test_a_key_of_another_type_or_size_is_refused(kind: str, size: str | int) -> None:
    with pytest.raises(KeyUnsuitable):
        TokenKeys([bare(kind, size)])


@pytest.mark.parametrize("members", [{"alg": "HS256"}, {"alg": "ES384"}, {"use": "enc"}, {"kid": 5}, {"d": None}])
def test_a_key_with_unfitting_members_is_refused(members: JsonObject) -> None:
    with pytest.raises(KeyUnsuitable):
        TokenKeys([{**bare("EC", "P-256"), **members}])


def test_a_public_key_cannot_sign_and_is_refused() -> None:
    with pytest.raises(KeyUnsuitable):
        TokenKeys(TokenKeys.generate().public_jwks()["keys"])


def test_two_keys_of_one_kid_are_refused() -> None:
    with pytest.raises(KeyUnsuitable, match="kid"):
        TokenKeys([{**new_private_jwk("ES256"), "kid": "a"}, {**new_private_jwk("ES256"), "kid": "a"}])


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "Ed25519", "RS384"])
def test_a_new_key_names_its_algorithm_and_itself(algorithm: str) -> None:
    jwk = new_private_jwk(algorithm)
    assert jwk["alg"] == algorithm
    assert jwk["kid"]
    assert "d" in jwk


def test_a_new_key_of_another_algorithm_is_refused() -> None:
    with pytest.raises(KeyUnsuitable):
        new_private_jwk("HS256")


@pytest.mark.parametrize(
    "issuer",
    [
        "https://parley.example",
        "https://parley.example:8443",
        "http://127.0.0.1:8000",
        "http://localhost:8000",
        "http://[::1]:8000",
    ],
)
def test_an_issuer_is_an_origin(issuer: str) -> None:
    check_issuer(issuer)


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "parley.example",
        "http://parley.example",
        "https://parley.example/",
        "https://parley.example/a",
        "https://parley.example?a=b",
        "ftp://parley.example",
        "https://parley.example#a",
    ],
)
def test_anything_but_an_origin_is_no_issuer(issuer: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        check_issuer(issuer)


def test_every_scope_has_a_meaning() -> None:
    assert set(SCOPE_MEANINGS) == set(Scope)
