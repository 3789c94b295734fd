"""Access tokens of a trusted external issuer: its published keys, its rules, and its words in ours."""

from contextlib import suppress
from typing import Any

from joserfc.jwk import GuestProtocol, Key

from adapters.identity.jwks import KeysUnreachable, PublishedKeys
from api.auth.access_tokens import IssuedTokens, TokenClaims, TokenInvalid, TokenUnverifiable, details_in
from api.auth.issuers import TrustedIssuer
from api.auth.jose import (
    KeyUnsuitable,
    StrictRegistry,
    TokenUnreadable,
    UnverifiedToken,
    import_sound_key,
    named_algorithms,
    public_members,
    verify_token,
)
from api.logs import log_issuer_unreachable
from contracts.external_issuers import is_subject
from contracts.parties import JsonObject
from contracts.ports import Clock


class ExternalTokens(IssuedTokens):
    """What one external issuer issues. Nothing that it says of organisations is ever read."""

    def __init__(self, trusted: TrustedIssuer, published: PublishedKeys, clock: Clock) -> None:
        super().__init__(trusted.issuer, trusted.audience, clock)
        self._trusted = trusted
        self._registry = StrictRegistry(named_algorithms(*trusted.algorithms), trusted.types)
        self._published = published
        self._parsed: dict[str, tuple[list[JsonObject], Key]] = {}

    def verify(self, token: UnverifiedToken) -> None:
        if "typ" not in token.header and not self._trusted.untyped:
            raise TokenUnreadable
        try:
            verify_token(token, self._find_key, self._registry)
        except KeysUnreachable as unreachable:
            log_issuer_unreachable(self.issuer, str(unreachable))
            raise TokenUnverifiable from None

    def map_claims(self, token_claims: JsonObject) -> TokenClaims:
        trusted = self._trusted
        if token_claims["exp"] > token_claims["iat"] + trusted.max_lifetime_seconds:
            raise TokenInvalid
        if not all(_is_one_of(token_claims.get(name), allowed) for name, allowed in trusted.require.items()):
            raise TokenInvalid
        if not trusted.forbid.isdisjoint(token_claims):
            raise TokenInvalid
        client = token_claims.get(trusted.client_claim)
        if not isinstance(client, str) or not is_subject(client):
            raise TokenInvalid
        named = _list_of_texts(token_claims.get(trusted.scopes_claim))
        details = details_in(token_claims, trusted.details_claim)
        return TokenClaims(client, trusted.scopes_of(named), external_issuer=trusted.issuer, details=details)

    def _find_key(self, signature: GuestProtocol) -> Key:
        """By kid alone, once header and algorithm are found to be allowed. How fresh the keys are is decided by
        `PublishedKeys`; here each is only kept parsed for as long as that goes on naming the same."""
        kid = signature.headers().get("kid")
        if not isinstance(kid, str):
            raise TokenUnreadable
        published = self._published.find_keys(self._trusted.jwks_uri, kid)
        jwks, key = self._parsed.get(kid, (None, None))
        if key is None or jwks != published:
            key = _only_sound_key(published)
            self._parsed[kid] = published, key
        return key


def _only_sound_key(jwks: list[JsonObject]) -> Key:
    """Two keys of one kid leave open which one is meant. Raises TokenUnreadable."""
    keys = []
    for jwk in jwks:
        with suppress(KeyUnsuitable):
            keys.append(import_sound_key(public_members(jwk)))
    if len(keys) != 1:
        raise TokenUnreadable
    return keys[0]


def _is_one_of(value: object, allowed: tuple[Any, ...]) -> bool:
    """Equal and of one type: 1 is neither true nor "1"."""
    return any(type(value) is type(wanted) and value == wanted for wanted in allowed)


def _list_of_texts(value: object) -> list[str]:
    """Texts by spaces and nothing else that is blank (RFC 8693 4.2), or a list of them; none without such a claim."""
    if value is None:
        return []
    texts = value.split(" ") if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TokenInvalid
    return texts
