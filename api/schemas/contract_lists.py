"""The list of contracts."""

from marshmallow import Schema, fields

from api.schemas.fields import one_of
from api.schemas.paging import PageSchema
from contracts.lifecycle import Status
from contracts.listing import ContractLine
from contracts.parties import JsonObject


class ContractSummarySchema(Schema):
    """One line of the list of contracts."""

    id = fields.String(required=True)
    version = fields.Integer(required=True)
    title = fields.String(required=True)
    status = one_of(*Status, required=True)
    digest = fields.String(required=True, allow_none=True)


class ContractListSchema(PageSchema):
    contracts = fields.List(fields.Nested(ContractSummarySchema), required=True)


def summary_json(line: ContractLine) -> JsonObject:
    record = line.record
    return {
        "id": record.id,
        "version": record.version,
        "title": record.document["title"],
        "status": line.status,
        "digest": record.digest,
    }
