"""How often an organisation may ask, and how often an address from which nobody has shown a token.

Windows are fixed: whoever waits as Retry-After says gets in. Counts are of requests, whatever these are answered with,
so they tell nothing of data.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic, time
from typing import Any, Final

from flask import Flask, Response, g
from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError, StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from api.logs import log_limits_lost
from api.problems import ApiProblem

OFF: Final = "off"
# `203.0.113.9:4711`, `[2001:db8::1]` and `[2001:db8::1]:4711`.
_PORT: Final = re.compile(r"\A(?:\[([^\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5})\Z")
_LONGEST_SECONDS: Final = 86400
_REDIS: Final = ("redis://", "rediss://")
# A storage that does not answer costs one request this long, and the others nothing for a while.
_PATIENCE_SECONDS: Final = 0.2
_RESPITE_SECONDS: Final = 5.0


class LimitsInvalid(Exception):
    """The settings describe no limit. The text is ours."""


class Counted(StrEnum):
    """By what requests are counted, and the name of the policy (RateLimit-Policy)."""

    ORGANISATION = "organisation"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Count:
    """How one organisation or address stands in its window."""

    by: Counted
    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: int
    allowed: bool

    def headers(self) -> dict[str, str]:
        """draft-ietf-httpapi-ratelimit-headers, version 10: structured fields (RFC 9651)."""
        return {
            "RateLimit-Policy": f'"{self.by}";q={self.limit};w={self.window_seconds}',
            "RateLimit": f'"{self.by}";r={self.remaining};t={self.reset_seconds}',
        }


def parse_limit(text: str) -> RateLimitItem | None:
    """`1200 per minute`; None for `off`. Raises LimitsInvalid."""
    if text == OFF:
        return None
    try:
        (item,) = parse_many(text)
    except ValueError:
        raise LimitsInvalid("is a rate like '1200 per minute', or off") from None
    if item.amount < 1 or item.get_expiry() > _LONGEST_SECONDS:
        raise LimitsInvalid("allows at least one request, in a day at most")
    return item


class RateLimits:
    """Counts in a storage that processes may share. While it fails everybody gets in: to be there matters more."""

    def __init__(self, organisation: str, address: str, storage: str) -> None:
        """Raises LimitsInvalid."""
        self._limits = {Counted.ORGANISATION: parse_limit(organisation), Counted.ADDRESS: parse_limit(address)}
        self._limiter = FixedWindowRateLimiter(_open(storage))
        self._lost_until = 0.0

    def count(self, by: Counted, key: str) -> Count | None:
        """One more request. None where there is no limit, or it cannot be told."""
        item = self._limits[by]
        if item is None or monotonic() < self._lost_until:
            return None
        try:
            allowed = self._limiter.hit(item, by, key)
            resets_at, remaining = self._limiter.get_window_stats(item, by, key)
        except StorageError as error:
            self._lost_until = monotonic() + _RESPITE_SECONDS
            log_limits_lost(error)
            return None
        reset_seconds = min(max(ceil(resets_at - time()), 1), item.get_expiry())
        return Count(by, item.amount, item.get_expiry(), max(remaining, 0), reset_seconds, allowed)


def _open(storage: str) -> Storage:
    if storage != "memory://" and not storage.startswith(_REDIS):
        raise LimitsInvalid("is memory://, or the redis:// or rediss:// address of a server")
    options: dict[str, Any] = {}
    if storage.startswith(_REDIS):
        options = {"socket_connect_timeout": _PATIENCE_SECONDS, "socket_timeout": _PATIENCE_SECONDS, "retry": None}
    try:
        opened = storage_from_string(storage, wrap_exceptions=True, **options)
    except (ConfigurationError, ValueError):
        raise LimitsInvalid(
            "cannot be used; redis:// needs the package redis: pip install '.[redis]' in a checkout"
        ) from None
    if not isinstance(opened, Storage):
        raise LimitsInvalid("is a storage that waits for no event loop")
    return opened


def require_within_limit(limits: RateLimits, by: Counted, key: str) -> None:
    """Count this request. Raises ApiProblem 429."""
    count = limits.count(by, key)
    if count is None:
        return
    g.counted = count
    if not count.allowed:
        detail = f"This {by} has asked {count.limit} times in {count.window_seconds} s; wait {count.reset_seconds} s."
        raise ApiProblem("rate-limited", 429, detail, {"Retry-After": str(count.reset_seconds)})


def address_key(address: str | None) -> str:
    """Whom an address stands for, without the port that some proxies add: of IPv6 a whole network, since a single
    machine has all of its addresses."""
    try:
        ip = ip_address(_PORT.sub(r"\1\2", address or ""))
    except ValueError:
        return "unknown"
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or IPv6Address(int(ip) >> 64 << 64))
    return str(ip)


def register_limit_headers(app: Flask) -> None:
    """Say how the organisation stands on each of its answers; of an address only when it is refused."""

    @app.after_request
    def tell_count(response: Response) -> Response:
        count: Count | None = g.get("counted")
        if count is not None and (count.by is Counted.ORGANISATION or not count.allowed):
            response.headers.update(count.headers())
        return response
