"""What the columns of all tables are made of."""

from enum import StrEnum
from functools import partial

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# Most columns are; those that may be null stand out.
required = partial(sa.Column, nullable=False)


def words(kind: type[StrEnum], name: str) -> sa.Enum:
    """A closed vocabulary, checked by the database."""
    words = [word.value for word in kind]
    return sa.Enum(kind, name=name, native_enum=False, create_constraint=True, values_callable=lambda _: words)


def contract_version(*, nullable: bool = False) -> tuple[sa.Column[str], sa.Column[int], sa.ForeignKeyConstraint]:
    """The contract version that a row belongs to."""
    return (
        sa.Column("contract_id", sa.Text, nullable=nullable, comment="Id of the contract."),
        sa.Column("contract_version", sa.Integer, nullable=nullable, comment="Version of the contract."),
        sa.ForeignKeyConstraint(["contract_id", "contract_version"], ["contracts.id", "contracts.version"]),
    )
