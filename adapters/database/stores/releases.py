"""Noisy releases, stored for ever."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

import sqlalchemy as sa

from adapters.database.stores.remembered import Remembered
from adapters.database.stores.rows import insert_new, select_fields, to_row
from adapters.database.tables import contracts, releases
from contracts.records import ReleaseRecord
from contracts.refusals import AlreadyExists

_FIELDS: Final = tuple(field.name for field in fields(ReleaseRecord))
_FROM: Final = (
    select_fields(releases, ReleaseRecord)
    .add_columns(releases.c.position)
    .where(releases.c.contract_id == sa.bindparam("contract_id"), releases.c.position >= sa.bindparam("position"))
    .order_by(releases.c.position)
)


class SqlReleaseStore:
    """Implements `contracts.ports.ReleaseStore`."""

    def __init__(
        self, connection: sa.Connection, remembered: Remembered[tuple[ReleaseRecord, ...]] | None = None
    ) -> None:
        self._connection = connection
        self._remembered = remembered

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
        """Those that are remembered, and what has been stored since."""
        known = self._remembered.find(contract_id) if self._remembered is not None else None
        (last,), before = known or ((0,), ())
        rows = self._from(contract_id, last)
        if before and (not rows or rows[0]["position"] != last):
            # This transaction began before the last of them was stored: it is to see what it would have seen.
            before, rows = (), self._from(contract_id, 0)
        rows = rows[1:] if before else rows
        found = (*before, *(ReleaseRecord(**{name: row[name] for name in _FIELDS}) for row in rows))
        if rows and self._remembered is not None:
            self._remembered.keep(contract_id, (rows[-1]["position"],), found)
        return list(found)

    def _from(self, contract_id: str, position: object) -> Sequence[sa.RowMapping]:
        values = {"contract_id": contract_id, "position": position}
        return self._connection.execute(_FROM, values).mappings().all()

    def get_blocks(self, release_ids: Sequence[str]) -> dict[str, bytes]:
        query = sa.select(releases.c.id, releases.c.block).where(releases.c.id.in_(release_ids))
        found = {row.id: bytes(row.block) for row in self._connection.execute(query)}
        return {release_id: found[release_id] for release_id in release_ids}
