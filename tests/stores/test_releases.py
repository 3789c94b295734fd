"""Releases, on every database."""

from dataclasses import replace

import pytest

from adapters.database import SqlDatabase
from contracts.records import ReleaseRecord
from contracts.refusals import AlreadyExists
from tests.stores.examples import BLOCK, DEBIT, DRAFT, GRANT, RELEASE, SUBMISSION
from tests.stores.threads import at_once


@pytest.fixture
def paid_database(database: SqlDatabase) -> SqlDatabase:
    """Two submissions with a debit each, waiting for their releases."""
    with database.writing() as stores:
        stores.ledger.append(GRANT)
        for number in (1, 2):
            submission_id = f"sub-{number}"
            stores.submissions.add(replace(SUBMISSION, id=submission_id, period=f"2025-0{number}"))
            stores.ledger.append(replace(DEBIT, id=f"debit-{number}", sequence=number + 1, submission_id=submission_id))
    return database


FIRST = replace(RELEASE, id="zz-first", submission_id="sub-1", debit_id="debit-1")
SECOND = replace(RELEASE, id="aa-second", submission_id="sub-2", debit_id="debit-2", period="2025-02")


def test_releases_are_listed_in_the_order_in_which_they_were_stored(paid_database: SqlDatabase) -> None:
    with paid_database.writing() as stores:
        stores.releases.add(FIRST, BLOCK)
        stores.releases.add(SECOND, BLOCK)
    with paid_database.reading() as stores:
        assert stores.releases.list_for_contract(DRAFT.id) == [FIRST, SECOND]
        assert stores.releases.list_for_contract("nothing") == []
        assert stores.releases.find_for_submission("sub-2") == SECOND
        assert stores.releases.find_for_submission("nothing") is None


def test_blocks_come_back_byte_for_byte(paid_database: SqlDatabase) -> None:
    every_byte = bytes(range(256)) * 300
    with paid_database.writing() as stores:
        stores.releases.add(FIRST, every_byte)
        stores.releases.add(SECOND, b"")
    with paid_database.reading() as stores:
        assert stores.releases.get_blocks([SECOND.id, FIRST.id]) == {FIRST.id: every_byte, SECOND.id: b""}
        assert stores.releases.get_blocks([]) == {}


def test_a_block_that_is_missing_is_an_error_not_a_gap(paid_database: SqlDatabase) -> None:
    with paid_database.writing() as stores:
        stores.releases.add(FIRST, BLOCK)
        with pytest.raises(KeyError):
            stores.releases.get_blocks([FIRST.id, "nothing"])


@pytest.mark.parametrize(
    "rival",
    [
        replace(SECOND, debit_id=FIRST.debit_id),
        replace(SECOND, submission_id=FIRST.submission_id),
        replace(SECOND, id=FIRST.id),
    ],
    ids=["debit", "submission", "id"],
)
def test_a_debit_and_a_submission_have_one_release(paid_database: SqlDatabase, rival: ReleaseRecord) -> None:
    with paid_database.writing() as stores:
        stores.releases.add(FIRST, BLOCK)
        with pytest.raises(AlreadyExists):
            stores.releases.add(rival, b"other noise")
        assert stores.releases.get_blocks([FIRST.id]) == {FIRST.id: BLOCK}


def test_of_many_threads_one_stores_the_release(paid_database: SqlDatabase) -> None:
    def store(number: int) -> bool:
        try:
            with paid_database.writing() as stores:
                stores.releases.add(replace(FIRST, id=f"rel-{number}"), bytes([number]))
        except AlreadyExists:
            return False
        return True

    won = at_once(store)
    assert sum(won) == 1
    with paid_database.reading() as stores:
        assert stores.releases.get_blocks([f"rel-{won.index(True)}"]) == {
            f"rel-{won.index(True)}": bytes([won.index(True)])
        }
