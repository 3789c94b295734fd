"""A signature counts when the right organisation signed this very document with a key registered for it."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from joserfc import jws
from joserfc.jwk import import_key

from api.auth.jose import public_members
from api.auth.keys import new_private_jwk
from contracts.parties import JsonObject, Scope
from contracts.signing import sign
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, SmallExchange, public, small_contract

PATH = f"/v1/contracts/{CONTRACT}"
SIGNATURES = f"{PATH}/signatures"
WHO = ("Ann Officer", "Privacy Officer")


@pytest.fixture
def proposed(small: SmallExchange) -> SmallExchange:
    small.post(BRAND, "/v1/contracts", small_contract())
    assert small.post(BRAND, f"{PATH}/proposal").status_code == 200
    return small


def document(small: SmallExchange) -> JsonObject:
    return dict(small.get(BRAND, PATH).get_json()["document"])


def encoded(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def header(small: SmallExchange, **changes: Any) -> JsonObject:
    key = small.signing_keys["sierra"]
    full = {"alg": "ES384", "kid": key["kid"], "signer_name": WHO[0], "signer_title": WHO[1], **changes}
    return {name: value for name, value in full.items() if value is not None}


def two_signers(small: SmallExchange) -> bytes:
    """A header that some readers would read as Ann's and some as Eve's."""
    return json.dumps(header(small))[:-1].encode() + b', "signer_name": "Eve"}'


def truly_signed(small: SmallExchange, head: JsonObject | bytes) -> str:
    """By sierra's own key over the right document, whatever the header says: only the header is at fault."""
    signing_input = f"{encoded(head)}.{encoded(rfc8785.dumps(document(small)))}".encode()
    key = import_key(small.signing_keys["sierra"])
    signature = jws.JWSRegistry.algorithms["ES384"].sign(signing_input, key)
    return f"{encoded(head)}..{encoded(signature)}"


def by(key: str) -> Callable[[SmallExchange], str]:
    return lambda small: sign(document(small), small.signing_keys[key], *WHO)


def with_new_key(small: SmallExchange) -> str:
    return sign(document(small), new_private_jwk("ES384"), *WHO)


def with_new_key_under_the_registered_name(small: SmallExchange) -> str:
    key = new_private_jwk("ES384") | {"kid": small.signing_keys["sierra"]["kid"]}
    return sign(document(small), key, *WHO)


def tampered(small: SmallExchange) -> str:
    return sign(document(small) | {"title": "Other"}, small.signing_keys["sierra"], *WHO)


def of_the_draft(small: SmallExchange) -> str:
    return sign(small_contract(), small.signing_keys["sierra"], *WHO)


def of_another_contract(small: SmallExchange) -> str:
    small.post(BRAND, "/v1/contracts", small_contract(id="dsc-other"))
    other = small.post(BRAND, "/v1/contracts/dsc-other/proposal").get_json()["document"]
    return sign(other, small.signing_keys["sierra"], *WHO)


def with_payload(small: SmallExchange) -> str:
    head, _, signature = by("sierra")(small).split(".")
    return f"{head}.{encoded(b'{}')}.{signature}"


def hmac_with_the_public_key(small: SmallExchange) -> str:
    head = header(small, alg="HS256")
    return f"{encoded(head)}..{encoded(b'0' * 32)}"


def signed_with(**changes: Any) -> Callable[[SmallExchange], str]:
    return lambda small: truly_signed(small, header(small, **changes))


