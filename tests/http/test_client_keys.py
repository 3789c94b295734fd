"""The keys of a client are registered and replaced by the operator, without a pause, and on record."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapters.client.tokens import ASSERTION_TYPE, make_client_assertion
from api.auth.keys import new_private_jwk
from api.cli import main
from contracts.audit.verifying import verify_books
from contracts.parties import JsonObject, Role, Scope
from contracts.refusals import ClientRevoked
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import SmallExchange, public

OPERATOR = "overseer"
CLIENTS = "/v1/organisations/sierra/clients"
KEYS = f"{CLIENTS}/sierra-client/keys"
URL = "https://sierra.example/.well-known/jwks.json"
NEW, OTHER = new_private_jwk("ES384"), new_private_jwk("ES256")


@pytest.fixture
def small(migrated_url: str) -> Iterator[SmallExchange]:
    exchange = SmallExchange(migrated_url)
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    yield exchange
    exchange.wiring.database.close()


@pytest.fixture
def embedded(migrated_sqlite_url: str) -> Iterator[SmallExchange]:
    """Where nothing differs between databases."""
    exchange = SmallExchange(migrated_sqlite_url)
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    yield exchange
    exchange.wiring.database.close()


def put(small: SmallExchange, path: str, body: JsonObject, who: str = OPERATOR) -> Any:
    return small.app.test_client().put(path, headers=small.headers(who), json=body)


def gets_in(small: SmallExchange, key: JsonObject, client: str = "sierra-client") -> bool:
    url = f"{small.settings.issuer}/oauth/token"
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": make_client_assertion(client, key, url, small.clock.now()),
    }
    return bool(small.app.test_client().post("/oauth/token", data=form).status_code == 200)


def acts_of_sierra(small: SmallExchange) -> list[Any]:
    with small.wiring.database.reading() as stores:
        return [record.act for record in stores.audit.records("organisation:sierra", 0, 1000)]


def run(small: SmallExchange, *words: str) -> tuple[int, str]:
    ended = CliRunner().invoke(main, ["client", *words], env=dict(small.environ))
    return ended.exit_code, ended.output


# --- replacing


def test_keys_rotate_without_a_pause_and_on_record(small: SmallExchange) -> None:
    old = small.client_keys["sierra"]
    token = small.headers("sierra")

    both = put(small, KEYS, {"public_keys": [public(old), public(NEW)]})
    assert both.status_code == 200, both.get_json()
    assert [key["kid"] for key in both.get_json()["public_keys"]] == [old["kid"], NEW["kid"]]
    assert gets_in(small, old)
    assert gets_in(small, NEW)
    assert put(small, KEYS, {"public_keys": [public(NEW)]}).status_code == 200
    assert not gets_in(small, old)
    assert gets_in(small, NEW)

    assert small.app.test_client().get("/v1/contracts", headers=token).status_code == 200
    act = acts_of_sierra(small)[-1]
    assert (act.action, act.organisation, act.client) == ("client_keys_replaced", OPERATOR, f"{OPERATOR}-client")
    assert set(act.subject) == {"client", "public_keys_sha256"}
    assert verify_books(small.wiring.database).broken == ()


def test_a_client_goes_over_to_a_url_and_back(small: SmallExchange) -> None:
    old = small.client_keys["sierra"]
    assert put(small, KEYS, {"jwks_url": URL}).get_json()["jwks_url"] == URL
    assert acts_of_sierra(small)[-1].subject["jwks_url"] == URL
    assert not gets_in(small, old)
    back = put(small, KEYS, {"public_keys": [public(old)]}).get_json()
    assert "jwks_url" not in back
    assert gets_in(small, old)
    assert verify_books(small.wiring.database).broken == ()


def test_keys_that_were_put_in_place_in_the_database_alone_are_found(small: SmallExchange) -> None:
    assert put(small, KEYS, {"public_keys": [public(NEW)]}).status_code == 200
    with small.wiring.database.writing() as stores:
        client = stores.parties.lock_client("sierra-client")
        assert client is not None
        stores.parties.replace_client_keys(
            type(client)(client.id, client.organisation, client.scopes, (), client.created_at, jwks_url=URL)
        )
    (found,) = verify_books(small.wiring.database).broken
    assert found.what == "the keys of client sierra-client are not on record as they are stored"


def test_only_the_operator_replaces_keys_and_only_of_a_client_that_is_there(embedded: SmallExchange) -> None:
    body = {"public_keys": [public(NEW)]}
    assert put(embedded, KEYS, body, "sierra").status_code == 403
    for path in (KEYS.replace("sierra/", "lakeshore/"), KEYS.replace("sierra-client", "nobody")):
        assert_problem(put(embedded, path, body), 404, "client-not-found")
    embedded.wiring.registering.revoke_client("sierra-client", "stolen")
    assert_problem(put(embedded, KEYS, body), 409, "client-revoked")


# --- what is no proof, at registration and later alike


def refusals(small: SmallExchange, keys: JsonObject) -> list[Any]:
    registered = small.post(OPERATOR, CLIENTS, {"id": "more-client", "scopes": ["contracts.read"], **keys})
    return [registered, put(small, KEYS, keys)]


def test_it_is_either_keys_or_a_url(embedded: SmallExchange) -> None:
    for keys in ({}, {"public_keys": [public(NEW)], "jwks_url": URL}):
        for refused in refusals(embedded, keys):
            assert_problem(refused, 422, "registration-invalid")
            assert refused.get_json()["errors"][0]["code"] == "keys_or_url"


def test_what_is_no_https_url_is_refused(embedded: SmallExchange) -> None:
    for url in (
        *(
            "http://sierra.example/jwks.json",
            "ftp://sierra.example/",
            "sierra.example",
            "//sierra.example/",
            "https://",
        ),
        *("https://user:word@sierra.example/", "https://sierra.example/#keys", "https://sierra.example:0/"),
        *("https://sierra.example/ jwks", "https://si\u00e9rra.example/", "https://sierra.example\\@inside/"),
        *("file:///etc/passwd", "http://10.0.0.1/", "https://sierra.example/\x00"),
    ):
        for refused in refusals(embedded, {"jwks_url": url}):
            assert_problem(refused, 422, "registration-invalid")
            fault = refused.get_json()["errors"][0]
            assert (fault["pointer"], fault["code"]) == ("/jwks_url", "url_not_usable"), url


def test_what_has_not_the_form_of_keys_is_refused(embedded: SmallExchange) -> None:
    for keys in ({"jwks_url": 7}, {"jwks_url": ""}, {"jwks_url": None}, {"public_keys": []}):
        for refused in refusals(embedded, keys):
            assert_problem(refused, 422, "input-invalid")


def test_keys_that_may_be_in_other_hands_are_refused(embedded: SmallExchange) -> None:
    embedded.wiring.registering.revoke_client("lakeshore-client", "stolen")
    signing, stolen = public(embedded.signing_keys["helix"]), public(embedded.client_keys["lakeshore"])
    for refused in refusals(embedded, {"public_keys": [signing]}):
        assert_problem(refused, 422, "registration-invalid")
        assert refused.get_json()["errors"][0]["code"] == "key_not_apart"
    for refused in refusals(embedded, {"public_keys": [public(NEW), stolen]}):
        assert_problem(refused, 409, "client-revoked")
    for refused in refusals(embedded, {"public_keys": [NEW]}):
        assert refused.get_json()["errors"][0]["code"] == "key_not_public"
    assert gets_in(embedded, embedded.client_keys["sierra"])


def registered(small: SmallExchange, organisation: str, client: str, **proof: Any) -> Any:
    body = {"id": client, "scopes": ["contracts.read"], **proof}
    return small.post(OPERATOR, f"/v1/organisations/{organisation}/clients", body)


def replaced(small: SmallExchange, organisation: str, **proof: Any) -> Any:
    return put(small, f"/v1/organisations/{organisation}/clients/{organisation}-client/keys", proof)


def test_what_a_client_ever_proved_itself_with_is_taken_from_no_other_organisation(small: SmallExchange) -> None:
    old, elsewhere = public(small.client_keys["sierra"]), URL.replace("jwks", "others")
    for proof in ({"jwks_url": URL}, {"jwks_url": elsewhere}, {"public_keys": [public(NEW)]}):
        assert replaced(small, "sierra", **proof).status_code == 200
    for key in (old, {**public(NEW), "kid": "renamed"}):
        for refused in (
            registered(small, "lakeshore", "second", public_keys=[public(OTHER), key]),
            replaced(small, "lakeshore", public_keys=[public(OTHER), key]),
        ):
            assert_problem(refused, 422, "registration-invalid", "/public_keys/1", "key_taken")
    for url in (URL, elsewhere):
        for refused in (
            registered(small, "lakeshore", "second", jwks_url=url),
            replaced(small, "lakeshore", jwks_url=url),
        ):
            assert_problem(refused, 422, "registration-invalid", "/jwks_url", "url_taken")
    assert registered(small, "sierra", "second", public_keys=[old]).status_code == 201
    assert registered(small, "sierra", "third", jwks_url=URL).status_code == 201


def test_what_a_client_had_before_it_was_revoked_is_taken_from_nobody(small: SmallExchange) -> None:
    old = public(small.client_keys["sierra"])
    for proof in ({"jwks_url": URL}, {"public_keys": [public(NEW)]}):
        assert replaced(small, "sierra", **proof).status_code == 200
    small.wiring.registering.revoke_client("sierra-client", "stolen")
    for organisation in ("sierra", "lakeshore"):
        for proof in ({"public_keys": [old]}, {"public_keys": [public(NEW)]}, {"jwks_url": URL}):
            assert_problem(registered(small, organisation, "second", **proof), 409, "client-revoked")
    for proof in ({"public_keys": [old]}, {"jwks_url": URL}):
        assert_problem(replaced(small, "lakeshore", **proof), 409, "client-revoked")


@pytest.mark.parametrize(
    "again",
    [
        "https://SIERRA.example:443/.well-known/jwks.json",
        "https://sierra.example./.well-known/x/../jwks.json",
        "https://sierra.example/%2ewell%2Dknown/./jwks.json?",
    ],
)
def test_the_url_of_a_revoked_client_is_taken_from_nobody_however_it_is_spelt(
    embedded: SmallExchange, again: str
) -> None:
    assert registered(embedded, "sierra", "by-url", jwks_url=URL).status_code == 201
    embedded.wiring.registering.revoke_client("by-url", "stolen")
    for refused in refusals(embedded, {"jwks_url": again}):
        assert_problem(refused, 409, "client-revoked")


def test_another_organisations_client_key_signs_no_contracts(embedded: SmallExchange) -> None:
    """Nor one that it had before."""
    for key in (NEW, OTHER):
        assert replaced(embedded, "sierra", public_keys=[public(key)]).status_code == 200
        body = {"public_key": public(NEW)}
        refused = embedded.post(OPERATOR, "/v1/organisations/lakeshore/signing-keys", body)
        assert_problem(refused, 422, "registration-invalid", "/public_key", "key_taken")
        assert gets_in(embedded, key)


def test_each_key_has_a_kid_of_its_own(embedded: SmallExchange) -> None:
    twin = {**public(new_private_jwk("ES384")), "kid": NEW["kid"]}
    for refused in refusals(embedded, {"public_keys": [public(NEW), twin]}):
        assert_problem(refused, 422, "registration-invalid")
        fault = refused.get_json()["errors"][0]
        assert (fault["pointer"], fault["code"]) == ("/public_keys/1", "kid_taken")


def test_a_rotated_key_is_a_client_key_and_signs_no_contract(embedded: SmallExchange) -> None:
    assert put(embedded, KEYS, {"public_keys": [public(NEW)]}).status_code == 200
    refused = embedded.post(OPERATOR, "/v1/organisations/sierra/signing-keys", {"public_key": public(NEW)})
    assert_problem(refused, 422, "registration-invalid")
    embedded.wiring.registering.revoke_client("sierra-client", "stolen")
    with pytest.raises(ClientRevoked):
        embedded.wiring.registering.add_signing_key("lakeshore", public(NEW))


# --- the console


def test_the_operator_registers_a_url_and_rotates_keys_at_the_console(embedded: SmallExchange, tmp_path: Path) -> None:
    key = tmp_path / "new.pub.json"
    key.write_text(json.dumps(public(NEW)))
    where = ["--organisation", "sierra", "--scope", "contracts.read"]

    assert run(embedded, "add", "by-url", *where, "--jwks-url", URL)[0] == 0
    code, said = run(embedded, "rotate", "sierra-client", "--public-key", str(key))
    assert (code, said) == (0, f"Client sierra-client of sierra proves itself with {NEW['kid']}.\n")
    assert gets_in(embedded, NEW)
    code, said = run(embedded, "rotate", "sierra-client", "--jwks-url", URL)
    assert (code, said) == (0, f"Client sierra-client of sierra proves itself with {URL}.\n")

    for words in (["rotate", "sierra-client"], ["add", "neither", *where]):
        code, said = run(embedded, *words)
        assert code != 0
        assert "/public_keys" in said
    assert "client-not-found" in run(embedded, "rotate", "nobody", "--jwks-url", URL)[1]
    assert verify_books(embedded.wiring.database).broken == ()
