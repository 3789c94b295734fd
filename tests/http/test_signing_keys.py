"""An organisation rotates and revokes its own signing keys; whoever steals a client key signs nothing with it."""

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import import_key
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from api.auth.jose import public_members
from api.auth.keys import new_private_jwk
from contracts.canonical import canonical_bytes
from contracts.parties import JsonObject, Scope
from contracts.signing import KeyStatement, sign, sign_key_statement
from tests.http.test_bad_input import assert_problem
from tests.http.test_cli import Console
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange, TurnableClock, public, small_contract

KEYS = "/v1/signing-keys"
PATH = f"/v1/contracts/{CONTRACT}"
WHO = ("Ann Officer", "Privacy Officer")


@pytest.fixture
def exchange(migrated_url: str) -> Iterator[SmallExchange]:
    """On each database in turn."""
    small = SmallExchange(migrated_url)
    yield small
    small.wiring.database.close()


def further(small: SmallExchange, new: JsonObject, name: str = "sierra", **changes: Any) -> JsonObject:
    """What registers a new key, right but for what a test changes; a change to None leaves the member out."""
    jwk = public(new)
    body = {
        "public_key": jwk,
        "proof": sign_key_statement(KeyStatement.PROOF, name, jwk, new),
        "endorsement": sign_key_statement(KeyStatement.ENDORSEMENT, name, jwk, small.signing_keys[name]),
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def revoke(small: SmallExchange, kid: str, name: str = "sierra", *, compromised: bool = False) -> TestResponse:
    body = {"reason": "tried out", "compromised": compromised}
    return small.post(name, f"{KEYS}/{kid}/revocation", body)


def listed(small: SmallExchange, name: str = "sierra") -> list[JsonObject]:
    return list(small.get(name, KEYS).get_json()["signing_keys"])


def propose(small: SmallExchange) -> JsonObject:
    assert small.post(BRAND, "/v1/contracts", small_contract()).status_code == 201
    return dict(small.post(BRAND, f"{PATH}/proposal").get_json()["document"])


def post_signature(small: SmallExchange, document: JsonObject, key: JsonObject, name: str = "sierra") -> TestResponse:
    return small.post(name, f"{PATH}/signatures", {"jws": sign(document, key, *WHO)})


@pytest.mark.parametrize("algorithm", ["ES384", "Ed25519", "RS384"])
def test_a_key_that_a_current_one_endorses_signs_and_the_old_one_goes_on_until_it_is_revoked(
    exchange: SmallExchange, algorithm: str
) -> None:
    new, old = new_private_jwk(algorithm), exchange.signing_keys["sierra"]
    document = propose(exchange)

    added = exchange.post("sierra", KEYS, further(exchange, new))
    revoked = revoke(exchange, old["kid"])

    assert added.status_code == 201, added.get_json()
    assert (added.get_json()["kid"], added.get_json()["endorsed_by"]) == (new["kid"], old["kid"])
    assert revoked.status_code == 200, revoked.get_json()
    reasons = {key["kid"]: (key["revocation_reason"], key["compromised"]) for key in listed(exchange)}
    assert reasons == {old["kid"]: ("tried out", False), new["kid"]: (None, False)}
    refused = post_signature(exchange, document, old)
    assert_problem(refused, 422, "signature-invalid", "/jws", "signing_key_revoked")
    assert post_signature(exchange, document, new).status_code == 201


def test_the_keys_of_others_are_neither_listed_nor_revoked(exchange: SmallExchange) -> None:
    kid = exchange.signing_keys["sierra"]["kid"]

    assert_problem(revoke(exchange, kid, "lakeshore"), 404, "signing-key-not-found")
    assert [key["kid"] for key in listed(exchange, "lakeshore")] == [exchange.signing_keys["lakeshore"]["kid"]]
    assert listed(exchange)[0]["revoked_at"] is None


def test_what_was_signed_before_its_key_was_revoked_stays_in_force_and_says_so(exchange: SmallExchange) -> None:
    contract = exchange.agree()
    assert contract["status"] == "in_force"
    exchange.clock.go_on(hours=1)

    assert revoke(exchange, exchange.signing_keys["sierra"]["kid"], compromised=True).status_code == 200

    view = exchange.get(BRAND, PATH).get_json()
    marked = {s["organisation"]: (s["key_revoked_at"], s["key_compromised"]) for s in view["signatures"]}
    assert view["status"] == "in_force"
    assert marked.pop("sierra") == (exchange.clock.now().isoformat(), True)
    assert set(marked.values()) == {(None, False)}


def test_revoking_is_final_but_a_compromise_may_be_found_out_later(exchange: SmallExchange) -> None:
    key = exchange.signing_keys["sierra"]
    first = revoke(exchange, key["kid"]).get_json()
    exchange.clock.go_on(minutes=1)

    assert_problem(revoke(exchange, key["kid"]), 409, "signing-key-revoked")
    found_out = revoke(exchange, key["kid"], compromised=True).get_json()
    assert (found_out["revoked_at"], found_out["compromised"]) == (first["revoked_at"], True)
    assert_problem(revoke(exchange, key["kid"], compromised=True), 409, "signing-key-revoked")
    assert_problem(revoke(exchange, key["kid"]), 409, "signing-key-revoked")


def endorsed_by(name: str) -> Any:
    def make(small: SmallExchange, new: JsonObject) -> JsonObject:
        key = small.signing_keys[name] | {"kid": small.signing_keys["sierra"]["kid"]}
        return {"endorsement": sign_key_statement(KeyStatement.ENDORSEMENT, "sierra", public(new), key)}

    return make


def for_another_organisation(small: SmallExchange, new: JsonObject) -> JsonObject:
    key = small.signing_keys["sierra"]
    return {"endorsement": sign_key_statement(KeyStatement.ENDORSEMENT, "lakeshore", public(new), key)}


def for_another_key(small: SmallExchange, new: JsonObject) -> JsonObject:
    key, other = small.signing_keys["sierra"], public(new_private_jwk("ES384"))
    return {"endorsement": sign_key_statement(KeyStatement.ENDORSEMENT, "sierra", other, key)}


def by_itself(small: SmallExchange, new: JsonObject) -> JsonObject:
    return {"endorsement": sign_key_statement(KeyStatement.ENDORSEMENT, "sierra", public(new), new)}


def by_the_client_key(small: SmallExchange, new: JsonObject) -> JsonObject:
    head = {"alg": "ES256", "kid": small.signing_keys["sierra"]["kid"], "typ": KeyStatement.ENDORSEMENT.value}
    return {"endorsement": detached(head, statement(new), small.client_keys["sierra"])}


def a_proof_for_an_endorsement(small: SmallExchange, new: JsonObject) -> JsonObject:
    return {"endorsement": sign_key_statement(KeyStatement.PROOF, "sierra", public(new), small.signing_keys["sierra"])}


def an_endorsement_for_a_proof(small: SmallExchange, new: JsonObject) -> JsonObject:
    return {"proof": sign_key_statement(KeyStatement.ENDORSEMENT, "sierra", public(new), new)}


def a_proof_by_the_endorser(small: SmallExchange, new: JsonObject) -> JsonObject:
    return {"proof": sign_key_statement(KeyStatement.PROOF, "sierra", public(new), small.signing_keys["sierra"])}


def a_contract_signature(small: SmallExchange, new: JsonObject) -> JsonObject:
    """Over the very statement, by a current key: what a signer could be made to sign as a contract."""
    return {"endorsement": sign(statement(new), small.signing_keys["sierra"], *WHO)}


def more_in_the_header(small: SmallExchange, new: JsonObject) -> JsonObject:
    key = small.signing_keys["sierra"]
    head = {"alg": "ES384", "kid": key["kid"], "typ": KeyStatement.ENDORSEMENT.value, "cty": "json"}
    return {"endorsement": detached(head, statement(new), key)}


def statement(new: JsonObject) -> JsonObject:
    return {"organisation": "sierra", "public_key": public(new)}


def detached(head: JsonObject, payload: JsonObject, key: JsonObject) -> str:
    compact = jws.serialize_compact(head, canonical_bytes(payload), import_key(key), algorithms=[head["alg"]])
    first, _, last = compact.split(".")
    return f"{first}..{last}"


WRONG: dict[str, tuple[Any, str]] = {
    "the key of another organisation under our kid": (endorsed_by("lakeshore"), "/endorsement"),
    "for another organisation": (for_another_organisation, "/endorsement"),
    "for another key": (for_another_key, "/endorsement"),
    "by the new key itself": (by_itself, "/endorsement"),
    "by the client key": (by_the_client_key, "/endorsement"),
    "a proof for an endorsement": (a_proof_for_an_endorsement, "/endorsement"),
    "an endorsement for a proof": (an_endorsement_for_a_proof, "/proof"),
    "a proof by the endorser": (a_proof_by_the_endorser, "/proof"),
    "a contract signature over the statement": (a_contract_signature, "/endorsement"),
    "more in the header": (more_in_the_header, "/endorsement"),
    "nonsense": (lambda *_: {"endorsement": "a..b"}, "/endorsement"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_statement_that_does_not_fit_registers_nothing(small: SmallExchange, name: str) -> None:
    make, pointer = WRONG[name]
    new = new_private_jwk("ES384")

    refused = small.post("sierra", KEYS, further(small, new, **make(small, new)))

    assert refused.status_code == 422
    assert refused.get_json()["type"].endswith(":signature-invalid")
    assert [fault["pointer"] for fault in refused.get_json()["errors"]] == [pointer]
    assert len(listed(small)) == 1


def test_a_stolen_client_key_gets_no_key_registered(small: SmallExchange) -> None:
    """Neither without an endorsement nor by revoking first: then it is the operator's turn."""
    new = new_private_jwk("ES384")

    without = small.post("sierra", KEYS, further(small, new, endorsement=None))
    assert_problem(without, 422, "registration-invalid", "/endorsement", "endorsement_missing")
    revoke(small, small.signing_keys["sierra"]["kid"])
    for body in (further(small, new, endorsement=None), further(small, new)):
        assert_problem(small.post("sierra", KEYS, body), 409, "no-signing-key")
    small.wiring.registering.add_signing_key("sierra", public(new))
    assert [key["endorsed_by"] for key in listed(small)] == [None, None]


def test_a_revoked_key_endorses_nothing(small: SmallExchange) -> None:
    second, third = new_private_jwk("ES384"), new_private_jwk("ES384")
    body = further(small, third)
    assert small.post("sierra", KEYS, further(small, second)).status_code == 201
    revoke(small, small.signing_keys["sierra"]["kid"])

    refused = small.post("sierra", KEYS, body)

    assert_problem(refused, 422, "signature-invalid", "/endorsement", "signing_key_revoked")


def test_a_statement_about_a_key_is_no_signature_of_a_contract(small: SmallExchange) -> None:
    document, key = propose(small), small.signing_keys["sierra"]
    head = {"alg": "ES384", "kid": key["kid"], "typ": KeyStatement.ENDORSEMENT.value}
    over_the_contract = detached(head, document, key)

    refused = small.post("sierra", f"{PATH}/signatures", {"jws": over_the_contract})

    assert_problem(refused, 422, "signature-invalid", "/jws", "signature_invalid")


@pytest.mark.parametrize("revoked", [False, True])
def test_one_key_never_signs_for_two_organisations(exchange: SmallExchange, revoked: bool) -> None:
    """Whatever it is called, revoked or not, by the organisation itself or by the operator."""
    theirs = exchange.signing_keys["lakeshore"]
    if revoked:
        revoke(exchange, theirs["kid"], "lakeshore")
    renamed = theirs | {"kid": "renamed"}

    for body in (further(exchange, theirs), further(exchange, renamed)):
        taken = exchange.post("sierra", KEYS, body)
        assert_problem(taken, 422, "registration-invalid", "/public_key", "key_taken")
    with pytest.raises(Exception, match="faults"):
        exchange.wiring.registering.add_signing_key("sierra", public(renamed))
    assert len(listed(exchange)) == 1


def test_a_revoked_key_and_a_revoked_kid_never_come_back(exchange: SmallExchange) -> None:
    old, second = exchange.signing_keys["sierra"], new_private_jwk("ES384")
    assert exchange.post("sierra", KEYS, further(exchange, second)).status_code == 201
    revoke(exchange, old["kid"])
    exchange.signing_keys["sierra"] = second
    same_kid = new_private_jwk("ES384") | {"kid": old["kid"]}

    for again in (old, old | {"kid": "renamed"}, same_kid):
        assert_problem(exchange.post("sierra", KEYS, further(exchange, again)), 409, "signing-key-revoked")
    twice = exchange.post("sierra", KEYS, further(exchange, second))
    assert_problem(twice, 409, "already-exists")


def test_a_client_key_is_no_signing_key_nor_the_other_way_round(small: SmallExchange) -> None:
    client_key = new_private_jwk("ES384")
    registering = small.wiring.registering
    registering.add_client("sierra", "second-client", frozenset({Scope.CONTRACTS_READ}), (public(client_key),))

    refused = small.post("sierra", KEYS, further(small, client_key))

    assert_problem(refused, 422, "registration-invalid", "/public_key", "key_not_apart")
    with pytest.raises(Exception, match="faults"):
        registering.add_client("sierra", "third", frozenset(), (public(small.signing_keys["sierra"]),))


def test_a_key_of_a_kind_that_does_not_sign_contracts_is_not_registered(small: SmallExchange) -> None:
    body = further(small, new_private_jwk("ES384"), public_key=public_members(new_private_jwk("ES256")))

    refused = small.post("sierra", KEYS, body)

    assert_problem(refused, 422, "registration-invalid", "/public_key", "key_not_usable")


def test_a_private_key_is_refused_unread(small: SmallExchange) -> None:
    key = new_private_jwk("ES384")

    refused = small.post("sierra", KEYS, further(small, key, public_key=key))

    assert_problem(refused, 422, "registration-invalid", "/public_key", "key_not_public")
    assert key["d"] not in refused.get_data(as_text=True)


BODIES = [
    {"reason": "x"},
    {"compromised": True},
    {"reason": "", "compromised": True},
    {"reason": "x", "compromised": "yes"},
    {"reason": "x", "compromised": True, "revoked_at": "2020-01-01T00:00:00Z"},
    {"reason": "x", "compromised": True, "organisation": "lakeshore"},
]


@pytest.mark.parametrize("body", BODIES, ids=ascii)
def test_a_revocation_that_says_too_little_or_too_much_revokes_nothing(small: SmallExchange, body: JsonObject) -> None:
    kid = small.signing_keys["sierra"]["kid"]

    assert_problem(small.post("sierra", f"{KEYS}/{kid}/revocation", body), 422, "input-invalid")
    assert listed(small)[0]["revoked_at"] is None


def test_only_a_client_with_the_scope_manages_keys(small: SmallExchange) -> None:
    key = new_private_jwk("ES256")
    small.client_keys["reader"] = key
    scopes = frozenset(Scope) - {Scope.ORG_ADMIN, Scope.KEYS_WRITE}
    small.wiring.registering.add_client("sierra", "reader-client", scopes, (public(key),))

    refused = [
        small.get("reader", KEYS),
        small.post("reader", KEYS, further(small, new_private_jwk("ES384"))),
        revoke(small, small.signing_keys["sierra"]["kid"], "reader"),
    ]

    for answer in refused:
        assert_problem(answer, 403, "scope-missing")
    assert [key["revoked_at"] for key in listed(small)] == [None]


def at_once(*calls: Callable[[], TestResponse]) -> list[TestResponse]:
    together = Barrier(len(calls))

    def one(call: Callable[[], TestResponse]) -> TestResponse:
        together.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def test_of_two_revocations_at_once_one_counts(exchange: SmallExchange) -> None:
    kid = exchange.signing_keys["sierra"]["kid"]
    exchange.token("sierra")

    answers = at_once(*[lambda: revoke(exchange, kid, compromised=True)] * 4)

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


def test_of_two_organisations_that_register_one_key_at_once_one_has_it(exchange: SmallExchange) -> None:
    new, names = new_private_jwk("ES384"), ("blueridge", "lakeshore", "sierra")
    bodies = {name: further(exchange, new, name) for name in names if exchange.token(name)}

    answers = at_once(*[lambda name=name: exchange.post(name, KEYS, bodies[name]) for name in names])

    assert sorted(answer.status_code for answer in answers)[0] == 201
    assert {answer.status_code for answer in answers} <= {201, 409, 422}
    assert sum(key["kid"] == new["kid"] for name in names for key in listed(exchange, name)) == 1


def test_a_key_that_is_revoked_while_it_signs_has_signed_before_or_not_at_all(exchange: SmallExchange) -> None:
    document, key = propose(exchange), exchange.signing_keys["sierra"]
    exchange.token("sierra")

    signed, revoked = at_once(lambda: post_signature(exchange, document, key), lambda: revoke(exchange, key["kid"]))

    assert revoked.status_code == 200
    counted = [signature["organisation"] for signature in exchange.get(BRAND, PATH).get_json()["signatures"]]
    assert (signed.status_code, counted) in [(201, ["sierra"]), (422, [])]


@pytest.fixture
def console(migrated_sqlite_url: str, tmp_path: Path) -> Iterator[Console]:
    """Sierra's machine: a folder with its client key and its signing key, and an exchange to call."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    clock = TurnableClock(datetime.now(UTC))
    small = SmallExchange(migrated_sqlite_url, clock=clock, settings_changes={"PARLEY_ISSUER": url})
    server = make_server("127.0.0.1", port, small.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    found = Console(tmp_path, {"PARLEY_URL": url})
    found.write("sierra-client.json", small.client_keys["sierra"])
    found.write("old.json", small.signing_keys["sierra"])
    yield found.of("sierra")
    server.shutdown()
    thread.join()
    server.server_close()
    small.wiring.database.close()


def test_a_key_is_rotated_and_revoked_by_commands(console: Console) -> None:
    folder = console.folder
    kids = {"old": json.loads((folder / "old.json").read_text())["kid"]}
    for name in ("new", "third"):
        console.done("keys", "new", "--use", "signing", "--out", folder / f"{name}.json")
        kids[name] = json.loads((folder / f"{name}.json").read_text())["kid"]

    rotated = console.done("keys", "rotate", "--key", folder / "old.json", "--new-key", folder / "new.json")
    kept = ("keys", "rotate", "--key", folder / "new.json", "--new-key", folder / "third.json", "--keep-old")
    console.done(*kept)
    declined = console.refused("keys", "revoke", kids["third"], "--reason", "tried out", answer="n\n")
    revoked = console.done("keys", "revoke", kids["third"], "--reason", "stolen", "--compromised", "--yes")

    assert f"{kids['new']} of sierra is registered, in the name of {kids['old']}" in rotated
    assert "Nothing is revoked" in declined
    assert "until a party suspends them" in revoked
    found = {key["kid"]: key for key in json.loads(console.done("keys", "list", "--json"))["signing_keys"]}
    assert {name: found[kid]["revocation_reason"] for name, kid in kids.items()} == {
        "old": f"rotated: {kids['new']} takes its place",
        "new": None,
        "third": "stolen",
    }
    lines = console.done("keys", "list").splitlines()
    assert [line for line in lines if kids["third"] in line and "stolen (compromised)" in line]
    again = console.refused("keys", "rotate", "--key", folder / "old.json", "--new-key", folder / "third.json")
    assert "revoked" in again
    private = [json.loads((folder / f"{name}.json").read_text())["d"] for name in kids]
    assert not [d for d in private if any(d in printed for printed in console.printed)]


def test_a_key_that_is_not_registered_vouches_for_none(console: Console) -> None:
    for name in ("new", "third"):
        console.done("keys", "new", "--use", "signing", "--out", console.folder / f"{name}.json")

    words = ("--key", console.folder / "new.json", "--new-key", console.folder / "third.json")

    assert "has no signing key" in console.refused("keys", "rotate", *words)


def test_a_kid_may_begin_with_a_hyphen(console: Console) -> None:
    new = new_private_jwk("ES384") | {"kid": "-hyphen"}
    console.write("new.json", new)
    words = ("--key", console.folder / "old.json", "--new-key", console.folder / "new.json")
    console.done("keys", "rotate", *words, "--keep-old")

    assert "-hyphen is revoked" in console.done("keys", "revoke", "-hyphen", "--reason", "tried out", "--yes")
