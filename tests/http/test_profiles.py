"""Profiles: who calls which exchange, said once, in a file that holds no secret."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from api.cli.calling import connect
from api.cli.output import Failure
from api.cli.profiles import Profile, profiles_path, read_profiles
from contracts.parties import JsonObject
from tests.http.test_cli import Console
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, fills, fills_row, small_contract
from tests.support.small_server import small_server


@pytest.fixture(scope="module")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    document = small_contract(effective="2026-01-01", expires="2099-12-31", purposes=["safety"])
    posted = [(payer, fills(rows=[fills_row(members=4000)])) for payer in PAYERS]
    with small_server(sqlite_template, tmp_path_factory.mktemp("served"), document, posted) as console:
        yield console


@pytest.fixture
def nobody(served: Console, tmp_path: Path) -> Console:
    """Somebody with no variable but where profiles are: in a folder that is not there yet."""
    return replace(served, environment={"PARLEY_PROFILES_FILE": str(tmp_path / "config" / "profiles.toml")}, printed=[])


def file_of(console: Console) -> Path:
    return Path(console.environment["PARLEY_PROFILES_FILE"])


def add(console: Console, served: Console, name: str, party: str = BRAND, *words: object) -> str:
    key = served.folder / f"{party}-client.json"
    url = ("--url", served.environment["PARLEY_URL"])
    return console.done("profile", "add", name, *url, "--client-id", f"{party}-client", "--client-key", key, *words)


def write(console: Console, text: str) -> Path:
    path = file_of(console)
    path.parent.mkdir()
    path.write_text(text)
    return path


def token_claims(token: str) -> JsonObject:
    return dict(json.loads(base64.urlsafe_b64decode(f"{token.split('.')[1]}==")))


# --- the file


def test_a_profile_is_for_its_owner_alone_and_holds_no_key(nobody: Console, served: Console) -> None:
    added = add(nobody, served, "default", BRAND, "--contract", CONTRACT)
    path = file_of(nobody)

    assert added == f"Profile default is in {path}.\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    secret = json.loads((served.folder / f"{BRAND}-client.json").read_text())["d"]
    assert secret not in path.read_text()
    shown = nobody.done("profile", "show", "default")
    for part in (served.environment["PARLEY_URL"], "client_id: helix-client", f"contract: {CONTRACT}", "-client.json"):
        assert part in shown
    assert secret not in "".join(nobody.printed)
    assert [child.name for child in path.parent.iterdir()] == ["profiles.toml"]


def test_what_others_wrote_in_the_file_stays_when_profiles_come_and_go(nobody: Console, served: Console) -> None:
    path = write(nobody, '# mine\n[first]\nurl = "https://a.example" # here\n')
    before = path.read_text()
    add(nobody, served, "second")
    add(nobody, served, "third", "sierra", "--only-scope", "ledger.read", "--only-scope", "statistics.read")
    nobody.done("profile", "remove", "second")

    assert path.read_text().startswith(before)
    assert [line.split()[0] for line in nobody.done("profile", "list").splitlines()] == ["profile", "first", "third"]
    nobody.done("profile", "remove", "third")
    assert path.read_text().strip() == before.strip()
    assert "There is no profile third" in nobody.refused("profile", "remove", "third")
    nobody.done("profile", "remove", "first")
    assert "Make one: parley profile add" in nobody.done("profile", "list")


def test_a_file_in_an_unforeseen_form_is_left_to_its_owner(nobody: Console) -> None:
    path = write(nobody, 'two = {url = "https://a.example"}\n[one]\nurl = "https://b.example"\n')
    for name in ("one", "two"):
        nobody.done("profile", "show", name)
    before = path.read_text()
    assert "edit it yourself" in nobody.refused("profile", "remove", "two")
    assert path.read_text() == before


def test_a_profile_that_could_not_work_is_not_added(nobody: Console, served: Console) -> None:
    key = served.folder / f"{BRAND}-client.json"
    words = ("profile", "add", "one", "--url", "https://a.example", "--client-id", "a", "--client-key")
    assert "There is no file" in nobody.refused(*words, served.folder / "absent.json")
    public = served.write("public.json", {k: v for k, v in json.loads(key.read_text()).items() if k != "d"})
    assert "holds a public key" in nobody.refused(*words, public)
    assert "is no name of a profile" in nobody.refused("profile", "add", "a b", *words[3:], key)
    assert "http or https" in nobody.refused(*words, key, "--url", "a.example", exit_code=2)
    assert "goes with --only-scope" in nobody.refused(*words, key, "--only-contract", CONTRACT, exit_code=2)
    assert not file_of(nobody).exists()
    nobody.done(*words, key)
    assert "parley profile remove one" in nobody.refused(*words, key)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[a]\nurl = "https://a.example"\nurl_ = 1\n', 3, "url_ is no setting of a profile; url is"),
        ("[a]\n\n# who\nclient_id = 7\n", 4, 'client_id is a text, like "this"'),
        ('[a]\nurl = ""\n', 2, "url is a text"),
        ('[a]\nurl = "x"\n[b]\nonly_scopes = "ledger.read"\n', 4, "only_scopes is a list of texts"),
        ('[a]\nonly_contracts = ["dsc-small"]\n', 2, "only_contracts goes with only_scopes"),
        ('url = "https://a.example"\n', 1, "url belongs under a [profile], like [default]"),
        ("[a]\nurl = https\n", 2, "this is not TOML"),
        ("[a]\n[a]\n", 2, "this is not TOML"),
    ],
)
def test_a_fault_in_the_file_is_said_with_its_line(nobody: Console, text: str, line: int, said: str) -> None:
    path = write(nobody, text)
    for words in (("profile", "list"), ("contract", "list")):
        message = nobody.refused(*words)
        assert message.startswith(f"Error: {path}, line {line}: ")
        assert said in message
        assert message.count("\n") == 1


def test_a_file_that_is_no_text_is_said_to_be_none(nobody: Console) -> None:
    write(nobody, "").write_bytes(b"\xff\xfe")
    assert "is not a text in UTF-8" in nobody.refused("profile", "list")


def test_the_file_is_where_programs_keep_their_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PARLEY_PROFILES_FILE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert profiles_path() == tmp_path / "xdg" / "parley" / "profiles.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert profiles_path() == tmp_path / ".config" / "parley" / "profiles.toml"
    assert read_profiles() == {}


# --- who calls


def test_the_default_profile_is_used_unasked_and_another_by_option_or_variable(
    nobody: Console, served: Console
) -> None:
    assert "parley profile add" in nobody.refused("coverage", CONTRACT, exit_code=2)
    add(nobody, served, "default")
    add(nobody, served, "payer", "sierra")

    assert "posted by you" not in nobody.done("coverage", CONTRACT)
    assert "posted by you: 2025-01" in nobody.done("coverage", CONTRACT, "--profile", "payer")
    assert "posted by you: 2025-01" in nobody.run("coverage", CONTRACT, PARLEY_PROFILE="payer").stdout
    assert "There is no profile payor in" in nobody.refused("coverage", CONTRACT, "--profile", "payor")
    assert "; payer is." in nobody.refused("coverage", CONTRACT, "--profile", "payor")


def test_options_and_variables_win_over_a_profile_and_a_forgotten_variable_is_mentioned(
    nobody: Console, served: Console
) -> None:
    add(nobody, served, "payer", "sierra")
    key = str(served.folder / "lakeshore-client.json")
    named = ("ledger", "show", CONTRACT, "--profile", "payer")

    by_option = nobody.run(*named, "--client-id", "lakeshore-client", "--client-key", key)
    assert (by_option.exit_code, by_option.stderr) == (0, "")
    who = {"PARLEY_CLIENT_ID": "lakeshore-client", "PARLEY_CLIENT_KEY_FILE": key}
    by_variable = nobody.run(*named, **who)
    assert by_variable.stdout == by_option.stdout != nobody.done(*named)
    assert by_variable.stderr == "".join(f"{name} is set, and wins over the profile payer.\n" for name in who)
    assert "cannot be reached" in nobody.refused(*named, "--url", "http://127.0.0.1:9")


def test_somebody_who_is_named_otherwise_has_nothing_of_the_default_profile(nobody: Console, served: Console) -> None:
    add(nobody, served, "default", BRAND, "--contract", "dsc-other", "--purpose", "safety")
    sierra = nobody.of("sierra")

    assert sierra.refused("coverage", CONTRACT).startswith("Error: The exchange at http://127.0.0.1:8000 cannot")
    at_home = replace(sierra, environment=sierra.environment | {"PARLEY_URL": served.environment["PARLEY_URL"]})
    assert "posted by you" in at_home.done("coverage", CONTRACT)
    assert "Which contract?" in at_home.refused("ask", exit_code=2)


def test_a_key_is_found_beside_the_profiles_and_warned_of_where_others_may_read_it(
    nobody: Console, served: Console
) -> None:
    key = served.folder / f"{BRAND}-client.json"
    url = served.environment["PARLEY_URL"]
    path = write(nobody, f'[default]\nurl = "{url}"\nclient_id = "helix-client"\nclient_key_file = "mine.json"\n')
    beside = path.parent / "mine.json"
    beside.touch(mode=0o600)
    beside.write_bytes(key.read_bytes())

    assert nobody.run("coverage", CONTRACT).stderr == ""
    beside.chmod(0o640)
    warned = nobody.run("coverage", CONTRACT)
    assert warned.exit_code == 0
    assert warned.stderr == (
        f"Warning: others on this machine may read {beside}. Keep it to yourself: chmod 600 {beside}\n"
    )
    words = ("profile", "add", "again", "--url", url, "--client-id", "helix-client", "--client-key", beside)
    assert "chmod 600" in nobody.run(*words).stderr
    assert read_profile(path, "again").client_key_file == Path("mine.json")


def read_profile(path: Path, name: str) -> Profile:
    with pytest.MonkeyPatch.context() as here:
        here.setenv("PARLEY_PROFILES_FILE", str(path))
        return read_profiles()[name]


def test_receipt_keys_come_from_the_exchange_of_the_profile(nobody: Console, served: Console, tmp_path: Path) -> None:
    add(nobody, served, "default")
    nobody.done("receipt", "keys", "--out", tmp_path / "keys.json")
    assert json.loads((tmp_path / "keys.json").read_text())["issuer"] == served.environment["PARLEY_URL"]


# --- what is asked


def test_a_profile_with_a_contract_is_asked_without_naming_it(nobody: Console, served: Console) -> None:
    add(nobody, served, "default", BRAND, "--contract", CONTRACT)
    words = ("--periods", "2025-01", "--by", "region")

    assert nobody.done("ask") == nobody.done("ask", CONTRACT)
    assert nobody.done("ask", "pdc_pooled", *words) == nobody.done("ask", CONTRACT, "pdc_pooled", *words)
    counted = ("--feed", "fills", *words)
    assert nobody.done("ask", "counts", *counted) == nobody.done("ask", CONTRACT, "counts", *counted)
    assert "did you mean adherence_rate?" in nobody.refused("ask", "adherance_rate")
    assert "no such contract" in nobody.refused("ask", "dsc-other")
    assert "no such contract" in nobody.refused("ask", "adherence_rate", "--contract", "dsc-other")


def test_what_reads_takes_the_contract_of_the_profile_where_none_is_named(nobody: Console, served: Console) -> None:
    add(nobody, served, "default", "sierra", "--contract", CONTRACT)
    for command in (("coverage",), ("ledger", "show"), ("contract", "show"), ("audit", "show")):
        assert nobody.done(*command) == nobody.done(*command, CONTRACT)
        assert "no such contract" in nobody.refused(*command, "dsc-other")
    packet = nobody.folder / "packet"
    nobody.done("contract", "evidence", "--out", packet)
    assert f'"{CONTRACT}"' in (packet / "contract.json").read_text()


def test_a_period_is_posted_under_the_contract_of_the_profile_and_one_word_is_the_file(
    nobody: Console, served: Console
) -> None:
    add(nobody, served, "default", "sierra", "--contract", CONTRACT)
    add(nobody, served, "bare", "sierra")
    cells = nobody.write("cells.json", {"rows": [fills_row(members=4000)]})
    words = ("--feed", "fills", "--period", "2025-02")

    assert "Which contract? Name it first" in nobody.refused("submit", cells, *words, "--profile", "bare", exit_code=2)
    assert "Missing argument" in nobody.refused("submit", *words, exit_code=2)
    assert "Of several files each says itself what it is of" in nobody.refused(
        "submit", CONTRACT, cells, cells, *words, exit_code=2
    )
    assert "no such contract" in nobody.refused("submit", "dsc-other", cells, *words)
    assert "fills 2025-02" in nobody.done("submit", cells, *words)
    assert "(period-taken)" in nobody.refused("submit", CONTRACT, cells, *words)


def test_whoever_must_say_who_calls_is_told_of_profiles(nobody: Console) -> None:
    receipt = nobody.write("receipt.json", {})
    for words in (
        ("contract", "diff", CONTRACT, "--from", "1", "--to", "2"),
        ("contract", "evidence", CONTRACT, "--out", "packet"),
        ("ledger", "verify", "--contract", CONTRACT),
        ("receipt", "verify", receipt, "--ledger"),
        ("coverage",),
    ):
        assert "`parley profile add` makes one" in nobody.refused(*words, exit_code=2)


def test_the_purpose_of_a_profile_is_stated_unless_another_is(nobody: Console, served: Console) -> None:
    add(nobody, served, "default", BRAND, "--contract", CONTRACT, "--purpose", "safety")
    words = ("ask", "pdc_pooled", "--periods", "2025-01", "--json")

    assert json.loads(nobody.done(*words))["purpose"] == "safety"
    assert json.loads(nobody.done(*words, "--purpose", "outcomes_research"))["purpose"] == "outcomes_research"


def test_a_narrow_profile_gets_narrow_tokens(nobody: Console, served: Console) -> None:
    only = ("--only-scope", "statistics.read", "--only-contract", CONTRACT)
    add(nobody, served, "default", BRAND, *only)
    add(nobody, served, "elsewhere", BRAND, *only[:2], "--only-contract", "dsc-other")

    claimed = token_claims(nobody.done("token"))
    assert claimed["scope"] == "statistics.read"
    assert [detail["identifier"] for detail in claimed["authorization_details"]] == [CONTRACT]
    nobody.done("coverage", CONTRACT)
    assert "(scope-missing)" in nobody.refused("ledger", "show", CONTRACT)
    assert "(authorization-details-insufficient)" in nobody.refused("coverage", CONTRACT, "--profile", "elsewhere")


# --- from Python


def test_a_script_connects_by_the_same_rules(served: Console, nobody: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    add(nobody, served, "default")
    add(nobody, served, "payer", "sierra")
    for name in ("URL", "CLIENT_ID", "CLIENT_KEY_FILE", "PROFILE"):
        monkeypatch.delenv(f"PARLEY_{name}", raising=False)
    monkeypatch.setenv("PARLEY_PROFILES_FILE", str(file_of(nobody)))

    with connect() as brand, connect("payer") as payer:
        assert brand.ledger(CONTRACT)["population"] == "helix-members"
        assert payer.ledger(CONTRACT)["population"] == "sierra-members"
    monkeypatch.setenv("PARLEY_PROFILE", "payer")
    with connect() as payer:
        assert payer.ledger(CONTRACT)["population"] == "sierra-members"
    monkeypatch.setenv("PARLEY_URL", "http://127.0.0.1:9")
    with connect() as nowhere, pytest.raises(httpx.ConnectError):
        nowhere.coverage(CONTRACT)
    monkeypatch.delenv("PARLEY_PROFILE")
    monkeypatch.setenv("PARLEY_CLIENT_ID", "sierra-client")
    with pytest.raises(Failure, match="Who calls"):
        connect()
