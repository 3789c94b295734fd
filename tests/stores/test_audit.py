"""The books of the audit in both databases: append-only, without gaps, and whole whoever writes at once."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from adapters.database import SqlDatabase
from contracts.audit.chain import append, check_chain, empty, link_of, next_record
from contracts.audit.records import Act, Action, Head
from tests.stores.examples import LATER, NOW, POPULATION
from tests.stores.threads import THREADS, at_once

BOOKS = ("contract:dsc-helixor", "organisation:blueridge", "organisation:helix")
ACT = Act(
    BOOKS[0], Action.SUBMISSION_REFUSED, "blueridge", "blueridge-loader", "dsc-helixor", None, {"feed": "Łódź", "n": 1}
)
EACH = 8


def by(number: int, book: str = BOOKS[0]) -> Act:
    return replace(ACT, book=book, subject={"number": number})


def broken(database: SqlDatabase, book: str) -> list[str]:
    with database.reading() as stores:
        links = [link_of(record) for record in stores.audit.records(book, 0, 10_000)]
        return [found.what for found in check_chain(book, links, stores.audit.head(book))]


def test_a_record_comes_back_as_it_was_appended(empty_database: SqlDatabase) -> None:
    with empty_database.writing() as stores:
        append(stores, NOW, ACT)

    with empty_database.reading() as stores:
        (record,) = stores.audit.records(ACT.book, 0, 10)
        head = stores.audit.head(ACT.book)
        stored = [*stores.stored.audit_records()], stores.stored.heads()
    assert (record.act, record.sequence, record.recorded_at) == (ACT, 1, NOW)
    assert head == Head(ACT.book, 1, record.hash)
    assert stored == ([record], [head])
    assert broken(empty_database, ACT.book) == []


def test_a_book_without_records_is_empty(empty_database: SqlDatabase) -> None:
    with empty_database.reading() as stores:
        assert stores.audit.head(BOOKS[0]) == empty(BOOKS[0])
        assert stores.audit.records(BOOKS[0], 0, 10) == []


def test_a_book_is_read_page_by_page(empty_database: SqlDatabase) -> None:
    with empty_database.writing() as stores:
        append(stores, NOW, *(by(number) for number in range(5)))

    with empty_database.reading() as stores:
        pages = [stores.audit.records(BOOKS[0], after, 2) for after in (0, 2, 4, 5)]
    assert [[record.sequence for record in page] for page in pages] == [[1, 2], [3, 4], [5], []]


def test_what_is_rolled_back_leaves_no_record_and_no_gap(empty_database: SqlDatabase) -> None:
    def fail_late() -> None:
        with empty_database.writing() as stores:
            append(stores, NOW, ACT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_late()

    with empty_database.writing() as stores:
        append(stores, LATER, ACT)
    with empty_database.reading() as stores:
        assert [record.sequence for record in stores.audit.records(ACT.book, 0, 10)] == [1]


def test_a_record_that_is_not_the_next_one_is_not_appended(empty_database: SqlDatabase) -> None:
    with empty_database.writing() as stores:
        append(stores, NOW, ACT)

    with pytest.raises(RuntimeError), empty_database.writing() as stores:
        stores.audit.append(next_record(empty(ACT.book), ACT, NOW, "ab" * 32))


@pytest.mark.slow
def test_sixteen_threads_append_to_the_same_books_and_every_chain_stays_whole(empty_database: SqlDatabase) -> None:
    """Each names its books in an order of its own; none waits for another for ever."""

    def work(number: int) -> None:
        turned = BOOKS[number % 3 :] + BOOKS[: number % 3]
        for _ in range(EACH):
            with empty_database.writing() as stores:
                append(stores, NOW, *(by(number, book) for book in turned))

    at_once(work)

    for book in BOOKS:
        assert broken(empty_database, book) == []
        with empty_database.reading() as stores:
            records = stores.audit.records(book, 0, 1000)
        assert [record.sequence for record in records] == [*range(1, THREADS * EACH + 1)]
        assert sorted(record.act.subject["number"] for record in records) == sorted([*range(THREADS)] * EACH)


def test_threads_that_hold_an_account_before_a_book_do_not_wait_for_each_other(database: SqlDatabase) -> None:
    """A submission locks the ledger first; an answer only writes to a book."""

    def work(number: int) -> None:
        for _ in range(EACH):
            with database.writing() as stores:
                if number % 2:
                    stores.ledger.lock(POPULATION.id)
                append(stores, NOW, by(number), by(number, BOOKS[1]))

    at_once(work)

    assert broken(database, BOOKS[0]) == broken(database, BOOKS[1]) == []


# --- past our code


@pytest.fixture
def plain_engine(migrated_url: str, empty_database: SqlDatabase) -> Iterator[sa.Engine]:
    """Somebody with a connection and none of our code."""
    with empty_database.writing() as stores:
        append(stores, NOW, ACT)
    engine = sa.create_engine(migrated_url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("statement", ["UPDATE audit_records SET action = 'other'", "DELETE FROM audit_records"])
def test_a_record_cannot_be_changed_or_removed(plain_engine: sa.Engine, statement: str) -> None:
    with (
        pytest.raises(sa.exc.DBAPIError, match="audit_records is append-only"),
        plain_engine.begin() as connection,
    ):
        connection.execute(sa.text(statement))
    with plain_engine.connect() as connection:
        assert connection.execute(sa.text("SELECT action FROM audit_records")).scalars().all() == [ACT.action]


def test_two_records_cannot_have_one_place(plain_engine: sa.Engine) -> None:
    columns = "book, sequence, recorded_at, action, subject, nonce, previous_hash, hash"
    again = sa.text(f"INSERT INTO audit_records ({columns}) SELECT {columns} FROM audit_records")

    with pytest.raises(sa.exc.IntegrityError), plain_engine.begin() as connection:
        connection.execute(again)
