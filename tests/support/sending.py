"""A provider's client of a real server: it posts, well and badly, and keeps every answer."""

import json
import socket
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from adapters.client.tokens import TokenSource
from contracts.parties import JsonObject
from tests.support.small_exchange import CONTRACT
from tests.support.watching import WatchedServer

SUBMISSIONS: Final = f"/v1/contracts/{CONTRACT}/submissions"


@dataclass
class Sender:
    """A payer's client, which keeps every answer."""

    server: WatchedServer
    key: JsonObject
    name: str = "blueridge"
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    raw_answers: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        """With a token of whatever server is there now."""
        one_request_each = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=self.server.url, timeout=30, limits=one_request_each)
        self.tokens = TokenSource(self.http, f"{self.server.url}/oauth/token", f"{self.name}-client", self.key)

    def send(
        self, why: str, content: Any, media_type: str = "application/json", path: str = SUBMISSIONS, **headers: str
    ) -> httpx.Response:
        """content: bytes, or an iterator of them for a chunked body, or what is to be written as JSON."""
        if isinstance(content, dict | list):
            content = json.dumps(content).encode()
        headers = {"Content-Type": media_type, **headers}
        if "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.tokens.token()}"
        answer = self.http.post(path, content=content, headers=headers)
        self.answers[why] = answer
        return answer

    def send_raw(self, why: str, body: bytes, *headers: str) -> None:
        """A request written by hand, and all that comes back."""
        with self.open_raw(body, *headers) as connection:
            connection.shutdown(socket.SHUT_WR)
            self.raw_answers[why] = b"".join(iter(lambda: connection.recv(65536), b""))

    def open_raw(self, body: bytes, *headers: str) -> socket.socket:
        """The connection on which a request was sent, be it whole or not."""
        lines = [
            f"POST {SUBMISSIONS} HTTP/1.1",
            "Host: parley.example",
            f"Authorization: Bearer {self.tokens.token()}",
            *headers,
        ]
        connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=30)
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return connection

    def evidence(self) -> dict[str, bytes]:
        """Every answer, headers and all."""
        told = {why: f"{a.headers}".encode() + a.content for why, a in self.answers.items()}
        return {f"answer: {why}": answer for why, answer in (told | self.raw_answers).items()}
