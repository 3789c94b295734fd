"""Tables that may grow and never change, whoever holds the connection. For use in revisions."""

from typing import Final

from alembic import op

_REFUSAL = "is append-only"
FUNCTION_BODY: Final = f" BEGIN RAISE EXCEPTION '% {_REFUSAL}', TG_TABLE_NAME; END "


def make_append_only(table: str) -> None:
    """Refuse every update and delete. Who owns the table can drop the trigger, but not by mistake."""
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(sqlite_trigger(table, action))
        return
    op.execute(f"CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $${FUNCTION_BODY}$$")
    op.execute(
        f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def sqlite_trigger(table: str, action: str) -> str:
    """As it is made, and as SQLite keeps it."""
    return (
        f"CREATE TRIGGER {table}_refuse_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} {_REFUSAL}'); END"
    )
