"""The JSON Schema (2020-12) of what is posted to a feed, generated from the contract: cells, or a release."""

from math import prod
from typing import Final

from contracts.cells import MAX_COUNT
from contracts.parties import JsonObject
from contracts.submissions.source_releases import MAX_NOISY
from contracts.terms import FeedTerms, Measured, write_draws
from privacy.plan import Draw

_CELLS: Final = "Post every stratum that is not zero, with true counts: never hide small cells. Absent strata are zero."
_AT_SOURCE: Final = (
    "The release that the provider draws on its own premises by this plan, as `parley measure` writes it. Exact cells "
    "are never posted to this feed."
)


def feed_schema(contract_id: str, version: int, feed: FeedTerms) -> JsonObject:
    """Rows or columns of every dimension and measure, exactly one of them; or the release of a feed measured at source;
    and nothing else."""
    at_source = feed.measured is Measured.SOURCE
    forms = _release(feed) if at_source else _cells(feed)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:parley:contract:{contract_id}:{version}:feed:{feed.name}",
        "title": f"One period of {feed.name}",
        "description": _AT_SOURCE if at_source else _description(feed),
        "type": "object",
        "properties": {
            "submission_id": {"type": "string", "format": "uuid", "description": "made by you, once a period"},
            "feed": {"const": feed.name},
            "period": {"enum": [str(period) for period in feed.periods]},
            "restatement": {"type": "integer", "minimum": 0, "maximum": feed.restatements},
            **forms,
        },
        "required": ["submission_id", "feed", "period"],
        "oneOf": [{"required": [form]} for form in forms],
        "additionalProperties": False,
    }


def _description(feed: FeedTerms) -> str:
    return " ".join((_CELLS, *(f"In every stratum: {invariant.text}." for invariant in feed.invariants)))


def _cells(feed: FeedTerms) -> JsonObject:
    fields = {**{name: _dimension(values) for name, values in feed.vocabularies.items()},
              **{name: _measure(feed, name) for name in feed.measures}}  # fmt: skip
    columns = {name: {"type": "array", "items": schema} for name, schema in fields.items()}
    return {"rows": {"type": "array", "items": _closed(fields)}, "columns": _closed(columns)}


def _release(feed: FeedTerms) -> JsonObject:
    if feed.plan is None:
        return {"release": {"type": "object", "description": "its draws are known once the contract is proposed"}}
    drawn = [_drawn(feed, *draw) for draw in zip(feed.plan.draws, write_draws(feed.plan), strict=True)]
    properties = {
        "contract_digest": {"type": "string"},
        "generation": {"const": feed.generation},
        "draws": {"type": "array", "prefixItems": drawn, "minItems": len(drawn), "maxItems": len(drawn)},
    }
    return {"release": _closed(properties)}


def _drawn(feed: FeedTerms, draw: Draw, event: JsonObject) -> JsonObject:
    entries = prod(len(feed.vocabularies[name]) for name in draw.margin)
    entry = {"type": "integer", "minimum": -MAX_NOISY, "maximum": MAX_NOISY}
    noisy = {"type": "array", "items": entry, "minItems": entries, "maxItems": entries}
    return _closed({**{name: {"const": value} for name, value in event.items()}, "noisy": noisy})


def _closed(properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


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
