"""Metrics, over all workers. They say what the operator needs and no party may learn of another: nothing is counted by
organisation, contract or client, and of submissions nothing is kept that depends on what was posted: neither size nor
duration, and a refusal only as 4xx.

No label is anything that a client can choose: an address is its route, a method one of HTTP's.

Import it once PROMETHEUS_MULTIPROC_DIR is set: only then does prometheus_client share between processes.
"""

import time
from typing import Final

from flask import Flask, Response, g, request
from prometheus_client import Counter, Gauge, Histogram

from adapters.database import watch
from api.auth.metadata import TOKEN_PATH
from api.logs import SUBMITTING
from api.readiness import Readiness
from api.wiring import Wiring

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_REQUESTS: Final = Counter("parley_requests", "Requests answered.", ["method", "route", "status"])
_SECONDS: Final = Histogram(
    "parley_request_seconds", "How long requests took; never of submissions.", ["route"], buckets=SECONDS
)
_TOKENS: Final = Counter("parley_token_requests", "Requests for access tokens, by what became of them.", ["outcome"])
_LIMITED: Final = Counter("parley_rate_limited", "Requests refused since there were too many of them.")
_FAILURES: Final = Counter("parley_database_failures", "Connections and statements that the database failed.")
_CONNECTIONS: Final = Gauge("parley_database_connections", "Connections in use now.", multiprocess_mode="livesum")
_READY: Final = Gauge(
    "parley_ready", "1, or 0 for what /readyz found wanting when asked last.", ["part"], multiprocess_mode="mostrecent"
)
_PARTS: Final = {
    "database": {Readiness.NO_DATABASE, Readiness.SLOW_DATABASE},
    "schema": {Readiness.OTHER_SCHEMA},
    "witness": {Readiness.NO_WITNESS},
}


def register_metrics(app: Flask, wiring: Wiring) -> None:
    """Count what this app does from now on."""
    app.before_request_funcs.setdefault(None, []).insert(0, _begin)
    # First in the list is last to run: what others made of the answer is what is counted.
    app.after_request_funcs.setdefault(None, []).insert(0, _count)
    wiring.readiness.tell = _tell
    watch(wiring.database, failed=_FAILURES.inc, in_use=_CONNECTIONS.inc)


def _begin() -> None:
    g.began = time.perf_counter()


def _count(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "none"
    method = request.method if request.method in METHODS else "other"
    _REQUESTS.labels(method, route, f"{response.status_code // 100}xx").inc()
    if request.endpoint != SUBMITTING:
        _SECONDS.labels(route).observe(time.perf_counter() - g.began)
    if route == TOKEN_PATH:
        _TOKENS.labels(_outcome(response.status_code)).inc()
    if response.status_code == 429:
        _LIMITED.inc()
    return response


def _outcome(status: int) -> str:
    if status < 400:
        return "granted"
    return "refused" if status < 500 else "failed"


def _tell(found: Readiness) -> None:
    for part, wanting in _PARTS.items():
        _READY.labels(part).set(found not in wanting)
