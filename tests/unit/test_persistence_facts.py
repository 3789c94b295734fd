"""Starts, exits and use of care in the facts of a feed: from the canonical tables, period by period."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from adapters.claims.model import TABLES
from adapters.preparation.engine import Engine
from adapters.preparation.facts import create_facts
from contracts.parties import Role
from contracts.periods import Grain, Period, PeriodRange
from contracts.preparation.definitions import CodeList, EmergencyAdmissions, FeedDefinition, Persons, Window
from contracts.terms import FeedTerms, Measured, MeasureTerms
from tests.unit.histories import Row, day
from tests.unit.walks import Fill, first_exit, whole_months

YEARS = ("2021", "2022")
PRODUCTS = {name: CodeList(frozenset({f"ndc|{name}"}), "") for name in ("own", "other")}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.opened(threads=1) as engine:
        yield engine


def read(engine: Engine, **tables: Sequence[dict[str, Any]]) -> None:
    """Canonical tables, as after reading: what a row does not name is NULL, and no enrolment is given."""
    for table in TABLES:
        columns = [f"{column.name} {column.type}" for column in table.columns]
        rows: list[Row] = [[row.get(each.name) for each in table.columns] for row in tables.get(table.name, ())]
        engine.create_values(table.name, columns, rows)
    engine.create_values("given", ["name VARCHAR"], [["members"]])
    engine.create_values("excluding_claims", ["member VARCHAR", "list VARCHAR", "day INTEGER"], [])


def feed(measures: Sequence[str] = ("members",), dimensions: Sequence[str] = ()) -> FeedTerms:
    years = PeriodRange(*(Period.parse(year, Grain.YEAR) for year in YEARS))
    return FeedTerms(
        name="feed", provider=Role.PAYER, grain=Grain.YEAR, periods=years, k=1, run_out_days=0, restatements=0,
        measured=Measured.EXCHANGE, life_table=None, vocabularies=dict.fromkeys(dimensions, ()),
        measures={name: MeasureTerms("", 1) for name in measures}, invariants=(), expected={}, tables=(), rho_nano=0,
        plan=None, generation=None,
    )  # fmt: skip


def facts(engine: Engine, feed: FeedTerms, definition: FeedDefinition, year: str) -> dict[str, dict[str, Any]]:
    create_facts(engine, feed, definition, Period.parse(year, Grain.YEAR))
    result = engine.connection.execute("SELECT * FROM facts")
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return {row.pop("member"): row for row in rows}


def fill_row(member: str, fill: Fill) -> dict[str, Any]:
    return {
        "member": member, "fill_day": fill.day, "drug": f"ndc|{fill.product}", "days_supply": fill.days_supply,
        "allowed_cents": 100,
    }  # fmt: skip


HISTORIES = {
    "stopped": [Fill(day("2021-03-10"), 30), Fill(day("2021-04-05"), 30)],
    "known in the next year": [Fill(day("2021-11-01"), 40)],
    "switched": [Fill(day("2021-06-01"), 90), Fill(day("2022-01-20"), 30), Fill(day("2021-08-15"), 200, "other")],
    "began before the feed": [Fill(day("2020-12-31"), 30)],
    "goes on": [Fill(day("2022-01-01"), 1000, "other")],
    "another drug": [Fill(day("2021-05-01"), 30, "third")],
}


@pytest.mark.slow
def test_each_person_starts_and_exits_in_one_year_and_as_a_walk_day_by_day_says(engine: Engine) -> None:
    members = [{"member": name} for name in HISTORIES]
    read(engine, members=members, fills=[fill_row(name, fill) for name, fills in HISTORIES.items() for fill in fills])
    starting = FeedDefinition(Persons.STARTING, Window.PERIOD, products=PRODUCTS, least_age=None)
    exiting = FeedDefinition(Persons.EXITING, Window.PERIOD, products=PRODUCTS, least_age=None)
    exits_feed = feed(dimensions=("product", "months_since_start", "reason"))

    started, exited = {}, {}
    for year in YEARS:
        for name, row in facts(engine, feed(dimensions=("product",)), starting, year).items():
            if row["excluded_by"] is None:
                assert name not in started
                started[name] = year, row["product"]
        for name, row in facts(engine, exits_feed, exiting, year).items():
            if row["excluded_by"] is None:
                assert name not in exited
                exited[name] = year, row["product"], row["months_since_start"], row["reason"]

    asked = {"gap_days": 30, "last_day": day("2022-12-31"), "switch_ends_episode": 1}
    expected = {}
    for name in ("stopped", "known in the next year", "switched", "goes on"):
        start = min(fill.day for fill in HISTORIES[name])
        if known := first_exit(HISTORIES[name], day("2022-12-31") + 1, asked):
            expected[name] = _year(known[0]), "own", whole_months(start, known[2] + 1), known[1]
    assert [exit[3] for exit in expected.values()] == ["stopped", "stopped", "switched"]
    assert exited == expected
    assert started == {
        "stopped": ("2021", "own"), "known in the next year": ("2021", "own"), "switched": ("2021", "own"),
        "goes on": ("2022", "other"),
    }  # fmt: skip


def _year(at: int) -> str:
    return max(year for year in YEARS if day(f"{year}-01-01") <= at)


def test_use_of_care_and_its_cost_are_in_the_facts_of_a_person(engine: Engine) -> None:
    measures = (
        "members", "new_starts", "switches", "discontinuations", "hospital_stays", "hospitalised_members",
        "hospital_days", "ed_visits", "ed_members", "allowed_cents", "drug_allowed_cents", "medical_allowed_cents",
    )  # fmt: skip
    stay = {"member": "m", "type": "inpatient", "allowed_cents": 5000}
    visit = {"member": "m", "type": "ed", "allowed_cents": 300}
    read(
        engine,
        members=[{"member": "m"}, {"member": "without a claim"}],
        fills=[fill_row("m", fill) for fill in HISTORIES["switched"]],
        stays=[
            stay | {"admission_day": day("2021-02-01"), "discharge_day": day("2021-02-05")},
            stay | {"admission_day": day("2021-02-05"), "discharge_day": day("2021-02-08")},
        ],
        visits=[visit | {"visit_day": day("2021-02-01")}, visit | {"visit_day": day("2021-07-01")}],
    )
    definition = FeedDefinition(
        Persons.ENROLLED, Window.PERIOD, products=PRODUCTS, least_age=None,
        emergency_admissions=EmergencyAdmissions.LEFT_OUT,
    )  # fmt: skip

    found = facts(engine, feed(measures), definition, "2021")

    # Persistence is with the class here, of which there is supply until March 2022; a stay of two claims and 7 nights.
    expected = (1, 1, 0, 1, 1, 7, 1, 1, 200 + 10600, 200, 10600)
    assert tuple(found["m"][name] for name in measures[1:]) == expected
    assert not any(found["without a claim"][name] for name in measures[1:])
