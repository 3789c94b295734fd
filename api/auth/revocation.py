"""The revocation endpoint (RFC 7009): a client takes back a token of its own before it expires by itself.

Whatever token of ours is sent, the answer is the same: who asks learns nothing about tokens of others.
"""

from datetime import UTC, datetime
from typing import Final

from authlib.oauth2 import OAuth2Error
from flask import Request, Response

from api.auth.assertions import METHOD
from api.auth.client_endpoint import NO_STORE, ClientEndpoint
from api.auth.jose import TokenUnreadable, open_token
from api.auth.metadata import revocation_endpoint_url, token_endpoint_url
from api.auth.token_requests import FormRefused, read_form
from api.wiring import Wiring

ENDPOINT: Final = "revocation"


class TokenTypeUnsupported(FormRefused):
    """The token would go on opening what it opens, so that it is not said to be revoked (RFC 7009 section 2.2.1)."""

    error = "unsupported_token_type"
    description = "The token is of an external issuer, who alone can revoke it; here, the client can be revoked."


class RevocationEndpoint(ClientEndpoint):
    """Answers revocation requests."""

    def __init__(self, parley: Wiring) -> None:
        issuer = parley.settings.issuer
        super().__init__(parley, revocation_endpoint_url(issuer), token_endpoint_url(issuer))

    def respond(self, request: Request) -> Response:
        """200 without a body once the token opens nothing any more, or never did (RFC 7009 section 2.2).

        token_type_hint is not needed, whatever it says: there are only access tokens here.
        """
        asked = self.oauth_request(request, {})
        try:
            asked = self.oauth_request(request, read_form(request, "token"))
            client = self.authenticate_client(asked, [METHOD], ENDPOINT)
            self._revoke(asked.form["token"], client.get_client_id())
        except OAuth2Error as error:
            return self.handle_error_response(asked, error)
        return Response(headers=NO_STORE)

    def _revoke(self, token: str, client_id: str) -> None:
        """Only the client's own: another's, or what is no token of ours, is left as it is. The same blanks around it
        are ignored as where it is used. Raises TokenTypeUnsupported."""
        try:
            opened = open_token(token.strip())
            self._require_no_external(opened.claims.get("iss"))
            self._parley.token_keys.verify(opened)
            token_claims = opened.claims
            own = (self._parley.settings.issuer, client_id) == (token_claims["iss"], token_claims["client_id"])
            jti, expires_at = str(token_claims["jti"]), datetime.fromtimestamp(token_claims["exp"], UTC)
        except (TokenUnreadable, LookupError, ValueError, TypeError, OverflowError):
            return
        now = self._parley.clock.now()
        if own and expires_at > now:
            with self._parley.database.writing() as stores:
                stores.tokens.revoke(jti, expires_at, now)

    def _require_no_external(self, issuer: object) -> None:
        """By what the token says of itself: whether it is genuine makes no difference to what can be done about it."""
        if any(issuer == trusted.issuer for trusted in self._parley.trusted_issuers):
            raise TokenTypeUnsupported
