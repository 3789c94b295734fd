"""Statements of a population's ledger."""

from marshmallow import Schema, fields

from api.schemas.fields import one_of
from api.schemas.paging import PageSchema
from api.schemas.submissions import LossSchema, nano_json
from contracts.ledger.entries import Entry, EntryKind
from contracts.ledger.reading import AS_THEY_ARE
from contracts.ledger.statements import Loss, Statement
from contracts.ledger.words import Subtotal, add_up, explain
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
    granted = fields.Nested(LossSchema, required=True, metadata={"description": "All that was granted until then."})
    spent = fields.Nested(LossSchema, required=True, metadata={"description": "The population's loss until then."})
    balance = fields.Nested(LossSchema, required=True)
    contract_id = fields.String(required=True, allow_none=True)
    contract_version = fields.Integer(required=True, allow_none=True)
    feed = fields.String(required=True, allow_none=True)
    period = fields.String(required=True, allow_none=True)
    generation = fields.String(required=True, allow_none=True)
    restatement = fields.Integer(required=True, allow_none=True)
    submission_id = fields.String(required=True, allow_none=True)
    attempt = fields.Integer(required=True, allow_none=True)
    event = fields.Dict(
        required=True, metadata={"description": "All that is needed to account for the entry anew, draw by draw."}
    )
    recorded_at = fields.AwareDateTime(format="iso", required=True)
    explanation = fields.String(required=True, metadata={"description": "Why it counts as much as it does."})


class SubtotalSchema(Schema):
    """How the loss of one generation of a feed comes about; together these are the lifetime loss."""

    contract_id = fields.String(required=True)
    feed = fields.String(required=True)
    generation = fields.String(required=True)
    linked_by = fields.String(required=True, allow_none=True)
    k = fields.Integer(required=True, metadata={"description": "In how many periods one person is at most."})
    first_measurements = fields.Integer(required=True)
    largest = fields.Nested(LossSchema, required=True, metadata={"description": "Sum of the k largest of them."})
    further_measurements = fields.Integer(required=True)
    further = fields.Nested(LossSchema, required=True, metadata={"description": "Sum of these, each in full."})
    loss = fields.Nested(LossSchema, required=True)
    explanation = fields.String(required=True)


class StatementSchema(PageSchema):
    """The caller's own population. Entries come in pages; all else is over all of them."""

    population = fields.String(required=True)
    unit = fields.String(required=True)
    granted = fields.Nested(LossAtDeltaSchema, required=True)
    lifetime = fields.Nested(
        LossAtDeltaSchema, required=True, metadata={"description": "Over all contracts, for ever."}
    )
    under_contract = fields.Nested(LossAtDeltaSchema, required=True)
    contract_ceiling = fields.Nested(LossAtDeltaSchema, required=True)
    providers_at_most = fields.Integer(
        required=True, metadata={"description": "In how many providers' data the privacy unit is."}
    )
    unit_under_contract = fields.Nested(
        LossAtDeltaSchema,
        required=True,
        metadata={"description": "One of your persons: your loss so far, and the largest ceilings of the others."},
    )
    unit_ceiling = fields.Nested(
        LossAtDeltaSchema,
        required=True,
        metadata={"description": "One of your persons: your ceiling, and the largest ceilings of the others."},
    )
    balance = fields.Nested(LossSchema, required=True)
    sealed = fields.Boolean(
        required=True,
        metadata={"description": "Nothing is debited until the operator has reconciled the ledger with its witness."},
    )
    one_person_in_everything = fields.Nested(
        LossAtDeltaSchema,
        required=True,
        metadata={"description": "One person in every population of this contract, at the signed ceilings."},
    )
    several_providers = fields.String(required=True)
    derivation = fields.List(fields.Nested(SubtotalSchema), required=True)
    entries = fields.List(fields.Nested(EntrySchema), required=True)


def loss_json(loss: Loss) -> JsonObject:
    return nano_json(loss.rho_nano) | {"epsilon": loss.epsilon, "delta": loss.delta}


def statement_json(statement: Statement) -> JsonObject:
    return {
        "population": statement.population,
        "unit": statement.ceilings.unit,
        "granted": loss_json(statement.granted),
        "lifetime": loss_json(statement.lifetime),
        "under_contract": loss_json(statement.under_contract),
        "contract_ceiling": loss_json(statement.contract_ceiling),
        "providers_at_most": statement.ceilings.providers_at_most,
        "unit_under_contract": loss_json(statement.unit_under_contract),
        "unit_ceiling": loss_json(statement.unit_ceiling),
        "balance": nano_json(statement.balance_nano),
        "sealed": statement.sealed,
        "one_person_in_everything": loss_json(statement.ceilings.everything),
        "several_providers": statement.ceilings.adds_up,
        "derivation": [_subtotal(subtotal) for subtotal in add_up(statement.entries)],
        "entries": [
            _entry(entry) | {"explanation": text}
            for entry, text in zip(statement.entries, explain(statement.entries), strict=True)
        ],
    }


def _entry(entry: Entry) -> JsonObject:
    return {name: getattr(entry, name) for name in (*AS_THEY_ARE, "kind", "recorded_at")} | {
        "charge": nano_json(entry.charge_nano),
        "increment": nano_json(entry.increment_nano),
        "granted": nano_json(entry.granted_nano),
        "spent": nano_json(entry.spent_nano),
        "balance": nano_json(entry.balance_nano),
    }


def _subtotal(subtotal: Subtotal) -> JsonObject:
    return {
        "contract_id": subtotal.account.contract_id,
        "feed": subtotal.account.feed,
        "generation": subtotal.account.generation,
        "linked_by": subtotal.account.linked_by,
        "k": subtotal.k,
        "first_measurements": subtotal.first,
        "largest": nano_json(subtotal.largest_nano),
        "further_measurements": subtotal.further,
        "further": nano_json(subtotal.further_nano),
        "loss": nano_json(subtotal.loss_nano),
        "explanation": subtotal.words,
    }
