"""The keys that the exchange signs with, access tokens and receipts: read once at start, held parsed, published without
private members."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.jwk import ECKey, GuestProtocol, Key, OKPKey, RSAKey, generate_key

from api.auth.jose import (
    DeterministicEcdsa,
    KeyUnsuitable,
    StrictRegistry,
    TokenUnreadable,
    UnverifiedToken,
    import_sound_key,
    named_algorithms,
    open_token,
    public_members,
    verify_token,
)
from contracts.parties import JsonObject

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105  # the media type of RFC 9068, not a secret
ACCESS_TOKEN_TYPES = (ACCESS_TOKEN_TYPE, f"application/{ACCESS_TOKEN_TYPE}")
RECEIPT_TYPE = "parley-receipt+jwt"


class KeyRing(ABC):
    """A JWK or JWK set that signs one type of token. The first signs; all verify and are published, so that keys can
    rotate. `noun` is for messages, `types` are the `typ` that its tokens may bear, the first what they get."""

    noun: ClassVar[str]
    types: ClassVar[tuple[str, ...]]

    def __init__(self, jwks: Iterable[Mapping[str, object]]) -> None:
        keys = [self.sound_key(jwk) for jwk in jwks]
        if not keys:
            raise KeyUnsuitable(f"The set of {self.noun} keys is empty.")
        self._keys = {_text(key, "kid"): key for key in keys}
        if len(self._keys) < len(keys):
            raise KeyUnsuitable(f"Two {self.noun} keys have the same kid.")
        self._first = keys[0]
        algorithms = sorted({_text(key, "alg") for key in keys})
        self._registry = StrictRegistry(named_algorithms(*algorithms), self.types)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read one JWK, or a set. Raises `KeyUnsuitable`, whose text never quotes the input."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise KeyUnsuitable(f"The {cls.noun} keys are not JSON.") from None
        jwks = document.get("keys", [document]) if isinstance(document, dict) else None
        if not isinstance(jwks, list) or not all(isinstance(jwk, dict) for jwk in jwks):
            raise KeyUnsuitable(f"The {cls.noun} keys must be one JWK or a JWK set (RFC 7517).")
        return cls(jwks)

    @classmethod
    def generate(cls) -> Self:
        """A fresh key, for development: what it signs is published for as long as the process lives."""
        return cls([new_private_jwk("ES256")])

    @classmethod
    @abstractmethod
    def sound_key(cls, jwk: Mapping[str, object]) -> Key:
        """The key with `kid`, `alg` and `use` fixed, so that a header can never choose another algorithm.

        Raises `KeyUnsuitable`.
        """

    def sign(self, claims: JsonObject) -> str:
        """A token with these claims; always names its type and its key."""
        header = {"alg": _text(self._first, "alg"), "kid": _text(self._first, "kid"), "typ": self.types[0]}
        return jwt.encode(header, claims, self._first, registry=self._registry)

    def read(self, token: str) -> JsonObject:
        """The claims of a token that one of these keys signed. Raises `TokenUnreadable`."""
        opened = open_token(token)
        self.verify(opened)
        return opened.claims

    def verify(self, token: UnverifiedToken) -> None:
        """Raises `TokenUnreadable` unless one of these keys signed it, as one of these types."""
        if "typ" not in token.header:  # any other JWT of ours would pass for one of this type
            raise TokenUnreadable
        verify_token(token, self._find, self._registry)

    def public_jwks(self) -> JsonObject:
        """The JWK set that is published."""
        return {"keys": [public_members(key.dict_value) for key in self._keys.values()]}

    def thumbprints(self) -> frozenset[str]:
        """What makes each key, whatever its `kid` says (RFC 7638)."""
        return frozenset(key.thumbprint() for key in self._keys.values())

    def _find(self, signature: GuestProtocol) -> Key:
        kid = signature.headers().get("kid")
        if not isinstance(kid, str) or kid not in self._keys:
            raise TokenUnreadable
        return self._keys[kid]


class TokenKeys(KeyRing):
    """The private keys that sign access tokens."""

    noun = "token"
    types = ACCESS_TOKEN_TYPES

    @classmethod
    def sound_key(cls, jwk: Mapping[str, object]) -> Key:
        key = import_sound_key(jwk)
        if isinstance(key, OKPKey) or not key.is_private:
            raise KeyUnsuitable("Access tokens are signed by a private key on P-256 or P-384, or RSA.")
        algorithm = _algorithm_of(key)
        if jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
            raise KeyUnsuitable("A token key signs ES256 (P-256), ES384 (P-384) or RS256 (RSA), with use `sig`.")
        return _fixed(jwk, key, algorithm)


class ReceiptReader(KeyRing):
    """The published keys that verify receipts."""

    noun = "receipt"
    types = (RECEIPT_TYPE,)

    @classmethod
    def sound_key(cls, jwk: Mapping[str, object]) -> Key:
        key = import_sound_key(jwk)
        algorithm = _algorithm_of(key)
        if not isinstance(key, ECKey) or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
            raise KeyUnsuitable("A receipt key signs ES256 (P-256) or ES384 (P-384), with use `sig`.")
        return _fixed(jwk, key, algorithm)


class ReceiptKeys(ReceiptReader):
    """The keys that sign receipts. A receipt outlives its key: of a retired one, the public half stays in the set."""

    def __init__(self, jwks: Iterable[Mapping[str, object]]) -> None:
        super().__init__(jwks)
        if not self._first.is_private:
            raise KeyUnsuitable("The first of the receipt keys signs: it must be a private key.")
        algorithms = [DeterministicEcdsa("ES256", "P-256", 256), DeterministicEcdsa("ES384", "P-384", 384)]
        self._registry = StrictRegistry(algorithms, self.types)

    def derive_secrets(self, label: str) -> tuple[bytes, ...]:
        """A secret for another use, 32 bytes of each private key, the signing one's first (HKDF, RFC 5869)."""
        private = (key.private_key for key in self._keys.values() if isinstance(key, ECKey) and key.private_key)
        return tuple(
            HKDF(SHA256(), 32, salt=None, info=label.encode()).derive(key.private_numbers().private_value.to_bytes(48))
            for key in private
        )


def new_private_jwk(algorithm: str = "ES384") -> JsonObject:
    """A new private JWK with its RFC 7638 thumbprint as `kid`, for a client, a signer or this server.

    algorithm: ES256, ES384, Ed25519 or RS384. Raises `KeyUnsuitable` for any other.
    """
    key: Key
    if algorithm in ("ES256", "ES384"):
        key = generate_key("EC", "P-256" if algorithm == "ES256" else "P-384")
    elif algorithm == "Ed25519":
        key = generate_key("OKP", "Ed25519")
    elif algorithm == "RS384":
        key = generate_key("RSA", 3072)
    else:
        raise KeyUnsuitable("New keys are made for ES256, ES384, Ed25519 or RS384.")
    return {**key.as_dict(private=True), "kid": key.thumbprint(), "use": "sig", "alg": algorithm}


def _fixed(jwk: Mapping[str, object], key: Key, algorithm: str) -> Key:
    kid = jwk.get("kid") or key.thumbprint()
    return import_sound_key({**jwk, "kid": kid, "alg": algorithm, "use": "sig"})


def _algorithm_of(key: Key) -> str:
    if isinstance(key, RSAKey):
        return "RS256"
    if isinstance(key, ECKey) and key.curve_name == "P-256":
        return "ES256"
    return "ES384"


def _text(key: Key, member: str) -> str:
    return str(key[member])
