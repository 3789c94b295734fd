"""The command line, from an empty folder to an answer: a real server, and every step by a command."""

import csv
import io
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner
from werkzeug.serving import make_server

from api.app import create_app
from api.cli import main
from api.settings import read_settings
from contracts.parties import JsonObject
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, fills_row, small_contract

PARTY_SCOPES = (
    "contracts.read,contracts.write,contracts.sign,submissions.write,statistics.read,ledger.read,audit.read,keys.write"
)
ROWS = [fills_row(), fills_row("south", "M", members=60)]


@dataclass
class Console:
    """Runs commands as one party, in one folder, and keeps all that they print."""

    folder: Path
    environment: dict[str, str]
    printed: list[str] = field(default_factory=list)

    def run(self, *words: object, answer: str | None = None, **environment: str) -> Any:
        settings_of_this_machine = {name: None for name in os.environ if name.startswith("PARLEY_")}
        settings = {**settings_of_this_machine, **self.environment, **environment}
        result = CliRunner().invoke(main, [str(word) for word in words], input=answer, env=settings)
        self.printed.append(result.output)
        return result

    def done(self, *words: object, answer: str | None = None) -> str:
        """What a command prints that does what it is told."""
        result = self.run(*words, answer=answer)
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    def refused(self, *words: object, exit_code: int = 1, answer: str | None = None, **environment: str) -> str:
        """What a command says on standard error that fails as expected."""
        result = self.run(*words, answer=answer, **environment)
        assert result.exit_code == exit_code, result.output
        assert isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        return str(result.stderr)

    def of(self, party: str) -> "Console":
        return replace(
            self,
            environment={
                **self.environment,
                "PARLEY_CLIENT_ID": f"{party}-client",
                "PARLEY_CLIENT_KEY_FILE": str(self.folder / f"{party}-client.json"),
            },
        )

    def write(self, name: str, content: object) -> Path:
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def sign(self, party: str, *words: object, contract: str = CONTRACT, answer: str | None = None) -> Any:
        key = self.folder / f"{party}-signing.json"
        signer = ("--name", f"Ann of {party}", "--title", "Privacy Officer")
        return self.of(party).run("contract", "sign", contract, "--key", key, *signer, *words, answer=answer)

    def submit(self, party: str, path: Path, period: str = "2025-01", *words: object) -> str:
        return self.of(party).done("submit", CONTRACT, path, "--feed", "fills", "--period", period, *words)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """An empty folder, and the address that its exchange is going to have."""
    folder = tmp_path_factory.mktemp("console")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Console(
        folder,
        {
            "PARLEY_DATABASE_URL": f"sqlite:///{folder / 'parley.sqlite'}",
            "PARLEY_PORT": str(port),
            "PARLEY_URL": f"http://127.0.0.1:{port}",
            "PARLEY_LOG_LEVEL": "error",
        },
    )


@pytest.fixture(scope="module")
def registered(console: Console) -> Console:
    """The operator has registered three payers and a brand, each with population, client and signing key."""
    console.done("migrate")
    for party in (*PAYERS, BRAND):
        role = "brand" if party == BRAND else "payer"
        console.done("org", "add", party, "--name", party.title(), "--role", role)
        console.done("population", "add", f"{party}-members", "--organisation", party, "--rho", "0.1")
        for use in ("client", "signing"):
            console.done("keys", "new", "--use", use, "--out", console.folder / f"{party}-{use}.json")
        add_client(console, f"{party}-client", party, PARTY_SCOPES)
        signing = console.folder / f"{party}-signing.pub.json"
        console.done("keys", "add", "--organisation", party, "--public-key", signing)
    return console


def add_client(console: Console, client_id: str, party: str, scopes: str) -> None:
    key = console.folder / f"{party}-client.pub.json"
    console.done("client", "add", client_id, "--organisation", party, "--scope", scopes, "--public-key", key)


