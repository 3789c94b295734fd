"""What never changes once it is committed, kept in memory so that it is not read and parsed again and again."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Generic, TypeVar

from contracts.records import History, ReleaseRecord

Stamp = tuple[object, ...]
Value = TypeVar("Value")

CONTRACTS_REMEMBERED: Final = 64


class Remembered(Generic[Value]):
    """The values used last, each with the stamp under which it was read. Threads may share it.

    Only reading transactions may fill it: what a writing one sees might never be committed.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, tuple[Stamp, Value]] = OrderedDict()
        self._lock = Lock()

    def find(self, name: Hashable) -> tuple[Stamp, Value] | None:
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
            return self._kept.get(name)

    def keep(self, name: Hashable, stamp: Stamp, value: Value) -> None:
        with self._lock:
            self._kept[name] = (stamp, value)
            self._kept.move_to_end(name)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Memory:
    """What the reading transactions of one database remember."""

    histories: Remembered[History] = field(default_factory=lambda: Remembered(CONTRACTS_REMEMBERED))
    releases: Remembered[tuple[ReleaseRecord, ...]] = field(default_factory=lambda: Remembered(CONTRACTS_REMEMBERED))
