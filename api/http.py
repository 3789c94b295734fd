"""How requests are read: media types are refused before a body is, and no body is ever spooled to a file.

Werkzeug writes large multipart bodies to temporary files; exact aggregates must never touch a disk, so its file
factory raises here, whatever a client says its body is.
"""

from collections.abc import Callable
from typing import Any, Final, NoReturn

from flask import Flask, Request, Response, current_app, request
from flask_smorest import Blueprint as SmorestBlueprint
from webargs.flaskparser import FlaskParser

from adapters.cells.media_types import CSV, CSV_SAID, TABLE_TYPES, is_table_type
from adapters.cells.strict_json import JsonRefused, load_strict
from api.auth.metadata import REVOCATION_PATH, TOKEN_PATH
from api.encodings import (
    GZIP,
    IDENTITY,
    ZSTD,
    BodyNotExpandable,
    BodyTooLarge,
    compress,
    expand,
    find_encoding,
    revalidate,
)
from api.problems import ApiProblem

JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
SUBMISSIONS_PATH: Final = "/v1/contracts/<string:contract_id>/submissions"
MAX_EXPANDED_LENGTH: Final = "MAX_EXPANDED_LENGTH"
HTTPS: Final = "PARLEY_HTTPS"
SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class SpoolingForbidden(Exception):
    """Something tried to write a request body to a file."""


class MemoryRequest(Request):
    """A request whose body stays in memory, and is read whole, expanded, or not at all."""

    def _get_file_stream(self, *_: Any, **__: Any) -> NoReturn:
        raise SpoolingForbidden

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:
        """Raises ApiProblem, for a body in chunks that reaches the limit too: Werkzeug cuts it off without a word."""
        try:
            body = super().get_data(cache=cache)
        except BlockingIOError:
            raise ApiProblem(
                "request-timeout", 408, "The request took too long to arrive.", {"Connection": "close"}
            ) from None
        limit = self.max_content_length
        if self.content_length is None and limit is not None and len(body) >= limit:
            raise _too_large()
        encoding = find_encoding(self) or IDENTITY
        if encoding != IDENTITY:
            is_table = self.mimetype in TABLE_TYPES
            body = _expanded(body, encoding, current_app.config[MAX_EXPANDED_LENGTH] if is_table else limit or 0)
        return body.decode(errors="replace") if as_text else body


class StrictParser(FlaskParser):
    """Reads JSON bodies strictly; unknown fields are refused wherever they stand."""

    def __init__(self) -> None:
        super().__init__()
        self.DEFAULT_UNKNOWN_BY_LOCATION = {**self.DEFAULT_UNKNOWN_BY_LOCATION, "query": "raise"}

    def _raw_load_json(self, req: Request) -> Any:
        try:
            return load_strict(req.get_data(cache=False))
        except JsonRefused as refused:
            raise ApiProblem("request-malformed", 400, str(refused)) from None


class Blueprint(SmorestBlueprint):
    """A flask-smorest blueprint with the strict parser, whose operations are named for their functions."""

    ARGUMENTS_PARSER = StrictParser()

    def route(self, rule: str, **options: Any) -> Callable[[Any], Any]:
        register = super().route(rule, **options)
        return lambda view: register(self.doc(operationId=_camel_case(view.__name__))(view))


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def register_http_rules(app: Flask, max_body_bytes: int, max_expanded_bytes: int) -> None:
    """Body limits and media types, in force before any view runs. max_expanded_bytes: of a table; JSON, of which each
    byte takes many in memory, expands to no more than it may be as it is sent."""
    app.request_class = MemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.config[MAX_EXPANDED_LENGTH] = max_expanded_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = 64 * 1024
    app.before_request(_require_readable_address)
    app.before_request(_require_media_type)
    app.after_request(_finish)


def _require_readable_address() -> None:
    """No id holds a control character, and PostgreSQL cannot even be asked for one with NUL in it."""
    if not request.path.isprintable():
        raise ApiProblem("route-not-found", 404, "There is nothing at this address.")


def _require_media_type() -> None:
    """Refuse other media types, and bodies too large by their own word, before a byte is read."""
    if request.url_rule is None or request.method not in _WITH_BODY:
        return  # nothing to read
    types, encodings = _taken(request.url_rule.rule)
    has_body = request.content_length or "Transfer-Encoding" in request.headers
    is_taken = request.mimetype in types
    if request.mimetype in TABLE_TYPES:
        is_taken &= is_table_type(request.mimetype, request.mimetype_params)
    if has_body and not is_taken:
        listed = ", ".join(types)
        detail = f"This route takes {listed}{CSV_SAID if CSV in types else ''}."
        raise ApiProblem("media-type-unsupported", 415, detail, {"Accept": listed})
    if find_encoding(request) not in (IDENTITY, *encodings):
        detail = f"This route takes a body as it is{', or once by gzip or zstd' if encodings else ''}."
        listed = ", ".join(encodings) or IDENTITY
        raise ApiProblem("media-type-unsupported", 415, detail, {"Accept-Encoding": listed})
    if request.max_content_length is not None and (request.content_length or 0) > request.max_content_length:
        raise _too_large()


def _taken(rule: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The media types that a route takes, and by which encodings."""
    if rule in (TOKEN_PATH, REVOCATION_PATH):
        return (FORM_TYPE,), ()
    tables = TABLE_TYPES if rule == SUBMISSIONS_PATH else ()
    return (JSON_TYPE, *tables), (GZIP, ZSTD)


def _expanded(body: bytes, encoding: str, bytes_max: int) -> bytes:
    try:
        return expand(body, encoding, bytes_max)
    except BodyTooLarge:
        raise _too_large() from None
    except BodyNotExpandable:
        one = "gzip member" if encoding == GZIP else "zstd frame"
        raise ApiProblem("request-malformed", 400, f"The body is not one whole {one}.") from None


def _too_large() -> ApiProblem:
    return ApiProblem("body-too-large", 413, "The body is larger than this exchange takes.")


def _finish(response: Response) -> Response:
    """What every answer says. Nothing of this exchange is for another site's pages, frames or caches."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if current_app.config.get(HTTPS):
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if response.cache_control.public and response.status_code == 200:
        response.add_etag()
    compress(request, response)
    revalidate(request, response)
    return response
