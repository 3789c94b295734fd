"""Every table, with what each column means. Rules that must never be broken are constraints, not habits.

No table holds an exact cell: a block is noise already drawn, and of a posted body nothing is kept at all.
Ledger entries, releases, signatures and the audit are append-only, by triggers that the migrations make.
"""

from typing import Any

import sqlalchemy as sa

import adapters.database.short_lived  # noqa: F401  # the metadata is to have its tables too
from adapters.database.columns import contract_version, required, words
from adapters.database.columns import metadata as metadata
from adapters.database.types import CanonicalJson, UtcDateTime
from contracts.ledger.entries import EntryKind
from contracts.parties import Role
from contracts.records import EventKind, Stage

organisations = sa.Table(
    "organisations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="Short name, chosen at registration."),
    required("name", sa.Text, comment="Name in full."),
    required("role", words(Role, "role"), comment="Payer, brand or operator."),
    required("created_at", UtcDateTime, comment="When it was registered."),
    comment="Organisations, registered by the operator.",
)

populations = sa.Table(
    "populations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="Short name, chosen at registration."),
    required("organisation", sa.ForeignKey("organisations.id"), comment="The provider it belongs to."),
    sa.Column(
        "attestation",
        sa.Text,
        comment="For a second population: the operator's statement that no person is in both.",
    ),
    required("created_at", UtcDateTime, comment="When it was registered."),
    sa.Index(None, "organisation"),
    comment="All persons whose records a provider may ever post; a lifetime privacy loss belongs to one.",
)

clients = sa.Table(
    "clients",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="OAuth client id."),
    required("organisation", sa.ForeignKey("organisations.id"), comment="For whom it asks."),
    required("scopes", CanonicalJson, comment="OAuth scopes that it may ask for, a JSON list."),
    required("public_keys", CanonicalJson, comment="Its public keys, a JSON list of JWKs."),
    required("created_at", UtcDateTime, comment="When it was registered."),
    sa.Column("revoked_at", UtcDateTime, comment="From when on it gets in no more; null while it may."),
    sa.Column("revocation_reason", sa.Text, comment="Why it was revoked, as the operator said."),
    sa.Column("jwks_url", sa.Text, comment="Where it publishes its keys, in place of registered ones; else null."),
    sa.Column("issuer", sa.Text, comment="External issuer whose tokens it comes with; else null."),
    sa.Column("subject", sa.Text, comment="What that issuer calls it; null without an issuer."),
    sa.UniqueConstraint("issuer", "subject"),
    sa.CheckConstraint("(revoked_at IS NULL) = (revocation_reason IS NULL)", name="revoked_with_reason"),
    sa.CheckConstraint("(issuer IS NULL) = (subject IS NULL)", name="issuer_with_subject"),
    sa.CheckConstraint("issuer IS NULL OR jwks_url IS NULL", name="one_way_to_prove_itself"),
    comment="Programs that ask for tokens on behalf of an organisation.",
)

client_proofs = sa.Table(
    "client_proofs",
    metadata,
    sa.Column(
        "proof", sa.Text, primary_key=True, comment="RFC 7638 thumbprint of a key, or a jwks_url in normal form."
    ),
    sa.Column("client_id", sa.ForeignKey("clients.id"), primary_key=True, comment="Client that has or had it."),
    comment="All that clients ever proved themselves with, so that nothing of a revoked one comes back.",
)

signing_keys = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("organisation", sa.ForeignKey("organisations.id"), primary_key=True, comment="Who signs with it."),
    sa.Column("kid", sa.Text, primary_key=True, comment="Key id, unique within the organisation."),
    required("public_key", CanonicalJson, comment="The public key, a JWK."),
    sa.Column("thumbprint", sa.Text, comment="RFC 7638, of one key only; null if it was registered twice before that."),
    required("created_at", UtcDateTime, comment="When it was registered."),
    sa.Column("endorsed_by", sa.Text, comment="Kid of the key that vouched for it; null when the operator did."),
    sa.Column("revoked_at", UtcDateTime, comment="From when on it signs nothing; null while it may."),
    sa.Column("revocation_reason", sa.Text, comment="Why it was revoked, as its organisation said."),
    required("compromised", sa.Boolean, server_default=sa.false(), comment="Whether somebody else may have had it."),
    sa.UniqueConstraint("thumbprint"),
    sa.CheckConstraint("(revoked_at IS NULL) = (revocation_reason IS NULL)", name="revoked_with_reason"),
    comment="Public keys with which organisations sign contracts; apart from client keys.",
)

