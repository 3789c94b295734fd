"""What openapi.yaml says of tables: the media types of those that are posted and of those that are answered, and the
query that is the envelope of a submission.

The parameters are those members of the JSON body that say what is posted; of JSON none may be given.
"""

from typing import Any, Final

from adapters.cells.media_types import ARROW_STREAM, CSV, PARQUET
from contracts.parties import JsonObject

_ANSWERS: Final = "/v1/contracts/{contract_id}/statistics/{name}"
_PATH: Final = "/v1/contracts/{contract_id}/submissions"
_ENVELOPE: Final = ("submission_id", "feed", "period", "restatement", "contract_version")
_NEEDED: Final = frozenset({"submission_id", "feed", "period"})
# Parquet comes last: openapi-python-client, where it is told that each is a file, posts files as what comes last.
_FORMS: Final = {
    CSV: "A header of all dimensions and measures, and a line a stratum, in UTF-8 (RFC 4180).",
    ARROW_STREAM: "The columns of a Parquet file as an Arrow IPC stream.",
    PARQUET: "A column a dimension, of texts, and a column a measure, of integers; a row a stratum.",
}
_ANSWERED: Final[dict[str, JsonObject]] = {
    CSV: {"type": "string", "description": "A line a row, in UTF-8 (RFC 4180), with the columns of the codebook."},
    PARQUET: {
        "type": "string",
        "format": "binary",
        "description": "The same lines in typed columns; all else of the answer, and the codebook, in its metadata.",
    },
}
_BODY: Final = (
    "The cells in JSON, with the envelope; or as a table, with the envelope in the query. It may be compressed: then "
    "send `Content-Encoding: gzip` and one whole gzip member, or `zstd` and one whole frame."
)


def describe_tables(document: JsonObject) -> None:
    """Add to the one operation that takes them, and to the one that answers by them."""
    answered = document["paths"][_ANSWERS]["get"]["responses"]["200"]
    answered["content"] |= {kind: {"schema": schema} for kind, schema in _ANSWERED.items()}
    operation = document["paths"][_PATH]["post"]
    members = document["components"]["schemas"]["Submission"]["properties"]
    operation["parameters"] = [*operation.get("parameters", []), *(_parameter(name, members) for name in _ENVELOPE)]
    body = operation["requestBody"]
    body["description"] = _BODY
    body["content"] |= {kind: {"schema": _table(said)} for kind, said in _FORMS.items()}


def _parameter(name: str, members: JsonObject) -> JsonObject:
    needed = "needed" if name in _NEEDED else "taken"
    schema = {key: said for key, said in members[name].items() if key not in ("description", "default")}
    description = f"Of a table alone, where it is {needed}: `{name}` as in the JSON body, where it is said there."
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _table(description: str) -> dict[str, Any]:
    return {"type": "string", "format": "binary", "description": description}
