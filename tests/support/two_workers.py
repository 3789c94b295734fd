"""The real server with two workers, whose answers say in a header which of them gave it."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpx
from flask import Flask, Response

from api import server
from api.app import create_app
from api.settings import Settings, read_settings
from contracts.ports import Clock
from privacy.mechanism import NoiseSource
from tests.support.processes import PATIENCE_SECONDS, PROCESSES, end_of
from tests.support.small_exchange import SmallExchange

WORKER: Final = "Worker"


@contextmanager
def two_workers(small: SmallExchange, noise: NoiseSource | None = None) -> Iterator[tuple[httpx.Client, ...]]:
    """A server on the database, and at the instant, of a small exchange that has a token key: one client to each of its
    workers, by a connection kept alive. Left to the system, one worker may take every new connection.

    noise: made before the workers are forked, as in a preloaded app.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environ = {**small.environ, "PARLEY_PORT": str(port), "PARLEY_WORKERS": "2"}
    process = PROCESSES.Process(target=_serve, args=(environ, small.clock, noise))
    process.start()
    try:
        address = f"http://127.0.0.1:{port}"
        clients: dict[str, httpx.Client] = {}
        give_up = time.monotonic() + PATIENCE_SECONDS
        while len(clients) < 2:
            assert process.is_alive()
            assert time.monotonic() < give_up
            client = httpx.Client(base_url=address, timeout=PATIENCE_SECONDS, trust_env=False)
            worker = _worker_of(client)
            if worker is None or worker in clients:
                client.close()
                time.sleep(0.05)
            else:
                clients[worker] = client
        yield tuple(clients.values())
        for client in clients.values():
            client.close()
    finally:
        process.terminate()
        end_of(process)


def _worker_of(client: httpx.Client) -> str | None:
    """Which worker holds the connection; None while there is none yet."""
    try:
        return client.get("/readyz").headers.get(WORKER)
    except httpx.TransportError:
        return None


def _serve(environ: Mapping[str, str], clock: Clock, noise: NoiseSource | None) -> None:
    def make_app(settings: Settings) -> Flask:
        app = create_app(settings, clock=clock, noise=noise)

        @app.after_request
        def say_which(response: Response) -> Response:
            response.headers[WORKER] = str(os.getpid())
            return response

        return app

    server.create_app = make_app  # type: ignore[assignment,attr-defined]
    server.serve(read_settings(environ))
