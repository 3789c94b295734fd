"""Restatements, generations, and who drew the noise."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_RESTATEMENT = "0 for the first measurement, then 1, 2, ..."
_PERIOD = ["contract_id", "contract_version", "feed", "provider", "period"]


def upgrade() -> None:
    with op.batch_alter_table("submissions") as submissions:
        submissions.add_column(
            sa.Column("restatement", sa.Integer(), nullable=False, server_default="0", comment=_RESTATEMENT)
        )
        submissions.drop_constraint("uq_submissions_feed_period", type_="unique")
        submissions.create_unique_constraint("uq_submissions_feed_period", [*_PERIOD, "restatement"])
    op.add_column(
        "ledger_entries",
        sa.Column(
            "generation", sa.Text(), comment="Digest of what the feed's loss rests on; a changed feed is a new one."
        ),
    )
    op.add_column("ledger_entries", sa.Column("restatement", sa.Integer(), comment=_RESTATEMENT))
    op.add_column(
        "releases",
        sa.Column("restatement", sa.Integer(), nullable=False, server_default="0", comment=_RESTATEMENT),
    )
    op.add_column(
        "releases",
        sa.Column(
            "measured",
            sa.Text(),
            nullable=False,
            server_default="exchange",
            comment="Who drew the noise: exchange or source.",
        ),
    )
