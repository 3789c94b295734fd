"""The real server on the database of a small exchange, as a process whose signals, log and end a test can see."""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from api import server
from api.app import create_app
from api.serving import sockets, worker
from api.settings import read_settings
from contracts.ports import Clock
from privacy.mechanism import NoiseSource
from tests.support.processes import PATIENCE_SECONDS, PROCESSES
from tests.support.small_exchange import SmallExchange

HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class LiveServer:
    """A server that answers."""

    address: str
    process: BaseProcess
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def signal(self, number: int) -> None:
        """To the master."""
        os.kill(self.process.pid or 0, number)

    def workers(self) -> set[int]:
        """Their process ids."""
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def exit_code(self) -> int | None:
        """Once it has ended."""
        self.process.join(PATIENCE_SECONDS)
        return self.process.exitcode

    def client(self) -> httpx.Client:
        # To read the certificates of all authorities, for no TLS at all, takes longer than most requests.
        return httpx.Client(base_url=self.address, timeout=PATIENCE_SECONDS, trust_env=False, verify=False)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """By a connection of its own."""
        with self.client() as client:
            return client.get(path, **options)


@contextmanager
def live_server(
    small: SmallExchange,
    log_file: Path,
    *,
    noise: NoiseSource | None = None,
    patience_seconds: float | None = None,
    without: tuple[str, ...] = (),
    **settings: str,
) -> Iterator[LiveServer]:
    """A server at the instant of the small exchange, which must have been given keys.

    patience_seconds: instead of what it has for heads and bodies that drip in, and answers that drip out.
    without: variables of the small exchange that the server is not to have. settings: those it has besides.
    """
    port = free_port()
    kept = {name: value for name, value in small.environ.items() if name not in without}
    environ = {**kept, "PARLEY_PORT": str(port), **settings}
    process = PROCESSES.Process(target=_serve, args=(environ, small.clock, noise, patience_seconds, log_file))
    process.start()
    live = LiveServer(f"http://{HOST}:{port}", process, log_file)
    try:
        wait_until(partial(_is_ready, live), process.is_alive)
        yield live
    finally:
        process.terminate()
        process.join(PATIENCE_SECONDS)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def wait_until(is_so: Callable[[], bool], may_become_so: Callable[[], bool] = lambda: True) -> None:
    """Raises AssertionError when it takes too long."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert may_become_so()
        assert time.monotonic() < give_up
        time.sleep(0.05)


def _is_ready(live: LiveServer) -> bool:
    with suppress(httpx.TransportError):
        return live.get("/readyz").status_code == httpx.codes.OK
    return False


def _serve(
    environ: Mapping[str, str], clock: Clock, noise: NoiseSource | None, patience_seconds: float | None, log_file: Path
) -> None:
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    for name in [name for name in os.environ if name.startswith("PARLEY_")]:
        del os.environ[name]
    os.environ.update(environ)  # read anew at SIGHUP
    if patience_seconds is not None:
        worker.HEAD_SECONDS = worker.BODY_SECONDS = patience_seconds  # type: ignore[misc,assignment]
        sockets.ANSWER_SECONDS = patience_seconds  # type: ignore[misc]
        sockets.ANSWER_BYTES_A_SECOND = 1 << 20  # type: ignore[misc]
    server.create_app = partial(create_app, clock=clock, noise=noise)  # type: ignore[attr-defined]
    server.serve(read_settings(environ))
