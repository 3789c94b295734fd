"""The one check of bearer access tokens (RFC 9068 section 4)."""

from dataclasses import dataclass
from typing import Final

from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwt import JWTClaimsRegistry

from api.auth.jose import TokenUnreadable
from api.auth.keys import TokenKeys
from contracts.parties import JsonObject
from contracts.ports import Clock

LEEWAY_SECONDS: Final = 30


class TokenRefused(Exception):
    """The request shows no access token that holds here. Subclasses say why; `detail` may be shown."""

    code = "token-invalid"
    detail = "The access token is not one that this API accepts."


class TokenMissing(TokenRefused):
    """No bearer token in the Authorization header, the only place where one is looked for."""

    code = "token-missing"
    detail = "Send an access token in the Authorization header: Bearer, a space, the token."


class TokenInvalid(TokenRefused):
    """Not ours, not meant for this API, altered, or of a client that is no longer registered."""


class TokenExpired(TokenRefused):
    """It was ours and its time is over."""

    code = "token-expired"
    detail = "The access token has expired; ask for a new one."


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a valid token says, not yet compared with what is registered here."""

    issuer: str
    client: str
    organisation: str
    scopes: frozenset[str]


class AccessTokens:
    """Validates access tokens. There is one issuer today; the next is another set of keys, found by `iss`."""

    def __init__(self, keys: TokenKeys, issuer: str, audience: str, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._rules = JWTClaimsRegistry(
            self._now,
            LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            jti={"essential": True},
        )

    def validate(self, token: str) -> TokenClaims:
        """Check signature, kid, typ, issuer, audience and time. Raises `TokenInvalid` or `TokenExpired`."""
        try:
            token_claims = self._keys.read(token)
            self._rules.validate(token_claims)
        except ExpiredTokenError:
            raise TokenExpired from None
        except (TokenUnreadable, JoseError):
            raise TokenInvalid from None
        if token_claims["exp"] <= self._now():  # the leeway is for iat and nbf only
            raise TokenExpired
        return TokenClaims(
            issuer=_text(token_claims, "iss"),
            client=_text(token_claims, "client_id"),
            organisation=_text(token_claims, "organisation"),
            scopes=frozenset(_text(token_claims, "scope").split()),
        )

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _text(token_claims: JsonObject, name: str) -> str:
    value = token_claims.get(name)
    if not isinstance(value, str):
        raise TokenInvalid
    return value
