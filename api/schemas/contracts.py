"""The contract document and what is answered about contracts."""

from typing import Any, Final

from marshmallow import Schema, fields, validate

from api.schemas.contract_clauses import LinkedSchema, RolloutSchema, RollupsSchema, SettlementSchema, StandardSchema
from api.schemas.fields import (
    DATE,
    DECIMAL,
    NAME,
    SHORT,
    SLUG,
    VALUE,
    Form,
    WholeNumber,
    mapping,
    name_list,
    one_of,
    text,
)
from contracts.agreeing import ContractView
from contracts.drafting.feeds import MAX_BOUND
from contracts.lifecycle import Status
from contracts.parties import JsonObject, Role
from contracts.periods import Grain
from contracts.records import MAX_VERSIONS, EventKind, Signature
from contracts.terms import MIN_PAYERS_DEFAULT, LifeTable, Measured, PrivacyUnit

PARTY_ROLES: Final = (Role.PAYER, Role.BRAND)
SHA256: Final = validate.Regexp(r"^[0-9a-f]{64}\Z", error="64 hex digits")
_BUDGET: Final = (
    "a budget of rho: a decimal number in a string, above 0 and at most 1000, with at most 12 decimals, like '0.05'"
)


def budget(**kwargs: Any) -> fields.String:
    """A decimal of rho; whether an account could hold it is decided when the contract is drafted."""
    form = validate.Regexp(DECIMAL.regex, error=_BUDGET)
    return fields.String(validate=form, error_messages={"invalid": _BUDGET}, **kwargs)


class PartySchema(Form):
    """One organisation's part in the contract."""

    organisation = text(SLUG, required=True)
    role = one_of(*PARTY_ROLES, name="PartyRole", required=True)
    population = text(SLUG, required=True)


class MeasureSchema(Form):
    """A measure of a feed, and the most that one person adds to one cell of it."""

    unit = text(NAME, required=True)
    bound = WholeNumber(minimum=1, maximum=MAX_BOUND, required=True)


class TableSchema(Form):
    """A table that the parties care about."""

    by = name_list(NAME, least=0, most=8, required=True)
    weight = WholeNumber(minimum=1, maximum=100, load_default=1)


class FeedSchema(Form):
    """A table that a provider posts period by period."""

    name = text(NAME, required=True)
    provider = one_of(*PARTY_ROLES, name="PartyRole", required=True)
    grain = one_of(*Grain, required=True)
    first_period = text(SHORT, required=True)
    last_period = text(SHORT, required=True)
    k = WholeNumber(minimum=1, maximum=1200, required=True)
    run_out_days = WholeNumber(maximum=3650, required=True)
    restatements = WholeNumber(maximum=100, load_default=0)
    link = one_of("none", "linked", load_default="none")
    measured = one_of(*Measured, load_default=Measured.EXCHANGE.value)
    life_table = one_of(*LifeTable, allow_none=True, load_default=None)
    # Left out where it is: documents of before this term keep their form, and so their digest.
    preparation_sha256 = fields.String(allow_none=True, validate=SHA256)
    linked = fields.Nested(LinkedSchema, allow_none=True)
    known_after_months = WholeNumber(maximum=36, allow_none=True)
    dimensions = name_list(NAME, least=0, most=8, required=True)
    measures = mapping(fields.Nested(MeasureSchema), least=1, required=True)
    invariants = fields.List(text(SHORT), load_default=list, validate=validate.Length(max=100))
    expected = mapping(WholeNumber(minimum=1, maximum=10**9), load_default=dict)
    tables = fields.List(fields.Nested(TableSchema), load_default=list, validate=validate.Length(max=100))
    rho = budget(required=True)


class ApprovalSchema(Form):
    """Who approved a ceiling above the default, and why."""

    name = text(SHORT, required=True)
    reason = text(SHORT, required=True)


class PrivacySchema(Form):
    """The guarantee and what it may cost."""

    definition = one_of("zCDP", required=True)
    relation = one_of("add_or_remove", required=True)
    unit = one_of(*PrivacyUnit, required=True)
    max_providers = WholeNumber(minimum=2, maximum=100, allow_none=True, load_default=None)
    delta = text(DECIMAL, required=True)
    ceilings = mapping(budget(), keys=SLUG, least=1, required=True)
    approvals = mapping(fields.Nested(ApprovalSchema), keys=SLUG, load_default=dict)


