"""Who asks for tokens, as far as the log may say: a client that is refused has shown no token that names it, and its
operator is going to ask why."""

from typing import Final

from flask import Flask, Response, g, request
from marshmallow import ValidationError

from api.auth.jose import TokenUnreadable, open_token
from api.auth.metadata import REVOCATION_PATH, TOKEN_PATH
from api.limits import address_key
from api.schemas.fields import SLUG

_PATHS: Final = frozenset({TOKEN_PATH, REVOCATION_PATH})


def register_token_log(app: Flask) -> None:
    """Register it after the request log: what is registered last runs first."""

    @app.after_request
    def note(response: Response) -> Response:
        if request.url_rule is not None and request.url_rule.rule in _PATHS:
            g.claimed_client = _claimed_client()
            if response.status_code >= 400:
                g.refused_address = address_key(request.remote_addr)
        return response


def _claimed_client() -> str | None:
    """Nobody has to have proved it. Where the body was not read, it stays so; what is no id is not repeated."""
    form = vars(request).get("form", {})
    claimed = form.get("client_id")
    if claimed is None:
        try:
            claimed = open_token(form.get("client_assertion", "")).claims.get("sub")
        except TokenUnreadable:
            return None
    try:
        return SLUG(claimed) if isinstance(claimed, str) else None
    except ValidationError:
        return None
