"""The envelope of a submission, and its receipt. The cells inside are validated in the domain, column-wise."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from api.schemas.fields import NAME, SHORT, text
from contracts.parties import JsonObject
from contracts.submitting import Receipt
from privacy.units import rho_text


class SubmissionSchema(Schema):
    """One whole period of one feed, as rows or as columns. The cells follow the feed's own JSON Schema."""

    submission_id = fields.UUID(
        required=True, metadata={"description": "Made by the client; posting it again returns the receipt."}
    )
    feed = text(NAME, required=True)
    period = text(SHORT, required=True)
    rows = fields.Raw(metadata={"type": "array", "items": {"type": "object"}})
    columns = fields.Raw(metadata={"type": "object", "additionalProperties": {"type": "array"}})

    @validates_schema(skip_on_field_errors=False)
    def one_form_of_cells(self, data: dict[str, Any], **_: Any) -> None:
        if ("rows" in data) == ("columns" in data):
            raise ValidationError("give the cells once, as rows or as columns")
        if "rows" in data and not isinstance(data["rows"], list):
            raise ValidationError("rows are a list of objects", "rows")
        if "columns" in data and not isinstance(data["columns"], dict):
            raise ValidationError("columns are an object of lists", "columns")


class LossSchema(Schema):
    """An amount of zCDP loss, exactly in nano-rho and as a decimal."""

    rho_nano = fields.Integer(required=True)
    rho = fields.String(required=True)


class ReceiptSchema(Schema):
    """What a provider gets back. It binds the noisy block only."""

    submission_id = fields.String(required=True)
    release_id = fields.String(required=True)
    contract_id = fields.String(required=True)
    contract_version = fields.Integer(required=True)
    contract_digest = fields.String(required=True)
    feed = fields.String(required=True)
    period = fields.String(required=True)
    population = fields.String(required=True)
    provisional = fields.Boolean(required=True)
    released_at = fields.AwareDateTime(format="iso", required=True)
    block_sha256 = fields.String(required=True, metadata={"description": "SHA-256 of the noisy block."})
    charged = fields.Nested(LossSchema, required=True, metadata={"description": "Loss of this release by itself."})
    debited = fields.Nested(LossSchema, required=True, metadata={"description": "Rise of the population's loss."})
    balance = fields.Nested(LossSchema, required=True, metadata={"description": "The population's budget left then."})
    attempts = fields.Integer(required=True, validate=validate.Range(min=1))
    replayed = fields.Boolean(required=True)


def receipt_json(receipt: Receipt) -> JsonObject:
    release = receipt.release
    return {
        "submission_id": release.submission_id,
        "release_id": release.id,
        "contract_id": release.contract_id,
        "contract_version": release.contract_version,
        "contract_digest": receipt.contract_digest,
        "feed": release.feed,
        "period": release.period,
        "population": release.population,
        "provisional": release.provisional,
        "released_at": release.released_at,
        "block_sha256": release.block_sha256,
        "charged": nano_json(receipt.charged_nano),
        "debited": nano_json(receipt.debited_nano),
        "balance": nano_json(receipt.balance_nano),
        "attempts": receipt.attempts,
        "replayed": receipt.replayed,
    }


def nano_json(rho_nano: int) -> JsonObject:
    return {"rho_nano": rho_nano, "rho": rho_text(rho_nano)}
