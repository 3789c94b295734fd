"""Structured logs that hold nothing of a body: no content, length, count of cells or duration of a submission.

Each of those would be an oracle for small counts, for whoever reads logs.
"""

import logging
import sys
import traceback
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request

_log = structlog.get_logger("parley")


def configure_logs(level: str) -> None:
    """JSON lines on standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def log_unexpected(error: BaseException, endpoint: str | None) -> None:
    """What kind of error, and where. Never its text nor any local variable: both can hold posted values."""
    frames = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    _log.error("unexpected", kind=type(error).__name__, endpoint=endpoint, frames=frames[-8:])


def log_unreadable(error: Exception) -> None:
    """A request that is no HTTP: in which way. Never what it said: that can be part of a body."""
    _log.warning("unreadable", kind=type(error).__name__)


def _status(response: Response) -> int | str:
    """Of a refused submission no more than that it was: which refusal it is can depend on its cells."""
    refused = 400 <= response.status_code < 500
    return "4xx" if refused and request.endpoint == "submissions.submit" else response.status_code


def register_request_log(app: Flask) -> None:
    """One line a request: who, which route (never the address with its values), which status."""

    @app.before_request
    def name_request() -> None:
        g.request_id = str(uuid4())

    @app.after_request
    def write_line(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        caller = g.get("caller")
        _log.info(
            "request",
            request_id=g.get("request_id"),
            method=request.method,
            route=request.url_rule.rule if request.url_rule else None,
            status=_status(response),
            organisation=caller.organisation if caller else None,
        )
        return response
