"""Questions in a query string, answers, and coverage."""

from dataclasses import asdict
from dataclasses import fields as members
from typing import Any

from marshmallow import Schema, fields, validate

from api.schemas.fields import one_of
from api.schemas.ledger import LossAtDeltaSchema, loss_json
from api.schemas.paging import PageSchema
from contracts.asking import Answered, FeedCoverage, Granted
from contracts.ledger.statements import ceilings
from contracts.parties import JsonObject
from contracts.statistics.answers import Answer, Flag, Label, State
from contracts.statistics.as_of import LATEST
from contracts.statistics.declarations import Statistic
from contracts.statistics.questions import Compare

GUARANTEE = (
    "Computed from stored noisy releases alone: asking costs no budget, and the same releases always give the same "
    "answer. The releases are zero-concentrated differentially private (zCDP, add-or-remove)."
)


class QuestionSchema(Schema):
    """A question about one statistic."""

    by = fields.String(metadata={"description": "Dimensions and at most one of month, quarter, year, by commas."})
    periods = fields.String(metadata={"description": "`2025`, `2025-Q1`, `2025-03`, or two with `..` between."})
    where = fields.String(
        metadata={"description": "Allowed values as `dimension:value`, by commas; the same dimension twice means or."}
    )
    confidence = fields.Float(
        load_default=0.95,
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


class CoveredPeriodSchema(Schema):
    """How many providers are pooled in a period, and which measurements of it: 0 the first, 1, 2, ... restatements."""

    period = fields.String(required=True)
    providers = fields.Integer(required=True)
    restatements = fields.List(fields.Integer(), required=True)


class CoverageSchema(Schema):
    """Which periods of a feed an answer rests on. providers: all that post it; fewest and most: those pooled."""

    feed = fields.String(required=True)
    asked = fields.List(fields.String(), required=True)
    covered = fields.List(fields.String(), required=True)
    missing = fields.List(fields.String(), required=True)
    provisional = fields.List(fields.String(), required=True)
    providers = fields.Integer(required=True)
    providers_fewest = fields.Integer(required=True)
    providers_most = fields.Integer(required=True)
    rests_on = fields.List(fields.Nested(CoveredPeriodSchema), required=True)
    compared = fields.Boolean(
        required=True, metadata={"description": "Whether these are the periods before, with which is compared."}
    )


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


class AnswerSchema(Schema):
    """An answer with everything needed to read it."""

    statistic = fields.String(required=True)
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


class CatalogueSchema(Schema):
    statistics = fields.List(fields.Nested(GrantedSchema), required=True)
    grant = fields.Nested(GrantTermsSchema, metadata={"description": "Absent where nothing is granted."})


class OwnReleaseSchema(Schema):
    """A release of the caller's own."""

    release_id = fields.String(required=True)
    submission_id = fields.String(required=True)
    period = fields.String(required=True)
    restatement = fields.Integer(required=True)
    provisional = fields.Boolean(required=True)
    released_at = fields.AwareDateTime(format="iso", required=True)


class FeedCoverageSchema(CoverageSchema):
    """What is open to the caller, and what it posted itself."""

    own_releases = fields.List(fields.Nested(OwnReleaseSchema), required=True)


class ReleasesSchema(PageSchema):
    """Every feed, with those of the releases of your own that are on this page."""

    feeds = fields.List(fields.Nested(FeedCoverageSchema), required=True)


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


def catalogue_json(granted: Granted | None) -> JsonObject:
    if granted is None:
        return {"statistics": []}
    grant = granted.grant
    lines = [_granted_json(name, grant.by_at_most, statistic) for name, statistic in granted.statistics.items()]
    terms = {
        "term": grant.pointer,
        "by_at_most": grant.by_at_most,
        "dimensions": grant.dimensions,
        "feeds": grant.feeds,
        "periods": grant.periods,
        "purposes": granted.purposes,
    }
    return {"statistics": lines, "grant": terms}


def _granted_json(name: str, by_at_most: int, statistic: Statistic | None) -> JsonObject:
    line: JsonObject = {"name": name, "by_at_most": by_at_most, "offered": statistic is not None}
    if statistic is None:
        return line
    return line | {
        "title": statistic.title,
        "estimand": statistic.estimand,
        "formula": statistic.formula,
        "needs": [str(need) for need in statistic.needs],
    }


def coverage_json(found: FeedCoverage, shown: frozenset[str]) -> JsonObject:
    """shown: the own releases that are on this page, by id."""
    own = [
        {
            "release_id": release.id,
            "submission_id": release.submission_id,
            "period": release.period,
            "restatement": release.restatement,
            "provisional": release.provisional,
            "released_at": release.released_at,
        }
        for release in found.own_releases
        if release.id in shown
    ]
    return asdict(found.coverage) | {"own_releases": own}
