"""One migrated database of each kind, and the few rows that all others refer to."""

from collections.abc import Iterator

import pytest

from adapters.database import SqlDatabase, open_database
from tests.stores import examples


@pytest.fixture
def empty_database(migrated_url: str) -> Iterator[SqlDatabase]:
    """Tables, and nothing in them."""
    database = open_database(migrated_url)
    yield database
    database.close()


@pytest.fixture
def database(empty_database: SqlDatabase) -> SqlDatabase:
    """A payer and a brand, the payer's population and client, and one contract draft between them."""
    with empty_database.writing() as stores:
        stores.parties.add_organisation(examples.PAYER)
        stores.parties.add_organisation(examples.BRAND)
        stores.parties.add_population(examples.POPULATION)
        stores.parties.add_client(examples.CLIENT)
        stores.contracts.add(examples.DRAFT)
    return empty_database
