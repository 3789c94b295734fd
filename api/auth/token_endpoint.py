"""The token endpoint: client credentials by private_key_jwt in, an RFC 9068 access token out.

Authlib's defaults replaced here: tokens of ten days with the client as audience, disallowed scopes dropped in
silence, scopes parted by blanks of any kind, parameters read from the query too, and tokens written to the debug log.
"""

import re
from typing import Any, Final, cast
from uuid import uuid4

from authlib.oauth2.rfc6749 import InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from flask import Request, Response

from api.auth.assertions import METHOD
from api.auth.client_endpoint import ClientEndpoint, RegisteredClient
from api.auth.details import read_details
from api.auth.metadata import token_endpoint_url
from api.auth.token_requests import FormRefused, read_form
from api.wiring import Wiring
from contracts.parties import Client, JsonObject

LIFETIME_SECONDS: Final = 300

_SCOPES: Final = re.compile(r"[!#-\[\]-~]+( [!#-\[\]-~]+)*")  # RFC 6749 section 3.3


class TargetRefused(FormRefused):
    """The token is asked for another API than this (RFC 8707 section 2)."""

    error = "invalid_target"


class ClientCredentials(ClientCredentialsGrant):
    """The only grant; the only way to authenticate."""

    TOKEN_ENDPOINT_AUTH_METHODS = (METHOD,)

    def validate_token_request(self) -> None:
        super().validate_token_request()
        self.server.validate_target(self.request.form.get("resource"))

    def create_token_response(self) -> Any:
        authenticated = cast(RegisteredClient, self.request.client)
        scope = authenticated.get_allowed_scope(self.request.scope)
        token = self.server.make_token(authenticated.client, scope, self.request.form.get("authorization_details"))
        return 200, token, self.TOKEN_RESPONSE_HEADER


class TokenEndpoint(ClientEndpoint):
    """Answers token requests. Tokens are self-contained."""

    def __init__(self, parley: Wiring) -> None:
        super().__init__(parley, token_endpoint_url(parley.settings.issuer))
        self.register_grant(ClientCredentials)

    def respond(self, request: Request) -> Response:
        """A token, or an error."""
        try:
            form = read_form(request, "grant_type")
        except FormRefused as error:
            return self.handle_error_response(self.oauth_request(request, {}), error)
        return cast(Response, self.create_token_response(self.oauth_request(request, form)))

    def validate_requested_scope(self, scope: str | None) -> None:
        if scope and not _SCOPES.fullmatch(scope):
            raise InvalidScopeError

    def validate_target(self, resource: str | None) -> None:
        audience = self._parley.settings.audience
        if resource not in (None, audience):
            raise TargetRefused(f"resource may be left out, or is {audience}.")

    def make_token(self, client: Client, scope: str, details: str | None) -> JsonObject:
        """The answer of RFC 6749 section 5.1, with the details that were asked for (RFC 9396 section 7).

        Raises DetailsRefused.
        """
        narrowed: JsonObject = {}
        if details is not None:
            audience = self._parley.settings.audience
            narrowed = {"authorization_details": read_details(details, frozenset(scope.split()), audience)}
        return {
            "access_token": self._sign(client, {"scope": scope, **narrowed}),
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
            "scope": scope,
            **narrowed,
        }

    def _sign(self, client: Client, given: JsonObject) -> str:
        """RFC 9068 section 2.2; sub is the client, since no person takes part."""
        settings, now = self._parley.settings, int(self._parley.clock.now().timestamp())
        token_claims = {
            "iss": settings.issuer,
            "aud": settings.audience,
            "sub": client.id,
            "client_id": client.id,
            "organisation": client.organisation,
            **given,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": str(uuid4()),
        }
        return self._parley.token_keys.sign(token_claims)
