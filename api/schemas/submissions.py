"""The envelope of a submission, and its receipt. The cells inside are validated in the domain, column-wise."""

from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, pre_load, validate, validates_schema

from api.schemas.fields import NAME, SHORT, Form, WholeNumber, name_list, one_of, text
from contracts.drafting.plans import MAX_DRAWS
from contracts.parties import JsonObject
from contracts.receipts import SIGNED, linked_payload, readable_linked
from contracts.submissions.submitting import Receipt
from contracts.terms import Measured
from privacy.units import rho_text

_VALUE: Final = {"type": ["string", "integer"]}


class DrawnSchema(Form):
    """One draw of the plan, as the ledger records it, and the noisy vector that was drawn."""

    measure = text(NAME, required=True)
    margin = name_list(NAME, least=0, most=8, required=True)
    sigma = text(SHORT, required=True)
    l2_squared = WholeNumber(maximum=2**53, required=True)
    charge_nano = WholeNumber(maximum=2**53, required=True)
    noisy = fields.Raw(
        required=True,
        metadata={
            "type": "array",
            "items": {"type": "integer"},
            "description": "One whole number an entry of the margin, the last dimension fastest.",
        },
    )


class SourceReleaseSchema(Form):
    """A release drawn on the provider's premises by the frozen plan, as `parley measure` writes it."""

    contract_digest = text(SHORT, required=True)
    generation = text(SHORT, required=True)
    draws = fields.List(fields.Nested(DrawnSchema), required=True, metadata={"maxItems": MAX_DRAWS})

    @pre_load
    def not_too_many_draws(self, data: Any, **_: Any) -> Any:
        """Before each is looked at, which takes its time; marshmallow counts a list only after that."""
        draws = data.get("draws") if isinstance(data, dict) else None
        if isinstance(draws, list) and len(draws) > MAX_DRAWS:
            raise ValidationError(f"a plan has at most {MAX_DRAWS} draws", "draws")
        return data


class EnvelopeSchema(Form):
    """What is posted: which measurement of which period, under which id. Of a table it is the query."""

    submission_id = fields.UUID(
        required=True, metadata={"description": "Made by the client; posting it again returns the receipt."}
    )
    feed = text(NAME, required=True)
    period = text(SHORT, required=True)
    restatement = WholeNumber(
        maximum=100,
        load_default=0,
        metadata={"description": "0 for the first measurement of the period, 1, 2, ... for scheduled restatements."},
    )
    contract_version = WholeNumber(
        minimum=1, metadata={"description": "The contract version that it is meant for: another one is refused."}
    )


class SubmissionSchema(EnvelopeSchema):
    """One whole period of one feed, in exactly one form: its cells, as `rows` or as `columns`, which follow the feed's
    own JSON Schema; or, for a feed that is measured at source, its `release`."""

    rows = fields.Raw(
        metadata={
            "type": "array",
            "items": {"type": "object", "additionalProperties": _VALUE},
            "description": "One object a stratum: its dimensions and its measures.",
            "examples": [[{"region": "north", "sex": "F", "members": 1842}]],
        }
    )
    columns = fields.Raw(
        metadata={
            "type": "object",
            "additionalProperties": {"type": "array", "items": _VALUE},
            "description": "The same as one list a dimension and measure, all of one length.",
            "examples": [{"region": ["north"], "sex": ["F"], "members": [1842]}],
        }
    )
    release = fields.Nested(SourceReleaseSchema)

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def one_form(self, data: dict[str, Any], posted: Any, **_: Any) -> None:
        if not isinstance(posted, dict):
            return  # said already
        if sum(name in posted for name in ("rows", "columns", "release")) != 1:
            raise ValidationError("give one of rows, columns and, for a feed measured at source, release")
        if "rows" in data and not isinstance(data["rows"], list):
            raise ValidationError("rows are a list of objects", "rows")
        if "columns" in data and not isinstance(data["columns"], dict):
            raise ValidationError("columns are an object of lists", "columns")


class LossSchema(Schema):
    """An amount of zCDP loss, exactly in nano-rho and as a decimal."""

    rho_nano = fields.Integer(required=True)
    rho = fields.String(required=True)


class LinkedChargeSchema(Schema):
    """What a release of a linked feed cost the population of the brand whose flag is in its cells."""

    population = fields.String(required=True)
    charged = fields.Nested(LossSchema, required=True, metadata={"description": "Every attempt included."})


class ReceiptSchema(Schema):
    """What a provider gets back. It binds the noisy block only."""

    submission_id = fields.String(required=True)
    release_id = fields.String(required=True)
    contract_id = fields.String(required=True)
    contract_version = fields.Integer(required=True)
    contract_digest = fields.String(required=True)
    feed = fields.String(required=True)
    period = fields.String(required=True)
    restatement = fields.Integer(required=True)
    measured = one_of(*Measured, required=True)
    population = fields.String(required=True)
    provisional = fields.Boolean(required=True)
    released_at = fields.AwareDateTime(format="iso", required=True)
    block_sha256 = fields.String(required=True, metadata={"description": "SHA-256 of the noisy block."})
    charged = fields.Nested(LossSchema, required=True, metadata={"description": "Loss of this release by itself."})
    debited = fields.Nested(LossSchema, required=True, metadata={"description": "Rise of the population's loss."})
    balance = fields.Nested(LossSchema, required=True, metadata={"description": "The population's budget left then."})
    linked = fields.Nested(LinkedChargeSchema, required=True, allow_none=True)
    attempts = fields.Integer(required=True, validate=validate.Range(min=1))
    replayed = fields.Boolean(required=True)
    signed_receipt = fields.String(
        required=True,
        metadata={"description": "Compact JWS of the exchange that says all this; keep it. The same at every replay."},
    )


def receipt_json(receipt: Receipt, signed: str) -> JsonObject:
    release = receipt.release
    return {
        "submission_id": release.submission_id,
        "release_id": release.id,
        "contract_id": release.contract_id,
        "contract_version": release.contract_version,
        "contract_digest": receipt.contract_digest,
        "feed": release.feed,
        "period": release.period,
        "restatement": release.restatement,
        "measured": release.measured,
        "population": release.population,
        "provisional": release.provisional,
        "released_at": release.released_at,
        "block_sha256": release.block_sha256,
        "charged": nano_json(receipt.charged_nano),
        "debited": nano_json(receipt.debited_nano),
        "balance": nano_json(receipt.balance_nano),
        "linked": readable_linked(linked_payload(receipt)),
        "attempts": receipt.attempts,
        "replayed": receipt.replayed,
        SIGNED: signed,
    }


def nano_json(rho_nano: int) -> JsonObject:
    return {"rho_nano": rho_nano, "rho": rho_text(rho_nano)}
