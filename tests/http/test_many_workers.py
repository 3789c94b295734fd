"""Several server processes on PostgreSQL are one exchange."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from adapters.client.exchange import ExchangeClient, ProblemAnswered
from api.demo.registrar import Participant, Registrar
from api.demo.server_process import running_server
from contracts.parties import JsonObject
from tests.support.small_exchange import CONTRACT, PAYERS, fills_row, server_keys, small_contract

pytestmark = pytest.mark.slow


@pytest.fixture
def parties(migrated_postgresql_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Participant]]:
    """The parties of the small contract, in force, on a server of two workers that share their keys."""
    folder = tmp_path_factory.mktemp("workers")
    witness = str(folder / "witness")
    settings = {"PARLEY_WITNESS": witness, "PARLEY_WORKERS": "2", **server_keys()}
    with (
        running_server(migrated_postgresql_url, folder / "log", **settings) as address,
        Registrar.bootstrap(migrated_postgresql_url, witness, address, folder / "keys") as registrar,
    ):
        found = {name: registrar.add_party(name, name, "payer", f"{name}-members", "0.1") for name in PAYERS}
        found["helix"] = registrar.add_party("helix", "helix", "brand", "helix-members", "0.1")
        found["helix"].client.draft(small_contract())
        found["helix"].client.propose(CONTRACT)
        for party in found.values():
            party.sign(CONTRACT)
        yield found


COLUMNS = {name: [value] for name, value in fills_row().items()}


def outcome(client: ExchangeClient, submission_id: str, period: str) -> str:
    try:
        receipt = client.submit(CONTRACT, "fills", period, COLUMNS, submission_id)
    except ProblemAnswered as answered:
        return answered.code
    return "replayed" if receipt["replayed"] else "measured"


def test_one_submission_posted_to_all_workers_at_once_is_measured_once(parties: dict[str, Participant]) -> None:
    client, submission_id = parties["blueridge"].client, str(uuid4())

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda _: outcome(client, submission_id, "2025-01"), range(16)))

    assert outcomes.count("measured") == 1
    assert set(outcomes) <= {"measured", "replayed", "submission-in-progress"}
    debits = [entry for entry in client.ledger(CONTRACT)["entries"] if entry["kind"] == "debit"]
    assert [(entry["submission_id"], entry["attempt"]) for entry in debits] == [(submission_id, 1)]


def test_the_workers_together_never_overdraw_an_account(parties: dict[str, Participant]) -> None:
    client = parties["sierra"].client
    months = [f"2025-{month:02}" for month in range(1, 13)] * 2

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda month: outcome(client, str(uuid4()), month), months))

    assert outcomes.count("measured") == 12
    statement: JsonObject = client.ledger(CONTRACT)
    entries = statement["entries"]
    assert [entry["sequence"] for entry in entries] == list(range(1, 14))
    assert sum(entry["increment"]["rho_nano"] for entry in entries) == statement["lifetime"]["rho_nano"] <= 50_000_000
