"""One period is measured once: receipts, replays, races, crashes, and what each costs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest

from privacy.mechanism import DiscreteGaussian
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    FailingNoise,
    SmallExchange,
    fills,
    fills_row,
)


@pytest.fixture
def agreed(migrated_url: str) -> Iterator[SmallExchange]:
    """The small contract in force, on each database in turn, under a noise source that can be made to fail."""
    noise = FailingNoise(DiscreteGaussian())
    noise.failing = False
    small = SmallExchange(migrated_url, noise=noise)
    small.agree()
    yield small
    small.wiring.database.close()


def fail(small: SmallExchange, failing: bool) -> None:
    assert isinstance(small.noise, FailingNoise)
    small.noise.failing = failing


def test_a_submission_is_answered_with_a_receipt_of_what_it_cost(agreed: SmallExchange) -> None:
    body = fills()

    answered = agreed.submit("blueridge", body)

    receipt = answered.get_json()
    assert answered.status_code == 201
    assert receipt["submission_id"] == body["submission_id"]
    assert (receipt["feed"], receipt["period"], receipt["attempts"]) == ("fills", "2025-01", 1)
    plan = agreed.get(BRAND, "/v1/contracts/dsc-small").get_json()["document"]["feeds"][0]["plan"]
    assert receipt["debited"]["rho_nano"] == plan["charge_nano"]
    assert receipt["balance"]["rho_nano"] == 100_000_000 - plan["charge_nano"]
    entry = agreed.ledger("blueridge")["entries"][-1]
    assert (entry["kind"], entry["submission_id"]) == ("debit", body["submission_id"])
    assert entry["event"]["draws"] == plan["draws"]


@pytest.mark.slow
def test_all_periods_of_a_feed_fit_its_ceiling_exactly_once(agreed: SmallExchange) -> None:
    for month in range(1, 13):
        assert agreed.submit("blueridge", fills(f"2025-{month:02}")).status_code == 201

    statement = agreed.ledger("blueridge")
    assert 49_000_000 < statement["lifetime"]["rho_nano"] <= 50_000_000
    assert len(statement["entries"]) == 13


def test_a_period_of_zeros_is_a_submission_like_any_other(agreed: SmallExchange) -> None:
    columns_without_strata: dict[str, list[object]] = {name: [] for name in fills_row()}
    rows = agreed.submit("blueridge", fills(rows=[]))
    columns = agreed.submit(
        "lakeshore",
        {"submission_id": str(uuid4()), "feed": "fills", "period": "2025-01", "columns": columns_without_strata},
    )

    assert rows.status_code == columns.status_code == 201
    assert rows.get_json()["charged"] == columns.get_json()["charged"]


def test_a_replay_returns_the_same_receipt_and_debits_nothing(agreed: SmallExchange) -> None:
    body = fills()
    first = agreed.submit("blueridge", body)
    agreed.clock.go_on(days=3)
    before = agreed.traces()

    again = agreed.submit("blueridge", body)

    assert again.status_code == 200
    assert again.get_json() == first.get_json() | {"replayed": True}
    assert agreed.traces() == before


@pytest.mark.parametrize("rows", [[], [fills_row(members=99)], [fills_row(members=-5)], [{"nonsense": 1.5}]], ids=str)
def test_a_replay_is_decided_by_id_and_never_looks_at_cells(agreed: SmallExchange, rows: list[object]) -> None:
    body = fills()
    receipt = agreed.submit("blueridge", body).get_json()

    again = agreed.submit("blueridge", body | {"rows": rows})

    assert again.get_json() == receipt | {"replayed": True}


def test_the_same_period_under_another_id_is_a_conflict_that_names_the_first(agreed: SmallExchange) -> None:
    body = fills()
    agreed.submit("blueridge", body)
    before = agreed.traces()

    answered = agreed.submit("blueridge", fills())

    assert_problem(answered, 409, "period-taken")
    assert answered.get_json()["submission_id"] == body["submission_id"]
    assert agreed.traces() == before


@pytest.mark.parametrize("change", [{"period": "2025-02"}, {"feed": "adherence", "period": "2025"}], ids=str)
def test_an_id_belongs_to_one_period_of_one_feed(agreed: SmallExchange, change: dict[str, str]) -> None:
    body = fills()
    agreed.submit("blueridge", body)

    assert_problem(agreed.submit("blueridge", body | change), 409, "submission-id-reused")


def test_an_id_of_another_provider_tells_nothing_of_it(agreed: SmallExchange) -> None:
    body = fills()
    agreed.submit("blueridge", body)

    answered = agreed.submit("lakeshore", body)

    assert_problem(answered, 409, "submission-id-reused")
    assert "blueridge" not in answered.get_data(as_text=True)
    assert agreed.submit("lakeshore", fills()).status_code == 201


def test_a_failed_draw_keeps_its_debit_and_resumes_under_a_second_one(agreed: SmallExchange) -> None:
    body = fills()
    fail(agreed, True)
    assert_problem(agreed.submit("blueridge", body), 503, "noise-unavailable")
    charge = agreed.ledger("blueridge")["lifetime"]["rho_nano"]
    assert charge > 0

    fail(agreed, False)
    waiting = agreed.submit("blueridge", body)
    assert_problem(waiting, 409, "submission-in-progress")
    assert 0 < int(waiting.headers["Retry-After"]) <= 121
    assert agreed.ledger("blueridge")["lifetime"]["rho_nano"] == charge

    agreed.clock.go_on(seconds=int(waiting.headers["Retry-After"]))
    resumed = agreed.submit("blueridge", body)

    assert resumed.status_code == 201
    assert resumed.get_json()["attempts"] == 2
    assert resumed.get_json()["debited"]["rho_nano"] == 2 * charge
    assert agreed.ledger("blueridge")["lifetime"]["rho_nano"] == 2 * charge
    assert agreed.submit("blueridge", body).get_json() == resumed.get_json() | {"replayed": True}


def test_a_resume_is_paid_by_the_contract_and_takes_nothing_from_the_feeds_planned_releases(
    agreed: SmallExchange,
) -> None:
    body = fills()
    fail(agreed, True)
    agreed.submit("blueridge", body)
    fail(agreed, False)
    agreed.clock.go_on(minutes=10)

    assert agreed.submit("blueridge", body).get_json()["attempts"] == 2
    for month in range(2, 13):
        assert agreed.submit("blueridge", fills(f"2025-{month:02}")).status_code == 201


def test_a_resume_that_the_budget_cannot_pay_is_refused(agreed: SmallExchange) -> None:
    for month in range(2, 13):
        assert agreed.submit("blueridge", fills(f"2025-{month:02}")).status_code == 201
    for year in ("2024", "2025"):
        assert agreed.submit("blueridge", fills(year, [], feed="adherence")).status_code == 201
    body = fills()
    fail(agreed, True)
    agreed.submit("blueridge", body)
    fail(agreed, False)
    agreed.clock.go_on(minutes=10)

    answered = agreed.submit("blueridge", body)

    assert_problem(answered, 409, "budget-exhausted")
    assert answered.get_json()["ceiling"] == "population"


def test_of_sixteen_equal_submissions_at_once_one_is_measured(agreed: SmallExchange) -> None:
    body, before = fills(), agreed.traces()
    agreed.token("blueridge")
    together = Barrier(16)

    def post(_: int) -> int:
        together.wait()
        return int(agreed.submit("blueridge", body).status_code)

    with ThreadPoolExecutor(16) as pool:
        statuses = sorted(pool.map(post, range(16)))

    assert statuses.count(201) == 1
    assert set(statuses) <= {200, 201, 409}
    assert agreed.traces() == {name: count + 1 for name, count in before.items()}
    assert agreed.submit("blueridge", body).get_json()["replayed"] is True


def test_of_sixteen_different_ids_for_one_period_one_is_measured(agreed: SmallExchange) -> None:
    before = agreed.traces()
    agreed.token("blueridge")
    together = Barrier(16)

    def post(_: int) -> int:
        together.wait()
        return int(agreed.submit("blueridge", fills()).status_code)

    with ThreadPoolExecutor(16) as pool:
        statuses = sorted(pool.map(post, range(16)))

    assert statuses == [201] + [409] * 15
    assert agreed.traces() == {name: count + 1 for name, count in before.items()}


def test_rows_and_columns_of_the_same_cells_are_the_same_submission(migrated_sqlite_url: str) -> None:
    from tests.support.small_exchange import NoNoise

    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    small.agree()
    rows = [fills_row(members=70), fills_row("south", "M", members=90)]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    forms = {"blueridge": {"rows": rows}, "lakeshore": {"rows": rows[::-1]}, "sierra": {"columns": columns}}
    for name, cells in forms.items():
        body = {"submission_id": str(uuid4()), "feed": "fills", "period": "2025-01", **cells}
        assert small.submit(name, body).status_code == 201

    with small.wiring.database.reading() as stores:
        releases = stores.releases.list_for_contract("dsc-small")
        blocks = set(stores.releases.get_blocks([release.id for release in releases]).values())
    assert len(blocks) == 1
