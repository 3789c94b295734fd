"""Clients whose keys are at a URL of theirs (SMART App Launch 2.2, Backend Services): they get in, and nobody else by
way of it."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
import trustme
from structlog.testing import capture_logs

from adapters.client.tokens import ASSERTION_TYPE
from adapters.database.stores.parties import SqlPartyStore
from api.auth import client_keys
from api.auth.keys import new_private_jwk
from api.settings import SettingsInvalid, read_settings
from contracts.parties import JsonObject, Role, Scope
from tests.http.exchange import assert_not_authenticated, signed
from tests.http.test_bad_input import assert_problem
from tests.http.test_client_assertions import NOT_OURS
from tests.support.key_server import KeyServer, document, rsa_key
from tests.support.small_exchange import ISSUER, SmallExchange, public

OPERATOR = "overseer"
CLIENT = "sierra-app"
CLIENTS = "/v1/organisations/sierra/clients"
KEY = new_private_jwk("ES384")
RSA = rsa_key()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyServer]:
    authority, path = trustme.CA(), tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    with pytest.MonkeyPatch.context() as patched, KeyServer(authority, "localhost").serving() as server:
        patched.setenv("SSL_CERT_FILE", str(path))
        yield server


@pytest.fixture
def server(running: KeyServer) -> KeyServer:
    running.paths.clear()
    running.publish(public(KEY))
    return running


@pytest.fixture
def small(migrated_sqlite_url: str, server: KeyServer) -> Iterator[SmallExchange]:
    """With one client more, whose keys are at the server: an internal one, which the settings name."""
    exchange = SmallExchange(
        migrated_sqlite_url,
        settings_changes={"PARLEY_PRIVATE_KEY_HOSTS": f"localhost:{server.port}", "PARLEY_LOG_LEVEL": "warning"},
    )
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    registered = exchange.post(OPERATOR, CLIENTS, body(CLIENT, address(server)))
    assert registered.status_code == 201, registered.get_json()
    yield exchange
    exchange.wiring.database.close()


def address(server: KeyServer, path: str = "/jwks.json") -> str:
    return f"https://localhost:{server.port}{path}"


def body(client: str, url: str) -> JsonObject:
    return {"id": client, "scopes": ["contracts.read"], "jwks_url": url}


def ask(
    small: SmallExchange,
    key: JsonObject = KEY,
    header: JsonObject | None = None,
    client: str = CLIENT,
    path: str = "/oauth/token",
    **changes: Any,
) -> Any:
    now = int(small.clock.now().timestamp())
    token_claims = {"iss": client, "sub": client, "aud": f"{ISSUER}/oauth/token", "exp": now + 240, "jti": str(uuid4())}
    header = {"alg": key["alg"], "kid": key["kid"], "typ": "JWT", **(header or {})}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed(key, header, {**token_claims, **changes}),
        **({"token": "any"} if path == "/oauth/revoke" else {}),
    }
    return small.app.test_client().post(path, data=form)


def forget(small: SmallExchange) -> None:
    """As after five minutes: nothing that was fetched is held any more."""
    vars(small.wiring).pop("published_keys", None)


@pytest.mark.parametrize("algorithm", ["RS384", "ES384", "ES256", "Ed25519", "EdDSA"])
def test_a_client_gets_a_token_by_a_key_that_it_publishes(
    small: SmallExchange, server: KeyServer, algorithm: str
) -> None:
    made = RSA if algorithm == "RS384" else new_private_jwk("Ed25519" if algorithm == "EdDSA" else algorithm)
    key = {**made, "alg": algorithm}
    server.publish({**public(key), "use": "sig", "alg": algorithm, "key_ops": ["verify"]})
    token = ask(small, key).get_json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert small.app.test_client().get("/v1/contracts", headers=headers).status_code == 200


def test_it_rotates_its_keys_by_itself(small: SmallExchange, server: KeyServer) -> None:
    assert ask(small).status_code == 200
    server.publish(public(KEY), public(RSA))
    forget(small)
    assert [ask(small, key).status_code for key in (KEY, RSA)] == [200, 200]
    server.publish(public(RSA))
    forget(small)
    assert ask(small, RSA).status_code == 200
    assert_not_authenticated(ask(small), NOT_OURS)


def test_kid_is_needed_even_for_a_single_key(small: SmallExchange, server: KeyServer) -> None:
    for kid in (None, "", "other", "\x00", "a" * 256):
        assert_not_authenticated(ask(small, header={"kid": kid}), NOT_OURS)
    assert ask(small).status_code == 200


def test_jku_may_say_what_is_registered_and_nothing_else(small: SmallExchange, server: KeyServer) -> None:
    url = address(server)
    assert ask(small, header={"jku": url}).status_code == 200
    asked = len(server.paths)
    others = (
        f"{url}?",
        f"{url}#",
        url.upper(),
        address(server, "/evil.json"),
        "https://evil.example/jwks.json",
        "",
        url[:-1],
    )
    for jku in others:
        assert_not_authenticated(ask(small, header={"jku": jku}), NOT_OURS)
    for jku in ([url], {"url": url}, 7, True):
        assert_not_authenticated(ask(small, header={"jku": jku}))
    theirs = new_private_jwk("ES384")
    assert_not_authenticated(ask(small, theirs, {"jku": url}), NOT_OURS)
    assert len(server.paths) == asked


def test_a_header_that_brings_a_key_is_refused_for_published_keys_too(small: SmallExchange) -> None:
    for header in ({"jwk": public(KEY)}, {"x5u": "https://evil.example/"}, {"x5c": ["MIIB"]}, {"crit": ["exp"]}):
        assert_not_authenticated(ask(small, header=header), NOT_OURS)


@pytest.mark.slow
def test_the_published_algorithm_of_a_key_is_the_only_one(small: SmallExchange, server: KeyServer) -> None:
    for said in ("RS256", "PS384", "RSA-OAEP", "ES384", "HS256", "none"):
        server.publish({**public(RSA), "alg": said})
        forget(small)
        assert_not_authenticated(ask(small, RSA), NOT_OURS)


def test_a_published_key_that_signs_contracts_of_its_organisation_authenticates_nobody(
    small: SmallExchange, server: KeyServer
) -> None:
    key = small.signing_keys["sierra"]
    server.publish(public(key))
    assert_not_authenticated(ask(small, key), NOT_OURS)


def test_nobody_locks_a_client_out_by_signing_with_a_key_that_it_publishes(
    small: SmallExchange, server: KeyServer
) -> None:
    """The operator asks for no proof that a first signing key is the organisation's own."""
    assert ask(small).status_code == 200
    small.wiring.registering.add_signing_key("helix", public(KEY))
    assert ask(small).status_code == 200


