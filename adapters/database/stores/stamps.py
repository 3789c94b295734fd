"""Whether a contract is still as it was read: its counts, in one statement."""

from typing import Any, Final

import sqlalchemy as sa

from adapters.database.stores.remembered import Stamp
from adapters.database.tables import (
    contract_events,
    contract_parties,
    contracts,
    population_events,
    populations,
    signatures,
    signing_keys,
)
from contracts.records import Stage

_ID: Final = sa.bindparam("contract_id", type_=sa.Text)


def _count(table: sa.FromClause, *which: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    return sa.select(sa.func.count()).select_from(table).where(*which).scalar_subquery()


_SIGNERS: Final = signatures.join(
    signing_keys,
    (signing_keys.c.organisation == signatures.c.organisation) & (signing_keys.c.kid == signatures.c.kid),
)
_OF_PARTIES: Final = population_events.join(populations).join(
    contract_parties, contract_parties.c.organisation == populations.c.organisation
)

# Drafts are replaced and discarded. All else is append-only, but for the revocation of a signing key, which is final.
# Of population events those of every party's populations are counted, whichever the contract names.
_STAMP: Final = sa.select(
    _count(contracts, contracts.c.id == _ID, contracts.c.stage == Stage.DRAFT),
    _count(contracts, contracts.c.id == _ID),
    sa.select(sa.func.max(contracts.c.digest)).where(contracts.c.id == _ID).scalar_subquery(),
    _count(signatures, signatures.c.contract_id == _ID),
    sa.select(sa.func.max(signatures.c.jws)).where(signatures.c.contract_id == _ID).scalar_subquery(),
    _count(_SIGNERS, signatures.c.contract_id == _ID, signing_keys.c.revoked_at.is_not(None)),
    _count(_SIGNERS, signatures.c.contract_id == _ID, signing_keys.c.compromised),
    _count(contract_events, contract_events.c.contract_id == _ID),
    _count(_OF_PARTIES, contract_parties.c.contract_id == _ID),
)


def find_stamp(connection: sa.Connection, contract_id: str) -> Stamp | None:
    """Equal stamps of a contract mean equal histories. None while it has a draft, or is not there."""
    stamp = tuple(connection.execute(_STAMP, {"contract_id": contract_id}).one())
    drafts, versions = stamp[:2]
    return None if drafts or not versions else stamp
