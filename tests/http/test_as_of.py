"""Questions about restated periods: an answer names the measurement it rests on, and never adds up two of them."""

from uuid import uuid4

import pytest

from adapters.answers.words import coverage_text
from contracts.parties import JsonObject
from tests.http.answers import answer, fills_rows, support_rows, table
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    PAYERS,
    NoNoise,
    SmallExchange,
    fills_feed,
    small_contract,
    support_feed,
)

AS_OF = ("latest", "first", "final", "restatement_1", "restatement_2")


@pytest.fixture
def restated(migrated_sqlite_url: str) -> SmallExchange:
    """No noise; two restatements of each month in the 60 days after it: those of May are due today and in 30 days."""
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    fills = fills_feed(first_period="2026-05", last_period="2026-07", k=3, run_out_days=60, restatements=2, rho="0.05")
    support = support_feed(first_period="2026-05", last_period="2026-07", k=3)
    small.agree(small_contract(feeds=[fills, support]))
    return small


def rows_of(payer: int, number: int) -> list[JsonObject]:
    """Other numbers in every measurement, so that a mix-up shows."""
    return fills_rows(payer, 10 * number)


def members_of(*pieces: tuple[int, int]) -> int:
    return sum(row["members"] for payer, number in pieces for row in rows_of(payer, number))


def post(small: SmallExchange, name: str, number: int, period: str = "2026-05") -> None:
    rows = rows_of(PAYERS.index(name), number)
    body = {"submission_id": str(uuid4()), "feed": "fills", "period": period, "restatement": number, "rows": rows}
    answered = small.submit(name, body)
    assert answered.status_code == 201, answered.get_json()


def post_all(small: SmallExchange, number: int, period: str = "2026-05") -> None:
    for name in PAYERS:
        post(small, name, number, period)


def may(small: SmallExchange, as_of: str | None = None, name: str = BRAND) -> float | None:
    """Members in May; None where nothing is open."""
    query = {} if as_of is None else {"as_of": as_of}
    asked = small.ask(name, "counts", feed="fills", periods="2026-05", measures="members", **query)
    if asked.status_code == 409:
        assert_problem(asked, 409, "nothing-released")
        return None
    return round(float(asked.get_json()["rows"][0]["value"]), 6)


def everyone(number: int) -> int:
    return members_of(*((payer, number) for payer in range(len(PAYERS))))


def test_two_measurements_of_one_period_are_never_added_up(restated: SmallExchange) -> None:
    post_all(restated, 0)
    post_all(restated, 1)

    assert may(restated) == everyone(1)
    assert may(restated, "first") == everyone(0)
    (pdc,) = answer(restated, "pdc_pooled", periods="2026-05", as_of="first")["rows"]
    rows = [row for payer in range(3) for row in rows_of(payer, 0)]
    assert pdc["value"] == pytest.approx(sum(r["days_covered"] for r in rows) / sum(r["treatment_days"] for r in rows))


def test_each_name_says_which_measurement_it_is(restated: SmallExchange) -> None:
    post_all(restated, 0)
    post_all(restated, 1)
    assert {name: may(restated, name) for name in AS_OF} == {
        "latest": everyone(1),
        "first": everyone(0),
        "final": None,
        "restatement_1": everyone(1),
        "restatement_2": None,
    }

    restated.clock.go_on(days=30)
    post_all(restated, 2)
    assert {name: may(restated, name) for name in AS_OF} == {
        "latest": everyone(2),
        "first": everyone(0),
        "final": everyone(2),
        "restatement_1": everyone(1),
        "restatement_2": everyone(2),
    }


def test_the_latest_waits_until_all_have_restated_whom_the_first_shows(restated: SmallExchange) -> None:
    post_all(restated, 0)
    for name in PAYERS[:2]:
        post(restated, name, 1)
        assert may(restated) == everyone(0)
        assert may(restated, "restatement_1") is None

    post(restated, PAYERS[2], 1)

    assert may(restated) == everyone(1)


