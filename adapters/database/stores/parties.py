"""Organisations, populations, clients and signing keys."""

import sqlalchemy as sa

from adapters.database.stores.rows import insert_new, select_fields, to_row
from adapters.database.tables import clients, organisations, populations, signing_keys
from contracts.parties import Client, Organisation, Population, Scope, SigningKey
from contracts.refusals import AlreadyExists


class SqlPartyStore:
    """Implements `contracts.ports.PartyStore`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add_organisation(self, organisation: Organisation) -> None:
        if not insert_new(self._connection, organisations, to_row(organisation)):
            raise AlreadyExists(f"There is an organisation {organisation.id} already.")

    def find_organisation(self, organisation_id: str) -> Organisation | None:
        query = select_fields(organisations, Organisation).where(organisations.c.id == organisation_id)
        row = self._connection.execute(query).mappings().one_or_none()
        return Organisation(**row) if row else None

    def list_organisations(self) -> list[Organisation]:
        query = select_fields(organisations, Organisation).order_by(organisations.c.id)
        return [Organisation(**row) for row in self._connection.execute(query).mappings()]

    def add_population(self, population: Population) -> None:
        if not insert_new(self._connection, populations, to_row(population)):
            raise AlreadyExists(f"There is a population {population.id} already.")

    def find_population(self, population_id: str) -> Population | None:
        query = select_fields(populations, Population).where(populations.c.id == population_id)
        row = self._connection.execute(query).mappings().one_or_none()
        return Population(**row) if row else None

    def list_populations(self, organisation_id: str) -> list[Population]:
        query = (
            select_fields(populations, Population)
            .where(populations.c.organisation == organisation_id)
            .order_by(populations.c.created_at, populations.c.id)
        )
        return [Population(**row) for row in self._connection.execute(query).mappings()]

    def add_client(self, client: Client) -> None:
        row = to_row(client) | {"scopes": sorted(client.scopes), "public_keys": [*client.public_keys]}
        if not insert_new(self._connection, clients, row):
            raise AlreadyExists(f"There is a client {client.id} already.")

    def find_client(self, client_id: str) -> Client | None:
        query = select_fields(clients, Client).where(clients.c.id == client_id)
        row = self._connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        scopes, keys = frozenset(map(Scope, row["scopes"])), tuple(row["public_keys"])
        return Client(**{**row, "scopes": scopes, "public_keys": keys})

    def add_signing_key(self, key: SigningKey) -> None:
        if not insert_new(self._connection, signing_keys, to_row(key)):
            raise AlreadyExists(f"{key.organisation} has a signing key {key.kid} already.")

    def find_signing_key(self, organisation_id: str, kid: str) -> SigningKey | None:
        query = select_fields(signing_keys, SigningKey).where(
            signing_keys.c.organisation == organisation_id, signing_keys.c.kid == kid
        )
        row = self._connection.execute(query).mappings().one_or_none()
        return SigningKey(**row) if row else None
