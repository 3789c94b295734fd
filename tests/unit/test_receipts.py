"""Receipts: which keys sign them, which forgeries are refused, and how a ledger that was cut is found out."""

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import click
import pytest
from joserfc import jws
from joserfc.jwk import import_key

from api.app import create_app
from api.auth.jose import KeyUnsuitable, public_members
from api.auth.keys import RECEIPT_TYPE, ReceiptKeys, TokenKeys, new_private_jwk
from api.cli.receipts import verify_signed
from api.settings import SettingsInvalid, read_settings
from contracts.ledger.entries import Entry, EntryKind
from contracts.parties import JsonObject
from contracts.receipts import answer_digest, audit_head_payload, misread, missing_from_ledger

ISSUER = "https://parley.example"
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
KEY = new_private_jwk("ES256")
KEYS = ReceiptKeys([KEY])
PUBLISHED: JsonObject = {"issuer": ISSUER, **KEYS.public_jwks()}
HEAD = audit_head_payload(ISSUER, NOW, "contract:dsc-small", 7, "ab" * 32)
SIGNED = KEYS.sign(HEAD)


def segment(content: bytes | JsonObject) -> str:
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(payload: JsonObject = HEAD, key: JsonObject = KEY, **header: Any) -> str:
    """A receipt that is right but for what a test changes; a header of None is left out."""
    whole = {"alg": key["alg"], "kid": key["kid"], "typ": RECEIPT_TYPE} | header
    bare = {name: value for name, value in key.items() if name not in ("alg", "use", "kid")}
    registry = jws.JWSRegistry(algorithms=["ES256", "ES384"], strict_check_header=False)
    protected = {name: value for name, value in whole.items() if value is not None}
    return jws.serialize_compact(protected, json.dumps(payload), import_key(bare), registry=registry)


# --- keys


@pytest.mark.parametrize("algorithm", ["ES256", "ES384"])
def test_what_a_key_signs_its_published_half_proves(algorithm: str) -> None:
    keys = ReceiptKeys([new_private_jwk(algorithm)])
    token = keys.sign(HEAD)

    kid, payload = verify_signed(token, {"issuer": ISSUER, **keys.public_jwks()})

    assert payload == HEAD
    assert kid == keys.public_jwks()["keys"][0]["kid"]
    assert keys.sign(HEAD) == token


def test_the_first_signs_and_retired_keys_stay_published_without_their_private_half() -> None:
    retired, new = new_private_jwk("ES384"), new_private_jwk("ES256")
    keys = ReceiptKeys([new, public_members(retired)])
    published = {"issuer": ISSUER, **keys.public_jwks()}

    assert verify_signed(keys.sign(HEAD), published)[0] == new["kid"]
    assert verify_signed(ReceiptKeys([retired]).sign(HEAD), published)[0] == retired["kid"]


@pytest.mark.parametrize(
    "jwk",
    [
        public_members(KEY),
        new_private_jwk("RS384"),
        new_private_jwk("Ed25519"),
        KEY | {"alg": "ES384"},
        KEY | {"use": "enc"},
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
    ],
    ids=["public", "RSA", "Ed25519", "alg", "use", "symmetric"],
)
def test_another_kind_of_key_cannot_sign_receipts_and_is_not_quoted(jwk: JsonObject) -> None:
    with pytest.raises(KeyUnsuitable) as refused:
        ReceiptKeys.from_json(json.dumps(jwk))

    assert str(jwk.get("d", jwk.get("k", jwk.get("x")))) not in str(refused.value)


def started(url: str, **changes: str) -> None:
    create_app(read_settings({"PARLEY_DATABASE_URL": url, "PARLEY_ISSUER": ISSUER, **changes}))


def test_the_key_of_access_tokens_is_refused_for_receipts_under_any_name(migrated_sqlite_url: str) -> None:
    same = json.dumps({"keys": [new_private_jwk("ES256"), KEY | {"kid": "another-name"}]})

    with pytest.raises(SettingsInvalid, match="a key of their own") as refused:
        started(migrated_sqlite_url, PARLEY_TOKEN_KEY=json.dumps(KEY), PARLEY_RECEIPT_KEY=same)

    assert KEY["d"] not in str(refused.value)


