"""Every row there is, one by one, for whoever checks them all."""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from adapters.database.stores.audit import read_record
from adapters.database.stores.contracts import SqlContractStore
from adapters.database.stores.parties import SqlPartyStore
from adapters.database.stores.rows import select_fields
from adapters.database.tables import (
    audit_heads,
    audit_records,
    clients,
    contract_events,
    contracts,
    ledger_entries,
    population_events,
    populations,
    releases,
    signing_keys,
    submissions,
)
from contracts.audit.records import AuditRecord, Head
from contracts.ledger.entries import Entry
from contracts.parties import Client, SigningKey
from contracts.ports import Unreadable
from contracts.records import (
    ContractEvent,
    ContractRecord,
    PopulationEvent,
    ReleaseRecord,
    SubmissionRecord,
)

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

    def clients(self) -> Iterator[Client | Unreadable]:
        store = SqlPartyStore(self._connection)
        for client_id in self._connection.scalars(sa.select(clients.c.id).order_by(clients.c.id)).all():
            yield _tried(f"client {client_id}", _found, store.find_client, client_id)

    def signing_keys(self) -> Iterator[SigningKey | Unreadable]:
        store = SqlPartyStore(self._connection)
        organisation, kid = signing_keys.c.organisation, signing_keys.c.kid
        for key in self._connection.execute(sa.select(organisation, kid).order_by(organisation, kid)).all():
            yield _tried(f"signing key {key.kid} of {key.organisation}", _found, store.find_signing_key, *key)

    def contract_events(self) -> Iterator[ContractEvent | Unreadable]:
        return self._in_sequence(contract_events, contract_events.c.contract_id, ContractEvent, "event")

    def population_events(self) -> Iterator[PopulationEvent | Unreadable]:
        return self._in_sequence(population_events, population_events.c.population, PopulationEvent, "event")

    def heads(self) -> list[Head]:
        query = select_fields(audit_heads, Head).order_by(audit_heads.c.book)
        return [Head(**row) for row in self._connection.execute(query).mappings()]

    def audit_records(self) -> Iterator[AuditRecord | Unreadable]:
        return self._in_sequence(audit_records, audit_records.c.book, read_record, "record")

    def _in_sequence(
        self, table: sa.Table, owner: sa.Column[Any], make: Callable[..., T], noun: str
    ) -> Iterator[T | Unreadable]:
        """Rows that are numbered within what owns them."""

        def read(name: str, sequence: int) -> T:
            query = sa.select(table).where(owner == name, table.c.sequence == sequence)
            row = self._connection.execute(query).mappings().one()
            return make(**row)

        keys = sa.select(owner, table.c.sequence).order_by(owner, table.c.sequence)
        for name, sequence in self._connection.execute(keys).all():
            yield _tried(f"{noun} {sequence} of {name}", read, name, sequence)

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


def _found(find: Callable[..., T | None], *key: str) -> T:
    """What is looked for by a key that was just read."""
    row = find(*key)
    if row is None:
        raise LookupError
    return row
