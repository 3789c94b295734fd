"""A guard on every route: `@requires(scope)`, or `@public(reason)` where no token is asked for.

Put the guard above `@blueprint.arguments`, so that nothing of a request is read before its token is checked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, TypeVar

from flask import g, request
from flask_smorest import Blueprint

from api.auth.access_tokens import AccessTokens, TokenClaims, TokenInvalid, TokenMissing, TokenRefused
from api.auth.metadata import SECURITY_SCHEME
from api.problems import ApiProblem
from api.wiring import wiring
from contracts.parties import Caller, Scope
from contracts.ports import Database

View = TypeVar("View", bound=Callable[..., Any])

REALM: Final = 'Bearer realm="parley"'


@dataclass(frozen=True, slots=True)
class Guard:
    """What a route asks of its caller: a scope, or nothing and the reason for that."""

    scope: Scope | None
    reason: str | None = None


def requires(scope: Scope) -> Callable[[View], View]:
    """Let in callers with this scope; the view gets them as keyword argument `caller`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            g.caller = authorise(scope)
            return view(*args, caller=g.caller, **kwargs)

        marked: View = _marked(guarded, Guard(scope), security=[{SECURITY_SCHEME: [scope.value]}])
        return marked

    return decorate


def public(reason: str) -> Callable[[View], View]:
    """Let everybody in, and say why that is right."""
    return lambda view: _marked(view, Guard(None, reason), security=[])


def guard_of(view_function: Callable[..., Any], method: str = "GET") -> Guard | None:
    """The guard that a route declares for a method, on a function or in a MethodView, if any."""
    on_function = getattr(view_function, "parley_guard", None)
    if isinstance(on_function, Guard):
        return on_function
    view_class = getattr(view_function, "view_class", None)
    handler = getattr(view_class, "get" if method == "HEAD" else method.lower(), None)
    on_method = getattr(handler, "parley_guard", None)
    return on_method if isinstance(on_method, Guard) else None


def authorise(scope: Scope) -> Caller:
    """The caller of this request: token, then scope. Raises `ApiProblem` 401 or 403 with a challenge."""
    parley = wiring()
    tokens = AccessTokens(parley.token_keys, parley.settings.issuer, parley.settings.audience, parley.clock)
    try:
        caller = _registered_caller(parley.database, tokens.validate(_bearer_token()))
    except TokenRefused as refused:
        challenge = _challenge(refused)
        raise ApiProblem(refused.code, 401, refused.detail, {"WWW-Authenticate": challenge}) from None
    if scope not in caller.scopes:
        challenge = f'{REALM}, error="insufficient_scope", scope="{scope.value}"'
        detail = f"This needs the scope {scope.value}."
        raise ApiProblem("scope-missing", 403, detail, {"WWW-Authenticate": challenge})
    return caller


def _bearer_token() -> str:
    """From the Authorization header only (RFC 6750 2.1): queries and forms end up in logs."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenMissing
    return token.strip()


def _registered_caller(database: Database, claims: TokenClaims) -> Caller:
    """Who the client is by our own registration, with the scopes that both it and the token give."""
    with database.reading() as stores:
        client = stores.parties.find_client(claims.client)
        organisation = stores.parties.find_organisation(claims.organisation)
    if client is None or organisation is None or client.organisation != organisation.id or client.revoked_at:
        raise TokenInvalid
    scopes = frozenset(scope for scope in client.scopes if scope in claims.scopes)
    return Caller(client.id, organisation.id, organisation.role, scopes)


def _challenge(refused: TokenRefused) -> str:
    """RFC 6750 section 3: a request without a token learns no more than that one is needed."""
    if isinstance(refused, TokenMissing):
        return REALM
    return f'{REALM}, error="invalid_token", error_description="{refused.detail}"'


def _marked(view: Any, guard: Guard, security: list[dict[str, list[str]]]) -> Any:
    """The view with its guard on it, and in openapi.yaml."""
    marked = Blueprint.doc(security=security)(view)
    marked.parley_guard = guard
    return marked
