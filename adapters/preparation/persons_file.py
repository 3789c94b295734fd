"""Persons behind the cells, one row a person and period, for checking by hand. It never leaves the premises."""

import os
from pathlib import Path
from typing import Final
from uuid import uuid4

from adapters.claims.quoting import identifier, literal
from adapters.preparation.engine import Engine
from adapters.preparation.register import BEYOND_K
from adapters.preparation.writing import PRIVATE_MODE, Taken
from contracts.periods import Period
from contracts.terms import FeedTerms

SUFFIXES: Final = (".parquet", ".csv")
_TABLE: Final = "persons_of_all_periods"


def add_persons(engine: Engine, feed: FeedTerms, period: Period) -> None:
    """Those of the period just prepared: what left a person out, its stratum, and its facts before any cut."""
    left_out = f"coalesce(persons.excluded_by, CASE WHEN beyond.person IS NOT NULL THEN {literal(BEYOND_K)} END)"
    strata = "".join(f", {_value(feed, i)} AS {identifier(f'in_{name}')}" for i, name in enumerate(feed.dimensions))
    select = (
        f"SELECT {literal(str(period))} AS period, persons.member, {left_out} AS excluded_by{strata}, "  # noqa: S608
        "DATE '1970-01-01' + facts.birth_day AS birth_date, DATE '1970-01-01' + facts.age_day AS age_date, "
        "facts.* EXCLUDE (member, excluded_by, birth_day, age_day) "
        "FROM contributions AS persons JOIN facts ON facts.member = persons.member "
        "LEFT JOIN beyond ON beyond.person = persons.person"
    )
    engine.connection.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {_TABLE} AS {select} LIMIT 0")
    engine.connection.execute(f"INSERT INTO {_TABLE} BY NAME {select}")


def write_persons(engine: Engine, path: Path, *, replace: bool) -> None:
    """Readable by its owner alone, there whole or not at all. Raises Taken, or OSError."""
    beside = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE))
        form = "FORMAT csv, HEADER" if path.suffix == ".csv" else "FORMAT parquet, COMPRESSION zstd"
        rows = f"FROM {_TABLE} ORDER BY period, member"
        engine.connection.execute(f"COPY ({rows}) TO {literal(str(beside))} ({form}, USE_TMP_FILE false)")
        if path.exists() and not replace:
            raise Taken(path)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _value(feed: FeedTerms, number: int) -> str:
    """The value of one dimension, from the number of the stratum."""
    below = 1
    for size in feed.shape[number + 1 :]:
        below *= size
    words = ", ".join(literal(value) for value in feed.vocabularies[feed.dimensions[number]])
    place = f"CAST(persons.stratum // {below} % {feed.shape[number]} AS INTEGER)"
    return f"([{words}])[1 + {place}]"
