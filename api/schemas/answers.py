"""Answers: their rows, how these were reckoned, and what they may cost a person."""

from dataclasses import fields as members
from typing import Any

from marshmallow import Schema, fields, validate

from api.schemas.coverage import CoverageSchema
from api.schemas.fields import one_of
from api.schemas.ledger import LossAtDeltaSchema, loss_json
from contracts.asking import Answered
from contracts.ledger.statements import ceilings
from contracts.parties import JsonObject
from contracts.statistics.answers import Answer, Flag, Label, State
from contracts.statistics.questions import Compare

GUARANTEE = (
    "Computed from stored noisy releases alone: asking costs no budget, and the same releases always give the same "
    "answer. The releases are zero-concentrated differentially private (zCDP, add-or-remove)."
)


class EndsSchema(Schema):
    """Both ends of an interval; lower is null where only an upper limit is identified, upper where there is none."""

    lower = fields.Float(required=True, allow_none=True)
    upper = fields.Float(required=True, allow_none=True)


class RowSchema(Schema):
    """One figure of one stratum. suppressed, missing and zero are three different things."""

    key = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    figure = fields.String(required=True)
    unit = fields.String(required=True)
    state = one_of(*State, required=True)
    value = fields.Float(required=True, allow_none=True)
    interval = fields.Nested(EndsSchema, required=True, allow_none=True)
    total_interval = fields.Nested(EndsSchema, required=True, allow_none=True)
    flags = fields.List(one_of(*Flag), required=True)


class ReleaseUsedSchema(Schema):
    """A release that the answer rests on. provider and block_sha256: of the caller's own only."""

    id = fields.String(required=True)
    feed = fields.String(required=True)
    period = fields.String(required=True)
    restatement = fields.Integer(required=True)
    provider = fields.String(required=True, allow_none=True)
    block_sha256 = fields.String(required=True, allow_none=True)


class DrawUsedSchema(Schema):
    """One margin of one measure, noised as one vector."""

    measure = fields.String(required=True)
    margin = fields.List(fields.String(), required=True)
    sigma = fields.String(required=True)
    charge_nano = fields.Integer(required=True)


class PlanUsedSchema(Schema):
    """The frozen measurement plan of a feed; charge_nano: the loss of one release by it, in nano-rho."""

    feed = fields.String(required=True)
    draws = fields.List(fields.Nested(DrawUsedSchema), required=True)
    charge_nano = fields.Integer(required=True)


class TermSchema(Schema):
    """An estimate that a figure is made of, and the variance and standard deviation of its noise."""

    name = fields.String(required=True)
    estimate = fields.Float(required=True)
    variance = fields.Float(required=True)
    sd = fields.Float(required=True)


class WorkingSchema(Schema):
    """How a figure was reckoned. variance and sd are of its noise; of a rate to first order."""

    formula = fields.String(required=True)
    terms = fields.List(fields.Nested(TermSchema), required=True)
    covariance = fields.Float(
        required=True, allow_none=True, metadata={"description": "Of the noise of numerator and denominator."}
    )
    variance = fields.Float(required=True, allow_none=True)
    sd = fields.Float(required=True, allow_none=True)


class RowExplainedSchema(Schema):
    """working is null where the row is not shown."""

    key = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    figure = fields.String(required=True)
    state = one_of(*State, required=True)
    working = fields.Nested(WorkingSchema, required=True, allow_none=True)


class ExplanationSchema(Schema):
    """What an answer rests on, and how each of its rows was reckoned, in their order."""

    releases = fields.List(fields.Nested(ReleaseUsedSchema), required=True)
    plans = fields.List(fields.Nested(PlanUsedSchema), required=True)
    rows = fields.List(fields.Nested(RowExplainedSchema), required=True)
    why_private = fields.String(required=True)


class PrivacyStatementSchema(Schema):
    """What the releases may cost a person. Ceilings are those signed; what was spent is in each party's ledger."""

    guarantee = fields.String(required=True)
    unit = fields.String(required=True)
    ceilings = fields.Dict(keys=fields.String(), values=fields.Nested(LossAtDeltaSchema), required=True)
    providers_at_most = fields.Integer(
        required=True, metadata={"description": "In how many providers' data the privacy unit is."}
    )
    unit_ceiling = fields.Nested(
        LossAtDeltaSchema, required=True, metadata={"description": "The most that the unit may lose: rho added first."}
    )
    one_person_in_everything = fields.Nested(LossAtDeltaSchema, required=True)
    several_providers = fields.String(required=True)


class AnsweredQuestionSchema(Schema):
    """What an answer is an answer to, with what was put where the question said nothing."""

    by = fields.List(fields.String(), required=True)
    where = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), required=True)
    periods = fields.String(required=True, allow_none=True)
    feeds = fields.List(fields.String(), required=True)
    measures = fields.List(fields.String(), required=True)
    compare = one_of(*Compare, required=True, allow_none=True)
    of = fields.String(required=True, allow_none=True)
    standard = fields.String(required=True, allow_none=True)


class AnswerSchema(Schema):
    """An answer with everything needed to read it."""

    statistic = fields.String(required=True)
    question = fields.Nested(AnsweredQuestionSchema, required=True)
    estimand = fields.String(required=True)
    as_of = fields.String(required=True)
    contract_id = fields.String(required=True)
    contract_version = fields.Integer(required=True)
    contract_digest = fields.String(required=True)
    purpose = fields.String(required=True, metadata={"description": "What this answer may be used for."})
    confidence = fields.Float(required=True, validate=validate.Range(0.5, 0.999, min_inclusive=False))
    interval_covers = fields.String(required=True)
    total_interval_covers = fields.String(required=True, allow_none=True)
    labels = fields.List(one_of(*Label), required=True)
    notes = fields.List(fields.String(), required=True)
    coverage = fields.List(fields.Nested(CoverageSchema), required=True)
    releases = fields.List(fields.String(), required=True)
    rows = fields.List(fields.Nested(RowSchema), required=True)
    privacy = fields.Nested(PrivacyStatementSchema, required=True)
    explanation = fields.Nested(ExplanationSchema, metadata={"description": "Only where it was asked for."})
    signed_receipt = fields.String(
        metadata={"description": "Only where it was asked for: compact JWS that binds the question and this answer."}
    )


def answer_json(answered: Answered) -> JsonObject:
    # Not asdict: it copies every row, which the schema then reads once more.
    answer: dict[str, Any] = {member.name: getattr(answered.answer, member.name) for member in members(Answer)}
    if answered.explanation is not None:
        answer["explanation"] = answered.explanation
    limits = ceilings(answered.terms)
    return answer | {
        "contract_id": answered.record.id,
        "contract_version": answered.record.version,
        "contract_digest": answered.record.digest,
        "purpose": answered.purpose,
        "privacy": {
            "guarantee": GUARANTEE,
            "unit": limits.unit,
            "ceilings": {name: loss_json(loss) for name, loss in limits.of_populations.items()},
            "providers_at_most": limits.providers_at_most,
            "unit_ceiling": loss_json(limits.of_unit),
            "one_person_in_everything": loss_json(limits.everything),
            "several_providers": limits.adds_up,
        },
    }
