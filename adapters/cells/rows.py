"""Cells in JSON: as rows, which people read, or as columns, which is what bulk clients send."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from contracts.cells import MISSING, Columns
from contracts.refusals import CellsInvalid, Fault

# More than any feed has. Rows that each bring names of their own would otherwise make columns without end; those
# kept are enough to name one that is unknown.
MAX_FIELDS: Final = 150


def from_rows(rows: Sequence[Any]) -> Columns:
    """Columns of a list of objects, one a stratum. Raises CellsInvalid for a row that is no object."""
    faults = [
        Fault(f"/rows/{i}", "row_invalid", "a row is an object with every dimension and measure")
        for i, row in enumerate(rows)
        if not isinstance(row, dict)
    ]
    if faults:
        raise CellsInvalid("The cells were refused; nothing was stored or debited.", faults=tuple(faults[:50]))
    names = list(islice(dict.fromkeys(name for row in rows for name in row), MAX_FIELDS))
    return Columns({name: [row.get(name, MISSING) for row in rows] for name in names}, _row_pointer)


def from_columns(columns: dict[str, Any]) -> Columns:
    """Columns as posted. Raises CellsInvalid for one that is no list."""
    faults = [
        Fault(_column_pointer(name, None), "column_invalid", "a column is a list, one entry a stratum")
        for name, column in columns.items()
        if not isinstance(column, list)
    ]
    if faults:
        raise CellsInvalid("The cells were refused; nothing was stored or debited.", faults=tuple(faults[:50]))
    return Columns(columns, _column_pointer)


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
