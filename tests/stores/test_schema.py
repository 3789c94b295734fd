"""The schema: one history of migrations, and tables that are what the code says they are."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from adapters.database import SchemaStale, check_schema, migrate, open_database
from adapters.database.schema import _config, _connected
from adapters.database.stores.rows import to_row
from adapters.database.tables import clients, metadata, organisations
from adapters.database.transactions import Transaction
from contracts.parties import Holder
from contracts.signing import thumbprint
from tests.conftest import REPOSITORY
from tests.stores.examples import BRAND, NOW, PAYER, PUBLIC_KEY


@pytest.fixture
def plain_engine(migrated_url: str) -> Iterator[sa.Engine]:
    """Somebody with a connection and none of our code."""
    engine = sa.create_engine(migrated_url)
    yield engine
    engine.dispose()


def test_migrations_lead_to_the_tables_of_the_code(plain_engine: sa.Engine) -> None:
    with plain_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(database_url: str) -> None:
    migrate(database_url)
    migrate(database_url)
    check_schema(database_url)


def test_a_database_without_tables_is_stale(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaStale, match="parley migrate"):
        check_schema(database_url)
    assert not (tmp_path / "parley.db").exists()


def test_a_database_of_an_earlier_schema_is_stale(database_url: str) -> None:
    _stamp(database_url, None)
    with pytest.raises(SchemaStale, match="parley migrate"):
        check_schema(database_url)


def test_a_database_of_a_newer_schema_is_left_alone(database_url: str) -> None:
    _stamp(database_url, "9999")
    with pytest.raises(SchemaStale, match="newer"):
        check_schema(database_url)
    with pytest.raises(SchemaStale, match="newer"):
        migrate(database_url)


def test_what_clients_prove_themselves_with_is_known_of_those_of_before_too(database_url: str) -> None:
    twice = {"public_keys": [PUBLIC_KEY, PUBLIC_KEY | {"kid": "second"}], "scopes": [], "created_at": NOW}
    gone = {"revoked_at": NOW, "revocation_reason": "stolen"}
    with _connected(database_url, Transaction.WRITING) as connection:
        command.upgrade(_config(connection), "0007")
        for organisation in (PAYER, BRAND):
            connection.execute(sa.insert(organisations).values(to_row(organisation)))
        connection.execute(sa.insert(clients).values(id="live", organisation=PAYER.id, **twice))
        connection.execute(sa.insert(clients).values(id="revoked", organisation=BRAND.id, **twice, **gone))
        connection.commit()
    migrate(database_url)
    database = open_database(database_url)
    with database.reading() as stores:
        holders = stores.parties.list_holders(thumbprint(PUBLIC_KEY))
        assert stores.parties.list_holders("none") == []
    database.close()
    expected = [Holder(BRAND.id, revoked=True), Holder(PAYER.id, revoked=False)]
    assert sorted(holders, key=lambda holder: holder.revoked, reverse=True) == expected


def test_every_table_and_column_says_what_it_means() -> None:
    silent = [table.name for table in metadata.tables.values() if not table.comment]
    silent += [str(column) for table in metadata.tables.values() for column in table.c if not column.comment]
    assert silent == []


def test_postgresql_knows_what_each_column_means(migrated_postgresql_url: str) -> None:
    engine = sa.create_engine(migrated_postgresql_url)
    columns = {column["name"]: column["comment"] for column in sa.inspect(engine).get_columns("ledger_entries")}
    engine.dispose()
    assert columns["spent_nano"] == "Nano-rho: all spent, this included."


def test_the_rules_of_a_row_are_those_of_the_code(database_url: str) -> None:
    """Autogeneration, and so the comparison above, does not see CHECK constraints."""
    engine = sa.create_engine(database_url)
    metadata.create_all(engine)
    expected = _rules(engine)
    metadata.drop_all(engine)
    migrate(database_url)
    assert _rules(engine) == expected
    assert "ck_ledger_entries_within_grants" in {name for _, name, _ in expected}
    engine.dispose()


@pytest.mark.slow
def test_several_processes_may_migrate_at_once(database_url: str) -> None:
    python = [
        sys.executable,
        "-c",
        "import sys; from adapters.database import migrate; migrate(sys.argv[1])",
    ]
    processes = [subprocess.Popen([*python, database_url], cwd=REPOSITORY) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    check_schema(database_url)


def _rules(engine: sa.Engine) -> list[tuple[str, str, str]]:
    inspector = sa.inspect(engine)
    return sorted(
        (table, rule["name"] or "", rule["sqltext"])
        for table in metadata.tables
        for rule in inspector.get_check_constraints(table)
    )


def _stamp(url: str, revision: str | None) -> None:
    """Make the database say that it is at this revision."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        context._ensure_version_table()
        if revision is not None:
            connection.execute(sa.text("INSERT INTO alembic_version VALUES (:r)"), {"r": revision})
    engine.dispose()
