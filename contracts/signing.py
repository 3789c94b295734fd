"""Signatures: a detached JWS (RFC 7515, appendix F) over the canonical form of what is signed.

That is a contract, with the signer's name and title in the protected header so that the signature covers them too; or
a statement about a signing key. The two never pass for each other: a statement says its kind in `typ` (RFC 8725,
section 3.11) and names nobody, a contract's signature has no such `typ` and names somebody.
"""

import base64
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey, import_key
from joserfc.registry import HeaderParameter

from contracts.canonical import canonical_bytes
from contracts.parties import JsonObject
from contracts.refusals import Fault, SignatureInvalid

# "EdDSA" is the older name of Ed25519 signatures (RFC 8037), which RFC 9864 replaces; libraries write either.
ALGORITHMS = ("ES384", "PS256", "Ed25519", "EdDSA")
MAX_JWS_LENGTH: Final = 8192
_MAX_PAYLOAD_LENGTH: Final = 2**28
_HEADERS = {
    "signer_name": HeaderParameter("Name of the person who signs", "str", True),
    "signer_title": HeaderParameter("Title of the person who signs", "str", True),
}
_ALLOWED_HEADERS = {"alg", "kid", "typ", *_HEADERS}
# What makes the key in a public JWK of the kinds that sign.
_KEY_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e")
# What a JWK that makes no sense makes joserfc raise.
_NO_KEY: Final = (JoseError, KeyError, TypeError, ValueError)
_ED25519_PRIME: Final = 2**255 - 19
# The y of the eight points of order 1, 2, 4 and 8; each y is that of x and of -x.
_Y_OF_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER: Final = frozenset({0, 1, _ED25519_PRIME - 1, _Y_OF_ORDER_8, _ED25519_PRIME - _Y_OF_ORDER_8})
# What RFC 7515, section 4.1.9 writes for any compact JWS, which says nothing.
_PLAIN_TYPES = (None, "JOSE")


class KeyStatement(StrEnum):
    """What is said of a new signing key, by its `typ`: a current key endorses it, and it proves itself."""

    ENDORSEMENT = "parley-key-endorsement+jws"
    PROOF = "parley-key-proof+jws"


@dataclass(frozen=True, slots=True)
class SignedBy:
    """What the protected header says."""

    kid: str
    signer_name: str
    signer_title: str


def algorithm_for(public_key: JsonObject) -> str:
    """The one algorithm that a key may sign contracts with. Raises ValueError for any other key."""
    match public_key.get("kty"), public_key.get("crv"):
        case "EC", "P-384":
            return "ES384"
        case "OKP", "Ed25519":
            return "Ed25519"
        case "RSA", _:
            return "PS256"
    raise ValueError("a signing key is EC P-384, Ed25519 or RSA")


def is_weak(public_key: JsonObject) -> bool:
    """Whether this is an Ed25519 point of small order, under which one signature fits every message, or one written in
    another way than RFC 8032, section 5.1.3, allows (y of p or more), which some libraries read and others do not."""
    if (public_key.get("kty"), public_key.get("crv")) != ("OKP", "Ed25519"):
        return False
    text = str(public_key.get("x", ""))
    point = int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "little")
    y = point % 2**255  # the highest bit is the sign of x
    return y >= _ED25519_PRIME or y in _SMALL_ORDER


def key_members(public_key: JsonObject) -> tuple[str, ...]:
    """What makes the key, whatever it is called: equal for equal keys (the members of RFC 7638)."""
    return tuple(str(public_key.get(name)) for name in _KEY_MEMBERS)


def plain_key(public_key: JsonObject) -> JsonObject:
    """The members that make the key and no others, in the one form they have: an integer that is written with zeros
    in front makes no other key. Raises ValueError, or what joserfc raises."""
    key = import_key({name: value for name, value in public_key.items() if name in _KEY_MEMBERS})
    if not isinstance(key, RSAKey | ECKey | OKPKey):
        raise ValueError("a signing key is EC P-384, Ed25519 or RSA")
    exported = type(key).import_key(key.as_der(private=False)).as_dict(private=False)
    return {name: value for name, value in exported.items() if name in _KEY_MEMBERS}


def thumbprint(public_key: JsonObject) -> str:
    """RFC 7638, of the plain key: equal for equal keys, whatever they are called. Raises as `plain_key`."""
    return import_key(plain_key(public_key)).thumbprint()


def find_thumbprint(public_key: JsonObject) -> str | None:
    """The same, of what may be no key at all."""
    try:
        return thumbprint(public_key)
    except _NO_KEY:
        return None


def _accepted(public_key: JsonObject) -> list[str]:
    algorithm = algorithm_for(public_key)
    return ["Ed25519", "EdDSA"] if algorithm == "Ed25519" else [algorithm]


def sign(document: JsonObject, private_key: JsonObject, signer_name: str, signer_title: str) -> str:
    """A detached compact JWS. `private_key` is a JWK with a `kid`; it never leaves the signer's machine."""
    return _sign(document, private_key, {"signer_name": signer_name, "signer_title": signer_title})


