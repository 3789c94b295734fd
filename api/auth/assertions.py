"""Client assertions: how a client proves to the token endpoint who it is (RFC 7523, private_key_jwt)."""

import json
from datetime import UTC, datetime
from functools import cache, partial
from math import ceil
from typing import Any, Final, TypeGuard

from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import GuestProtocol, Key
from joserfc.jws import extract_compact
from joserfc.jwt import JWTClaimsRegistry

from adapters.identity.jwks import KeysUnreachable, PublishedKeys
from api.auth.jose import (
    UNREADABLE,
    KeyUnsuitable,
    StrictRegistry,
    TokenUnreadable,
    import_sound_key,
    named_algorithms,
    read_token,
)
from api.auth.keys import new_private_jwk
from api.logs import log_keys_unreachable
from contracts.parties import Client, JsonObject
from contracts.ports import Clock, Database
from contracts.public_keys import apart
from contracts.signing import plain_key

METHOD: Final = "private_key_jwt"
# RS384 and ES384 are what SMART Backend Services asks for; never HS*, which a public key could forge. By each, the kind
# of key that it takes: RSA, or the curve.
KINDS: Final = {"RS384": "RSA", "ES384": "P-384", "ES256": "P-256", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}
ALGORITHMS: Final = tuple(KINDS)
LIFETIME_SECONDS_MAX: Final = 300
LEEWAY_SECONDS: Final = 30
TEXT_LENGTH_MAX: Final = 255

_REGISTRY: Final = StrictRegistry(named_algorithms(*ALGORITHMS), ("JWT", "client-authentication+jwt"), ("jku",))


class ClientRefused(InvalidClientError):
    """The client is not authenticated. `description` is ours, so it may be shown to the client."""

    def __init__(self, description: str) -> None:
        super().__init__(description=description)


# One answer for an unknown client, an unknown key and a wrong signature: no way to find out who is a client.
NOT_OURS: Final = "No registered client has signed this assertion with one of its registered keys."


class _Nobody:
    """Stands for a client that is not registered: no key is its own."""

    client = None


_NOBODY: Final = _Nobody()


