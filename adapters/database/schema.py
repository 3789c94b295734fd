"""Bringing a database to the tables of this version, and refusing to serve on any other."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from adapters.database import sqlite
from adapters.database.engine import SqlDatabase, begin_transaction, make_engine
from adapters.database.errors import SchemaStale
from adapters.database.transactions import Transaction

_MIGRATIONS = Path(__file__).with_name("migrations")
# Any number that all versions of Parley share: two migrations of one database at once wait for each other.
_MIGRATION_LOCK: Final = 7_275_391


def migrate(url: str) -> str | None:
    """Bring the database to the newest schema, in one transaction; does nothing where it is there already.

    Gives the schema that it was at, None for a new database.
    Raises DatabaseUrlUnusable, DatabaseUnavailable, or SchemaStale for a database of a newer Parley.
    """
    with _connected(url, Transaction.WRITING) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        found = _revision_of(connection)
        _refuse_unknown(found)
        command.upgrade(_config(connection), "head")
        if connection.dialect.name == "sqlite":
            _require_sound_references(connection)
        connection.commit()
    return found


def check_schema(url: str) -> None:
    """Raises SchemaStale unless the database is at the newest schema; changes nothing and creates nothing."""
    if sqlite.is_missing(url):
        raise SchemaStale("There is no database at this address yet: run `parley migrate`.")
    with _connected(url, Transaction.READING) as connection:
        found = _revision_of(connection)
    _require_current(found)


def check_schema_of(database: SqlDatabase) -> None:
    """The same for a database in use, by one of its connections. Raises SchemaStale or DatabaseUnavailable."""
    with begin_transaction(database.engine, Transaction.READING) as connection:
        found = _revision_of(connection)
    _require_current(found)


def _require_current(found: str | None) -> None:
    if found == _newest():
        return
    _refuse_unknown(found)
    raise SchemaStale(f"The database is at schema {found or 'none'}, which is old: run `parley migrate`.")


def draft_revision(url: str, message: str) -> None:
    """Write a revision for what `tables.py` has and the migrations lack. The database is a scratch one."""
    migrate(url)
    number = len(list(_scripts().walk_revisions())) + 1
    with _connected(url, Transaction.WRITING) as connection:
        command.revision(_config(connection), message, autogenerate=True, rev_id=f"{number:04}")


@contextmanager
def _connected(url: str, kind: Transaction) -> Iterator[sa.Connection]:
    engine = make_engine(url, foreign_keys=False)
    try:
        with begin_transaction(engine, kind) as connection:
            yield connection
    finally:
        engine.dispose()


def _config(connection: sa.Connection | None = None) -> Config:
    """What Alembic has to know, with no alembic.ini: the migrations lie within the installed package."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


@cache
def _newest() -> str | None:
    return _scripts().get_current_head()


def _revision_of(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_unknown(revision: str | None) -> None:
    if revision is not None and revision not in {script.revision for script in _scripts().walk_revisions()}:
        raise SchemaStale(f"The database is at schema {revision}, of a newer Parley: install that version.")


def _require_sound_references(connection: sa.Connection) -> None:
    """Foreign keys were off while tables were rebuilt; what they promise must hold again."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        tables = sorted({row[0] for row in broken})
        raise RuntimeError(f"The migration would leave dangling references in {', '.join(tables)}.")
