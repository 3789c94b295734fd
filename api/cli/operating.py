"""Commands of the operator, straight on the database: the use cases of the HTTP API, without its door.

Whoever can open the database is the operator. What may be registered is the same as over HTTP: the same
schemas check the form, the same use cases the rest.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from marshmallow import Schema, ValidationError

from adapters.clock import SystemClock
from adapters.database import (
    DatabaseUnavailable,
    DatabaseUrlUnusable,
    SchemaStale,
    SqlDatabase,
    check_schema,
    open_database,
)
from adapters.witness import FileWitness
from api.cli.output import Failure, problem_failure
from api.problems import fault_members, input_faults
from api.settings import Settings, SettingsInvalid, read_settings
from contracts.ledger.reconciling import Reconciling
from contracts.refusals import Fault, Refusal, first_faults
from contracts.registering import Registering
from contracts.suspending import Suspending


def exchange_settings() -> Settings:
    """What the environment says of a whole exchange. Raises Failure."""
    try:
        return read_settings(os.environ)
    except SettingsInvalid as invalid:
        raise Failure(f"{invalid}.") from None


def database_url() -> str:
    """The database alone: neither migrating nor registering needs the secrets of a server. Raises Failure."""
    return _some_settings("PARLEY_DATABASE_URL", PARLEY_WITNESS="not asked for").database_url


def witness_file() -> FileWitness:
    """The witness of the ledger in that database. Raises Failure."""
    return FileWitness(Path(_some_settings("PARLEY_DATABASE_URL", "PARLEY_WITNESS").witness))


def _some_settings(*names: str, **defaults: str) -> Settings:
    kept = {name: os.environ[name] for name in names if name in os.environ}
    if os.environ.get("PARLEY_ENVIRONMENT") == "production" and len(kept) < len(names):
        raise Failure(f"production needs {' and '.join(name for name in names if name not in kept)}.")
    try:
        return read_settings(defaults | kept)
    except SettingsInvalid as invalid:
        raise Failure(f"{invalid}.") from None


def max_cells() -> int:
    """What an exchange of this environment takes. Raises Failure."""
    try:
        return read_settings({name: os.environ[name] for name in ("PARLEY_MAX_CELLS",) if name in os.environ}).max_cells
    except SettingsInvalid as invalid:
        raise Failure(f"{invalid}.") from None


# Whoever can open the database acts as the operator: what is made for it is for its owner alone.
OWNER_ONLY: Final = 0o077


@contextmanager
def said_plainly() -> Iterator[None]:
    """Expected errors of the database and refusals of the domain as Failures."""
    try:
        yield
    except (DatabaseUnavailable, DatabaseUrlUnusable, SchemaStale) as error:
        raise Failure(str(error)) from None
    except Refusal as refusal:
        raise _refused(refusal.code, refusal.detail, refusal.faults) from None


@contextmanager
def operating() -> Iterator[SqlDatabase]:
    """The migrated database of PARLEY_DATABASE_URL."""
    url = database_url()
    with said_plainly():
        check_schema(url)
        database = open_database(url)
        try:
            yield database
        finally:
            database.close()


@contextmanager
def registering() -> Iterator[Registering]:
    """Registration on a migrated database."""
    with operating() as database:
        yield Registering(database, SystemClock(), witness_file())


@contextmanager
def suspending() -> Iterator[Suspending]:
    """Suspending, resuming and terminating on a migrated database."""
    with operating() as database:
        yield Suspending(database, SystemClock())


@contextmanager
def reconciling() -> Iterator[Reconciling]:
    """The ledgers of a migrated database, and their witness."""
    with operating() as database:
        yield Reconciling(database, witness_file(), SystemClock())


def checked(schema: Schema, **values: Any) -> dict[str, Any]:
    """The values as the API's own schema takes them; those that are None are left out. Raises Failure."""
    for name in (name for name, value in values.items() if isinstance(value, str) and not _is_unicode(value)):
        raise _refused(
            "input-invalid", "The input has faults.", (Fault(f"/{name}", "field_invalid", "a text in UTF-8"),)
        )
    try:
        loaded: dict[str, Any] = schema.load({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        faults = first_faults(input_faults({"body": error.messages}))
        raise _refused("input-invalid", "The input has faults.", faults) from None
    return loaded


def _is_unicode(value: str) -> bool:
    """An argument that is not UTF-8 comes with lone surrogates (PEP 383), which no database takes."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _refused(code: str, detail: str, faults: tuple[Fault, ...]) -> Failure:
    return problem_failure({"type": code, "detail": detail, **fault_members(faults)})
