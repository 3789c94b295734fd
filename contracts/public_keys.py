"""What may be registered to prove who a client is, or to sign contracts with: public keys, or where a client publishes
its own."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey, import_key

from contracts.parties import JsonObject
from contracts.refusals import Fault, RegistrationInvalid
from contracts.signing import algorithm_for, is_weak, plain_key, thumbprint

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
URL_LENGTH_MAX: Final = 2048
_KID = re.compile(r"(?!\.)[A-Za-z0-9._~-]{1,128}")
_KINDS = {("EC", "P-256"), ("EC", "P-384"), ("OKP", "Ed25519"), ("RSA", "")}
_PUBLIC_MEMBERS = {"kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops"}
_URL = re.compile(rf"[!-~]{{1,{URL_LENGTH_MAX}}}")
_HOST = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}")


def signing_jwk(key: JsonObject, pointer: str) -> JsonObject:
    """A public JWK of a kind that signs contracts, as it is registered. Raises RegistrationInvalid."""
    jwk = public_jwk(key, pointer)
    try:
        algorithm_for(jwk)
    except ValueError as error:
        raise invalid(pointer, "key_not_usable", str(error)) from None
    return jwk


def public_jwk(key: JsonObject, pointer: str) -> JsonObject:
    """A public JWK with a `kid` (its RFC 7638 thumbprint unless given). Raises RegistrationInvalid.

    A private or symmetric key is refused, so that none is ever stored by accident.
    """
    kind = str(key.get("kty")), str(key.get("crv", ""))
    if set(key) - _PUBLIC_MEMBERS or kind not in _KINDS:
        message = "a public JWK, EC (P-256 or P-384), OKP (Ed25519) or RSA, without private members"
        raise invalid(pointer, "key_not_public", message)
    try:
        imported = import_key(key)
        imported.ensure_kid()
    except (JoseError, ValueError, TypeError, KeyError):
        raise invalid(pointer, "key_not_usable", "this JWK cannot be read") from None
    if isinstance(imported, RSAKey):
        _require_sound_rsa(imported, pointer)
    if is_weak(key):
        message = "this is no point that a key pair has: one signature by it fits every text; make a new pair"
        raise invalid(pointer, "key_not_usable", message)
    if not _KID.fullmatch(str(imported.kid)):
        message = "a kid is up to 128 letters, digits and . _ ~ -, and begins with no dot"
        raise invalid(pointer, "key_not_usable", message)
    # Which algorithm goes with a key is decided here, by its type; what the JWK says of its use is left out.
    plain = plain_key(key)
    return {**plain, "kid": str(key.get("kid") or thumbprint(plain))}


def _require_sound_rsa(key: RSAKey, pointer: str) -> None:
    if not MIN_RSA_BITS <= key.raw_value.key_size <= MAX_RSA_BITS:
        raise invalid(pointer, "key_not_usable", f"an RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if key.public_key.public_numbers().n % 2 == 0:
        raise invalid(pointer, "key_not_usable", "an RSA modulus is the product of two large primes, and so odd")


def split_url(url: str) -> SplitResult:
    """An absolute http(s) URL that names no user and no place within. Raises ValueError with what it should be."""
    try:
        parts = urlsplit(url)
        sound = (
            _URL.fullmatch(url) is not None
            and parts.scheme in ("http", "https")
            and _HOST.fullmatch(parts.hostname or "") is not None
            and parts.port != 0
        )
    except ValueError:  # of a port or an address that is none
        sound = False
    if not sound or "@" in parts.netloc or "#" in url or "\\" in url:
        raise ValueError("an https URL with a host, in ASCII, without user, password or fragment")
    return parts


def published_at(url: str, pointer: str) -> str:
    """The URL of a client's keys, https but on this very machine. Where it leads is looked at when it is asked.

    Raises RegistrationInvalid.
    """
    try:
        parts = split_url(url)
        if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
            raise ValueError("keys are published at an https URL")
    except ValueError as error:
        raise invalid(pointer, "url_not_usable", str(error)) from None
    return url


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def not_apart(pointer: str) -> RegistrationInvalid:
    message = "a signing key is no client key: whoever steals the one could else use it as the other"
    return invalid(pointer, "key_not_apart", message)


def invalid(pointer: str, code: str, message: str) -> RegistrationInvalid:
    return RegistrationInvalid("The registration has faults.", faults=(Fault(pointer, code, message),))
