"""Watches a real server from outside: what it opens, what it holds open, what it prints, what it leaves behind.

Three nets, since none is enough: an audit hook inside the server sees every file that Python opens; the list of
what it holds open, taken while a submission is being measured, sees what a library opens behind Python's back;
and the folders that it could write to are compared afterwards.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Final

import httpx

REPOSITORY: Final = Path(__file__).parents[2]
PATIENCE_SECONDS: Final = 120
DRAWING: Final = "parley.test.drawing"
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Every audit event by which bytes could get out of a process (docs.python.org/3/library/audit_events.html).
_OUTWARD: Final = re.compile(
    r"os\.(rename|link|symlink|mkdir|truncate|exec|posix_spawn|spawn|startfile|system|setxattr|mkfifo|mknod)"
    r"|shutil\.|tempfile\.|sqlite3\.connect$|subprocess\.|socket\.(connect|sendto|sendmsg)|syslog\.|fcntl\.lockf"
    r"|ftplib\.|http\.client\.connect|smtplib\.|urllib\.|ctypes\.dlopen"
)
# gunicorn's heartbeat: a file without a name and, in its whole life, without content. Made with each worker.
_HEARTBEAT: Final = re.compile(r"/wgunicorn-\w+\b")
# The server's first deed: to leave nothing that a core dump could hold.
_NO_CORE: Final = "/proc/self/coredump_filter"


def changes_a_file(event: str, args: tuple[Any, ...]) -> bool:
    """True for an audit event by which a process writes to a file, or hands bytes to somebody else."""
    if event == "open":
        return bool(args[2] & _WRITES) and not isinstance(args[0], int)
    return _OUTWARD.match(event) is not None


@dataclass(frozen=True)
class Opening:
    """One audit event of the server."""

    pid: int
    event: str
    args: list[str]

    def is_expected(self, database: Path) -> bool:
        """The database, and what gunicorn and Parley open before any request of the process that does."""
        if self.event == DRAWING:
            return True
        if self.event == "sqlite3.connect":
            return self.args[0] == str(database)
        if self.event == "tempfile.mkstemp":
            return _HEARTBEAT.search(self.args[0]) is not None
        if self.event != "open":
            return False
        # The witness holds ledger entries; what is in it is searched for cells like everything else.
        known = (_NO_CORE, f"{database}.witness")
        return self.args[0] in known or _HEARTBEAT.search(self.args[0]) is not None


class Drain(Thread):
    """Collects what comes out of a pipe until all its writers are gone."""

    def __init__(self, pipe: int) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self.content = b""
        self.start()

    def run(self) -> None:
        with os.fdopen(self._pipe, "rb", buffering=0) as source:
            while piece := source.read(65536):
                self.content += piece


class WatchedServer:
    """One run of the server on an SQLite file, in a home, temp folder and working folder of its own."""

    def __init__(self, database: Path, folder: Path, *modes: str, settings: Mapping[str, str] | None = None):
        self.database = database
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folders = [folder / name for name in ("home", "temp", "working")]
        for path in self.folders:
            path.mkdir(parents=True, exist_ok=True)
        reading, writing = os.pipe()
        command = [sys.executable, "-m", "tests.support.watched_server", str(writing), *modes]
        self._process = subprocess.Popen(
            command,
            cwd=self.folders[2],
            env=self._environment() | dict(settings or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[writing],
            bufsize=0,
        )
        os.close(writing)
        assert self._process.stdout
        assert self._process.stderr
        self._drains = [Drain(os.dup(p.fileno())) for p in (self._process.stdout, self._process.stderr)]
        self._process.stdout.close()
        self._process.stderr.close()
        self._events = Drain(reading)
        try:
            self.wait_until(self._answers)
        except BaseException:
            self.kill()
            raise

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONDONTWRITEBYTECODE": "1",  # a first import in a request may otherwise cache what it compiled
            "HOME": str(self.folders[0]),
            "TMPDIR": str(self.folders[1]),
            "PARLEY_DATABASE_URL": f"sqlite:///{self.database}",
            "PARLEY_PORT": str(self.port),
            "PARLEY_THREADS": "4",
        }

    @property
    def printed(self) -> dict[str, bytes]:
        """What came out so far."""
        return {name: drain.content for name, drain in zip(("stdout", "stderr"), self._drains, strict=True)}

    @property
    def openings(self) -> list[Opening]:
        return [Opening(*json.loads(line)) for line in self._events.content.splitlines()]

    @property
    def workers(self) -> list[int]:
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def held_open(self) -> set[str]:
        """What the server's processes hold open or mapped for writing, but sockets, pipes and devices."""
        return {path for pid in (self._process.pid, *self.workers) for path in (*_opened(pid), *_mapped(pid))}

    def wait_for_draw(self) -> None:
        """Wait until a submission is being measured: its debit is committed, its release is not there yet."""
        self.wait_until(lambda: any(opening.event == DRAWING for opening in self.openings))

    def wait_until(self, reached: Callable[[], bool]) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not reached():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise AssertionError(self.printed["stderr"][-2000:].decode())
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/.well-known/jwks.json", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def kill_worker(self) -> None:
        """As a crash would, half-way; gunicorn starts another."""
        before = self.workers
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: bool(self.workers) and not set(before) & set(self.workers) and self._answers())

    def kill(self) -> None:
        """As a power cut would: nothing gets to tidy up."""
        if self._process.poll() is None:
            for pid in (*self.workers, self._process.pid):
                os.kill(pid, signal.SIGKILL)
        self._end()

    def stop(self) -> None:
        """As an operator would."""
        if self._process.poll() is None:
            self._process.terminate()
            self._end()

    def _end(self) -> None:
        self._process.wait(PATIENCE_SECONDS)
        for drain in (*self._drains, self._events):
            drain.join(PATIENCE_SECONDS)
            assert not drain.is_alive()


def _opened(pid: int) -> set[str]:
    """Regular files that are open for writing."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target, info = entry.readlink(), Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
        except FileNotFoundError:
            continue
        flags = int(re.search(r"flags:\s*(\d+)", info)[1], 8)  # type: ignore[index]
        if flags & os.O_ACCMODE != os.O_RDONLY and _is_file(str(target)):
            found.add(str(target))
    return found


def _mapped(pid: int) -> set[str]:
    """Files mapped shared and writable."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    fields = [line.split(maxsplit=5) for line in lines]
    return {parts[5] for parts in fields if len(parts) == 6 and parts[1] == "rw-s"}


def _is_file(target: str) -> bool:
    anonymous = target.startswith(("socket:", "pipe:", "anon_inode:", "/dev/null"))
    return not anonymous and _HEARTBEAT.search(target) is None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
