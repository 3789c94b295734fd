"""Fixtures of the HTTP tests."""

from collections.abc import Iterator

import pytest

from tests.http.exchange import Exchange


@pytest.fixture
def exchange(migrated_sqlite_url: str) -> Iterator[Exchange]:
    """Two organisations with a client each, and a few guarded routes."""
    exchange = Exchange(migrated_sqlite_url)
    yield exchange
    exchange.close()
