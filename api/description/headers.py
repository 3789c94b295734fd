"""Headers of answers as openapi.yaml declares them, and revalidation.

Content-Encoding is in words alone: were it a parameter, generated clients would name it and compress nothing.
"""

from typing import Any, Final

from api.idempotency import KEPT, KEY, REPLAYED
from contracts.parties import JsonObject

_TEXT: Final = {"type": "string"}
_SECONDS: Final = {"type": "integer", "minimum": 0}


def _header(description: str, schema: JsonObject = _TEXT, **more: Any) -> JsonObject:
    return {"description": description, **more, "schema": schema}


HEADERS: Final[JsonObject] = {
    "X-Request-Id": _header(
        "The id of this request in the logs of the exchange: yours, if you sent one of 1 to 64 letters, digits and "
        "`. _ -`. Name it when you ask for help.",
        required=True,
    ),
    "RateLimit": _header(
        "How many requests are left (`r`) and for how many seconds (`t`), by policy; absent where there is no limit."
    ),
    "RateLimit-Policy": _header("How many requests (`q`) are allowed in how many seconds (`w`), by policy."),
    "Retry-After": _header("Seconds to wait before you try again; absent where waiting does not help.", _SECONDS),
    "WWW-Authenticate": _header("What would let you in (RFC 6750)."),
    "Accept": _header("The media type that is taken."),
    REPLAYED: _header(
        f"`true` where a request was done before, under its {KEY}, in the last {KEPT.days * 24} hours: this is its "
        "answer. Absent where it was done now.",
        {"type": "string", "enum": ["true"]},
    ),
    "ETag": _header("The tag of this representation: ask again with it as `If-None-Match`."),
    "ETag-of-draft": _header("The tag of a draft, to be sent as `If-Match`; absent once it is proposed."),
    "ETag-of-answer": _header(
        "SHA-256 of the answer, as its receipt and the audit name it: ask again with it as `If-None-Match`. Absent "
        "with `receipt=true`; `.csv` or `.parquet` is added where it is a table, `.gzip` where it is compressed."
    ),
    "Cache-Control": _header("For how long it may be kept."),
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": _TEXT,
    "description": "The ETag of what you have; while it holds still, 304 is answered, without a body.",
}
_DRAFTS: Final = frozenset({"draftContract", "amendContract", "editDraft", "getContract"})
_PUBLISHED: Final = ("/.well-known/", "/openapi.yaml", "/v1/codebook")


def references(*names: str, **others: str) -> JsonObject:
    """Headers that are described once. others: those described under another name than they are sent as."""
    described = {name: name for name in names} | others
    return {name: {"$ref": f"#/components/headers/{known}"} for name, known in described.items()}


def add_headers(path: str, method: str, operation: JsonObject, parameters: list[JsonObject]) -> None:
    """Declare what its own answers carry; refusals that operations share say it themselves."""
    tag = _tag_of(path, operation["operationId"])
    headers = references("X-Request-Id")
    if operation["security"]:
        headers |= references("RateLimit", "RateLimit-Policy")
    if any(parameter["name"] == KEY for parameter in parameters):
        headers |= references(REPLAYED)
    if tag:
        headers |= references(ETag=tag)
    if path.startswith(_PUBLISHED):
        headers |= references("Cache-Control")
    for status, response in operation["responses"].items():
        if "$ref" not in response:
            carried = headers if status.startswith("2") else references("X-Request-Id")
            challenge = references("WWW-Authenticate") if status == "401" else {}
            response["headers"] = carried | challenge | response.get("headers", {})
    if tag and method == "get":
        operation["parameters"] = [*operation.get("parameters", []), dict(_IF_NONE_MATCH)]
        unchanged = {"description": "It is still as you have it; no body.", "headers": headers}
        operation["responses"] = dict(sorted({**operation["responses"], "304": unchanged}.items()))


def _tag_of(path: str, name: str) -> str | None:
    """Under which name its ETag is described."""
    if name in _DRAFTS:
        return "ETag-of-draft"
    if path.startswith(_PUBLISHED):
        return "ETag"
    return "ETag-of-answer" if name == "ask" else None
