"""Whether cells of two populations that differ by one person differ by no more than a contract allows one person."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from adapters.claims.layouts.canonical import CANONICAL
from adapters.claims.reading import read_claims
from adapters.preparation.cells import PreparedCells, make_cells
from adapters.preparation.engine import Engine
from adapters.preparation.facts import create_facts
from adapters.preparation.register import Register
from contracts.cells import Columns, exact_tables
from contracts.periods import Period
from contracts.preparation.checking import preparation_faults
from contracts.preparation.definitions import FeedDefinition
from contracts.terms import FeedTerms
from privacy.release import ExactTable
from tests.support.facts import create_facts_by_hand

# One preparation of a period: the period, and the facts of everybody then.
Run = tuple[Period, Sequence[Mapping[str, Any]]]
Prepared = Sequence[tuple[Period, PreparedCells]]


def cells_of_runs(engine: Engine, feed: FeedTerms, definition: FeedDefinition, runs: Sequence[Run]) -> Prepared:
    """One after the other with one register, kept in memory."""
    found = []
    with Register.opened(
        engine,
        Path("/nowhere"),
        feed,
        [feed.periods.first],
        contract_id="c",
        population="p",
        today=date(1, 1, 1),
        rehearsal=True,
    ) as register:
        for period, persons in runs:
            create_facts_by_hand(engine, persons, period)
            found.append((period, make_cells(engine, feed, definition, period, register)))
    return found


def cells_of_claims(engine: Engine, feed: FeedTerms, definition: FeedDefinition, folder: Path) -> Prepared:
    """Every period of the feed, and the second one again at last, from a folder of canonical claims."""
    report = read_claims(engine, folder, CANONICAL)
    engine.create_values("given", ["name VARCHAR"], [(name,) for name in sorted(report.given)])
    assert preparation_faults(feed, definition, report.given) == []
    first, second, *later = feed.periods
    found = []
    with Register.opened(
        engine, Path("/nowhere"), feed, [first], contract_id="c", population="p", today=date(1, 1, 1), rehearsal=True
    ) as register:
        for period in (first, second, *later, second):
            create_facts(engine, feed, definition, period)
            found.append((period, make_cells(engine, feed, definition, period, register)))
    return found


def broken_promises(feed: FeedTerms, without: Prepared, with_person: Prepared) -> list[str]:
    """What of a contribution bound does not hold, in words; a person may be in every restatement of k periods."""
    touched = set()
    broken = []
    for (period, fewer), (_, more) in zip(without, with_person, strict=True):
        changes = {name: more.tables[name] - fewer.tables[name] for name in feed.measures}
        strata = np.any([change != 0 for change in changes.values()], axis=0).sum()
        if strata:
            touched.add(period)
        broken += [f"{strata} strata of a period"] if strata > 1 else []
        broken += list(_beyond_bounds(feed, changes))
    if len(touched) > feed.k:
        broken.append(f"{len(touched)} periods where k is {feed.k}")
    return broken


def _beyond_bounds(feed: FeedTerms, changes: Mapping[str, ExactTable]) -> Iterator[str]:
    for name, bound in feed.bounds.items():
        if changes[name].min() < 0:
            yield f"{name} falls when a person is added"
        if changes[name].max() > bound:
            yield f"{name} beyond its bound"


def exchange_takes(feed: FeedTerms, cells: PreparedCells) -> bool:
    """Whether the exchange's own validator makes the same tables of what is posted. Raises CellsInvalid."""
    taken = exact_tables(feed, Columns(cells.columns, lambda name, _: name))
    return all(np.array_equal(taken[name], cells.tables[name]) for name in feed.measures)
