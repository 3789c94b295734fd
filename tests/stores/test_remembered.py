"""What a process remembers of contracts and releases is never older than what is committed, whoever committed it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from adapters.database import SqlDatabase, open_database
from adapters.database.stores import SqlStores
from adapters.database.stores.remembered import Remembered
from contracts.records import History, ReleaseRecord
from tests.stores.examples import (
    BLOCK,
    BRAND,
    CONTRACT_EVENT,
    DEBIT,
    DRAFT,
    GRANT,
    LATER,
    POPULATION_EVENT,
    PROPOSED,
    RELEASE,
    SIGNATURE,
    SIGNING_KEY,
    SUBMISSION,
)

SECOND = replace(PROPOSED, version=2, digest="cd" * 32)
REVOKED = replace(SIGNING_KEY, revoked_at=LATER, revocation_reason="lost", compromised=True)
CHANGES: dict[str, Callable[[SqlStores], object]] = {
    "another signature": lambda stores: stores.contracts.add_signature(
        DRAFT.id, 1, replace(SIGNATURE, organisation=BRAND.id, jws="other..tail", signed_at=LATER)
    ),
    "a signer's key revoked": lambda stores: stores.parties.revoke_signing_key(REVOKED),
    "an event": lambda stores: stores.contracts.add_event(CONTRACT_EVENT),
    "an event of a population": lambda stores: stores.parties.add_population_event(POPULATION_EVENT),
    "an amendment drafted": lambda stores: stores.contracts.add(replace(DRAFT, version=2)),
    "an amendment proposed": lambda stores: (
        stores.contracts.add(replace(DRAFT, version=2)),
        stores.contracts.replace_draft(SECOND),
    ),
}


@pytest.fixture
def signed(database: SqlDatabase) -> SqlDatabase:
    """The contract proposed and signed by one party, whose key is registered."""
    with database.writing() as stores:
        stores.parties.add_signing_key(SIGNING_KEY)
        stores.contracts.replace_draft(PROPOSED)
        stores.contracts.add_signature(DRAFT.id, 1, SIGNATURE)
    return database


@pytest.fixture
def other_process(migrated_url: str) -> Iterator[SqlDatabase]:
    """The same database, with a memory of its own."""
    database = open_database(migrated_url)
    yield database
    database.close()


def history(database: SqlDatabase) -> History | None:
    with database.reading() as stores:
        return stores.contracts.find_history(DRAFT.id)


def history_as_stored(database: SqlDatabase) -> History | None:
    """A writing transaction remembers nothing."""
    with database.writing() as stores:
        return stores.contracts.find_history(DRAFT.id)


def test_what_has_not_changed_is_not_read_again(signed: SqlDatabase) -> None:
    assert history(signed) is history(signed)
    assert history(signed) == history_as_stored(signed)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_another_process_commits_is_seen_at_once(
    signed: SqlDatabase, other_process: SqlDatabase, change: Callable[[SqlStores], object]
) -> None:
    before = history(signed)

    with other_process.writing() as stores:
        change(stores)

    assert history(signed) != before
    assert history(signed) == history_as_stored(signed)


def test_a_draft_is_read_each_time(database: SqlDatabase, other_process: SqlDatabase) -> None:
    assert history(database) == History((DRAFT,))
    edited = replace(DRAFT, document=DRAFT.document | {"title": "Another"})

    with other_process.writing() as stores:
        stores.contracts.replace_draft(edited)

    assert history(database) == History((edited,))
    with other_process.writing() as stores:
        stores.contracts.discard_draft(DRAFT.id, 1)
    assert history(database) is None


def test_what_is_rolled_back_is_remembered_by_nobody(signed: SqlDatabase) -> None:
    before = history(signed)

    def add_an_event_and_fail() -> None:
        with signed.writing() as stores:
            stores.contracts.add_event(CONTRACT_EVENT)
            assert stores.contracts.find_history(DRAFT.id) != before
            raise KeyError

    with pytest.raises(KeyError):
        add_an_event_and_fail()
    with signed.writing() as stores:
        stores.contracts.add_event(replace(CONTRACT_EVENT, reason="another breach"))

    found = history(signed)
    assert found is not None
    assert [event.reason for event in found.events] == ["another breach"]


def test_releases_stored_since_follow_those_that_are_remembered(
    database: SqlDatabase, other_process: SqlDatabase
) -> None:
    with database.writing() as stores:
        stores.ledger.append(GRANT)
    posted: list[ReleaseRecord] = []
    for number in (1, 2, 3):
        posted.append(post(other_process, number))
        with database.reading() as stores:
            assert stores.releases.list_for_contract(DRAFT.id) == posted
            assert stores.releases.list_for_contract("nothing") == []


def test_a_transaction_never_sees_a_release_of_after_its_beginning(
    database: SqlDatabase, other_process: SqlDatabase
) -> None:
    with database.writing() as stores:
        stores.ledger.append(GRANT)
    post(other_process, 1)
    with database.reading() as begun_before:
        assert [release.id for release in begun_before.releases.list_for_contract(DRAFT.id)] == ["rel-1"]
        post(other_process, 2)
        with database.reading() as begun_after:
            assert [release.id for release in begun_after.releases.list_for_contract(DRAFT.id)] == ["rel-1", "rel-2"]

        assert [release.id for release in begun_before.releases.list_for_contract(DRAFT.id)] == ["rel-1"]

    with database.reading() as stores:
        assert [release.id for release in stores.releases.list_for_contract(DRAFT.id)] == ["rel-1", "rel-2"]


def post(database: SqlDatabase, number: int) -> ReleaseRecord:
    """Submission, debit and release of a period."""
    release = replace(RELEASE, id=f"rel-{number}", submission_id=f"sub-{number}", debit_id=f"debit-{number}")
    with database.writing() as stores:
        stores.submissions.add(replace(SUBMISSION, id=f"sub-{number}", period=f"2025-0{number}"))
        stores.ledger.append(replace(DEBIT, id=f"debit-{number}", sequence=number + 1, submission_id=f"sub-{number}"))
        stores.releases.add(release, BLOCK)
    return release


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    kept: Remembered[str] = Remembered(2)
    kept.keep("a", (1,), "first")
    kept.keep("b", (1,), "second")
    assert kept.find("a") == ((1,), "first")

    kept.keep("c", (1,), "third")

    assert kept.find("b") is None
    assert kept.find("a") == ((1,), "first")
    assert kept.find("c") == ((1,), "third")
