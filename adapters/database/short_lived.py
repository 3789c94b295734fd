"""Tables whose rows are forgotten when their time is over: they see to it that nothing is done twice."""

import sqlalchemy as sa

from adapters.database.columns import metadata, required
from adapters.database.types import CanonicalJson, UtcDateTime

used_assertions = sa.Table(
    "used_assertions",
    metadata,
    sa.Column("client_id", sa.ForeignKey("clients.id"), primary_key=True, comment="Client that made it."),
    sa.Column("jti", sa.Text, primary_key=True, comment="Id of the assertion (RFC 7523 section 3)."),
    required("expires_at", UtcDateTime, comment="When the assertion expires by itself."),
    sa.Index(None, "expires_at"),
    comment="Client assertions that were used and may not be used again.",
)

revoked_tokens = sa.Table(
    "revoked_tokens",
    metadata,
    sa.Column("jti", sa.Text, primary_key=True, comment="Id of the access token (RFC 9068 section 2.2)."),
    required("expires_at", UtcDateTime, comment="When the token expires by itself."),
    sa.Index(None, "expires_at"),
    comment="Access tokens that were revoked before their end (RFC 7009).",
)

idempotent_requests = sa.Table(
    "idempotent_requests",
    metadata,
    sa.Column("client_id", sa.ForeignKey("clients.id"), primary_key=True, comment="Client that sent the request."),
    sa.Column("key", sa.Text, primary_key=True, comment="Its Idempotency-Key."),
    required("fingerprint", sa.Text, comment="HMAC-SHA-256 (hex) of what was asked: method, address, body and more."),
    required("lease_until", UtcDateTime, comment="Until when a request without a response is taken to be running."),
    required("expires_at", UtcDateTime, comment="When the key is forgotten."),
    sa.Column("status", sa.Integer, comment="HTTP status that was answered; null while there is none."),
    sa.Column("headers", CanonicalJson, comment="Header fields that were answered and belong to it, a JSON object."),
    sa.Column("body", sa.Text, comment="Body that was answered, as text; null while there is none."),
    sa.Column("contract_id", sa.Text, comment="Contract whose document the body holds, if any."),
    sa.Column("contract_version", sa.Integer, comment="Version of it; if a draft is discarded, so is this row."),
    sa.ForeignKeyConstraint(
        ["contract_id", "contract_version"], ["contracts.id", "contracts.version"], ondelete="CASCADE"
    ),
    sa.CheckConstraint("(status IS NULL) = (body IS NULL)", name="answered_whole"),
    sa.Index(None, "contract_id", "contract_version"),
    sa.Index(None, "expires_at"),
    comment="Changing requests that bore an Idempotency-Key, with their answers; never submissions.",
)