contracts = sa.Table(
    "contracts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="Id of the contract, the same in all its versions."),
    sa.Column("version", sa.Integer, primary_key=True, comment="Version, from 1."),
    required("stage", words(Stage, "stage"), comment="Draft, or proposed and so frozen."),
    required("document", CanonicalJson, comment="The contract in RFC 8785 form."),
    sa.Column("digest", sa.Text, comment="SHA-256 (hex) of the frozen document; null in a draft."),
    required("drafted_by", sa.ForeignKey("organisations.id"), comment="Who drafted it."),
    required("drafted_at", UtcDateTime, comment="When it was drafted."),
    sa.Column("proposed_at", UtcDateTime, comment="When it was frozen; null in a draft."),
    sa.CheckConstraint("version >= 1", name="version_from_one"),
    sa.CheckConstraint(
        "(stage = 'draft') = (digest IS NULL) AND (stage = 'draft') = (proposed_at IS NULL)",
        name="frozen_with_digest",
    ),
    sa.Index(None, "drafted_by"),
    comment="Data-sharing contracts, one row a version.",
)

contract_parties = sa.Table(
    "contract_parties",
    metadata,
    *contract_version(),
    sa.Column("organisation", sa.Text, comment="An organisation that the document names, as it is written."),
    sa.PrimaryKeyConstraint("contract_id", "contract_version", "organisation"),
    sa.Index(None, "organisation"),
    comment="Which organisations a contract names: an index into the documents, to list by party.",
)

signatures = sa.Table(
    "signatures",
    metadata,
    *contract_version(),
    sa.Column("organisation", sa.ForeignKey("organisations.id"), comment="The party that signed."),
    required("kid", sa.Text, comment="Id of the signing key."),
    required("public_key", CanonicalJson, comment="The key (JWK) as it was at signing."),
    required("jws", sa.Text, comment="Detached JWS (RFC 7515 appendix F) over the document."),
    required("signer_name", sa.Text, comment="Who signed, in person."),
    required("signer_title", sa.Text, comment="In what office."),
    required("signed_at", UtcDateTime, comment="When the signature was accepted."),
    sa.PrimaryKeyConstraint("contract_id", "contract_version", "organisation"),
    comment="Signatures under proposed contracts, one a party and version. Append-only.",
)


def _event() -> list[sa.Column[Any]]:
    """Who did what, and why, to a contract or a population."""
    return [
        required("kind", words(EventKind, "event_kind"), comment="What was done."),
        sa.Column("organisation", sa.ForeignKey("organisations.id"), comment="Who did it; null for the operator."),
        required("client", sa.Text, comment="With which client, or console at the command line."),
        required("reason", sa.Text, comment="Why, as it was given."),
        required("recorded_at", UtcDateTime, comment="When it was recorded."),
    ]


contract_events = sa.Table(
    "contract_events",
    metadata,
    *contract_version(),
    sa.Column("sequence", sa.Integer, comment="Place in the contract's events, from 1."),
    *_event(),
    sa.PrimaryKeyConstraint("contract_id", "sequence"),
    comment="What was done to contracts in force: suspended, resumed, terminated. Append-only.",
)

population_events = sa.Table(
    "population_events",
    metadata,
    sa.Column("population", sa.ForeignKey("populations.id"), comment="Population, under every contract at once."),
    sa.Column("sequence", sa.Integer, comment="Place in the population's events, from 1."),
    *_event(),
    sa.PrimaryKeyConstraint("population", "sequence"),
    comment="Populations suspended and resumed by their owner or the operator. Append-only.",
)

submissions = sa.Table(
    "submissions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="Submission id, made by the provider's client."),
    *contract_version(),
    required("feed", sa.Text, comment="Feed of the contract."),
    required("provider", sa.ForeignKey("organisations.id"), comment="Who posted it."),
    required("population", sa.ForeignKey("populations.id"), comment="Whose loss it adds to."),
    required("period", sa.Text, comment="Period that was posted, such as 2025-01."),
    required("restatement", sa.Integer, server_default="0", comment="0 for the first measurement, then 1, 2, ..."),
    required("attempt", sa.Integer, comment="How often noise may have been drawn for it."),
    required("lease_until", UtcDateTime, comment="Until then the attempt is taken to run."),
    required("created_at", UtcDateTime, comment="When it was accepted and debited."),
    sa.UniqueConstraint(
        "contract_id",
        "contract_version",
        "feed",
        "provider",
        "period",
        "restatement",
        name="uq_submissions_feed_period",
    ),
    sa.CheckConstraint("attempt >= 1", name="attempt_from_one"),
    comment="Submissions accepted and debited. Nothing of a body is kept: no digest, length or count.",
)

ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="Id of the entry."),
    required("population", sa.ForeignKey("populations.id"), comment="Whose account it is."),
    required("sequence", sa.Integer, comment="Place in the account's sequence, without gaps."),
    required("kind", words(EntryKind, "kind"), comment="What the entry does."),
    required("charge_nano", sa.BigInteger, comment="Nano-rho: the release's loss by itself."),
    required("increment_nano", sa.BigInteger, comment="Nano-rho: by how much the loss rose."),
    required("granted_nano", sa.BigInteger, comment="Nano-rho: all granted, this included."),
    required("spent_nano", sa.BigInteger, comment="Nano-rho: all spent, this included."),
    *contract_version(nullable=True),
    sa.Column("feed", sa.Text, comment="Feed that was measured."),
    sa.Column("period", sa.Text, comment="Period that was measured."),
    sa.Column("generation", sa.Text, comment="Digest of what the feed's loss rests on; a changed feed is a new one."),
    sa.Column("restatement", sa.Integer, comment="0 for the first measurement, then 1, 2, ..."),
    sa.Column(
        "submission_id",
        # A debit and its submission are written together, in either order.
        sa.ForeignKey("submissions.id", deferrable=True, initially="DEFERRED"),
        comment="Submission that was paid for.",
    ),
    sa.Column("attempt", sa.Integer, comment="Attempt of the submission that was paid for."),
    required("event", CanonicalJson, comment="All that is needed to account anew, as JSON."),
    required("recorded_at", UtcDateTime, comment="When the entry was made."),
    sa.UniqueConstraint("population", "sequence"),
    sa.CheckConstraint("sequence >= 1", name="sequence_from_one"),
    sa.CheckConstraint("charge_nano >= 0 AND increment_nano >= 0", name="nothing_refunded"),
    # What a correction restores was drawn, whatever the grants that were kept say.
    sa.CheckConstraint("kind <> 'debit' OR spent_nano <= granted_nano", name="within_grants"),
    comment="The privacy ledger: grants, debits and corrections of each population. Append-only.",
)

