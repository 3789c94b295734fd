"""One line for all writers of an embedded database."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, get_ident

from adapters.database.errors import DatabaseUnavailable


class WriterQueue:
    """Lets the threads of this process write one after the other, in the order in which they came.

    SQLite has one writer at a time and lets the others try again by chance, and a plain lock is no fairer:
    of 16 threads some waited for seconds while others wrote over and over.
    """

    def __init__(self, patience_seconds: float = 30.0) -> None:
        self._patience_seconds = patience_seconds
        self._guard = Lock()
        self._line: deque[tuple[int, Event]] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this thread's turn and hold it. Raises DatabaseUnavailable when patience ends."""
        place = (get_ident(), Event())
        self._join(place)
        try:
            if not place[1].wait(self._patience_seconds):
                raise DatabaseUnavailable("Too many writers are waiting for the database.")
            yield
        finally:
            self._leave(place)

    def _join(self, place: tuple[int, Event]) -> None:
        with self._guard:
            if any(thread == place[0] for thread, _ in self._line):
                raise RuntimeError("This thread writes already and would wait for itself.")
            self._line.append(place)
            self._line[0][1].set()

    def _leave(self, place: tuple[int, Event]) -> None:
        with self._guard:
            self._line.remove(place)
            if self._line:
                self._line[0][1].set()