class GrantedPeriodsSchema(Form):
    """Both ends included: periods of any grain, or dates."""

    first = text(SHORT, required=True)
    last = text(SHORT, required=True)


class GrantSchema(Form):
    """What a role, or one party of it, may ask: which statistics, by how many and which dimensions, of which feeds and
    periods, for which purposes. What is null is not narrowed."""

    role = one_of(*PARTY_ROLES, name="PartyRole", required=True)
    organisation = text(SLUG, allow_none=True, load_default=None)
    statistics = name_list(NAME, most=100, required=True)
    by_at_most = WholeNumber(maximum=8, required=True)
    dimensions = name_list(NAME, least=0, most=103, allow_none=True, load_default=None)
    feeds = name_list(NAME, most=50, allow_none=True, load_default=None)
    periods = fields.Nested(GrantedPeriodsSchema, allow_none=True, load_default=None)
    purposes = name_list(NAME, most=101, allow_none=True, load_default=None)


class SmallCellsSchema(Form):
    """Noisy counts from 1 to one below are masked: a display rule."""

    mask_below = WholeNumber(minimum=2, maximum=1000, required=True)


class OffLimitsSchema(Form):
    """Codes whose claims a provider drops before anything is computed, by the digest of their list."""

    code_list_sha256 = fields.String(allow_none=True, required=True, validate=SHA256)


class ReciprocitySchema(Form):
    """Who has not posted its own periods so long after their posting day is answered about no pool."""

    within_days = WholeNumber(maximum=3650, required=True)


class RulesSchema(Form):
    """Commercial and display rules."""

    min_payers = WholeNumber(minimum=1, maximum=1000, load_default=MIN_PAYERS_DEFAULT)
    reciprocity = fields.Nested(ReciprocitySchema, allow_none=True, load_default=None)
    small_cells = fields.Nested(SmallCellsSchema, allow_none=True, load_default=None)
    payer_dimension = fields.Boolean(truthy={True}, falsy={False}, load_default=False)
    off_limits = fields.Nested(OffLimitsSchema, load_default=lambda: {"code_list_sha256": None})


class ObligationsSchema(Form):
    """What the parties owe each other outside the exchange."""

    incident_notice_hours = WholeNumber(maximum=8760, required=True)
    audit_rights = fields.Boolean(truthy={True}, falsy={False}, required=True)


class ContractDocumentSchema(Form):
    """A data-sharing contract, as drafted. Decimals are strings. Proposing it adds a plan to each feed."""

    id = text(SLUG, required=True)
    version = WholeNumber(minimum=1, maximum=MAX_VERSIONS, required=True)
    previous_digest = fields.String(allow_none=True, load_default=None, validate=SHA256)
    title = text(SHORT, required=True)
    purpose = text(NAME, required=True)
    purposes = name_list(NAME, least=0, most=100, load_default=list)
    prohibited = name_list(NAME, least=0, most=100, load_default=list)
    effective = text(DATE, required=True)
    expires = text(DATE, required=True)
    parties = fields.List(fields.Nested(PartySchema), required=True, validate=validate.Length(2, 100))
    vocabularies = mapping(name_list(VALUE, least=0), required=True)
    rollups = fields.Nested(RollupsSchema, load_default=dict)
    feeds = fields.List(fields.Nested(FeedSchema), required=True, validate=validate.Length(1, 50))
    privacy = fields.Nested(PrivacySchema, required=True)
    grants = fields.List(fields.Nested(GrantSchema), required=True, validate=validate.Length(max=102))
    rules = fields.Nested(RulesSchema, required=True)
    # Left out where they are, as above.
    standards = fields.List(fields.Nested(StandardSchema), validate=validate.Length(max=20))
    rollout = fields.Nested(RolloutSchema, allow_none=True)
    settlement = fields.Nested(SettlementSchema, allow_none=True, load_default=None)
    obligations = fields.Nested(ObligationsSchema, allow_none=True, load_default=None)


