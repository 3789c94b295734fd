"""Requests that bore an Idempotency-Key, and their answers."""

from datetime import datetime

import sqlalchemy as sa

from adapters.database.stores.rows import insert_new, select_fields, to_row
from adapters.database.tables import idempotent_requests
from contracts.ports import IdempotentRequest


class SqlIdempotencyStore:
    """Implements `contracts.ports.IdempotencyStore`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def claim(self, request: IdempotentRequest, now: datetime) -> IdempotentRequest | None:
        self._connection.execute(sa.delete(idempotent_requests).where(idempotent_requests.c.expires_at < now))
        if insert_new(self._connection, idempotent_requests, to_row(request)):
            return None
        query = select_fields(idempotent_requests, IdempotentRequest).where(_is(request))
        row = self._connection.execute(query.with_for_update()).mappings().one()
        earlier = IdempotentRequest(**row)
        lost = earlier.status is None and earlier.lease_until < now and earlier.fingerprint == request.fingerprint
        if lost:
            self._store(request)
        return None if lost else earlier

    def answer(self, request: IdempotentRequest) -> None:
        self._store(request)

    def release(self, request: IdempotentRequest) -> None:
        self._connection.execute(sa.delete(idempotent_requests).where(_is(request)))

    def _store(self, request: IdempotentRequest) -> None:
        statement = sa.update(idempotent_requests).where(_is(request)).values(**to_row(request))
        self._connection.execute(statement)


def _is(request: IdempotentRequest) -> sa.ColumnElement[bool]:
    return sa.and_(
        idempotent_requests.c.client_id == request.client_id,
        idempotent_requests.c.key == request.key,
    )
