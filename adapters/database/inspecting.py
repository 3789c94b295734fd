"""What a database says of itself, for `parley doctor`. Reads settings and triggers, no row of any table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from adapters.database import sqlite
from adapters.database.engine import begin_transaction, make_engine
from adapters.database.errors import DatabaseUnavailable
from adapters.database.migrations.append_only import FUNCTION_BODY, sqlite_trigger
from adapters.database.transactions import Transaction

# What `make_append_only` was called for, over all migrations; a test compares.
APPEND_ONLY: Final = frozenset(
    {"ledger_entries", "releases", "signatures", "contract_events", "population_events", "audit_records"}
)
_SQLITE_SETTINGS: Final = ("journal_mode", "synchronous")
_LOCAL: Final = (None, "", "localhost", "127.0.0.1", "::1")
_POSTGRESQL_SETTINGS: Final = ("fsync", "full_page_writes", "synchronous_commit")
# O and A: it fires for us; D would be switched off, R for replicas only. tgtype 58: before update (16), delete (8) and
# truncate (32), once a statement; and always, of whatever columns, by the function that the migrations make.
_REFUSING: Final = """
    SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE pg_table_is_visible(c.oid) AND t.tgenabled IN ('O', 'A') AND t.tgtype = 58 AND t.tgqual IS NULL
    AND t.tgattr::text = '' AND p.prosrc = :body
"""


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """backend: sqlite or postgresql. now, asked_at: the server's clock, and ours half-way between question and answer;
    None for an embedded database. protected: tables whose triggers refuse every change."""

    backend: str
    settings: Mapping[str, str]
    protected: frozenset[str]
    now: datetime | None
    asked_at: datetime | None


def inspect_database(url: str) -> DatabaseFacts:
    """Raises DatabaseUrlUnusable or DatabaseUnavailable; makes no file where there is none."""
    if sqlite.is_missing(url):
        raise DatabaseUnavailable("There is no database at this address yet.")
    engine = make_engine(url)
    backend = engine.dialect.name
    names = _SQLITE_SETTINGS if backend == "sqlite" else _POSTGRESQL_SETTINGS
    try:
        with begin_transaction(engine, Transaction.READING) as connection:
            now, asked_at = _clocks(connection) if backend == "postgresql" else (None, None)
            return DatabaseFacts(
                backend=backend,
                settings={name: _setting(connection, name) for name in names},
                protected=_protected(connection),
                now=now,
                asked_at=asked_at,
            )
    finally:
        engine.dispose()


def find_data_folder(url: str) -> Path | None:
    """Where a database server on this machine keeps its files; None where it is elsewhere, or does not tell us.

    Raises DatabaseUrlUnusable.
    """
    address = sa.make_url(url)
    host = address.host or address.query.get("host")
    if host not in _LOCAL and not str(host).startswith("/"):
        return None
    engine = make_engine(url)
    # What a role may not know is missing in this view, where SHOW would fail.
    query = sa.text("SELECT setting FROM pg_settings WHERE name = 'data_directory'")
    try:
        with begin_transaction(engine, Transaction.READING) as connection:
            told = connection.execute(query).scalar()
    except DatabaseUnavailable:
        return None
    finally:
        engine.dispose()
    return Path(told) if told and Path(told).is_dir() else None


def _protected(connection: sa.Connection) -> frozenset[str]:
    """Tables with exactly the triggers that the migrations make: a name is soon given to one that does nothing."""
    if connection.dialect.name == "postgresql":
        return frozenset(connection.execute(sa.text(_REFUSING), {"body": FUNCTION_BODY}).scalars())
    found = set(connection.execute(sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger'")).scalars())
    return frozenset(
        table for table in APPEND_ONLY if all(sqlite_trigger(table, action) in found for action in ("UPDATE", "DELETE"))
    )


def _setting(connection: sa.Connection, name: str) -> str:
    statement = f"PRAGMA {name}" if connection.dialect.name == "sqlite" else f"SHOW {name}"
    return str(connection.execute(sa.text(statement)).scalar_one())


def _clocks(connection: sa.Connection) -> tuple[datetime, datetime]:
    asked = datetime.now(UTC)
    there: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    waited: timedelta = datetime.now(UTC) - asked
    return there, asked + waited / 2
