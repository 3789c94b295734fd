"""What the exchange lets joserfc accept: named algorithms, sound keys, and no key that a header brings along.

By default joserfc refuses RS384 and ES384, accepts HS256, and ignores, not refuses, headers that bring a key.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwa import EdDSAAlgorithm, ESAlgorithm, JWSAlgModel
from joserfc.jwk import ECKey, Key, KeyFlexible, OKPKey, RSAKey, import_key
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact
from joserfc.registry import HeaderParameter, in_choices

from contracts.parties import JsonObject

PUBLIC_MEMBERS: Final = frozenset({"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops"})
CURVES: Final = frozenset({"P-256", "P-384", "Ed25519"})
RSA_BITS_MIN: Final = 2048

# What hostile input makes joserfc and json raise.
UNREADABLE: Final = (JoseError, ValueError, TypeError, KeyError, RecursionError)

# A header that brings or names a key (RFC 7515 4.1.2-4.1.6), or changes how the token is read (RFC 7797).
_REFUSED_HEADERS: Final = ("jku", "jwk", "x5u", "x5c", "crit", "b64")


class KeyUnsuitable(ValueError):
    """A key that this exchange will not use. The message names the defect and never quotes the key."""


class TokenUnreadable(Exception):
    """Not a token, not of an accepted kind, or not signed by the key it should be signed by."""


class NamedEdDSA(EdDSAAlgorithm):
    """Ed25519 under its RFC 8037 name, which most clients still write; RFC 9864 retires only the name."""

    security_warning = None  # type: ignore[assignment]


class DeterministicEcdsa(ESAlgorithm):
    """ECDSA whose nonce follows from key and message (RFC 6979): the same words get the same signature."""

    def sign(self, msg: bytes, key: ECKey) -> bytes:
        der = key.get_op_key("sign").sign(msg, ECDSA(self.hash_alg(), deterministic_signing=True))
        length = (key.curve_key_size + 7) // 8
        return b"".join(number.to_bytes(length, "big") for number in decode_dss_signature(der))


def named_algorithms(*names: str) -> list[JWSAlgModel]:
    """joserfc's algorithms of these names. Raises KeyError when it has none of that name."""
    known: dict[str, JWSAlgModel] = {**JWSRegistry.algorithms, "EdDSA": NamedEdDSA()}
    return [known[name] for name in names]


class StrictRegistry(JWSRegistry):
    """Knows the algorithms it is given and no others; refuses headers that could choose the key.

    checked_headers: those of them that whoever finds the key looks at itself.
    """

    def __init__(
        self, algorithms: Iterable[JWSAlgModel], types: Iterable[str], checked_headers: Iterable[str] = ()
    ) -> None:
        self.algorithms = {algorithm.name: algorithm for algorithm in algorithms}
        refused = [name for name in _REFUSED_HEADERS if name not in checked_headers]
        headers = {name: HeaderParameter("never accepted", "none") for name in refused}
        headers["typ"] = HeaderParameter("Type", in_choices(list(types)))
        # Other headers that we do not know are ignored, as RFC 7515 section 4 asks.
        super().__init__(headers, algorithms=frozenset(self.algorithms), strict_check_header=False)


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token as it came: what it says, before any key has been tried on it."""

    text: str
    header: JsonObject
    claims: JsonObject
    signature: CompactSignature


def open_token(token: str) -> UnverifiedToken:
    """What a token says of itself; believe none of it before `verify_token`. Raises `TokenUnreadable`."""
    try:
        signature = extract_compact(token.encode())
        claims = json.loads(signature.payload or b"")
    except UNREADABLE:
        raise TokenUnreadable from None
    if not isinstance(claims, dict):
        raise TokenUnreadable
    return UnverifiedToken(token, signature.headers(), claims, signature)


def verify_token(token: UnverifiedToken, key: KeyFlexible, registry: StrictRegistry) -> None:
    """Check its header, then its signature. Raises `TokenUnreadable`, without detail."""
    try:
        holds = validate_compact(token.signature, key, registry=registry)
    except UNREADABLE:
        raise TokenUnreadable from None
    if not holds:
        raise TokenUnreadable


def read_token(token: str, key: KeyFlexible, registry: StrictRegistry) -> jwt.Token:
    """Header and token claims, once the signature holds. Raises `TokenUnreadable`, without detail."""
    opened = open_token(token)
    verify_token(opened, key, registry)
    return jwt.Token(opened.header, opened.claims)


def public_members(jwk: Mapping[str, object]) -> JsonObject:
    """The public members of a JWK, by an allow-list: a private or unknown member never gets through."""
    return {name: value for name, value in jwk.items() if name in PUBLIC_MEMBERS}


def import_sound_key(jwk: Mapping[str, object]) -> Key:
    """The key, when its type and size are ones that we sign or verify with. Raises `KeyUnsuitable`."""
    try:
        key = import_key(dict(jwk))  # type: ignore[arg-type]  # joserfc checks the members itself
    except UNREADABLE:
        raise KeyUnsuitable("This is not a JWK (RFC 7517) of type EC, OKP or RSA.") from None
    if isinstance(key, RSAKey):
        if key.public_key.key_size < RSA_BITS_MIN:
            raise KeyUnsuitable(f"An RSA key needs at least {RSA_BITS_MIN} bits.")
    elif not isinstance(key, ECKey | OKPKey) or key.curve_name not in CURVES:
        raise KeyUnsuitable("Use RSA, or EC on P-256 or P-384, or Ed25519.")
    return key
