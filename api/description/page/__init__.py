"""/docs: the description of this API as a page on which it can be tried, wholly from here.

Swagger UI comes from the installed package swagger-ui-py (Apache-2.0); only its starting script and the page are ours.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import yaml
from flask import Blueprint, Response, current_app, jsonify

from api.auth.guards import public
from api.auth.metadata import SECURITY_SCHEME
from api.auth.routes import PUBLISHED_HEADERS
from api.description.document import openapi_yaml
from api.problems import ApiProblem

# Styles that scripts set one by one are let in by any policy; whole style sheets are from here alone.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_OURS: Final = {"page.css": "text/css", "start.js": "text/javascript"}
_THEIRS: Final = {
    "favicon-32x32.png": "image/png",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
_TOKEN_SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of 300 seconds: `parley token` gets one. It stays in this page until you leave it.",
}

blueprint = Blueprint("docs_page", __name__)


@blueprint.get("/docs")
@public("The description of the API is no secret.")
def get_page() -> Response:
    """The page itself."""
    headers = PUBLISHED_HEADERS | {"Content-Security-Policy": POLICY}
    return Response(_read(Path(__file__).parent / "page.html"), 200, headers, content_type="text/html; charset=utf-8")


@blueprint.get("/docs/<string:name>")
@public("What the page is made of: published software.")
def get_part(name: str) -> Response:
    """A style sheet or script of the page, or the description that it shows."""
    if name == "openapi.json":
        response = jsonify(described_for_page())
    elif name in _OURS:
        response = Response(_read(Path(__file__).parent / name), content_type=_OURS[name])
    elif name in _THEIRS:
        response = Response(_read(_swagger_ui() / name), content_type=_THEIRS[name])
    else:
        raise ApiProblem("route-not-found", 404, "There is nothing at this address.")
    response.headers.update(PUBLISHED_HEADERS)
    return response


def described_for_page() -> dict[str, Any]:
    """openapi.yaml, but that one pastes a token: no browser can sign a client assertion, nor should it hold the key.
    And its one server is this exchange: a page cannot reach another."""
    document: dict[str, Any] = yaml.load(openapi_yaml(current_app), Loader=yaml.CSafeLoader)
    document["components"]["securitySchemes"][SECURITY_SCHEME] = _TOKEN_SCHEME
    return {name: value for name, value in document.items() if name != "servers"}


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes()


def _swagger_ui() -> Path:
    """Found without importing the package, which would bring its web frameworks along."""
    found = find_spec("swagger_ui")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("swagger-ui-py is installed with the exchange")
    return Path(found.origin).parent / "static"
