"""Every row there is, one by one, for whoever checks them all."""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from adapters.database.stores.contracts import SqlContractStore
from adapters.database.stores.rows import select_fields
from adapters.database.tables import contracts, ledger_entries, populations, releases, submissions
from contracts.ledger import Entry
from contracts.ports import Unreadable
from contracts.records import ContractRecord, ReleaseRecord, SubmissionRecord

T = TypeVar("T")
# What is raised when stored text is not the value it should be: no JSON, no instant, no word of a vocabulary.
_NO_VALUE: Final = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, sa.exc.DataError
)  # fmt: skip


class SqlStoredRows:
    """Implements `contracts.ports.StoredRows`. One query a row, so that one which cannot be read hides no other."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def populations(self) -> list[str]:
        return [*self._connection.scalars(sa.select(populations.c.id).order_by(populations.c.id))]

    def entries(self) -> Iterator[Entry | Unreadable]:
        row_id, population, sequence = (ledger_entries.c[name] for name in ("id", "population", "sequence"))
        keys = sa.select(row_id, population, sequence).order_by(population, sequence)
        for key in self._connection.execute(keys).all():
            yield _tried(f"entry {key.sequence} of {key.population}", self._read, ledger_entries, Entry, key.id)

    def contracts(self) -> Iterator[ContractRecord | Unreadable]:
        store = SqlContractStore(self._connection)
        keys = sa.select(contracts.c.id, contracts.c.version).order_by(contracts.c.id, contracts.c.version)
        for key in self._connection.execute(keys).all():
            yield _tried(f"contract {key.id} version {key.version}", store.get_version, *key)

    def submissions(self) -> Iterator[SubmissionRecord | Unreadable]:
        return self._each(submissions, submissions.c.id, SubmissionRecord, "submission")

    def releases(self) -> Iterator[ReleaseRecord | Unreadable]:
        return self._each(releases, releases.c.position, ReleaseRecord, "release")

    def _each(self, table: sa.Table, order: sa.Column[Any], kind: type[T], noun: str) -> Iterator[T | Unreadable]:
        for row_id in self._connection.scalars(sa.select(table.c.id).order_by(order)).all():
            yield _tried(f"{noun} {row_id}", self._read, table, kind, row_id)

    def _read(self, table: sa.Table, kind: type[Any], row_id: str) -> Any:
        query = select_fields(table, kind).where(table.c.id == row_id)
        return kind(**self._connection.execute(query).mappings().one())


def _tried(what: str, read: Callable[..., T], *arguments: Any) -> T | Unreadable:
    try:
        return read(*arguments)
    except _NO_VALUE:
        return Unreadable(what)
