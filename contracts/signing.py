"""Signatures: a detached JWS (RFC 7515, appendix F) over the canonical document.

The signer's name and title stand in the protected header, so the signature covers them too.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key
from joserfc.registry import HeaderParameter

from contracts.canonical import canonical_bytes
from contracts.parties import JsonObject
from contracts.refusals import Fault, SignatureInvalid

# "EdDSA" is the older name of Ed25519 signatures (RFC 8037), which RFC 9864 replaces; libraries write either.
ALGORITHMS = ("ES384", "PS256", "Ed25519", "EdDSA")
MAX_JWS_LENGTH = 8192
_HEADERS = {
    "signer_name": HeaderParameter("Name of the person who signs", "str", True),
    "signer_title": HeaderParameter("Title of the person who signs", "str", True),
}
_ALLOWED_HEADERS = {"alg", "kid", "typ", *_HEADERS}


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


def key_members(public_key: JsonObject) -> tuple[str, ...]:
    """What makes the key, whatever it is called: equal for equal keys (the members of RFC 7638)."""
    return tuple(str(public_key.get(name)) for name in ("kty", "crv", "x", "y", "n", "e"))


def _accepted(public_key: JsonObject) -> list[str]:
    algorithm = algorithm_for(public_key)
    return ["Ed25519", "EdDSA"] if algorithm == "Ed25519" else [algorithm]


def sign(document: JsonObject, private_key: JsonObject, signer_name: str, signer_title: str) -> str:
    """A detached compact JWS. `private_key` is a JWK with a `kid`; it never leaves the signer's machine."""
    header = {
        "alg": algorithm_for(private_key),
        "kid": private_key["kid"],
        "signer_name": signer_name,
        "signer_title": signer_title,
    }
    members = {name: value for name, value in private_key.items() if name not in ("use", "alg", "key_ops")}
    compact = jws.serialize_compact(header, canonical_bytes(document), import_key(members), registry=_registry())
    head, _, signature = compact.split(".")
    return f"{head}..{signature}"


def read_header(detached: str) -> SignedBy:
    """What the signature says of itself, not yet believed. Raises SignatureInvalid."""
    header = _header(detached)
    names = {name: header.get(name) for name in ("kid", "signer_name", "signer_title")}
    if not all(isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() for value in names.values()):
        raise _invalid("the protected header needs kid, signer_name and signer_title, each a short printable text")
    if set(header) - _ALLOWED_HEADERS:
        raise _invalid(f"the protected header holds only {', '.join(sorted(_ALLOWED_HEADERS))}")
    return SignedBy(**{name: str(value) for name, value in names.items()})


def verify(document: JsonObject, detached: str, public_key: JsonObject) -> SignedBy:
    """Check a detached JWS against the document and the registered key. Raises SignatureInvalid."""
    signed_by = read_header(detached)
    head, _, signature = detached.split(".")
    payload = base64.urlsafe_b64encode(canonical_bytes(document)).rstrip(b"=").decode()
    try:
        key: Key | KeySet = import_key(public_key)
        jws.deserialize_compact(
            f"{head}.{payload}.{signature}", key, algorithms=_accepted(public_key), registry=_registry()
        )
    except (JoseError, ValueError):
        raise _invalid("the signature does not fit the proposed document and the registered key") from None
    return signed_by


def _header(detached: str) -> dict[str, Any]:
    parts = detached.split(".")
    if len(detached) > MAX_JWS_LENGTH or len(parts) != 3 or parts[1] or not parts[0] or not parts[2]:
        raise _invalid("a detached JWS reads `header..signature` (RFC 7515, appendix F)")
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, RecursionError):
        raise _invalid("the protected header is not base64url of a JSON object") from None
    if not isinstance(header, dict):
        raise _invalid("the protected header is not a JSON object")
    return header


def _registry() -> jws.JWSRegistry:
    return jws.JWSRegistry(header_registry=_HEADERS, algorithms=list(ALGORITHMS))


def _invalid(message: str) -> SignatureInvalid:
    return SignatureInvalid("The signature was not accepted.", faults=(Fault("/jws", "signature_invalid", message),))
