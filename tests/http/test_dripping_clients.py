"""Clients that never stop sending, and never come to an end, do not keep the others out."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest

from api.serving import sockets
from api.serving.sockets import DeadlineSocket
from tests.support.live_server import live_server
from tests.support.small_exchange import SmallExchange, server_keys

THREADS = 2
PATIENCE = 1.5
HEAD = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: "
BODY = (
    b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 1000\r\n\r\n"
)


@contextmanager
def dripping(address: str, begin: bytes, cut_off: Event) -> Iterator[None]:
    """A client that sends a byte ten times a second, until it is cut off."""
    where, ended = urlsplit(address), Event()
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(begin)

        def drip() -> None:
            try:
                while not ended.wait(0.1):
                    connection.sendall(b"a")
            except OSError:
                cut_off.set()

        thread = Thread(target=drip)
        thread.start()
        yield
        ended.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("begin", [HEAD, BODY], ids=["heads", "bodies"])
def test_as_many_dripping_clients_as_threads_are_cut_off_and_another_is_answered(
    migrated_sqlite_url: str, tmp_path: Path, begin: bytes
) -> None:
    small = SmallExchange(migrated_sqlite_url, settings_changes=server_keys())
    cut_off = [Event() for _ in range(THREADS)]
    with (
        live_server(small, tmp_path / "log", patience_seconds=PATIENCE, PARLEY_THREADS=str(THREADS)) as live,
        ExitStack() as drips,
    ):
        for event in cut_off:
            drips.enter_context(dripping(live.address, begin, event))
        time.sleep(0.3)

        answered = live.get("/healthz")

        assert answered.status_code == 200
        assert all(event.wait(4 * PATIENCE + 4) for event in cut_off)
    assert "Traceback" not in live.log


def slow_down(client: socket.socket) -> None:
    """Loopback would carry megabytes before anybody has to read; a real network does not."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1448)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)


@contextmanager
def sipping(address: str) -> Iterator[None]:
    """A client that takes the largest answer, 1.4 MB, at some KB a second."""
    where, ended = urlsplit(address), Event()
    with socket.socket() as connection:
        slow_down(connection)
        connection.connect((where.hostname, where.port))
        connection.sendall(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"

        def sip() -> None:
            with suppress(OSError):
                while not ended.wait(0.1) and connection.recv(600):
                    pass

        thread = Thread(target=sip)
        thread.start()
        yield
        ended.set()
        thread.join()


@pytest.mark.slow
def test_as_many_sipping_clients_as_threads_do_not_keep_another_out(migrated_sqlite_url: str, tmp_path: Path) -> None:
    small = SmallExchange(migrated_sqlite_url, settings_changes=server_keys())
    with (
        live_server(small, tmp_path / "log", patience_seconds=PATIENCE, PARLEY_THREADS=str(THREADS)) as live,
        ExitStack() as sips,
    ):
        for _ in range(THREADS):
            sips.enter_context(sipping(live.address))
        begun = time.monotonic()

        assert live.get("/healthz").status_code == 200

        assert time.monotonic() - begun < 4 * PATIENCE
    assert "Traceback" not in live.log
    assert "unexpected" not in live.log


def test_an_answer_has_a_deadline_however_often_a_byte_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(sockets, "ANSWER_BYTES_A_SECOND", 10**7)
    ended = Event()

    def sip() -> None:
        while not ended.wait(0.01):
            theirs.recv(1024)

    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as theirs:
        slow_down(theirs)
        theirs.connect(listener.getsockname())
        ours, _ = listener.accept()
        with DeadlineSocket.instead_of(ours) as connection:
            connection.allow(0)  # for reading: work may take longer than a body has to arrive
            thread = Thread(target=sip)
            thread.start()
            begun = time.monotonic()
            with pytest.raises(BlockingIOError):
                connection.sendall(bytes(10**7))
            took_seconds = time.monotonic() - begun
            ended.set()
            thread.join()
    assert 0.3 <= took_seconds < 5


def test_a_client_that_takes_a_large_answer_fast_enough_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(sockets, "ANSWER_BYTES_A_SECOND", 10**5)
    ours, theirs = socket.socketpair()
    taken = bytearray()

    def take() -> None:
        while part := theirs.recv(65536):
            taken.extend(part)
            time.sleep(0.01)

    with theirs:
        with DeadlineSocket.instead_of(ours) as connection:
            connection.allow(0)
            thread = Thread(target=take)
            thread.start()
            connection.sendall(bytes(10**6))
            connection.sendall(b"")
        thread.join()
    assert len(taken) == 10**6


def test_a_deadline_holds_however_often_a_byte_arrives() -> None:
    ours, theirs = socket.socketpair()
    with DeadlineSocket.instead_of(ours) as connection, theirs:
        connection.allow(0.2)
        begun = time.monotonic()
        with pytest.raises(BlockingIOError):
            drip_through(theirs, connection)
        assert 0.2 <= time.monotonic() - begun < 5


def drip_through(sender: socket.socket, receiver: socket.socket) -> None:
    for _ in range(10**6):
        sender.sendall(b"a")
        assert receiver.recv(1) == b"a"


@pytest.mark.slow
def test_clients_that_do_not_hang_up_when_told_to_hold_nobody_up(migrated_sqlite_url: str, tmp_path: Path) -> None:
    small = SmallExchange(migrated_sqlite_url, settings_changes=server_keys())
    with live_server(small, tmp_path / "log") as live, ExitStack() as lingering:
        where = urlsplit(live.address)
        for _ in range(4):
            connection = lingering.enter_context(socket.create_connection((where.hostname, where.port)))
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
        begun = time.monotonic()

        assert live.get("/healthz").status_code == 200

        assert time.monotonic() - begun < 1.5
