"""Published keys are held for a while; nobody can have them fetched more often than is decided here."""

import base64
import json
import string
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.identity import jwks
from adapters.identity.fetching import Reach, Unreachable
from adapters.identity.jwks import KeysBusy, KeysUnreachable, PublishedKeys, read_keys
from api.auth.keys import new_private_jwk
from contracts.parties import JsonObject
from tests.support.key_server import NAME, KeyServer, document, rsa_key
from tests.support.small_exchange import public

RSA = rsa_key()
FIRST, SECOND = (public(new_private_jwk("ES384")) for _ in range(2))


class Stopwatch:
    """Monotonic time that a test turns."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyServer]:
    authority, path = trustme.CA(), tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    with pytest.MonkeyPatch.context() as patched, KeyServer(authority).serving() as server:
        patched.setenv("SSL_CERT_FILE", str(path))
        yield server


@pytest.fixture
def server(running: KeyServer) -> KeyServer:
    running.paths.clear()
    running.resolved.clear()
    running.publish(FIRST)
    return running


@pytest.fixture
def published(server: KeyServer, watch: Stopwatch) -> PublishedKeys:
    return PublishedKeys(Reach(frozenset({server.host}), resolver=server.resolver), watch)


# --- holding


def test_keys_are_found_by_kid_and_held_for_five_minutes(
    server: KeyServer, published: PublishedKeys, watch: Stopwatch
) -> None:
    for _ in range(3):
        assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
    watch.seconds += 239
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
    assert len(server.paths) == 1
    watch.seconds += 60
    server.publish(SECOND)
    watch.seconds += 2
    assert published.find_keys(server.url(), FIRST["kid"]) == []
    assert published.find_keys(server.url(), SECOND["kid"]) == [SECOND]
    assert len(server.paths) == 2


def test_who_goes_on_asking_never_waits_for_keys_anew(
    server: KeyServer, published: PublishedKeys, watch: Stopwatch
) -> None:
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
    asked, go_on, answer = Event(), Event(), server.answer

    def slowly(handler: Any) -> None:
        asked.set()
        assert go_on.wait(5)
        answer(handler)

    server.answer = slowly
    watch.seconds += 240
    for _ in range(3):
        assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
    assert asked.wait(5)
    running = published._pages[server.url()].running
    assert running is not None
    go_on.set()
    running.result(5)
    watch.seconds += 239
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
    assert len(server.paths) == 2


def test_a_url_that_goes_on_failing_is_asked_ever_more_seldom(
    server: KeyServer, published: PublishedKeys, watch: Stopwatch
) -> None:
    server.answer = document({}, 503)

    def fails() -> int:
        with pytest.raises(KeysUnreachable):
            published.find_keys(server.url(), FIRST["kid"])
        return len(server.paths)

    asked = fails()
    for rest in (30, 60, 120, 240, 480, 600, 600):
        watch.seconds += rest - 1
        assert fails() == asked
        watch.seconds += 1
        asked += 1
        assert fails() == asked
    server.publish(FIRST)
    watch.seconds += 600
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
    server.publish(SECOND)
    watch.seconds += 30
    assert published.find_keys(server.url(), SECOND["kid"]) == [SECOND]


def test_an_unknown_kid_has_keys_fetched_anew_but_once_in_half_a_minute(
    server: KeyServer, published: PublishedKeys, watch: Stopwatch
) -> None:
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
    server.publish(FIRST, SECOND)
    for number in range(50):
        assert published.find_keys(server.url(), f"made-up-{number}") == []
    assert published.find_keys(server.url(), SECOND["kid"]) == []
    assert len(server.paths) == 1
    watch.seconds += 30
    assert published.find_keys(server.url(), SECOND["kid"]) == [SECOND]
    for number in range(50):
        assert published.find_keys(server.url(), f"made-up-{number}") == []
    assert len(server.paths) == 2


def test_a_host_that_fails_is_left_alone_for_half_a_minute(
    server: KeyServer, published: PublishedKeys, watch: Stopwatch
) -> None:
    server.answer = document({}, 503)
    for number in range(20):
        with pytest.raises(KeysUnreachable, match="it answers with status 503"):
            published.find_keys(server.url(), f"made-up-{number}")
    assert len(server.paths) == 1
    server.publish(FIRST)
    watch.seconds += 30
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]


def test_keys_are_never_held_longer_because_their_host_fails(
    server: KeyServer, published: PublishedKeys, watch: Stopwatch
) -> None:
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
    server.answer = document({}, 500)
    watch.seconds += 200
    with pytest.raises(KeysUnreachable):
        published.find_keys(server.url(), "made-up")
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
    watch.seconds += 100
    with pytest.raises(KeysUnreachable):
        published.find_keys(server.url(), FIRST["kid"])


def test_what_one_url_says_is_not_believed_of_another(server: KeyServer, published: PublishedKeys) -> None:
    assert published.find_keys(server.url("/one"), FIRST["kid"]) == [FIRST]
    server.publish(SECOND)
    assert published.find_keys(server.url("/two"), FIRST["kid"]) == []


def test_a_caller_cannot_change_what_is_held(server: KeyServer, published: PublishedKeys) -> None:
    published.find_keys(server.url(), FIRST["kid"])[0]["kty"] = "oct"
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]


def test_only_so_many_urls_are_remembered(
    server: KeyServer, published: PublishedKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "URLS_MAX", 2)
    for path in ("/a", "/b", "/a", "/c", "/a"):
        assert published.find_keys(server.url(path), FIRST["kid"]) == [FIRST]
    assert server.paths == ["/a", "/b", "/c"]
    published.find_keys(server.url("/b"), FIRST["kid"])
    assert server.paths == ["/a", "/b", "/c", "/b"]


# --- many at once


def test_of_32_threads_two_wait_and_the_others_are_told_to_come_again(server: KeyServer, watch: Stopwatch) -> None:
    published = PublishedKeys(Reach(frozenset({server.host}), resolver=server.resolver), watch, waiting_max=8)
    together, gate, answer = Barrier(32), Event(), server.answer

    def slowly(handler: Any) -> None:
        assert gate.wait(5)
        answer(handler)

    server.answer = slowly

    def find(_: int) -> list[JsonObject] | None:
        together.wait()
        try:
            return published.find_keys(server.url(), FIRST["kid"])
        except KeysBusy:
            return None

    with ThreadPoolExecutor(32) as threads:
        asking = [threads.submit(find, number) for number in range(32)]
        while sum(one.done() for one in asking) < 30:
            time.sleep(0.001)
        gate.set()
        found = [one.result(5) for one in asking]
    assert (found.count(None), found.count([FIRST])) == (30, 2)
    assert len(server.paths) == 1
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]


def test_who_comes_with_a_known_kid_does_not_wait_for_one_with_an_unknown(
    server: KeyServer, published: PublishedKeys, watch: Stopwatch
) -> None:
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
    watch.seconds += 30
    asked, go_on, answer = Event(), Event(), server.answer

    def slowly(handler: Any) -> None:
        asked.set()
        assert go_on.wait(5)
        answer(handler)

    server.answer = slowly
    with ThreadPoolExecutor(1) as threads:
        unknown = threads.submit(published.find_keys, server.url(), "made-up")
        assert asked.wait(5)
        assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
        assert not unknown.done()
        go_on.set()
        assert unknown.result(5) == []


@pytest.fixture
def hanging() -> Iterator[Event]:
    """What `hosts` keeps waiting, until the end of the test."""
    go_on = Event()
    yield go_on
    go_on.set()


def hosts(server: KeyServer, go_on: Event) -> Reach:
    """The host of the server answers; the name server of all others hangs."""

    def resolver(host: str, port: int) -> list[str]:
        assert host == NAME or go_on.wait(10)
        return ["127.0.0.1"]

    return Reach(frozenset({server.host}), resolver=resolver)


def asked_of(published: PublishedKeys, *urls: str) -> list[type[KeysUnreachable]]:
    """Each by a thread of its own, at once; with what they were refused."""

    def ask(url: str) -> type[KeysUnreachable]:
        with pytest.raises(KeysUnreachable) as refused:
            published.find_keys(url, "any")
        return refused.type

    with ThreadPoolExecutor(len(urls)) as threads:
        return list(threads.map(ask, urls))


def test_hosts_that_hang_keep_nobody_elses_keys_from_being_fetched(
    server: KeyServer, hanging: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "WAIT_SECONDS_MAX", 0.2)
    published = PublishedKeys(hosts(server, hanging))
    slow = [f"https://slow-{number}.example/" for number in range(31)]
    refused = asked_of(published, *slow)
    assert sorted(kind.__name__ for kind in refused) == ["KeysBusy"] * 29 + ["KeysUnreachable"] * 2
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]


def test_a_host_that_hangs_is_fetched_from_twice_at_once_however_it_is_spelt(
    server: KeyServer, hanging: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "WAIT_SECONDS_MAX", 0.2)
    published = PublishedKeys(hosts(server, hanging), fetches_max=3)
    spelt = (
        "https://slow.example/1",
        "https://SLOW.example:8443/2",
        "https://slow.example./3",
        "https://slow.example/",
    )
    assert sorted(kind.__name__ for kind in asked_of(published, *spelt))[2:] == ["KeysUnreachable"] * 2
    assert published._fetches_of == {"slow.example": 2}
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]


def test_where_all_fetches_are_taken_one_is_told_to_come_again_at_once(server: KeyServer, hanging: Event) -> None:
    published = PublishedKeys(hosts(server, hanging), fetches_max=1)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(asked_of, published, "https://slow.example/")
        while not published._waiting:
            time.sleep(0.001)
        with pytest.raises(KeysBusy, match="too many keys are being fetched"):
            published.find_keys(server.url(), FIRST["kid"])
        hanging.set()
        assert first.result(5) == [KeysUnreachable]
    assert published._fetches_of == {}
    assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]


def test_who_finds_no_room_to_wait_finds_the_keys_a_moment_later(server: KeyServer, hanging: Event) -> None:
    published = PublishedKeys(hosts(server, hanging), waiting_max=1)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(asked_of, published, "https://slow.example/")
        while not published._waiting:
            time.sleep(0.001)
        with pytest.raises(KeysBusy, match="too many wait"):
            published.find_keys(server.url(), FIRST["kid"])
        while not server.paths or published._pages[server.url()].running:
            time.sleep(0.001)
        assert published.find_keys(server.url(), FIRST["kid"]) == [FIRST]
        hanging.set()
        assert first.result(5) == [KeysUnreachable]


def test_a_name_server_that_does_not_answer_holds_nobody_up_for_long(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "WAIT_SECONDS_MAX", 0.1)
    go_on = Event()

    def resolver(host: str, port: int) -> list[str]:
        assert go_on.wait(5)
        return ["127.0.0.1"]

    published = PublishedKeys(Reach(frozenset({server.host}), resolver=resolver))
    for patience in (1.0, 0.05):
        began = time.monotonic()
        with pytest.raises(KeysUnreachable, match="does not answer in time"):
            published.find_keys(server.url(), FIRST["kid"])
        assert time.monotonic() - began < patience
    go_on.set()


def test_a_failure_that_nobody_foresaw_is_one_too(server: KeyServer, watch: Stopwatch) -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise RuntimeError("secret detail")

    published = PublishedKeys(Reach(resolver=resolver), watch)
    for _ in range(2):
        with pytest.raises(KeysUnreachable, match=r"^it cannot be read$"):
            published.find_keys(server.url(), FIRST["kid"])


# --- what is a key


def read(*keys: object) -> list[JsonObject]:
    return list(read_keys(json.dumps({"keys": [*keys]}).encode()))


def test_a_published_key_comes_with_its_public_members_its_kid_and_its_algorithm() -> None:
    certified = {**FIRST, "use": "sig", "alg": "ES384", "key_ops": ["verify"], "x5c": ["MIIB"], "x5t": "x", "more": 1.5}
    assert read(certified) == [{**FIRST, "alg": "ES384"}]
    assert read({**FIRST, "kid": "odd/+= kid"}) == [{**FIRST, "kid": "odd/+= kid"}]


@pytest.mark.parametrize(
    "change",
    [
        {"d": "AAAA"},
        {"k": "AAAA"},
        {"use": "enc"},
        {"use": 7},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"kid": None},
        {"kid": ""},
        {"kid": 7},
        {"kid": ["a"]},
        {"kid": "a" * 256},
        {"alg": 7},
        {"kty": "oct"},
        {"kty": "AKP"},
        {"kty": ["EC"]},
        {"crv": "P-521"},
        {"crv": {}},
        {"x": "AAAA"},
        {"x": 7},
        {"x": "\u00e9"},
        {"y": None},
    ],
)
def test_a_key_that_will_not_do_is_passed_over_and_the_others_stand(change: JsonObject) -> None:
    assert read({**SECOND, **change}, FIRST) == [FIRST]


@pytest.mark.filterwarnings("ignore:Key size should be")
def test_weak_and_private_keys_are_no_keys() -> None:
    rsa, short = RSA, {"kty": "RSA", "n": "w" * 171, "e": "AQAB", "kid": "short"}
    weak = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "kid": "weak"}
    even = {**public(rsa), "n": base64.urlsafe_b64encode(b"\xff" * 255 + b"\xfe").decode().rstrip("="), "kid": "even"}
    assert read(rsa, short, weak, even, public(rsa)) == [public(rsa)]


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"[]", b"7", b"null", b"{}", b'{"keys": 7}', b'{"keys": {}}', b'{"keys": [7]}', b'{"keys": [[]]}'),
        *(b"<html>", b"\xff\xfe", b'{"keys": [], "keys": []}', b'{"keys": [NaN]}', b"[" * 60_000),
        b'{"keys": [' + b"{}," * 20 + b"{}]}",
    ],
)
def test_what_is_no_set_of_at_most_20_keys_is_refused(text: bytes) -> None:
    with pytest.raises(Unreachable, match="the answer is no JWK set"):
        read_keys(text)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(string.printable, max_size=8) | st.sampled_from(["EC", "RSA"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_members = st.sampled_from([*FIRST, "n", "e", "use", "alg", "key_ops", "d"])


@settings(max_examples=25)
@given(st.lists(st.dictionaries(_members, _values).map(lambda change: {**FIRST, **change}), max_size=3))
def test_no_key_however_odd_is_an_error_of_ours(keys: list[JsonObject]) -> None:
    for key in read(*keys):
        assert set(key) <= {"kty", "crv", "x", "y", "n", "e", "kid", "alg"}
