"""The tables of the first exchange, three of them append-only."""

import sqlalchemy as sa
from alembic import op

from adapters.database.migrations.append_only import make_append_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "organisations",
        sa.Column("id", sa.Text(), nullable=False, comment="Short name, chosen at registration."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name in full."),
        sa.Column(
            "role",
            sa.Enum("payer", "brand", "operator", name="role", native_enum=False, create_constraint=True),
            nullable=False,
            comment="Payer, brand or operator.",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was registered."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
        comment="Organisations, registered by the operator.",
    )
    op.create_table(
        "clients",
        sa.Column("id", sa.Text(), nullable=False, comment="OAuth client id."),
        sa.Column("organisation", sa.Text(), nullable=False, comment="For whom it asks."),
        sa.Column("scopes", sa.Text(), nullable=False, comment="OAuth scopes that it may ask for, a JSON list."),
        sa.Column("public_keys", sa.Text(), nullable=False, comment="Its public keys, a JSON list of JWKs."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was registered."),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.id"], name=op.f("fk_clients_organisation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
        comment="Programs that ask for tokens on behalf of an organisation.",
    )
    op.create_table(
        "contracts",
        sa.Column("id", sa.Text(), nullable=False, comment="Id of the contract, the same in all its versions."),
        sa.Column("version", sa.Integer(), nullable=False, comment="Version, from 1."),
        sa.Column(
            "stage",
            sa.Enum("draft", "proposed", name="stage", native_enum=False, create_constraint=True),
            nullable=False,
            comment="Draft, or proposed and so frozen.",
        ),
        sa.Column("document", sa.Text(), nullable=False, comment="The contract in RFC 8785 form."),
        sa.Column(
            "digest",
            sa.Text(),
            nullable=True,
            comment="SHA-256 (hex) of the frozen document; null in a draft.",
        ),
        sa.Column("drafted_by", sa.Text(), nullable=False, comment="Who drafted it."),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False, comment="When it was drafted."),
        sa.Column(
            "proposed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was frozen; null in a draft.",
        ),
        sa.CheckConstraint(
            "(stage = 'draft') = (digest IS NULL) AND (stage = 'draft') = (proposed_at IS NULL)",
            name=op.f("ck_contracts_frozen_with_digest"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_contracts_version_from_one")),
        sa.ForeignKeyConstraint(["drafted_by"], ["organisations.id"], name=op.f("fk_contracts_drafted_by")),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_contracts")),
        comment="Data-sharing contracts, one row a version.",
    )
    op.create_index("ix_contracts_drafted_by", "contracts", ["drafted_by"])

    op.create_table(
        "populations",
        sa.Column("id", sa.Text(), nullable=False, comment="Short name, chosen at registration."),
        sa.Column("organisation", sa.Text(), nullable=False, comment="The provider it belongs to."),
        sa.Column(
            "attestation",
            sa.Text(),
            nullable=True,
            comment="For a second population: the operator's statement that no person is in both.",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was registered."),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.id"], name=op.f("fk_populations_organisation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_populations")),
        comment="All persons whose records a provider may ever post; a lifetime privacy loss belongs to one.",
    )
    op.create_index("ix_populations_organisation", "populations", ["organisation"])

    op.create_table(
        "signing_keys",
        sa.Column("organisation", sa.Text(), nullable=False, comment="Who signs with it."),
        sa.Column("kid", sa.Text(), nullable=False, comment="Key id, unique within the organisation."),
        sa.Column("public_key", sa.Text(), nullable=False, comment="The public key, a JWK."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was registered."),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.id"], name=op.f("fk_signing_keys_organisation")),
        sa.PrimaryKeyConstraint("organisation", "kid", name=op.f("pk_signing_keys")),
        comment="Public keys with which organisations sign contracts; apart from client keys.",
    )
    op.create_table(
        "contract_parties",
        sa.Column("contract_id", sa.Text(), nullable=False, comment="Id of the contract."),
        sa.Column("contract_version", sa.Integer(), nullable=False, comment="Version of the contract."),
        sa.Column(
            "organisation",
            sa.Text(),
            nullable=False,
            comment="An organisation that the document names, as it is written.",
        ),
        sa.ForeignKeyConstraint(
            ["contract_id", "contract_version"],
            ["contracts.id", "contracts.version"],
            name=op.f("fk_contract_parties_contract_id_contract_version"),
        ),
        sa.PrimaryKeyConstraint("contract_id", "contract_version", "organisation", name=op.f("pk_contract_parties")),
        comment="Which organisations a contract names: an index into the documents, to list by party.",
    )
    op.create_index("ix_contract_parties_organisation", "contract_parties", ["organisation"])

    op.create_table(
        "signatures",
        sa.Column("contract_id", sa.Text(), nullable=False, comment="Id of the contract."),
        sa.Column("contract_version", sa.Integer(), nullable=False, comment="Version of the contract."),
        sa.Column("organisation", sa.Text(), nullable=False, comment="The party that signed."),
        sa.Column("kid", sa.Text(), nullable=False, comment="Id of the signing key."),
        sa.Column("public_key", sa.Text(), nullable=False, comment="The key (JWK) as it was at signing."),
        sa.Column("jws", sa.Text(), nullable=False, comment="Detached JWS (RFC 7515 appendix F) over the document."),
        sa.Column("signer_name", sa.Text(), nullable=False, comment="Who signed, in person."),
        sa.Column("signer_title", sa.Text(), nullable=False, comment="In what office."),
        sa.Column(
            "signed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the signature was accepted.",
        ),
        sa.ForeignKeyConstraint(
            ["contract_id", "contract_version"],
            ["contracts.id", "contracts.version"],
            name=op.f("fk_signatures_contract_id_contract_version"),
        ),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.id"], name=op.f("fk_signatures_organisation")),
        sa.PrimaryKeyConstraint("contract_id", "contract_version", "organisation", name=op.f("pk_signatures")),
        comment="Signatures under proposed contracts, one a party and version. Append-only.",
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.Text(), nullable=False, comment="Submission id, made by the provider's client."),
        sa.Column("contract_id", sa.Text(), nullable=False, comment="Id of the contract."),
        sa.Column("contract_version", sa.Integer(), nullable=False, comment="Version of the contract."),
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed of the contract."),
        sa.Column("provider", sa.Text(), nullable=False, comment="Who posted it."),
        sa.Column("population", sa.Text(), nullable=False, comment="Whose loss it adds to."),
        sa.Column("period", sa.Text(), nullable=False, comment="Period that was posted, such as 2025-01."),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="How often noise may have been drawn for it."),
        sa.Column(
            "lease_until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Until then the attempt is taken to run.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it was accepted and debited.",
        ),
        sa.CheckConstraint("attempt >= 1", name=op.f("ck_submissions_attempt_from_one")),
        sa.ForeignKeyConstraint(
            ["contract_id", "contract_version"],
            ["contracts.id", "contracts.version"],
            name=op.f("fk_submissions_contract_id_contract_version"),
        ),
        sa.ForeignKeyConstraint(["population"], ["populations.id"], name=op.f("fk_submissions_population")),
        sa.ForeignKeyConstraint(["provider"], ["organisations.id"], name=op.f("fk_submissions_provider")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.UniqueConstraint(
            "contract_id", "contract_version", "feed", "provider", "period", name="uq_submissions_feed_period"
        ),
        comment="Submissions accepted and debited. Nothing of a body is kept: no digest, length or count.",
    )
    op.create_table(
        "used_assertions",
        sa.Column("client_id", sa.Text(), nullable=False, comment="Client that made it."),
        sa.Column("jti", sa.Text(), nullable=False, comment="Id of the assertion (RFC 7523 section 3)."),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the assertion expires by itself.",
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_used_assertions_client_id")),
        sa.PrimaryKeyConstraint("client_id", "jti", name=op.f("pk_used_assertions")),
        comment="Client assertions that were used and may not be used again.",
    )
    op.create_index("ix_used_assertions_expires_at", "used_assertions", ["expires_at"])

    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.Text(), nullable=False, comment="Id of the entry."),
        sa.Column("population", sa.Text(), nullable=False, comment="Whose account it is."),
        sa.Column("sequence", sa.Integer(), nullable=False, comment="Place in the account's sequence, without gaps."),
        sa.Column(
            "kind",
            sa.Enum("grant", "debit", name="kind", native_enum=False, create_constraint=True),
            nullable=False,
            comment="What the entry does.",
        ),
        sa.Column("charge_nano", sa.BigInteger(), nullable=False, comment="Nano-rho: the release's loss by itself."),
        sa.Column("increment_nano", sa.BigInteger(), nullable=False, comment="Nano-rho: by how much the loss rose."),
        sa.Column("granted_nano", sa.BigInteger(), nullable=False, comment="Nano-rho: all granted, this included."),
        sa.Column("spent_nano", sa.BigInteger(), nullable=False, comment="Nano-rho: all spent, this included."),
        sa.Column("contract_id", sa.Text(), nullable=True, comment="Id of the contract."),
        sa.Column("contract_version", sa.Integer(), nullable=True, comment="Version of the contract."),
        sa.Column("feed", sa.Text(), nullable=True, comment="Feed that was measured."),
        sa.Column("period", sa.Text(), nullable=True, comment="Period that was measured."),
        sa.Column("submission_id", sa.Text(), nullable=True, comment="Submission that was paid for."),
        sa.Column("attempt", sa.Integer(), nullable=True, comment="Attempt of the submission that was paid for."),
        sa.Column("event", sa.Text(), nullable=False, comment="All that is needed to account anew, as JSON."),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, comment="When the entry was made."),
        sa.CheckConstraint("charge_nano >= 0 AND increment_nano >= 0", name=op.f("ck_ledger_entries_nothing_refunded")),
        sa.CheckConstraint("sequence >= 1", name=op.f("ck_ledger_entries_sequence_from_one")),
        sa.CheckConstraint("spent_nano <= granted_nano", name=op.f("ck_ledger_entries_within_grants")),
        sa.ForeignKeyConstraint(
            ["contract_id", "contract_version"],
            ["contracts.id", "contracts.version"],
            name=op.f("fk_ledger_entries_contract_id_contract_version"),
        ),
        sa.ForeignKeyConstraint(["population"], ["populations.id"], name=op.f("fk_ledger_entries_population")),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submissions.id"],
            name=op.f("fk_ledger_entries_submission_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("population", "sequence", name=op.f("uq_ledger_entries_population_sequence")),
        comment="The privacy ledger: grants and debits of each population. Append-only.",
    )
    op.create_table(
        "releases",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="Order of storing.",
        ),
        sa.Column("id", sa.Text(), nullable=False, comment="Id of the release."),
        sa.Column(
            "submission_id",
            sa.Text(),
            nullable=False,
            comment="Submission that it answers; one release each.",
        ),
        sa.Column(
            "debit_id",
            sa.Text(),
            nullable=False,
            comment="Ledger entry that paid for the draw; one release each.",
        ),
        sa.Column("contract_id", sa.Text(), nullable=False, comment="Id of the contract."),
        sa.Column("contract_version", sa.Integer(), nullable=False, comment="Version of the contract."),
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed of the contract."),
        sa.Column("provider", sa.Text(), nullable=False, comment="Who posted it."),
        sa.Column("population", sa.Text(), nullable=False, comment="Whose loss it added to."),
        sa.Column("period", sa.Text(), nullable=False, comment="Period that was measured."),
        sa.Column("block_sha256", sa.Text(), nullable=False, comment="SHA-256 (hex) of the block."),
        sa.Column(
            "provisional",
            sa.Boolean(),
            nullable=False,
            comment="Posted before the period's run-out was over.",
        ),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False, comment="When it was stored."),
        sa.Column("block", sa.LargeBinary(), nullable=False, comment="The noisy vectors, an Arrow stream."),
        sa.ForeignKeyConstraint(
            ["contract_id", "contract_version"],
            ["contracts.id", "contracts.version"],
            name=op.f("fk_releases_contract_id_contract_version"),
        ),
        sa.ForeignKeyConstraint(["debit_id"], ["ledger_entries.id"], name=op.f("fk_releases_debit_id")),
        sa.ForeignKeyConstraint(["population"], ["populations.id"], name=op.f("fk_releases_population")),
        sa.ForeignKeyConstraint(["provider"], ["organisations.id"], name=op.f("fk_releases_provider")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_releases_submission_id")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_releases")),
        sa.UniqueConstraint("debit_id", name=op.f("uq_releases_debit_id")),
        sa.UniqueConstraint("id", name=op.f("uq_releases_id")),
        sa.UniqueConstraint("submission_id", name=op.f("uq_releases_submission_id")),
        comment="Noisy releases, out for ever. Append-only.",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_releases_contract_id_contract_version", "releases", ["contract_id", "contract_version"])

    for table in ("ledger_entries", "releases", "signatures"):
        make_append_only(table)
