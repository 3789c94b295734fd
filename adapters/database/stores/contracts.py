"""Contracts: their versions with documents and signatures, and what was done to them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapters.database.stores.remembered import Remembered
from adapters.database.stores.rows import bytewise, insert_new, is_after, select_fields, to_row
from adapters.database.stores.stamps import find_stamp
from adapters.database.tables import (
    contract_events,
    contract_parties,
    contracts,
    population_events,
    signatures,
    signing_keys,
)
from contracts.parties import JsonObject
from contracts.records import ContractEvent, ContractRecord, History, PopulationEvent, Signature, Stage
from contracts.refusals import AlreadyExists


class SqlContractStore:
    """Implements `contracts.ports.ContractStore`."""

    def __init__(self, connection: sa.Connection, remembered: Remembered[History] | None = None) -> None:
        self._connection = connection
        self._remembered = remembered

    def add(self, record: ContractRecord) -> None:
        row = to_row(record)
        del row["signatures"]
        if not insert_new(self._connection, contracts, row):
            if record.version == 1:
                raise AlreadyExists(f"The contract id {record.id} is taken; choose another.")
            raise AlreadyExists(f"Version {record.version} of the contract {record.id} is there already.")
        self._index_parties(record)

    def find_history(self, contract_id: str) -> History | None:
        """Versions, signatures and events, in four queries whatever their number; one where it is remembered."""
        if self._remembered is None:
            return self._read_history(contract_id)
        stamp = find_stamp(self._connection, contract_id)
        if stamp is None:
            return self._read_history(contract_id)
        known = self._remembered.find(contract_id)
        if known is not None and known[0] == stamp:
            return known[1]
        history = self._read_history(contract_id)
        if history is not None:
            self._remembered.keep(contract_id, stamp, history)
        return history

    def _read_history(self, contract_id: str) -> History | None:
        return next(iter(self._histories(contracts.c.id == contract_id)), None)

    def get_version(self, contract_id: str, version: int) -> ContractRecord:
        """One version, which exists."""
        key = (contracts.c.id == contract_id, contracts.c.version == version)
        (record,) = self._read(select_fields(contracts, ContractRecord).where(*key))
        return record

    def list_histories(
        self, organisation_id: str, *, first: tuple[datetime, str] | None = None, limit: int | None = None
    ) -> list[History]:
        named = sa.select(contract_parties.c.contract_id).where(contract_parties.c.organisation == organisation_id)
        drafted = sa.select(contracts.c.id).where(contracts.c.drafted_by == organisation_id)
        known = contracts.c.id.in_(named.union(drafted))
        if first is None and limit is None:
            return self._histories(known)
        place = (contracts.c.drafted_at, bytewise(self._connection, contracts.c.id))
        wanted = sa.select(contracts.c.id).where(known, contracts.c.version == 1).order_by(*place).limit(limit)
        if first is not None:
            wanted = wanted.where(is_after(place, first) | (contracts.c.id == first[1]))
        return self._histories(contracts.c.id.in_(wanted))

    def lock(self, contract_id: str) -> History | None:
        """On PostgreSQL a lock on the first version's row, which every contract has, in the mode that lets others
        refer to it; on SQLite the writing transaction holds the whole database already."""
        row = sa.select(contracts.c.id).where(contracts.c.id == contract_id, contracts.c.version == 1)
        self._connection.execute(row.with_for_update(key_share=True)).first()
        return self.find_history(contract_id)

    def hold(self, contract_id: str) -> None:
        """The same row, shared."""
        row = sa.select(contracts.c.id).where(contracts.c.id == contract_id, contracts.c.version == 1)
        self._connection.execute(row.with_for_update(read=True)).first()

    def replace_draft(self, record: ContractRecord) -> bool:
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
        replaced = self._connection.execute(statement).rowcount == 1
        if replaced:
            self._index_parties(record)
        return replaced

    def discard_draft(self, contract_id: str, version: int) -> None:
        key = {"contract_id": contract_id, "contract_version": version}
        self._connection.execute(sa.delete(contract_parties).filter_by(**key))
        draft = (contracts.c.id == contract_id, contracts.c.version == version, contracts.c.stage == Stage.DRAFT)
        self._connection.execute(sa.delete(contracts).where(*draft))

    def add_signature(self, contract_id: str, version: int, signature: Signature) -> None:
        row = {name: value for name, value in to_row(signature).items() if name in signatures.c}
        row |= {"contract_id": contract_id, "contract_version": version}
        if not insert_new(self._connection, signatures, row):
            raise AlreadyExists(f"{signature.organisation} has signed this version of the contract already.")

    def add_event(self, event: ContractEvent) -> None:
        if not insert_new(self._connection, contract_events, to_row(event)):
            raise AlreadyExists("Something else was done to this contract at the same moment.")

    def _index_parties(self, record: ContractRecord) -> None:
        """Note whom the document names, in place of whom its draft named."""
        key = {"contract_id": record.id, "contract_version": record.version}
        self._connection.execute(sa.delete(contract_parties).filter_by(**key))
        rows = [key | {"organisation": organisation} for organisation in _organisations_in(record.document)]
        if rows:
            self._connection.execute(sa.insert(contract_parties), rows)

    def _histories(self, which: sa.ColumnElement[bool]) -> list[History]:
        """The contracts of which some version meets the condition, oldest first."""
        query = select_fields(contracts, ContractRecord).where(which).order_by(contracts.c.version)
        versions: dict[str, list[ContractRecord]] = defaultdict(list)
        for record in self._read(query):
            versions[record.id].append(record)
        events = self._events_of(versions)
        populations = self._population_events_of(versions)
        found = [
            History(tuple(records), tuple(events[name]), tuple(populations[name])) for name, records in versions.items()
        ]
        return sorted(found, key=lambda history: (history.versions[0].drafted_at, history.versions[0].id))

    def _events_of(self, contract_ids: Iterable[str]) -> dict[str, list[ContractEvent]]:
        query = (
            select_fields(contract_events, ContractEvent)
            .where(contract_events.c.contract_id.in_(list(contract_ids)))
            .order_by(contract_events.c.contract_id, contract_events.c.sequence)
        )
        found: dict[str, list[ContractEvent]] = defaultdict(list)
        for row in self._connection.execute(query).mappings():
            found[row["contract_id"]].append(ContractEvent(**row))
        return found

    def _population_events_of(self, versions: dict[str, list[ContractRecord]]) -> dict[str, list[PopulationEvent]]:
        """By contract, what was done to any population that it names."""
        named = {name: _populations_in(records) for name, records in versions.items()}
        query = (
            select_fields(population_events, PopulationEvent)
            .where(population_events.c.population.in_(sorted(set().union(*named.values()))))
            .order_by(population_events.c.population, population_events.c.sequence)
        )
        done = [PopulationEvent(**row) for row in self._connection.execute(query).mappings()]
        found: dict[str, list[PopulationEvent]] = defaultdict(list)
        for name, populations in named.items():
            found[name] = [event for event in done if event.population in populations]
        return found

    def _read(self, query: sa.Select[tuple[object, ...]]) -> Iterator[ContractRecord]:
        rows = self._connection.execute(query).mappings().all()
        signed = self._signatures_of({(row["id"], row["version"]) for row in rows})
        for row in rows:
            yield ContractRecord(**row, signatures=tuple(signed[row["id"], row["version"]]))

    def _signatures_of(self, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], list[Signature]]:
        """The signatures of several contracts in one query, in the order of signing, with what became of their keys."""
        key = sa.tuple_(signatures.c.contract_id, signatures.c.contract_version)
        query = (
            select_fields(signatures, Signature)
            .add_columns(
                signatures.c.contract_id,
                signatures.c.contract_version,
                signing_keys.c.revoked_at.label("key_revoked_at"),
                sa.func.coalesce(signing_keys.c.compromised, sa.false()).label("key_compromised"),
            )
            .outerjoin(
                signing_keys,
                (signing_keys.c.organisation == signatures.c.organisation) & (signing_keys.c.kid == signatures.c.kid),
            )
            .where(key.in_(list(keys)))
            .order_by(signatures.c.signed_at, signatures.c.organisation)
        )
        found: dict[tuple[str, int], list[Signature]] = defaultdict(list)
        for row in self._connection.execute(query).mappings():
            values: dict[str, Any] = dict(row)
            found[values.pop("contract_id"), values.pop("contract_version")].append(Signature(**values))
        return found


def _organisations_in(document: JsonObject) -> list[str]:
    return sorted({party["organisation"] for party in document["parties"]})


def _populations_in(records: Iterable[ContractRecord]) -> set[str]:
    return {party["population"] for record in records for party in record.document["parties"]}
