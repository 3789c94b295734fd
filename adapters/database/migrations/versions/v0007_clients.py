"""Clients that are revoked, and stay registered so that the audit still tells of them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("clients") as clients:
        clients.add_column(
            sa.Column(
                "revoked_at", sa.DateTime(timezone=True), comment="From when on it gets in no more; null while it may."
            )
        )
        clients.add_column(
            sa.Column("revocation_reason", sa.Text(), comment="Why it was revoked, as the operator said.")
        )
        clients.create_check_constraint("revoked_with_reason", "(revoked_at IS NULL) = (revocation_reason IS NULL)")