def test_a_complete_measurement_gives_the_same_answer_for_ever(restated: SmallExchange) -> None:
    question = {"feed": "fills", "by": "region", "periods": "2026-05"}
    post_all(restated, 0)
    first = answer(restated, "counts", as_of="first", **question)
    latest = answer(restated, "counts", **question)
    assert latest["releases"] == first["releases"]
    post_all(restated, 1)
    restated.clock.go_on(days=30)
    post_all(restated, 2)

    assert answer(restated, "counts", as_of="first", **question) == first
    # The latest is another answer now, and says so by the releases it names.
    assert not set(answer(restated, "counts", **question)["releases"]) & set(latest["releases"])


def test_coverage_says_which_measurement_each_period_rests_on(restated: SmallExchange) -> None:
    post_all(restated, 0)
    post_all(restated, 1)
    post_all(restated, 0, "2026-06")

    answered = answer(restated, "counts", feed="fills", by="month")

    assert answered["as_of"] == "latest"
    assert answered["coverage"][0]["rests_on"] == [
        {"period": "2026-05", "providers": 3, "restatements": [1]},
        {"period": "2026-06", "providers": 3, "restatements": [0]},
    ]
    assert len(answered["releases"]) == 6
    said = coverage_text(answered["coverage"][0])
    assert said.startswith(
        "fills, 2 of 3 periods, providers: 3; first: 2026-06; restatement 1: 2026-05; missing: 2026-07; provisional: "
    )


def test_the_label_provisional_follows_the_releases_used(restated: SmallExchange) -> None:
    post_all(restated, 0)
    post_all(restated, 1)
    restated.clock.go_on(days=30)
    post_all(restated, 2)

    provisional = {name: answer(restated, "counts", feed="fills", periods="2026-05", as_of=name) for name in AS_OF}

    assert {name: "provisional" in answered["labels"] for name, answered in provisional.items()} == {
        "latest": False,
        "first": True,
        "final": False,
        "restatement_1": True,
        "restatement_2": False,
    }
    assert provisional["first"]["coverage"][0]["provisional"] == ["2026-05"]


def test_the_final_of_a_feed_without_restatements_is_the_first_after_its_run_out(restated: SmallExchange) -> None:
    def support(period: str) -> None:
        body = {"submission_id": str(uuid4()), "feed": "support", "period": period, "rows": support_rows(0)}
        assert restated.submit(BRAND, body).status_code == 201

    support("2026-06")  # a day after its end, and its run-out takes 30
    support("2026-05")  # 31 days after

    def states(as_of: str) -> dict[tuple[str, ...], str]:
        query = {"feed": "support", "by": "month", "measures": "enrolled", "periods": "2026-05..2026-06"}
        return {key: row["state"] for key, row in table(answer(restated, "counts", as_of=as_of, **query)).items()}

    assert states("final") == {("2026-05",): "shown", ("2026-06",): "missing"}
    assert states("latest") == {("2026-05",): "shown", ("2026-06",): "shown"}


