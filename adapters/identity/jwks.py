"""Keys that clients and issuers publish at a URL (RFC 7517), held for a while.

Whoever sends a token chooses its `kid`, and so whether keys must be fetched. What is fetched is therefore bounded here:
each URL by one thread at a time and at most once in `RETRY_SECONDS`, whatever anybody names.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Final

from adapters.cells.strict_json import JsonRefused, load_strict
from adapters.identity.fetching import SECONDS_MAX, Reach, Unreachable, fetch
from contracts.parties import JsonObject
from contracts.public_keys import public_jwk
from contracts.refusals import RegistrationInvalid

HELD_SECONDS: Final = 300
RETRY_SECONDS: Final = 30
KEYS_MAX: Final = 20
URLS_MAX: Final = 1000
FETCHES_MAX: Final = 4
KID_LENGTH_MAX: Final = 255

_PUBLIC_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e")
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_LATE: Final = "it does not answer in time"
# A name server may hold a fetch up beyond its own deadline.
WAIT_SECONDS_MAX: Final = SECONDS_MAX + 1


class KeysUnreachable(Exception):
    """No keys can be had from the URL now. The text says in which way, in our words; it is for the log."""


@dataclass(slots=True)
class _Page:
    """What is known of a URL. Times are monotonic; a page that was never read is older than any limit."""

    keys: tuple[JsonObject, ...] = ()
    read_at: float = float("-inf")
    tried_at: float = float("-inf")
    failure: str | None = None
    running: Future[None] | None = None

    def find(self, kid: str) -> list[JsonObject]:
        return [dict(key) for key in self.keys if key["kid"] == kid]


class PublishedKeys:
    """The keys at URLs, fetched when needed and held for `HELD_SECONDS`. Safe to use from several threads."""

    def __init__(self, reach: Reach | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._reach = reach or Reach()
        self._monotonic = monotonic
        self._pages: OrderedDict[str, _Page] = OrderedDict()
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(FETCHES_MAX, "published-keys")

    def find_keys(self, url: str, kid: str) -> list[JsonObject]:
        """The public JWKs of this kid at the URL; none when it has no such kid. Each has its `kid`, and `alg` where
        that is published. A kid that is not known is looked for anew, but seldom.

        Raises KeysUnreachable.
        """
        with self._lock:
            page = self._page(url)
            if self._is_settled(page, kid):
                return self._answer(page, kid)
            if page.running is None:
                page.running = self._threads.submit(self._read, url, page)
            running = page.running
        try:
            running.result(WAIT_SECONDS_MAX)
        except TimeoutError:
            raise KeysUnreachable(_LATE) from None
        with self._lock:
            return self._answer(page, kid)

    def _page(self, url: str) -> _Page:
        page = self._pages.setdefault(url, _Page())
        self._pages.move_to_end(url)
        if len(self._pages) > URLS_MAX:
            self._pages.popitem(last=False)
        return page

    def _is_fresh(self, page: _Page) -> bool:
        return self._monotonic() < page.read_at + HELD_SECONDS

    def _is_settled(self, page: _Page, kid: str) -> bool:
        """Whether to answer from what is known: it is fresh and has the kid, or it was tried a moment ago."""
        if self._is_fresh(page) and page.find(kid):
            return True
        return page.running is None and self._monotonic() < page.tried_at + RETRY_SECONDS

    def _answer(self, page: _Page, kid: str) -> list[JsonObject]:
        found = page.find(kid) if self._is_fresh(page) else []
        if page.failure is not None and not found:
            raise KeysUnreachable(page.failure)
        return found

    def _read(self, url: str, page: _Page) -> None:
        """Runs on a thread of its own, so that no caller waits longer than it should."""
        keys, failure = page.keys, None
        try:
            keys = read_keys(fetch(url, self._reach))
        except Unreachable as unreachable:
            failure = str(unreachable)
        except Exception:  # whatever it is, the URL is not to be stuck for ever
            failure = "it cannot be read"
        with self._lock:
            page.tried_at = self._monotonic()
            page.failure = failure
            page.running = None
            if failure is None:
                page.keys, page.read_at = keys, page.tried_at


def read_keys(document: bytes) -> tuple[JsonObject, ...]:
    """The usable public keys of a JWK set. Raises Unreachable.

    A key of a kind that we do not use is passed over (RFC 7517 section 5); one that is published with its private half
    is anybody's, and passed over too.
    """
    try:
        keys = load_strict(document, fractions=True)["keys"]
    except (JsonRefused, KeyError, TypeError):
        raise Unreachable("the answer is no JWK set") from None
    if not isinstance(keys, list) or len(keys) > KEYS_MAX or not all(isinstance(key, dict) for key in keys):
        raise Unreachable(f"the answer is no JWK set of at most {KEYS_MAX} keys")
    return tuple(public for key in keys if (public := _usable(key)) is not None)


def _usable(key: JsonObject) -> JsonObject | None:
    kid, algorithm, operations = key.get("kid"), key.get("alg"), key.get("key_ops", ["verify"])
    if not isinstance(kid, str) or not 0 < len(kid) <= KID_LENGTH_MAX or not isinstance(algorithm, str | None):
        return None
    to_verify = key.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    if not to_verify or not _PRIVATE_MEMBERS.isdisjoint(key):
        return None
    try:
        public = public_jwk({name: key[name] for name in _PUBLIC_MEMBERS if name in key}, "")
    except RegistrationInvalid:
        return None
    return {**public, "kid": kid, **({"alg": algorithm} if algorithm is not None else {})}
