"""The one check of bearer access tokens (RFC 9068 section 4), whoever issued them.

What a token says of its issuer only chooses the rules that it must then meet, all of them, and that issuer's own keys.
"""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Any, ClassVar, Final

from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

from api.auth.jose import TokenUnreadable, UnverifiedToken, open_token
from api.auth.keys import TokenKeys
from contracts.parties import JsonObject
from contracts.ports import Clock

LEEWAY_SECONDS: Final = 30
TOKENS_REMEMBERED: Final = 4096
DETAILS_CLAIM: Final = "authorization_details"  # as RFC 9396 section 9.1 registers it


class TokenRefused(Exception):
    """The request shows no access token that holds here. Subclasses say why; `detail` may be shown."""

    code = "token-invalid"
    detail = "The access token is not one that this API accepts."


class TokenMissing(TokenRefused):
    """No bearer token in the Authorization header, the only place where one is looked for."""

    code = "token-missing"
    detail = "Send an access token in the Authorization header: Bearer, a space, the token."


class TokenInvalid(TokenRefused):
    """Of no issuer trusted here, not meant for this API, altered, or of a client that is no longer registered."""


class TokenRevoked(TokenRefused):
    """It was good until its client revoked it (RFC 7009)."""

    code = "token-revoked"
    detail = "The access token was revoked; ask for a new one."


class TokenExpired(TokenRefused):
    """It was good and its time is over."""

    code = "token-expired"
    detail = "The access token has expired; ask for a new one."


class TokenUnverifiable(TokenRefused):
    """Its issuer is trusted, and the keys that would show whether it is genuine cannot be had."""

    code = "issuer-unreachable"
    detail = "The keys of the issuer of this access token cannot be fetched just now; try again."


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a valid token says, not yet compared with what is registered here.

    client: our own client id, or where there is an external issuer, what that calls the client. organisation, jti: of
    our own tokens alone; an external issuer's word on who belongs to whom is never read. details: see `details_in`.
    """

    client: str
    scopes: frozenset[str]
    external_issuer: str | None = None
    organisation: str | None = None
    jti: str | None = None
    details: Any = None


class Recently:
    """The values added last, as many as there is room for. Threads may share it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._added: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, value: bytes) -> bool:
        return value in self._added

    def add(self, value: bytes) -> None:
        with self._lock:
            self._added[value] = None
            while len(self._added) > self._size:
                self._added.popitem(last=False)


class IssuedTokens(ABC):
    """The access tokens of one issuer: its keys, its rules, and where it writes what."""

    essential: ClassVar[tuple[str, ...]] = ("exp", "iat")

    def __init__(self, issuer: str, audience: str, clock: Clock) -> None:
        self.issuer = issuer
        self._clock = clock
        self._rules = JWTClaimsRegistry(
            self._now,
            LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            **{name: ClaimsOption(essential=True) for name in self.essential},
        )

    def read(self, token: UnverifiedToken) -> TokenClaims:
        """Check signature, kid, typ, issuer, audience and time. Raises TokenRefused, TokenUnreadable or JoseError."""
        self.verify(token)
        self._rules.validate(token.claims)
        if token.claims["exp"] <= self._now():  # the leeway is for iat and nbf only
            raise TokenExpired
        return self.map_claims(token.claims)

    @abstractmethod
    def verify(self, token: UnverifiedToken) -> None:
        """Raises TokenUnreadable unless one of the issuer's keys signed it, as an access token."""

    @abstractmethod
    def map_claims(self, token_claims: JsonObject) -> TokenClaims:
        """Raises TokenInvalid where they are not of the form that this issuer's have."""

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


class OwnTokens(IssuedTokens):
    """What our own token endpoint issues."""

    essential = ("exp", "iat", "sub", "jti")

    def __init__(self, keys: TokenKeys, issuer: str, audience: str, clock: Clock) -> None:
        super().__init__(issuer, audience, clock)
        self._keys = keys
        self._verified: Final = Recently(TOKENS_REMEMBERED)

    def verify(self, token: UnverifiedToken) -> None:
        """A signature that held once holds for as long as the keys are these; all else is looked at each time."""
        digest = sha256(token.text.encode()).digest()
        if digest not in self._verified:
            self._keys.verify(token)
            self._verified.add(digest)

    def map_claims(self, token_claims: JsonObject) -> TokenClaims:
        return TokenClaims(
            client=_text(token_claims, "client_id"),
            scopes=frozenset(_text(token_claims, "scope").split()),
            organisation=_text(token_claims, "organisation"),
            jti=_text(token_claims, "jti"),
            details=details_in(token_claims, DETAILS_CLAIM),
        )


class AccessTokens:
    """Validates access tokens of every trusted issuer. Made once: it holds the parsed keys and rules of each."""

    def __init__(self, trusted: Iterable[IssuedTokens]) -> None:
        self._trusted = {tokens.issuer: tokens for tokens in trusted}

    def validate(self, token: str) -> TokenClaims:
        """Raises `TokenRefused`."""
        try:
            opened = open_token(token)
            issuer = opened.claims.get("iss")
            tokens = self._trusted.get(issuer) if isinstance(issuer, str) else None
            if tokens is None:
                raise TokenInvalid
            return tokens.read(opened)
        except ExpiredTokenError:
            raise TokenExpired from None
        except (TokenUnreadable, JoseError):
            raise TokenInvalid from None


def details_in(token_claims: JsonObject, name: str) -> Any:
    """What a token bears of `authorization_details`, as it stands; None where it has no such claim. One that is null is
    there all the same, and names no contract."""
    return (token_claims[name] or []) if name in token_claims else None


def _text(token_claims: JsonObject, name: str) -> str:
    value = token_claims.get(name)
    if not isinstance(value, str):
        raise TokenInvalid
    return value
