"""gunicorn, in this process: threads (gthread) in one worker, or several workers on PostgreSQL."""

import json
import os
import resource
import socket
import struct
import sys
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from flask import Flask, Response
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from api.app import create_app
from api.logs import configure_logs, log_unexpected, log_unreadable
from api.problems import MEDIA_TYPE, problem_body, problem_response
from api.settings import Settings

GRACEFUL_SECONDS = 30
SILENCE_SECONDS = 10
_UNREADABLE: Final = "The request cannot be read."
_TOO_LONG: Final = {LimitRequestLine: 414, LimitRequestHeaders: 431}


class TextlessLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log without the texts of exceptions, which can quote a body."""

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        self.error(msg, *args, **kwargs)
        error = sys.exception()
        if error is not None:
            log_unexpected(error, None)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Answers what it cannot read with a problem document. gunicorn would quote it, in the answer and in its log;
    but it can be the cells of a body whose length was understated, or whose chunks are none."""

    def handle(self, conn: Any) -> Any:
        """A client that sends nothing for a while loses its connection, and the thread is free again."""
        patience = struct.pack("ll", SILENCE_SECONDS, 0)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        return super().handle(conn)

    def handle_error(self, _req: object, client: socket.socket, _addr: object, error: BaseException) -> None:
        if isinstance(error, ParseException):
            log_unreadable(error)
            status, code, detail = _TOO_LONG.get(type(error), 400), "request-malformed", _UNREADABLE
        else:
            log_unexpected(error, None)
            status, code, detail = 500, "internal", "Something went wrong here."
        with suppress(OSError):  # the client may be gone
            write_nonblock(client, _answer(status, code, detail))


class Server(BaseApplication):  # type: ignore[misc]
    """An exchange behind gunicorn. The app is made in each worker, after the fork: database connections and
    OpenDP's generator must not be carried over one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in _options(self._settings).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        app = create_app(self._settings)
        # A body in bad chunks is found out while the app reads it.
        app.register_error_handler(ParseException, _unreadable)
        return app


def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    _forbid_core_dumps()
    configure_logs(settings.log_level)
    Server(settings).run()


def _forbid_core_dumps() -> None:
    """One would hold exact aggregates. The limit does not bind where a core is piped to a program (core(5)), as
    on many desktops; there, on Linux, the filter leaves it no memory to write."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/coredump_filter").write_text("0")


def _unreadable(error: ParseException) -> Response:
    log_unreadable(error)
    return problem_response("request-malformed", 400, _UNREADABLE)


def _answer(status: int, code: str, detail: str) -> bytes:
    """A problem document as it goes over the wire, for where no framework is at hand."""
    body = json.dumps(problem_body(code, status, detail)).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Connection: close",
        f"Content-Type: {MEDIA_TYPE}",
        "Cache-Control: no-store",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode() + body


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "bind": f"{settings.host}:{settings.port}",
        "worker_class": Worker,
        "logger_class": TextlessLogger,
        "workers": settings.workers,
        "threads": settings.threads,
        "graceful_timeout": GRACEFUL_SECONDS,
        "timeout": 120,
        # Longer than clients keep an idle connection (httpx: 5 s), so that none is closed under a request on its way.
        "keepalive": 75,
        "preload_app": False,
        # gunicorn's access log would hold lengths and durations; ours holds neither.
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        # The heartbeat file; memory, where there is such a place.
        "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108
        # A way in for whoever runs as the same user, with a file in the home folder; nobody asked for it.
        "control_socket_disable": True,
        "limit_request_line": 8190,
        "limit_request_fields": 64,
    }
