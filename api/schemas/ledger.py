"""Statements of a population's ledger."""

from marshmallow import Schema, fields

from api.schemas.fields import one_of
from api.schemas.submissions import LossSchema, nano_json
from contracts.accounting import SEVERAL_PROVIDERS, UNIT, Loss, Statement
from contracts.ledger import Entry, EntryKind
from contracts.parties import JsonObject


class LossAtDeltaSchema(LossSchema):
    """A loss as rho and as the epsilon it implies at delta."""

    epsilon = fields.Float(required=True)
    delta = fields.String(required=True)


class EntrySchema(Schema):
    """One immutable entry."""

    id = fields.String(required=True)
    sequence = fields.Integer(required=True)
    kind = one_of(*EntryKind, required=True)
    charge = fields.Nested(LossSchema, required=True)
    increment = fields.Nested(LossSchema, required=True)
    balance = fields.Nested(LossSchema, required=True)
    contract_id = fields.String(required=True, allow_none=True)
    contract_version = fields.Integer(required=True, allow_none=True)
    feed = fields.String(required=True, allow_none=True)
    period = fields.String(required=True, allow_none=True)
    submission_id = fields.String(required=True, allow_none=True)
    attempt = fields.Integer(required=True, allow_none=True)
    event = fields.Dict(required=True)
    recorded_at = fields.AwareDateTime(format="iso", required=True)


class StatementSchema(Schema):
    """The caller's own population."""

    population = fields.String(required=True)
    unit = fields.String(required=True)
    granted = fields.Nested(LossAtDeltaSchema, required=True)
    lifetime = fields.Nested(
        LossAtDeltaSchema, required=True, metadata={"description": "Over all contracts, for ever."}
    )
    under_contract = fields.Nested(LossAtDeltaSchema, required=True)
    contract_ceiling = fields.Nested(LossAtDeltaSchema, required=True)
    balance = fields.Nested(LossSchema, required=True)
    one_person_in_everything = fields.Nested(
        LossAtDeltaSchema,
        required=True,
        metadata={"description": "One person in every population of this contract, at the signed ceilings."},
    )
    several_providers = fields.String(required=True)
    entries = fields.List(fields.Nested(EntrySchema), required=True)


def loss_json(loss: Loss) -> JsonObject:
    return nano_json(loss.rho_nano) | {"epsilon": loss.epsilon, "delta": loss.delta}


def statement_json(statement: Statement) -> JsonObject:
    return {
        "population": statement.population,
        "unit": UNIT,
        "granted": loss_json(statement.granted),
        "lifetime": loss_json(statement.lifetime),
        "under_contract": loss_json(statement.under_contract),
        "contract_ceiling": loss_json(statement.contract_ceiling),
        "balance": nano_json(statement.balance_nano),
        "one_person_in_everything": loss_json(statement.everything_ceiling),
        "several_providers": SEVERAL_PROVIDERS,
        "entries": [_entry(entry) for entry in statement.entries],
    }


def _entry(entry: Entry) -> JsonObject:
    kept = (
        "id",
        "sequence",
        "kind",
        "contract_id",
        "contract_version",
        "feed",
        "period",
        "submission_id",
        "attempt",
        "event",
        "recorded_at",
    )
    return {name: getattr(entry, name) for name in kept} | {
        "charge": nano_json(entry.charge_nano),
        "increment": nano_json(entry.increment_nano),
        "balance": nano_json(entry.balance_nano),
    }
