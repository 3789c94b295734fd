"""Receipts over HTTP and on the command line: what is signed can be proved later, without asking anybody."""

import base64
import json
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import import_key
from werkzeug.serving import make_server

from api.app import create_app
from api.auth.keys import RECEIPT_TYPE, new_private_jwk
from api.settings import read_settings
from contracts.parties import JsonObject
from contracts.receipts import answer_digest
from tests.http.answers import FILLS, post
from tests.http.test_cli import Console
from tests.support.small_exchange import (
    CONTRACT,
    ISSUER,
    PAYERS,
    SmallExchange,
    TurnableClock,
    fills,
    fills_row,
    server_keys,
    small_contract,
)

KEYS_PATH = "/.well-known/parley-receipt-keys.json"
EXACT = (900, 1800)  # what `fills` posts and nobody may see


def opened(token: str) -> tuple[JsonObject, JsonObject]:
    """Header and payload, unverified."""
    head, payload = (json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in token.split(".")[:2])
    return head, payload


def published(small: SmallExchange) -> JsonObject:
    return dict(small.app.test_client().get(KEYS_PATH).get_json())


def proved(small: SmallExchange, token: str) -> JsonObject:
    """The payload, by joserfc alone and the published key of the receipt's kid."""
    (key,) = [key for key in published(small)["keys"] if key["kid"] == opened(token)[0]["kid"]]
    return dict(json.loads(jws.deserialize_compact(token, import_key(key), algorithms=[key["alg"]]).payload))


# --- submissions


def test_a_submission_is_answered_with_a_receipt_that_the_published_key_proves(agreed: SmallExchange) -> None:
    receipt = agreed.submit("blueridge", fills()).get_json()

    header, _ = opened(receipt["signed_receipt"])
    payload = proved(agreed, receipt["signed_receipt"])
    assert header["typ"] == RECEIPT_TYPE
    assert (payload["iss"], payload["kind"], payload["provider"]) == (ISSUER, "submission", "blueridge")
    assert payload["iat"] == int(agreed.clock.now().timestamp())
    same = ("submission_id", "release_id", "block_sha256", "contract_digest", "feed", "period", "restatement")
    assert all(payload[name] == receipt[name] for name in same)
    assert payload["debited_nano"] == receipt["debited"]["rho_nano"]


def test_a_receipt_names_the_ledger_entry_that_it_was_debited_by(agreed: SmallExchange) -> None:
    token = agreed.submit("blueridge", fills()).get_json()["signed_receipt"]

    claimed = proved(agreed, token)["ledger"]
    last = agreed.ledger("blueridge")["entries"][-1]
    assert claimed["entry_id"] == last["id"]
    assert claimed["sequence"] == last["sequence"]
    assert (claimed["granted_nano"], claimed["spent_nano"]) == (last["granted"]["rho_nano"], last["spent"]["rho_nano"])


def test_a_replay_gets_the_same_receipt_to_the_last_byte_however_late(agreed: SmallExchange) -> None:
    body = fills()
    first = agreed.submit("blueridge", body).get_json()["signed_receipt"]
    agreed.clock.go_on(days=3)
    agreed.submit("blueridge", fills("2025-02"))

    assert agreed.submit("blueridge", body).get_json()["signed_receipt"] == first


def test_a_signed_receipt_says_nothing_of_exact_cells(agreed: SmallExchange) -> None:
    payloads = [
        proved(agreed, agreed.submit(name, fills(rows=rows)).get_json()["signed_receipt"])
        for name, rows in (("blueridge", None), ("lakeshore", []))
    ]

    for payload in payloads:
        assert not set(EXACT) & {value for value in payload.values() if isinstance(value, int)}
    volatile = ("submission_id", "release_id", "block_sha256", "provider", "population", "ledger")
    bare = [{name: value for name, value in payload.items() if name not in volatile} for payload in payloads]
    assert bare[0] == bare[1]


# --- keys


