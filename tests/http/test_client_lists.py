"""The operator can tell who gets in: every client of every organisation, and how each proves itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.parties import Role, Scope
from tests.http.test_bad_input import assert_problem
from tests.http.test_cli import Console
from tests.support.small_exchange import BRAND, PAYERS, SmallExchange, public

OPERATOR = "overseer"
CLIENTS = f"/v1/organisations/{BRAND}/clients"
URL = "https://helix.example/jwks.json"
ISSUER = "https://login.example/tenant/v2.0"
READS = frozenset({Scope.STATISTICS_READ, Scope.LEDGER_READ})


@pytest.fixture
def small(migrated_sqlite_url: str) -> Iterator[SmallExchange]:
    """The brand has a client of each kind, and one that is revoked."""
    exchange = SmallExchange(migrated_sqlite_url)
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    registering = exchange.wiring.registering
    registering.add_client(BRAND, "by-url", READS, jwks_url=URL)
    registering.add_client(BRAND, "by-issuer", READS, issuer=ISSUER, subject="app-7")
    registering.add_client(BRAND, "former", READS, jwks_url=f"{URL}?former")
    registering.revoke_client("former", "its key was stolen")
    yield exchange
    exchange.wiring.database.close()


@pytest.fixture
def console(small: SmallExchange, tmp_path: Path) -> Console:
    environment = {"PARLEY_DATABASE_URL": small.url, "PARLEY_WITNESS": str(tmp_path / "other.witness")}
    return Console(tmp_path, environment)


def test_every_client_is_listed_with_what_it_proves_itself_with(small: SmallExchange) -> None:
    listed = {line["id"]: line for line in small.get(OPERATOR, CLIENTS).get_json()["clients"]}

    key = public(small.client_keys[BRAND])
    assert list(listed) == sorted(["by-issuer", "by-url", "former", f"{BRAND}-client"])
    assert [each["kid"] for each in listed[f"{BRAND}-client"]["public_keys"]] == [key["kid"]]
    assert not {"jwks_url", "issuer"} & set(listed[f"{BRAND}-client"])
    assert listed["by-url"] == {
        "id": "by-url",
        "organisation": BRAND,
        "scopes": ["ledger.read", "statistics.read"],
        "jwks_url": URL,
        "created_at": small.clock.now().isoformat(),
        "revoked_at": None,
        "revocation_reason": None,
    }
    assert (listed["by-issuer"]["issuer"], listed["by-issuer"]["subject"]) == (ISSUER, "app-7")
    assert listed["former"]["revocation_reason"] == "its key was stolen"
    assert listed["former"]["revoked_at"] == small.clock.now().isoformat()
    assert "sierra-client" not in listed


def test_the_clients_of_nobody_are_not_found_and_no_party_reads_its_own(small: SmallExchange) -> None:
    assert_problem(small.get(OPERATOR, "/v1/organisations/nobody/clients"), 404, "organisation-not-found")
    assert_problem(small.get(BRAND, CLIENTS), 403, "scope-missing")


def test_the_console_lists_organisations_and_clients(console: Console, small: SmallExchange) -> None:
    organisations = console.done("org", "list")
    assert [line.split()[0] for line in organisations.splitlines()[1:]] == sorted(
        [*PAYERS, BRAND, "foreigner", OPERATOR]
    )
    assert (
        json.loads(console.done("org", "list", "--json"))["organisations"]
        == (small.get(OPERATOR, "/v1/organisations").get_json()["organisations"])
    )

    everybody = console.done("client", "list").splitlines()
    lines = {line.split()[0]: line for line in everybody}
    kid = public(small.client_keys[BRAND])["kid"]
    for client, said in {
        "by-url": URL,
        "by-issuer": f"tokens of {ISSUER} for app-7",
        f"{BRAND}-client": kid,
        "former": "its key was stolen",
    }.items():
        assert said in lines[client]
        assert f"  {BRAND} " in lines[client]
    assert "ledger.read, statistics.read" in lines["by-url"]
    assert len(everybody) == 1 + 3 + len([*PAYERS, BRAND, "foreigner", OPERATOR])
    own = console.done("client", "list", "--organisation", BRAND, "--json")
    assert json.loads(own)["clients"] == small.get(OPERATOR, CLIENTS).get_json()["clients"]
    assert "(organisation-not-found)" in console.refused("client", "list", "--organisation", "nobody")


# --- what would get nobody in


def register(console: Console, name: str, *proof: str, **environment: str) -> str:
    """What is said on standard error while it is registered all the same."""
    words = ("client", "add", name, "--organisation", BRAND, "--scope", "ledger.read", *proof)
    result = console.run(*words, **environment)
    assert result.exit_code == 0, result.output
    assert f"Client {name} of {BRAND} is registered" in result.stdout
    return str(result.stderr)


def test_a_url_that_is_never_fetched_is_warned_of(console: Console) -> None:
    inside = "https://127.0.0.1:8443/jwks.json"
    said = register(console, "inside", "--jwks-url", inside)
    assert said == (
        f"Warning: no keys are fetched from {inside} with the PARLEY_PRIVATE_KEY_HOSTS of this environment: "
        "the host has an address that is not public.\n"
    )
    for number, host in enumerate(("10.0.0.7", "[::1]", "169.254.169.254", "localhost")):
        assert "not public" in register(console, f"inside-{number}", "--jwks-url", f"https://{host}/jwks.json")
    allowed = {"PARLEY_PRIVATE_KEY_HOSTS": "127.0.0.1:8443,localhost"}
    assert register(console, "allowed", "--jwks-url", f"{inside}?allowed", **allowed) == ""
    assert register(console, "public", "--jwks-url", "https://8.8.8.8/jwks.json") == ""
    assert register(console, "by-name", "--jwks-url", "https://keys.example/jwks.json") == ""
    assert "not public" in console.run("client", "rotate", "public", "--jwks-url", "https://10.0.0.8/").stderr


def test_an_issuer_that_is_not_trusted_is_warned_of_where_the_trusted_ones_are_known(console: Console) -> None:
    trusted = {"issuer": ISSUER, "jwks_uri": URL, "audience": "api://parley", "shape": "entra"}
    path = console.write("issuers.json", {"issuers": [trusted]})
    known = {"PARLEY_ISSUERS_FILE": str(path)}

    said = register(console, "stranger", "--issuer", "https://other.example", "--subject", "a", **known)
    assert said == (
        f"Warning: {path} names no issuer https://other.example, so its tokens get nobody in; it names {ISSUER}.\n"
    )
    assert register(console, "known", "--issuer", ISSUER, "--subject", "b", **known) == ""
    assert register(console, "unsaid", "--issuer", "https://other.example", "--subject", "c") == ""
    absent = {"PARLEY_ISSUERS_FILE": str(console.folder / "absent.json")}
    assert register(console, "unread", "--issuer", "https://other.example", "--subject", "d", **absent) == ""


@pytest.mark.parametrize("use", ["client", "signing", "token", "receipt"])
def test_a_new_key_says_what_is_next_in_whole_lines(tmp_path: Path, use: str) -> None:
    said = Console(tmp_path, {}).done("keys", "new", "--use", use, "--out", tmp_path / "key.json")

    assert "\N{REPLACEMENT CHARACTER}" not in said
    assert len(said.splitlines()) == (5 if use == "signing" else 4)
