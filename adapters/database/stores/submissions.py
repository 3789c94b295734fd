"""What was submitted for which period."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from adapters.database.stores.rows import insert_new, select_fields, to_row
from adapters.database.tables import submissions
from contracts.records import SubmissionRecord
from contracts.refusals import AlreadyExists


class SqlSubmissionStore:
    """Implements `contracts.ports.SubmissionStore`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def find(self, submission_id: str) -> SubmissionRecord | None:
        return self._find(submissions.c.id == submission_id)

    def find_for_period(
        self, contract_id: str, versions: Sequence[int], feed: str, provider: str, period: str, restatement: int
    ) -> SubmissionRecord | None:
        return self._find(
            submissions.c.contract_id == contract_id,
            submissions.c.contract_version.in_(versions),
            submissions.c.feed == feed,
            submissions.c.provider == provider,
            submissions.c.period == period,
            submissions.c.restatement == restatement,
        )

    def add(self, record: SubmissionRecord) -> None:
        if not insert_new(self._connection, submissions, to_row(record)):
            raise AlreadyExists("This submission id, or this period of the feed, has been submitted already.")

    def claim(self, submission_id: str, attempt: int, lease_until: datetime) -> bool:
        """Only the attempt right before can be followed, so of two rivals one finds nothing to update."""
        statement = (
            sa.update(submissions)
            .where(submissions.c.id == submission_id, submissions.c.attempt == attempt - 1)
            .values(attempt=attempt, lease_until=lease_until)
        )
        return self._connection.execute(statement).rowcount == 1

    def _find(self, *conditions: sa.ColumnElement[bool]) -> SubmissionRecord | None:
        query = select_fields(submissions, SubmissionRecord).where(*conditions)
        row = self._connection.execute(query).mappings().one_or_none()
        return SubmissionRecord(**row) if row else None