@pytest.mark.parametrize("key", ["nonsense", "[]", json.dumps(public_members(KEY))])
def test_a_receipt_key_that_cannot_sign_stops_the_start(migrated_sqlite_url: str, key: str) -> None:
    with pytest.raises(SettingsInvalid, match="PARLEY_RECEIPT_KEY"):
        started(migrated_sqlite_url, PARLEY_RECEIPT_KEY=key)


def test_development_makes_a_key_of_its_own_at_each_start() -> None:
    assert ReceiptKeys.generate().thumbprints() != ReceiptKeys.generate().thumbprints()


# --- forgeries


def by_public_key_as_secret() -> str:
    """The classic confusion: HMAC, with the published key as the secret."""
    head = segment({"alg": "HS256", "kid": KEY["kid"], "typ": RECEIPT_TYPE})
    secret = json.dumps(PUBLISHED["keys"][0]).encode()
    return f"{head}.{segment(HEAD)}.{segment(hmac.digest(secret, f'{head}.{segment(HEAD)}'.encode(), sha256))}"


FORGERIES: dict[str, Callable[[], str]] = {
    "another payload": lambda: ".".join([SIGNED.split(".")[0], segment(HEAD | {"sequence": 8}), SIGNED.split(".")[2]]),
    "no algorithm": lambda: f"{segment({'alg': 'none', 'kid': KEY['kid'], 'typ': RECEIPT_TYPE})}.{segment(HEAD)}.",
    "HMAC": by_public_key_as_secret,
    "another key under its kid": lambda: signed(key=new_private_jwk("ES256") | {"kid": KEY["kid"]}),
    "another curve under its kid": lambda: signed(key=new_private_jwk("ES384") | {"kid": KEY["kid"]}),
    "another key": lambda: signed(key=new_private_jwk("ES256")),
    "no kid": lambda: signed(kid=None),
    "an access token": lambda: TokenKeys([KEY]).sign({"iss": ISSUER, "iat": 1, "kind": "submission"}),
    "no type": lambda: signed(typ=None),
    "type JWT": lambda: signed(typ="JWT"),
    "a key brought along": lambda: signed(jwk=PUBLISHED["keys"][0]),
    "an address of keys": lambda: signed(jku="https://parley.example.evil/keys"),
    "another issuer": lambda: signed({**HEAD, "iss": "https://parley.example.evil"}),
    "no issuer": lambda: signed({name: value for name, value in HEAD.items() if name != "iss"}),
    "another kind": lambda: signed({**HEAD, "kind": "promise"}),
    "far too long": lambda: signed({**HEAD, "book": "x" * 100_000}),
    "two parts": lambda: SIGNED.rpartition(".")[0],
    "nothing": lambda: "",
}


def test_the_forgeries_start_from_a_receipt_that_is_genuine() -> None:
    assert verify_signed(SIGNED, PUBLISHED) == (KEY["kid"], HEAD)
    assert verify_signed(signed(), PUBLISHED) == (KEY["kid"], HEAD)


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forged_receipt_is_refused(kind: str) -> None:
    with pytest.raises(click.ClickException, match=r"not genuine|does not know"):
        verify_signed(FORGERIES[kind](), PUBLISHED)


@pytest.mark.parametrize("keys", [None, [], {}, "x", [7], [{"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAA"}]], ids=str)
def test_keys_that_are_none_are_refused_in_a_sentence(keys: Any) -> None:
    with pytest.raises(click.ClickException):
        verify_signed(SIGNED, {"issuer": ISSUER, "keys": keys})


# --- what a receipt is compared with


def test_an_answer_has_one_digest_whatever_its_spaces_order_and_receipt() -> None:
    answer = {"rows": [{"value": 0.1, "key": {"region": "north"}}], "confidence": 0.95}
    again = json.loads(json.dumps(dict(reversed(answer.items())), indent=4))

    assert answer_digest(answer) == answer_digest(again | {"signed_receipt": SIGNED})
    assert answer_digest(answer) != answer_digest(answer | {"confidence": 0.96})


def test_a_readable_head_that_says_something_else_is_named() -> None:
    assert misread(HEAD, {"book": HEAD["book"], "sequence": 7, "note": "mine"}) == []
    assert misread(HEAD, {"sequence": 8, "hash": "cd" * 32}) == ["sequence", "hash"]