@pytest.fixture(scope="module")
def served(registered: Console) -> Iterator[Console]:
    """The same, with its exchange up."""
    app = create_app(read_settings(registered.environment))
    port = int(registered.environment["PARLEY_PORT"])
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield registered
    server.shutdown()
    thread.join()
    server.server_close()
    app.extensions["parley"].database.close()


def contract_yaml(**changes: Any) -> str:
    """A contract as people write it: dates and decimals without quotes."""
    document = small_contract(effective="2026-01-01", expires="2099-12-31", **changes)
    return yaml.safe_dump(document, sort_keys=False).replace("'", "")


@pytest.fixture(scope="module")
def agreed(served: Console) -> Console:
    """The same, with the small contract in force."""
    brand = served.of(BRAND)
    brand.done("contract", "draft", served.write("contract.yaml", contract_yaml(feeds=feeds_with_quoted_years())))
    brand.done("contract", "propose", CONTRACT)
    for party in (*PAYERS, BRAND):
        result = served.sign(party, "--yes")
        assert result.exit_code == 0, result.output
    return served


def feeds_with_quoted_years() -> list[JsonObject]:
    """A bare 2025 is a whole number in YAML, so the test's contract has feeds by month only."""
    return [feed for feed in small_contract()["feeds"] if feed["grain"] == "month"]


