"""The query of a page, and the cursor that stands for a position in a list.

A cursor is the position of the last line shown in the list's own lasting order, and nothing else: whoever makes one up
only begins to read his own list elsewhere. So what is added or taken away meanwhile neither repeats nor skips a line.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

LIMIT: Final = 100
LIMIT_MAX: Final = 200
Part = str | int | datetime
Position = tuple[Part, ...]
_VERSION: Final = 1
_ENCODED: Final = re.compile(r"[A-Za-z0-9_-]{1,1000}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_INTEGER_MAX: Final = 2**31 - 1  # what a column of either database takes
CURSOR_FORM: Final = "a cursor is `next_cursor` of the page before, from this very list, unchanged"


def write_cursor(name: str, position: Position) -> str:
    """name: of the list."""
    written = [(part - _EPOCH) // _MICROSECOND if isinstance(part, datetime) else part for part in position]
    text = json.dumps([_VERSION, name, *written], separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


class Cursor(fields.Field[Position]):
    """A position in one list. parts: of what it consists."""

    def __init__(self, name: str, *parts: type[Part]) -> None:
        described = "The `next_cursor` of the page before; without it, the first page."
        super().__init__(
            load_default=None, metadata={"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "description": described}
        )
        self._name = name
        self._parts = parts

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Position:
        try:
            position = self._read(value)
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise ValidationError(CURSOR_FORM) from None
        if write_cursor(self._name, position) != value:  # one position, one cursor
            raise ValidationError(CURSOR_FORM)
        return position

    def _read(self, value: Any) -> Position:
        """Raises ValueError, TypeError, OverflowError, RecursionError."""
        if not isinstance(value, str) or not _ENCODED.fullmatch(value):
            raise ValueError
        version, name, *written = json.loads(urlsafe_b64decode(value + "=" * (-len(value) % 4)))
        if (version, name) != (_VERSION, self._name):
            raise ValueError
        return tuple(_part(kind, part) for kind, part in zip(self._parts, written, strict=True))


def page_query(name: str, *parts: type[Part]) -> type[Schema]:
    """The query of a list: how many lines, after which position. name: of the list."""
    return Schema.from_dict(
        {
            "limit": fields.Integer(
                load_default=LIMIT,
                validate=validate.Range(1, LIMIT_MAX),
                metadata={"description": "How many at most."},
            ),
            "cursor": Cursor(name, *parts),
        },
        name=f"{name.title().replace('_', '')}PageQuerySchema",
    )


class PageSchema(Schema):
    """What every page has beside its lines."""

    next_cursor = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Ask with it as `cursor` for what follows; null at the end."},
    )


def _part(kind: type[Part], written: Any) -> Part:
    if kind is datetime:
        return _EPOCH + _whole(written, 2**63) * _MICROSECOND
    if kind is int:
        return _whole(written, _INTEGER_MAX)
    if not isinstance(written, str) or not written.isprintable():
        raise ValueError
    return written


def _whole(written: Any, maximum: int) -> int:
    if type(written) is not int or not 0 <= written <= maximum:
        raise ValueError
    return written
