"""Facts of persons written by hand, for what comes after them in a preparation: strata, periods, bounds and sums."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from adapters.preparation.engine import Engine
from contracts.parties import JsonObject
from contracts.periods import Period
from contracts.preparation.definitions import FeedDefinition, Persons, Window
from contracts.terms import FeedTerms, read_feed
from tests.unit.terms import FILLS

COLUMNS: Final[Mapping[str, str]] = {
    "member": "VARCHAR",
    "excluded_by": "VARCHAR",
    "birth_day": "INTEGER",
    "age_day": "INTEGER",
    "sex": "VARCHAR",
    "region": "VARCHAR",
    "line_of_business": "VARCHAR",
    "product": "VARCHAR",
    "months_since_start": "INTEGER",
    "reason": "VARCHAR",
    "days_covered": "BIGINT",
    "treatment_days": "BIGINT",
    "hospital_stays": "BIGINT",
    "hospitalised_members": "BIGINT",
    "allowed_cents": "BIGINT",
}
TREATED: Final = FeedDefinition(Persons.TREATED, Window.YEAR)


def create_facts_by_hand(engine: Engine, persons: Sequence[Mapping[str, Any]], period: Period | None = None) -> None:
    """A fact that a person does not have is NULL; ages are those of the period's first day."""
    age = {} if period is None else {"age_day": (period.first_day - date(1970, 1, 1)).days}
    columns = [f"{name} {kind}" for name, kind in COLUMNS.items()]
    engine.create_values("facts", columns, [tuple((age | person).get(name) for name in COLUMNS) for person in persons])


def day(year: int, month: int, day_of_month: int) -> int:
    return (date(year, month, day_of_month) - date(1970, 1, 1)).days


def a_feed(vocabularies: Mapping[str, Sequence[str]], **terms: Any) -> FeedTerms:
    """Years 2008 to 2011 of one measure, by these dimensions."""
    document: JsonObject = {
        **FILLS,
        "name": "adherence",
        "grain": "year",
        "first_period": "2008",
        "last_period": "2011",
        "k": 4,
        "dimensions": list(vocabularies),
        "measures": {"members": {"unit": "persons", "bound": 1}},
        "invariants": [],
        "tables": [],
        **terms,
    }
    return read_feed(document, {name: tuple(values) for name, values in vocabularies.items()})


def exiting(definition: FeedDefinition = TREATED) -> FeedDefinition:
    return replace(definition, persons=Persons.EXITING)