def csv_text(rows: list[JsonObject]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@pytest.fixture(scope="module")
def posted(agreed: Console) -> Console:
    """The same, with one month of fills by every payer, each in another form."""
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    blueridge, lakeshore, sierra = PAYERS
    agreed.submit(blueridge, agreed.write("rows.json", {"rows": ROWS}))
    agreed.submit(lakeshore, agreed.write("columns.json", {"columns": columns}))
    agreed.submit(sierra, agreed.write("cells.csv", csv_text(ROWS)))
    return agreed


def test_a_contract_is_shown_with_its_parties_feeds_ceilings_and_signatures(agreed: Console) -> None:
    shown = agreed.of("sierra").done("contract", "show", CONTRACT)
    assert "in_force" in shown
    assert "2026-01-01 to 2099-12-31" in shown
    assert "sierra-members" in shown
    assert "Ann of sierra, Privacy Officer" in shown
    assert "12 months, 2025-01 to 2025-12" in shown
    assert "one person in everything: rho 0.4 (epsilon" in shown
    whole = json.loads(agreed.of("sierra").done("contract", "show", CONTRACT, "--json"))
    assert whole["document"]["feeds"][0]["plan"]["draws"]
    assert CONTRACT in agreed.of("sierra").done("contract", "list")


def test_a_signer_sees_what_is_signed_and_is_asked(served: Console) -> None:
    feeds = feeds_with_quoted_years()
    path = served.write("second.yaml", contract_yaml(id="dsc-second", feeds=feeds))
    served.of(BRAND).done("contract", "draft", path)
    early = served.sign(BRAND, contract="dsc-second", answer="y\n")
    assert "not proposed" in early.stderr

    digest = served.of(BRAND).done("contract", "propose", "dsc-second").split("Digest: ")[1].split()[0]
    declined = served.sign("sierra", contract="dsc-second", answer="n\n")
    assert declined.exit_code == 1
    assert "Nothing is signed." in declined.stderr
    signed = served.sign("sierra", contract="dsc-second", answer="y\n")
    assert signed.exit_code == 0
    for words in ("A small contract", digest, "sierra-members: rho 0.1", "Ann of sierra, Privacy Officer"):
        assert words in signed.stdout
    assert "waiting for blueridge, lakeshore, helix" in signed.stdout


@pytest.mark.parametrize("party", PAYERS)
def test_cells_as_rows_as_columns_and_as_csv_are_all_posted(posted: Console, party: str) -> None:
    coverage = posted.of(party).done("coverage", CONTRACT)
    assert "posted by you: 2025-01" in coverage


def test_a_restatement_is_posted_by_its_number(posted: Console) -> None:
    path = posted.write("rows.json", {"rows": ROWS})
    words = ("submit", CONTRACT, path, "--feed", "fills", "--period", "2025-01", "--restatement", 1)
    message = posted.of("lakeshore").refused(*words)
    assert "(restatement-not-planned)" in message
    assert "/restatement: the contract schedules no restatement of each period of fills" in message
    assert "Submission id" not in message


def test_no_cells_are_read_or_sent_for_a_period_that_the_exchange_would_refuse(posted: Console) -> None:
    words = ("submit", CONTRACT, posted.folder / "absent.csv", "--feed", "fills", "--period")
    message = posted.of("lakeshore").refused(*words, "2031-01")
    assert "(period-outside-contract)" in message
    assert "/period: the feed's periods run from 2025-01 to 2025-12" in message


def test_a_submission_is_repeated_by_its_id_and_debits_nothing_again(posted: Console) -> None:
    words = (
        "submit",
        CONTRACT,
        posted.write("rows.json", {"rows": ROWS}),
        "--feed",
        "fills",
        "--period",
        "2025-02",
    )
    first = posted.of("sierra").run(*words)
    submission_id = first.stderr.split("Submission id: ")[1].split()[0]
    again = posted.of("sierra").run(*words, "--submission-id", submission_id, "--json")
    receipt = json.loads(again.stdout)
    assert receipt["replayed"]
    assert receipt["release_id"] in first.stdout
    assert f"Balance:  rho {receipt['balance']['rho']}\n" in first.stdout


def test_an_answer_is_a_table_with_what_must_be_known_to_read_it(posted: Console) -> None:
    brand = posted.of(BRAND)
    assert "adherence_rate" in brand.done("ask", CONTRACT)
    words = ("ask", CONTRACT, "counts", "--feed", "fills", "--by", "region", "--by", "month", "--periods")
    table = brand.done(*words, "2025-01..2025-03", "--measures", "members")
    heading, *lines = table.splitlines()
    assert heading.split() == ["region", "month", "figure", "value", "interval", "unit", "flags"]
    shown = {tuple(line.split()[:2]): line.split()[3] for line in lines[:6]}
    assert shown["south", "2025-01"].isdecimal()
    assert shown["south", "2025-02"] == "missing"  # one payer has posted it, and three open a pool
    assert shown["south", "2025-03"] == "missing"
    assert "missing: 2025-02..2025-03" in " ".join(table.split())
    for words_below in (
        "Interval (95%):",
        "Coverage: fills, 1 of 3 periods",
        "Privacy: at most epsilon ",
    ):
        assert words_below in table
    assert all(len(line) <= 100 for line in table.partition("\n\n")[2].splitlines())
    assert "One person in everything:" not in table
    answer = json.loads(brand.done(*words, "2025-01", "--where", "region:north,sex:F", "--json"))
    assert {row["key"]["region"] for row in answer["rows"]} == {"north"}


def test_an_answer_as_of_a_measurement_is_explained_on_demand(posted: Console) -> None:
    words = ("ask", CONTRACT, "pdc_pooled", "--by", "region", "--periods", "2025-01", "--as-of", "first", "--explain")
    table = posted.of(BRAND).done(*words)
    plain, explained = table.split("How each figure was reckoned")
    assert "Releases used: 3, as of first" in plain
    assert "One person in everything: rho " in plain
    assert explained.count("days_covered / treatment_days = ") == 2
    assert "Measurement plan of fills: one release charges rho " in explained
    assert "Releases: 3 of fills (first measurement); your own: 0." in explained
    assert "Why it is private: Each release was drawn once" in explained
    answer = json.loads(posted.of(BRAND).done(*words, "--json"))
    assert (answer["as_of"], len(answer["explanation"]["rows"])) == ("first", 2)
    refused = posted.of(BRAND).refused("ask", CONTRACT, "pdc_pooled", "--as-of", "restatement_1")
    assert "/as_of: fills can be asked as of latest, first, final" in refused


def test_the_ledger_shows_every_entry_and_what_they_add_up_to(posted: Console) -> None:
    shown = posted.of("lakeshore").done("ledger", "show", CONTRACT)
    statement = json.loads(posted.of("lakeshore").done("ledger", "show", CONTRACT, "--json"))
    grant, debit = statement["entries"]
    assert grant["kind"] == "grant"
    assert "+0.1" in shown
    assert f"-{debit['increment']['rho']}" in shown
    assert f"Balance:                  rho {statement['balance']['rho']}" in shown
    assert grant["explanation"] in shown
    assert debit["explanation"] in shown
    assert f"{CONTRACT}: {statement['derivation'][0]['explanation']}" in shown


def test_a_party_and_the_operator_each_reckon_the_ledger_up_again(posted: Console) -> None:
    own = posted.of("lakeshore").done("ledger", "verify", "--contract", CONTRACT)
    lost = json.loads(posted.of("lakeshore").done("ledger", "show", CONTRACT, "--json"))["lifetime"]["rho"]
    assert own.startswith(f"lakeshore-members: 2 entries; loss rho {lost}, as recorded\n")
    assert "Not to be seen from here" in own
    assert f"lakeshore-members: 2 entries, 1 release; loss rho {lost}, as recorded\n" in posted.done("ledger", "verify")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("north,F,12.5,1,2", "line 3, column members: a measure is a whole number"),
        ("north,F,*,1,2", "line 3, column members: post the true count"),
        ("north,F,-4,1,2", "line 3, column members: a measure is not negative"),
        ("north,F, 4,1,2", "line 3, column members: a measure is a whole number"),
        ("east,F,4,1,2", "line 3, column region: region is one of north, south"),
        ("south,M,1,1,2", "line 3, column region: this stratum occurs before"),
        ("north,F,4,9,2", "line 3, column days_covered: the contract says days_covered <= treatment_days"),
        ("north,F,4,1", "line 3: 4 fields under a header of 5"),
        ('"north,F,4,1,2', "line 3: this is not CSV"),
    ],
)
def test_a_bad_value_of_a_csv_is_named_by_line_and_column(agreed: Console, line: str, said: str) -> None:
    good = "region,sex,members,days_covered,treatment_days\nsouth,M,10,1,2\n"
    path = agreed.write("bad.csv", good + line + "\n")
    words = ("submit", CONTRACT, path, "--feed", "fills", "--period", "2025-03")
    assert said in agreed.of("sierra").refused(*words)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"rows": [fills_row(members=1.0)]}, "/rows/0/members: a measure is a whole number"),
        ({"columns": {"region": ["north"]}}, "/columns/members: every dimension and measure is needed"),
        ({"cells": []}, 'is neither {"rows": [...]} nor {"columns": {...}}'),
        ('{"rows": [], "rows": []}', "has the same name twice"),
        ("rows", "not well-formed JSON"),
    ],
)
def test_bad_json_cells_are_not_sent(agreed: Console, content: object, said: str) -> None:
    words = ("submit", CONTRACT, agreed.write("bad.json", content), "--feed", "fills", "--period", "2025-03")
    message = agreed.of("sierra").refused(*words)
    assert said in message
    assert "Submission id" not in message