releases = sa.Table(
    "releases",
    metadata,
    sa.Column(
        "position",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
        comment="Order of storing.",
    ),
    required("id", sa.Text, unique=True, comment="Id of the release."),
    required(
        "submission_id",
        sa.ForeignKey("submissions.id"),
        unique=True,
        comment="Submission that it answers; one release each.",
    ),
    required(
        "debit_id",
        sa.ForeignKey("ledger_entries.id"),
        unique=True,
        comment="Ledger entry that paid for the draw; one release each.",
    ),
    *contract_version(),
    required("feed", sa.Text, comment="Feed of the contract."),
    required("provider", sa.ForeignKey("organisations.id"), comment="Who posted it."),
    required("population", sa.ForeignKey("populations.id"), comment="Whose loss it added to."),
    required("period", sa.Text, comment="Period that was measured."),
    required("restatement", sa.Integer, server_default="0", comment="0 for the first measurement, then 1, 2, ..."),
    required("measured", sa.Text, server_default="exchange", comment="Who drew the noise: exchange or source."),
    required("block_sha256", sa.Text, comment="SHA-256 (hex) of the block."),
    required("provisional", sa.Boolean, comment="Posted before the period's run-out was over."),
    required("released_at", UtcDateTime, comment="When it was stored."),
    required("block", sa.LargeBinary, comment="The noisy vectors, an Arrow stream."),
    sa.Index(None, "contract_id", "contract_version"),
    sqlite_autoincrement=True,
    comment="Noisy releases, out for ever. Append-only.",
)

audit_heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("book", sa.Text, primary_key=True, comment="Book of the audit: contract:<id> or organisation:<id>."),
    required("sequence", sa.Integer, comment="Sequence of its last record; 0 before the first."),
    required("hash", sa.Text, comment="Hash (hex) of its last record; before the first, of its name."),
    comment="The head of each book of the audit; whoever appends to a book holds its head.",
)

audit_records = sa.Table(
    "audit_records",
    metadata,
    sa.Column("book", sa.ForeignKey("audit_heads.book"), primary_key=True, comment="Book that it stands in."),
    sa.Column("sequence", sa.Integer, primary_key=True, comment="Place in the book, from 1, without gaps."),
    required("recorded_at", UtcDateTime, comment="When it was recorded."),
    sa.Column("organisation", sa.Text, comment="Who did it; null for the operator at the console."),
    sa.Column("client", sa.Text, comment="With which client; null for the operator at the console."),
    required("action", sa.Text, comment="What was done, a word of contracts.audit.records.Action."),
    sa.Column("contract_id", sa.Text, comment="Under which contract, as far as known."),
    sa.Column("contract_version", sa.Integer, comment="Under which version of it, as far as known."),
    required("subject", CanonicalJson, comment="To what it was done: ids, digests, names, reasons, as JSON."),
    required("nonce", sa.Text, comment="32 random bytes (hex) that the commitment to the act is salted with."),
    required("previous_hash", sa.Text, comment="Hash of the record before it, or of the book's name."),
    required("hash", sa.Text, comment="SHA-256 (hex) over book, sequence, previous hash and commitment."),
    sa.CheckConstraint("sequence >= 1", name="sequence_from_one"),
    comment="The audit: who did what, one hash chain a book. Append-only.",
)
