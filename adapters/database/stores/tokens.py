"""Access tokens that were revoked."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from adapters.database.short_lived import revoked_tokens
from adapters.database.stores.rows import insert_new

# A validator may allow for clocks that differ; what it might still accept must still be remembered.
KEPT_AFTER_EXPIRY: Final = timedelta(hours=1)


class SqlTokenStore:
    """Implements `contracts.ports.TokenStore`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def revoke(self, jti: str, expires_at: datetime, now: datetime) -> None:
        old = revoked_tokens.c.expires_at < now - KEPT_AFTER_EXPIRY
        self._connection.execute(sa.delete(revoked_tokens).where(old))
        insert_new(self._connection, revoked_tokens, {"jti": jti, "expires_at": expires_at})

    def is_revoked(self, jti: str) -> bool:
        query = sa.select(sa.literal(1)).where(revoked_tokens.c.jti == jti)
        return self._connection.execute(query).first() is not None