def test_a_fault_of_a_draft_is_named_by_its_pointer(served: Console) -> None:
    path = served.write("faulty.yaml", contract_yaml(id="dsc-faulty", purpose="Not a name"))
    message = served.of(BRAND).refused("contract", "draft", path)
    assert "(input-invalid)" in message
    assert "  /purpose: a name" in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id: a\ntitle: b\nid: c\n", "line 1: a key stands twice"),
        ("id: [a\n", "line 2"),
        ("- a\n- b\n", "holds no object"),
        ("id: !!timestamp 2025-01-01\n", "decimals and dates are written as text"),
    ],
)
def test_yaml_that_could_be_misread_is_refused(served: Console, content: str, said: str) -> None:
    path = served.write("loose.yaml", content)
    assert said in served.of(BRAND).refused("contract", "draft", path)


def test_what_belongs_to_nobody_who_asks_is_one_sentence(agreed: Console) -> None:
    foreigner = agreed.of("sierra").refused("contract", "show", "dsc-elsewhere")
    assert foreigner == ("Error: There is no such contract among those you are a party to. (contract-not-found)\n")
    wrong_feed = agreed.of("sierra").refused(
        "submit",
        CONTRACT,
        agreed.write("rows.json", {"rows": ROWS}),
        "--feed",
        "pills",
        "--period",
        "2025-01",
    )
    assert wrong_feed == "Error: The contract has no feed of this name; it has fills, support.\n"