def test_a_payer_finds_its_own_restatement_in_what_the_others_opened(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    fills = fills_feed(restatements=1)
    small.agree(small_contract(feeds=[fills, support_feed()], rules={"min_payers": 2, "small_cells": None}))
    post_all(small, 0, "2025-01")
    for name in PAYERS[1:]:
        post(small, name, 1, "2025-01")

    def seen(as_of: str) -> JsonObject:
        question = {"feed": "fills", "periods": "2025-01", "measures": "members"}
        return answer(small, "counts", PAYERS[0], as_of=as_of, **question)

    assert seen("latest")["rows"][0]["value"] == pytest.approx(members_of((0, 0), (1, 1), (2, 1)))
    assert seen("latest")["coverage"][0]["rests_on"] == [{"period": "2025-01", "providers": 3, "restatements": [0, 1]}]
    assert seen("restatement_1")["rows"][0]["value"] == pytest.approx(members_of((1, 1), (2, 1)))
    assert seen("restatement_1")["rows"][0]["flags"] == ["partial_pool"]


def test_coverage_lists_every_measurement_of_ones_own_and_shows_the_latest(restated: SmallExchange) -> None:
    post_all(restated, 0)
    post(restated, PAYERS[0], 1)

    fills = restated.get(PAYERS[0], "/v1/contracts/dsc-small/releases").get_json()["feeds"][0]

    assert [(own["period"], own["restatement"]) for own in fills["own_releases"]] == [("2026-05", 0), ("2026-05", 1)]
    assert fills["covered"] == []


def refusal(small: SmallExchange, statistic: str = "counts", name: str = BRAND, **query: str) -> str:
    refused = small.ask(name, statistic, **query)
    assert_problem(refused, 409, "nothing-released")
    return str(refused.get_json()["detail"])


def test_a_restatement_that_is_not_posted_yet_is_refused_with_the_day_it_is_due(restated: SmallExchange) -> None:
    question = {"feed": "fills", "as_of": "final"}
    nothing = refusal(restated, periods="2026-05", **question)
    assert "restatement 2 of the periods asked has not been posted by enough providers" in nothing
    assert "It is due from 2026-07-31." in nothing
    assert nothing.endswith("`as_of=first` is not open to you either.")

    post_all(restated, 0)
    posted = refusal(restated, periods="2026-05", **question)
    assert posted == nothing.replace("is not open to you either", "is open to you")
    assert "It is due from 2026-07-31 (of 2026-05) to 2026-09-30 (of 2026-07)." in refusal(restated, **question)
    assert "too few providers have posted" in refusal(restated, feed="fills", periods="2026-06", as_of="first")


def test_a_refusal_does_not_tell_who_has_posted_what(restated: SmallExchange) -> None:
    post_all(restated, 0)
    question = {"feed": "fills", "periods": "2026-05", "as_of": "restatement_1"}
    before = refusal(restated, **question)

    for name in PAYERS[:2]:
        post(restated, name, 1)
        assert refusal(restated, **question) == before


def test_as_of_first_is_called_open_only_where_the_statistic_would_be_answered(restated: SmallExchange) -> None:
    """A division over both sides needs both: that the payers' first measurement is open is not enough."""
    post_all(restated, 0)
    question = {"statistic": "psp_penetration", "periods": "2026-05"}
    assert restated.ask(BRAND, **question, as_of="first").status_code == 409
    assert refusal(restated, **question, as_of="final").endswith("`as_of=first` is not open to you either.")

    body = {"submission_id": str(uuid4()), "feed": "support", "period": "2026-05", "rows": support_rows(0)}
    assert restated.submit(BRAND, body).status_code == 201
    assert refusal(restated, **question, as_of="final").endswith("`as_of=first` is open to you.")
    assert restated.ask(BRAND, **question, as_of="first").status_code == 200


def test_a_final_that_waits_for_the_run_out_is_refused_with_its_end(restated: SmallExchange) -> None:
    body = {"submission_id": str(uuid4()), "feed": "support", "period": "2026-06", "rows": support_rows(0)}
    assert restated.submit(BRAND, body).status_code == 201

    told = refusal(restated, feed="support", periods="2026-06", as_of="final")

    assert "a first measurement from after the run-out of the periods asked" in told
    assert "It is due from 2026-07-31." in told
    assert told.endswith("`as_of=first` is open to you.")


@pytest.mark.parametrize("as_of", ["restatement_3", "restatement_0", "restatement_", "newest", "LATEST", "2026-04-01"])
def test_another_name_is_refused_with_those_there_are(restated: SmallExchange, as_of: str) -> None:
    refused = restated.ask(BRAND, "counts", feed="fills", as_of=as_of)

    assert_problem(refused, 422, "question-invalid", "/as_of", "as_of_invalid")
    (fault,) = refused.get_json()["errors"]
    assert all(name in fault["detail"] for name in AS_OF)


def test_two_sides_are_asked_as_of_what_both_have(restated: SmallExchange) -> None:
    refused = restated.ask(BRAND, "joint_table", as_of="restatement_1")

    assert_problem(refused, 422, "question-invalid", "/as_of", "as_of_invalid")
    (fault,) = refused.get_json()["errors"]
    assert fault["detail"] == "support can be asked as of latest, first, final"
