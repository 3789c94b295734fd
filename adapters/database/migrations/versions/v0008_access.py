"""Clients that publish their keys or come from another issuer, revoked tokens, and requests that are not repeated."""

import json

import sqlalchemy as sa
from alembic import op

from contracts.signing import find_thumbprint

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _extend_clients()
    _make_client_proofs()
    _fill_in_client_proofs()
    _make_revoked_tokens()
    _make_idempotent_requests()


def _extend_clients() -> None:
    columns = {
        "jwks_url": "Where it publishes its keys, in place of registered ones; else null.",
        "issuer": "External issuer whose tokens it comes with; else null.",
        "subject": "What that issuer calls it; null without an issuer.",
    }
    with op.batch_alter_table("clients") as clients:
        for name, comment in columns.items():
            clients.add_column(sa.Column(name, sa.Text(), comment=comment))
        clients.create_unique_constraint(op.f("uq_clients_issuer_subject"), ["issuer", "subject"])
        clients.create_check_constraint("issuer_with_subject", "(issuer IS NULL) = (subject IS NULL)")
        clients.create_check_constraint("one_way_to_prove_itself", "issuer IS NULL OR jwks_url IS NULL")


def _make_client_proofs() -> None:
    op.create_table(
        "client_proofs",
        sa.Column(
            "proof",
            sa.Text(),
            nullable=False,
            comment="RFC 7638 thumbprint of a key, or a jwks_url in normal form.",
        ),
        sa.Column("client_id", sa.Text(), nullable=False, comment="Client that has or had it."),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_client_proofs_client_id")),
        sa.PrimaryKeyConstraint("proof", "client_id", name=op.f("pk_client_proofs")),
        comment="All that clients ever proved themselves with, so that nothing of a revoked one comes back.",
    )


def _fill_in_client_proofs() -> None:
    """The keys of the clients that there are; until now they never changed, and none were at a URL."""
    clients = sa.table("clients", sa.column("id", sa.Text), sa.column("public_keys", sa.Text))
    proofs = sa.table("client_proofs", sa.column("proof", sa.Text), sa.column("client_id", sa.Text))
    connection = op.get_bind()
    for client in connection.execute(sa.select(clients)).all():
        for proof in {find_thumbprint(key) for key in json.loads(client.public_keys)} - {None}:
            connection.execute(sa.insert(proofs).values(proof=proof, client_id=client.id))


def _make_revoked_tokens() -> None:
    op.create_table(
        "revoked_tokens",
        sa.Column("jti", sa.Text(), nullable=False, comment="Id of the access token (RFC 9068 section 2.2)."),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), nullable=False, comment="When the token expires by itself."
        ),
        sa.PrimaryKeyConstraint("jti", name=op.f("pk_revoked_tokens")),
        comment="Access tokens that were revoked before their end (RFC 7009).",
    )
    op.create_index(op.f("ix_revoked_tokens_expires_at"), "revoked_tokens", ["expires_at"])


def _make_idempotent_requests() -> None:
    op.create_table(
        "idempotent_requests",
        sa.Column("client_id", sa.Text(), nullable=False, comment="Client that sent the request."),
        sa.Column("key", sa.Text(), nullable=False, comment="Its Idempotency-Key."),
        sa.Column(
            "fingerprint",
            sa.Text(),
            nullable=False,
            comment="HMAC-SHA-256 (hex) of what was asked: method, address, body and more.",
        ),
        sa.Column(
            "lease_until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Until when a request without a response is taken to be running.",
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="When the key is forgotten."),
        sa.Column("status", sa.Integer(), comment="HTTP status that was answered; null while there is none."),
        sa.Column("headers", sa.Text(), comment="Header fields that were answered and belong to it, a JSON object."),
        sa.Column("body", sa.Text(), comment="Body that was answered, as text; null while there is none."),
        sa.Column("contract_id", sa.Text(), comment="Contract whose document the body holds, if any."),
        sa.Column("contract_version", sa.Integer(), comment="Version of it; if a draft is discarded, so is this row."),
        sa.CheckConstraint("(status IS NULL) = (body IS NULL)", name=op.f("ck_idempotent_requests_answered_whole")),
        sa.ForeignKeyConstraint(
            ["contract_id", "contract_version"],
            ["contracts.id", "contracts.version"],
            name=op.f("fk_idempotent_requests_contract_id_contract_version"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_idempotent_requests_client_id")),
        sa.PrimaryKeyConstraint("client_id", "key", name=op.f("pk_idempotent_requests")),
        comment="Changing requests that bore an Idempotency-Key, with their answers; never submissions.",
    )
    op.create_index(op.f("ix_idempotent_requests_expires_at"), "idempotent_requests", ["expires_at"])
    op.create_index(
        op.f("ix_idempotent_requests_contract_id_contract_version"),
        "idempotent_requests",
        ["contract_id", "contract_version"],
    )
