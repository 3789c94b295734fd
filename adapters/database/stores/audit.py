"""The books of the audit."""

from typing import Any

import sqlalchemy as sa

from adapters.database.stores.rows import insert_new, select_fields, to_row
from adapters.database.tables import audit_heads, audit_records
from contracts.audit.chain import empty
from contracts.audit.records import Act, AuditRecord, Head


class SqlAuditStore:
    """Implements `contracts.ports.AuditStore`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def lock(self, book: str) -> Head:
        """On PostgreSQL a lock on the head's row. On SQLite the writing transaction holds the whole database."""
        insert_new(self._connection, audit_heads, to_row(empty(book)))
        query = select_fields(audit_heads, Head).where(audit_heads.c.book == book).with_for_update()
        return Head(**self._connection.execute(query).mappings().one())

    def append(self, record: AuditRecord) -> None:
        heads = (
            sa.update(audit_heads)
            .where(audit_heads.c.book == record.act.book, audit_heads.c.sequence == record.sequence - 1)
            .values(sequence=record.sequence, hash=record.hash)
        )
        if self._connection.execute(heads).rowcount != 1:
            raise RuntimeError("a record was appended to a book that was not locked")
        row = to_row(record) | to_row(record.act)
        del row["act"]
        self._connection.execute(sa.insert(audit_records).values(**row))

    def head(self, book: str) -> Head:
        query = select_fields(audit_heads, Head).where(audit_heads.c.book == book)
        row = self._connection.execute(query).mappings().one_or_none()
        return Head(**row) if row else empty(book)

    def records(self, book: str, after: int, limit: int) -> list[AuditRecord]:
        query = (
            sa.select(audit_records)
            .where(audit_records.c.book == book, audit_records.c.sequence > after)
            .order_by(audit_records.c.sequence)
            .limit(limit)
        )
        return [read_record(**row) for row in self._connection.execute(query).mappings()]


def read_record(**row: Any) -> AuditRecord:
    """A record from its columns: what is no field of the record is one of its act."""
    own = {name: row.pop(name) for name in ("sequence", "recorded_at", "nonce", "previous_hash", "hash")}
    return AuditRecord(act=Act(**row), **own)
