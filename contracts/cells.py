"""Turns posted columns into the dense exact tables of a feed, or says what is wrong, column by column.

Cells come as parallel columns: one for each dimension and each measure. Strata that are absent are zero.
A value marked as suppressed is refused: a threshold of 11 at the source raises the sensitivity from 1 to 11.
Messages name the field and never quote a count.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from contracts.cell_columns import MAX_COUNT, MISSING, MOST_ODD, Column, Counts, Positions, as_counts, as_positions
from contracts.refusals import CellsInvalid, Fault, first_faults
from contracts.terms import FeedTerms
from privacy.arrays import Vector
from privacy.release import ExactTable

__all__ = ["MAX_COUNT", "MISSING", "Columns", "cells_refused", "exact_tables", "require_fields", "too_many_strata"]
_SUPPRESSION_MARKS = frozenset({"", "*", "s", "na", "n/a", "null", "none", "suppressed", "masked", "."})

Locate = Callable[[str, int | None], str]


@dataclass(frozen=True, slots=True)
class Columns:
    """values: what was posted, by field. locate: the JSON pointer of a field, or of one entry of it, as posted.
    all_zero: no stratum was posted, on purpose; no field is needed then.
    """

    values: Mapping[str, Column]
    locate: Locate
    all_zero: bool = False


def exact_tables(feed: FeedTerms, columns: Columns) -> dict[str, ExactTable]:
    """By measure, the dense table with one axis per dimension. Raises CellsInvalid with the first faults."""
    if columns.all_zero:
        return {name: np.zeros(feed.shape, dtype=np.int64) for name in feed.measures}
    require_fields(feed, {name: len(column) for name, column in columns.values.items()}, columns.locate)
    places = {name: as_positions(columns.values[name], feed.vocabularies[name]) for name in feed.dimensions}
    counts = {name: as_counts(columns.values[name]) for name in feed.measures}
    _refuse(chain(_dimension_faults(feed, places, columns), _measure_faults(counts, columns)))
    strata = _stratum_indices(feed, places, columns)
    numbers = {name: count.numbers for name, count in counts.items()}
    _refuse(chain(_duplicates(feed, strata, columns), _broken_invariants(feed, numbers, columns)))
    return {name: _dense(feed, strata, values) for name, values in numbers.items()}


def require_fields(feed: FeedTerms, lengths: Mapping[str, int], locate: Locate) -> None:
    """Exactly the feed's fields, of one length, and no more rows than strata: known before any value is looked at.

    lengths: of the columns posted, by field. Raises CellsInvalid.
    """
    _refuse(_columns_missing_or_unknown(feed, lengths, locate))


def _columns_missing_or_unknown(feed: FeedTerms, lengths: Mapping[str, int], locate: Locate) -> Iterator[Fault]:
    expected = (*feed.dimensions, *feed.measures)
    for name in lengths:
        if name not in expected:
            yield Fault(locate(name, None), "field_unknown", f"the feed has {', '.join(expected)}")
    for name in expected:
        if name not in lengths:
            yield _missing(locate(name, None))
    if len(set(lengths.values())) > 1:
        yield Fault(locate("", None), "columns_uneven", "all columns have the same length")
    if max(lengths.values(), default=0) > feed.cells_per_measure:
        yield too_many_strata(feed, locate("", None))


def too_many_strata(feed: FeedTerms, pointer: str) -> Fault:
    message = f"the feed has {feed.cells_per_measure} strata; post each at most once"
    return Fault(pointer, "too_many_strata", message)


def _missing(pointer: str) -> Fault:
    return Fault(pointer, "field_missing", "every dimension and measure is needed")


def _dimension_faults(feed: FeedTerms, places: Mapping[str, Positions], columns: Columns) -> Iterator[Fault]:
    for name, column in places.items():
        listed = ", ".join(feed.vocabularies[name][:20])
        for index in np.flatnonzero(column.positions < 0)[:MOST_ODD].tolist():
            if index in column.missing:
                yield _missing(columns.locate(name, index))
            else:
                yield Fault(columns.locate(name, index), "value_unknown", f"{name} is one of {listed}")


def _measure_faults(counts: Mapping[str, Counts], columns: Columns) -> Iterator[Fault]:
    for name, column in counts.items():
        outside = np.flatnonzero((column.numbers < 0) | (column.numbers > MAX_COUNT))[:MOST_ODD].tolist()
        for index in sorted({*column.odd, *outside}):
            value = column.odd[index] if index in column.odd else int(column.numbers[index])
            if value is MISSING:
                yield _missing(columns.locate(name, index))
            else:
                yield Fault(columns.locate(name, index), *_what_is_wrong(value))


def _what_is_wrong(value: object) -> tuple[str, str]:
    if value is None or (isinstance(value, str) and _is_suppression_mark(value)):
        return (
            "cell_suppressed",
            "post the true count: hiding small cells before posting raises the sensitivity of every cell to the "
            "threshold; the exchange adds the noise that protects them",
        )
    if type(value) is not int:
        return "not_an_integer", "a measure is a whole number, written without a decimal point"
    if value < 0:
        return "negative_count", "a measure is not negative"
    return "count_too_large", f"a measure is at most {MAX_COUNT}"


def _is_suppression_mark(text: str) -> bool:
    mark = text.strip().lower()
    return mark in _SUPPRESSION_MARKS or mark.startswith(("<", "≤", "&lt;"))


def _stratum_indices(feed: FeedTerms, places: Mapping[str, Positions], columns: Columns) -> Vector:
    """In C order: the last dimension fastest."""
    strata = np.zeros(len(next(iter(columns.values.values()), ())), dtype=np.int64)
    for name, column in places.items():
        strata = strata * len(feed.vocabularies[name]) + column.positions
    return strata


def _duplicates(feed: FeedTerms, strata: Vector, columns: Columns) -> Iterator[Fault]:
    seen = np.zeros(feed.cells_per_measure, dtype=np.bool_)
    seen[strata] = True
    if np.count_nonzero(seen) == len(strata):
        return
    _, first = np.unique(strata, return_index=True)
    again = np.setdiff1d(np.arange(len(strata)), first)
    name = next(iter(columns.values), "")
    for index in again.tolist():
        yield Fault(columns.locate(name, index), "cell_repeated", "this stratum occurs before; post each at most once")


def _broken_invariants(feed: FeedTerms, counts: Mapping[str, Vector], columns: Columns) -> Iterator[Fault]:
    for invariant in feed.invariants:
        for index in np.flatnonzero(invariant.broken(counts)).tolist():
            yield Fault(
                columns.locate(invariant.left[0][1], index),
                "invariant_broken",
                f"the contract says {invariant.text}; a cell that breaks it breaks the contribution bound",
            )


def _dense(feed: FeedTerms, strata: Vector, values: Vector) -> ExactTable:
    table = np.zeros(feed.cells_per_measure, dtype=np.int64)
    table[strata] = values
    return table.reshape(feed.shape)


def cells_refused(faults: Iterable[Fault]) -> CellsInvalid:
    """The refusal of a submission's cells, with the first faults."""
    return CellsInvalid("The cells were refused; nothing was stored or debited.", faults=first_faults(faults))


def _refuse(faults: Iterable[Fault]) -> None:
    found = first_faults(faults)
    if found:
        raise cells_refused(found)
