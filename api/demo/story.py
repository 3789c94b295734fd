"""The main job, told as a story while it runs: from an empty database to joint answers, all over HTTP."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Final

import httpx

from adapters.client.exchange import ExchangeClient, ProblemAnswered
from adapters.client.tokens import TokenNotGranted
from adapters.database import migrate
from api.demo.contract import demo_contract, last_final_year
from api.demo.exact import exact_answers, put_exact_beside
from api.demo.printing import ONLY_A_DEMO, Narrator, results_text
from api.demo.promises import PromiseBroken, promise
from api.demo.refusals import show_exhausted_budget, show_foreign_caller, show_replay
from api.demo.registrar import Participant, Registrar
from api.demo.server_process import ServerNotReady, running_server
from api.demo.world import YEARS, Cells, World
from api.settings import witness_beside
from contracts.parties import JsonObject, Scope

SEED: Final = 20_260
DATABASE_FILE: Final = "parley.sqlite"
NAMES: Final = {
    "blueridge": "Blue Ridge Health Plan",
    "lakeshore": "Lakeshore Mutual",
    "sierra": "Sierra Care Alliance",
    "helix": "Helix Therapeutics",
}
BRAND: Final = "helix"
STRANGER: Final = "meridian"
QUESTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "adherence_rate": {"by": "region"},
    "psp_penetration": {"by": "region", "where": "product:helixor"},
    "joint_table": {"by": "region,quarter", "measures": "enrolled,contacts"},
}
Receipts = dict[str, list[JsonObject]]


class FolderTaken(Exception):
    """There is something in the folder that the demo was to keep its own in."""


EXPECTED_FAILURES: Final = (
    FolderTaken,
    PromiseBroken,
    ProblemAnswered,
    ServerNotReady,
    TokenNotGranted,
    httpx.TransportError,
)


def run_demo(as_json: bool, keep: Path | None = None) -> int:
    """Play it; the exit code. as_json: one document on standard output, the story on standard error.

    keep: a folder, new or empty, in which database, keys and log stay. Call it in the main thread.
    """
    narrator = Narrator(sys.stderr if as_json else sys.stdout)
    try:
        with _folder(keep) as folder:
            results = _play(folder, narrator)
    except KeyboardInterrupt:
        print("Stopped, and the server with it.", file=sys.stderr)
        return 130
    except EXPECTED_FAILURES as failure:
        print(f"The demo did not go as promised. {type(failure).__name__}: {failure}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(results, indent=2))
    else:
        narrator.say(*results_text(results))
    narrator.title(f"Everything went as promised, in {results['seconds']:.0f} seconds.")
    if keep is not None:
        narrator.say(
            f"Kept in {keep}: the database, everybody's keys and the server's log. It goes on with",
            f"  PARLEY_DATABASE_URL=sqlite:///{(keep / DATABASE_FILE).absolute()} parley serve",
        )
    return 0


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with TemporaryDirectory(prefix="parley-demo-") as folder:
            yield Path(folder)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise FolderTaken(f"{keep} is not empty, and nothing in it is overwritten.")
    yield keep


def _play(folder: Path, narrator: Narrator) -> JsonObject:
    narrator.title("Parley, end to end: three payers, a brand and its analyst. All of it is made up.")
    database_url = f"sqlite:///{folder / DATABASE_FILE}"
    migrate(database_url)
    with running_server(database_url, folder / "server.log") as address:
        narrator.told(f"An exchange is up: gunicorn at {address}, on an SQLite file just migrated.")
        with Registrar.bootstrap(database_url, witness_beside(database_url), address, folder / "keys") as registrar:
            results = _Story(registrar, narrator).tell()
    narrator.told("The server is stopped.")
    return results | {"seconds": round(narrator.seconds, 1)}


class _Story:
    """The steps, in order. Everybody has a client of their own, and works with nothing else."""

    def __init__(self, registrar: Registrar, narrator: Narrator) -> None:
        self._registrar = registrar
        self._narrator = narrator
        today = datetime.now(UTC).date()
        self._document = demo_contract(today)
        self._contract_id = str(self._document["id"])
        self._payers = [p["organisation"] for p in self._document["parties"] if p["role"] == "payer"]
        self._first_year = last_final_year(today) - YEARS + 1

    def tell(self) -> JsonObject:
        parties, analyst = self._register()
        contract = self._agree(parties)
        world = self._draw_world()
        receipts = self._post(parties, world)
        answers = self._ask(analyst, world)
        loss = self._read_ledgers(parties)
        refusals = self._show_refusals(parties, world, receipts)
        return {
            "contract": contract,
            "receipts": {name: Counter(r["feed"] for r in receipts[name]) for name in parties},
            "exact": ONLY_A_DEMO,
            "answers": answers,
            "loss": loss,
            "refusals": refusals,
        }

    def _register(self) -> tuple[dict[str, Participant], ExchangeClient]:
        ceilings = self._document["privacy"]["ceilings"]
        parties = {}
        for party in self._document["parties"]:
            name, population = party["organisation"], party["population"]
            parties[name] = self._registrar.add_party(
                name, NAMES[name], party["role"], population, ceilings[population]
            )
        analyst = self._registrar.add_client(BRAND, f"{BRAND}-analyst", (Scope.CONTRACTS_READ, Scope.STATISTICS_READ))
        self._narrator.told(
            f"The operator registered {len(self._payers)} payers and a brand, each with a client key, a "
            "signing key and a population, and the brand's analyst with a client of their own."
        )
        return parties, analyst

    def _agree(self, parties: Mapping[str, Participant]) -> JsonObject:
        brand = parties[BRAND].client
        feeds = brand.draft(self._document)["document"]["feeds"]
        self._narrator.told(f"{NAMES[BRAND]} drafted the contract {self._contract_id}: {len(feeds)} feeds.")
        proposed = brand.propose(self._contract_id)
        draws = sum(len(feed["plan"]["draws"]) for feed in proposed["document"]["feeds"])
        self._narrator.told(f"Proposed: {draws} draws with sigmas and charges are frozen into the document.")
        for party in parties.values():
            contract = party.sign(self._contract_id)
        promise(contract["status"] == "in_force", "the contract is in force once all have signed")
        signatures, digest = len(contract["signatures"]), contract["digest"][:12]
        self._narrator.told(f"{signatures} signatures over the same digest {digest}: in force.")
        return contract

    def _draw_world(self) -> World:
        world = World(SEED, self._payers, self._first_year)
        members = sum(len(world.get_members(payer).start_month) for payer in self._payers)
        years = " and ".join(world.years)
        self._narrator.told(f"A synthetic world is drawn: {members:,} members of the payers in {years}.")
        return world

    def _post(self, parties: Mapping[str, Participant], world: World) -> Receipts:
        """Every provider at its own pace, all at once."""
        receipts: Receipts = {}
        stopping = Event()
        with ThreadPoolExecutor(len(parties)) as pool:
            try:
                posting = {pool.submit(self._post_all, party, world, stopping): name for name, party in parties.items()}
                for done in as_completed(posting):
                    receipts[posting[done]] = done.result()
                    self._tell_posted(posting[done], done.result())
            finally:
                stopping.set()  # the pool waits for its threads, also on Ctrl-C
        return receipts

    def _post_all(self, party: Participant, world: World, stopping: Event) -> list[JsonObject]:
        return [
            party.client.submit(self._contract_id, feed, period, cells.columns())
            for feed, period, cells in _cells_of(world, party.organisation)
            if not stopping.is_set()
        ]

    def _tell_posted(self, provider: str, receipts: list[JsonObject]) -> None:
        periods = Counter(receipt["feed"] for receipt in receipts)
        feeds = " and ".join(f"{count} periods of {feed}" for feed, count in periods.items())
        self._narrator.told(f"{NAMES[provider]} posted {feeds}; each measured once, debited, forgotten.")

    def _ask(self, analyst: ExchangeClient, world: World) -> JsonObject:
        answers = {
            statistic: analyst.ask(self._contract_id, statistic, **question)
            for statistic, question in QUESTIONS.items()
        }
        self._narrator.told(f"The analyst asked {', '.join(answers)}: it costs no budget.")
        exact = exact_answers(world, self._payers)
        compared = {name: put_exact_beside(answer, exact[name]) for name, answer in answers.items()}
        self._narrator.told("The exact values were worked out beside the answers.")
        return compared

    def _read_ledgers(self, parties: Mapping[str, Participant]) -> JsonObject:
        """Each party reads its own, and nobody else could."""
        statements = [party.client.ledger(self._contract_id) for party in parties.values()]
        self._narrator.told(f"Each party read the ledger of its own population: {len(statements)} in all.")
        return {
            "populations": {
                statement["population"]: {
                    "spent": statement["lifetime"],
                    "balance": statement["balance"],
                    "entries": len(statement["entries"]),
                }
                for statement in statements
            },
            "one_person_in_everything": statements[0]["one_person_in_everything"],
            "several_providers": statements[0]["several_providers"],
        }

    def _show_refusals(self, parties: Mapping[str, Participant], world: World, receipts: Receipts) -> JsonObject:
        payer = self._payers[0]
        feed, period, cells = next(_cells_of(world, payer))
        receipt = next(r for r in receipts[payer] if (r["feed"], r["period"]) == (feed, period))
        replay = show_replay(parties[payer], receipt, cells.columns())
        self._narrator.told(f"{NAMES[payer]} posted its {feed} of {period} again: the same receipt.")
        stranger = self._registrar.add_party(STRANGER, "Meridian Benefits", "payer", f"{STRANGER}-members", "0.1")
        foreign = show_foreign_caller(stranger.client, self._contract_id, cells.columns())
        self._narrator.told("A fifth organisation, registered but no party, tried everything: 404.")
        beyond = show_exhausted_budget(parties[BRAND], parties[payer], self._document, world.years[-1])
        self._narrator.told("A second contract about a population that has spent its budget: 409.")
        return {"replay": replay, "foreign_caller": foreign, "beyond_budget": beyond}


def _cells_of(world: World, provider: str) -> Iterator[tuple[str, str, Cells]]:
    """Feed, period and cells of everything that a provider posts."""
    if provider == BRAND:
        yield from (("support", month, world.support(month)) for month in world.months)
        return
    yield from (("fills", month, world.fills(provider, month)) for month in world.months)
    yield from (("adherence", year, world.adherence(provider, year)) for year in world.years)
