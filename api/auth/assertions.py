"""Client assertions: how a client proves to the token endpoint who it is (RFC 7523, private_key_jwt)."""

import json
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jws import extract_compact
from joserfc.jwt import JWTClaimsRegistry

from adapters.identity.jwks import PublishedKeys
from api.auth.client_keys import KINDS, TEXT_LENGTH_MAX, ClientKey, is_plain_text
from api.auth.jose import UNREADABLE, StrictRegistry, TokenUnreadable, named_algorithms, read_token
from contracts.parties import JsonObject
from contracts.ports import Clock, Database

METHOD: Final = "private_key_jwt"
ALGORITHMS: Final = tuple(KINDS)
LIFETIME_SECONDS_MAX: Final = 300
LEEWAY_SECONDS: Final = 30

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
        if not is_plain_text(subject):
            raise ClientRefused(NOT_OURS)
        return unverified.headers(), token_claims

    def resolve_client_public_key(self, client: Any) -> Any:
        """Whoever verifies the signature asks for the key, with the header at hand."""
        return ClientKey(client.client, self._published_keys)

    def process_assertion_claims(self, assertion: str, resolve_key: Any) -> JsonObject:
        """Verify the signature, then the token claims, and only then use up the jti.

        In another order anyone could use up a client's identifiers. Raises ClientRefused, KeysAwaited.
        """
        try:
            token_claims = read_token(assertion, resolve_key, _REGISTRY).claims
        except TokenUnreadable:
            raise ClientRefused(NOT_OURS) from None
        if not resolve_key.still_proves(self._database):
            raise ClientRefused(NOT_OURS)
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
        if not is_plain_text(claims["jti"]):
            raise ClientRefused(f"jti must be printable text of at most {TEXT_LENGTH_MAX} characters.")

    def _use_once(self, token_claims: JsonObject) -> None:
        """Committed before any token is made, and kept for as long as the assertion could be accepted."""
        expires_at = datetime.fromtimestamp(ceil(token_claims["exp"]) + LEEWAY_SECONDS, UTC)
        with self._database.writing() as stores:
            first = stores.assertions.use_once(token_claims["sub"], token_claims["jti"], expires_at, self._clock.now())
        if not first:
            raise ClientRefused("The assertion has been used before (jti); sign a new one for each request.")
