"""Problem documents (RFC 9457): the one shape of every error, and the one mapping from refusals to them.

A type is `urn:parley:problem:<code>`; codes are stable and listed in docs/reference/problems.md. Text of libraries
never reaches a client: what is not ours is answered with a sentence of ours.
"""

import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain
from typing import Any, Final

from flask import Flask, Response, json, request
from werkzeug.exceptions import HTTPException

from api.logs import log_unexpected
from contracts import refusals as said

TYPE_PREFIX: Final = "urn:parley:problem:"
MEDIA_TYPE: Final = "application/problem+json"

_STATUS: Final[dict[type[said.Refusal], int]] = {
    said.NotFound: 404,
    said.NotAllowed: 403,
    said.Invalid: 422,
    said.Conflict: 409,
    said.DraftChanged: 412,
    said.NoiseUnavailable: 503,
    said.WitnessUnavailable: 503,
}
# What the framework itself refuses, in our words.
_HTTP: Final[dict[int, tuple[str, str]]] = {
    400: ("request-malformed", "The request cannot be read."),
    404: ("route-not-found", "There is nothing at this address."),
    405: ("method-not-allowed", "This address does not take this method."),
    406: ("not-acceptable", "The answer is not available in a media type that you accept."),
    408: ("request-timeout", "The request took too long to arrive."),
    413: ("body-too-large", "The body is larger than this exchange takes."),
    414: ("request-malformed", "The address is too long."),
    415: ("media-type-unsupported", "This route takes application/json."),
    422: ("input-invalid", "The input has faults."),
    431: ("request-malformed", "The request's header fields are too large."),
}
# What marshmallow says of a field, in our words.
_FORMS: Final = tuple(
    (re.compile(theirs), ours)
    for theirs, ours in (
        (r"Missing data for required field\.", "is required"),
        (r"Unknown field\.", "is not a field here"),
        (r"Field may not be null\.", "needs a value, not null"),
        (r"Not a valid string\.", "a text"),
        (r"Not a valid list\.", "a list"),
        (r"Not a valid mapping type\.|Invalid input type\.", "an object"),
        (r"Not a valid boolean\.", "true or false"),
        (r"Not a valid (integer|number)\.", "a number"),
        (r"Not a valid UUID\.", "a UUID, like 6f1c2b1e-8f0a-4b5e-9a57-0c4f7f5d2b11"),
        (r"Must be one of: (.*)\.", r"one of \1"),
        (r"Must be greater than or equal to (.*) and less than or equal to (.*)\.", r"a number from \1 to \2"),
        (r"Length must be between (.*) and (.*)\.", r"a length from \1 to \2"),
        (r"Shorter than minimum length (.*)\.", r"a length of at least \1"),
        (r"Longer than maximum length (.*)\.", r"a length of at most \1"),
    )
)
_INTERNAL: Final = "Something went wrong here. Nothing of your request is kept; try again or tell the operator."


class ApiProblem(Exception):
    """A refusal made at the door, where tokens, media types and forms are read."""

    def __init__(
        self, code: str, status: int, detail: str, headers: dict[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.members = members


def problem_body(code: str, status: int, detail: str, **members: Any) -> dict[str, Any]:
    """The members of a problem document; `members` are its extensions."""
    title = code.replace("-", " ").capitalize()
    return {"type": TYPE_PREFIX + code, "title": title, "status": status, "detail": detail, **members}


def problem_response(
    code: str, status: int, detail: str, headers: dict[str, str] | None = None, **members: Any
) -> Response:
    body = json.dumps(problem_body(code, status, detail, **members))
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, content_type=MEDIA_TYPE)


def fault_members(faults: tuple[said.Fault, ...]) -> dict[str, Any]:
    """The `errors` member: one object a fault, with a JSON pointer into the request; the first of them if many."""
    if not faults:
        return {}
    listed = [{"pointer": f.pointer, "code": f.code, "detail": f.message} for f in faults[: said.MAX_FAULTS]]
    return {"errors": listed, **({"errors_truncated": True} if len(faults) > len(listed) else {})}


def refusal_response(refusal: said.Refusal) -> Response:
    """The problem document of a domain refusal."""
    status = next(code for kind, code in _STATUS.items() if isinstance(refusal, kind))
    headers = {}
    if isinstance(refusal, said.SubmissionInProgress):
        headers["Retry-After"] = str(refusal.extra["retry_after_seconds"])
    return problem_response(
        refusal.code, status, refusal.detail, headers, **fault_members(refusal.faults), **refusal.extra
    )


def http_response(error: HTTPException) -> Response:
    """The problem document of an error of the framework, keeping the headers that the protocol asks for."""
    status = error.code or 500
    if status >= 500:
        return problem_response("internal", status, _INTERNAL)
    code, detail = _in_words(status)
    headers = {name: value for name, value in error.get_headers() if name.lower() in ("allow", "retry-after")}
    faults = said.first_faults(input_faults(getattr(error, "data", {}).get("messages", {})))
    return problem_response(code, status, detail, headers, **fault_members(faults))


def refusal_code(error: said.Refusal | ApiProblem | HTTPException) -> str:
    """The code of the problem document that a request refused by this is answered with."""
    if isinstance(error, HTTPException):
        return _in_words(error.code or 500)[0]
    return error.code


def _in_words(status: int) -> tuple[str, str]:
    return _HTTP.get(status, ("request-refused", HTTPStatus(status).phrase + "."))


def input_faults(messages: Any) -> Iterator[said.Fault]:
    """Faults from marshmallow's nested messages: {location: {field: [text]}}. The texts are ours, or marshmallow's
    fixed ones in our words; none quotes a value."""
    return chain.from_iterable(_nested("", location) for location in messages.values())


def _nested(pointer: str, messages: Any) -> Iterator[said.Fault]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from _nested(_below(pointer, key), inner)
    else:
        for text in messages:
            yield said.Fault(pointer, "field_invalid", _in_our_words(str(text)))


def _in_our_words(text: str) -> str:
    for theirs, ours in _FORMS:
        if match := theirs.fullmatch(text):
            return match.expand(ours)
    return text


def _below(pointer: str, key: object) -> str:
    # marshmallow marks what concerns an object as a whole, and keys or values of a mapping, by these names.
    if key in ("_schema", "key", "value"):
        return pointer
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"


def register_problems(app: Flask) -> None:
    """Answer every error with a problem document, those of the framework too."""
    app.register_error_handler(said.Refusal, refusal_response)
    app.register_error_handler(ApiProblem, _api_problem)
    app.register_error_handler(HTTPException, http_response)
    app.register_error_handler(Exception, _unexpected)


def _api_problem(problem: ApiProblem) -> Response:
    return problem_response(problem.code, problem.status, problem.detail, problem.headers, **problem.members)


def _unexpected(error: Exception) -> Response:
    log_unexpected(error, request.endpoint)
    return problem_response("internal", 500, _INTERNAL)
