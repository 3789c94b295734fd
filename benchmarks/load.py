"""A load on a server of this machine: connections kept alive, each with one request under way at a time."""

import selectors
import socket
import time
from collections.abc import Iterator, Sequence

RECEIVE_BYTES = 1 << 16


class WrongAnswer(Exception):
    """A response had another status than the one the run is about."""


class _Connection:
    """Sends requests that are bytes already, and reads responses that say their length."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._received = b""

    def send(self, request: bytes) -> None:
        self._received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def status_if_whole(self) -> int | None:
        """Read what is there; the status once the whole response is."""
        self._received += self.socket.recv(RECEIVE_BYTES)
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return None
        return int(head[9:12]) if len(body) >= _content_length(head) else None


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line[15:])
    return 0


def get_request(path: str, **headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def form_request(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*head, "", ""]).encode() + body


def latencies_seconds(port: int, requests: Sequence[bytes], connections: int, status: int = 200) -> list[float]:
    """Send all requests, by so many connections at once. Raises WrongAnswer."""
    return list(_latencies(port, iter(requests), connections, status))


def requests_per_second(port: int, requests: Sequence[bytes], connections: int, status: int = 200) -> float:
    begun = time.perf_counter()
    count = sum(1 for _ in _latencies(port, iter(requests), connections, status))
    return count / (time.perf_counter() - begun)


def _latencies(port: int, waiting: Iterator[bytes], connections: int, status: int) -> Iterator[float]:
    with selectors.DefaultSelector() as selector:
        opened = [_Connection(port) for _ in range(connections)]
        for connection in opened:
            if (request := next(waiting, None)) is not None:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
                connection.send(request)
        while selector.get_map():
            for key, _ in selector.select():
                connection = key.data
                answered = connection.status_if_whole()
                if answered is None:
                    continue
                if answered != status:
                    raise WrongAnswer(f"HTTP {answered} in place of {status}")
                yield time.perf_counter() - connection.sent_at
                if (request := next(waiting, None)) is None:
                    selector.unregister(connection.socket)
                else:
                    connection.send(request)
        for connection in opened:
            connection.socket.close()
