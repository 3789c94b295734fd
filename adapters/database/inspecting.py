"""What a database says of itself, for `parley doctor`. Reads settings and triggers, no row of any table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from adapters.database import sqlite
from adapters.database.engine import begin_transaction, make_engine
from adapters.database.errors import DatabaseUnavailable
from adapters.database.transactions import Transaction

# What `make_append_only` was called for, over all migrations; a test compares.
APPEND_ONLY: Final = frozenset(
    {"ledger_entries", "releases", "signatures", "contract_events", "population_events", "audit_records"}
)
_SQLITE_SETTINGS: Final = ("journal_mode", "synchronous")
_POSTGRESQL_SETTINGS: Final = ("fsync", "full_page_writes", "synchronous_commit")
_PROTECTED: Final = {
    # Both triggers of a table must be there.
    "sqlite": "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name IN "
    "(tbl_name || '_refuse_update', tbl_name || '_refuse_delete') GROUP BY tbl_name HAVING count(*) = 2",
    # O and A: it fires for us; D would be switched off, R for replicas only.
    "postgresql": "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
    "WHERE t.tgname = c.relname || '_refuse_change' AND t.tgenabled IN ('O', 'A')",
}


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
                protected=frozenset(connection.execute(sa.text(_PROTECTED[backend])).scalars()),
                now=now,
                asked_at=asked_at,
            )
    finally:
        engine.dispose()


def _setting(connection: sa.Connection, name: str) -> str:
    statement = f"PRAGMA {name}" if connection.dialect.name == "sqlite" else f"SHOW {name}"
    return str(connection.execute(sa.text(statement)).scalar_one())


def _clocks(connection: sa.Connection) -> tuple[datetime, datetime]:
    asked = datetime.now(UTC)
    there: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    waited: timedelta = datetime.now(UTC) - asked
    return there, asked + waited / 2
