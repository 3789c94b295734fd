"""Books of the audit, as their readers get them."""

from marshmallow import Schema, fields, validate

from api.schemas.fields import Form, one_of
from contracts.audit.books import MAX_PAGE, Page
from contracts.audit.records import Action
from contracts.parties import JsonObject
from contracts.receipts import SIGNED


class PageSchema(Form):
    """Which part of a book."""

    after = fields.Integer(
        validate=validate.Range(0, 2**31 - 1, error="a whole number from 0"),
        load_default=0,
        metadata={"description": "The last sequence that you have; records after it are answered."},
    )
    limit = fields.Integer(
        validate=validate.Range(1, MAX_PAGE, error=f"a whole number from 1 to {MAX_PAGE}"),
        load_default=100,
        metadata={"description": "How many records at most."},
    )


class HeadSchema(Schema):
    """The last record of a book. Keep one: a later export can be shown to go on from it."""

    sequence = fields.Integer(required=True)
    hash = fields.String(required=True)


class ActSchema(Schema):
    """What was done, by whom, under which contract version. Its RFC 8785 form is what the commitment hashes."""

    nonce = fields.String(required=True, metadata={"description": "Salts the commitment, so that it tells nothing."})
    recorded_at = fields.String(required=True)
    organisation = fields.String(
        required=True, allow_none=True, metadata={"description": "Null for the operator at the console."}
    )
    client = fields.String(required=True, allow_none=True)
    action = one_of(*Action, required=True)
    contract_id = fields.String(required=True, allow_none=True)
    contract_version = fields.Integer(required=True, allow_none=True)
    subject = fields.Dict(required=True, metadata={"description": "Ids, digests, names and reasons."})


class AuditRecordSchema(Schema):
    """One record. Its hash is the SHA-256 over the RFC 8785 form of book, sequence, previous_hash and commitment."""

    sequence = fields.Integer(required=True)
    previous_hash = fields.String(required=True)
    commitment = fields.String(
        required=True, metadata={"description": "SHA-256 over the RFC 8785 form of the act, disclosed or not."}
    )
    hash = fields.String(required=True)
    act = fields.Nested(
        ActSchema, required=True, allow_none=True, metadata={"description": "Null where it does not concern you."}
    )


class BookSchema(Schema):
    """Part of a book, in sequence."""

    book = fields.String(required=True)
    head = fields.Nested(HeadSchema, required=True)
    records = fields.List(fields.Nested(AuditRecordSchema), required=True)
    signed_receipt = fields.String(
        required=True,
        metadata={"description": "The head, signed by the exchange: a compact JWS; see `parley audit verify --keys`."},
    )


def page_json(page: Page, signed: str) -> JsonObject:
    """signed: the receipt of its head."""
    return {"book": page.head.book, "head": page.head, "records": page.links, SIGNED: signed}
