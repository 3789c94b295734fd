"""Noisy releases, stored for ever."""

from collections.abc import Sequence

import sqlalchemy as sa

from adapters.database.stores.rows import insert_new, select_fields, to_row
from adapters.database.tables import contracts, releases
from contracts.records import ReleaseRecord
from contracts.refusals import AlreadyExists


class SqlReleaseStore:
    """Implements `contracts.ports.ReleaseStore`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, record: ReleaseRecord, block: bytes) -> None:
        """One after another within a contract: on PostgreSQL a number is drawn at the insert and seen at the commit,
        and a pool that opened must not find an earlier number in its midst later."""
        first = sa.select(contracts.c.id).where(contracts.c.id == record.contract_id, contracts.c.version == 1)
        self._connection.execute(first.with_for_update(key_share=True)).first()
        if not insert_new(self._connection, releases, to_row(record) | {"block": block}):
            raise AlreadyExists("This submission, or the debit that would pay for it, has a release already.")

    def find_for_submission(self, submission_id: str) -> ReleaseRecord | None:
        query = select_fields(releases, ReleaseRecord).where(releases.c.submission_id == submission_id)
        row = self._connection.execute(query).mappings().one_or_none()
        return ReleaseRecord(**row) if row else None

    def list_for_contract(self, contract_id: str) -> list[ReleaseRecord]:
        query = (
            select_fields(releases, ReleaseRecord)
            .where(releases.c.contract_id == contract_id)
            .order_by(releases.c.position)
        )
        return [ReleaseRecord(**row) for row in self._connection.execute(query).mappings()]

    def get_blocks(self, release_ids: Sequence[str]) -> dict[str, bytes]:
        query = sa.select(releases.c.id, releases.c.block).where(releases.c.id.in_(release_ids))
        found = {row.id: bytes(row.block) for row in self._connection.execute(query)}
        return {release_id: found[release_id] for release_id in release_ids}
