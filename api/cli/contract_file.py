"""A contract as a file that people edit: in the order of its reference, and without what goes without saying."""

from typing import Any

from marshmallow import Schema, fields, missing

from api.schemas.contracts import ContractDocumentSchema
from contracts.parties import JsonObject


def in_order(document: JsonObject) -> JsonObject:
    """The same document: a stored one is in the order of its canonical form, with every default written out."""
    return _of_object(document, ContractDocumentSchema())


def _of_object(value: JsonObject, schema: Schema) -> JsonObject:
    said = {
        name: _in_order(value[name], field)
        for name, field in schema.fields.items()
        if name in value and (field.required or not _goes_without_saying(value[name], field))
    }
    return said | {name: value[name] for name in value if name not in schema.fields}  # a later version's stay


def _goes_without_saying(value: Any, field: fields.Field[Any]) -> bool:
    default = field.load_default() if callable(field.load_default) else field.load_default
    return default is not missing and value in (default, _loaded(default, field))


def _loaded(default: Any, field: fields.Field[Any]) -> Any:
    """An object that is left out may be stored with the defaults of what it holds."""
    return field.schema.load(default) if isinstance(field, fields.Nested) and isinstance(default, dict) else default


def _in_order(value: Any, field: fields.Field[Any]) -> Any:
    match field, value:
        case fields.Nested(), dict():
            return _of_object(value, field.schema)
        case fields.List(), list():
            return [_in_order(each, field.inner) for each in value]
        case fields.Dict(), dict() if field.value_field is not None:
            return {name: _in_order(each, field.value_field) for name, each in value.items()}
        case _:
            return value