def test_keys_are_public_cacheable_and_without_private_members(agreed: SmallExchange) -> None:
    answered = agreed.app.test_client().get(KEYS_PATH)

    assert answered.headers["Cache-Control"] == "public, max-age=300"
    (key,) = answered.get_json()["keys"]
    assert answered.get_json()["issuer"] == ISSUER
    assert "d" not in key


def test_a_receipt_and_an_access_token_never_pass_for_one_another(agreed: SmallExchange) -> None:
    receipt = agreed.submit("blueridge", fills()).get_json()["signed_receipt"]

    client = agreed.app.test_client()
    refused = client.get("/v1/contracts", headers={"Authorization": f"Bearer {receipt}"})
    assert refused.status_code == 401
    token_keys = {key["kid"] for key in client.get("/.well-known/jwks.json").get_json()["keys"]}
    assert not token_keys & {key["kid"] for key in published(agreed)["keys"]}


def test_a_receipt_of_before_a_rotation_is_verified_by_the_retired_public_key(migrated_sqlite_url: str) -> None:
    old, new = new_private_jwk("ES384"), new_private_jwk("ES256")
    before = SmallExchange(
        migrated_sqlite_url, settings_changes=server_keys() | {"PARLEY_RECEIPT_KEY": json.dumps(old)}
    )
    before.agree()
    receipt = before.submit("blueridge", fills()).get_json()["signed_receipt"]
    retired = {name: value for name, value in old.items() if name != "d"}
    both = json.dumps({"keys": [new, retired]})
    settings = before.environ | {"PARLEY_RECEIPT_KEY": both}

    before.app = create_app(read_settings(settings), clock=before.clock)

    assert [key["kid"] for key in published(before)["keys"]] == [new["kid"], old["kid"]]
    assert proved(before, receipt)["submission_id"]
    assert opened(before.submit("blueridge", fills("2025-02")).get_json()["signed_receipt"])[0]["kid"] == new["kid"]


# --- answers


def answered(small: SmallExchange, **query: str) -> JsonObject:
    """Rates of one pooled month, posted the first time that they are asked."""
    if not small.traces()["releases"]:
        post(small, "fills", {key: rows for key, rows in FILLS.items() if key[1] == "2025-01"})
    reply = small.ask("helix", "pdc_pooled", by="region", periods="2025-01", where="sex:F", **query)
    assert reply.status_code == 200, reply.get_json()
    return dict(reply.get_json())


def test_an_answer_is_signed_only_on_request_and_is_otherwise_the_same(agreed: SmallExchange) -> None:
    plain = answered(agreed)
    signed = answered(agreed, receipt="true")

    assert "signed_receipt" not in plain
    assert {name: value for name, value in signed.items() if name != "signed_receipt"} == plain


def test_the_receipt_of_an_answer_binds_question_releases_contract_and_digest(agreed: SmallExchange) -> None:
    agreed.clock.go_on(days=1)
    answer = answered(agreed, receipt="true")

    payload = proved(agreed, answer["signed_receipt"])
    assert payload["kind"] == "answer"
    assert payload["iat"] == int(agreed.clock.now().timestamp())
    assert payload["organisation"] == "helix"
    assert (payload["contract_id"], payload["contract_digest"]) == (CONTRACT, answer["contract_digest"])
    assert (payload["statistic"], payload["as_of"]) == ("pdc_pooled", "latest")
    assert payload["question"]["by"] == ["region"]
    assert payload["question"]["where"] == {"sex": ["F"]}
    assert payload["releases"] == answer["releases"]
    assert len(payload["releases"]) == len(PAYERS)
    assert payload["answer_sha256"] == answer_digest(answer)


def test_an_explained_answer_is_signed_whole(agreed: SmallExchange) -> None:
    answer = answered(agreed, receipt="true", explain="true")

    assert proved(agreed, answer["signed_receipt"])["answer_sha256"] == answer_digest(answer)
    assert answer["explanation"]["rows"]


