"""Structured logs that hold nothing of a body: no content, length, count of cells or duration of a submission.

Each of those would be an oracle for small counts, for whoever reads logs.
"""

import logging
import re
import sys
import traceback
from typing import Final
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, unbind_contextvars

# Nothing else: what a client sends stands in a log, and in the answer's header.
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger("parley")

# Of what is posted there, nobody learns the size, the duration, or which refusal it met.
SUBMITTING: Final = "submissions.submit"


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


def log_of_server(message: str) -> None:
    """What gunicorn says of its processes."""
    _log.error("server", message=message)


def log_limits_lost(error: Exception) -> None:
    """The counts of rate limits cannot be read or written: everybody gets in meanwhile."""
    _log.error("rate limits lost", kind=type(error).__name__)


def log_serving(pid: int) -> None:
    """The exchange is up. pid: of the process that signals are for."""
    _log.info("serving", pid=pid)


def log_taken(token_keys: list[str], receipt_keys: list[str]) -> None:
    """New settings, with the `kid` of each key; the first signs."""
    _log.info("settings taken", token_keys=token_keys, receipt_keys=receipt_keys)


def log_not_taken(reason: str) -> None:
    """New settings that cannot be served with. reason: in our words, with no part of a key."""
    _log.error("settings not taken; the old ones stay in force", reason=reason)


def log_not_started(reason: str) -> None:
    """A worker that cannot start now, and is tried again."""
    _log.error("worker not started; it is tried again", reason=reason)


def log_keys_unreachable(client: str, reason: str) -> None:
    """The keys that a registered client publishes cannot be had, and in which way, in our own words."""
    _log.warning("keys-unreachable", client=client, reason=reason)


def log_issuer_unreachable(issuer: str, reason: str) -> None:
    """The keys of a trusted external issuer cannot be had, and in which way, in our own words."""
    _log.warning("issuer-unreachable", issuer=issuer, reason=reason)


def log_unreadable() -> None:
    """A request that is no HTTP. Neither what it said nor in which way: it can be the rest of a body, and that its line
    is too long would tell of the body's length."""
    _log.warning("unreadable")


def _status(response: Response) -> int | str:
    """Of a refused submission no more than that it was: which refusal it is can depend on its cells."""
    refused = 400 <= response.status_code < 500
    return "4xx" if refused and request.endpoint == SUBMITTING else response.status_code


def register_request_log(app: Flask) -> None:
    """One line a request: who, which route (never the address with its values), which status.

    Every line that is written on the way carries the request's id: the client's own, where it is a plain word.
    """

    @app.before_request
    def name_request() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid4())
        bind_contextvars(request_id=g.request_id)

    @app.teardown_request
    def forget_name(_: BaseException | None) -> None:
        unbind_contextvars("request_id")

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
            client=g.get("claimed_client"),
            address=g.get("refused_address"),
        )
        return response