def test_a_client_without_the_scope_is_told_which_it_needs(agreed: Console) -> None:
    add_client(agreed, "sierra-reader", "sierra", "statistics.read")
    message = agreed.of("sierra").refused("ledger", "show", CONTRACT, PARLEY_CLIENT_ID="sierra-reader")
    assert message == "Error: This needs the scope ledger.read. (scope-missing)\n"


def test_a_token_is_printed_alone_for_other_programs(served: Console) -> None:
    token = served.of("sierra").done("token").strip()
    answer = httpx.get(
        f"{served.environment['PARLEY_URL']}/v1/contracts",
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
    )
    assert answer.status_code == 200


def test_a_token_is_narrowed_and_taken_back(served: Console) -> None:
    sierra, contracts = served.of("sierra"), f"{served.environment['PARLEY_URL']}/v1/contracts"
    only = ("token", "--only-scope", "contracts.read", "--only-contract")

    def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{contracts}/{CONTRACT}", headers=headers, trust_env=False).status_code

    narrowed, elsewhere = (sierra.done(*only, contract_id).strip() for contract_id in (CONTRACT, "dsc-elsewhere"))
    assert (status(narrowed), status(elsewhere)) == (200, 403)
    sierra.done("token", "--revoke", narrowed)
    assert status(narrowed) == 401
    assert "--only-scope" in sierra.refused("token", "--only-contract", CONTRACT, exit_code=2)


def test_an_unknown_client_gets_no_token(served: Console) -> None:
    message = served.of("sierra").refused("contract", "list", PARLEY_CLIENT_ID="nobody")
    assert message.startswith("Error: No access token was granted: invalid_client")
    assert message.count("\n") == 1


def test_an_exchange_that_is_down_is_named(registered: Console) -> None:
    message = registered.of("sierra").refused("contract", "list", PARLEY_URL="http://127.0.0.1:9")
    assert message == "Error: The exchange at http://127.0.0.1:9 cannot be reached.\n"
    assert "http or https" in registered.of("sierra").refused("contract", "list", exit_code=2, PARLEY_URL="127.0.0.1:9")


def test_key_files_that_do_not_fit_are_refused_before_anything_is_sent(registered: Console) -> None:
    sierra = registered.of("sierra")
    absent = registered.folder / "absent.json"
    assert sierra.refused("contract", "list", "--client-key", absent) == f"Error: There is no file {absent}.\n"
    public = registered.folder / "sierra-client.pub.json"
    assert "holds a public key" in sierra.refused("contract", "list", "--client-key", public)
    private = registered.folder / "sierra-signing.json"
    words = ("keys", "add", "--organisation", "sierra", "--public-key", private)
    assert "holds a private key" in registered.refused(*words)
    assert "holds no JWK" in registered.refused(*words[:-1], registered.write("list.json", []))


def test_keys_are_for_their_owner_alone_and_never_overwritten(registered: Console) -> None:
    path = registered.folder / "sierra-client.json"
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "d" not in json.loads((registered.folder / "sierra-client.pub.json").read_text())
    for out in (path, path.with_name("other.json")):
        (registered.folder / "other.pub.json").touch()
        message = registered.refused("keys", "new", "--use", "client", "--out", out)
        assert "exists and is not overwritten" in message
    assert path.read_bytes() == before
    assert not path.with_name("other.json").exists()


