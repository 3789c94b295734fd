"""Client assertions already used."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from adapters.database.short_lived import used_assertions
from adapters.database.stores.rows import insert_new

# A validator may allow for clocks that differ; what it might still accept must still be remembered.
KEPT_AFTER_EXPIRY: Final = timedelta(hours=1)


class SqlAssertionStore:
    """Implements `contracts.ports.AssertionStore`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def use_once(self, client_id: str, jti: str, expires_at: datetime, now: datetime) -> bool:
        """True the first time. Forgets what expired an hour ago and no validator would accept any more."""
        old = used_assertions.c.expires_at < now - KEPT_AFTER_EXPIRY
        self._connection.execute(sa.delete(used_assertions).where(old))
        row = {"client_id": client_id, "jti": jti, "expires_at": expires_at}
        return insert_new(self._connection, used_assertions, row)