WRONG: dict[str, tuple[Callable[[SmallExchange], str], str]] = {
    "a key registered for nobody": (with_new_key, "signing_key_unknown"),
    "the key of another organisation": (by("lakeshore"), "signing_key_unknown"),
    "another key under the registered name": (with_new_key_under_the_registered_name, "signature_invalid"),
    "another document": (tampered, "signature_invalid"),
    "the draft instead of the proposal": (of_the_draft, "signature_invalid"),
    "another contract": (of_another_contract, "signature_invalid"),
    "a payload of its own": (with_payload, "signature_invalid"),
    "an unknown kid": (signed_with(kid="nobody"), "signing_key_unknown"),
    "a kid with a NUL": (signed_with(kid="a\u0000b"), "signature_invalid"),
    "a header too many": (signed_with(jku="https://evil.example"), "signature_invalid"),
    "a key brought along": (signed_with(jwk={"kty": "oct", "k": "AA"}), "signature_invalid"),
    "crit": (signed_with(crit=["b64"], b64=False), "signature_invalid"),
    "no alg": (signed_with(alg=None), "signature_invalid"),
    "alg none": (lambda small: f"{encoded(header(small, alg='none'))}..{encoded(b'x')}", "signature_invalid"),
    "alg none and nothing": (lambda small: f"{encoded(header(small, alg='none'))}..", "signature_invalid"),
    "alg HS256": (hmac_with_the_public_key, "signature_invalid"),
    "an alg of another key type": (signed_with(alg="PS256"), "signature_invalid"),
    "alg ES256": (signed_with(alg="ES256"), "signature_invalid"),
    "alg RS256": (signed_with(alg="RS256"), "signature_invalid"),
    "a signer twice in the header": (lambda small: truly_signed(small, two_signers(small)), "signature_invalid"),
    "the typ of a statement about a key": (signed_with(typ="parley-key-endorsement+jws"), "signature_invalid"),
    "an alg that is a number": (signed_with(alg=384), "signature_invalid"),
    "an alg that is a list": (signed_with(alg=["ES384"]), "signature_invalid"),
    "an alg that is an object": (signed_with(alg={}), "signature_invalid"),
    "a typ that is a list": (signed_with(typ=[]), "signature_invalid"),
    "no signer": (signed_with(signer_name=None), "signature_invalid"),
    "an empty signer": (signed_with(signer_name=""), "signature_invalid"),
    "a signer that is a number": (signed_with(signer_title=7), "signature_invalid"),
    "a signer of great length": (signed_with(signer_name="x" * 201), "signature_invalid"),
    "a header that is no object": (lambda _: f"{encoded([1])}..{encoded(b'x')}", "signature_invalid"),
    "a header of great depth": (lambda _: f"{encoded(b'[' * 5000)}..{encoded(b'x')}", "signature_invalid"),
    "a header that is no JSON": (lambda _: f"{encoded(b'{')}..{encoded(b'x')}", "signature_invalid"),
    "a header that is no base64": (lambda _: "a..b", "signature_invalid"),
    "letters from elsewhere": (lambda small: by("sierra")(small)[:-2] + "ää", "signature_invalid"),
    "a cut signature": (lambda small: by("sierra")(small)[:-6], "signature_invalid"),
    "no dots": (lambda _: "abc", "signature_invalid"),
    "three dots": (lambda small: by("sierra")(small) + ".", "signature_invalid"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_signature_is_refused_and_leaves_nothing(proposed: SmallExchange, name: str) -> None:
    make, fault = WRONG[name]

    answered = proposed.post("sierra", SIGNATURES, {"jws": make(proposed)})

    assert_problem(answered, 422, "signature-invalid", "/jws", fault)
    view = proposed.get("sierra", PATH).get_json()
    assert (view["signatures"], view["status"]) == ([], "proposed")


def test_a_foreigner_cannot_sign(proposed: SmallExchange) -> None:
    assert_problem(
        proposed.post("foreigner", SIGNATURES, {"jws": by("foreigner")(proposed)}), 404, "contract-not-found"
    )


def test_an_organisation_signs_once(proposed: SmallExchange) -> None:
    assert proposed.sign("sierra").status_code == 201

    assert_problem(proposed.sign("sierra"), 409, "already-exists")
    assert len(proposed.get("sierra", PATH).get_json()["signatures"]) == 1


def test_a_signature_counts_for_its_own_organisation_only(proposed: SmallExchange) -> None:
    signature = by("sierra")(proposed)
    assert proposed.post("sierra", SIGNATURES, {"jws": signature}).status_code == 201

    assert_problem(
        proposed.post("lakeshore", SIGNATURES, {"jws": signature}),
        422,
        "signature-invalid",
        "/jws",
        "signing_key_unknown",
    )


@pytest.mark.parametrize("algorithm", ["ES384", "Ed25519", "RS384"])
def test_every_kind_of_key_that_can_be_registered_for_signing_signs(proposed: SmallExchange, algorithm: str) -> None:
    key = new_private_jwk(algorithm)
    proposed.wiring.registering.add_signing_key("sierra", public_members(key))

    answered = proposed.post("sierra", SIGNATURES, {"jws": sign(document(proposed), key, *WHO)})

    assert answered.status_code == 201, answered.get_json()
    assert answered.get_json()["signatures"][0]["kid"] == key["kid"]


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "PS384", "PS512"])
def test_a_key_signs_by_its_one_algorithm_only(proposed: SmallExchange, algorithm: str) -> None:
    key = new_private_jwk("RS384")
    proposed.wiring.registering.add_signing_key("sierra", public_members(key))
    head = header(proposed, alg=algorithm, kid=key["kid"])
    signing_input = f"{encoded(head)}.{encoded(rfc8785.dumps(document(proposed)))}".encode()
    signature = jws.JWSRegistry.algorithms[algorithm].sign(signing_input, import_key(key))

    refused = proposed.post("sierra", SIGNATURES, {"jws": f"{encoded(head)}..{encoded(signature)}"})

    assert_problem(refused, 422, "signature-invalid", "/jws", "signature_invalid")


