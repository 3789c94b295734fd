"""gunicorn, in this process: threads (gthread) in one worker, or several workers on PostgreSQL."""

import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from flask import Flask, Response
from gunicorn.app.base import BaseApplication
from gunicorn.http.errors import ParseException

from adapters.database import DatabaseUnavailable, DatabaseUrlUnusable, SchemaStale
from api.app import create_app
from api.logs import (
    configure_logs,
    log_not_started,
    log_not_taken,
    log_serving,
    log_taken,
    log_unexpected,
    log_unreadable,
)
from api.problems import problem_response
from api.serving.master import Master, ServerLogger, Stopping
from api.serving.metrics_port import MetricsPort
from api.serving.worker import UNREADABLE, Worker
from api.settings import Settings, SettingsInvalid, read_settings

RETRY_SECONDS: Final = 1.0
# Their texts are ours, and hold no secret.
_EXPECTED: Final = (SettingsInvalid, SchemaStale, DatabaseUnavailable, DatabaseUrlUnusable)


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """An exchange behind gunicorn. The app is made in each worker, after the fork: database connections and
    OpenDP's generator must not be carried over one."""

    def __init__(self, settings: Settings, say_ready: Callable[[], object]) -> None:
        self.stopping = Stopping()
        self._settings = settings
        self._say_ready = say_ready
        self._metrics = _metrics_port(settings)
        super().__init__()

    def run(self) -> None:
        Master(self).run()

    def load_config(self) -> None:
        for name, value in _options(self._settings).items():
            self.cfg.set(name, value)
        self.cfg.set("when_ready", lambda _master: self._tell_ready())
        if self._metrics is not None:
            metrics = self._metrics
            self.cfg.set("child_exit", lambda _master, worker: metrics.forget(worker.pid))
            self.cfg.set("on_exit", lambda _master: metrics.close())

    def load(self) -> Flask:
        """One that cannot be made now, as when the database is away, ends this worker alone: the master starts another.
        gunicorn would end the whole exchange."""
        try:
            return self._make_app()
        except _EXPECTED as expected:
            log_not_started(str(expected))
        except Exception as error:
            log_unexpected(error, None)
        time.sleep(RETRY_SECONDS)
        sys.exit(1)

    def take_settings(self) -> bool:
        """Read the environment, and the files that it names, anew. They are tried before any worker gets them."""
        try:
            settings = read_settings(os.environ)
            kids = try_out(settings)
        except _EXPECTED as expected:
            log_not_taken(str(expected))
        except Exception as error:
            log_unexpected(error, None)
        else:
            self._settings = settings
            log_taken(**kids)
            return True
        return False

    def _tell_ready(self) -> None:
        """The port is ours, and this process is the one that takes signals. Not said at a reload."""
        log_serving(os.getpid())
        self._say_ready()

    def _make_app(self) -> Flask:
        app = create_app(self._settings)
        app.extensions["parley"].readiness.is_stopping = lambda: self.stopping
        if self._metrics is not None:
            from api.metrics import register_metrics  # prometheus_client looks for the folder when it is imported

            register_metrics(app, app.extensions["parley"])
        # A body in bad chunks is found out while the app reads it.
        app.register_error_handler(ParseException, _unreadable)
        return app


def serve(settings: Settings, say_ready: Callable[[], object] = bool) -> None:
    """Serve until told to stop. Raises OSError when the port of metrics cannot be had."""
    _forbid_core_dumps()
    configure_logs(settings.log_level)
    Server(settings, say_ready).run()


def try_out(settings: Settings) -> dict[str, list[str]]:
    """Make the app once before any worker does, and tell the `kid` of its keys, the one that signs first. Raises what
    `create_app` raises, and SettingsInvalid for a witness that no debit could be written to."""
    if not Path(settings.witness).parent.is_dir():
        raise SettingsInvalid("PARLEY_WITNESS: the folder of this file is not there; make it, or mount its disk")
    wiring = create_app(settings).extensions["parley"]
    wiring.database.close()
    rings = {"token_keys": wiring.token_keys, "receipt_keys": wiring.receipt_keys}
    return {name: [str(jwk["kid"]) for jwk in ring.public_jwks()["keys"]] for name, ring in rings.items()}


def _metrics_port(settings: Settings) -> MetricsPort | None:
    return None if settings.metrics_port is None else MetricsPort(settings.metrics_host, settings.metrics_port)


def _forbid_core_dumps() -> None:
    """One would hold exact aggregates. The limit does not bind where a core is piped to a program (core(5)), as
    on many desktops; there, on Linux, the filter leaves it no memory to write."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/coredump_filter").write_text("0")


def _unreadable(_: ParseException) -> Response:
    log_unreadable()
    return problem_response("request-malformed", 400, UNREADABLE)


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "bind": f"{settings.host}:{settings.port}",
        "worker_class": Worker,
        "logger_class": ServerLogger,
        "workers": settings.workers,
        "threads": settings.threads,
        # A submission that is older is taken for dead in any case: no stop need wait longer.
        "graceful_timeout": settings.lease_seconds,
        # Without a heartbeat: a worker that hangs as a whole. Requests do not hold it up, threads serve them.
        "timeout": 120,
        # Longer than clients keep an idle connection (httpx: 5 s), so that none is closed under a request on its way.
        "keepalive": 75,
        # Connections that wait for a worker to accept them; the kernel's net.core.somaxconn may allow fewer.
        "backlog": 1024,
        # A worker is not replaced after so many requests: nothing here grows, and what would is a fault to be found.
        "max_requests": 0,
        "preload_app": False,
        # gunicorn's access log would hold lengths and durations; ours holds neither.
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        # The heartbeat file; memory, where there is such a place.
        "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108
        # A way in for whoever runs as the same user, with a file in the home folder; nobody asked for it.
        "control_socket_disable": True,
        # Answers go through `sendall`, which has a deadline, files too.
        "sendfile": False,
        # No header sets a part of the environment, whoever sends it; gunicorn would let this very machine.
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "limit_request_line": 8190,
        "limit_request_fields": 64,
        "limit_request_field_size": 8190,
    }
