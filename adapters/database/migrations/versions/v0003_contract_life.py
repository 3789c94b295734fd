"""The life of a contract: what its parties and the operator did to it, and to the populations it draws on."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from adapters.database.migrations.append_only import make_append_only

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KINDS = ("suspended", "resume_agreed", "resumed", "termination_agreed", "terminated")


def upgrade() -> None:
    op.create_table(
        "contract_events",
        sa.Column("contract_id", sa.Text(), nullable=False, comment="Id of the contract."),
        sa.Column("contract_version", sa.Integer(), nullable=False, comment="Version of the contract."),
        sa.Column("sequence", sa.Integer(), nullable=False, comment="Place in the contract's events, from 1."),
        *_event_columns(),
        sa.ForeignKeyConstraint(
            ["contract_id", "contract_version"],
            ["contracts.id", "contracts.version"],
            name="fk_contract_events_contract_id_contract_version",
        ),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.id"], name="fk_contract_events_organisation"),
        sa.PrimaryKeyConstraint("contract_id", "sequence", name="pk_contract_events"),
        comment="What was done to contracts in force: suspended, resumed, terminated. Append-only.",
    )
    op.create_table(
        "population_events",
        sa.Column("population", sa.Text(), nullable=False, comment="Population, under every contract at once."),
        sa.Column("sequence", sa.Integer(), nullable=False, comment="Place in the population's events, from 1."),
        *_event_columns(),
        sa.ForeignKeyConstraint(["population"], ["populations.id"], name="fk_population_events_population"),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.id"], name="fk_population_events_organisation"),
        sa.PrimaryKeyConstraint("population", "sequence", name="pk_population_events"),
        comment="Populations suspended and resumed by their owner or the operator. Append-only.",
    )
    make_append_only("contract_events")
    make_append_only("population_events")


def _event_columns() -> list[sa.Column[Any]]:
    kind = sa.Enum(*_KINDS, name="event_kind", native_enum=False, create_constraint=True)
    return [
        sa.Column("kind", kind, nullable=False, comment="What was done."),
        sa.Column("organisation", sa.Text(), comment="Who did it; null for the operator."),
        sa.Column("client", sa.Text(), nullable=False, comment="With which client, or console at the command line."),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, as it was given."),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, comment="When it was recorded."),
    ]
