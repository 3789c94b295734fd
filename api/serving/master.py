"""gunicorn's master: it starts workers, gives them new settings, and stops them."""

import os
import select
import sys
from typing import Any, Protocol

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from api.logs import log_of_server, log_unexpected


class Stopping:
    """Whether the exchange stops, as all its processes know at once: by a pipe in which something lies that nobody
    takes out."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()

    def begin(self) -> None:
        os.write(self._write_end, b".")

    def __bool__(self) -> bool:
        looking = select.poll()
        looking.register(self._read_end, select.POLLIN)
        return bool(looking.poll(0))


class Reloadable(Protocol):
    """What the master serves."""

    stopping: Stopping

    def take_settings(self) -> bool:
        """Whether the settings as they are now can be served with; they are from then on."""


class Master(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """The master of the processes of one exchange."""

    app: Reloadable

    def handle_hup(self) -> None:
        """SIGHUP: new workers with new settings, while the old ones finish. With settings that will not do, nothing
        happens; the log says why."""
        if self.app.take_settings():
            super().handle_hup()

    def stop(self, graceful: bool = True) -> None:
        self.app.stopping.begin()
        super().stop(graceful)


class ServerLogger(Logger):  # type: ignore[misc]
    """gunicorn's log as lines of ours, without the texts of exceptions, which can quote a body."""

    def critical(self, msg: str, *args: Any, **_: Any) -> None:
        log_of_server(msg % args)

    error = warning = critical

    def exception(self, msg: str, *args: Any, **_: Any) -> None:
        error = sys.exception()
        if isinstance(error, BlockingIOError):  # a client that is too slow
            return
        log_of_server(msg % args)
        if error is not None:
            log_unexpected(error, None)