class PrivateKeyJwt(JWTBearerClientAssertion):
    """Authlib's assertion check with its defaults replaced.

    By default it allows HS256, RS256 and ES256 only, and lets an assertion live for years.
    """

    CLIENT_AUTH_METHOD = METHOD  # type: ignore[misc]  # the stubs call it final; it is made to be replaced

    def __init__(
        self, database: Database, clock: Clock, published_keys: PublishedKeys, audiences: frozenset[str]
    ) -> None:
        super().__init__(leeway=LEEWAY_SECONDS)
        self._database = database
        self._published_keys = published_keys
        self._clock = clock
        self._audiences = audiences

    def __call__(self, query_client: Any, request: Any) -> Any:
        if "Authorization" in request.headers or "client_secret" in request.form:
            raise ClientRefused("Clients authenticate by private_key_jwt alone, without any secret.")
        client = super().__call__(lambda name: query_client(name) or _NOBODY, request)  # type: ignore[no-untyped-call]
        if client is None:
            raise ClientRefused("client_assertion or client_assertion_type (jwt-bearer) is missing.")
        if request.form.get("client_id", client.get_client_id()) != client.get_client_id():
            raise ClientRefused("client_id is not the client of the assertion.")
        return client

    def extract_assertion(self, assertion: str) -> tuple[JsonObject, JsonObject]:
        """Read, before anything is verified, who the assertion says it is from."""
        try:
            unverified = extract_compact(assertion.encode())
            token_claims = json.loads(unverified.payload)
            subject = token_claims["sub"]
        except UNREADABLE:
            raise ClientRefused("The assertion is not a JWT with the claim sub.") from None
        if not _is_plain_text(subject):
            raise ClientRefused(NOT_OURS)
        return unverified.headers(), token_claims

    def resolve_client_public_key(self, client: Any) -> Any:
        """Whoever verifies the signature asks for the key, with the header at hand."""
        return partial(self._choose_key, client.client)

    def _choose_key(self, client: Client | None, signature: GuestProtocol) -> Key:
        """The client's key that fits `kid` and `alg`; else a key of nobody's, for which the signature cannot hold, so
        that strangers are refused as late as clients are. Raises TokenUnreadable."""
        header = signature.headers()
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in KINDS:
            raise TokenUnreadable
        for jwk in () if client is None else self._keys_of(client, header):
            if _fits(jwk, algorithm):
                try:
                    return import_sound_key(plain_key(jwk))
                except KeyUnsuitable:
                    break
        return _key_of_nobody(algorithm)

    def _keys_of(self, client: Client, header: JsonObject) -> list[JsonObject]:
        """Those that the header's `kid` names; only a single registered key goes without. A `jku` says again what is
        registered (SMART App Launch 2.2, Backend Services); it never says anything else."""
        kid = header.get("kid")
        if "jku" in header and header["jku"] != client.jwks_url:
            return []
        if client.jwks_url is not None:
            return self._published(client, client.jwks_url, kid) if _is_plain_text(kid) else []
        if kid is None:
            return [*client.public_keys] if len(client.public_keys) == 1 else []
        return [jwk for jwk in client.public_keys if jwk.get("kid") == kid]

    def _published(self, client: Client, url: str, kid: str) -> list[JsonObject]:
        try:
            keys = self._published_keys.find_keys(url, kid)
        except KeysUnreachable as unreachable:
            log_keys_unreachable(client.id, str(unreachable))
            return []
        with self._database.reading() as stores:
            return apart(stores, keys)

    def process_assertion_claims(self, assertion: str, resolve_key: Any) -> JsonObject:
        """Verify the signature, then the token claims, and only then use up the jti.

        In another order anyone could use up a client's identifiers.
        """
        try:
            token_claims = read_token(assertion, resolve_key, _REGISTRY).claims
        except TokenUnreadable:
            raise ClientRefused(NOT_OURS) from None
        self.verify_claims(token_claims)
        self._use_once(token_claims)
        return token_claims

    def verify_claims(self, claims: JsonObject) -> None:
        """RFC 7523 section 3, on our clock and with a cap on the lifetime."""
        now = int(self._clock.now().timestamp())
        required = JWTClaimsRegistry(
            now,
            LEEWAY_SECONDS,
            iss={"essential": True, "value": str(claims.get("sub"))},
            sub={"essential": True},
            aud={"essential": True},
            exp={"essential": True},
            jti={"essential": True},
        )
        try:
            required.validate(claims)
        except ExpiredTokenError:
            raise ClientRefused("The assertion has expired (exp).") from None
        except JoseError:
            raise ClientRefused("One of iss, sub, aud, exp, jti, iat and nbf is missing or wrong.") from None
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if not self._audiences.issuperset(audience):  # another server named in it could replay it here
            raise ClientRefused("aud must be the token endpoint or the issuer, and nobody else.")
        if claims["exp"] > now + LIFETIME_SECONDS_MAX + LEEWAY_SECONDS:
            raise ClientRefused(f"exp must be at most {LIFETIME_SECONDS_MAX} seconds ahead.")
        if not _is_plain_text(claims["jti"]):
            raise ClientRefused(f"jti must be printable text of at most {TEXT_LENGTH_MAX} characters.")

    def _use_once(self, token_claims: JsonObject) -> None:
        """Committed before any token is made, and kept for as long as the assertion could be accepted."""
        expires_at = datetime.fromtimestamp(ceil(token_claims["exp"]) + LEEWAY_SECONDS, UTC)
        with self._database.writing() as stores:
            first = stores.assertions.use_once(token_claims["sub"], token_claims["jti"], expires_at, self._clock.now())
        if not first:
            raise ClientRefused("The assertion has been used before (jti); sign a new one for each request.")


def _is_plain_text(value: object) -> TypeGuard[str]:
    """Short and printable: what a database stores as it is, with no NUL and no lone surrogate."""
    return isinstance(value, str) and 0 < len(value) <= TEXT_LENGTH_MAX and value.isprintable()


def _fits(jwk: JsonObject, algorithm: str) -> bool:
    """By the type of the key, and by what it says of its algorithm where it says anything."""
    kind = KINDS[algorithm]
    return jwk.get("crv", jwk.get("kty")) == kind and KINDS.get(str(jwk.get("alg", algorithm))) == kind


@cache
def _key_of_nobody(algorithm: str) -> Key:
    return import_sound_key(plain_key(new_private_jwk("Ed25519" if algorithm == "EdDSA" else algorithm)))
