"""The life of a contract by commands: a real server, each party on its own machine, the operator on the database."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from werkzeug.serving import make_server

from adapters.database.tables import ledger_entries
from api.cli.files import read_document
from api.schemas.contracts import ContractDocumentSchema
from contracts.terms import read_terms
from tests.http.test_cli import Console
from tests.http.test_ledger_verify import Vandal
from tests.support.amending import PATH, amend, following, read, standing
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, SmallExchange, TurnableClock, fills, small_contract


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


@pytest.mark.slow
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


def reversed_members(value: Any) -> Any:
    """The same document in an order that no store keeps."""
    if isinstance(value, dict):
        return {name: reversed_members(value[name]) for name in sorted(value, reverse=True)}
    return [reversed_members(each) for each in value] if isinstance(value, list) else value


def test_the_file_of_an_amendment_has_the_terms_in_order_and_nothing_that_goes_without_saying(
    console: Console, small: SmallExchange
) -> None:
    file = console.folder / "next.yaml"
    console.of(BRAND).done("contract", "amend", CONTRACT, "--out", file)

    written = read_document(file)
    known = [name for name in ContractDocumentSchema().fields if name in written]

    assert [*written] == known
    assert [*written][:5] == ["id", "version", "previous_digest", "title", "purpose"]
    assert [*written["feeds"][0]][:4] == ["name", "provider", "grain", "first_period"]
    assert not any(word in file.read_text() for word in ("null", "link: none", "prohibited: []"))
    assert ContractDocumentSchema().load(written) == following(small)


@pytest.mark.slow
def test_an_amendment_in_another_order_of_members_goes_on_with_every_feed(
    console: Console, small: SmallExchange
) -> None:
    brand, before = console.of(BRAND), read(small)
    assert small.submit("sierra", fills()).status_code == 201
    file = console.write("next.json", reversed_members(following(small)))
    lost = small.ledger("sierra")["lifetime"]

    assert "new generation" not in brand.done("contract", "diff", CONTRACT, file)
    brand.done("contract", "draft", file)
    brand.done("contract", "propose", CONTRACT)
    for party in (*PAYERS, BRAND):
        assert console.sign(party, "--yes").exit_code == 0

    now = read(small)
    assert (now["version"], now["status"]) == (2, "in_force")
    assert [feed["plan"] for feed in now["document"]["feeds"]] == [f["plan"] for f in before["document"]["feeds"]]
    assert {read_terms(each["document"]).feeds[0].generation for each in (before, now)} == {
        small.ledger("sierra")["entries"][-1]["generation"]
    }
    assert small.ledger("sierra")["lifetime"] == lost
    assert small.submit("sierra", fills()).status_code == 409


def test_the_contract_in_force_is_compared_with_a_file(console: Console, small: SmallExchange) -> None:
    brand, file = console.of(BRAND), console.folder / "next.yaml"
    brand.done("contract", "amend", CONTRACT, "--out", file)
    file.write_text(file.read_text().replace("A small contract", "A better contract"))

    said = " ".join(brand.done("contract", "diff", CONTRACT, file).split())

    assert "title: A better contract instead of A small contract [/title]" in said
    assert "version: 2 instead of 1" in said
    assert "The second has no measurement plans yet" in said
    assert "draws" not in said
    assert "new generation" not in said
    assert "There is no file" in console.refused("contract", "diff", CONTRACT, file, exit_code=2)
    assert "contract-not-found" in brand.refused("contract", "diff", "dsc-none", file)


def test_a_contract_that_was_shown_can_be_previewed(console: Console) -> None:
    shown = console.write("shown.json", console.of(BRAND).done("contract", "show", CONTRACT, "--json"))

    assert "fills: 12 months of 3 payers" in console.done("contract", "preview", shown)


def test_what_cannot_be_amended_is_said_before_anybody_writes(console: Console, small: SmallExchange) -> None:
    for party in (*PAYERS, BRAND):
        console.of(party).done("contract", "terminate", CONTRACT, "--reason", "the study is over")
    file = console.folder / "next.yaml"

    said = console.of(BRAND).refused("contract", "amend", CONTRACT, "--out", file)

    assert "A contract that is terminated cannot be amended. Nothing more can be done to it." in said
    assert "parley contract new" in said
    assert not file.exists()


@pytest.mark.slow
def test_a_party_reckons_up_what_was_posted_under_several_versions(console: Console, small: SmallExchange) -> None:
    assert small.submit("sierra", fills()).status_code == 201
    document = following(small)
    amend(small, document | {"feeds": [feed | {"rho": "0.02"} for feed in document["feeds"]]})
    assert small.submit("sierra", fills("2025-02")).status_code == 201
    left = following(small, version=2)
    parties = [party for party in left["parties"] if party["organisation"] != "sierra"]
    ceilings = {party["population"]: "0.1" for party in parties}
    rules = left["rules"] | {"min_payers": 2}
    amend(small, left | {"parties": parties, "privacy": left["privacy"] | {"ceilings": ceilings}, "rules": rules})
    assert small.submit("lakeshore", fills()).status_code == 201
    back = following(small, version=3)
    again = {**small_contract(), **back} | {name: document[name] for name in ("parties", "privacy", "rules")}
    amend(small, again)
    assert small.submit("sierra", fills("2025-03")).status_code == 201

    own = console.of("sierra").done("ledger", "verify", "--contract", CONTRACT)

    assert own.startswith("sierra-members: 4 entries; loss rho ")
    assert "as recorded" in own.splitlines()[0]
    assert "as recorded" in console.of("lakeshore").done("ledger", "verify", "--contract", CONTRACT)


def test_a_version_that_is_not_shown_is_said_and_is_no_difference(console: Console, small: SmallExchange) -> None:
    assert small.submit("sierra", fills()).status_code == 201
    engine = sa.create_engine(small.url)
    with Vandal(engine).changing(ledger_entries, {"population": "sierra-members", "sequence": 2},
                                 {"contract_version": 7}):  # fmt: skip
        result = console.of("sierra").run("ledger", "verify", "--contract", CONTRACT)
    engine.dispose()

    assert result.exit_code == 1
    assert f"Not compared: {CONTRACT} version 7" in " ".join(result.stdout.split())
    assert "as recorded" in result.stdout
    assert "not wholly verified" in result.stderr


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


@pytest.mark.slow
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


def test_the_operator_discards_a_draft_and_its_drafter_reads_why(console: Console, small: SmallExchange) -> None:
    assert "contract-not-a-draft" in console.refused("operator", "discard", CONTRACT, "--reason", "x")
    assert "contract-not-found" in console.refused("operator", "discard", "dsc-none", "--reason", "x")
    assert small.post("sierra", f"{PATH}/versions", following(small)).status_code == 201

    said = console.done("operator", "discard", CONTRACT, "--reason", "sierra has left")

    assert said.strip() == f"The draft of {CONTRACT}, version 2 by sierra, is discarded."
    last = small.get("sierra", "/v1/audit").get_json()["records"][-1]["act"]
    assert (last["action"], last["organisation"], last["subject"]) == (
        "draft_deleted", None, {"reason": "sierra has left"},
    )  # fmt: skip
    assert small.post(BRAND, f"{PATH}/versions", following(small)).status_code == 201


def test_the_operator_acts_on_the_database(console: Console, small: SmallExchange) -> None:
    for what, status in (("suspend", "suspended"), ("resume", "in_force"), ("terminate", "terminated")):
        said = console.done("operator", what, CONTRACT, "--reason", f"an order to {what}")
        assert f"{CONTRACT}, version 1: {status}." in said
    assert [each["organisation"] for each in read(small)["events"]] == [None] * 3
    assert "contract-not-found" in console.refused("operator", "suspend", "dsc-none", "--reason", "x")
    assert "/reason" in console.refused("operator", "suspend", CONTRACT, "--reason", "")
    assert "transition-illegal" in console.refused("operator", "resume", CONTRACT, "--reason", "x")
