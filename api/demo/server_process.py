"""A real server beside this process: gunicorn on a free port of this machine, stopped whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 90  # a few on a machine at rest
STOP_SECONDS: Final = 10
LOG_LINES_SHOWN: Final = 10


class ServerNotReady(Exception):
    """The server ended, or did not answer in time. The text ends with the last lines of its log."""


@contextmanager
def running_server(database_url: str, log: Path, **settings: str) -> Iterator[str]:
    """The address of an exchange on a migrated database; its log goes to `log`. Raises ServerNotReady.

    settings: further PARLEY_* variables.
    """
    with _terminated_as_if_interrupted():
        port = _find_free_port()
        address = f"http://{HOST}:{port}"
        process = _start(database_url, port, log, settings)
        try:
            _wait_until_ready(process, address, log)
            yield address
        finally:
            _stop(process)


@contextmanager
def _terminated_as_if_interrupted() -> Iterator[None]:
    """A plain `kill` of this process ends it as Ctrl-C does: it must not leave a server behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _start(database_url: str, port: int, log: Path, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "api.cli", "serve"],
            env=_environment(os.environ, database_url, port) | dict(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own: Ctrl-C reaches this process alone, which then stops the server in order.
            start_new_session=True,
        )


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _environment(own: Mapping[str, str], database_url: str, port: int) -> dict[str, str]:
    """This machine's, without its PARLEY_* settings: the server is one for development."""
    kept = {name: value for name, value in own.items() if not name.startswith("PARLEY_")}
    return kept | {"PARLEY_DATABASE_URL": database_url, "PARLEY_HOST": HOST, "PARLEY_PORT": str(port)}


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False, timeout=5) as http:
        while time.monotonic() < give_up_at:
            if process.poll() is not None:
                raise ServerNotReady(f"The server ended at once.\n{_end_of(log)}")
            match _ask_readiness(http, address):
                case httpx.codes.OK:
                    return
                case None | httpx.codes.SERVICE_UNAVAILABLE:
                    time.sleep(0.1)
                case status:
                    raise ServerNotReady(f"The server answers {status} on /readyz.\n{_end_of(log)}")
    raise ServerNotReady(f"The server was not ready within {START_SECONDS} seconds.\n{_end_of(log)}")


def _ask_readiness(http: httpx.Client, address: str) -> int | None:
    """The status of /readyz, or None while nobody listens."""
    try:
        return http.get(f"{address}/readyz").status_code
    except httpx.TransportError:
        return None


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the workers too
        process.wait()
