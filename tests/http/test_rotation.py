"""Keys are rotated by the steps of docs/how-to/rotate-keys.md under clients that never notice."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event

import httpx
import pytest
from joserfc import jws

from adapters.client.tokens import ASSERTION_TYPE, make_client_assertion
from api.auth.jose import public_members
from api.auth.keys import ReceiptReader, new_private_jwk
from contracts.parties import JsonObject
from tests.support.live_server import LiveServer, live_server, wait_until
from tests.support.small_exchange import CONTRACT, SmallExchange, fills, server_keys

NAME = "blueridge"
CLIENTS = 4
TOKEN_KEYS = "/.well-known/jwks.json"
RECEIPT_KEYS = "/.well-known/parley-receipt-keys.json"


@dataclass
class Keys:
    """A file of keys, as the operator changes it."""

    file: Path
    jwks: list[JsonObject] = field(default_factory=lambda: [new_private_jwk("ES256")])

    def __post_init__(self) -> None:
        self.write()

    @property
    def kids(self) -> list[str]:
        return [str(jwk["kid"]) for jwk in self.jwks]

    def write(self) -> None:
        """Whole, or not at all: the exchange may read it at any moment."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({"keys": self.jwks}))
        os.replace(new, self.file)


@dataclass
class Rotation:
    """A server whose keys are in files, and clients at work."""

    small: SmallExchange
    live: LiveServer
    token_keys: Keys
    receipt_keys: Keys
    failures: list[str] = field(default_factory=list)
    rounds: list[int] = field(default_factory=lambda: [0] * CLIENTS)
    ended: Event = field(default_factory=Event)

    def ask_for_token(self, client: httpx.Client) -> httpx.Response:
        key, url = self.small.client_keys[NAME], f"{self.small.settings.issuer}/oauth/token"
        assertion = make_client_assertion(f"{NAME}-client", key, url, self.small.clock.now())
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return client.post("/oauth/token", data=form)

    def work(self, number: int) -> None:
        """Tokens on one connection that is kept, their use on others."""
        with self.live.client() as kept:
            while not self.ended.is_set():
                try:
                    answered = self.ask_for_token(kept)
                    token = {"Authorization": f"Bearer {answered.json()['access_token']}"}
                    for get in (kept.get, self.live.get):
                        found = get(f"/v1/contracts/{CONTRACT}", headers=token)
                        if found.status_code != 200:
                            self.failures.append(found.text)
                except (httpx.HTTPError, KeyError, ValueError) as error:
                    self.failures.append(repr(error))
                self.rounds[number] += 1

    @contextmanager
    def clients_at_work(self) -> Iterator[None]:
        with ThreadPoolExecutor(CLIENTS) as pool:
            working = [pool.submit(self.work, number) for number in range(CLIENTS)]
            try:
                yield
            finally:
                self.ended.set()
                for done in working:
                    done.result()

    def until_all_have_new_tokens(self) -> None:
        """As when the lifetime of a token is over."""
        before = list(self.rounds)
        wait_until(lambda: all(now > then + 1 for now, then in zip(self.rounds, before, strict=True)))

    def reload(self, path: str, keys: Keys) -> None:
        """SIGHUP, until every worker publishes these keys: so the page says to look."""
        keys.write()
        self.live.signal(signal.SIGHUP)
        wait_until(lambda: all(self.published(path) == keys.kids for _ in range(20)))

    def published(self, path: str) -> list[str]:
        return [key["kid"] for key in self.live.get(path).raise_for_status().json()["keys"]]

    def rotate(self, path: str, keys: Keys, algorithm: str) -> None:
        """Steps 1 and 2."""
        keys.jwks.append(new_private_jwk(algorithm))
        self.reload(path, keys)
        keys.jwks.reverse()
        self.reload(path, keys)
        self.until_all_have_new_tokens()

    def post(self, period: str) -> str:
        """The receipt of a submission, as it was signed."""
        with self.live.client() as client:
            token = {"Authorization": f"Bearer {self.ask_for_token(client).json()['access_token']}"}
            posted = client.post(f"/v1/contracts/{CONTRACT}/submissions", json=fills(period), headers=token)
        return str(posted.raise_for_status().json()["signed_receipt"])