def test_the_published_key_of_a_revoked_client_authenticates_nobody(small: SmallExchange, server: KeyServer) -> None:
    """Also a key that it had rotated away before."""
    key, later = small.client_keys["sierra"], public(new_private_jwk("ES384"))
    server.publish(public(key))
    assert ask(small, key).status_code == 200
    small.wiring.registering.replace_client_keys("sierra-client", (later,))
    assert ask(small, key).status_code == 200
    small.wiring.registering.revoke_client("sierra-client", "stolen")
    assert_not_authenticated(ask(small, key), NOT_OURS)


def test_a_published_key_of_another_organisations_client_authenticates_nobody(
    small: SmallExchange, server: KeyServer
) -> None:
    key = small.client_keys["lakeshore"]
    server.publish(public(key))
    assert_not_authenticated(ask(small, key), NOT_OURS)


def test_a_revocation_reaches_those_who_share_key_or_url(small: SmallExchange, server: KeyServer) -> None:
    registering, reads = small.wiring.registering, frozenset({Scope.CONTRACTS_READ})
    key = small.client_keys["sierra"]
    registering.add_client("sierra", "same-url", reads, jwks_url=address(server).replace("localhost", "LOCALHOST."))
    registering.add_client("sierra", "same-key", reads, (public(key),))
    assert ask(small, key, client="same-key").status_code == 200
    small.wiring.registering.revoke_client("same-url", "stolen")
    small.wiring.registering.revoke_client("sierra-client", "stolen")
    assert_not_authenticated(ask(small), NOT_OURS)
    assert_not_authenticated(ask(small, key, client="same-key"), NOT_OURS)


