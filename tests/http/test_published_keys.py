"""Clients whose keys are at a URL of theirs (SMART App Launch 2.2, Backend Services): they get in, and nobody else by
way of it."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import trustme
from structlog.testing import capture_logs

from adapters.tokens import ASSERTION_TYPE
from api.auth.keys import new_private_jwk
from api.settings import SettingsInvalid, read_settings
from contracts.parties import JsonObject, Role, Scope
from tests.http.exchange import assert_not_authenticated, signed
from tests.http.test_bad_input import assert_problem
from tests.http.test_client_assertions import NOT_OURS
from tests.support.key_server import KeyServer, document
from tests.support.small_exchange import ISSUER, SmallExchange, public

OPERATOR = "overseer"
CLIENT = "sierra-app"
CLIENTS = "/v1/organisations/sierra/clients"
KEY = new_private_jwk("ES384")
RSA = new_private_jwk("RS384")


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
    small: SmallExchange, key: JsonObject = KEY, header: JsonObject | None = None, client: str = CLIENT, **changes: Any
) -> Any:
    now = int(small.clock.now().timestamp())
    token_claims = {"iss": client, "sub": client, "aud": f"{ISSUER}/oauth/token", "exp": now + 240, "jti": str(uuid4())}
    header = {"alg": key["alg"], "kid": key["kid"], "typ": "JWT", **(header or {})}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed(key, header, {**token_claims, **changes}),
    }
    return small.app.test_client().post("/oauth/token", data=form)


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


def test_the_published_algorithm_of_a_key_is_the_only_one(small: SmallExchange, server: KeyServer) -> None:
    for said in ("RS256", "PS384", "RSA-OAEP", "ES384", "HS256", "none"):
        server.publish({**public(RSA), "alg": said})
        forget(small)
        assert_not_authenticated(ask(small, RSA), NOT_OURS)


def test_a_published_key_that_signs_contracts_authenticates_nobody(small: SmallExchange, server: KeyServer) -> None:
    for organisation in ("sierra", "helix"):
        key = small.signing_keys[organisation]
        server.publish(public(key))
        forget(small)
        assert_not_authenticated(ask(small, key), NOT_OURS)


def test_the_published_key_of_a_revoked_client_authenticates_nobody(small: SmallExchange, server: KeyServer) -> None:
    key = small.client_keys["lakeshore"]
    server.publish(public(key))
    assert ask(small, key).status_code == 200
    small.wiring.registering.revoke_client("lakeshore-client", "stolen")
    assert_not_authenticated(ask(small, key), NOT_OURS)


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
