"""Fixtures of the HTTP tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.exchange import Exchange
from tests.support.small_exchange import SmallExchange

HERE = Path(__file__).parent
# Whole stories, told on SQLite in the main suite and on PostgreSQL among the slow ones. What may differ between the
# two, transactions, races and what a row may hold, is tested on both at once, here and in tests/stores.
SLOW_ON_POSTGRESQL = {
    "test_amendments",
    "test_audit_verify",
    "test_contracts",
    "test_idempotency",
    "test_ledger_verify",
    "test_lifecycle",
    "test_measured_at_source",
    "test_restatements",
    "test_restore",
    "test_revocation",
    "test_revoked_clients",
    "test_signing_keys",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and item.path.stem in SLOW_ON_POSTGRESQL and "postgresql" in item.name:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def module_exchange(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    path = tmp_path_factory.mktemp("exchange") / "parley.db"
    shutil.copyfile(sqlite_template, path)
    exchange = Exchange(f"sqlite:///{path}")
    yield exchange
    exchange.close()


@pytest.fixture
def exchange(module_exchange: Exchange) -> Exchange:
    """Two organisations with a client each and a few guarded routes; clock and keys are as at the start."""
    module_exchange.reset()
    return module_exchange


@pytest.fixture
def small(migrated_sqlite_url: str) -> SmallExchange:
    """A whole exchange with real noise, registered parties, and no contract yet."""
    return SmallExchange(migrated_sqlite_url)


@pytest.fixture
def agreed(migrated_sqlite_url: str) -> SmallExchange:
    """The same, with the small contract in force."""
    return SmallExchange(migrated_sqlite_url, template="agreed")
