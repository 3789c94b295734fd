"""Requests that bore an Idempotency-Key, and their answers."""

from datetime import datetime

import sqlalchemy as sa

from adapters.database.short_lived import idempotent_requests
from adapters.database.stores.rows import insert_new, select_fields, to_row
from adapters.database.tables import contracts
from contracts.ports import IdempotentRequest


class SqlIdempotencyStore:
    """Implements `contracts.ports.IdempotencyStore`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def claim(self, request: IdempotentRequest, now: datetime) -> IdempotentRequest | None:
        self._connection.execute(sa.delete(idempotent_requests).where(idempotent_requests.c.expires_at < now))
        # On PostgreSQL what stood in the way of the insert may be released before it is read.
        while not insert_new(self._connection, idempotent_requests, to_row(request)):
            earlier = self._find(request)
            if earlier is not None:
                return earlier
        return None

    def answer(self, request: IdempotentRequest) -> None:
        if request.contract_id is None or self._hold_version(request):
            update = sa.update(idempotent_requests).where(_unanswered(request))
            self._connection.execute(update.values(**to_row(request)))
        else:
            self.release(request)

    def release(self, request: IdempotentRequest) -> None:
        self._connection.execute(sa.delete(idempotent_requests).where(_unanswered(request)))

    def _find(self, request: IdempotentRequest) -> IdempotentRequest | None:
        query = select_fields(idempotent_requests, IdempotentRequest).where(_same_key(request))
        row = self._connection.execute(query).mappings().one_or_none()
        return IdempotentRequest(**row) if row else None

    def _hold_version(self, request: IdempotentRequest) -> bool:
        """Whether the version is there; nobody discards it before the transaction ends, for which the first version's
        row is locked (`stores.contracts.lock`)."""
        versions = sa.select(contracts.c.id).where(contracts.c.id == request.contract_id)
        self._connection.execute(versions.where(contracts.c.version == 1).with_for_update(read=True)).first()
        return (
            self._connection.execute(versions.where(contracts.c.version == request.contract_version)).first()
            is not None
        )


def _same_key(request: IdempotentRequest) -> sa.ColumnElement[bool]:
    return sa.and_(idempotent_requests.c.client_id == request.client_id, idempotent_requests.c.key == request.key)


def _unanswered(request: IdempotentRequest) -> sa.ColumnElement[bool]:
    return sa.and_(_same_key(request), idempotent_requests.c.status.is_(None))
