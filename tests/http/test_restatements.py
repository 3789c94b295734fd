"""Scheduled restatements over HTTP: when they are taken, in which order, what they cost, and what is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from contracts.parties import JsonObject
from contracts.periods import Grain, Period, PeriodRange
from privacy.mechanism import DiscreteGaussian
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    FailingNoise,
    SmallExchange,
    adherence_feed,
    fills,
    fills_feed,
    fills_row,
    small_contract,
    support_feed,
)

# The run-out of July lasts until 29 October, 90 days; two restatements are due after 45 and after all of them.
JULY = "2026-07"
FIRST_DAY = datetime(2026, 8, 1, tzinfo=UTC)
DUE = {1: datetime(2026, 9, 15, tzinfo=UTC), 2: datetime(2026, 10, 30, tzinfo=UTC)}


def restating_contract() -> JsonObject:
    """Fills are measured anew twice; k is below the periods, so that not every first measurement adds to the loss."""
    months = {"first_period": JULY, "last_period": "2027-06"}
    return small_contract(feeds=[fills_feed(k=6, restatements=2, **months), adherence_feed(), support_feed()])


@pytest.fixture
def restating(migrated_url: str) -> Iterator[SmallExchange]:
    """The contract in force on the first day after July, on each database in turn."""
    noise = FailingNoise(DiscreteGaussian())
    noise.failing = False
    small = SmallExchange(migrated_url, noise=noise)
    small.clock.instant = FIRST_DAY
    small.agree(restating_contract())
    yield small
    small.wiring.database.close()


def july(restatement: int = 0) -> JsonObject:
    return fills(JULY, [fills_row(members=100 + restatement)], restatement=restatement)


def take(small: SmallExchange, body: JsonObject) -> JsonObject:
    answered = small.submit("blueridge", body)
    assert answered.status_code == 201, answered.get_json()
    return dict(answered.get_json())


def test_a_restatement_measures_the_whole_period_anew_by_the_same_plan_and_is_paid_in_full(
    restating: SmallExchange,
) -> None:
    receipts = [take(restating, july())]
    for number, due in DUE.items():
        restating.clock.instant = due
        receipts.append(take(restating, july(number)))

    assert [receipt["restatement"] for receipt in receipts] == [0, 1, 2]
    assert [receipt["provisional"] for receipt in receipts] == [True, True, False]
    assert len({receipt["release_id"] for receipt in receipts}) == 3
    assert len({receipt["block_sha256"] for receipt in receipts}) == 3
    plan = restating.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()["document"]["feeds"][0]["plan"]
    entries = restating.ledger("blueridge")["entries"][1:]
    assert [entry["event"]["draws"] for entry in entries] == [plan["draws"]] * 3
    assert [entry["increment"]["rho_nano"] for entry in entries] == [plan["charge_nano"]] * 3
    assert [entry["event"]["first"] for entry in entries] == [True, False, False]


def test_every_restatement_of_every_period_fits_the_feeds_ceiling(restating: SmallExchange) -> None:
    restating.clock.instant = datetime(2027, 10, 1, tzinfo=UTC)
    plan = restating.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()["document"]["feeds"][0]["plan"]
    for number in range(3):
        for month in PeriodRange(Period.parse(JULY, Grain.MONTH), Period.parse("2027-06", Grain.MONTH)):
            take(restating, fills(f"{month}", [], restatement=number))

    statement = restating.ledger("blueridge")
    (subtotal,) = statement["derivation"]
    assert statement["lifetime"]["rho_nano"] == (6 + 24) * plan["charge_nano"] <= 50_000_000
    assert 50_000_000 - statement["lifetime"]["rho_nano"] < 1_000_000
    assert subtotal["loss"] == {name: statement["lifetime"][name] for name in ("rho", "rho_nano")}
    assert (subtotal["k"], subtotal["first_measurements"], subtotal["further_measurements"]) == (6, 12, 24)
    assert "of which the 6 largest count" in subtotal["explanation"]
    told = [entry["explanation"] for entry in statement["entries"]]
    assert told[6].startswith("fills 2026-12: first measurement number 6; counts in full")
    assert told[7].startswith("fills 2027-01: first measurement number 7; adds nothing")
    assert told[13].startswith("Restatement 1 of fills 2026-07: counts in full")


@pytest.mark.parametrize("number", DUE)
def test_a_restatement_is_refused_until_its_day_and_taken_on_it(restating: SmallExchange, number: int) -> None:
    take(restating, july())
    for earlier in range(1, number):
        restating.clock.instant = DUE[earlier]
        take(restating, july(earlier))
    before = restating.traces()
    restating.clock.instant = DUE[number]
    restating.clock.go_on(seconds=-1)

    answered = restating.submit("blueridge", july(number))

    assert_problem(answered, 409, "restatement-not-due")
    assert answered.get_json()["due"] == DUE[number].date().isoformat()
    assert restating.traces() == before
    restating.clock.go_on(seconds=1)
    assert take(restating, july(number))["restatement"] == number


def test_more_restatements_than_the_contract_schedules_are_refused_with_their_number(restating: SmallExchange) -> None:
    take(restating, july())
    restating.clock.instant = datetime(2027, 7, 1, tzinfo=UTC)
    before = restating.traces()

    answered = restating.submit("blueridge", july(3))

    assert_problem(answered, 422, "restatement-not-planned")
    (fault,) = answered.get_json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/restatement", "restatement_not_planned")
    assert fault["detail"] == "the contract schedules 2 restatements of each period of fills"
    assert restating.traces() == before


def test_a_restatement_waits_for_the_release_before_it(restating: SmallExchange) -> None:
    restating.clock.instant = DUE[2]

    assert_problem(restating.submit("blueridge", july(1)), 409, "restatement-out-of-order")
    take(restating, july())
    skipped = restating.submit("blueridge", july(2))

    assert_problem(skipped, 409, "restatement-out-of-order")
    assert skipped.get_json()["missing"] == 1
    take(restating, july(1))
    assert take(restating, july(2))["restatement"] == 2


def test_a_restatement_waits_for_a_first_measurement_that_crashed(restating: SmallExchange) -> None:
    restating.clock.instant = DUE[1]
    assert isinstance(restating.noise, FailingNoise)
    body = july()
    restating.noise.failing = True
    assert_problem(restating.submit("blueridge", body), 503, "noise-unavailable")
    restating.noise.failing = False

    assert_problem(restating.submit("blueridge", july(1)), 409, "restatement-out-of-order")
    restating.clock.go_on(minutes=10)
    assert take(restating, body)["attempts"] == 2
    assert take(restating, july(1))["attempts"] == 1


def test_a_restatement_is_replayed_and_resumed_like_any_submission(restating: SmallExchange) -> None:
    take(restating, july())
    restating.clock.instant = DUE[1]
    assert isinstance(restating.noise, FailingNoise)
    body = july(1)
    restating.noise.failing = True
    assert_problem(restating.submit("blueridge", body), 503, "noise-unavailable")
    restating.noise.failing = False
    assert_problem(restating.submit("blueridge", body), 409, "submission-in-progress")
    restating.clock.go_on(minutes=10)

    receipt = take(restating, body)

    assert (receipt["attempts"], receipt["restatement"]) == (2, 1)
    replayed = restating.submit("blueridge", body)
    assert (replayed.status_code, replayed.get_json()) == (200, receipt | {"replayed": True})
    told = [entry["explanation"] for entry in restating.ledger("blueridge")["entries"]]
    assert told[-1].startswith("Restatement 1 of fills 2026-07, attempt 2: counts in full")


def test_an_id_belongs_to_one_restatement_and_a_restatement_to_one_id(restating: SmallExchange) -> None:
    first, second = july(), july(1)
    take(restating, first)
    restating.clock.instant = DUE[1]
    take(restating, second)
    before = restating.traces()

    reused = restating.submit("blueridge", first | {"restatement": 1})
    again = restating.submit("blueridge", july(1))

    assert_problem(reused, 409, "submission-id-reused")
    assert_problem(again, 409, "period-taken")
    assert again.get_json()["submission_id"] == second["submission_id"]
    assert "goes into restatement 2, from 2026-10-30" in again.get_json()["detail"]
    assert restating.traces() == before


def test_the_last_word_on_a_period_says_that_nothing_follows(restating: SmallExchange) -> None:
    take(restating, july())
    for number, due in DUE.items():
        restating.clock.instant = due
        take(restating, july(number))

    answered = restating.submit("blueridge", july(2))

    assert_problem(answered, 409, "period-taken")
    assert "schedules no further restatement" in answered.get_json()["detail"]


def test_a_feed_without_restatements_measures_a_period_once(agreed: SmallExchange) -> None:
    take(agreed, fills())

    again = agreed.submit("blueridge", fills())
    restatement = agreed.submit("blueridge", fills(restatement=1))

    assert_problem(again, 409, "period-taken")
    assert "measured once" in again.get_json()["detail"]
    assert_problem(restatement, 422, "restatement-not-planned")
    assert "schedules no restatement" in restatement.get_json()["errors"][0]["detail"]


@pytest.mark.parametrize("number", [-1, 1.0, "1", True, None, 101])
def test_a_number_that_is_no_small_whole_one_is_refused_at_the_door(restating: SmallExchange, number: object) -> None:
    body = {**july(), "restatement": number}
    assert_problem(restating.submit("blueridge", body), 422, "input-invalid")


def starts(period: str = "2025-01", **changes: Any) -> JsonObject:
    rows = [{"region": "north", "starters": 40}]
    return {"submission_id": str(uuid4()), "feed": "starts", "period": period, "rows": rows, **changes}


def test_a_cohort_of_a_life_table_is_never_posted_again(small: SmallExchange) -> None:
    life = {"k": 1, "dimensions": ["region"], "measures": {"starters": {"unit": "persons", "bound": 1}}}
    feed = fills_feed(name="starts", invariants=[], life_table="starts", rho="0.01", **life)
    exits = fills_feed(name="exits", invariants=[], life_table="exits", rho="0.01", **life) | {
        "dimensions": ["region", "months_since_start"]
    }
    document = small_contract(feeds=[feed, exits, adherence_feed(), support_feed()])
    document["vocabularies"]["months_since_start"] = ["0", "1", "2+"]
    small.agree(document)
    body = starts()
    take(small, body)
    before = small.traces()

    again, restatement = small.submit("blueridge", starts()), small.submit("blueridge", starts(restatement=1))

    for answered in (again, restatement):
        assert_problem(answered, 409, "cohort-reposted")
        assert "the same persons again" in answered.get_json()["detail"]
    assert again.get_json()["submission_id"] == body["submission_id"]
    assert small.traces() == before
    assert small.submit("blueridge", body).get_json()["replayed"] is True
