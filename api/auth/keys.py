"""The keys that sign access tokens: read once at start, held parsed, published without private members."""

import json
from collections.abc import Iterable, Mapping
from typing import Self

from joserfc import jwt
from joserfc.jwk import ECKey, GuestProtocol, Key, OKPKey, RSAKey, generate_key

from api.auth.jose import (
    KeyUnsuitable,
    StrictRegistry,
    TokenUnreadable,
    import_sound_key,
    named_algorithms,
    public_members,
    read_token,
)
from contracts.parties import JsonObject

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105  # the media type of RFC 9068, not a secret
ACCESS_TOKEN_TYPES = (ACCESS_TOKEN_TYPE, f"application/{ACCESS_TOKEN_TYPE}")


class TokenKeys:
    """A private JWK or JWK set. The first signs; all verify and are published, so that keys can rotate."""

    def __init__(self, jwks: Iterable[Mapping[str, object]]) -> None:
        keys = [_token_key(jwk) for jwk in jwks]
        if not keys:
            raise KeyUnsuitable("The set of token keys is empty.")
        self._keys = {_text(key, "kid"): key for key in keys}
        if len(self._keys) < len(keys):
            raise KeyUnsuitable("Two token keys have the same kid.")
        self._signer = keys[0]
        algorithms = sorted({_text(key, "alg") for key in keys})
        self._registry = StrictRegistry(named_algorithms(*algorithms), ACCESS_TOKEN_TYPES)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read one private JWK, or a set. Raises `KeyUnsuitable`, whose text never quotes the input."""
        try:
            document = json.loads(text)
        except ValueError:
            raise KeyUnsuitable("The token keys are not JSON.") from None
        jwks = document.get("keys", [document]) if isinstance(document, dict) else None
        if not isinstance(jwks, list) or not all(isinstance(jwk, dict) for jwk in jwks):
            raise KeyUnsuitable("The token keys must be one JWK or a JWK set (RFC 7517).")
        return cls(jwks)

    @classmethod
    def generate(cls) -> Self:
        """A fresh key, for development: tokens signed with it end with the process."""
        return cls([new_private_jwk("ES256")])

    def sign(self, token_claims: JsonObject) -> str:
        """An access token with these token claims; always names its key."""
        header = {
            "alg": _text(self._signer, "alg"),
            "kid": _text(self._signer, "kid"),
            "typ": ACCESS_TOKEN_TYPE,
        }
        return jwt.encode(header, token_claims, self._signer, registry=self._registry)

    def read(self, token: str) -> JsonObject:
        """The token claims of an access token that one of these keys signed. Raises `TokenUnreadable`."""
        read = read_token(token, self._find, self._registry)
        if "typ" not in read.header:  # any other JWT of ours would pass for an access token
            raise TokenUnreadable
        return read.claims

    def _find(self, signature: GuestProtocol) -> Key:
        kid = signature.headers().get("kid")
        if not isinstance(kid, str) or kid not in self._keys:
            raise TokenUnreadable
        return self._keys[kid]

    def public_jwks(self) -> JsonObject:
        """The JWK set for `/.well-known/jwks.json`."""
        return {"keys": [public_members(key.dict_value) for key in self._keys.values()]}


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


def _token_key(jwk: Mapping[str, object]) -> Key:
    """Private key with `kid`, `alg` and `use` fixed, so that a header can never choose another algorithm."""
    key = import_sound_key(jwk)
    if isinstance(key, OKPKey) or not key.is_private:
        raise KeyUnsuitable("Access tokens are signed by a private key on P-256 or P-384, or RSA.")
    algorithm = _algorithm_of(key)
    if jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        raise KeyUnsuitable("A token key signs ES256 (P-256), ES384 (P-384) or RS256 (RSA), with use `sig`.")
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