@pytest.mark.parametrize("name", ["sierra", "second"])
def test_a_signature_that_is_sent_again_counts_once_whichever_client_sends_it(
    proposed: SmallExchange, name: str
) -> None:
    signature = by("sierra")(proposed)
    proposed.client_keys["second"] = new_private_jwk("ES256")
    scopes = frozenset({Scope.CONTRACTS_READ, Scope.CONTRACTS_SIGN})
    proposed.wiring.registering.add_client("sierra", "second-client", scopes, (public(proposed.client_keys["second"]),))
    assert proposed.post("sierra", SIGNATURES, {"jws": signature}).status_code == 201

    assert_problem(proposed.post(name, SIGNATURES, {"jws": signature}), 409, "already-exists")
    assert len(proposed.get("sierra", PATH).get_json()["signatures"]) == 1


def test_a_signature_of_one_version_is_none_of_the_next(proposed: SmallExchange) -> None:
    """Nor of one that says the same but for its number."""
    signatures = {name: by(name)(proposed) for name in (*PAYERS, BRAND)}
    for name, signature in signatures.items():
        assert proposed.post(name, SIGNATURES, {"jws": signature}).status_code == 201
    digest = proposed.get(BRAND, PATH).get_json()["digest"]
    amended = proposed.post(BRAND, f"{PATH}/versions", small_contract(version=2, previous_digest=digest))
    assert amended.status_code == 201, amended.get_json()
    assert proposed.post(BRAND, f"{PATH}/proposal").status_code == 200

    for name, signature in signatures.items():
        moved = proposed.post(name, SIGNATURES, {"jws": signature})
        assert_problem(moved, 422, "signature-invalid", "/jws", "signature_invalid")
    assert proposed.get(BRAND, PATH, version="2").get_json()["signatures"] == []
    assert proposed.get(BRAND, PATH).get_json()["version"] == 1


def test_a_signature_is_none_of_a_contract_that_differs_in_its_id_alone(proposed: SmallExchange) -> None:
    signature = by("sierra")(proposed)
    proposed.post(BRAND, "/v1/contracts", small_contract(id="dsc-other"))
    assert proposed.post(BRAND, "/v1/contracts/dsc-other/proposal").status_code == 200

    moved = proposed.post("sierra", "/v1/contracts/dsc-other/signatures", {"jws": signature})

    assert_problem(moved, 422, "signature-invalid", "/jws", "signature_invalid")


@pytest.mark.parametrize(
    "body", [{}, {"jws": ""}, {"jws": None}, {"jws": 7}, {"jws": "x" * 9000}, {"jws": "a..b", "more": 1}], ids=ascii
)
def test_a_request_that_holds_no_signature_is_malformed(proposed: SmallExchange, body: JsonObject) -> None:
    assert_problem(proposed.post("sierra", SIGNATURES, body), 422, "input-invalid")
