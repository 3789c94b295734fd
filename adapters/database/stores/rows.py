"""Values to rows and back. Columns bear the names of the fields, so that neither side lists them twice."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def to_row(value: "DataclassInstance") -> dict[str, Any]:
    """The fields by name; unlike `dataclasses.asdict`, without copying what they hold."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def select_fields(table: sa.Table, kind: type["DataclassInstance"]) -> sa.Select[Any]:
    """The columns that the value has fields for, and no others: a block is not read to list releases."""
    return sa.select(*(table.c[field.name] for field in fields(kind) if field.name in table.c))


def insert_new(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> bool:
    """Insert unless a unique constraint forbids it; True when the row is new.

    The transaction stays usable either way, where a failed insert would end it on PostgreSQL. Against a rival
    that has not committed yet, the insert waits for its end. Other constraints still raise.
    """
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(**row).on_conflict_do_nothing().returning(sa.literal_column("1"))
    return connection.execute(statement).first() is not None


def bytewise(connection: sa.Connection, column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The text in the order of its bytes, as Python and SQLite have it, whatever the locale of a PostgreSQL."""
    return column.collate("C") if connection.dialect.name == "postgresql" else column


def is_after(place: tuple[sa.ColumnElement[datetime], sa.ColumnElement[str]], after: tuple[datetime, str]) -> Any:
    """Whether a row stands after an instant and a text: later, or at the same instant and of a greater text."""
    (at, name), (instant, text) = place, after
    return (at > instant) | ((at == instant) & (name > text))
