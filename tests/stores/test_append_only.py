"""Ledger entries, releases and signatures cannot be changed or removed, not even past our code."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from adapters.database import SqlDatabase
from tests.stores.examples import (
    BLOCK,
    CONTRACT_EVENT,
    DEBIT,
    GRANT,
    POPULATION_EVENT,
    PROPOSED,
    RELEASE,
    SIGNATURE,
    SUBMISSION,
)

TABLES = {
    "ledger_entries": "feed",
    "releases": "feed",
    "signatures": "signer_name",
    "contract_events": "reason",
    "population_events": "reason",
}


@pytest.fixture
def plain_engine(migrated_url: str, database: SqlDatabase) -> Iterator[sa.Engine]:
    """Somebody with a connection and none of our code, on a database with a row of everything."""
    with database.writing() as stores:
        stores.contracts.replace_draft(PROPOSED)
        stores.contracts.add_signature(PROPOSED.id, 1, SIGNATURE)
        stores.contracts.add_event(CONTRACT_EVENT)
        stores.parties.add_population_event(POPULATION_EVENT)
        stores.ledger.append(GRANT)
        stores.submissions.add(SUBMISSION)
        stores.ledger.append(DEBIT)
        stores.releases.add(RELEASE, BLOCK)
    engine = sa.create_engine(migrated_url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(("table", "column"), TABLES.items())
@pytest.mark.parametrize(
    "statement", ["UPDATE {table} SET {column} = 'other'", "DELETE FROM {table} WHERE {column} <> ''"]
)
def test_a_row_cannot_be_changed_or_removed(plain_engine: sa.Engine, statement: str, table: str, column: str) -> None:
    with (
        pytest.raises(sa.exc.DBAPIError, match=f"{table} is append-only"),
        plain_engine.begin() as connection,
    ):
        connection.execute(sa.text(statement.format(table=table, column=column)))
    with plain_engine.connect() as connection:
        kept = connection.execute(sa.text(f"SELECT {column} FROM {table}")).scalars().all()
    assert kept
    assert "other" not in kept


@pytest.mark.parametrize("table", TABLES)
def test_a_table_cannot_be_emptied_at_once(plain_engine: sa.Engine, table: str) -> None:
    emptying = {"postgresql": f"TRUNCATE {table} CASCADE", "sqlite": f"DELETE FROM {table}"}
    with pytest.raises(sa.exc.DBAPIError, match="is append-only"), plain_engine.begin() as connection:
        connection.execute(sa.text(emptying[connection.dialect.name]))
