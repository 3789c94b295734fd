"""Clients that begin a request and then say nothing do not keep the others out."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from adapters.database import migrate
from api.demo.server_process import running_server
from api.serving.sockets import SILENCE_SECONDS

pytestmark = pytest.mark.slow

HALF_REQUESTS = {
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: a\r\n",
    "a head without its body": (
        b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 1000\r\n\r\n"
    ),
}


@pytest.mark.parametrize("half", HALF_REQUESTS.values(), ids=HALF_REQUESTS)
def test_more_silent_clients_than_threads_delay_an_answer_and_do_not_prevent_it(tmp_path: Path, half: bytes) -> None:
    url = f"sqlite:///{tmp_path / 'parley.sqlite'}"
    migrate(url)
    with running_server(url, tmp_path / "log", PARLEY_THREADS="2") as address:
        where = urlsplit(address)
        silent = [socket.create_connection((where.hostname, where.port)) for _ in range(2)]
        for connection in silent:
            connection.sendall(half)

        answered = httpx.get(f"{address}/healthz", timeout=6 * SILENCE_SECONDS, trust_env=False)

        assert answered.status_code == 200
        for connection in silent:
            connection.close()
