"""Keys that clients and issuers publish at a URL (RFC 7517), held for a while.

Whoever sends a token chooses its `kid`, and so whether keys must be fetched. What is fetched is therefore bounded here:
each URL by one thread at a time and at most once in `RETRY_SECONDS`, whatever anybody names. And whoever publishes keys
chooses how slowly: so few fetches of one host run at once, and few callers are kept waiting.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Final

from adapters.cells.strict_json import JsonRefused, load_strict
from adapters.identity.fetching import SECONDS_MAX, Reach, Unreachable, fetch
from contracts.parties import JsonObject
from contracts.proofs import normal_host
from contracts.public_keys import public_jwk, split_url
from contracts.refusals import RegistrationInvalid

HELD_SECONDS: Final = 300
REFRESHED_SECONDS: Final = 240
RETRY_SECONDS: Final = 30
REST_SECONDS_MAX: Final = 600
KEYS_MAX: Final = 20
URLS_MAX: Final = 1000
FETCHES_MAX: Final = 32
FETCHES_OF_HOST_MAX: Final = 2
WAITING_FOR_URL_MAX: Final = 2
KID_LENGTH_MAX: Final = 255

_PUBLIC_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e")
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_LATE: Final = "it does not answer in time"
# A name server may hold a fetch up beyond its own deadline.
WAIT_SECONDS_MAX: Final = SECONDS_MAX + 1


class KeysUnreachable(Exception):
    """No keys can be had from the URL now. The text says in which way, in our words; it is for the log."""


class KeysBusy(KeysUnreachable):
    """There was no room to fetch the keys or to wait for them, which says nothing of the URL. Try again."""


@dataclass(slots=True)
class _Page:
    """What is known of a URL. Times are monotonic; a page that was never read is older than any limit."""

    keys: tuple[JsonObject, ...] = ()
    read_at: float = float("-inf")
    tried_at: float = float("-inf")
    failure: str | None = None
    failures: int = 0
    running: Future[None] | None = None
    started_at: float = float("-inf")
    waiting: int = 0

    def find(self, kid: str) -> list[JsonObject]:
        return [dict(key) for key in self.keys if key["kid"] == kid]

    def rest_seconds(self) -> float:
        """A URL that goes on failing is asked ever more seldom."""
        return float(min(RETRY_SECONDS * 2 ** min(max(self.failures - 1, 0), 10), REST_SECONDS_MAX))


class PublishedKeys:
    """The keys at URLs, fetched when needed and held for `HELD_SECONDS`. Safe to use from several threads.

    fetches_max: at once, on threads of its own. waiting_max: how many callers may be kept waiting at once, since each
    holds a thread of the API; who finds no room is told to come again, while the fetch goes on.
    """

    def __init__(
        self,
        reach: Reach | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        fetches_max: int = FETCHES_MAX,
        waiting_max: int = 2,
    ) -> None:
        self._reach = reach or Reach()
        self._monotonic = monotonic
        self._fetches_max = fetches_max
        self._waiting_max = waiting_max
        self._waiting = 0
        self._fetches_of: Counter[str] = Counter()
        self._pages: OrderedDict[str, _Page] = OrderedDict()
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(fetches_max, "published-keys")

    def find_keys(self, url: str, kid: str) -> list[JsonObject]:
        """The public JWKs of this kid at the URL; none when it has no such kid. Each has its `kid`, and `alg` where
        that is published. A kid that is not known is looked for anew, but seldom.

        Raises KeysUnreachable; KeysBusy where the caller should try again.
        """
        with self._lock:
            page = self._page(url)
            known = self._is_younger(page, HELD_SECONDS) and bool(page.find(kid))
            rested = page.running is None and self._monotonic() >= page.tried_at + page.rest_seconds()
            # Before they are too old, so that who has keys that work never waits for them.
            if rested and not (known and self._is_younger(page, REFRESHED_SECONDS)):
                self._start(url, page)
            if known or not (rested or page.running):
                return self._answer(page, kid)
            running = self._queue(page)
        try:
            running.result(WAIT_SECONDS_MAX)
        except TimeoutError:
            raise KeysUnreachable(_LATE) from None
        finally:
            with self._lock:
                page.waiting -= 1
                self._waiting -= 1
        with self._lock:
            return self._answer(page, kid)

    def _page(self, url: str) -> _Page:
        page = self._pages.setdefault(url, _Page())
        self._pages.move_to_end(url)
        if len(self._pages) > URLS_MAX:
            self._pages.popitem(last=False)
        return page

    def _is_younger(self, page: _Page, seconds: int) -> bool:
        return self._monotonic() < page.read_at + seconds

    def _start(self, url: str, page: _Page) -> None:
        """Have it fetched, if there is room: one host that hangs is not to take it all."""
        host = _host(url)
        if self._fetches_of.total() < self._fetches_max and self._fetches_of[host] < FETCHES_OF_HOST_MAX:
            self._fetches_of[host] += 1
            page.started_at = self._monotonic()
            page.running = self._threads.submit(self._read, url, host, page)

    def _queue(self, page: _Page) -> Future[None]:
        """A place among those who wait. Raises KeysUnreachable, KeysBusy."""
        if page.running is None:
            raise KeysBusy("too many keys are being fetched")
        if self._monotonic() > page.started_at + WAIT_SECONDS_MAX:
            raise KeysUnreachable(_LATE)
        if page.waiting >= WAITING_FOR_URL_MAX or self._waiting >= self._waiting_max:
            raise KeysBusy("too many wait for keys that are being fetched")
        page.waiting += 1
        self._waiting += 1
        return page.running

    def _answer(self, page: _Page, kid: str) -> list[JsonObject]:
        found = page.find(kid) if self._is_younger(page, HELD_SECONDS) else []
        if page.failure is not None and not found:
            raise KeysUnreachable(page.failure)
        return found

    def _read(self, url: str, host: str, page: _Page) -> None:
        """Runs on a thread of its own, so that no caller waits longer than it should."""
        keys, failure = page.keys, None
        try:
            keys = read_keys(fetch(url, self._reach))
        except Unreachable as unreachable:
            failure = str(unreachable)
        except Exception:  # whatever it is, the URL is not to be stuck for ever
            failure = "it cannot be read"
        with self._lock:
            self._fetches_of[host] -= 1
            self._fetches_of += Counter()  # forgets hosts that are at 0
            page.tried_at = self._monotonic()
            page.failure = failure
            page.failures = 0 if failure is None else page.failures + 1
            page.running = None
            if failure is None:
                page.keys, page.read_at = keys, page.tried_at


def _host(url: str) -> str:
    """Whose fetches are counted together, however its name is spelt."""
    try:
        return normal_host(split_url(url).hostname or "")
    except ValueError:  # which is told when it is fetched
        return ""


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
