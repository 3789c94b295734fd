"""Key files: one JWK (RFC 7517) each. No message ever quotes one."""

from pathlib import Path

from joserfc.jwk import Key

from api.auth.jose import KeyUnsuitable, import_sound_key
from api.cli.files import read_json
from api.cli.output import Failure
from contracts.parties import JsonObject


def read_private_key(path: Path) -> JsonObject:
    """A private JWK with a `kid`: its own, or the thumbprint that the exchange gives it. Raises Failure."""
    jwk = _read_jwk(path)
    key = _sound(jwk, path)
    if not key.is_private:
        raise Failure(f"{path} holds a public key; this needs the private one.")
    return {**jwk, "kid": jwk.get("kid") or key.thumbprint()}


def read_public_key(path: Path) -> JsonObject:
    """A public JWK. Raises Failure; a private key is refused before it goes anywhere."""
    jwk = _read_jwk(path)
    if _sound(jwk, path).is_private:
        raise Failure(f"{path} holds a private key; give the public one, and keep this to yourself.")
    return jwk


def _read_jwk(path: Path) -> JsonObject:
    jwk = read_json(path)
    if not isinstance(jwk, dict):
        raise Failure(f"{path} holds no JWK: a key file is one JSON object (RFC 7517).")
    return jwk


def _sound(jwk: JsonObject, path: Path) -> Key:
    try:
        return import_sound_key(jwk)
    except KeyUnsuitable as unsuitable:
        raise Failure(f"{path}: {unsuitable}") from None
