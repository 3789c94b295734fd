"""The life of a contract by commands: a real server, each party on its own machine, the operator on the database."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
import yaml
from werkzeug.serving import make_server

from tests.http.test_cli import Console
from tests.support.amending import read, standing
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, SmallExchange, TurnableClock, small_contract


@pytest.fixture
def small(migrated_sqlite_url: str) -> Iterator[SmallExchange]:
    """The small contract in force, and a server up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    changes = {"PARLEY_ISSUER": f"http://127.0.0.1:{port}"}
    exchange = SmallExchange(migrated_sqlite_url, clock=TurnableClock(datetime.now(UTC)), settings_changes=changes)
    exchange.agree(small_contract(expires="2099-12-31"))
    server = make_server("127.0.0.1", port, exchange.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield exchange
    server.shutdown()
    thread.join()
    server.server_close()
    exchange.wiring.database.close()


@pytest.fixture
def console(small: SmallExchange, tmp_path: Path) -> Console:
    """A folder with everybody's keys; `of` makes it the machine of one of them."""
    folder = tmp_path / "keys"
    folder.mkdir()
    console = Console(folder, {"PARLEY_URL": small.settings.issuer, "PARLEY_DATABASE_URL": small.url})
    for name in (*PAYERS, BRAND):
        console.write(f"{name}-client.json", small.client_keys[name])
        console.write(f"{name}-signing.json", small.signing_keys[name])
    return console


@pytest.mark.parametrize("name", ["next.yaml", "next.json"])
def test_a_contract_is_amended_from_the_version_in_force(console: Console, small: SmallExchange, name: str) -> None:
    brand, file = console.of(BRAND), console.folder / name

    said = brand.done("contract", "amend", CONTRACT, "--out", file)

    assert f"parley contract draft {file}" in said
    text = file.read_text()
    document = json.loads(text) if name.endswith("json") else yaml.safe_load(text)
    assert (document["version"], document["previous_digest"]) == (2, read(small)["digest"])
    assert not any("plan" in feed for feed in document["feeds"])
    assert "exists and is not overwritten" in brand.refused("contract", "amend", CONTRACT, "--out", file)
    file.write_text(text.replace("A small contract", "A better contract"))
    assert "version 2, is drafted" in brand.done("contract", "draft", file)
    file.write_text(text.replace("A small contract", "The best contract"))
    assert "version 2: the draft is what" in brand.done("contract", "edit", file)
    brand.done("contract", "propose", CONTRACT)
    assert "Versions: 1 in_force, 2 proposed" in brand.done("contract", "show", CONTRACT)
    assert "The best contract" in brand.done("contract", "show", CONTRACT, "--version", "2")
    for party in (*PAYERS, BRAND):
        result = console.sign(party, "--yes")
        assert result.exit_code == 0, result.output
        assert "version 2" in result.stdout
    assert standing(small) == {1: "superseded", 2: "in_force"}
    unchanged = [feed["plan"] for feed in read(small, version=1)["document"]["feeds"]]
    assert [feed["plan"] for feed in read(small)["document"]["feeds"]] == unchanged


def test_a_draft_is_discarded_and_what_was_proposed_is_not(console: Console, small: SmallExchange) -> None:
    brand, file = console.of(BRAND), console.folder / "next.yaml"
    brand.done("contract", "amend", CONTRACT, "--out", file)
    brand.done("contract", "draft", file)

    assert "is discarded" in brand.done("contract", "discard", CONTRACT)

    assert standing(small) == {1: "in_force"}
    assert "contract-not-a-draft" in brand.refused("contract", "discard", CONTRACT)
    assert "contract-not-a-draft" in brand.refused("contract", "edit", file)
    new = console.write("new.json", small_contract(id="dsc-new", expires="2099-12-31"))
    brand.done("contract", "draft", new)
    assert "edit its draft instead" in brand.refused("contract", "amend", "dsc-new", "--out", console.folder / "x.yaml")


def test_parties_suspend_resume_and_terminate(console: Console, small: SmallExchange) -> None:
    def act(party: str, what: str) -> str:
        return console.of(party).done("contract", what, CONTRACT, "--reason", f"why {party} would {what}")

    assert "version 1: suspended." in act("sierra", "suspend")
    assert "still to agree: lakeshore, sierra, helix" in act("blueridge", "resume")
    shown = console.of("lakeshore").done("contract", "show", CONTRACT)
    assert "suspended by sierra: why sierra would suspend" in shown
    assert "To resume it, still to agree: lakeshore, sierra, helix" in shown
    assert "already-agreed" in console.of("blueridge").refused("contract", "resume", CONTRACT, "--reason", "again")
    for party in ("lakeshore", "sierra"):
        act(party, "resume")
    assert "version 1: in_force." in act(BRAND, "resume")
    for party in PAYERS:
        act(party, "terminate")
    assert "version 1: terminated." in act(BRAND, "terminate")
    refused = console.of(BRAND).refused("contract", "suspend", CONTRACT, "--reason", "late")
    assert "Nothing more can be done to it. (transition-illegal)" in refused


def test_a_population_is_suspended_by_its_owner_and_by_the_operator(console: Console, small: SmallExchange) -> None:
    sierra = console.of("sierra")
    by_name = ("--population", "sierra-members", "--reason", "wrong cells")

    assert "suspended everywhere, by sierra" in sierra.done("contract", "suspend", *by_name)
    operated = ("sierra-members", "--reason", "an order")
    assert "by operator, sierra" in console.done("population", "suspend", *operated)
    assert "The population sierra-members is suspended everywhere." in sierra.done("contract", "show", CONTRACT)
    assert "by operator." in sierra.done("contract", "resume", *by_name)
    assert "not suspended" in console.done("population", "resume", *operated)
    assert standing(small) == {1: "in_force"}
    assert "population-not-found" in console.of(BRAND).refused("contract", "suspend", *by_name)
    assert "population-not-found" in console.refused("population", "suspend", "nobody", "--reason", "x")
    for words in ((), (CONTRACT, "--population", "sierra-members")):
        said = sierra.refused("contract", "suspend", *words, "--reason", "x", exit_code=2)
        assert "Name a CONTRACT or a --population" in said


def test_the_operator_acts_on_the_database(console: Console, small: SmallExchange) -> None:
    for what, status in (("suspend", "suspended"), ("resume", "in_force"), ("terminate", "terminated")):
        said = console.done("operator", what, CONTRACT, "--reason", f"an order to {what}")
        assert f"{CONTRACT}, version 1: {status}." in said
    assert [each["organisation"] for each in read(small)["events"]] == [None] * 3
    assert "contract-not-found" in console.refused("operator", "suspend", "dsc-none", "--reason", "x")
    assert "/reason" in console.refused("operator", "suspend", CONTRACT, "--reason", "")
    assert "transition-illegal" in console.refused("operator", "resume", CONTRACT, "--reason", "x")
