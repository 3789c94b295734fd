"""Pages of lists that grow: `next_cursor`, and a Link to the next page (RFC 8288). See `api.schemas.paging`."""

from collections.abc import Sequence
from typing import Final, NoReturn, TypeVar
from urllib.parse import quote, urlencode

from flask import Response, jsonify, request
from marshmallow import Schema

from api.problems import ApiProblem, fault_members
from api.schemas.paging import CURSOR_FORM, Position, write_cursor
from api.wiring import wiring
from contracts.parties import JsonObject
from contracts.refusals import Fault

Line = TypeVar("Line")
LINK: Final = {"Link": {"description": "The next page, if any (RFC 8288).", "schema": {"type": "string"}}}


def cut(lines: Sequence[Line], limit: int) -> tuple[Sequence[Line], Line | None]:
    """The page, and its last line if more follow. lines: from the page's first on, more than `limit` if there are."""
    return (lines[:limit], lines[limit - 1]) if len(lines) > limit else (lines, None)


def page_response(name: str, schema: type[Schema], body: JsonObject, last: Position | None) -> Response:
    """The page of the list `name`. last: the position of its last line if more follow; the link leads to where this
    exchange says it is, never to where a Host header does."""
    following = None if last is None else write_cursor(name, last)
    response = jsonify(schema().dump(body | {"next_cursor": following}))
    if following is not None:
        query = urlencode({**request.args, "cursor": following})
        response.headers["Link"] = f'<{wiring().settings.issuer}{quote(request.path)}?{query}>; rel="next"'
    return response


def refuse_cursor() -> NoReturn:
    """Of a position that the list does not have."""
    faults = fault_members((Fault("/cursor", "field_invalid", CURSOR_FORM),))
    raise ApiProblem("input-invalid", 422, "The input has faults.", **faults)