def sign_key_statement(
    statement: KeyStatement, organisation: str, public_key: JsonObject, private_key: JsonObject
) -> str:
    """public_key: the new one, as `contracts.registering.signing_jwk` writes it. private_key: a current one for an
    endorsement, the new one for its proof."""
    return _sign(_about(organisation, public_key), private_key, {"typ": statement.value})


def read_header(detached: str) -> SignedBy:
    """What a contract's signature says of itself, not yet believed. Raises SignatureInvalid."""
    header = _header(detached)
    names = {name: header.get(name) for name in ("kid", "signer_name", "signer_title")}
    if not all(isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() for value in names.values()):
        raise _invalid("the protected header needs kid, signer_name and signer_title, each a short printable text")
    if set(header) - _ALLOWED_HEADERS or header.get("typ") not in _PLAIN_TYPES:
        raise _invalid(f"the protected header holds only {', '.join(sorted(_ALLOWED_HEADERS))}, and typ is JOSE if any")
    return SignedBy(**{name: str(value) for name, value in names.items()})


def read_statement_kid(statement: KeyStatement, detached: str, pointer: str) -> str:
    """Which key a statement says it was made with, not yet believed. Raises SignatureInvalid."""
    header = _header(detached, pointer)
    kid = header.get("kid")
    if set(header) != {"alg", "kid", "typ"} or header["typ"] != statement or not isinstance(kid, str):
        raise _invalid(f"the protected header holds alg, kid and typ, which is {statement}", pointer)
    return kid


def verify(document: JsonObject, detached: str, public_key: JsonObject) -> SignedBy:
    """Check a detached JWS against the document and the registered key. Raises SignatureInvalid."""
    signed_by = read_header(detached)
    if not _fits(document, detached, public_key):
        raise _invalid("the signature does not fit the proposed document and the registered key")
    return signed_by


def verify_key_statement(
    statement: KeyStatement, organisation: str, public_key: JsonObject, detached: str, by: JsonObject, pointer: str
) -> None:
    """by: the public key it has to be made with; pointer: where the statement stands in the request.

    Raises SignatureInvalid.
    """
    read_statement_kid(statement, detached, pointer)
    if not _fits(_about(organisation, public_key), detached, by):
        raise _invalid("it was not made with that key over your organisation and the new public key", pointer)


def _about(organisation: str, public_key: JsonObject) -> JsonObject:
    return {"organisation": organisation, "public_key": public_key}


def _sign(payload: JsonObject, private_key: JsonObject, more: dict[str, str]) -> str:
    header = {"alg": algorithm_for(private_key), "kid": private_key["kid"], **more}
    members = {name: value for name, value in private_key.items() if name not in ("use", "alg", "key_ops")}
    registry = _registry(named="signer_name" in more)
    compact = jws.serialize_compact(header, canonical_bytes(payload), import_key(members), registry=registry)
    head, _, signature = compact.split(".")
    return f"{head}..{signature}"


def _fits(payload: JsonObject, detached: str, public_key: JsonObject) -> bool:
    head, _, signature = detached.split(".")
    encoded = base64.urlsafe_b64encode(canonical_bytes(payload)).rstrip(b"=").decode()
    registry = _registry(named="signer_name" in _header(detached))
    try:
        if is_weak(public_key):
            return False
        key: Key | KeySet = import_key(public_key)
        jws.deserialize_compact(
            f"{head}.{encoded}.{signature}", key, algorithms=_accepted(public_key), registry=registry
        )
    except _NO_KEY:
        return False
    return True


def _header(detached: str, pointer: str = "/jws") -> dict[str, Any]:
    parts = detached.split(".")
    if len(detached) > MAX_JWS_LENGTH or len(parts) != 3 or parts[1] or not parts[0] or not parts[2]:
        raise _invalid("a detached JWS reads `header..signature` (RFC 7515, appendix F)", pointer)
    try:
        text = base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4))
        header = json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        raise _invalid("the protected header is not base64url of a JSON object", pointer) from None
    if not isinstance(header, dict):
        raise _invalid("the protected header is not a JSON object", pointer)
    return header


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two signers in one header, some readers take the first and some the last (RFC 7515, section 4)."""
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a name stands twice")
    return found


def _registry(*, named: bool) -> jws.JWSRegistry:
    registry = jws.JWSRegistry(header_registry=_HEADERS if named else None, algorithms=list(ALGORITHMS))
    # joserfc's own limits are below the contracts and names that are taken here, which are bounded where they come in.
    registry.max_payload_length, registry.max_header_length = _MAX_PAYLOAD_LENGTH, MAX_JWS_LENGTH
    return registry


def _invalid(message: str, pointer: str = "/jws") -> SignatureInvalid:
    return SignatureInvalid("The signature was not accepted.", faults=(Fault(pointer, "signature_invalid", message),))
