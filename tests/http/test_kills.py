"""The exchange is killed at every point between debit and receipt; then the provider posts again.

Whatever the point: at most one release a debit, every attempt paid for, and in the end the one receipt.
"""

from collections.abc import Iterator
from random import Random
from time import monotonic

import pytest

from contracts.ledger.entries import Entry
from contracts.ledger.reconciling import Reconciling
from contracts.parties import JsonObject
from tests.support.accounts import check_account
from tests.support.doomed import Point, killed_after, killed_at, stopped_at
from tests.support.processes import Stand
from tests.support.small_exchange import PAYERS, SmallExchange, fills, fills_feed, server_keys, small_contract

KILLS = 100
NAME, POPULATION = "blueridge", "blueridge-members"
CHEAP_FEED = fills_feed(rho="0.001")  # so that many attempts fit into one budget


@pytest.fixture
def agreed(migrated_url: str) -> Iterator[SmallExchange]:
    """The small contract in force, on each database in turn, with token keys that another process can have too."""
    small = SmallExchange(migrated_url, settings_changes=server_keys())
    small.agree(small_contract(feeds=[CHEAP_FEED, *small_contract()["feeds"][1:]]))
    yield small
    small.wiring.database.close()


def after_the_lease(small: SmallExchange) -> None:
    small.clock.go_on(seconds=small.settings.lease_seconds + 1)


def reconciled(small: SmallExchange, population: str) -> list[Entry]:
    operator = Reconciling(small.wiring.database, small.wiring.witness, small.clock)
    return operator.reconcile(population, "killed between witness and commit")


def sealed_until_reconciled(small: SmallExchange, body: JsonObject) -> int:
    """The witness has a debit that the ledger lacks, as after a restore: it cannot be told that nothing was drawn."""
    before = small.ledger(NAME)
    assert before["sealed"]
    assert small.submit(NAME, body).get_json()["type"] == "urn:parley:problem:ledger-sealed"
    assert small.ledger(NAME) == before
    (correction,) = reconciled(small, POPULATION)
    assert correction.restores is not None
    assert correction.restores["submission_id"] == body["submission_id"]
    assert not small.ledger(NAME)["sealed"]
    return correction.increment_nano


DEBITED = [Point.AFTER_DEBIT, Point.BEFORE_DRAW, Point.AMID_DRAWS, Point.BEFORE_STORE, Point.IN_STORE]


@pytest.mark.slow
def test_whatever_point_it_is_killed_at_the_next_post_gets_the_receipt_and_every_attempt_is_paid(
    agreed: SmallExchange,
) -> None:
    database, spent = agreed.wiring.database, 0
    for month, point in enumerate(Point, start=1):
        body = fills(f"2025-{month:02}")
        assert killed_at(point, Stand.of(agreed, NAME), body)
        debits, releases = check_account(database, POPULATION)
        left = [entry for entry in debits if entry.submission_id == body["submission_id"]]
        stored = [release for release in releases if release.submission_id == body["submission_id"]]
        assert len(left) == (point in DEBITED or point is Point.AFTER_STORE), point
        if point is Point.WITNESSED:
            spent += sealed_until_reconciled(agreed, body)
        assert len(stored) == (point is Point.AFTER_STORE), point

        if point in DEBITED:
            assert agreed.submit(NAME, body).get_json()["type"].endswith("submission-in-progress"), point
            after_the_lease(agreed)
        answered = agreed.submit(NAME, body)

        receipt = answered.get_json()
        assert answered.status_code == (200 if stored else 201), (point, receipt)
        assert receipt["attempts"] == (2 if point in DEBITED else 1), point
        assert receipt["replayed"] is bool(stored)
        if point is Point.WITNESSED:
            # The lost debit was of this period, whose next measurement is none of the k that can count.
            assert receipt["debited"] == receipt["charged"]
        assert agreed.submit(NAME, body).get_json() == receipt | {"replayed": True}
        spent += receipt["charged"]["rho_nano"]
        assert agreed.ledger(NAME)["lifetime"]["rho_nano"] == spent
    debits, releases = check_account(database, POPULATION)
    assert (len(debits), len(releases)) == (len(Point) + len(DEBITED), len(Point))


@pytest.mark.slow
@pytest.mark.parametrize("point", [Point.BEFORE_DRAW, Point.BEFORE_STORE])
def test_an_attempt_that_was_taken_for_dead_and_goes_on_gets_the_release_of_its_successor(
    agreed: SmallExchange, point: Point
) -> None:
    body = fills()
    with stopped_at(point, Stand.of(agreed, NAME), body) as answers:
        after_the_lease(agreed)
        receipt = agreed.submit(NAME, body).get_json()

    assert receipt["attempts"] == 2
    assert answers == [receipt | {"replayed": True}]
    debits, releases = check_account(agreed.wiring.database, POPULATION)
    assert (len(debits), len(releases)) == (2, 1)
    assert releases[0].debit_id == debits[1].id


# What dies between witness and commit is charged for good, and its period may then not fit the feed's ceiling: see
# tests/http/test_restore.py. Here every submission must be answered in the end.
DRAWN = [point for point in Point if point is not Point.WITNESSED]


@pytest.mark.slow
def test_killed_a_hundred_times_on_each_database_it_never_draws_unpaid_or_twice(agreed: SmallExchange) -> None:
    """At every point and at any moment, the same submissions time and again, replays of what was released too."""
    database, random, kills = agreed.wiring.database, Random(3), 0
    bodies = [(name, fills(f"2025-{month:02}")) for month in range(1, 13) for name in PAYERS]
    begun = monotonic()
    assert agreed.submit(*bodies[0]).status_code == 201
    usual_seconds = monotonic() - begun
    while kills < KILLS:
        name, body = random.choice(bodies)
        stand = Stand.of(agreed, name)
        if random.random() < 0.5:
            kills += killed_at(random.choice(DRAWN), stand, body)
        else:
            kills += killed_after(random.uniform(0, 2 * usual_seconds), stand, body)
        after_the_lease(agreed)
        check_account(database, f"{name}-members")
        reconciled(agreed, f"{name}-members")

    receipts = {name: [answered_at_last(agreed, name, body) for n, body in bodies if n == name] for name in PAYERS}
    for name, found in receipts.items():
        debits, releases = check_account(database, f"{name}-members")
        assert len(releases) == 12
        assert len(debits) == sum(receipt["attempts"] for receipt in found)


def answered_at_last(small: SmallExchange, name: str, body: JsonObject) -> JsonObject:
    answered = small.submit(name, body)
    receipt = dict(answered.get_json())
    assert answered.status_code in (200, 201), receipt
    assert small.submit(name, body).get_json() == receipt | {"replayed": True}
    return receipt
