"""What only PostgreSQL has to be told."""

import pytest
import sqlalchemy as sa

from adapters.database.engine import begin_transaction, make_engine
from adapters.database.transactions import Transaction


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        (Transaction.WRITING, "synchronous_commit", "on"),
        (Transaction.WRITING, "transaction_isolation", "read committed"),
        (Transaction.WRITING, "transaction_read_only", "off"),
        (Transaction.READING, "transaction_isolation", "repeatable read"),
        (Transaction.READING, "transaction_read_only", "on"),
    ],
)
def test_no_default_of_the_server_weakens_a_transaction(
    migrated_postgresql_url: str, kind: Transaction, setting: str, value: str
) -> None:
    weak = "-c synchronous_commit=off -c default_transaction_isolation=serializable"
    url = sa.make_url(migrated_postgresql_url).update_query_dict({"options": weak})
    engine = make_engine(url.render_as_string(hide_password=False))
    with begin_transaction(engine, kind) as connection:
        assert connection.exec_driver_sql(f"SHOW {setting}").scalar() == value
    engine.dispose()
