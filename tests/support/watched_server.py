"""Runs in a process of its own: the real server under gunicorn, with every opening of a file told to a pipe.

    python -m tests.support.watched_server FD [broken-then-blocked] [leaking]

What is not real is brought through the app factory's arguments, or, for `leaking`, is a fault on purpose.
"""

import json
import os
import sys
import tempfile
from functools import partial
from threading import Event
from typing import Any

import pyarrow as pa
from flask import Flask, Request, request

from api import server
from api.app import create_app
from api.settings import Settings, read_settings
from privacy.arrays import Vector
from tests.support.watching import DRAWING, changes_a_file

_held: list[pa.NativeFile] = []


class BrokenThenBlocked:
    """The first draw fails with exact numbers in its text; every later one never ends."""

    def __init__(self) -> None:
        self._broken = False

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        if not self._broken:
            self._broken = True
            raise RuntimeError(f"no noise for {exact.tolist()}")
        sys.audit(DRAWING)
        Event().wait()
        raise AssertionError


def report_to(pipe: int) -> None:
    """From now on, in this process and those it forks."""

    def report(event: str, args: tuple[Any, ...]) -> None:
        if event == DRAWING or changes_a_file(event, args):
            line = json.dumps([os.getpid(), event, [str(arg)[:300] for arg in args[:3]]])
            os.write(pipe, line.encode() + b"\n")

    sys.addaudithook(report)


def make_leaking_app(settings: Settings) -> Flask:
    """Spool bodies in each of the ways that the tests must be able to see."""

    def spool() -> None:
        if request.mimetype == "multipart/form-data":
            request.files.get("cells")  # Werkzeug spools what is large
        elif request.mimetype == "text/html":
            with tempfile.TemporaryFile() as spooled:
                spooled.write(request.get_data())
        elif request.mimetype == "application/octet-stream":
            file = pa.OSFile(f"{tempfile.gettempdir()}/spooled", "wb")  # opened in C, where no hook looks
            file.write(request.get_data())
            file.flush()
            _held.append(file)

    app = create_app(settings)
    app.request_class = Request
    app.before_request_funcs[None].insert(0, spool)
    return app


def main() -> None:
    report_to(int(sys.argv[1]))
    if "broken-then-blocked" in sys.argv:
        server.create_app = partial(create_app, noise=BrokenThenBlocked())  # type: ignore[attr-defined]
    if "leaking" in sys.argv:
        server.create_app = make_leaking_app  # type: ignore[assignment,attr-defined]
    server.serve(read_settings(os.environ))


if __name__ == "__main__":
    main()
