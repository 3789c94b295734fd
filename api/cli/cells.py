"""Cells of one period from a file: Parquet or Arrow, JSON as rows or as columns, or CSV with a header. Or the release
drawn of them.

Cells are checked by the exchange's own validator before anything is sent, so that faulty cells never leave the
provider's machine, and each fault is named by its place in the file.
"""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import pyarrow as pa

from adapters.cells.rows import from_columns, from_rows
from adapters.preparation.writing import CellsLabel, NotCells, read_cells_file
from api.cli.files import read_file, read_json
from api.cli.output import Failure, tell
from contracts.cells import Columns, exact_tables
from contracts.parties import JsonObject
from contracts.refusals import CellsInvalid
from contracts.terms import FeedTerms

# More digits than any count may have, and few enough for Python to read at once.
_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")
TABLE_SUFFIXES: Final = (".parquet", ".arrow")


def read_whole_period(path: Path, feed: FeedTerms, *, empty: bool) -> dict[str, list[Any]]:
    """Columns of a whole period, after saying how much of it they are. empty: all zero is meant. Raises Failure."""
    columns = read_cells(path, feed)
    strata = len(next(iter(columns.values())))
    if not strata and not empty:
        raise Failure(f"{path} has no stratum. If the whole period really is zero, repeat with --empty: it is final.")
    tell(f"{strata} of {feed.cells_per_measure} strata are in {path.name}; the others are zero.")
    return columns


def find_label(path: Path) -> CellsLabel | None:
    """What `parley prepare` wrote into the file of what it is of, or None. Raises Failure."""
    return _read_table(path)[0] if path.suffix in TABLE_SUFFIXES else None


def find_release(path: Path) -> JsonObject | None:
    """The submission that `parley measure` wrote, or None for a file of cells. Raises Failure."""
    body = None if path.suffix in (".csv", *TABLE_SUFFIXES) else read_json(path)
    if not isinstance(body, dict) or "release" not in body:
        return None
    try:
        json.dumps(body)
    except TypeError:
        raise Failure(f"{path} holds a number with a fraction: a release holds whole numbers only.") from None
    return body


def read_cells(path: Path, feed: FeedTerms) -> dict[str, list[Any]]:
    """Columns that fit the feed, ready to be posted. Raises Failure, which never quotes a count."""
    try:
        columns = _READERS.get(path.suffix, _read_json)(path, feed)
        exact_tables(feed, columns)
    except CellsInvalid as invalid:
        faults = [f"{fault.pointer or '/'}: {fault.message}" for fault in invalid.faults]
        raise Failure(f"The cells of {path} do not fit; nothing was sent.", faults) from None
    return {name: list(cast(Sequence[Any], column)) for name, column in columns.values.items()}


def _read_json(path: Path, feed: FeedTerms) -> Columns:
    body = read_json(path)
    match body:
        case {"rows": list(rows), **others} if not others:
            return from_rows(rows, feed)
        case {"columns": dict(columns), **others} if not others:
            return from_columns(columns, feed)
    raise Failure(f'{path} is neither {{"rows": [...]}} nor {{"columns": {{...}}}}.')


def _read_columns(path: Path, _feed: FeedTerms) -> Columns:
    table = _read_table(path)[1]

    def locate(name: str, index: int | None) -> str:
        return f"column {name}" if index is None else f"row {index + 1}, column {name}"

    return Columns({name: table.column(name).to_pylist() for name in table.column_names}, locate)


def _read_table(path: Path) -> tuple[CellsLabel | None, pa.Table]:
    try:
        label, table = read_cells_file(path)
    except NotCells as error:
        raise Failure(f"{path}: {error}.") from None
    except FileNotFoundError:
        raise Failure(f"There is no file {path}.") from None
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.") from None
    if len(set(table.column_names)) < table.num_columns:
        raise Failure(f"{path}: a column stands twice in it.")
    return label, table


def _read_csv(path: Path, feed: FeedTerms) -> Columns:
    header, lines = _csv_lines(path)
    numbers = [number for number, _ in lines]
    values: dict[str, list[Any]] = {}
    for place, name in enumerate(header):
        column = [fields[place] for _, fields in lines]
        values[name] = [_count(text) for text in column] if name in feed.measures else list(column)

    def locate(name: str, index: int | None) -> str:
        return f"line {1 if index is None else numbers[index]}, column {name}"

    return Columns(values, locate)


def _csv_lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and every further line that is not blank with its number in the file."""
    try:
        reader = csv.reader(io.StringIO(read_file(path).decode("utf-8-sig"), newline=""), strict=True)
        lines = [(reader.line_num, fields) for fields in reader if fields]
    except UnicodeDecodeError:
        raise Failure(f"{path} is not UTF-8.") from None
    except csv.Error as error:
        raise Failure(f"{path}, line {reader.line_num}: this is not CSV ({error}).") from None
    if not lines:
        raise Failure(f"{path} is empty: CSV begins with a header, the names of dimensions and measures.")
    (_, header), *rest = lines
    if len(set(header)) < len(header):
        raise Failure(f"{path}, line 1: a column stands twice in the header.")
    for number, fields in rest:
        if len(fields) != len(header):
            raise Failure(f"{path}, line {number}: {len(fields)} fields under a header of {len(header)}.")
    return header, rest


def _count(text: str) -> int | str:
    """A whole number; any other text stays for the validator to refuse, which knows why."""
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else text


_READERS: Final = {".csv": _read_csv, ".parquet": _read_columns, ".arrow": _read_columns}
