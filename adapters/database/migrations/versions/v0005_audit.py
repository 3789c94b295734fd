"""The audit: one hash chain a book."""

import sqlalchemy as sa
from alembic import op

from adapters.database.migrations.append_only import make_append_only

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_heads()
    _make_records()
    make_append_only("audit_records")


def _make_heads() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("book", sa.Text(), nullable=False, comment="Book of the audit: contract:<id> or organisation:<id>."),
        sa.Column("sequence", sa.Integer(), nullable=False, comment="Sequence of its last record; 0 before the first."),
        sa.Column(
            "hash",
            sa.Text(),
            nullable=False,
            comment="Hash (hex) of its last record; before the first, of its name.",
        ),
        sa.PrimaryKeyConstraint("book", name=op.f("pk_audit_heads")),
        comment="The head of each book of the audit; whoever appends to a book holds its head.",
    )


def _make_records() -> None:
    op.create_table(
        "audit_records",
        sa.Column("book", sa.Text(), nullable=False, comment="Book that it stands in."),
        sa.Column("sequence", sa.Integer(), nullable=False, comment="Place in the book, from 1, without gaps."),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, comment="When it was recorded."),
        sa.Column("organisation", sa.Text(), comment="Who did it; null for the operator at the console."),
        sa.Column("client", sa.Text(), comment="With which client; null for the operator at the console."),
        sa.Column(
            "action", sa.Text(), nullable=False, comment="What was done, a word of contracts.audit.records.Action."
        ),
        sa.Column("contract_id", sa.Text(), comment="Under which contract, as far as known."),
        sa.Column("contract_version", sa.Integer(), comment="Under which version of it, as far as known."),
        sa.Column(
            "subject",
            sa.Text(),
            nullable=False,
            comment="To what it was done: ids, digests, names, reasons, as JSON.",
        ),
        sa.Column(
            "nonce",
            sa.Text(),
            nullable=False,
            comment="32 random bytes (hex) that the commitment to the act is salted with.",
        ),
        sa.Column(
            "previous_hash", sa.Text(), nullable=False, comment="Hash of the record before it, or of the book's name."
        ),
        sa.Column(
            "hash",
            sa.Text(),
            nullable=False,
            comment="SHA-256 (hex) over book, sequence, previous hash and commitment.",
        ),
        sa.CheckConstraint("sequence >= 1", name=op.f("ck_audit_records_sequence_from_one")),
        sa.ForeignKeyConstraint(["book"], ["audit_heads.book"], name=op.f("fk_audit_records_book")),
        sa.PrimaryKeyConstraint("book", "sequence", name=op.f("pk_audit_records")),
        comment="The audit: who did what, one hash chain a book. Append-only.",
    )
