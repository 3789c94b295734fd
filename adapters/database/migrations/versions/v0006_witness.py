"""Corrections in the ledger: what a restored database lost is charged again, whatever the grants say."""

import sqlalchemy as sa
from alembic import op

from adapters.database.migrations.append_only import make_append_only

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_CHECKS = {
    "ck_ledger_entries_kind": "kind IN ('grant', 'debit', 'correction')",
    "ck_ledger_entries_within_grants": "kind <> 'debit' OR spent_nano <= granted_nano",
}


def upgrade() -> None:
    with op.batch_alter_table("ledger_entries") as entries:
        entries.alter_column("kind", existing_type=sa.String(5), type_=sa.String(10), existing_nullable=False)
        for name, check in _CHECKS.items():
            entries.drop_constraint(op.f(name), type_="check")
            entries.create_check_constraint(op.f(name), sa.text(check))
    if op.get_bind().dialect.name == "sqlite":
        make_append_only("ledger_entries")  # rebuilding the table dropped its triggers
    else:
        op.create_table_comment(
            "ledger_entries", "The privacy ledger: grants, debits and corrections of each population. Append-only."
        )
