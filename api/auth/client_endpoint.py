"""What the endpoints share at which a client proves who it is: who is a client, and how one is refused.

Authlib's own error texts stay inside; a client is told what is ours.
"""

from typing import Any, Final

from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, InvalidScopeError
from flask import Request, Response, json

from api.auth.assertions import METHOD, NOT_OURS, ClientRefused, PrivateKeyJwt
from api.auth.client_keys import RETRY_AFTER_SECONDS, KeysAwaited
from api.auth.details import DetailsRefused
from api.auth.metadata import GRANT_TYPE
from api.auth.token_requests import FormRefused, TokenRequest
from api.problems import problem_response
from api.wiring import Wiring
from contracts.parties import Client

# What a client is told, by OAuth error code (RFC 6749 5.2).
DESCRIPTIONS: Final = {
    "invalid_client": NOT_OURS,
    "unsupported_grant_type": f"The only grant type here is {GRANT_TYPE}.",
    "invalid_scope": "A requested scope is unknown, or is not registered for this client.",
}
REFUSED: Final = "The request is refused."
NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


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


class ClientEndpoint(AuthorizationServer):
    """One endpoint. Keeps nothing between requests. url: its public one, which assertions may name as audience."""

    def __init__(self, parley: Wiring, url: str, *audiences: str) -> None:
        super().__init__()
        self._parley = parley
        self._url = url
        named = frozenset({url, parley.settings.issuer, *audiences})
        proof = PrivateKeyJwt(parley.database, parley.clock, parley.published_keys, named)
        self.register_client_auth_method(METHOD, proof)

    def oauth_request(self, request: Request, form: dict[str, str]) -> TokenRequest:
        return TokenRequest(self._url, request.headers.get("Authorization"), form)

    def query_client(self, client_id: str) -> Any:
        with self._parley.database.reading() as stores:
            client = stores.parties.find_client(client_id)
        return None if client is None or client.revoked_at else RegisteredClient(client)

    def create_oauth2_request(self, request: TokenRequest) -> OAuth2Request:
        return request

    def send_signal(self, name: Any, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: Any) -> Response:
        return Response(json.dumps(body), status, headers)

    def handle_error_response(self, request: OAuth2Request, error: OAuth2Error) -> Response:
        """An error that is RFC 6749 5.2 and RFC 9457 in one body."""
        code = str(error.error)
        ours = isinstance(error, ClientRefused | KeysAwaited | FormRefused | DetailsRefused)
        description = error.description if ours else DESCRIPTIONS.get(code, REFUSED)
        headers, status = dict(NO_STORE), error.status_code
        if code == "invalid_client":
            status = 401
            headers["WWW-Authenticate"] = _challenge(request)
        if isinstance(error, KeysAwaited):
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        response = problem_response(
            code.replace("_", "-"), status, description, headers, error=code, error_description=description
        )
        response.content_type = "application/json"
        return response


def _challenge(request: OAuth2Request) -> str:
    """A 401 needs one (RFC 9110 15.5.2), in the scheme that the client tried (RFC 6749 5.2)."""
    tried = (request.headers or {}).get("Authorization", "").lower()
    scheme = "Basic" if tried.startswith("basic ") else "Bearer"
    return f'{scheme} realm="parley", error="invalid_client"'
