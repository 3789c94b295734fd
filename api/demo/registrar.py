"""The operator's desk: makes keys, and registers organisations over HTTP with the public halves."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from adapters.client.exchange import ExchangeClient
from adapters.clock import SystemClock
from adapters.database import open_database
from adapters.witness import FileWitness
from api.auth.jose import public_members
from api.auth.keys import new_private_jwk
from api.cli.files import PRIVATE_MODE, write_new
from contracts.parties import JsonObject, Role, Scope
from contracts.registering import Registering

CLIENT_KEY: Final = "ES256"
SIGNING_KEY: Final = "ES384"
OPERATOR: Final = "operator"
OPERATOR_CLIENT: Final = "operator-client"
ALL_BUT_ADMIN: Final = tuple(scope for scope in Scope if scope is not Scope.ORG_ADMIN)


@dataclass(frozen=True, slots=True)
class Participant:
    """A registered organisation, as it stands before the exchange: its own client and its own signing key."""

    organisation: str
    name: str
    client: ExchangeClient
    signing_key: JsonObject

    def sign(self, contract_id: str) -> JsonObject:
        return self.client.sign(contract_id, self.signing_key, "Chief Privacy Officer", self.name)


class Registrar:
    """Registers as the operator. Private keys are files of `keys_folder` that only their owner may read."""

    def __init__(self, operator: ExchangeClient, address: str, keys_folder: Path) -> None:
        self._operator = operator
        self._address = address
        self._keys_folder = keys_folder
        self._clients = [operator]

    @classmethod
    def bootstrap(cls, database_url: str, witness: str, address: str, keys_folder: Path) -> Self:
        """Register the operator itself, in the database: HTTP lets nobody in before."""
        keys_folder.mkdir(mode=0o700)
        key = _new_key(keys_folder, OPERATOR_CLIENT, CLIENT_KEY)
        database = open_database(database_url)
        registering = Registering(database, SystemClock(), FileWitness(Path(witness)))
        registering.add_organisation(OPERATOR, "The operator of this exchange", Role.OPERATOR)
        scopes = frozenset({Scope.ORG_ADMIN})
        registering.add_client(OPERATOR, OPERATOR_CLIENT, scopes, (public_members(key),))
        database.close()
        return cls(ExchangeClient(address, OPERATOR_CLIENT, key), address, keys_folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.__exit__(None, None, None)

    def add_party(self, organisation: str, name: str, role: str, population: str, rho: str) -> Participant:
        """An organisation with a population, a client for everything that a party does, and a signing key."""
        self._operator.add_organisation(organisation, name, role)
        self._operator.add_population(organisation, population, rho)
        client = self.add_client(organisation, f"{organisation}-client", ALL_BUT_ADMIN)
        signing_key = _new_key(self._keys_folder, f"{organisation}-signing", SIGNING_KEY)
        self._operator.add_signing_key(organisation, public_members(signing_key))
        return Participant(organisation, name, client, signing_key)

    def add_client(self, organisation: str, client_id: str, scopes: tuple[Scope, ...]) -> ExchangeClient:
        key = _new_key(self._keys_folder, client_id, CLIENT_KEY)
        self._operator.add_client(organisation, client_id, [*scopes], public_members(key))
        client = ExchangeClient(self._address, client_id, key)
        self._clients.append(client)
        return client


def _new_key(folder: Path, name: str, algorithm: str) -> JsonObject:
    key = new_private_jwk(algorithm)
    write_new(folder / f"{name}.json", json.dumps(key, indent=2) + "\n", PRIVATE_MODE)
    return key
