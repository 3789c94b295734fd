"""What only the embedded database needs: its settings, one line of writers, patience with other processes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread, Timer

import pytest
import sqlalchemy as sa

from adapters.database import DatabaseUnavailable, SqlDatabase, engine, open_database, sqlite
from adapters.database.engine import begin_transaction, make_engine
from adapters.database.transactions import Transaction
from adapters.database.writers import WriterQueue
from tests.stores.examples import PAYER


@pytest.fixture
def sqlite_database(migrated_sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlDatabase]:
    """One that loses its patience soon."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.02)
    monkeypatch.setattr(engine, "RETRY_WAITS_SECONDS", (0.05, 0.2, 0.4))
    database = open_database(migrated_sqlite_url)
    yield database
    database.close()


@pytest.fixture
def other_process(migrated_sqlite_url: str, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that is not ours and holds the write lock."""
    with closing(sqlite3.connect(tmp_path / "parley.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("temp_store", 2),
        ("busy_timeout", 5000),
    ],
)
def test_every_connection_is_durable_and_keeps_its_references(
    migrated_sqlite_url: str, pragma: str, value: object
) -> None:
    made = make_engine(migrated_sqlite_url)
    with begin_transaction(made, Transaction.WRITING) as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    made.dispose()


def test_a_writer_holds_the_write_lock_from_its_beginning(sqlite_database: SqlDatabase, tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "parley.db", timeout=0)) as other,
        sqlite_database.writing(),
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("BEGIN IMMEDIATE")


def test_a_writer_tries_again_until_another_process_is_done(
    sqlite_database: SqlDatabase, other_process: sqlite3.Connection
) -> None:
    release = Timer(0.1, other_process.rollback)
    release.start()
    with sqlite_database.writing() as stores:
        stores.parties.add_organisation(PAYER)
    release.join()
    with sqlite_database.reading() as stores:
        assert stores.parties.list_organisations() == [PAYER]


def test_a_writer_gives_up_when_another_process_never_ends(
    sqlite_database: SqlDatabase, other_process: sqlite3.Connection
) -> None:
    with pytest.raises(DatabaseUnavailable), sqlite_database.writing():
        pass
    with sqlite_database.reading() as stores:
        assert stores.parties.list_organisations() == []  # readers never wait for a writer
    other_process.rollback()
    with sqlite_database.writing() as stores:
        stores.parties.add_organisation(PAYER)


def test_a_thread_that_would_wait_for_itself_is_told(sqlite_database: SqlDatabase) -> None:
    with (
        sqlite_database.writing(),
        pytest.raises(RuntimeError, match="writes already"),
        sqlite_database.writing(),
    ):
        pass
    with sqlite_database.writing() as stores:
        stores.parties.add_organisation(PAYER)


def test_writers_take_their_turns_in_the_order_in_which_they_came() -> None:
    queue, order = WriterQueue(), []
    threads = []
    with queue.turn():
        for number in range(8):
            arrived = Event()

            def write(number: int = number, arrived: Event = arrived) -> None:
                arrived.set()
                with queue.turn():
                    order.append(number)

            threads.append(Thread(target=write))
            threads[-1].start()
            arrived.wait()
            _until_waiting(queue, number + 2)
    for thread in threads:
        thread.join()
    assert order == [*range(8)]


def test_who_loses_patience_leaves_the_line_to_the_others() -> None:
    queue = WriterQueue(patience_seconds=0.02)
    failures: list[BaseException] = []

    def lose_patience() -> None:
        try:
            with queue.turn():
                pass
        except DatabaseUnavailable as error:
            failures.append(error)

    with queue.turn():
        thread = Thread(target=lose_patience)
        thread.start()
        thread.join()
    assert len(failures) == 1
    with queue.turn():
        pass


def test_no_file_is_left_beside_the_database(sqlite_database: SqlDatabase, tmp_path: Path) -> None:
    with sqlite_database.writing() as stores:
        stores.parties.add_organisation(PAYER)
    sqlite_database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["parley.db"]


def _until_waiting(queue: WriterQueue, count: int) -> None:
    for _ in range(2000):
        if len(queue._line) == count:
            return
        Event().wait(0.001)
    raise AssertionError("the thread never joined the line")


def test_a_database_error_is_only_busy_when_it_says_so() -> None:
    assert not sqlite.is_busy(sa.exc.TimeoutError("the pool is empty"))
    assert not sqlite.is_busy(sa.exc.OperationalError("SELECT", {}, sqlite3.DatabaseError("other")))
