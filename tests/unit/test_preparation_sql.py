"""The SQL texts of preparation mean the same on every engine: random claims give equal rows on DuckDB, PostgreSQL and
SQLite, text by text, each from the tables that the texts before it gave."""

import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from adapters.preparation.engine import Engine, sql_text
from contracts.preparation.definitions import CodeList, FeedDefinition, Persons, StayDays, Window
from tests.support.claims_by_hand import Person, claims_of, day, facts_of

COMMON = ("class_fills", "spans", "enrolled_spans", "window_fills", "present", "enrolled_in_period")
TREATMENTS = ("supply", "indexes", "treatment_periods", "treatment_fills", "treatments")
PDC = ("counted_treatments", "treated_supply", "covered", "pdc", "cohort_treated", "enrolled", "cohort_enrolled")
COURSE = ("class_supply", "episodes", "fresh_episodes", "starts", "switch_days", "switches", "first_exits", "exits")
CARE = ("hospital_spans", "hospital", "emergency", "cost")
COHORTS = ("exit_months", "cohort_starting", "cohort_exiting", "cohort")
PERSONS = ("judged", "residence", "excluded", "persons")
TEXTS = (*COMMON, "stay_spans", "removed_days", "counted_fills", *TREATMENTS, *PDC, *COURSE, *CARE, *COHORTS, *PERSONS)
INPUTS = (
    "members",
    "enrolment",
    "fills",
    "stays",
    "given",
    "excluding_claims",
    "asked",
    "feed_periods",
    "fifteenths",
    "class_drugs",
    "months",
    "visits",
)
VARIANTS: dict[str, dict[str, str]] = {
    "plain": {},
    "outside stays": {name: f"{name}_outside_stays" for name in ("counted_fills", "counted_treatments")},
    "by product": {name: f"{name}_by_product" for name in ("indexes", "treated_supply")},
    "exiting": {"judged": "judged_at_start", "cohort": "cohort_exiting"},
    "since index": {"excluded": "excluded_since_index"},
}
DEFINITION = FeedDefinition(
    Persons.TREATED,
    Window.YEAR,
    products={"one": CodeList(frozenset({"|a", "|b"}), ""), "two": CodeList(frozenset({"|c"}), "")},
    least_age=None,
    least_fill_dates=1,
    least_treatment_days=20,
    enrolment_gap_days=15,
)
DEFINITIONS: dict[str, dict[str, Any]] = {
    "outside stays": {"stay_days": StayDays.REMOVED},
    "exiting": {"persons": Persons.EXITING},
    "since index": {"window": Window.INDEX, "window_days": 60},
}
Execute = Callable[[str], Sequence[tuple[Any, ...]]]


def random_persons(seed: int) -> dict[str, Person]:
    rng = random.Random(seed)
    first = day("2018-12-01")

    def days(longest: int) -> tuple[int, int]:
        start = first + rng.randrange(400)
        return start, start + rng.randrange(longest)

    return {
        f"m{i}": Person(
            fills=[(days(1)[0], f"|{rng.choice('abc')}", rng.choice([0, 10, 30, 90])) for _ in range(rng.randrange(9))],
            spans=[days(400) for _ in range(rng.randrange(4))] + [(first, None)] * (i % 3 == 0),
            stays=[days(20) for _ in range(rng.randrange(3))],
            death_day=first + rng.randrange(400) if i % 5 == 0 else None,
            excluding=[(rng.choice(["b", "a"]), first + 30 + i)] * (i % 7 == 0),
        )
        for i in range(90)
    }


def rows_by_text(engine: Engine, execute: Execute, texts: dict[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    """Of each text on another engine, where its inputs are put as tables of this."""
    for name in INPUTS:
        types = [(column, kind) for column, kind, *_ in engine.rows(f"DESCRIBE {name}") if kind != "VARCHAR[]"]
        execute(f"CREATE TABLE {name} ({', '.join(' '.join(each) for each in types)})")
        for row in engine.rows(f"SELECT {', '.join(column for column, _ in types)} FROM {name}"):
            values = ", ".join("NULL" if v is None else f"'{v}'" if isinstance(v, str) else str(v) for v in row)
            execute(f"INSERT INTO {name} VALUES ({values})")
    found = {}
    for name in TEXTS:
        execute(f"CREATE TABLE {name} AS {text_of(name, texts)}")
        found[name] = sorted_rows(execute(f"SELECT * FROM {name}"))
    return found


def sorted_rows(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    whole = [tuple(value if value is None or isinstance(value, str) else int(value) for value in row) for row in rows]
    return sorted(whole, key=repr)


def own_rows(engine: Engine, texts: dict[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    for name in TEXTS:
        engine.create_view(name, text_of(name, texts)) if not kept(engine, name) else None
        found[name] = sorted_rows(engine.rows(f"SELECT * FROM {name}"))
    return found


def text_of(name: str, texts: dict[str, str]) -> str:
    if name == "cohort":
        return f"SELECT * FROM {texts.get(name, 'cohort_treated')}"
    return sql_text(texts.get(name, name))


def kept(engine: Engine, name: str) -> bool:
    return bool(engine.rows(f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{name}'"))


@contextmanager
def on_sqlite() -> Iterator[Execute]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield lambda text: connection.execute(text).fetchall()


@contextmanager
def on_postgresql(url: str) -> Iterator[Execute]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:

        def execute(text: str) -> Sequence[tuple[Any, ...]]:
            cursor = connection.execute(text.encode())
            return cursor.fetchall() if cursor.description else []

        yield execute


@pytest.mark.parametrize(
    ("period", "variant"),
    [
        ("2019-Q2", "outside stays"),
        pytest.param("2019-Q2", "by product", marks=pytest.mark.slow),
        pytest.param("2019", "plain", marks=pytest.mark.slow),
        pytest.param("2019", "exiting", marks=pytest.mark.slow),
        pytest.param("2019", "since index", marks=pytest.mark.slow),
    ],
)
def test_every_text_gives_the_same_rows_on_three_engines(postgresql_url: str, variant: str, period: str) -> None:
    texts = VARIANTS[variant]
    definition = replace(DEFINITION, **DEFINITIONS.get(variant, {}))
    dimensions = {"product": ("one", "two")} if variant == "by product" else None
    with claims_of(random_persons(len(variant))) as engine:
        measures = ["days_covered", "enrolled_days"]
        facts = facts_of(engine, definition, period, measures, dimensions)
        ours = own_rows(engine, texts)
        with on_sqlite() as sqlite, on_postgresql(postgresql_url) as postgresql:
            on_others = [rows_by_text(engine, execute, texts) for execute in (sqlite, postgresql)]
    assert sum(each["days_covered"] > 0 for each in facts.values()) > 15
    for name in TEXTS:
        assert [rows[name] for rows in on_others] == [ours[name], ours[name]], name
