"""gunicorn, in this process: threads (gthread) in one worker, or several workers on PostgreSQL."""

import os
import resource
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from api.app import create_app
from api.settings import Settings

GRACEFUL_SECONDS = 30


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """An exchange behind gunicorn. The app is made in each worker, after the fork: database connections and
    OpenDP's generator must not be carried over one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in _options(self._settings).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._settings)


def serve(settings: Settings) -> None:
    """Serve until told to stop. Core dumps are off: one would hold exact aggregates."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Server(settings).run()


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "bind": f"{settings.host}:{settings.port}",
        "worker_class": "gthread",
        "workers": settings.workers,
        "threads": settings.threads,
        "graceful_timeout": GRACEFUL_SECONDS,
        "timeout": 120,
        "preload_app": False,
        # gunicorn's access log would hold lengths and durations; ours holds neither.
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        # The heartbeat file; memory, where there is such a place.
        "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108
        "limit_request_line": 8190,
        "limit_request_fields": 64,
    }
