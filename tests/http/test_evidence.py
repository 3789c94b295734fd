"""The packet for a privacy officer, by its command, from a live exchange and from a file."""

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any
from zipfile import ZipFile

import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server

from api.auth.keys import new_private_jwk
from api.cli import main
from contracts.evidence.losses import rounded_up
from contracts.parties import Scope
from privacy.mechanism import epsilon
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    PAYERS,
    SmallExchange,
    TurnableClock,
    fills,
    public,
    small_contract,
)

TITLE = "Adherence <script>alert(1)</script> & outcomes"
FILES = {"contract.json", "evidence.html", "evidence.json", "evidence.md", "MANIFEST.sha256"}


@dataclass
class Live:
    """An exchange that listens, and commands that call it."""

    exchange: SmallExchange
    url: str
    folder: Path

    def run(self, *words: object, party: str | None = "sierra", client: str | None = None) -> Any:
        environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith("PARLEY_")}
        environment |= {"PARLEY_URL": self.url}
        if party is not None:
            key = self.folder / f"{party}.json"
            key.write_text(json.dumps(self.exchange.client_keys[party]))
            environment |= {"PARLEY_CLIENT_ID": client or f"{party}-client", "PARLEY_CLIENT_KEY_FILE": str(key)}
        return CliRunner().invoke(main, ["contract", "evidence", *map(str, words)], env=environment)

    def packet(self, name: str, *words: object, **options: Any) -> Path:
        """A packet that is written."""
        out = self.folder / name
        result = self.run(*words, "--out", out, **options)
        assert result.exit_code == 0, result.output
        return out


