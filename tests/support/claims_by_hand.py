"""Claims of a few made-up persons, put into the canonical relations by hand, and feeds to prepare from them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import zip_longest
from typing import Any

from adapters.claims.model import TABLES
from adapters.preparation.engine import Engine
from adapters.preparation.facts import create_facts
from contracts.parties import Role
from contracts.periods import Period, PeriodRange, parse_any
from contracts.preparation.definitions import FeedDefinition
from contracts.terms import FeedTerms, Measured, MeasureTerms

EPOCH = date(1970, 1, 1)


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


@dataclass
class Person:
    """fills: (day, drug, days of supply). spans: of enrolment; stays: (first, last), both included. homes: region and
    line of business in each of the spans. excluding: (list, day) of claims that carry a code of a list."""

    fills: Sequence[tuple[int, str, int]] = ()
    spans: Sequence[tuple[int, int | None]] | None = None
    homes: Sequence[tuple[str, str]] = ()
    stays: Sequence[tuple[int, int]] = ()
    excluding: Sequence[tuple[str, int]] = ()
    birth_day: int | None = None
    death_day: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def claims_of(persons: Mapping[str, Person]) -> Iterator[Engine]:
    """An engine with the canonical relations; enrolment is given when any person has spans."""
    given = ["members", "fills", "stays", "members.birth_day", "members.death_day"]
    with Engine.opened(threads=1) as engine:
        for table in TABLES:
            rows = [row for member, person in persons.items() for row in _rows(table.name, member, person)]
            columns = [column.name for column in table.columns]
            engine.create_values(
                table.name,
                [f"{column.name} {column.type}" for column in table.columns],
                [[row.get(column) for column in columns] for row in rows],
            )
        if any(person.spans is not None for person in persons.values()):
            given.append("enrolment")
        engine.create_values("given", ["name VARCHAR"], [[name] for name in given])
        engine.create_values(
            "excluding_claims",
            ["member VARCHAR", "list VARCHAR", "day INTEGER"],
            [[member, name, on] for member, person in persons.items() for name, on in person.excluding],
        )
        yield engine


def _rows(table: str, member: str, person: Person) -> list[dict[str, Any]]:
    match table:
        case "members":
            return [{"member": member, "birth_day": person.birth_day, "death_day": person.death_day, **person.more}]
        case "enrolment":
            return [
                {"member": member, "first_day": first, "last_day": last, "region": region, "line_of_business": line}
                for (first, last), (region, line) in zip_longest(
                    person.spans or (), person.homes, fillvalue=(None, None)
                )
            ]
        case "fills":
            return [
                {"member": member, "fill_day": filled, "drug": drug, "days_supply": days}
                for filled, drug, days in person.fills
            ]
        case "stays":
            return [
                {"member": member, "admission_day": first, "discharge_day": last, "type": "inpatient"}
                for first, last in person.stays
            ]
    return []


def feed_of(measures: Sequence[str], period: Period, dimensions: Mapping[str, tuple[str, ...]] | None) -> FeedTerms:
    return FeedTerms(
        name="adherence",
        provider=Role.PAYER,
        grain=period.grain,
        periods=PeriodRange(period, period),
        k=1,
        run_out_days=0,
        restatements=0,
        measured=Measured.EXCHANGE,
        life_table=None,
        vocabularies=dict(dimensions or {}),
        measures={name: MeasureTerms("days", 1000) for name in measures},
        invariants=(),
        expected={},
        tables=(),
        rho_nano=0,
        plan=None,
        generation=None,
    )


def facts_of(
    engine: Engine,
    definition: FeedDefinition,
    period: str,
    measures: Sequence[str] = ("days_covered",),
    dimensions: Mapping[str, tuple[str, ...]] | None = None,
) -> dict[str, dict[str, Any]]:
    """The facts of every member, by name of the column."""
    asked = parse_any(period)
    create_facts(engine, feed_of(measures, asked, dimensions), definition, asked)
    cursor = engine.connection.execute("SELECT * FROM facts")
    names = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    found = {row[0]: dict(zip(names, row, strict=True)) for row in rows}
    assert len(found) == len(rows), "a member has two rows"
    return found