class SignatureRequestSchema(Form):
    """A detached JWS over the RFC 8785 form of the proposed document."""

    jws = fields.String(required=True, validate=validate.Length(1, 8192))


class SignatureSchema(Schema):
    """A signature, with the public key that checks it."""

    organisation = fields.String(required=True)
    kid = fields.String(required=True)
    public_key = fields.Dict(required=True)
    jws = fields.String(required=True)
    signer_name = fields.String(required=True)
    signer_title = fields.String(required=True)
    signed_at = fields.AwareDateTime(format="iso", required=True)
    key_revoked_at = fields.AwareDateTime(format="iso", required=True, allow_none=True)
    key_compromised = fields.Boolean(
        required=True,
        metadata={"description": "Whether its organisation says that somebody else may have had the key."},
    )


class ReasonSchema(Form):
    """Why; kept for ever and read by all parties."""

    reason = text(SHORT, required=True)


class EventSchema(Schema):
    """Something done to a contract in force."""

    kind = one_of(*EventKind, required=True)
    contract_version = fields.Integer(required=True)
    organisation = fields.String(required=True, allow_none=True, metadata={"description": "Null for the operator."})
    reason = fields.String(required=True)
    recorded_at = fields.AwareDateTime(format="iso", required=True)


class VersionSchema(Schema):
    """A version of the contract that you may read."""

    version = fields.Integer(required=True)
    status = one_of(*Status, required=True)


class StandsSchema(Schema):
    """Where a contract stands after what was done to it."""

    id = fields.String(required=True, attribute="contract_id")
    version = fields.Integer(required=True)
    status = one_of(*Status, required=True)
    waiting_for = fields.List(
        fields.String(), required=True, metadata={"description": "Whose agreement to resume or terminate is missing."}
    )


class PopulationStandsSchema(Schema):
    """Whether a population is suspended, under every contract that draws on it."""

    population = fields.String(required=True)
    suspended_by = fields.List(fields.String(), required=True)


class VersionQuerySchema(Form):
    """Which version of the contract."""

    version = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, MAX_VERSIONS),
        metadata={"description": "Default: the one in force, or else the newest that you are a party to."},
    )


class ContractSchema(Schema):
    """A contract with where it stands."""

    id = fields.String(required=True)
    version = fields.Integer(required=True)
    status = one_of(*Status, required=True)
    digest = fields.String(required=True, allow_none=True)
    waiting_for = fields.List(fields.String(), required=True)
    drafted_by = fields.String(required=True)
    drafted_at = fields.AwareDateTime(format="iso", required=True)
    proposed_at = fields.AwareDateTime(format="iso", required=True, allow_none=True)
    signatures = fields.List(fields.Nested(SignatureSchema), required=True)
    versions = fields.List(fields.Nested(VersionSchema), required=True)
    events = fields.List(fields.Nested(EventSchema), required=True)
    suspended_populations = fields.List(fields.String(), required=True)
    resume_agreed = fields.List(fields.String(), required=True)
    termination_agreed = fields.List(fields.String(), required=True)
    document = fields.Dict(
        required=True,
        metadata={
            "title": "SignedDocument",
            "description": "As it is signed, each feed with its plan; a signature is over exactly this.",
        },
    )


def contract_json(view: ContractView) -> JsonObject:
    record = view.record
    return {
        "id": record.id,
        "version": record.version,
        "status": view.status,
        "digest": record.digest,
        "waiting_for": view.waiting_for,
        "drafted_by": record.drafted_by,
        "drafted_at": record.drafted_at,
        "proposed_at": record.proposed_at,
        "signatures": [_signature(signature) for signature in record.signatures],
        "versions": [{"version": version, "status": status} for version, status in view.versions],
        "events": view.events,
        "suspended_populations": view.suspended_populations,
        "resume_agreed": view.resume_agreed,
        "termination_agreed": view.termination_agreed,
        "document": record.document,
    }


def _signature(signature: Signature) -> dict[str, Any]:
    return {name: getattr(signature, name) for name in Signature.__slots__}