# --- the command line


@pytest.fixture(scope="module")
def console(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The small contract in force on a real server, and the keys of its parties in a folder."""
    folder = tmp_path_factory.mktemp("console")
    shutil.copyfile(sqlite_template, folder / "parley.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    clock, issuer = TurnableClock(datetime.now(UTC)), {"PARLEY_ISSUER": url}
    small = SmallExchange(f"sqlite:///{folder / 'parley.db'}", clock=clock, settings_changes=issuer)
    small.agree(small_contract(effective="2026-01-01", expires="2099-12-31"))
    for name, key in small.client_keys.items():
        (folder / f"{name}-client.json").write_text(json.dumps(key))
    server = make_server("127.0.0.1", port, small.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Console(folder, {"PARLEY_URL": url})
    server.shutdown()
    thread.join()
    server.server_close()
    small.wiring.database.close()


def submitted(console: Console, period: str) -> tuple[Path, JsonObject]:
    """A receipt as `parley submit --json` prints it, in a file."""
    cells = console.write(f"cells-{period}.json", {"rows": [fills_row()]})
    printed = console.submit("sierra", cells, period, "--json")
    receipt: JsonObject = json.loads(printed)
    return console.write(f"receipt-{period}.json", receipt), receipt


def keys_file(console: Console) -> Path:
    path = console.folder / "receipt-keys.json"
    if not path.exists():
        console.done("receipt", "keys", "--out", path)
    return path


def offline(console: Console) -> Console:
    """With no exchange to ask."""
    return Console(console.folder, {"PARLEY_URL": "http://127.0.0.1:9"}, console.printed)


def test_a_receipt_is_verified_offline_and_says_what_it_proves(console: Console) -> None:
    path, receipt = submitted(console, "2025-01")
    keys = keys_file(console)

    said = offline(console).done("receipt", "verify", path, "--keys", keys)

    assert "Genuine: " in said
    assert receipt["block_sha256"] in said
    assert "what the file shows is what was signed" in said
    bare = console.write("bare.jws", receipt["signed_receipt"] + "\n")
    verdict = json.loads(offline(console).done("receipt", "verify", bare, "--keys", keys, "--json"))
    assert verdict["verified"] is True
    assert verdict["receipt"]["submission_id"] == receipt["submission_id"]
    assert verdict["checked"] == ["the signature"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("period", "2025-02"),
        ("block_sha256", "0" * 64),
        ("debited", {"rho_nano": 1, "rho": "0.000000001"}),
        ("balance", {"rho_nano": 100_000_000, "rho": "0.1"}),
        ("released_at", "2020-01-01T00:00:00+00:00"),
        ("contract_version", 2),
    ],
)
def test_a_file_that_shows_something_else_than_was_signed_is_refused(
    console: Console, name: str, value: object
) -> None:
    _, receipt = submitted(console, "2025-03") if name == "period" else (None, None)
    receipt = receipt or json.loads((console.folder / "receipt-2025-03.json").read_text())
    altered = console.write("altered.json", receipt | {name: value})

    message = offline(console).refused("receipt", "verify", altered, "--keys", keys_file(console))

    assert f"what it shows of {name} is not what was signed" in message


def test_an_export_of_a_book_is_for_another_command(console: Console) -> None:
    """The receipt in it signs the head alone, so that nothing else of the file would be compared."""
    whole = console.folder / "book.json"
    console.of("sierra").done("audit", "export", CONTRACT, "--out", whole)
    export = json.loads(whole.read_text())
    falsified = console.write("falsified.json", export | {"head": export["head"] | {"sequence": 1}, "records": []})

    for file in (whole, falsified):
        said = offline(console).refused("receipt", "verify", file, "--keys", keys_file(console))
        assert "parley audit verify FILE --keys" in said
    assert "Genuine" in offline(console).done(
        "receipt", "verify", console.write("head.jws", export["signed_receipt"]), "--keys", keys_file(console)
    )


def test_the_ledger_must_still_hold_the_entry(console: Console) -> None:
    path, receipt = submitted(console, "2025-04")
    keys = keys_file(console)
    words = ("receipt", "verify", path, "--keys", keys, "--ledger")

    assert "the ledger still charges for entry" in console.of("sierra").done(*words)
    assert "--client-id" in console.refused(*words, exit_code=2)
    assert "it is the ledger of lakeshore-members" in console.of("lakeshore").refused(*words)
    assert receipt["submission_id"]


def test_the_contract_must_be_the_one_of_the_receipt(console: Console) -> None:
    path, _ = submitted(console, "2025-05")
    keys = keys_file(console)
    shown: JsonObject = json.loads(console.of("sierra").done("contract", "show", CONTRACT, "--json"))
    contract = console.write("contract.json", shown)
    other = console.write("other.json", shown["document"] | {"purpose": "marketing"})

    assert "the contract is the one" in offline(console).done(
        "receipt", "verify", path, "--keys", keys, "--contract", contract
    )
    message = offline(console).refused("receipt", "verify", path, "--keys", keys, "--contract", other)
    assert "contract_digest" in message


def test_without_saved_keys_the_exchange_is_asked(console: Console) -> None:
    path, _ = submitted(console, "2025-06")

    assert "Genuine" in console.done("receipt", "verify", path)
    assert "cannot be reached" in offline(console).refused("receipt", "verify", path)


def test_keys_are_never_overwritten(console: Console) -> None:
    assert "is not overwritten" in console.refused("receipt", "keys", "--out", keys_file(console))


def test_an_answer_is_kept_with_its_receipt_and_proves_itself(console: Console) -> None:
    cells = console.write("pool.json", {"rows": [fills_row()]})
    for name in PAYERS:
        console.submit(name, cells, "2025-07")
    path = console.folder / "answer.json"
    words = ("ask", CONTRACT, "counts", "--feed", "fills", "--periods", "2025-07")
    console.of("helix").done(*words, "--receipt", path)
    keys = keys_file(console)

    assert "the answer is the one that was signed" in offline(console).done("receipt", "verify", path, "--keys", keys)
    answer: JsonObject = json.loads(path.read_text())
    bare = console.write("answer.jws", answer.pop("signed_receipt"))
    reordered = console.write("reordered.json", dict(sorted(answer.items(), reverse=True)))
    assert "the answer is the one" in offline(console).done(
        "receipt", "verify", bare, "--keys", keys, "--answer", reordered
    )
    answer["rows"][0]["value"] += 1
    forged = console.write("forged.json", answer)
    message = offline(console).refused("receipt", "verify", bare, "--keys", keys, "--answer", forged)
    assert "The answer is not the one that was signed" in message
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_answer_is_asked_for_before_it_is_signed(console: Console) -> None:
    assert "--receipt goes with a statistic" in console.of("helix").refused(
        "ask", CONTRACT, "--receipt", console.folder / "none.json", exit_code=2
    )


@pytest.mark.parametrize(
    "content", ["", "x", "a.b.c", "{}", '{"signed_receipt": 7}', "[]", '{"signed_receipt": "é.é.é"}']
)
def test_what_is_no_receipt_is_refused_in_one_sentence(console: Console, content: str) -> None:
    path = console.write("nothing.json", content)

    message = offline(console).refused("receipt", "verify", path, "--keys", keys_file(console))

    assert message.startswith("Error: ")
    assert message.count("\n") == 1


def test_an_access_token_of_the_same_exchange_is_no_receipt(console: Console) -> None:
    token = console.of("sierra").done("token").strip()
    path = console.write("token.jws", token)

    verdict: Any = offline(console).run("receipt", "verify", path, "--keys", keys_file(console), "--json")

    assert verdict.exit_code == 1
    assert json.loads(verdict.stdout)["verified"] is False
    assert RECEIPT_TYPE in verdict.stderr
