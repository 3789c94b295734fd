"""Requests that bore an Idempotency-Key, on every database."""

from dataclasses import replace
from datetime import timedelta

from adapters.database import SqlDatabase
from contracts.ports import IdempotentRequest
from tests.stores.examples import CLIENT, DRAFT, NOW, PAYER
from tests.stores.threads import THREADS, at_once

LEASE = timedelta(seconds=60)
REQUEST = IdempotentRequest(CLIENT.id, "key-1", "ab" * 32, NOW + LEASE, NOW + timedelta(hours=24))
ANSWERED = replace(REQUEST, status=201, headers={"Content-Type": "application/json"}, body='{"name": "Łódź"}')
AFTER_LEASE = NOW + LEASE + timedelta(microseconds=1)


def again(**changes: object) -> IdempotentRequest:
    """The same request, once the lease of the first has run out."""
    return replace(REQUEST, lease_until=AFTER_LEASE + LEASE, **changes)  # type: ignore[arg-type]


def claim(database: SqlDatabase, request: IdempotentRequest, now: object = NOW) -> IdempotentRequest | None:
    with database.writing() as stores:
        return stores.idempotency.claim(request, now)  # type: ignore[arg-type]


def answer(database: SqlDatabase, request: IdempotentRequest) -> None:
    with database.writing() as stores:
        stores.idempotency.answer(request)


def test_the_first_of_a_key_has_it_and_the_others_find_the_first(database: SqlDatabase) -> None:
    assert claim(database, REQUEST) is None
    assert claim(database, replace(REQUEST, fingerprint="cd" * 32)) == REQUEST
    assert claim(database, replace(REQUEST, key="key-2")) is None


def test_keys_are_each_clients_own(database: SqlDatabase) -> None:
    with database.writing() as stores:
        stores.parties.add_client(replace(CLIENT, id="another"))
    assert claim(database, REQUEST) is None
    assert claim(database, replace(REQUEST, client_id="another")) is None


def test_an_answer_is_found_as_it_was_stored(database: SqlDatabase) -> None:
    claim(database, REQUEST)
    answer(database, ANSWERED)
    assert claim(database, again(), AFTER_LEASE) == ANSWERED


def test_a_released_key_is_as_good_as_new(database: SqlDatabase) -> None:
    claim(database, REQUEST)
    with database.writing() as stores:
        stores.idempotency.release(REQUEST)
    assert claim(database, replace(REQUEST, fingerprint="cd" * 32)) is None


def test_an_answer_outlives_the_release_of_whoever_comes_late(database: SqlDatabase) -> None:
    claim(database, REQUEST)
    answer(database, ANSWERED)
    with database.writing() as stores:
        stores.idempotency.release(REQUEST)
    assert claim(database, REQUEST) == ANSWERED


def test_a_key_whose_request_died_is_never_taken_over(database: SqlDatabase) -> None:
    claim(database, REQUEST)
    assert claim(database, again(), AFTER_LEASE) == REQUEST
    assert claim(database, again(), REQUEST.expires_at) == REQUEST


def test_a_key_is_forgotten_when_its_time_is_over(database: SqlDatabase) -> None:
    claim(database, REQUEST)
    answer(database, ANSWERED)
    assert claim(database, again(), REQUEST.expires_at) == ANSWERED
    assert claim(database, again(), REQUEST.expires_at + timedelta(microseconds=1)) is None


def test_a_discarded_draft_takes_along_every_answer_that_holds_it(database: SqlDatabase) -> None:
    of_draft = replace(ANSWERED, contract_id=DRAFT.id, contract_version=1)
    other = replace(ANSWERED, key="key-2")
    for request in (REQUEST, replace(REQUEST, key="key-2")):
        claim(database, request)
    answer(database, of_draft)
    answer(database, other)

    with database.writing() as stores:
        stores.contracts.discard_draft(DRAFT.id, 1)

    assert claim(database, REQUEST) is None
    assert claim(database, replace(REQUEST, key="key-2")) == other


def test_no_answer_is_kept_of_a_draft_that_was_discarded_before(database: SqlDatabase) -> None:
    second = replace(DRAFT, version=2, drafted_by=PAYER.id)
    with database.writing() as stores:
        stores.contracts.add(second)
    claim(database, REQUEST)
    with database.writing() as stores:
        stores.contracts.discard_draft(DRAFT.id, 2)

    answer(database, replace(ANSWERED, contract_id=DRAFT.id, contract_version=2))

    assert claim(database, REQUEST) is None


def test_of_many_threads_one_has_the_key_and_of_those_after_its_lease_none(database: SqlDatabase) -> None:
    assert [claimed is None for claimed in at_once(lambda _: claim(database, REQUEST))].count(True) == 1
    assert at_once(lambda _: claim(database, again(), AFTER_LEASE)) == [REQUEST] * THREADS


def test_a_key_that_is_released_all_the_time_is_still_had_by_one_at_a_time(database: SqlDatabase) -> None:
    """On PostgreSQL a claim may find that what stood in its way has just gone."""
    running: list[int] = []
    most: list[int] = []

    def claim_and_release(number: int) -> bool:
        if claim(database, REQUEST) is not None:
            return False
        running.append(number)
        most.append(len(running))
        running.remove(number)
        with database.writing() as stores:
            stores.idempotency.release(REQUEST)
        return True

    outcomes = [had for _ in range(5) for had in at_once(claim_and_release)]

    assert len(outcomes) == 5 * THREADS
    assert set(most) == {1}
