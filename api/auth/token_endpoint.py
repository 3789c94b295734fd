"""The token endpoint: client credentials by private_key_jwt in, an RFC 9068 access token out.

Authlib's defaults replaced here: tokens of ten days with the client as audience, disallowed scopes dropped in
silence, parameters read from the query too, tokens written to the debug log, and its own error texts.
"""

from typing import Any, Final, cast
from uuid import uuid4

from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from flask import Request, Response, json

from api.auth.assertions import METHOD, NOT_OURS, ClientRefused, PrivateKeyJwt
from api.auth.keys import TokenKeys
from api.auth.metadata import GRANT_TYPE, token_endpoint_url
from api.auth.token_requests import FormRefused, TokenRequest, read_form
from api.problems import problem_response
from contracts.parties import Client
from contracts.ports import Clock, Database

LIFETIME_SECONDS: Final = 300

# What a client is told, by OAuth error code (RFC 6749 5.2); Authlib's own texts stay inside.
DESCRIPTIONS: Final = {
    "invalid_client": NOT_OURS,
    "unsupported_grant_type": f"The only grant type here is {GRANT_TYPE}.",
    "invalid_scope": "A requested scope is unknown, or is not registered for this client.",
}
REFUSED: Final = "The token request is refused."


class RegisteredClient(ClientMixin):
    """A client as Authlib asks about it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get_client_id(self) -> str:
        return self.client.id

    def get_allowed_scope(self, scope: Any) -> str:
        """Exactly what was asked, or all that is registered when nothing was; never silently less."""
        asked = scope.split() if scope else self.client.scopes
        if not asked or not self.client.scopes.issuperset(asked):
            raise InvalidScopeError
        return " ".join(sorted(set(asked)))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == METHOD

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == GRANT_TYPE


class ClientCredentials(ClientCredentialsGrant):
    """The only grant; the only way to authenticate."""

    TOKEN_ENDPOINT_AUTH_METHODS = (METHOD,)

    def create_token_response(self) -> Any:
        # Authlib's own would write the token to the debug log.
        token = self.generate_token(scope=self.request.scope, include_refresh_token=False)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class TokenEndpoint(AuthorizationServer):
    """Answers token requests. Keeps nothing between them: tokens are self-contained."""

    def __init__(self, database: Database, clock: Clock, keys: TokenKeys, issuer: str, audience: str) -> None:
        super().__init__()
        self._database = database
        self._clock = clock
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._url = token_endpoint_url(issuer)
        audiences = frozenset({self._url, issuer})
        self.register_client_auth_method(METHOD, PrivateKeyJwt(database, clock, audiences))
        self.register_grant(ClientCredentials)
        generator = BearerTokenGenerator(self._write_token, expires_generator=_lifetime_seconds)
        self.register_token_generator("default", generator)

    def respond(self, request: Request) -> Response:
        """A token, or an error that is RFC 6749 5.2 and RFC 9457 in one body."""
        authorization = request.headers.get("Authorization")
        try:
            form = read_form(request)
        except FormRefused as error:
            return self.handle_error_response(TokenRequest(self._url, authorization, {}), error)
        return cast(Response, self.create_token_response(TokenRequest(self._url, authorization, form)))

    def _write_token(self, *, client: Any, grant_type: str, user: Any, scope: str) -> str:
        """RFC 9068 section 2.2; sub is the client, since no person takes part."""
        registered: Client = client.client
        now = int(self._clock.now().timestamp())
        token_claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": registered.id,
            "client_id": registered.id,
            "organisation": registered.organisation,
            "scope": scope,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": str(uuid4()),
        }
        return self._keys.sign(token_claims)

    def query_client(self, client_id: str) -> Any:
        with self._database.reading() as stores:
            client = stores.parties.find_client(client_id)
        return None if client is None or client.revoked_at else RegisteredClient(client)

    def create_oauth2_request(self, request: TokenRequest) -> OAuth2Request:
        return request

    def send_signal(self, name: Any, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: Any) -> Response:
        return Response(json.dumps(body), status, headers)

    def handle_error_response(self, request: OAuth2Request, error: OAuth2Error) -> Response:
        code = str(error.error)
        ours = isinstance(error, ClientRefused | FormRefused)
        description = error.description if ours else DESCRIPTIONS.get(code, REFUSED)
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        status = error.status_code
        if code == "invalid_client":
            status = 401
            headers["WWW-Authenticate"] = _challenge(request)
        response = problem_response(
            code.replace("_", "-"), status, description, headers, error=code, error_description=description
        )
        response.content_type = "application/json"
        return response


def _lifetime_seconds(client: ClientMixin, grant_type: str) -> int:
    return LIFETIME_SECONDS


def _challenge(request: OAuth2Request) -> str:
    """A 401 needs one (RFC 9110 15.5.2), in the scheme that the client tried (RFC 6749 5.2)."""
    tried = (request.headers or {}).get("Authorization", "").lower()
    scheme = "Basic" if tried.startswith("basic ") else "Bearer"
    return f'{scheme} realm="parley", error="invalid_client"'
