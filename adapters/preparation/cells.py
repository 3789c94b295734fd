"""Cells of one period: facts of persons, placed in strata, kept within k periods, cut to their bounds, and summed.

The guarantee assumes, and `tests/property/test_one_person.py` shows: with and without any one person, whatever the
claims say of that person, these cells differ in at most one stratum a period, in at most k periods, by at most the
bound of each measure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from adapters.preparation.bounds import amounts, column, create_bounded
from adapters.preparation.engine import Engine
from adapters.preparation.register import BEYOND_K, Register
from adapters.preparation.strata import create_placed, excluded_by_dimension
from contracts.cells import MAX_COUNT
from contracts.periods import Period
from contracts.preparation.definitions import FeedDefinition
from contracts.terms import FeedTerms
from privacy.release import ExactTable

_INT64_MAX: Final = 2**63 - 1


class CellsTooLarge(ValueError):
    """A sum is beyond what the exchange takes; names the measure."""


class FactsRepeated(ValueError):
    """A person has two rows of facts, and could be in two strata: nothing was summed."""


@dataclass(frozen=True, slots=True)
class LocalCounts:
    """Exact numbers for the payer's own eyes. excluded: by reason, rules of the feed in alphabetical order and then, in
    the order they are tried, dimensions and k. clipped: by measure, persons cut to its bound. lowered: persons with a
    measure lowered for an invariant."""

    members: int
    kept: int
    excluded: Mapping[str, int]
    clipped: Mapping[str, int]
    lowered: int
    strata: int


@dataclass(frozen=True, slots=True)
class PreparedCells:
    """tables: by measure, over the shape of the feed. columns: of strata with anything in them, as they are posted.
    not_noted: periods that the register should have seen, in a rehearsal."""

    tables: Mapping[str, ExactTable]
    columns: Mapping[str, Sequence[Any]]
    counts: LocalCounts
    not_noted: tuple[Period, ...] = ()


def make_cells(
    engine: Engine, feed: FeedTerms, definition: FeedDefinition, period: Period, register: Register
) -> PreparedCells:
    """Of the relation `facts`, and of a feed without `preparation_faults`. Who is in the period is in the register, for
    good, when this returns. Raises CellsTooLarge, or FactsRepeated.
    """
    create_placed(engine, feed, definition, period)
    _create_contributions(engine, feed, definition, register)
    register.create_beyond(period)
    _require_room(engine, feed)
    register.record(period)
    lowered = create_bounded(engine, feed, "FROM candidates ANTI JOIN beyond USING (person)")
    tables = _sums(engine, feed)
    columns = _columns(feed, tables)
    return PreparedCells(tables, columns, _counts(engine, feed, lowered, columns), register.unseen)


def _create_contributions(engine: Engine, feed: FeedTerms, definition: FeedDefinition, register: Register) -> None:
    """`contributions`, a row a member, from one reading of the facts; those who have a stratum are `candidates`."""
    raw = "".join(f", {amount} AS {column(i)}" for i, amount in enumerate(amounts(feed, definition).values()))
    person = f"CASE WHEN stratum IS NOT NULL THEN {register.person('member')} END"
    select = f"SELECT member, excluded_by, stratum, {person} AS person{raw} FROM placed"  # noqa: S608
    engine.create_table("contributions", select)
    ((rows, members),) = engine.rows("SELECT count(*), count(DISTINCT member) FROM contributions")
    if rows != members:
        raise FactsRepeated("a person has more than one row of facts")
    engine.create_view("candidates", "SELECT * FROM contributions WHERE stratum IS NOT NULL")


def _require_room(engine: Engine, feed: FeedTerms) -> None:
    ((persons,),) = engine.rows("SELECT count(*) FROM candidates")
    for name, bound in feed.bounds.items():
        if bound * persons > _INT64_MAX:
            raise CellsTooLarge(f"{name}: {bound} for each of so many persons is more than a cell can hold")


def _sums(engine: Engine, feed: FeedTerms) -> dict[str, ExactTable]:
    sums = "".join(f", CAST(sum({column(i)}) AS BIGINT) AS {column(i)}" for i in range(len(feed.measures)))
    found = engine.connection.execute(f"SELECT stratum{sums} FROM bounded GROUP BY stratum").fetchnumpy()  # noqa: S608
    tables = {}
    for i, name in enumerate(feed.measures):
        table = np.zeros(feed.cells_per_measure, dtype=np.int64)
        table[found["stratum"]] = found[column(i)]
        if table.max(initial=0) > MAX_COUNT:
            raise CellsTooLarge(f"{name}: the exchange takes at most {MAX_COUNT} in a cell")
        tables[name] = table.reshape(feed.shape)
    return tables


def _columns(feed: FeedTerms, tables: Mapping[str, ExactTable]) -> dict[str, list[Any]]:
    flat = {name: table.reshape(-1) for name, table in tables.items()}
    strata = np.flatnonzero(np.any(list(flat.values()), axis=0))
    places = np.unravel_index(strata, feed.shape) if feed.shape else ()
    columns: dict[str, list[Any]] = {
        name: [vocabulary[place] for place in at.tolist()]
        for (name, vocabulary), at in zip(feed.vocabularies.items(), places, strict=True)
    }
    return columns | {name: table[strata].tolist() for name, table in flat.items()}


def _counts(engine: Engine, feed: FeedTerms, lowered: int, columns: Mapping[str, Sequence[Any]]) -> LocalCounts:
    by_rule = {
        str(rule): int(count)
        for rule, count in engine.rows(
            "SELECT excluded_by, count(*) FROM contributions WHERE excluded_by IS NOT NULL GROUP BY ALL ORDER BY ALL"
        )
    }
    last = [name for name in map(excluded_by_dimension, feed.dimensions) if name in by_rule]
    excluded = {rule: by_rule[rule] for rule in (*(rule for rule in by_rule if rule not in last), *last)}
    cut = ", ".join(
        f"count(*) FILTER ({column(i)} NOT BETWEEN 0 AND {bound})" for i, bound in enumerate(feed.bounds.values())
    )
    ((beyond, members),) = engine.rows("SELECT (SELECT count(*) FROM beyond), (SELECT count(*) FROM contributions)")
    ((kept, *clipped),) = engine.rows(f"SELECT count(*), {cut} FROM candidates ANTI JOIN beyond USING (person)")  # noqa: S608
    if beyond:
        excluded[BEYOND_K] = beyond
    return LocalCounts(
        members=members,
        kept=kept,
        excluded=excluded,
        clipped=dict(zip(feed.measures, clipped, strict=True)),
        lowered=lowered,
        strata=len(next(iter(columns.values()), ())),
    )
