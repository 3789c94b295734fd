"""What is asked and answered about two versions of a contract."""

from dataclasses import asdict
from typing import Final

from marshmallow import Schema, fields, validate

from api.schemas.fields import Form, one_of
from contracts.canonical import digest_of
from contracts.differences.comparing import MAX_DIFFERENCES, Differences
from contracts.differences.meaning import Group
from contracts.differences.trees import Kind
from contracts.parties import JsonObject
from contracts.records import MAX_VERSIONS

_NONE_IF_ADDED: Final = {"description": "JSON pointer (RFC 6901) into the older document; null for what was added."}
_NONE_IF_REMOVED: Final = {"description": "JSON pointer into the newer document; null for what was removed."}


def _version(use: str, name: str) -> fields.Integer:
    return fields.Integer(data_key=name, validate=validate.Range(1, MAX_VERSIONS), metadata={"description": use})


class DifferencesQuerySchema(Form):
    """Which two versions."""

    older = _version("The one before `to` unless given.", "from")
    newer = _version("The newest that you see unless given.", "to")


class ComparedSchema(Schema):
    """One of the two documents."""

    id = fields.String(required=True)
    version = fields.Integer(required=True)
    digest = fields.String(required=True, metadata={"description": "SHA-256 of its canonical form (RFC 8785)."})


class DifferenceSchema(Schema):
    """One term that differs."""

    group = one_of(*Group, required=True)
    kind = one_of(*Kind, required=True)
    old_pointer = fields.String(required=True, allow_none=True, metadata=_NONE_IF_ADDED)
    new_pointer = fields.String(required=True, allow_none=True, metadata=_NONE_IF_REMOVED)
    old = fields.Raw(required=True, allow_none=True)
    new = fields.Raw(required=True, allow_none=True)
    words = fields.String(required=True)
    old_omitted = fields.Integer(required=True, metadata={"description": "Values of a list that are not in `old`."})
    new_omitted = fields.Integer(required=True, metadata={"description": "Values of a list that are not in `new`."})


class OmittedSchema(Schema):
    """How many differences below one field are not listed."""

    group = one_of(*Group, required=True)
    pointer = fields.String(required=True)
    count = fields.Integer(required=True)


class DifferencesSchema(Schema):
    """All that differs: what bears on privacy first, what was computed from the rest last."""

    older = fields.Nested(ComparedSchema, required=True)
    newer = fields.Nested(ComparedSchema, required=True)
    consequences = fields.List(
        fields.String(), required=True, metadata={"description": "What the differences do to losses and releases."}
    )
    differences = fields.List(
        fields.Nested(DifferenceSchema), required=True, metadata={"description": f"The first {MAX_DIFFERENCES:,}."}
    )
    truncated = fields.Boolean(required=True, metadata={"description": "Whether there are more: see `omitted`."})
    omitted = fields.List(fields.Nested(OmittedSchema), required=True)


def differences_json(found: Differences, older: JsonObject, newer: JsonObject) -> JsonObject:
    return {
        "older": _compared(older),
        "newer": _compared(newer),
        "consequences": list(found.consequences),
        "differences": [asdict(difference) for difference in found.differences],
        "truncated": bool(found.omitted),
        "omitted": [asdict(omitted) for omitted in found.omitted],
    }


def _compared(document: JsonObject) -> JsonObject:
    return {"id": document["id"], "version": document["version"], "digest": digest_of(document)}
