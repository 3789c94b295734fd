"""What was read of frozen documents, kept for the next request."""

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class ReadTerms(Generic[T]):
    """The terms read last, by digest, so long as their documents have so many bytes together: room for the versions of
    many contracts, of which every request reads all. The least recently used go first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._found: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._lock = Lock()

    def find(self, digest: str) -> T | None:
        with self._lock:
            if digest not in self._found:
                return None
            self._found.move_to_end(digest)
            return self._found[digest][0]

    def keep(self, digest: str, terms: T, size: int) -> None:
        with self._lock:
            if digest not in self._found:
                self._found[digest] = (terms, size)
                self._bytes += size
            while self._bytes > self._most_bytes and len(self._found) > 1:
                self._bytes -= self._found.popitem(last=False)[1][1]
