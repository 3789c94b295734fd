"""How a database is doing, for metrics: counts, never a statement or a value of one."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from adapters.database.engine import SqlDatabase


def watch(database: SqlDatabase, *, failed: Callable[[], Any], in_use: Callable[[int], Any]) -> None:
    """Have `failed` called for each connection or statement that failed for the database's own reasons, not for what
    it was asked; and `in_use` with 1 and -1 as connections are taken from the pool and given back."""
    engine = database.engine

    @sa.event.listens_for(engine, "handle_error")
    def count_error(context: sa.engine.ExceptionContext) -> None:
        if isinstance(context.sqlalchemy_exception, sa.exc.OperationalError):
            failed()

    @sa.event.listens_for(engine, "checkout")
    def taken(*_: object) -> None:
        in_use(1)

    @sa.event.listens_for(engine, "checkin")
    def given_back(*_: object) -> None:
        in_use(-1)
