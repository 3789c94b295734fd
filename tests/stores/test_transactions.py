"""What a transaction promises, on every database."""

import os
from dataclasses import replace

import pytest
import sqlalchemy as sa

from adapters.database import DatabaseUnavailable, DatabaseUrlUnusable, SqlDatabase, open_database
from tests.stores.examples import DEBIT, GRANT, PAYER, POPULATION
from tests.stores.threads import THREADS, at_once


class Interrupted(Exception):
    """Something went wrong in the middle of a transaction."""


def test_a_block_that_raises_leaves_nothing_behind(empty_database: SqlDatabase) -> None:
    def write_and_fail() -> None:
        with empty_database.writing() as stores:
            stores.parties.add_organisation(PAYER)
            raise Interrupted

    with pytest.raises(Interrupted):
        write_and_fail()
    with empty_database.reading() as stores:
        assert stores.parties.list_organisations() == []


def test_a_reader_keeps_its_snapshot_while_others_write(database: SqlDatabase) -> None:
    with database.reading() as before:
        assert before.ledger.entries(POPULATION.id) == []
        with database.writing() as stores:
            stores.ledger.append(GRANT)
        assert before.ledger.entries(POPULATION.id) == []
    with database.reading() as after:
        assert after.ledger.entries(POPULATION.id) == [GRANT]


def test_a_reader_cannot_write(database: SqlDatabase) -> None:
    with pytest.raises(sa.exc.DBAPIError), database.reading() as stores:
        stores.ledger.append(GRANT)
    with database.writing() as stores:
        stores.ledger.append(GRANT)  # the connection that refused is not spoilt for a writer


def test_a_writer_sees_what_was_committed_while_it_waited(database: SqlDatabase) -> None:
    """Check and append under one lock: of 16 debits for a balance that pays for one, one is made."""

    def spend_all(number: int) -> bool:
        with database.writing() as stores:
            stores.ledger.lock(POPULATION.id)
            if stores.ledger.entries(POPULATION.id):
                return False
            stores.ledger.append(replace(GRANT, id=f"entry-{number}"))
            return True

    assert sum(at_once(spend_all)) == 1


def test_a_commit_that_fails_spoils_nothing_for_the_next(database: SqlDatabase) -> None:
    for _ in range(3):
        with pytest.raises(sa.exc.IntegrityError), database.writing() as stores:
            stores.ledger.append(DEBIT)  # its submission is missing, which only the commit can tell
        with database.writing() as stores:
            assert stores.ledger.entries(POPULATION.id) == []


def test_many_readers_and_writers_share_the_pool(database: SqlDatabase) -> None:
    def register_and_count(number: int) -> int:
        with database.writing() as stores:
            stores.parties.add_organisation(replace(PAYER, id=f"payer-{number}"))
        with database.reading() as stores:
            return len(stores.parties.list_organisations())

    assert max(at_once(register_and_count)) == THREADS + 2


def test_a_database_carried_over_a_fork_refuses_to_work(database: SqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="after any fork"), database.reading():
        pass


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///file:parley?mode=memory&uri=true",
        "postgresql+psycopg2://localhost/parley",
        "mysql://localhost/parley",
        "parley.db",
        "",
    ],
)
def test_an_address_that_cannot_hold_a_ledger_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUrlUnusable):
        open_database(url)


def test_an_unreachable_database_says_so_without_its_address() -> None:
    database = open_database("postgresql://parley:secret-word@/parley?host=/nowhere-at-all")
    with pytest.raises(DatabaseUnavailable) as caught, database.reading():
        pass
    assert str(caught.value) == "The database cannot be reached, is busy, or is none."
