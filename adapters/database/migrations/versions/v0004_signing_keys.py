"""Signing keys that are rotated and revoked."""

import json

import sqlalchemy as sa
from alembic import op

from contracts.signing import thumbprint

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("signing_keys") as keys:
        keys.add_column(
            sa.Column(
                "thumbprint",
                sa.Text(),
                comment="RFC 7638, of one key only; null if it was registered twice before that.",
            )
        )
        keys.add_column(
            sa.Column(
                "endorsed_by", sa.Text(), comment="Kid of the key that vouched for it; null when the operator did."
            )
        )
        keys.add_column(
            sa.Column(
                "revoked_at", sa.DateTime(timezone=True), comment="From when on it signs nothing; null while it may."
            )
        )
        keys.add_column(
            sa.Column("revocation_reason", sa.Text(), comment="Why it was revoked, as its organisation said.")
        )
        keys.add_column(
            sa.Column(
                "compromised",
                sa.Boolean(),
                nullable=False,
                server_default=sa.false(),
                comment="Whether somebody else may have had it.",
            )
        )
        keys.create_unique_constraint("uq_signing_keys_thumbprint", ["thumbprint"])
        keys.create_check_constraint("revoked_with_reason", "(revoked_at IS NULL) = (revocation_reason IS NULL)")
    _fill_in_thumbprints()


def _fill_in_thumbprints() -> None:
    """Of a key that stands there twice, the first has it, so that nobody can register it once more."""
    keys = sa.table("signing_keys", *(sa.column(name, sa.Text) for name in ("organisation", "kid", "public_key")),
                    sa.column("created_at", sa.DateTime), sa.column("thumbprint", sa.Text))  # fmt: skip
    connection = op.get_bind()
    seen: set[str] = set()
    for row in connection.execute(sa.select(keys).order_by(keys.c.created_at, keys.c.organisation, keys.c.kid)).all():
        found = thumbprint(json.loads(row.public_key))
        if found not in seen:
            seen.add(found)
            at = (keys.c.organisation == row.organisation, keys.c.kid == row.kid)
            connection.execute(sa.update(keys).where(*at).values(thumbprint=found))
