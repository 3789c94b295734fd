"""Servers of this machine for benchmarks: the exchange as it is served, and the least that gunicorn and Flask do."""

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from flask import Flask

from api import server
from api.settings import read_settings

PATIENCE_SECONDS = 60
_PROCESSES = multiprocessing.get_context("spawn")


class _Nothing(server.Server):
    """The same gunicorn, its worker and all, before an app with one empty route."""

    def load(self) -> Flask:
        app = Flask("nothing", static_folder=None)
        app.add_url_rule("/", view_func=lambda: "")
        return app


@contextmanager
def exchange_server(environ: Mapping[str, str], log: Path) -> Iterator[str]:
    """The address of an exchange with these PARLEY_* variables."""
    with _serving(_serve_exchange, dict(environ), log) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def empty_server(folder: Path) -> Iterator[int]:
    """The port of a server with one route that answers nothing, under the very same gunicorn."""
    environ = {"PARLEY_DATABASE_URL": f"sqlite:///{folder / 'none.sqlite'}"}
    with _serving(_serve_nothing, environ, folder / "empty.log") as port:
        yield port


@contextmanager
def _serving(serve: Callable[[dict[str, str]], None], environ: dict[str, str], log: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = _PROCESSES.Process(target=_logged, args=(serve, {**environ, "PARLEY_PORT": str(port)}, log))
    process.start()
    try:
        _wait_until_answered(f"http://127.0.0.1:{port}/healthz")
        yield port
    finally:
        process.terminate()
        process.join(PATIENCE_SECONDS)


def _wait_until_answered(url: str) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"{url} does not answer.")


def _logged(serve: Callable[[dict[str, str]], None], environ: dict[str, str], log: Path) -> None:
    """The log goes to a file, as it would in production."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    serve(environ)


def _serve_exchange(environ: dict[str, str]) -> None:
    server.serve(read_settings(environ))


def _serve_nothing(environ: dict[str, str]) -> None:
    _Nothing(read_settings(environ), bool).run()
