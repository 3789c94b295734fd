"""Fetching what others publish: nothing inside can be reached by it, and nobody can be kept waiting by it."""

import gzip
import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
import trustme

from adapters.identity import fetching
from adapters.identity.addresses import is_public, resolve
from adapters.identity.fetching import BYTES_MAX, Reach, Unreachable, fetch
from tests.support.key_server import NAME, KeyServer, document, raw, silent_port

PATIENCE = 0.4


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[trustme.CA]:
    """The authority of the certificates, trusted as the system's are."""
    authority, path = trustme.CA(), tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(path))
        yield authority


@pytest.fixture
def server(trusted: trustme.CA) -> Iterator[KeyServer]:
    with KeyServer(trusted).serving() as serving:
        yield serving


def reach(server: KeyServer, *hosts: str, plain_http: bool = False) -> Reach:
    """What leads to the server, which is on this machine, by its name."""
    return Reach(frozenset(hosts or (server.host,)), plain_http=plain_http, resolver=server.resolver)


def refusal(url: str, where: Reach) -> str:
    with pytest.raises(Unreachable) as refused:
        fetch(url, where)
    return str(refused.value)


# --- addresses


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254"),
        *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1"),
        *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "64:ff9b::7f00:1"),
        *("64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:10::1", "2001:20::1", "2001:db8::1"),
        *("2002:7f00:1::1", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1"),
        *("fe80::1%eth0", "fec0::1", "ff02::1"),
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_known(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"]
)
def test_a_public_address_is_known(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.1", "127.0.1"),
        *("2130706433", "0x7f000001", "0x7f.1", "017700000001", "0", "0.0.0.0"),
    ],
)
def test_this_machine_is_not_reached_under_any_of_its_names(trusted: trustme.CA, host: str) -> None:
    with KeyServer(trusted, "localhost").serving() as server:
        told = refusal(f"https://{host}:{server.port}/jwks.json", Reach())
        assert server.paths == []
    assert told in ("the host has an address that is not public", "the name of the host is unknown")


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "169.254.169.254", "192.168.0.1", "[fd00::1]", "[64:ff9b::a00:1]", "[2002:a00:1::1]"]
)
def test_a_private_address_is_refused_before_any_connection(host: str) -> None:
    began = time.monotonic()
    assert refusal(f"https://{host}/latest/meta-data", Reach()) == "the host has an address that is not public"
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["2606:4700::1111", "::1"]])
def test_a_name_with_one_private_address_is_not_asked(server: KeyServer, addresses: list[str]) -> None:
    reached = Reach(resolver=lambda host, port: addresses)
    assert refusal(server.url(), reached) == "the host has an address that is not public"
    assert server.paths == []


