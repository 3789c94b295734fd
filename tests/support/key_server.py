"""A real https server that a test makes answer as it likes, well or badly, and that remembers what it was asked."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import trustme

from api.auth.keys import new_private_jwk
from contracts.parties import JsonObject

NAME = "keys.example"
Answer = Callable[[BaseHTTPRequestHandler], None]


class KeyServer:
    """Known by the name `keys.example`, which `resolver` leads to it; trusted where `authority` is."""

    def __init__(self, authority: trustme.CA, certified: str | None = NAME) -> None:
        self.answer: Answer = document({"keys": []})
        self.paths: list[str] = []
        self.resolved: list[str] = []
        self.scheme = "http" if certified is None else "https"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if certified is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(certified).configure_cert(context)
            # The handshake is for the thread of the connection: the one that accepts must never wait.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )

    @property
    def host(self) -> str:
        return f"{NAME}:{self._server.server_port}"

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def url(self, path: str = "/jwks.json") -> str:
        return f"{self.scheme}://{self.host}{path}"

    def publish(self, *keys: JsonObject) -> None:
        self.answer = document({"keys": [*keys]})

    def resolver(self, host: str, port: int) -> list[str]:
        self.resolved.append(host)
        return ["127.0.0.1"]

    @contextmanager
    def serving(self) -> Iterator["KeyServer"]:
        thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805  # the handler's own self is within
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.paths.append(self.path)
                server.answer(self)

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:  # who asked has had enough
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        return Handler


@cache
def rsa_key() -> JsonObject:
    """One private RSA key for all tests, since making one takes long."""
    return new_private_jwk("RS384")


def document(content: object, status: int = 200, **headers: str) -> Answer:
    """Answer with this as JSON, or as it is when it is bytes."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def raw(*chunks: bytes, pause: Callable[[], None] = lambda: None) -> Answer:
    """Write these bytes on the connection, whatever they are, and pause after each."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        for chunk in chunks:
            handler.wfile.write(chunk)
            pause()
        handler.close_connection = True

    return answer


@contextmanager
def silent_port() -> Iterator[int]:
    """Where a connection is taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])