@pytest.fixture(scope="module")
def live(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The small contract in force, with 2, 3 and 1 months posted by the three payers."""
    folder = tmp_path_factory.mktemp("evidence")
    (folder / "parley.db").write_bytes(sqlite_template.read_bytes())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    clock = TurnableClock(datetime.now(UTC))
    exchange = SmallExchange(f"sqlite:///{folder / 'parley.db'}", clock=clock, settings_changes={"PARLEY_ISSUER": url})
    obligations = {"incident_notice_hours": 36, "audit_rights": True}
    exchange.agree(small_contract(title=TITLE, expires="2099-12-31", obligations=obligations))
    for months, name in zip((2, 3, 1), PAYERS, strict=True):
        for month in range(1, months + 1):
            assert exchange.submit(name, fills(f"2025-{month:02}")).status_code == 201
    server = make_server("127.0.0.1", port, exchange.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Live(exchange, url, folder)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def sierra(live: Live) -> Path:
    return live.packet("sierra", CONTRACT)


def test_a_party_gets_a_packet_with_its_own_ledger(live: Live, sierra: Path) -> None:
    assert {path.name for path in sierra.iterdir()} == FILES | {"ledger.json"}
    spent = json.loads((sierra / "evidence.json").read_text())["guarantee"]["spent"]
    statement = live.exchange.ledger("sierra")
    assert spent["population"] == "sierra-members"
    assert spent["under_contract"]["rho"] == statement["under_contract"]["rho"]
    assert spent["lifetime"]["rho_nano"] == statement["lifetime"]["rho_nano"] > 0
    assert spent["entries"] == 2
    text = (sierra / "evidence.md").read_text()
    shown = rounded_up(epsilon(statement["lifetime"]["rho_nano"], 1e-6))
    assert f"rho {statement['lifetime']['rho']} (epsilon {shown} at delta 0.000001)" in text
    assert "| in force |" in text
    assert "within 36 hours" in text


def test_nothing_of_another_providers_ledger_is_in_it(live: Live, sierra: Path) -> None:
    whole = "".join(path.read_text() for path in sierra.iterdir())
    own = {entry["id"] for entry in live.exchange.ledger("sierra")["entries"]}
    assert all(entry in whole for entry in own)
    for other in ("blueridge", "lakeshore"):
        statement = live.exchange.ledger(other)
        assert len(statement["entries"]) > 2
        for entry in statement["entries"]:
            assert entry["id"] not in whole
            assert entry["submission_id"] is None or entry["submission_id"] not in whole
        assert str(statement["lifetime"]["rho_nano"]) not in whole
        assert statement["balance"]["rho"] not in whole


def test_the_manifest_has_the_digest_of_every_other_file(sierra: Path) -> None:
    told = dict(reversed(line.split("  ")) for line in (sierra / "MANIFEST.sha256").read_text().splitlines())
    assert told == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sierra.iterdir()
        if path.name != "MANIFEST.sha256"
    }


def test_the_contract_in_the_packet_verifies_by_itself(live: Live, sierra: Path) -> None:
    verified = CliRunner().invoke(main, ["contract", "verify", str(sierra / "contract.json")])
    assert verified.exit_code == 0, verified.output


def test_a_hostile_title_stays_text(sierra: Path) -> None:
    page = (sierra / "evidence.html").read_text()
    assert "<script" not in page
    assert "Adherence &lt;script&gt;" in page


def test_the_same_from_a_file_as_an_archive_calls_nobody(live: Live, sierra: Path) -> None:
    out = live.packet("offline.zip", "--file", sierra / "contract.json", party=None)
    with ZipFile(out) as archive:
        assert {Path(name).name for name in archive.namelist()} == FILES
        found = json.loads(archive.read("offline/evidence.json"))
        assert archive.read("offline/contract.json") == (sierra / "contract.json").read_bytes()
    online = json.loads((sierra / "evidence.json").read_text())
    assert found["guarantee"]["spent"] is None
    assert found["subject"]["status"] is None
    for same in ("bounds", "mechanism", "duties", "limits", "storage", "proofs"):
        assert found[same] == online[same]


def test_a_proposed_contract_is_told_to_bind_nobody_yet(live: Live) -> None:
    document = small_contract(id="dsc-unsigned", expires="2099-12-31")
    assert live.exchange.post(BRAND, "/v1/contracts", document).status_code == 201
    refused = live.run("dsc-unsigned", "--out", live.folder / "draft", party=BRAND)
    assert refused.exit_code == 1
    assert "Propose the contract first" in refused.stderr
    assert live.exchange.post(BRAND, "/v1/contracts/dsc-unsigned/proposal").status_code == 200
    out = live.packet("unsigned", "dsc-unsigned")
    text = (out / "evidence.md").read_text()
    assert "Not everybody has signed" in text
    assert "never in force, so nothing was debited" in text
    assert not (out / "ledger.json").exists()


def test_a_client_without_the_scope_gets_a_packet_that_says_so(live: Live) -> None:
    key = new_private_jwk("ES256")
    live.exchange.client_keys["officer"] = key
    live.exchange.wiring.registering.add_client(
        "sierra", "officer-client", frozenset({Scope.CONTRACTS_READ}), (public(key),)
    )
    out = live.packet("officer", CONTRACT, party="officer")
    assert "its scope is ledger.read" in (out / "evidence.md").read_text()


def test_who_is_no_party_gets_nothing(live: Live) -> None:
    refused = live.run(CONTRACT, "--out", live.folder / "foreign", party="foreigner")
    assert refused.exit_code == 1
    assert "contract-not-found" in refused.stderr
    assert not (live.folder / "foreign").exists()


def test_what_the_doctor_and_the_tests_said_is_told_as_theirs(live: Live, sierra: Path) -> None:
    finding = {"check": "swap", "status": "problem", "why": "swap is on", "what_to_do": "swapoff -a"}
    doctor = live.folder / "findings.json"
    doctor.write_text(json.dumps({"healthy": False, "findings": [finding]}))
    report = live.folder / "tests.xml"
    case = '<testcase classname="tests.http.test_races" name="test_it"/>'
    report.write_text(f'<testsuites><testsuite timestamp="2026-07-01">{case}</testsuite></testsuites>')
    words = ("--file", sierra / "contract.json", "--doctor", doctor, "--test-report", report)
    out = live.packet("told", *words, party=None)
    text = (out / "evidence.md").read_text()
    assert "| swap | problem | swap is on | swapoff -a |" in text
    assert "| tests/http/test_races.py | 1 passed |" in text
    assert "The report does not say on which code they ran" in text
    assert (out / "test-report.xml").read_bytes() == report.read_bytes()
    assert (out / "doctor.json").read_bytes() == doctor.read_bytes()


@pytest.mark.parametrize("words", [(), (CONTRACT, "--file", "contract.json")])
def test_one_contract_is_named_or_given(live: Live, words: tuple[str, ...]) -> None:
    assert live.run(*words, "--out", live.folder / "none").exit_code == 2


def test_what_is_there_is_not_overwritten_and_what_is_wrong_is_said(live: Live, sierra: Path) -> None:
    contract = sierra / "contract.json"
    assert "exists and is not overwritten" in live.run("--file", contract, "--out", sierra, party=None).stderr
    altered = json.loads(contract.read_text())
    altered["document"]["title"] = "Another"
    bad = live.folder / "bad.json"
    for content, said in (
        (altered, "its digest is not that of its document"),
        ({"findings": 3}, "this is not a contract"),
    ):
        bad.write_text(json.dumps(content))
        refused = live.run("--file", bad, "--out", live.folder / "bad", party=None)
        assert (refused.exit_code, said in refused.stderr) == (1, True), refused.output
    for option, said in (("--doctor", "not what parley doctor --json prints"), ("--test-report", "no report of tests")):
        refused = live.run("--file", contract, option, bad, "--out", live.folder / "bad", party=None)
        assert (refused.exit_code, said in refused.stderr) == (1, True), refused.output
    assert not (live.folder / "bad").exists()
