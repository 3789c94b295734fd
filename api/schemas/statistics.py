"""Questions in a query string, and what a contract grants to be asked."""

from dataclasses import asdict
from typing import Any, Final

from marshmallow import Schema, fields, validate

from api.schemas.codebook import DeclarationSchema
from api.schemas.fields import one_of
from contracts.asking import Granted
from contracts.parties import JsonObject, Role
from contracts.periods import Grain
from contracts.statistics.as_of import LATEST
from contracts.statistics.codebook import declare
from contracts.statistics.questions import Compare

CONFIDENCES: Final = "above 0.5 and at most 0.999"


class QuestionSchema(Schema):
    """A question about one statistic."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.error_messages["unknown"] = f"is no parameter here; there are {', '.join(self.fields)}"

    by = fields.String(metadata={"description": "Dimensions and at most one of month, quarter, year, by commas."})
    periods = fields.String(metadata={"description": "`2025`, `2025-Q1`, `2025-03`, or two with `..` between."})
    where = fields.String(
        metadata={"description": "Allowed values as `dimension:value`, by commas; the same dimension twice means or."}
    )
    confidence = fields.Float(
        load_default=0.95,
        error_messages={"invalid": CONFIDENCES, "special": CONFIDENCES},
        metadata={
            "exclusiveMinimum": 0.5,
            "maximum": 0.999,
            "description": "How often intervals hold what they cover.",
        },
    )
    feed = fields.String(metadata={"description": "Which feed, where several could answer; by commas for a joint one."})
    measures = fields.String(metadata={"description": "For counts and joint_table: which measures, by commas."})
    as_of = fields.String(
        load_default=LATEST,
        metadata={"description": "Which measurement of each period: latest, first, final, restatement_1, ..."},
    )
    purpose = fields.String(
        metadata={"description": "What the answer is for; the contract's own purpose unless it is stated."}
    )
    version = fields.Integer(
        validate=validate.Range(1, 1_000_000),
        metadata={"description": "The contract version that the question is meant for: another one is refused."},
    )
    of = fields.String(metadata={"description": "For statistics that are about another one, such as trend: which one."})
    compare = one_of(
        *Compare, metadata={"description": "Add the difference of each figure to the same one of what is named."}
    )
    standard = fields.String(
        metadata={"description": "By which of the contract's public weights, where several would fit."}
    )
    explain = fields.Boolean(
        load_default=False, metadata={"description": "Say how each figure was reckoned, from which releases and plan."}
    )
    receipt = fields.Boolean(
        load_default=False, metadata={"description": "Sign the answer, so that you can prove later that it was given."}
    )


class GrantedDaysSchema(Schema):
    """Days, both ends included: only periods that lie wholly between them."""

    first = fields.Date(required=True)
    last = fields.Date(required=True)


class GrantTermsSchema(Schema):
    """The caller's grant. What is null is not narrowed."""

    term = fields.String(required=True, metadata={"description": "JSON pointer into the contract document."})
    by_at_most = fields.Integer(required=True)
    dimensions = fields.List(fields.String(), required=True, allow_none=True)
    feeds = fields.List(fields.String(), required=True, allow_none=True)
    periods = fields.Nested(GrantedDaysSchema, required=True, allow_none=True)
    purposes = fields.List(
        fields.String(), required=True, metadata={"description": "One of these may be stated as `purpose`."}
    )


class GrantedSchema(Schema):
    """A statistic that the contract grants the caller."""

    name = fields.String(required=True)
    by_at_most = fields.Integer(required=True)
    offered = fields.Boolean(required=True, metadata={"description": "Does this version answer it?"})
    title = fields.String(allow_none=True)
    estimand = fields.String(allow_none=True)
    formula = fields.String(allow_none=True)
    needs = fields.List(fields.String())
    declaration = fields.Nested(DeclarationSchema, metadata={"description": "All of it; absent where not offered."})
    missing = fields.List(
        fields.String(), metadata={"description": "What the contract's feeds lack for it; empty where nothing."}
    )
    instead = fields.List(
        fields.String(),
        metadata={"description": "Where something is missing: the statistics granted that can be asked."},
    )


class AskableFeedSchema(Schema):
    """What of a feed your grant opens to questions, by the contract alone: whatever was posted."""

    name = fields.String(required=True)
    provider = one_of(*Role, required=True)
    grain = one_of(*Grain, required=True)
    first = fields.String(required=True)
    last = fields.String(required=True)
    by = fields.List(fields.String(), required=True)
    measures = fields.List(fields.String(), required=True)
    linked = fields.Boolean(required=True)


class SettledOnSchema(Schema):
    """What the contract settles on, which `threshold_assessment` is about."""

    statistic = fields.String(required=True)
    period = fields.String(required=True)
    target = fields.String(required=True)


class CatalogueSchema(Schema):
    statistics = fields.List(fields.Nested(GrantedSchema), required=True)
    feeds = fields.List(fields.Nested(AskableFeedSchema), metadata={"description": "Absent where nothing is granted."})
    standards = fields.List(
        fields.String(), metadata={"description": "Names of the contract's public weights; absent as `feeds`."}
    )
    settlement = fields.Nested(
        SettledOnSchema,
        allow_none=True,
        metadata={"description": "Null where the contract settles on nothing; absent as `feeds`."},
    )
    grant = fields.Nested(GrantTermsSchema, metadata={"description": "Absent where nothing is granted."})


def catalogue_json(granted: Granted | None) -> JsonObject:
    if granted is None:
        return {"statistics": []}
    grant = granted.grant
    lines = [_granted_json(granted, name) for name in granted.statistics]
    terms = {
        "term": grant.pointer,
        "by_at_most": grant.by_at_most,
        "dimensions": grant.dimensions,
        "feeds": grant.feeds,
        "periods": grant.periods,
        "purposes": granted.purposes,
    }
    return {
        "statistics": lines,
        "feeds": [asdict(feed) for feed in granted.feeds],
        "standards": granted.standards,
        "settlement": granted.settlement,
        "grant": terms,
    }


def _granted_json(granted: Granted, name: str) -> JsonObject:
    statistic = granted.statistics[name]
    line: JsonObject = {"name": name, "by_at_most": granted.grant.by_at_most, "offered": statistic is not None}
    if statistic is None:
        return line
    return line | {
        "title": statistic.title,
        "estimand": statistic.estimand,
        "formula": statistic.formula,
        "needs": [str(need) for need in statistic.needs],
        "declaration": asdict(declare(statistic)),
        "missing": granted.missing.get(name, ()),
        "instead": granted.instead.get(name, ()),
    }