def kid_of(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])


@pytest.fixture(params=["postgresql", "sqlite"])
def rotation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rotation]:
    """Two workers on PostgreSQL, one on SQLite."""
    url = request.getfixturevalue(f"migrated_{request.param}_url")
    # Of the small exchange itself: its tokens are not used here.
    small = SmallExchange(url, settings_changes=server_keys(), template="agreed")
    token_keys, receipt_keys = Keys(tmp_path / "token-keys.json"), Keys(tmp_path / "receipt-keys.json")
    settings = {
        "PARLEY_WORKERS": "2" if request.param == "postgresql" else "1",
        "PARLEY_TOKEN_KEY_FILE": str(token_keys.file),
        "PARLEY_RECEIPT_KEY_FILE": str(receipt_keys.file),
    }
    with live_server(small, tmp_path / "log", without=("PARLEY_TOKEN_KEY", "PARLEY_RECEIPT_KEY"), **settings) as live:
        yield Rotation(small, live, token_keys, receipt_keys)
    small.wiring.database.close()


@pytest.mark.slow
def test_both_keys_are_rotated_and_no_client_fails_once(rotation: Rotation) -> None:
    first = rotation.post("2025-01")
    old_kid = rotation.token_keys.kids[0]
    with rotation.clients_at_work():
        rotation.until_all_have_new_tokens()
        rotation.rotate(TOKEN_KEYS, rotation.token_keys, "ES256")
        del rotation.token_keys.jwks[1]
        rotation.reload(TOKEN_KEYS, rotation.token_keys)
        rotation.rotate(RECEIPT_KEYS, rotation.receipt_keys, "ES384")
        rotation.receipt_keys.jwks[1] = public_members(rotation.receipt_keys.jwks[1])
        rotation.reload(RECEIPT_KEYS, rotation.receipt_keys)
        rotation.until_all_have_new_tokens()
    second = rotation.post("2025-02")

    assert rotation.failures == []
    assert min(rotation.rounds) > 5
    with rotation.live.client() as client:
        assert kid_of(rotation.ask_for_token(client).json()["access_token"]) == rotation.token_keys.kids[0] != old_kid
    assert [kid_of(first), kid_of(second)] == rotation.receipt_keys.kids[::-1]
    reader = ReceiptReader(rotation.live.get(RECEIPT_KEYS).json()["keys"])
    assert [reader.read(receipt)["period"] for receipt in (first, second)] == ["2025-01", "2025-02"]


SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
FAULTY = {
    "no JSON": (f'{{"d": "{SECRET}', "PARLEY_TOKEN_KEY: The token keys are not JSON."),
    "no private key": (json.dumps({"kty": "EC", "crv": "P-256", "x": SECRET, "y": SECRET}), "PARLEY_TOKEN_KEY: "),
    "no key": ('{"keys": []}', "PARLEY_TOKEN_KEY: The set of token keys is empty."),
    "no file": (None, "PARLEY_TOKEN_KEY_FILE names a file that cannot be read"),
}


@pytest.mark.parametrize("rotation", ["sqlite"], indirect=True)
def test_keys_that_will_not_do_are_not_taken_and_the_log_says_why(rotation: Rotation) -> None:
    workers = rotation.live.workers()
    for text, reason in FAULTY.values():
        if text is None:
            rotation.token_keys.file.unlink()
        else:
            rotation.token_keys.file.write_text(text)

        rotation.live.signal(signal.SIGHUP)

        wait_until(partial(_says, rotation.live, reason))
        with rotation.live.client() as client:
            assert rotation.ask_for_token(client).status_code == 200
    assert rotation.live.workers() == workers
    assert SECRET not in rotation.live.log
    assert "Traceback" not in rotation.live.log


def _says(live: LiveServer, reason: str) -> bool:
    lines = [json.loads(line) for line in live.log.splitlines()]
    return any(line["event"].startswith("settings not taken") and line["reason"].startswith(reason) for line in lines)
