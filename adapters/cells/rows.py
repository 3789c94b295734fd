"""Cells in JSON: as rows, which people read, or as columns, which is what bulk clients send.

Both are turned only when the contract has allowed the submission, and only for the fields of its feed: nobody can make
the exchange build columns without end.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from contracts.cells import MISSING, Columns, cells_refused, too_many_strata
from contracts.refusals import Fault, first_faults
from contracts.terms import FeedTerms


def from_rows(rows: Sequence[Any], feed: FeedTerms) -> Columns:
    """Columns of a list of objects, one a stratum; no row at all is a period in which all is zero.

    Raises CellsInvalid for too many rows, a row that is no object, or a field that the feed does not have.
    """
    if len(rows) > feed.cells_per_measure:
        raise cells_refused([too_many_strata(feed, "/rows")])
    names = (*feed.dimensions, *feed.measures)
    faults = first_faults(_row_faults(rows, frozenset(names)))
    if faults:
        raise cells_refused(faults)
    return Columns({name: [row.get(name, MISSING) for row in rows] for name in names}, _row_pointer, not rows)


def from_columns(columns: dict[str, Any], _feed: FeedTerms) -> Columns:
    """Columns as posted: every field of the feed, empty where no stratum is posted.

    Raises CellsInvalid for a column that is no list.
    """
    faults = first_faults(
        Fault(_column_pointer(name, None), "column_invalid", "a column is a list, one entry a stratum")
        for name, column in columns.items()
        if not isinstance(column, list)
    )
    if faults:
        raise cells_refused(faults)
    return Columns(columns, _column_pointer)


def _row_faults(rows: Sequence[Any], names: frozenset[str]) -> Iterator[Fault]:
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            yield Fault(f"/rows/{i}", "row_invalid", "a row is an object with every dimension and measure")
            continue
        for name in row.keys() - names:
            yield Fault(_row_pointer(name, i), "field_unknown", f"the feed has {', '.join(sorted(names))}")


def _row_pointer(name: str, index: int | None) -> str:
    if not name:
        return "/rows"
    return f"/rows/{0 if index is None else index}/{_escape(name)}"


def _column_pointer(name: str, index: int | None) -> str:
    if not name:
        return "/columns"
    return f"/columns/{_escape(name)}" + ("" if index is None else f"/{index}")


def _escape(name: str) -> str:
    """RFC 6901 section 3."""
    return name.replace("~", "~0").replace("/", "~1")
