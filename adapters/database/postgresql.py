"""PostgreSQL, for production: several processes, and a disk that somebody looks after."""

import sqlalchemy as sa

from adapters.database.errors import DatabaseUrlUnusable
from adapters.database.transactions import Transaction, kind_of

CONNECT_TIMEOUT_SECONDS = 5

# Said in every transaction, so that no default of the server, the role or a pooler can weaken it. A writer
# that waited for the lock on an account must then see what its predecessor committed: hence READ COMMITTED.
_BEGIN = {
    Transaction.READING: "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    Transaction.WRITING: (
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; SET LOCAL synchronous_commit = on"
    ),
}


def make_engine(address: sa.URL) -> sa.Engine:
    """Raises DatabaseUrlUnusable for another driver than psycopg."""
    if address.drivername not in ("postgresql", "postgresql+psycopg"):
        raise DatabaseUrlUnusable("Write postgresql://...; Parley brings its own driver, psycopg.")
    engine = sa.create_engine(
        address.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "application_name": "parley"},
        hide_parameters=True,
        pool_size=8,
        max_overflow=8,
        pool_pre_ping=True,
    )

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(_BEGIN[kind_of(connection)])

    return engine