def entry(sequence: int, **changes: Any) -> Entry:
    blank = dict.fromkeys(("contract_id", "contract_version", "feed", "period", "generation", "restatement"))
    known: dict[str, Any] = {
        **blank,
        "id": f"e{sequence}",
        "population": "sierra-members",
        "sequence": sequence,
        "kind": EntryKind.DEBIT,
        "charge_nano": 10,
        "increment_nano": 10,
        "granted_nano": 100,
        "spent_nano": 10 * sequence,
        "submission_id": f"s{sequence}",
        "attempt": 1,
        "event": {},
        "recorded_at": NOW,
    }
    return Entry(**known | changes)


LEDGER = [entry(1), entry(2, submission_id="s3"), entry(3), entry(4)]
RECEIPT: JsonObject = {
    "population": "sierra-members",
    "submission_id": "s3",
    "contract_id": "dsc-one",
    "contract_version": 1,
    "feed": "fills",
    "period": "2025-01",
    "restatement": 0,
    "charged_nano": 20,
    "debited_nano": 20,
    "ledger": {"entry_id": "e3", "sequence": 3, "granted_nano": 100, "spent_nano": 30},
}


def test_a_ledger_that_only_grew_holds_what_the_receipt_says() -> None:
    assert missing_from_ledger(RECEIPT, "sierra-members", LEDGER) == []


@pytest.mark.parametrize(
    ("ledger", "said"),
    [
        (LEDGER[:2], "it has no entry 3; its last is 2"),
        ([], "its last is 0"),
        ([*LEDGER[:2], replace(LEDGER[2], id="e9")], "id: the ledger says e9"),
        ([*LEDGER[:2], replace(LEDGER[2], submission_id="s9")], "submission: "),
        ([*LEDGER[:2], replace(LEDGER[2], spent_nano=20)], "spent nano-rho: the ledger says 20, the receipt 30"),
        ([*LEDGER[:2], replace(LEDGER[2], granted_nano=200)], "granted nano-rho"),
        ([LEDGER[0], replace(LEDGER[1], increment_nano=1), LEDGER[2]], "debits of the submission"),
    ],
    ids=["cut", "emptied", "rewritten", "of another", "rewound", "granted", "cheaper"],
)
def test_a_ledger_that_was_cut_rewound_or_rewritten_is_found_out(ledger: list[Entry], said: str) -> None:
    (difference, *_) = missing_from_ledger(RECEIPT, "sierra-members", ledger)

    assert said in difference


MEASURED: JsonObject = {
    name: RECEIPT[name]
    for name in ("submission_id", "contract_id", "contract_version", "feed", "period", "restatement")
}


def correction(sequence: int, entry_id: str, **changes: Any) -> Entry:
    """It restores a debit of the receipt's submission; `restores` changes what it says of that."""
    restores = {"entry_id": entry_id, "kind": "debit", **MEASURED, **changes.pop("restores", {})}
    event = {"reason": "restored of a backup", "restores": restores}
    known = {"kind": EntryKind.CORRECTION, "submission_id": None, "feed": "fills", "event": event}
    return entry(sequence, **known | changes)


def test_a_submission_whose_attempts_were_lost_and_are_charged_again_by_corrections_is_held() -> None:
    """Both attempts; or the last alone, where the debit of the first was kept. Posted again, it pays anew."""
    both = [LEDGER[0], correction(2, "e2"), correction(3, "e3")]
    for ledger in (both, [*LEDGER[:2], correction(3, "e3")], [*both, entry(4, submission_id="s3")]):
        assert missing_from_ledger(RECEIPT, "sierra-members", ledger) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"spent_nano": 29},
        {"charge_nano": 0},
        {"charge_nano": 9},
        {"feed": None},
        {"kind": EntryKind.GRANT},
        {"restores": {"entry_id": "e9"}},
        *({"restores": {name: "another"}} for name in MEASURED),
        {"restores": dict.fromkeys(MEASURED)},
    ],
    ids=str,
)
def test_a_correction_that_charges_less_or_for_something_else_holds_no_receipt(changes: JsonObject) -> None:
    ledger = [*LEDGER[:2], entry(3, id="x", submission_id="x"), correction(4, "e3", **changes)]
    assert missing_from_ledger(RECEIPT, "sierra-members", [*ledger[:3], correction(4, "e3")]) == []

    assert missing_from_ledger(RECEIPT, "sierra-members", ledger) != []


def test_an_attempt_that_no_entry_charges_for_is_found_out() -> None:
    ledger = [LEDGER[0], entry(2, submission_id="x"), correction(3, "e3")]

    assert missing_from_ledger(RECEIPT, "sierra-members", ledger) != []