def test_a_stranger_costs_no_look_at_who_else_has_the_key(
    small: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    look = SqlPartyStore.list_holders
    monkeypatch.setattr(SqlPartyStore, "list_holders", lambda self, proof: asked.append(proof) or look(self, proof))
    stranger = {**new_private_jwk("ES384"), "kid": KEY["kid"]}
    assert_not_authenticated(ask(small, stranger), NOT_OURS)
    assert asked == []
    assert ask(small).status_code == 200
    assert len(asked) == 2


def test_a_key_is_parsed_once(small: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would take longer to refuse who names a client than who names nobody."""
    assert ask(small).status_code == 200
    parsed: list[JsonObject] = []
    monkeypatch.setattr(client_keys, "import_sound_key", parsed.append)
    assert_not_authenticated(ask(small, {**new_private_jwk("ES384"), "kid": KEY["kid"]}), NOT_OURS)
    assert parsed == []


def test_slow_urls_of_clients_take_nothing_from_the_keys_of_issuers(small: SmallExchange) -> None:
    assert small.wiring.issuer_keys is not small.wiring.published_keys
    assert small.wiring.issuer_keys._waiting_max == small.settings.threads // 4 == 2


def test_where_too_many_wait_for_keys_one_is_told_to_come_again(small: SmallExchange, server: KeyServer) -> None:
    answer, go_on = server.answer, Event()

    def slowly(handler: Any) -> None:
        assert go_on.wait(10)
        answer(handler)

    server.answer = slowly
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(ask, small) for _ in range(2)]
        while small.wiring.published_keys._waiting < 2:
            time.sleep(0.001)
        for path in ("/oauth/token", "/oauth/revoke"):
            told = ask(small, path=path)
            assert (told.status_code, told.headers["Retry-After"]) == (503, "5")
            assert told.get_json()["error"] == "temporarily_unavailable"
            assert told.get_json()["type"] == "urn:parley:problem:temporarily-unavailable"
        assert small.get("helix", "/v1/contracts").status_code == 200
        go_on.set()
        assert [one.result().status_code for one in waiting] == [200, 200]
    assert ask(small).status_code == 200


def test_a_revoked_client_gets_nothing_and_its_url_is_not_asked_nor_registered_again(
    small: SmallExchange, server: KeyServer
) -> None:
    assert small.post(OPERATOR, f"{CLIENTS}/{CLIENT}/revocation", {"reason": "stolen"}).status_code == 200
    assert_not_authenticated(ask(small), NOT_OURS)
    assert server.paths == []
    assert_problem(small.post(OPERATOR, CLIENTS, body("second", address(server))), 409, "client-revoked")


def test_whatever_is_named_keys_are_fetched_once(small: SmallExchange, server: KeyServer) -> None:
    assert_not_authenticated(ask(small, client="nobody"), NOT_OURS)
    assert server.paths == []
    for number in range(20):
        assert_not_authenticated(ask(small, header={"kid": f"made-up-{number}"}), NOT_OURS)
    assert ask(small).status_code == 200
    assert len(server.paths) == 1


def test_keys_that_cannot_be_fetched_are_told_to_the_log_and_to_nobody_else(
    small: SmallExchange, server: KeyServer
) -> None:
    server.answer = document({"error": "secret-text"}, 500)
    with capture_logs() as lines:
        assert_not_authenticated(ask(small), NOT_OURS)
    told = {"event": "keys-unreachable", "client": CLIENT, "reason": "it answers with status 500"}
    assert [line for line in lines if line["event"] == "keys-unreachable"] == [{**told, "log_level": "warning"}]
    assert "secret-text" not in json.dumps(lines)


def test_what_is_no_jwk_set_lets_nobody_in(small: SmallExchange, server: KeyServer) -> None:
    for answer in (document(b"<html>"), document([public(KEY)]), document({"keys": [public(KEY)] * 21})):
        server.answer = answer
        forget(small)
        assert_not_authenticated(ask(small), NOT_OURS)


def test_an_assertion_is_good_for_one_request_here_too(small: SmallExchange) -> None:
    jti = str(uuid4())
    assert ask(small, jti=jti).status_code == 200
    assert_not_authenticated(ask(small, jti=jti))


def test_without_the_setting_nothing_inside_is_asked(migrated_sqlite_url: str, server: KeyServer) -> None:
    small = SmallExchange(migrated_sqlite_url)
    small.wiring.registering.add_client("sierra", CLIENT, frozenset({Scope.CONTRACTS_READ}), jwks_url=address(server))
    assert_not_authenticated(ask(small), NOT_OURS)
    assert server.paths == []


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://169.254.169.254/", "https://[::1]/", "http://localhost/"]
)
def test_an_address_inside_can_be_registered_and_is_never_asked(small: SmallExchange, url: str) -> None:
    assert small.post(OPERATOR, CLIENTS, body("inside", url)).status_code == 201
    assert_not_authenticated(ask(small, client="inside"), NOT_OURS)


def test_the_setting_takes_hosts_with_and_without_ports() -> None:
    def hosts(text: str) -> frozenset[str]:
        return read_settings({"PARLEY_PRIVATE_KEY_HOSTS": text}).private_key_hosts

    assert hosts("") == frozenset()
    assert hosts(" IDP.internal:8443, [::1]:9443,10.0.0.7 ,") == {"idp.internal:8443", "[::1]:9443", "10.0.0.7"}
    for wrong in ("https://idp.internal", "idp.internal/keys", "*", "user@idp", "a b", "idp:port"):
        with pytest.raises(SettingsInvalid, match="PARLEY_PRIVATE_KEY_HOSTS"):
            hosts(wrong)
