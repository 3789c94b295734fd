"""A guard on every route: `@requires(scope)`, or `@public(reason)` where no token is asked for.

Put the guard above `@blueprint.arguments`, so that nothing of a request is read before its token is checked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Final, TypeVar

from flask import g, request
from flask_smorest import Blueprint

from api.auth.access_tokens import TokenClaims, TokenInvalid, TokenMissing, TokenRefused, TokenRevoked
from api.auth.details import contracts_for
from api.auth.metadata import DETAILS_TYPE, SECURITY_SCHEME
from api.idempotency import once
from api.limits import Counted, address_key, require_within_limit
from api.problems import ApiProblem
from api.wiring import Wiring, wiring
from contracts.parties import Bearer, Caller, Scope
from contracts.refusals import TokenNarrowed

View = TypeVar("View", bound=Callable[..., Any])

REALM: Final = 'Bearer realm="parley"'


@dataclass(frozen=True, slots=True)
class Guard:
    """What a route asks of its caller: a scope, or nothing and the reason for that.

    keeps_to_contracts: the view itself keeps to those to which `authorization_details` narrow the caller's token.
    """

    scope: Scope | None
    reason: str | None = None
    keeps_to_contracts: bool = False


def requires(scope: Scope, *, keeps_to_contracts: bool = False) -> Callable[[View], View]:
    """Let in callers with this scope; the view gets them as keyword argument `caller`.

    A narrowed token opens the routes of a contract, where the domain refuses others after the party check, and those
    that say that they keep to its contracts; any other route is closed to it.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            g.caller = caller = authorise(scope)
            if caller.contracts is not None and not (keeps_to_contracts or _is_of_a_contract()):
                raise _narrowed(scope, "This is not about one contract, to which the access token is narrowed.")
            try:
                return once(caller, partial(view, *args, caller=caller, **kwargs))
            except TokenNarrowed as refused:
                raise _narrowed(scope, refused.detail) from None

        guard = Guard(scope, keeps_to_contracts=keeps_to_contracts)
        marked: View = _marked(guarded, guard, security=[{SECURITY_SCHEME: [scope.value]}])
        return marked

    return decorate


def public(reason: str, *, limited: bool = True) -> Callable[[View], View]:
    """Let everybody in, and say why that is right. limited: as often as an address may ask."""

    def decorate(view: View) -> View:
        @wraps(view)
        def counted(*args: Any, **kwargs: Any) -> Any:
            _count_address()
            return view(*args, **kwargs)

        marked: View = _marked(counted if limited else view, Guard(None, reason), security=[])
        return marked

    return decorate


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
    try:
        caller = _registered_caller(parley, parley.access_tokens.validate(_bearer_token()), scope)
    except TokenRefused as refused:
        _count_address()
        challenge = _challenge(refused)
        raise ApiProblem(refused.code, 401, refused.detail, {"WWW-Authenticate": challenge}) from None
    require_within_limit(parley.rate_limits, Counted.ORGANISATION, caller.organisation)
    if scope not in caller.scopes:
        challenge = f'{REALM}, error="insufficient_scope", scope="{scope.value}"'
        detail = f"This needs the scope {scope.value}."
        raise ApiProblem("scope-missing", 403, detail, {"WWW-Authenticate": challenge})
    return caller


def _count_address() -> None:
    """Whoever shows a good token is never held up by what others do from the same address."""
    require_within_limit(wiring().rate_limits, Counted.ADDRESS, address_key(request.remote_addr))


def _bearer_token() -> str:
    """From the Authorization header only (RFC 6750 2.1): queries and forms end up in logs."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenMissing
    return token.strip()


def _registered_caller(parley: Wiring, claims: TokenClaims, action: Scope) -> Caller:
    """Who the client is by our own registration, with the scopes that both it and the token give."""
    with parley.database.reading() as stores:
        bearer = stores.parties.find_bearer(claims.client, claims.external_issuer, claims.jti)
    if bearer is None or bearer.client.revoked_at or not _is_of_its_kind(bearer, claims):
        raise TokenInvalid
    if bearer.token_revoked:
        raise TokenRevoked
    client = bearer.client
    scopes = frozenset(scope for scope in client.scopes if scope in claims.scopes)
    contracts = contracts_for(claims.details, action, parley.settings.audience)
    return Caller(client.id, client.organisation, bearer.role, scopes, contracts)


def _is_of_its_kind(bearer: Bearer, claims: TokenClaims) -> bool:
    """No token of ours ever opens what is an external issuer's client's, nor theirs what is one of ours."""
    if claims.external_issuer is not None:
        return bearer.client.issuer == claims.external_issuer
    return bearer.client.issuer is None and bearer.client.organisation == claims.organisation


def _is_of_a_contract() -> bool:
    return request.url_rule is not None and request.url_rule.rule.startswith("/v1/contracts/<")


def _narrowed(scope: Scope, detail: str) -> ApiProblem:
    """RFC 9396 has no error code for resource servers; that of RFC 6750 says it: this needs more than the token has."""
    challenge = f'{REALM}, error="insufficient_scope", error_description="{detail}", scope="{scope.value}"'
    needed = {"type": DETAILS_TYPE, "actions": [scope.value]}
    return ApiProblem(TokenNarrowed.code, 403, detail, {"WWW-Authenticate": challenge}, needed=needed)


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
