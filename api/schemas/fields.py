"""Field types shared by the schemas."""

from difflib import get_close_matches
from enum import Enum
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

NAME: Final = validate.Regexp(
    r"^[a-z][a-z0-9_]{0,62}\Z", error="a name: a small letter, then small letters, digits and _"
)
SLUG: Final = validate.Regexp(
    r"^[a-z][a-z0-9-]{1,62}\Z", error="an id: a small letter, then small letters, digits and hyphens"
)
VALUE: Final = validate.Regexp(
    r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}\Z", error="a vocabulary value: letters, digits and _ . + -"
)
DECIMAL: Final = validate.Regexp(r"^[0-9]{1,4}(\.[0-9]{1,12})?\Z", error="a decimal number in a string, like '0.05'")
DATE: Final = validate.Regexp(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", error="a date, like '2025-01-31'")
SHORT: Final = validate.Regexp(
    r"^[^\x00-\x1f\x7f]{1,400}\Z", error="a text of 1 to 400 characters, without control characters"
)
UNKNOWN: Final = "is not a field here"
# What apispec has no words for; api/description has.
ENUM_NAME: Final = "x-name"
KEY_PATTERN: Final = "x-key-pattern"


class Form(Schema):
    """What a client sends: a field that is not in it is refused, with the one that may have been meant."""

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **kwargs: Any) -> None:
        known = [field.data_key or name for name, field in self.load_fields.items()]
        messages = error.messages if isinstance(error.messages, dict) else {}
        for faults in messages.values() if many else (messages,):
            for name in [name for name, texts in faults.items() if texts == [self.error_messages["unknown"]]]:
                near = get_close_matches(str(name), known, n=1)
                faults[name] = [f"{UNKNOWN}; {near[0]} is" if near else UNKNOWN]


class WholeNumber(fields.Integer):
    """An integer that a boolean or a text is not."""

    def __init__(self, *, minimum: int = 0, maximum: int = 1_000_000, **kwargs: Any) -> None:
        self._form = f"a whole number from {minimum} to {maximum}"
        super().__init__(strict=True, validate=validate.Range(minimum, maximum, error=self._form), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise ValidationError(self._form)
        number: int = super()._deserialize(value, attr, data, **kwargs)
        return number


def text(check: validate.Validator, **kwargs: Any) -> fields.String:
    return fields.String(validate=check, **kwargs)


def name_list(check: validate.Validator, *, least: int = 1, most: int = 1000, **kwargs: Any) -> fields.List[Any]:
    return fields.List(fields.String(validate=check), validate=validate.Length(least, most), **kwargs)


def mapping(
    values: fields.Field[Any], *, keys: validate.Validator = NAME, least: int = 0, **kwargs: Any
) -> fields.Dict:
    described: dict[str, Any] = {"minProperties": least, "maxProperties": 100}
    if isinstance(keys, validate.Regexp):
        described[KEY_PATTERN] = keys.regex.pattern
    elif isinstance(keys, validate.OneOf):
        described[KEY_PATTERN] = f"^({'|'.join(map(str, keys.choices))})$"
    return fields.Dict(
        keys=fields.String(validate=keys),
        values=values,
        validate=validate.Length(least, 100),
        metadata=described,
        **kwargs,
    )


def one_of(*choices: object, name: str | None = None, **kwargs: Any) -> fields.String:
    """name: of these choices in openapi.yaml, so that clients have one type for them wherever they stand; that of the
    enumeration when they are all of one."""
    kinds = {type(choice) for choice in choices if isinstance(choice, Enum)}
    if name is None and len(kinds) == 1 and list(choices) == list(kind := kinds.pop()):
        name = kind.__name__
    metadata = kwargs.pop("metadata", {}) | ({ENUM_NAME: name} if name else {})
    return fields.String(validate=validate.OneOf([str(choice) for choice in choices]), metadata=metadata, **kwargs)


class FaultSchema(Schema):
    """One thing wrong with an input."""

    pointer = fields.String(required=True, metadata={"description": "JSON pointer (RFC 6901) into the request."})
    code = fields.String(required=True)
    detail = fields.String(required=True)


class ProblemSchema(Schema):
    """A problem document (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(FaultSchema))
    errors_truncated = fields.Boolean(metadata={"description": "True if there are more faults than `errors` lists."})