def test_a_name_that_changes_its_address_between_check_and_connection_gains_nothing(server: KeyServer) -> None:
    given = iter([["127.0.0.1"], ["127.0.0.99"], ["127.0.0.99"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(given)

    assert fetch(server.url(), Reach(frozenset({server.host}), resolver=rebinding)) == b'{"keys": []}'
    assert asked == [NAME]
    assert server.paths == ["/jwks.json"]


def test_a_name_nobody_has_is_told() -> None:
    assert refusal("https://keys.invalid/", Reach()) == "the name of the host is unknown"
    assert resolve("127.0.0.1", 443) == ["127.0.0.1"]


# --- URLs


@pytest.mark.parametrize(
    "url",
    [
        *("", "keys.example", "//keys.example/", "/jwks.json", "https://", "https:///jwks.json", "https:keys.example"),
        *("http://keys.example/", "ftp://keys.example/", "file:///etc/passwd", "gopher://keys.example/", "data:,{}"),
        *(
            "unix:///run/x.sock",
            "jar:https://keys.example!/",
            "https://user@keys.example/",
            "https://u:p@keys.example/",
        ),
        *("https://@keys.example/", "https://keys.example/#part", "https://keys.example/#", "https://keys.example:0/"),
        *("https://keys.example:65536/", "https://keys.example:x/", "https://keys.example\\@inside/", "https://a b/"),
        *("https://keys.example/\n", " https://keys.example/", "https://keys.example/\r\nHost: inside", "https://[::1"),
        *(
            "https://\u212aeys.example/",
            "https://k\u00e9ys.example/",
            "https://keys%2eexample/",
            "https://[fe80::1%25eth0]/",
        ),
        "https://keys.example/" + "a" * 2048,
    ],
)
def test_what_is_no_plain_https_url_is_refused_unasked(url: str) -> None:
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["8.8.8.8"]

    assert refusal(url, Reach(resolver=resolver)).startswith("the URL is not")
    assert asked == []


def test_plain_http_is_for_listed_hosts_on_this_machine_in_development_alone(trusted: trustme.CA) -> None:
    with KeyServer(trusted, None).serving() as server:
        listed = frozenset({server.host})
        assert fetch(server.url(), reach(server, plain_http=True)) == b'{"keys": []}'
        for where in (
            reach(server),
            reach(server, "other.example", plain_http=True),
            Reach(listed, plain_http=True, resolver=lambda host, port: ["10.0.0.1"]),
            Reach(listed, plain_http=True, resolver=lambda host, port: ["8.8.8.8"]),
        ):
            assert refusal(server.url(), where) == "the URL is not https"
        assert len(server.paths) == 1


def test_a_private_host_is_listed_with_or_without_its_port(server: KeyServer) -> None:
    assert fetch(server.url(), reach(server, NAME)) == b'{"keys": []}'
    assert refusal(server.url(), reach(server, f"{NAME}:443")) == "the host has an address that is not public"
    assert refusal(server.url(), reach(server, f"not-{NAME}")) == "the host has an address that is not public"


# --- TLS


def test_the_certificate_must_be_for_the_name_and_not_for_the_address(trusted: trustme.CA) -> None:
    for certified in ("other.example", "127.0.0.1"):
        with KeyServer(trusted, certified).serving() as server:
            told = refusal(server.url(), reach(server))
            assert told == "its certificate is not one that this system trusts for that name"
            assert server.paths == []


def test_a_certificate_of_nobody_known_is_refused(trusted: trustme.CA) -> None:
    with KeyServer(trustme.CA()).serving() as server:
        assert "certificate" in refusal(server.url(), reach(server))
        assert server.paths == []


# --- answers


def test_a_redirect_is_not_followed(server: KeyServer) -> None:
    for status in (301, 302, 303, 307, 308):
        server.answer = document(b"", status, Location=server.url("/elsewhere"))
        assert refusal(server.url(), reach(server)) == "it redirects, which is not followed"
    assert set(server.paths) == {"/jwks.json"}


@pytest.mark.parametrize("status", [201, 204, 401, 404, 500, 503])
def test_only_a_200_is_an_answer(server: KeyServer, status: int) -> None:
    server.answer = document({"keys": []}, status)
    assert refusal(server.url(), reach(server)) == f"it answers with status {status}"


def test_an_answer_may_have_64_kib_and_no_more(server: KeyServer) -> None:
    server.answer = document(b"a" * BYTES_MAX)
    assert fetch(server.url(), reach(server)) == b"a" * BYTES_MAX
    server.answer = document(b"a" * (BYTES_MAX + 1))
    assert refusal(server.url(), reach(server)) == "the answer has more than 65536 bytes"


def test_an_answer_without_end_is_cut_off(server: KeyServer) -> None:
    chunks = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1000\r\n" + b"a" * 4096 + b"\r\n"] * 5000]
    server.answer = raw(*chunks)
    assert refusal(server.url(), reach(server)) == "the answer has more than 65536 bytes"


@pytest.mark.parametrize(
    "chunks",
    [
        [b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 200] * 500,
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1;" + b"a" * 8000 + b"\r\na\r\n"] * 500],
    ],
    ids=["interim answers", "chunk extensions"],
)
def test_what_is_thrown_away_counts_too(server: KeyServer, chunks: list[bytes]) -> None:
    server.answer = raw(*chunks)
    assert refusal(server.url(), reach(server)) == "the answer has more than 262144 bytes, with all that is around it"


def test_a_compressed_answer_is_refused_however_small(server: KeyServer) -> None:
    for coding in ("gzip", "x-unknown"):
        server.answer = document(gzip.compress(b"a" * 10**6), 200, Content_Encoding=coding)
        assert refusal(server.url(), reach(server)) == "the answer is compressed, which was not asked for"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"no http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_refused(server: KeyServer, said: bytes) -> None:
    server.answer = raw(said)
    assert refusal(server.url(), reach(server)) == "the answer is no HTTP or is cut short"


# --- time


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SECONDS_MAX", PATIENCE)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "chunks",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"a"] * 200],
        [b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 200],
    ],
    ids=["body", "headers"],
)
def test_an_answer_in_drips_has_one_deadline_for_all_of_it(server: KeyServer, chunks: list[bytes]) -> None:
    server.answer = raw(*chunks, pause=lambda: time.sleep(0.02))
    began = time.monotonic()
    assert refusal(server.url(), reach(server)) == "it does not answer in time"
    assert PATIENCE * 0.8 < time.monotonic() - began < PATIENCE + 1


@pytest.mark.usefixtures("impatient")
def test_a_host_that_says_nothing_at_all_is_given_up() -> None:
    with silent_port() as port:
        began = time.monotonic()
        where = Reach(frozenset({"localhost"}), resolver=lambda host, port: ["127.0.0.1"])
        assert refusal(f"https://localhost:{port}/", where) == "it does not answer in time"
        assert time.monotonic() - began < PATIENCE + 1


def test_where_nobody_listens_there_is_no_connection(server: KeyServer) -> None:
    with silent_port() as port:
        pass
    where = Reach(frozenset({"localhost"}), resolver=lambda host, port: ["127.0.0.1"])
    assert refusal(f"https://localhost:{port}/", where) == "there is no connection to the host"


def test_another_address_of_a_host_is_tried_where_one_is_dead(server: KeyServer) -> None:
    both = Reach(frozenset({server.host}), resolver=lambda host, port: ["127.0.0.99", "127.0.0.1"])
    assert fetch(server.url(), both) == b'{"keys": []}'


# --- the surroundings


def test_no_proxy_of_the_environment_is_used(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(server.url(), reach(server)) == b'{"keys": []}'


def test_the_query_of_the_url_is_sent_and_nothing_of_ours_with_it(server: KeyServer) -> None:
    seen: dict[str, str] = {}
    answer = server.answer

    def remember(handler):  # type: ignore[no-untyped-def]
        seen.update(handler.headers.items())
        answer(handler)

    server.answer = remember
    fetch(server.url("/keys?p=1"), reach(server))
    assert server.paths == ["/keys?p=1"]
    assert {name.lower() for name in seen} == {"host", "accept", "accept-encoding"}
    assert seen["Host"] == server.host
