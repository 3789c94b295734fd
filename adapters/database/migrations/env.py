"""Run by Alembic for each command. The connection, with its transaction begun, comes from `schema.py`."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from adapters.database.tables import metadata


def render_as_plain_type(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Revisions name the stored type, not our decorator of it, which may change after them."""
    if kind == "type" and isinstance(item, sa.types.TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by rebuilding it
    render_item=render_as_plain_type,
)
with context.begin_transaction():
    context.run_migrations()
