"""What openapi.yaml says beyond the routes and schemas themselves: every refusal with its headers, what the parts of a
path are, and forms that generators in any language can read.

Refusals are the same for like routes, so they follow here from what a route takes instead of standing at each.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from api.description.headers import HEADERS, add_headers, references
from api.description.meanings import explain_members
from api.description.tables import describe_tables
from api.idempotency import KEY
from api.schemas.fields import ENUM_NAME, KEY_PATTERN
from contracts.parties import JsonObject

PROBLEM_TYPE: Final = "application/problem+json"
_SCHEMAS: Final = "#/components/schemas/"
_CHALLENGE: Final = ("WWW-Authenticate",)
_WAIT: Final = ("Retry-After",)

# status: name, description, headers, and an example of its problem document as (code, detail, further members).
_REFUSALS: Final[dict[str, tuple[str, str, tuple[str, ...], tuple[str, str, JsonObject]]]] = {
    "400": (
        "Malformed",
        "The request cannot be read.",
        (),
        ("request-malformed", "The body is not JSON.", {}),
    ),
    "401": (
        "Unauthenticated",
        "There is no access token, or none that is good here and now.",
        _CHALLENGE,
        ("token-expired", "The access token has expired.", {}),
    ),
    "403": (
        "NotAllowed",
        "The token lacks the scope, or the contract does not allow it; then `term` points to the clause.",
        _CHALLENGE,
        ("scope-missing", "This needs the scope statistics.read.", {}),
    ),
    "404": (
        "NotFound",
        "There is no such thing, or you are not to know of it.",
        (),
        ("contract-not-found", "There is no contract of this id.", {}),
    ),
    "406": (
        "NotAcceptable",
        "It is not available in a media type that you accept.",
        (),
        ("not-acceptable", "An answer is application/json or text/csv.", {"available": ["application/json"]}),
    ),
    "409": (
        "Conflict",
        "The world is in another state than the request needs.",
        _WAIT,
        ("contract-not-in-force", "The contract is not in force.", {"contract_status": "proposed"}),
    ),
    "412": (
        "Changed",
        "`If-Match` names another draft than the one there is.",
        (),
        ("draft-changed", "The draft was changed since you read it.", {}),
    ),
    "413": (
        "TooLarge",
        "The body is larger than this exchange takes.",
        (),
        ("body-too-large", "The body is larger than this exchange takes.", {}),
    ),
    "415": (
        "MediaTypeUnsupported",
        "The body is of another media type, or encoded.",
        ("Accept",),
        ("media-type-unsupported", "This route takes application/json.", {}),
    ),
    "422": (
        "Invalid",
        "The input has faults; `errors` names each.",
        (),
        (
            "input-invalid",
            "The input has faults.",
            {"errors": [{"pointer": "/feed", "code": "field_invalid", "detail": "is required"}]},
        ),
    ),
    "428": (
        "IfMatchMissing",
        "`If-Match` is missing.",
        (),
        ("if-match-missing", "Send the ETag with which you read the draft as If-Match.", {}),
    ),
    "429": (
        "TooManyRequests",
        "Your organisation asks too often, or your address without a good token.",
        ("RateLimit", "RateLimit-Policy", "Retry-After"),
        ("rate-limited", "This organisation has asked 1200 times in 60 s; wait 14 s.", {}),
    ),
    "5XX": (
        "Unavailable",
        "The exchange cannot do it now.",
        _WAIT,
        ("database-unavailable", "The database cannot be reached; try again.", {}),
    ),
}
_PATH_PARTS: Final = {
    "contract_id": "The id of a contract, as its document says it.",
    "organisation_id": "The id with which the organisation was registered.",
    "population_id": "The id with which the population was registered.",
    "client_id": "The id with which the client was registered.",
    "kid": "The id of a key, as its registration answered it.",
    "feed_name": "A feed of the contract.",
    "name": "A statistic, such as `adherence_rate`; `GET .../statistics` lists those that you may ask.",
}
_EXACTLY_ONE: Final = {"Submission": ("rows", "columns", "release")}
_NEGOTIATED: Final = ("ask", "getContractText")
_UNLIMITED: Final = ("/healthz", "/readyz")
_METHODS: Final = ("get", "post", "put", "delete", "patch")
# What flask-smorest puts in by itself, which says less.
_ITS_OWN: Final = ("DEFAULT_ERROR", "UNPROCESSABLE_ENTITY")
Operation = tuple[str, str, JsonObject, list[JsonObject]]


def complete(document: JsonObject, docstrings: Mapping[str, str]) -> JsonObject:
    """The document of routes and schemas, with the rest. docstrings: of the classes of the schemas, by schema."""
    enumerations: JsonObject = {}
    found: JsonObject = _each(document, partial(_readable_elsewhere, enumerations))
    components = found["components"]
    if twice := enumerations.keys() & components["schemas"].keys():
        raise ValueError(f"schemas have the names of enumerations: {twice}")
    components["schemas"] |= enumerations
    used = set()
    for path, method, operation, parameters in _operations(found):
        responses = {
            status: said
            for status, said in operation["responses"].items()
            if not str(said.get("$ref", "")).endswith(_ITS_OWN)
        }
        missing = [status for status in _refusals(path, method, operation, parameters) if status not in responses]
        used.update(missing)
        responses |= {status: {"$ref": f"#/components/responses/{_REFUSALS[status][0]}"} for status in missing}
        operation["responses"] = dict(sorted(responses.items()))
        add_headers(path, method, operation, parameters)
        for parameter in parameters:
            if parameter["in"] == "path":
                parameter.setdefault("description", _PATH_PARTS[parameter["name"]])
    kept = {name: response for name, response in components["responses"].items() if name not in _ITS_OWN}
    components["responses"] = kept | dict(_response(status) for status in _REFUSALS if status in used)
    components["headers"] = HEADERS
    _leave_room(found)
    components["schemas"] = {name: schemas[name] for schemas in [components["schemas"]] for name in _reached(found)}
    explain_members(components["schemas"], docstrings)
    describe_tables(found)
    for name, members in _EXACTLY_ONE.items():
        # Not a bare oneOf, of which generators make a union of types without members.
        components["schemas"][name] |= {"if": {"oneOf": [{"required": [member]} for member in members]}, "else": False}
    return found


def _operations(document: JsonObject) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method], item.get("parameters", []) + item[method].get("parameters", [])


def _refusals(path: str, method: str, operation: JsonObject, parameters: list[JsonObject]) -> Iterator[str]:
    """The statuses with which such an operation may refuse."""
    content = operation.get("requestBody", {}).get("content", {})
    places = {parameter["in"] for parameter in parameters}
    if content:
        yield from ("400", "413", "415")
    if operation["operationId"] in _NEGOTIATED:
        yield "406"
    if "application/json" in content or "query" in places:
        yield "422"
    if any(parameter["name"] == KEY for parameter in parameters):
        yield from ("400", "409", "422")
    if operation["security"]:
        yield from ("401", "403")
        if method != "get" or "contract_id" in path:
            yield "409"
    if path not in _UNLIMITED:
        yield "429"
    if "path" in places:
        yield "404"
    if_match = next((parameter for parameter in parameters if parameter["name"] == "If-Match"), None)
    if if_match is not None:
        yield from ("412", "428") if if_match["required"] else ("412",)
    yield "5XX"


def _response(status: str) -> tuple[str, JsonObject]:
    name, description, headers, (code, detail, members) = _REFUSALS[status]
    example = {
        "type": f"urn:parley:problem:{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": 503 if status == "5XX" else int(status),
        "detail": detail,
        **members,
    }
    content = {PROBLEM_TYPE: {"schema": {"$ref": f"{_SCHEMAS}Problem"}, "example": example}}
    return name, {"description": description, "headers": references("X-Request-Id", *headers), "content": content}


def _readable_elsewhere(enumerations: JsonObject, node: JsonObject) -> JsonObject:
    """Patterns end as they do outside Python, errors are of the media type that they are sent as, and enumerations,
    which are collected, have a name."""
    if ENUM_NAME in node:
        return _named(enumerations, node)
    if KEY_PATTERN in node:
        rest = {name: said for name, said in node.items() if name != KEY_PATTERN}
        return rest | {"propertyNames": {"pattern": _elsewhere(node[KEY_PATTERN])}}
    if isinstance(node.get("pattern"), str):
        return node | {"pattern": _elsewhere(node["pattern"])}
    schema = node.get("application/json")
    if isinstance(schema, dict) and schema.get("schema") == {"$ref": f"{_SCHEMAS}Problem"}:
        return {PROBLEM_TYPE: schema}
    return node


def _elsewhere(pattern: str) -> str:
    """The end of a text is `$` in ECMA-262, and nothing else."""
    return pattern.removesuffix(r"\Z") + "$" if pattern.endswith(r"\Z") else pattern


def _named(enumerations: JsonObject, node: JsonObject) -> JsonObject:
    choices = [choice for choice in node["enum"] if choice is not None]
    reference = {"$ref": _SCHEMAS + node[ENUM_NAME]}
    known = enumerations.setdefault(node[ENUM_NAME], {"type": "string", "enum": choices})
    if known["enum"] != choices:
        raise ValueError(f"two enumerations are called {node[ENUM_NAME]}")
    rest = {name: said for name, said in node.items() if name not in ("type", "enum", ENUM_NAME)}
    return rest | ({"anyOf": [reference, {"type": "null"}]} if None in node["enum"] else reference)


def _leave_room(document: JsonObject) -> None:
    """Answers may get further members some day; only what is sent here is closed."""
    schemas = document["components"]["schemas"]
    bodies = [operation.get("requestBody") for _, _, operation, _ in _operations(document)]
    sent = set(_reached(document, bodies))
    for name, schema in schemas.items():
        if name not in sent and schema.get("additionalProperties") is False:
            del schema["additionalProperties"]


def _reached(document: JsonObject, start: Any = None) -> list[str]:
    """The schemas that something there refers to, one through the other; by default anything but a mere schema."""
    schemas = document["components"]["schemas"]
    waiting = [start or [document["paths"], document["components"]["responses"]]]
    found: dict[str, None] = {}
    while waiting:
        new = [name for name in _references(waiting.pop(0)) if name not in found]
        found |= dict.fromkeys(new)
        waiting += [schemas[name] for name in new]
    return list(found)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith(_SCHEMAS):
            yield reference.removeprefix(_SCHEMAS)
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _references(inner)


def _each(node: Any, change: Callable[[JsonObject], JsonObject]) -> Any:
    """A copy of the tree in which every object is changed, innermost first."""
    if isinstance(node, list):
        return [_each(inner, change) for inner in node]
    if not isinstance(node, dict):
        return node
    return change({str(key): _each(inner, change) for key, inner in node.items()})
