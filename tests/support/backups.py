"""Backs a database up and restores it, by each database's own means, under an exchange that may go on running."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

import psycopg
import sqlalchemy as sa

_numbers = count(1)

# Puts the database back to what it was when the backup was taken.
Restore = Callable[[], None]


def back_up(url: str, folder: Path) -> Restore:
    if url.startswith("sqlite"):
        return _sqlite(Path(url.partition(":///")[2]), folder / f"backup-{next(_numbers)}.sqlite")
    return _postgresql(sa.make_url(url))


def _sqlite(database: Path, backup: Path) -> Restore:
    _copy(database, backup)
    return lambda: _copy(backup, database)


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as from_, closing(sqlite3.connect(target)) as to:
        from_.backup(to)


def _postgresql(address: sa.URL) -> Restore:
    live, kept = str(address.database), f"backup_{next(_numbers)}"
    admin = address.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    _clone(admin, live, kept)
    return lambda: _clone(admin, kept, live)


def _clone(admin: str, source: str, target: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        for name in (source, target):
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        connection.execute(f"DROP DATABASE IF EXISTS {target}")
        connection.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
