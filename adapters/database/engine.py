"""Transactions on SQLite or PostgreSQL, each as durable and as isolated as the ledger needs."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import sqlalchemy as sa

from adapters.database import postgresql, sqlite
from adapters.database.errors import DatabaseUnavailable, DatabaseUrlUnusable
from adapters.database.stores import SqlStores
from adapters.database.stores.remembered import Memory
from adapters.database.transactions import Transaction, begin
from adapters.database.writers import WriterQueue

RETRY_WAITS_SECONDS = (0.05, 0.2, 0.8)


def open_database(url: str) -> "SqlDatabase":
    """The database at this address; connections are made when first needed. Raises DatabaseUrlUnusable.

    Call it in the process that will use it. Under gunicorn that is the worker: connections do not survive a
    fork, so nothing may be opened before it (no preloaded app). A database carried over refuses to work.
    """
    return SqlDatabase(make_engine(url))


def make_engine(url: str, *, foreign_keys: bool = True) -> sa.Engine:
    """foreign_keys: False only for a migration, which on SQLite rebuilds tables that others point to."""
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise DatabaseUrlUnusable("This is not a database address.") from None
    match address.get_backend_name():
        case "sqlite":
            return sqlite.make_engine(address, foreign_keys=foreign_keys)
        case "postgresql":
            return postgresql.make_engine(address)
        case other:
            raise DatabaseUrlUnusable(f"Parley runs on sqlite and postgresql, not on {other}.")


class SqlDatabase:
    """Implements `contracts.ports.Database`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._process = os.getpid()
        self._memory = Memory()
        self._turn = WriterQueue().turn if engine.dialect.name == "sqlite" else nullcontext

    @contextmanager
    def reading(self) -> Iterator[SqlStores]:
        """One consistent snapshot, taken at the first read; the database refuses to write."""
        with self._begin(Transaction.READING) as connection:
            yield SqlStores.within(connection, self._memory)

    @contextmanager
    def writing(self) -> Iterator[SqlStores]:
        """Commits durably at the end of the block, or rolls back when it raises."""
        with self._turn(), self._begin(Transaction.WRITING) as connection:
            yield SqlStores.within(connection)
            _commit(connection)

    @property
    def engine(self) -> sa.Engine:
        """For what concerns the database itself, not what is kept in it: its schema, its connections."""
        return self._engine

    def close(self) -> None:
        """Give the connections back. Transactions under way keep theirs until they end."""
        self._engine.dispose()

    def _begin(self, kind: Transaction) -> sa.Connection:
        if os.getpid() != self._process:
            raise RuntimeError("A database must be opened in the process that uses it, after any fork.")
        return begin_transaction(self._engine, kind)


def begin_transaction(engine: sa.Engine, kind: Transaction) -> sa.Connection:
    """A connection inside its transaction; closing it uncommitted rolls back. Raises DatabaseUnavailable.

    Only the beginning is ever tried again: nothing has been done yet, so nothing can be done twice.
    """
    waits = iter(RETRY_WAITS_SECONDS)
    while True:
        try:
            return _try_to_begin(engine, kind)
        except (sa.exc.DatabaseError, sa.exc.TimeoutError) as error:
            wait_seconds = next(waits, None)
            if wait_seconds is None or not sqlite.is_busy(error):
                raise DatabaseUnavailable("The database cannot be reached, is busy, or is none.") from error
            time.sleep(wait_seconds)


def _try_to_begin(engine: sa.Engine, kind: Transaction) -> sa.Connection:
    connection = engine.connect()
    try:
        begin(connection, kind)
    except BaseException:
        connection.close()
        raise
    return connection


def _commit(connection: sa.Connection) -> None:
    """After a commit that failed, SQLite may still be inside the transaction: discard such a connection."""
    try:
        connection.commit()
    except BaseException:
        connection.invalidate()
        raise
