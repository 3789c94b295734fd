"""SQLite, the embedded default: one file, one process, many threads."""

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from adapters.database.errors import DatabaseUrlUnusable
from adapters.database.transactions import Transaction, kind_of

BUSY_TIMEOUT_SECONDS = 5

# IMMEDIATE takes the write lock at once: a transaction that reads first and writes later could otherwise find
# that another has written in between, and would have to fail.
_BEGIN = {
    Transaction.READING: ("PRAGMA query_only = ON", "BEGIN"),
    Transaction.WRITING: ("PRAGMA query_only = OFF", "BEGIN IMMEDIATE"),
}

# FULL: a commit has reached the disk when it returns. MEMORY: no temporary files beside the database.
_ON_CONNECT = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",
)


def make_engine(address: sa.URL, *, foreign_keys: bool) -> sa.Engine:
    """Raises DatabaseUrlUnusable for a database in memory, which would forget its ledger."""
    path = address.database or ""
    if not path or ":memory:" in path or path.startswith("file:"):
        raise DatabaseUrlUnusable("A ledger must outlive the process: name a file, as in sqlite:///parley.db.")
    engine = sa.create_engine(
        address.set(drivername="sqlite+pysqlite"),
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
        hide_parameters=True,
        pool_size=8,
        max_overflow=24,
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        for statement in (*_ON_CONNECT, f"PRAGMA foreign_keys = {int(foreign_keys)}"):
            connection.execute(statement)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        for statement in _BEGIN[kind_of(connection)]:
            connection.exec_driver_sql(statement)

    return engine


def is_missing(url: str) -> bool:
    """True for an embedded database whose file is not there; connecting would create an empty one."""
    prefix, _, path = url.partition(":///")
    return prefix.startswith("sqlite") and not Path(path).is_file()


def is_busy(error: Exception) -> bool:
    """True when another process held the database for longer than the busy timeout."""
    cause = getattr(error, "orig", None)
    if not isinstance(cause, sqlite3.OperationalError):
        return False
    return cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the higher bytes say why it is busy
