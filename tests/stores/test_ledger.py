"""The privacy ledger, on every database."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from adapters.database import SqlDatabase
from contracts.ledger.entries import Entry, EntryKind
from contracts.refusals import AlreadyExists
from tests.stores.examples import DEBIT, GRANT, POPULATION, SUBMISSION
from tests.stores.threads import THREADS, at_once


def test_entries_come_back_in_sequence_as_they_were_made(database: SqlDatabase) -> None:
    with database.writing() as stores:
        stores.ledger.append(DEBIT)  # before its submission: a transaction may write the two in either order
        stores.submissions.add(SUBMISSION)
        stores.ledger.append(GRANT)
    with database.reading() as stores:
        assert stores.ledger.entries(POPULATION.id) == [GRANT, DEBIT]
        assert stores.ledger.entries("nobody") == []


def test_losses_are_kept_exact_far_beyond_32_bits(database: SqlDatabase) -> None:
    large = replace(GRANT, granted_nano=2**53 + 1)
    with database.writing() as stores:
        stores.ledger.append(large)
    with database.reading() as stores:
        assert stores.ledger.entries(POPULATION.id) == [large]


@pytest.mark.parametrize("rival", [replace(GRANT, id="another"), replace(GRANT, sequence=2)])
def test_a_sequence_number_and_an_id_are_taken_once(database: SqlDatabase, rival: Entry) -> None:
    with database.writing() as stores:
        stores.ledger.append(GRANT)
        with pytest.raises(AlreadyExists):
            stores.ledger.append(rival)
        assert stores.ledger.entries(POPULATION.id) == [GRANT]


@pytest.mark.parametrize(
    "broken",
    [
        replace(GRANT, kind=EntryKind.DEBIT, spent_nano=GRANT.granted_nano + 1),
        replace(GRANT, charge_nano=-1),
        replace(GRANT, increment_nano=-1),
        replace(GRANT, sequence=0),
        replace(GRANT, population="nobody"),
    ],
    ids=["spent above granted", "negative charge", "negative increment", "sequence 0", "unknown population"],
)
def test_the_database_itself_refuses_an_entry_that_cannot_be(database: SqlDatabase, broken: Entry) -> None:
    with pytest.raises(sa.exc.IntegrityError), database.writing() as stores:
        stores.ledger.append(broken)
    with database.reading() as stores:
        assert stores.ledger.entries(POPULATION.id) == []


def test_a_debit_without_its_submission_is_not_committed(database: SqlDatabase) -> None:
    with pytest.raises(sa.exc.IntegrityError), database.writing() as stores:
        stores.ledger.append(DEBIT)
    with database.reading() as stores:
        assert stores.ledger.entries(POPULATION.id) == []


def test_many_threads_make_one_sequence_without_gaps(database: SqlDatabase) -> None:
    def append(number: int) -> None:
        with database.writing() as stores:
            stores.ledger.lock(POPULATION.id)
            before = stores.ledger.entries(POPULATION.id)
            granted_nano = before[-1].granted_nano + number if before else number
            stores.ledger.append(
                replace(GRANT, id=f"entry-{number}", sequence=len(before) + 1, granted_nano=granted_nano)
            )

    at_once(append)
    with database.reading() as stores:
        entries = stores.ledger.entries(POPULATION.id)
    assert [entry.sequence for entry in entries] == [*range(1, THREADS + 1)]
    assert entries[-1].granted_nano == sum(range(THREADS))


def test_an_account_that_is_not_there_cannot_be_locked(database: SqlDatabase) -> None:
    with pytest.raises(KeyError), database.writing() as stores:
        stores.ledger.lock("nobody")
