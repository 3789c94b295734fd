"""Contracts, their frozen documents and signatures."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from adapters.database.stores.rows import insert_new, select_fields, to_row
from adapters.database.tables import contract_parties, contracts, signatures
from contracts.parties import JsonObject
from contracts.records import ContractRecord, Signature, Stage
from contracts.refusals import AlreadyExists


class SqlContractStore:
    """Implements `contracts.ports.ContractStore`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, record: ContractRecord) -> None:
        row = to_row(record)
        del row["signatures"]
        if self._is_taken(record.id) or not insert_new(self._connection, contracts, row):
            raise AlreadyExists(f"The contract id {record.id} is taken; choose another.")
        self._index_parties(record)

    def find(self, contract_id: str) -> ContractRecord | None:
        """The newest version."""
        query = (
            select_fields(contracts, ContractRecord)
            .where(contracts.c.id == contract_id)
            .order_by(contracts.c.version.desc())
            .limit(1)
        )
        return next(self._read(query), None)

    def get_version(self, contract_id: str, version: int) -> ContractRecord:
        """One version, which exists."""
        key = (contracts.c.id == contract_id, contracts.c.version == version)
        (record,) = self._read(select_fields(contracts, ContractRecord).where(*key))
        return record

    def list_for(self, organisation_id: str) -> list[ContractRecord]:
        named = sa.exists().where(
            contract_parties.c.contract_id == contracts.c.id,
            contract_parties.c.contract_version == contracts.c.version,
            contract_parties.c.organisation == organisation_id,
        )
        query = (
            select_fields(contracts, ContractRecord)
            .where((contracts.c.drafted_by == organisation_id) | named)
            .order_by(contracts.c.drafted_at, contracts.c.id, contracts.c.version)
        )
        return [*self._read(query)]

    def freeze(self, record: ContractRecord) -> bool:
        statement = (
            sa.update(contracts)
            .where(
                contracts.c.id == record.id,
                contracts.c.version == record.version,
                contracts.c.stage == Stage.DRAFT,
            )
            .values(
                stage=record.stage,
                document=record.document,
                digest=record.digest,
                proposed_at=record.proposed_at,
            )
        )
        frozen = self._connection.execute(statement).rowcount == 1
        if frozen:
            self._index_parties(record)
        return frozen

    def add_signature(self, contract_id: str, version: int, signature: Signature) -> None:
        row = to_row(signature) | {"contract_id": contract_id, "contract_version": version}
        if not insert_new(self._connection, signatures, row):
            raise AlreadyExists(f"{signature.organisation} has signed this version of the contract already.")

    def _is_taken(self, contract_id: str) -> bool:
        """Whether any version has this id: only an amendment of that contract may add another."""
        query = sa.select(contracts.c.id).where(contracts.c.id == contract_id).limit(1)
        return self._connection.execute(query).first() is not None

    def _index_parties(self, record: ContractRecord) -> None:
        """Note whom the document names, in place of whom its draft named."""
        key = {"contract_id": record.id, "contract_version": record.version}
        self._connection.execute(sa.delete(contract_parties).filter_by(**key))
        rows = [key | {"organisation": organisation} for organisation in _organisations_in(record.document)]
        if rows:
            self._connection.execute(sa.insert(contract_parties), rows)

    def _read(self, query: sa.Select[tuple[object, ...]]) -> Iterator[ContractRecord]:
        rows = self._connection.execute(query).mappings().all()
        signed = self._signatures_of({(row["id"], row["version"]) for row in rows})
        for row in rows:
            yield ContractRecord(**row, signatures=tuple(signed[row["id"], row["version"]]))

    def _signatures_of(self, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], list[Signature]]:
        """The signatures of several contracts in one query, in the order of signing."""
        key = sa.tuple_(signatures.c.contract_id, signatures.c.contract_version)
        query = (
            select_fields(signatures, Signature)
            .add_columns(signatures.c.contract_id, signatures.c.contract_version)
            .where(key.in_(list(keys)))
            .order_by(signatures.c.signed_at, signatures.c.organisation)
        )
        found: dict[tuple[str, int], list[Signature]] = defaultdict(list)
        for row in self._connection.execute(query).mappings():
            values = dict(row)
            found[values.pop("contract_id"), values.pop("contract_version")].append(Signature(**values))
        return found


def _organisations_in(document: JsonObject) -> list[str]:
    return sorted({party["organisation"] for party in document["parties"]})
