"""The JSON Schema (2020-12) of a feed's cells, generated from the contract: what a submission may hold."""

from contracts.cells import MAX_COUNT
from contracts.parties import JsonObject
from contracts.terms import FeedTerms


def feed_schema(contract_id: str, version: int, feed: FeedTerms) -> JsonObject:
    """Rows or columns, exactly one of them; every dimension and measure, and nothing else."""
    fields = {**{name: _dimension(values) for name, values in feed.vocabularies.items()},
              **{name: _measure(feed, name) for name in feed.measures}}  # fmt: skip
    row = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    columns = {name: {"type": "array", "items": schema} for name, schema in fields.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:parley:contract:{contract_id}:{version}:feed:{feed.name}",
        "title": f"One period of {feed.name}",
        "description": (
            "Post every stratum that is not zero, with true counts: never hide small cells. Absent strata are zero. "
            + "".join(f"In every stratum: {invariant.text}. " for invariant in feed.invariants)
        ).strip(),
        "type": "object",
        "properties": {
            "submission_id": {"type": "string", "format": "uuid", "description": "made by you, once a period"},
            "feed": {"const": feed.name},
            "period": {"enum": [str(period) for period in feed.periods]},
            "rows": {"type": "array", "items": row},
            "columns": {
                "type": "object",
                "properties": columns,
                "required": list(columns),
                "additionalProperties": False,
            },
        },
        "required": ["submission_id", "feed", "period"],
        "oneOf": [{"required": ["rows"]}, {"required": ["columns"]}],
        "additionalProperties": False,
    }


def _dimension(values: tuple[str, ...]) -> JsonObject:
    return {"type": "string", "enum": list(values)}


def _measure(feed: FeedTerms, name: str) -> JsonObject:
    terms = feed.measures[name]
    return {
        "type": "integer",
        "minimum": 0,
        "maximum": MAX_COUNT,
        "description": f"{terms.unit}; one person adds at most {terms.bound}",
    }
