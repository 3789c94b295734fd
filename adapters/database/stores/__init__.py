"""The stores of `contracts.ports`, one module a noun, each bound to the connection of one transaction."""

from dataclasses import dataclass
from typing import Self

import sqlalchemy as sa

from adapters.database.stores.assertions import SqlAssertionStore
from adapters.database.stores.audit import SqlAuditStore
from adapters.database.stores.contracts import SqlContractStore
from adapters.database.stores.idempotency import SqlIdempotencyStore
from adapters.database.stores.ledger import SqlLedgerStore
from adapters.database.stores.parties import SqlPartyStore
from adapters.database.stores.releases import SqlReleaseStore
from adapters.database.stores.remembered import Memory
from adapters.database.stores.stored import SqlStoredRows
from adapters.database.stores.submissions import SqlSubmissionStore
from adapters.database.stores.tokens import SqlTokenStore


@dataclass(frozen=True, slots=True)
class SqlStores:
    """All stores within one transaction; not to be kept after its end."""

    parties: SqlPartyStore
    contracts: SqlContractStore
    ledger: SqlLedgerStore
    submissions: SqlSubmissionStore
    releases: SqlReleaseStore
    assertions: SqlAssertionStore
    tokens: SqlTokenStore
    idempotency: SqlIdempotencyStore
    audit: SqlAuditStore
    stored: SqlStoredRows

    @classmethod
    def within(cls, connection: sa.Connection, memory: Memory | None = None) -> Self:
        """memory: of a reading transaction; a writing one reads everything anew."""
        return cls(
            SqlPartyStore(connection),
            SqlContractStore(connection, memory.histories if memory else None),
            SqlLedgerStore(connection),
            SqlSubmissionStore(connection),
            SqlReleaseStore(connection, memory.releases if memory else None),
            SqlAssertionStore(connection),
            SqlTokenStore(connection),
            SqlIdempotencyStore(connection),
            SqlAuditStore(connection),
            SqlStoredRows(connection),
        )
