"""Column types that mean the same on both databases."""

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from contracts.canonical import canonical_bytes


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An instant, stored in UTC and given back timezone-aware, where SQLite by itself forgets the zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A stored instant must be timezone-aware.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CanonicalJson(sa.types.TypeDecorator[Any]):
    """JSON as RFC 8785 text, so that the SHA-256 of a stored contract is its digest for whoever looks."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        return None if value is None else canonical_bytes(value).decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        return None if value is None else json.loads(value)
