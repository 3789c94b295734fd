"""Organisations, populations, clients and signing keys."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from adapters.database.short_lived import revoked_tokens
from adapters.database.stores.rows import bytewise, insert_new, is_after, select_fields, to_row
from adapters.database.tables import (
    client_proofs,
    clients,
    organisations,
    population_events,
    populations,
    signing_keys,
)
from contracts.parties import Bearer, Client, Holder, Organisation, Population, Scope, SigningKey
from contracts.proofs import proofs_of
from contracts.records import PopulationEvent
from contracts.refusals import AlreadyExists
from contracts.signing import thumbprint

# One statement, made once, since every request of the API asks it.
_BEARER: Final = (
    select_fields(clients, Client)
    .add_columns(organisations.c.role, revoked_tokens.c.jti.is_not(None).label("token_revoked"))
    .select_from(
        clients.join(organisations).outerjoin(
            revoked_tokens, revoked_tokens.c.jti == sa.bindparam("jti", type_=sa.Text)
        )
    )
)
_BEARER_OF_OURS: Final = _BEARER.where(clients.c.id == sa.bindparam("client"))
_BEARER_OF_ISSUER: Final = _BEARER.where(
    clients.c.issuer == sa.bindparam("issuer"), clients.c.subject == sa.bindparam("client")
)


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

    def list_organisations(self, *, after: str = "", limit: int | None = None) -> list[Organisation]:
        place = bytewise(self._connection, organisations.c.id)
        query = select_fields(organisations, Organisation).where(place > after).order_by(place).limit(limit)
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

    def lock_population(self, population_id: str) -> None:
        row = sa.select(populations.c.id).where(populations.c.id == population_id)
        if self._connection.execute(row.with_for_update(key_share=True)).first() is None:
            raise KeyError(population_id)

    def population_events(self, population_id: str) -> list[PopulationEvent]:
        query = (
            select_fields(population_events, PopulationEvent)
            .where(population_events.c.population == population_id)
            .order_by(population_events.c.sequence)
        )
        return [PopulationEvent(**row) for row in self._connection.execute(query).mappings()]

    def add_population_event(self, event: PopulationEvent) -> None:
        if not insert_new(self._connection, population_events, to_row(event)):
            raise AlreadyExists("Something else was done to this population at the same moment.")

    def add_client(self, client: Client) -> None:
        row = to_row(client) | {"scopes": sorted(client.scopes), "public_keys": [*client.public_keys]}
        if not insert_new(self._connection, clients, row):
            raise AlreadyExists(f"There is a client {client.id} already.")
        self._remember_proofs(client)

    def find_client(self, client_id: str) -> Client | None:
        query = select_fields(clients, Client).where(clients.c.id == client_id)
        row = self._connection.execute(query).mappings().one_or_none()
        return _client(row) if row else None

    def find_bearer(self, client: str, issuer: str | None, jti: str | None) -> Bearer | None:
        query = _BEARER_OF_OURS if issuer is None else _BEARER_OF_ISSUER
        values = {"client": client, "issuer": issuer, "jti": jti}
        row = self._connection.execute(query, values).mappings().one_or_none()
        if row is None:
            return None
        registered = dict(row)
        role, token_revoked = registered.pop("role"), registered.pop("token_revoked")
        return Bearer(_client(registered), role, token_revoked)

    def find_client_of_issuer(self, issuer: str, subject: str) -> Client | None:
        query = select_fields(clients, Client).where(_named_by(issuer, subject))
        row = self._connection.execute(query).mappings().one_or_none()
        return _client(row) if row else None

    def replace_client_keys(self, client: Client) -> None:
        keys = {"public_keys": [*client.public_keys], "jwks_url": client.jwks_url}
        self._connection.execute(sa.update(clients).where(clients.c.id == client.id).values(**keys))
        self._remember_proofs(client)

    def list_clients(self, organisation_id: str, *, after: str = "", limit: int | None = None) -> list[Client]:
        place = bytewise(self._connection, clients.c.id)
        own = clients.c.organisation == organisation_id
        query = select_fields(clients, Client).where(own, place > after).order_by(place).limit(limit)
        return [_client(row) for row in self._connection.execute(query).mappings()]

    def lock_client(self, client_id: str) -> Client | None:
        query = select_fields(clients, Client).where(clients.c.id == client_id).with_for_update(key_share=True)
        row = self._connection.execute(query).mappings().one_or_none()
        return _client(row) if row else None

    def list_holders(self, proof: str) -> list[Holder]:
        found = sa.select(clients.c.organisation, clients.c.revoked_at.is_not(None)).distinct()
        query = found.join_from(client_proofs, clients).where(client_proofs.c.proof == proof)
        return [Holder(organisation, bool(revoked)) for organisation, revoked in self._connection.execute(query)]

    def revoke_client(self, client: Client) -> None:
        revoked = {"revoked_at": client.revoked_at, "revocation_reason": client.revocation_reason}
        self._connection.execute(sa.update(clients).where(clients.c.id == client.id).values(**revoked))

    def add_signing_key(self, key: SigningKey) -> None:
        row = to_row(key) | {"thumbprint": thumbprint(key.public_key)}
        if not insert_new(self._connection, signing_keys, row):
            raise AlreadyExists("There is a signing key of this kid already, or this key by another.")

    def find_signing_key(self, organisation_id: str, kid: str) -> SigningKey | None:
        return self._find_key(_key_query(organisation_id, kid))

    def lock_signing_key(self, organisation_id: str, kid: str) -> SigningKey | None:
        # On SQLite the writing transaction holds the whole database already.
        return self._find_key(_key_query(organisation_id, kid).with_for_update(key_share=True))

    def find_key_by_thumbprint(self, thumbprint: str) -> SigningKey | None:
        return self._find_key(select_fields(signing_keys, SigningKey).where(signing_keys.c.thumbprint == thumbprint))

    def list_signing_keys(
        self, organisation_id: str, *, after: tuple[datetime, str] | None = None, limit: int | None = None
    ) -> list[SigningKey]:
        place = (signing_keys.c.created_at, bytewise(self._connection, signing_keys.c.kid))
        own = signing_keys.c.organisation == organisation_id
        query = select_fields(signing_keys, SigningKey).where(own).order_by(*place).limit(limit)
        if after is not None:
            query = query.where(is_after(place, after))
        return [SigningKey(**row) for row in self._connection.execute(query).mappings()]

    def revoke_signing_key(self, key: SigningKey) -> None:
        statement = (
            sa.update(signing_keys)
            .where(signing_keys.c.organisation == key.organisation, signing_keys.c.kid == key.kid)
            .values(revoked_at=key.revoked_at, revocation_reason=key.revocation_reason, compromised=key.compromised)
        )
        self._connection.execute(statement)

    def _remember_proofs(self, client: Client) -> None:
        for proof in proofs_of(client):
            insert_new(self._connection, client_proofs, {"proof": proof, "client_id": client.id})

    def _find_key(self, query: sa.Select[Any]) -> SigningKey | None:
        row = self._connection.execute(query).mappings().one_or_none()
        return SigningKey(**row) if row else None


def _named_by(issuer: str, subject: str) -> sa.ColumnElement[bool]:
    return sa.and_(clients.c.issuer == issuer, clients.c.subject == subject)


def _key_query(organisation_id: str, kid: str) -> sa.Select[Any]:
    return select_fields(signing_keys, SigningKey).where(
        signing_keys.c.organisation == organisation_id, signing_keys.c.kid == kid
    )


def _client(row: sa.RowMapping | dict[str, Any]) -> Client:
    scopes, keys = frozenset(map(Scope, row["scopes"])), tuple(row["public_keys"])
    return Client(**{**row, "scopes": scopes, "public_keys": keys})