def test_registering_is_checked_as_over_http(registered: Console) -> None:
    assert "/id: an id" in registered.refused("org", "add", "Sierra!", "--name", "S", "--role", "payer")
    assert "(already-exists)" in registered.refused("org", "add", "sierra", "--name", "S", "--role", "payer")
    words = ("population", "add", "second", "--organisation", "sierra", "--rho")
    assert "(attestation-missing)" in registered.refused(*words, "0.1")
    assert "/rho: a decimal number" in registered.refused(*words, "much")
    registered.done(*words, "0.1", "--attestation", "No person is in both: separate legal entities.")
    key = registered.folder / "sierra-client.pub.json"
    boss = ("client", "add", "boss", "--organisation", "sierra", "--public-key", key, "--scope")
    assert "/scopes: org.admin is for clients of the operator" in registered.refused(*boss, "org.admin")
    assert "/scopes/0" in registered.refused(*boss, "everything")


def test_a_database_that_is_not_migrated_is_refused_with_the_command_to_run(tmp_path: Path) -> None:
    fresh = Console(tmp_path, {"PARLEY_DATABASE_URL": f"sqlite:///{tmp_path / 'parley.sqlite'}"})
    for words in (("serve",), ("org", "add", "sierra", "--name", "S", "--role", "payer")):
        message = fresh.refused(*words)
        assert "run `parley migrate`" in message
        assert message.count("\n") == 1


def test_production_is_refused_without_its_secrets(tmp_path: Path) -> None:
    bare = Console(tmp_path, {"PARLEY_ENVIRONMENT": "production"})
    message = bare.refused("serve")
    assert "production needs PARLEY_DATABASE_URL; production needs PARLEY_TOKEN_KEY" in message
    assert message.count("\n") == 1
    assert bare.refused("migrate") == "Error: production needs PARLEY_DATABASE_URL.\n"
    url = f"sqlite:///{tmp_path / 'parley.sqlite'}"
    whole = {"PARLEY_ISSUER": "https://parley.example", "PARLEY_TOKEN_KEY": "{}", "PARLEY_DATABASE_URL": url}
    whole |= {"PARLEY_WITNESS": str(tmp_path / "witness"), "PARLEY_RECEIPT_KEY": "{}"}
    configured = Console(tmp_path, bare.environment | whole)
    assert "a step of its own" in configured.refused("serve", "--migrate", exit_code=2)
    configured.done("migrate")
    assert configured.refused("serve").startswith("Error: PARLEY_TOKEN_KEY: ")


def test_no_command_has_printed_a_private_key(posted: Console) -> None:
    private_files = [path for use in ("client", "signing") for path in posted.folder.glob(f"*-{use}.json")]
    assert len(private_files) == 2 * (len(PAYERS) + 1)
    printed = "".join(posted.printed)
    for path in private_files:
        assert json.loads(path.read_text())["d"] not in printed


def test_a_file_without_strata_is_posted_only_when_that_is_said_to_be_meant(agreed: Console) -> None:
    path = agreed.write("nothing.json", {"rows": []})
    words = ("submit", CONTRACT, path, "--feed", "fills", "--period", "2025-11")

    assert "--empty" in agreed.of("sierra").refused(*words)
    assert "debited" in agreed.of("sierra").done(*words, "--empty").lower()


def test_a_grant_raises_the_ceiling_and_stays_in_the_ledger_with_its_reason(agreed: Console) -> None:
    said = agreed.done("population", "grant", "lakeshore-members", "--rho", "0.05", "--reason", "amendment 2, signed")

    assert "0.15" in said
    shown = json.loads(agreed.of("lakeshore").done("ledger", "show", CONTRACT, "--json"))
    grants = [entry["event"] for entry in shown["entries"] if entry["kind"] == "grant"]
    assert grants[-1] == {"granted_nano": 50_000_000, "reason": "amendment 2, signed"}
    assert shown["granted"]["rho"] == "0.15"


@pytest.mark.parametrize(
    ("population", "rho", "said"),
    [("nobody-members", "0.1", "no population of this name"), ("sierra-members", "0", "lies above 0")],
)
def test_a_grant_that_makes_no_sense_is_refused(registered: Console, population: str, rho: str, said: str) -> None:
    assert said in registered.refused("population", "grant", population, "--rho", rho, "--reason", "x")
