"""Posts a submission in a process that dies on the way, as by `kill -9`: nothing gets to tidy up.

The points at which it dies are reached without any hook in the code under test: by the events of SQLAlchemy, and by
a noise source, which the app factory takes from tests.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from adapters.database.transactions import Transaction, kind_of
from contracts.parties import JsonObject
from privacy.arrays import Vector
from privacy.mechanism import DiscreteGaussian
from tests.support.processes import PATIENCE_SECONDS, PROCESSES, Stand, end_of


class Point(StrEnum):
    """Where a submission can be cut off, in the order in which it comes by."""

    BEFORE_DEBIT = "before the debit's transaction"
    IN_DEBIT = "in the debit's transaction, before its witness"
    WITNESSED = "after the witness of the debit, before its commit"
    AFTER_DEBIT = "after the debit's commit"
    BEFORE_DRAW = "before the first draw"
    AMID_DRAWS = "after the first draw"
    BEFORE_STORE = "after all draws, before the release's transaction"
    IN_STORE = "in the release's transaction, before its commit"
    AFTER_STORE = "after the release's commit, before the answer"


class Doom:
    """Sends this process a signal when a submission comes by `point`. It is also the noise source, to see the draws."""

    def __init__(self, point: Point, number: int) -> None:
        self._point = point
        self._signal = number
        self._real = DiscreteGaussian()
        self._draws = 0
        self._written: str | None = None
        self._committed = False
        sa.event.listen(sa.Engine, "begin", self._begin)
        sa.event.listen(sa.Engine, "after_cursor_execute", self._executed)
        sa.event.listen(sa.Engine, "commit", self._commit)
        sa.event.listen(sa.pool.Pool, "checkin", self._returned)

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        self._reach(Point.AMID_DRAWS if self._draws else Point.BEFORE_DRAW)
        self._draws += 1
        return self._real.add_noise(exact, sigma)

    def _begin(self, connection: sa.Connection) -> None:
        if kind_of(connection) is Transaction.WRITING:
            self._reach(Point.BEFORE_STORE if self._draws else Point.BEFORE_DEBIT)

    def _executed(self, _connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        for table in ("ledger_entries", "releases"):
            if statement.startswith(f"INSERT INTO {table}"):
                self._written, self._committed = table, False
                if table == "ledger_entries":
                    self._reach(Point.IN_DEBIT)

    def _commit(self, _connection: sa.Connection) -> None:
        """Called by SQLAlchemy just before it tells the database to commit."""
        if self._written:
            self._reach(Point.WITNESSED if self._written == "ledger_entries" else Point.IN_STORE)
            self._committed = True

    def _returned(self, _connection: Any, _record: Any) -> None:
        if self._committed:
            self._reach(Point.AFTER_DEBIT if self._written == "ledger_entries" else Point.AFTER_STORE)

    def _reach(self, point: Point) -> None:
        if point is self._point:
            os.kill(os.getpid(), self._signal)


def killed_at(point: Point, stand: Stand, body: JsonObject) -> bool:
    """Post in a process that dies at `point`; False if the submission did not come by it, since it was answered."""
    process = PROCESSES.Process(target=_send_doomed, args=(stand, body, point))
    process.start()
    code = end_of(process)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def killed_after(seconds: float, stand: Stand, body: JsonObject) -> bool:
    """Post in a process that is killed that long after it began to post; False if it was answered before."""
    mine, its = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_send_and_tell, args=(stand, body, its))
    process.start()
    its.close()
    mine.recv()
    answered = mine.poll(seconds)
    process.kill()
    end_of(process)
    mine.close()
    return not answered


@contextmanager
def stopped_at(point: Point, stand: Stand, body: JsonObject) -> Iterator[list[JsonObject]]:
    """Post in a process that stands still at `point` while the block runs, then goes on; its answer is in the list."""
    mine, its = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_send_stopping, args=(stand, body, point, its))
    process.start()
    its.close()
    answers: list[JsonObject] = []
    give_up = time.monotonic() + PATIENCE_SECONDS
    try:
        while _state_of(process.pid) != "T":
            assert time.monotonic() < give_up
            time.sleep(0.01)
        yield answers
    finally:
        os.kill(process.pid or 0, signal.SIGCONT)
    answers.append(mine.recv()[1])
    assert end_of(process) == 0
    mine.close()


def _state_of(pid: int | None) -> str:
    """One letter, as in proc(5): T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _send_stopping(stand: Stand, body: JsonObject, point: Point, parent: Connection) -> None:
    parent.send(stand.post(stand.make_app(Doom(point, signal.SIGSTOP)), body))


def _send_doomed(stand: Stand, body: JsonObject, point: Point) -> None:
    stand.post(stand.make_app(Doom(point, signal.SIGKILL)), body)


def _send_and_tell(stand: Stand, body: JsonObject, parent: Connection) -> None:
    app = stand.make_app()
    parent.send("about to post")
    parent.send(stand.post(app, body))
