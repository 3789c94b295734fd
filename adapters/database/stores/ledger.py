"""The append-only record of grants and debits."""

import sqlalchemy as sa

from adapters.database.stores.rows import insert_new, select_fields, to_row
from adapters.database.tables import ledger_entries, populations
from contracts.ledger.entries import Entry
from contracts.refusals import AlreadyExists


class SqlLedgerStore:
    """Implements `contracts.ports.LedgerStore`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def lock(self, population_id: str) -> None:
        """On PostgreSQL a lock on the population's row, in the mode that lets others still refer to it.

        On SQLite the writing transaction holds the whole database already. Raises KeyError for an unknown
        population, whose account nothing could hold.
        """
        row = sa.select(populations.c.id).where(populations.c.id == population_id)
        if self._connection.execute(row.with_for_update(key_share=True)).first() is None:
            raise KeyError(population_id)

    def entries(self, population_id: str) -> list[Entry]:
        query = (
            select_fields(ledger_entries, Entry)
            .where(ledger_entries.c.population == population_id)
            .order_by(ledger_entries.c.sequence)
        )
        return [Entry(**row) for row in self._connection.execute(query).mappings()]

    def has_entries(self) -> bool:
        """Of any population."""
        return self._connection.execute(sa.select(ledger_entries.c.id).limit(1)).first() is not None

    def append(self, entry: Entry) -> None:
        if not insert_new(self._connection, ledger_entries, to_row(entry)):
            raise AlreadyExists(f"Entry {entry.sequence} of {entry.population} is in the ledger already.")
