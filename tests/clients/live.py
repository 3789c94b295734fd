"""A live exchange with its operator, and the files that the pages of docs/how-to take for granted."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters.client.exchange import ExchangeClient
from api.auth.jose import public_members
from api.auth.keys import new_private_jwk
from api.demo.registrar import Registrar
from api.demo.server_process import running_server
from api.settings import witness_beside
from contracts.parties import JsonObject, Scope
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, adherence_feed, small_contract

REPOSITORY: Final = Path(__file__).parents[2]
PAGE_URL: Final = "https://parley.example"
PAGE_YEAR: Final = "2025"
LAST_YEAR: Final = str(datetime.now(UTC).year - 1)
# The ones that the Python page posts: 0.63 of the north are adherent, 0.45 of the south.
CELLS: Final[dict[str, list[str] | list[int]]] = {
    "region": ["north"] * 3 + ["south"] * 3,
    "adherence_band": ["p00_40", "p40_80", "p80_100"] * 2,
    "members": [800, 1050, 3150, 1200, 1000, 1800],
}


@dataclass(frozen=True)
class Page:
    """The code of a page of docs/how-to."""

    text: str

    @classmethod
    def read(cls, name: str) -> "Page":
        return cls((REPOSITORY / "docs" / "how-to" / name).read_text())

    def blocks(self, language: str, heading: str) -> list[str]:
        """Those under one heading."""
        (section,) = (part for part in re.split(r"^##? ", self.text, flags=re.MULTILINE) if part.startswith(heading))
        return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def put_in_place(code: str, address: str) -> str:
    """With the URL of the live exchange and a year that is over, in place of the page's."""
    return code.replace(PAGE_URL, address).replace(PAGE_YEAR, LAST_YEAR)


@contextmanager
def exchange_with_operator(template: Path, folder: Path) -> Iterator[str]:
    """Its address. In `folder`: the operator's key, those of four organisations, and a contract to draft."""
    shutil.copyfile(template, folder / "parley.db")
    database_url = f"sqlite:///{folder / 'parley.db'}"
    with running_server(database_url, folder / "server.log") as address:
        with Registrar.bootstrap(database_url, witness_beside(database_url), address, folder / "keys"):
            shutil.copyfile(folder / "keys" / "operator-client.json", folder / "operator-client.json")
        for name in (*PAYERS, BRAND):
            for use in ("client", "signing"):
                key = new_private_jwk("ES384")
                (folder / f"{name}-{use}.json").write_text(json.dumps(key))
                (folder / f"{name}-{use}.pub.json").write_text(json.dumps(public_members(key)))
        (folder / "contract.json").write_text(json.dumps(one_year_contract()))
        yield address


def one_year_contract() -> JsonObject:
    """Of one feed with one period, last year's; a margin of error that no chance passes."""
    this_year = int(LAST_YEAR) + 1
    privacy = small_contract()["privacy"] | {"ceilings": {f"{name}-members": "0.1" for name in PAYERS}}
    return small_contract(
        privacy=privacy,
        effective=f"{this_year}-01-01",
        expires=f"{this_year + 1}-12-31",
        feeds=[adherence_feed(first_period=LAST_YEAR, last_period=LAST_YEAR, k=1, rho="0.1")],
        grants=[{"role": "brand", "statistics": ["adherence_rate"], "by_at_most": 2}],
    )


def agree_and_post(address: str, folder: Path) -> None:
    """Everything up to the first question, by Parley's own client."""
    contract = json.loads((folder / "contract.json").read_text())
    with ExchangeClient(address, "operator-client", private_key(folder, "operator-client")) as operator:
        for name in (*PAYERS, BRAND):
            operator.add_organisation(name, name.title(), "brand" if name == BRAND else "payer")
            operator.add_population(name, f"{name}-members", "0.1")
            key = public_members(private_key(folder, f"{name}-client"))
            operator.add_client(name, f"{name}-client", [scope for scope in Scope if scope != Scope.ORG_ADMIN], key)
            operator.add_signing_key(name, public_members(private_key(folder, f"{name}-signing")))
    with ExchangeClient(address, f"{BRAND}-client", private_key(folder, f"{BRAND}-client")) as brand:
        brand.draft(contract)
        brand.propose(CONTRACT)
    for name in (BRAND, *PAYERS):
        with ExchangeClient(address, f"{name}-client", private_key(folder, f"{name}-client")) as party:
            party.sign(CONTRACT, private_key(folder, f"{name}-signing"), "Ann Example", "Privacy Officer")
    for name in PAYERS:
        with ExchangeClient(address, f"{name}-client", private_key(folder, f"{name}-client")) as payer:
            payer.submit(CONTRACT, "adherence", LAST_YEAR, CELLS)


def private_key(folder: Path, name: str) -> JsonObject:
    return dict(json.loads((folder / f"{name}.json").read_text()))
