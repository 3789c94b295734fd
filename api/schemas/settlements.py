"""The settlement statement, and how a preview says that it will be decided."""

from dataclasses import asdict

from marshmallow import Schema, fields

from api.schemas.answers import EndsSchema
from api.schemas.fields import one_of
from contracts.parties import JsonObject
from contracts.settlement_odds import SettlementOdds
from contracts.statistics.answers import Label, State
from contracts.statistics.threshold import OUTCOMES


class SettlementQuerySchema(Schema):
    """For what a statement is asked, which it does not depend on."""

    purpose = fields.String(
        metadata={"description": "What it is for; else the only purpose granted, or the contract's own."}
    )


class SettlementStatementSchema(Schema):
    """What a contract comes to by its settlement clause: the same for whoever asks, and whenever."""

    contract_id = fields.String(required=True)
    contract_version = fields.Integer(required=True)
    contract_digest = fields.String(required=True)
    statistic = fields.String(required=True)
    target = fields.String(required=True)
    period = fields.String(required=True)
    as_of = fields.String(required=True)
    decide_at = fields.String(
        required=True, metadata={"description": "Met from this confidence on, not met from one minus it down."}
    )
    undecided = fields.String(required=True, metadata={"description": "What the contract says then."})
    outcome = one_of(
        *(flag.value for flag in OUTCOMES),
        name="SettlementOutcome",
        required=True,
        allow_none=True,
        metadata={"description": "Null where the contract's small-cell rule hides the rate."},
    )
    confidence = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "How sure it is, of the noise, that the rate is at least the target."},
    )
    rate = fields.Float(required=True, allow_none=True)
    interval = fields.Nested(EndsSchema, required=True, allow_none=True)
    interval_confidence = fields.Float(required=True)
    state = one_of(*State, required=True)
    labels = fields.List(one_of(*Label), required=True)
    releases = fields.List(fields.String(), required=True)
    signed_receipt = fields.String(
        required=True, metadata={"description": "Compact JWS of all this, which `parley receipt verify` checks."}
    )


class OddsSchema(Schema):
    """How often each of the three will be said where the rate of the posted members is this one."""

    rate = fields.Float(required=True)
    met = fields.Float(required=True)
    not_met = fields.Float(required=True)
    undecided = fields.Float(required=True)


class SettlementOddsSchema(Schema):
    """How a settlement will be decided near its target: both errors, before anyone signs."""

    statistic = fields.String(required=True)
    target = fields.String(required=True)
    period = fields.String(required=True)
    decide_at = fields.String(required=True)
    feed = fields.String(required=True, allow_none=True)
    expected = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "The rate's denominator, of all providers; null where it is not predicted."},
    )
    noise_sd = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Standard deviation of the noise of the rate, at the target; null as `expected` is."},
    )
    odds = fields.List(fields.Nested(OddsSchema), required=True)


def odds_json(found: SettlementOdds) -> JsonObject:
    clause = found.clause
    return {
        "statistic": clause.statistic,
        "target": str(clause.target),
        "period": str(clause.period),
        "decide_at": str(clause.decide_at),
        "feed": found.feed,
        "expected": found.expected,
        "noise_sd": found.noise_sd,
        "odds": [{"rate": rate, **asdict(odds)} for rate, odds in found.odds],
    }
