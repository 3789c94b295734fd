"""A preview over HTTP: it says what answers will carry, asks for nobody's registration, and leaves no trace."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from adapters.database.tables import metadata
from contracts.parties import JsonObject, Role, Scope
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    EVERY_SCOPE,
    PAYERS,
    SmallExchange,
    adherence_feed,
    fills,
    fills_feed,
    fills_row,
    small_contract,
    support_feed,
)

PREVIEWS = "/v1/contract-previews"


@pytest.fixture(scope="module")
def small(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    path = tmp_path_factory.mktemp("previews") / "parley.db"
    copyfile(sqlite_template, path)
    exchange = SmallExchange(f"sqlite:///{path}")
    yield exchange
    exchange.wiring.database.close()


def document(**changes: Any) -> JsonObject:
    feeds = [
        fills_feed(expected={"members": 8_000}),
        adherence_feed(expected={"members": 60_000}, tables=[{"by": ["region", "adherence_band"]}]),
        support_feed(),
    ]
    return small_contract(feeds=feeds, **changes)


def previewed(small: SmallExchange, of: JsonObject | None = None, *accuracy: str) -> JsonObject:
    answer = small.post(BRAND, PREVIEWS, {"document": of or document(), "accuracy": list(accuracy)})
    assert answer.status_code == 200, answer.get_json()
    return dict(answer.get_json())


def width(preview: JsonObject, feed: str, figure: str, by: list[str], periods: int, providers: int) -> JsonObject:
    (found,) = [line for line in preview["feeds"] if line["feed"] == feed]
    (row,) = [row for row in found["rows"] if (row["figure"], row["by"]) == (figure, by)]
    (one,) = [w for w in row["widths"] if (w["periods"], w["providers"]) == (periods, providers)]
    return dict(one)


def rows_of_every_table(small: SmallExchange) -> dict[str, int]:
    engine = create_engine(small.url)
    with engine.connect() as connection:
        tables = metadata.sorted_tables
        counts = {t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables}
    engine.dispose()
    return counts


def test_a_preview_leaves_no_trace(small: SmallExchange) -> None:
    small.token(BRAND)
    before = rows_of_every_table(small)

    previewed(small, None, "adherence_rate:region=1.0pp")

    assert rows_of_every_table(small) == before
    assert small.get(BRAND, "/v1/contracts").get_json()["contracts"] == []


def test_nobody_in_the_contract_need_be_registered_and_the_caller_need_be_no_party(small: SmallExchange) -> None:
    parties = [
        {"organisation": "nobody-here", "role": "payer", "population": "nobody-members"},
        {"organisation": "nobody-there", "role": "brand", "population": "nobody-patients"},
    ]
    ceilings = {"nobody-members": "0.1", "nobody-patients": "0.1"}
    unknown = document(parties=parties, rules={"min_payers": 1})
    unknown["privacy"] = {**unknown["privacy"], "ceilings": ceilings}

    assert set(previewed(small, unknown)["ceilings"]) == set(ceilings)


def test_a_preview_states_losses_with_what_they_let_somebody_learn(small: SmallExchange) -> None:
    preview = previewed(small)

    ceiling = preview["ceilings"]["sierra-members"]
    assert (ceiling["rho"], ceiling["delta"]) == ("0.1", "0.000001")
    assert (
        0.5
        < ceiling["right_guesses"]
        < ceiling["certain_at_most"]
        < preview["one_person_in_everything"]["certain_at_most"]
    )
    fills = preview["feeds"][0]
    assert fills["over_term"]["rho"] == "0.05"
    assert 12 * fills["one_release"]["rho_nano"] <= fills["over_term"]["rho_nano"]
    assert fills["one_release"]["epsilon"] < fills["over_term"]["epsilon"] < 12 * fills["one_release"]["epsilon"]
    assert fills["plan"][0].startswith("Each release costs rho ")


def test_the_points_of_the_picture_are_in_the_answer(small: SmallExchange) -> None:
    for feed in previewed(small)["feeds"]:
        rhos = [point["rho_nano"] for point in feed["curve"]]
        assert rhos == sorted(set(rhos))
        assert feed["over_term"]["rho_nano"] in rhos
        for table in range(len(feed["curve"][0]["half_widths"])):
            falling = [point["half_widths"][table]["half_width"] for point in feed["curve"]]
            assert falling == sorted(falling, reverse=True)


def test_what_is_predicted_is_what_answers_carry(agreed_with_sizes: SmallExchange) -> None:
    """Noise is the same whatever the data, so the half-width of a count is exactly that of its answer."""
    exchange = agreed_with_sizes
    preview = previewed(exchange)

    for by in ("region", "region,sex", ""):
        answer = exchange.ask(BRAND, "counts", feed="fills", periods="2025-01", **({"by": by} if by else {})).get_json()
        for row in answer["rows"]:
            answered = (row["interval"]["upper"] - row["interval"]["lower"]) / 2
            expected = width(preview, "fills", row["figure"], by.split(",") if by else [], 1, len(PAYERS))
            assert answered == pytest.approx(expected["half_width"], rel=1e-9), (by, row["figure"])


@pytest.mark.parametrize(
    ("feed", "statistic", "period", "rate", "near"),
    [("adherence", "adherence_rate", "2024", 0.7, 0.02), ("fills", "pdc_pooled", "2025-01", 2 / 3, 0.1)],
)
def test_a_rate_is_as_wide_as_predicted_for_its_value_and_size(
    agreed_with_sizes: SmallExchange, feed: str, statistic: str, period: str, rate: float, near: float
) -> None:
    """Of pooled days only about: the posted treatment days are not those that the bound lets expect."""
    exchange = agreed_with_sizes
    widest = width(previewed(exchange), feed, statistic, ["region"], 1, len(PAYERS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("privacy.accuracy.RATES", (rate,))
        predicted = width(previewed(exchange), feed, statistic, ["region"], 1, len(PAYERS))

    answer = exchange.ask(BRAND, statistic, by="region", periods=period).get_json()

    assert len(answer["rows"]) == 2
    for row in answer["rows"]:
        for name, percent in (("interval", "half_width"), ("total_interval", "total_half_width")):
            if row[name] is None:
                assert predicted[percent] is None
                continue
            answered = 100 * (row[name]["upper"] - row[name]["lower"]) / 2
            assert answered == pytest.approx(predicted[percent], rel=near), (row["key"], name)
            assert predicted[percent] <= widest[percent]


@pytest.fixture(scope="module")
def agreed_with_sizes(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """One month of fills and one year of adherence by three payers, at the expected sizes, spread evenly."""
    path = tmp_path_factory.mktemp("agreed") / "parley.db"
    copyfile(sqlite_template, path)
    exchange = SmallExchange(f"sqlite:///{path}")
    exchange.agree(document())
    strata = [(region, sex) for region in ("north", "south") for sex in ("F", "M")]
    days = {"members": 2_000, "days_covered": 40_000, "treatment_days": 60_000}
    bands = {"p00_40": 3_000, "p40_80": 6_000, "p80_100": 21_000}
    yearly = [
        {"region": region, "adherence_band": band, "members": members}
        for region in ("north", "south")
        for band, members in bands.items()
    ]
    for payer in PAYERS:
        rows = [fills_row(region, sex, **days) for region, sex in strata]
        assert exchange.submit(payer, fills(rows=rows)).status_code == 201
        assert exchange.submit(payer, fills("2024", yearly, feed="adherence")).status_code == 201
    yield exchange
    exchange.wiring.database.close()


def test_a_wanted_accuracy_is_answered_with_its_smallest_budget(small: SmallExchange) -> None:
    (budget,) = previewed(small, None, "adherence_rate:region=1.0pp")["budgets"]

    assert budget["accuracy"] == "adherence_rate:region=1.0pp"
    assert (budget["feed"], budget["by"], budget["periods"], budget["providers"]) == ("adherence", ["region"], 2, 3)
    assert 0 < budget["smallest"]["rho_nano"] < 50_000_000
    assert budget["fits"]
    assert budget["at_ceiling"] < budget["now"] < budget["wanted"] == 1.0
    # A contract with that budget is predicted to reach it, by the other half of the preview.
    cheaper = document()
    cheaper["feeds"][1]["rho"] = budget["smallest"]["rho"]
    assert width(previewed(small, cheaper), "adherence", "adherence_rate", ["region"], 2, 3)["half_width"] <= 1.0


def test_bad_accuracies_are_all_refused_each_at_its_place(small: SmallExchange) -> None:
    body = {"document": document(), "accuracy": ["counts.members=5%", "adherence_rate=", "counts.stays=5"]}

    problem = small.post(BRAND, PREVIEWS, body)

    assert_problem(problem, 422, "accuracy-invalid")
    found = [(fault["pointer"], fault["code"]) for fault in problem.get_json()["errors"]]
    assert found == [("/accuracy/1", "accuracy_invalid"), ("/accuracy/2", "measure_unknown")]


def test_a_faulty_document_gets_the_faults_of_a_draft_where_they_stand_in_the_request(small: SmallExchange) -> None:
    faulty = document()
    faulty["feeds"][0]["k"] = 40
    faulty["grants"][0]["statistics"] = ["mood"]
    drafted = small.post(BRAND, "/v1/contracts", faulty).get_json()["errors"]

    problem = small.post(BRAND, PREVIEWS, {"document": faulty})

    assert_problem(problem, 422, "contract-invalid")
    inside = [{**fault, "pointer": f"/document{fault['pointer']}"} for fault in drafted]
    assert sorted(problem.get_json()["errors"], key=str) == sorted(inside, key=str)
    assert len(inside) == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/document"),
        ({"document": {}}, "/document/id"),
        ({"document": document(), "accuracy": "counts=5%"}, "/accuracy"),
        ({"document": document(), "accuracy": [5]}, "/accuracy/0"),
        ({"document": document(), "accuracy": ["adherence_rate=1pp"] * 21}, "/accuracy"),
        ({"document": document(), "plot": "a.svg"}, "/plot"),
    ],
)
def test_a_body_of_another_form_is_refused(small: SmallExchange, body: JsonObject, pointer: str) -> None:
    problem = small.post(BRAND, PREVIEWS, body)

    assert_problem(problem, 422, "input-invalid")
    assert pointer in [fault["pointer"] for fault in problem.get_json()["errors"]]


def test_previews_are_for_those_who_may_draft(small: SmallExchange) -> None:
    small.register("reader", Role.PAYER, EVERY_SCOPE - {Scope.CONTRACTS_WRITE})

    problem = small.post("reader", PREVIEWS, {"document": document()})

    assert_problem(problem, 403, "scope-missing")
    assert CONTRACT not in problem.get_data(as_text=True)
