"""The same cells in every format, by every encoding: the same dense tables, or the same faults, as in JSON."""

import csv
import gzip
import json
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.cells import csv_cells
from adapters.cells.arrow_cells import from_arrow
from adapters.cells.csv_cells import from_csv
from adapters.cells.parquet_cells import from_parquet
from adapters.cells.rows import from_columns
from api.encodings import expand
from contracts.cells import Columns, exact_tables
from contracts.refusals import CellsInvalid
from tests.support.table_bodies import as_arrow, as_csv, as_parquet, zstd
from tests.unit.terms import some_feed

FEED = some_feed()
STRATA = list(product(*FEED.vocabularies.values()))
LIMIT = 1_000_000
Values = dict[str, list[Any]]
Outcome = dict[str, list[Any]] | list[tuple[str, str, str]]


def outcome(make: Callable[[], Columns]) -> Outcome:
    """The tables, or the faults."""
    try:
        return {name: table.tolist() for name, table in exact_tables(FEED, make()).items()}
    except CellsInvalid as refusal:
        return [(fault.pointer, fault.code, fault.message) for fault in refusal.faults]


@pytest.mark.parametrize("block_bytes", [64, 65, 97, 1000])
def test_csv_is_read_the_same_in_blocks_of_any_size(block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values: Values = {name: [stratum[at] for stratum in STRATA] for at, name in enumerate(FEED.dimensions)}
    values |= {name: list(range(len(STRATA))) for name in FEED.measures}
    good = as_csv(values, quoting=csv.QUOTE_ALL)
    bodies = [
        good,
        good + b'"west"\r\n',
        good + b'"west',
        good[:-4] + b'x"\r\n',
        good + b"\xc3\xb8\r\n",
        good + b"\xc3",
    ]
    whole = [outcome(lambda body=body: from_csv(body, FEED)) for body in bodies]  # type: ignore[misc]
    monkeypatch.setattr(csv_cells, "_BLOCK_BYTES", block_bytes)
    assert [outcome(lambda body=body: from_csv(body, FEED)) for body in bodies] == whole  # type: ignore[misc]
    assert (isinstance(whole[0], dict), whole[1][0][:2]) == (True, (f"/rows/{len(STRATA)}", "row_invalid"))  # type: ignore[index]


def table_of(values: Mapping[str, list[Any]], coded: bool = False) -> pa.Table:
    """coded: texts by a dictionary."""
    arrays = {name: pa.array(column) if column else pa.array([], _kind(name)) for name, column in values.items()}
    if coded:
        arrays = {n: a.dictionary_encode() if pa.types.is_string(a.type) else a for n, a in arrays.items()}
    return pa.table(arrays)


def _kind(name: str) -> pa.DataType:
    return pa.int64() if name in FEED.measures else pa.string()


def as_views(table: pa.Table) -> pa.Table:
    """Texts as Polars writes them."""
    kinds = [pa.string_view() if pa.types.is_string(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.schema.names, kinds, strict=True))))


BY_TABLE: dict[str, Callable[[Values], Columns]] = {
    "Parquet": lambda v: from_parquet(as_parquet(table_of(v)), FEED, LIMIT),
    "Parquet by zstd pages": lambda v: from_parquet(as_parquet(table_of(v), compression="zstd"), FEED, LIMIT),
    "Parquet of pages version 2": lambda v: from_parquet(as_parquet(table_of(v), data_page_version="2.0"), FEED, LIMIT),
    "Parquet in plain texts": lambda v: from_parquet(as_parquet(table_of(v), use_dictionary=False), FEED, LIMIT),
    "Parquet of small groups": lambda v: from_parquet(as_parquet(table_of(v, True), row_group_size=2), FEED, LIMIT),
    "Arrow": lambda v: from_arrow(as_arrow(table_of(v)), FEED, LIMIT),
    "Arrow by dictionary": lambda v: from_arrow(as_arrow(table_of(v, True), batch_rows=2), FEED, LIMIT),
    "Arrow of views": lambda v: from_arrow(as_arrow(as_views(table_of(v))), FEED, LIMIT),
    "Arrow by lz4 buffers": lambda v: from_arrow(as_arrow(table_of(v), compression="lz4"), FEED, LIMIT),
    "Parquet by gzip": lambda v: from_parquet(
        expand(gzip.compress(as_parquet(table_of(v))), "gzip", LIMIT), FEED, LIMIT
    ),
    "Arrow by zstd": lambda v: from_arrow(expand(zstd(as_arrow(table_of(v))), "zstd", LIMIT), FEED, LIMIT),
}
BY_CSV: dict[str, Callable[[Values], Columns]] = {
    "CSV": lambda v: from_csv(as_csv(v), FEED),
    "CSV in quotes": lambda v: from_csv(as_csv(v, quoting=csv.QUOTE_ALL, lineterminator="\n"), FEED),
    "CSV with a mark of its order": lambda v: from_csv(b"\xef\xbb\xbf" + as_csv(v), FEED),
    "CSV by zstd": lambda v: from_csv(expand(zstd(as_csv(v)), "zstd", LIMIT), FEED),
}


@st.composite
def posted(draw: st.DrawFn) -> Values:
    """Mostly right; some strata twice, some values unknown, some counts that break an invariant or every bound. One
    column may be left out, or another be there."""
    strata = draw(st.lists(st.sampled_from(STRATA), max_size=8, unique=draw(st.booleans())))
    count = st.integers(0, 50) | st.sampled_from([-1, 0, 10**12, 10**12 + 1, 2**62, -(2**63)])
    text = st.sampled_from(["?", "", "Søuth", 'a"b', "a,b", "a\nb", "<11"])
    values: Values = {name: [stratum[at] for stratum in strata] for at, name in enumerate(FEED.dimensions)}
    for name in FEED.measures:
        values[name] = [draw(count) if draw(st.integers(0, 9)) == 0 else 10 for _ in strata]
    if strata and draw(st.integers(0, 2)) == 0:
        values[draw(st.sampled_from(FEED.dimensions))][draw(st.integers(0, len(strata) - 1))] = draw(text)
    if draw(st.integers(0, 9)) == 0:
        del values[draw(st.sampled_from(list(values)))]
    if draw(st.integers(0, 9)) == 0:
        values["another"] = [1] * len(strata)
    return {name: values[name] for name in draw(st.permutations(list(values)))}


@settings(max_examples=25, deadline=None)
@given(posted())
def test_the_same_cells_give_the_same_tables_or_the_same_faults_in_every_format(values: Values) -> None:
    expected = outcome(lambda: from_columns(json.loads(json.dumps(values)), FEED))
    for name, read in (BY_TABLE | BY_CSV).items():
        assert outcome(lambda read=read: read(values)) == expected, name  # type: ignore[misc]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(posted(), st.data())
def test_nulls_are_the_same_faults_in_every_format_that_has_them(values: Values, data: st.DataObject) -> None:
    if values and values[next(iter(values))]:
        name = data.draw(st.sampled_from(list(values)))
        values[name][data.draw(st.integers(0, len(values[name]) - 1))] = None
    if any(all(value is None for value in column) for column in values.values()):
        values = {name: [*column, STRATA[0][0]][:0] for name, column in values.items()}
    expected = outcome(lambda: from_columns(values, FEED))
    for name, read in BY_TABLE.items():
        assert outcome(lambda read=read: read(values)) == expected, name  # type: ignore[misc]


WRONG: dict[str, list[Any]] = {
    "floats": [1.0, 2.5],
    "floats with a null": [1.0, None],
    "texts of digits": ["1", "2"],
    "a suppressed cell among texts": ["<11", "2"],
    "booleans": [True, False],
    "lists": [[1], [2]],
    "objects": [{"a": 1}, {"a": 2}],
    "nulls alone": [None, None],
}


@pytest.mark.slow
def test_a_column_of_another_type_is_the_same_fault_in_every_row() -> None:
    right: Values = {"region": ["south", "west"], "sex": ["F", "F"], **{name: [0, 0] for name in FEED.measures}}
    for (why, column), field in product(WRONG.items(), ("members", "region")):
        values = {**right, field: column}
        expected = outcome(lambda values=values: from_columns(values, FEED))  # type: ignore[misc]
        if field == "region" and why.endswith("texts of digits"):
            assert [fault[1] for fault in expected] == ["value_unknown", "value_unknown"]
        for name, read in BY_TABLE.items():
            if why in ("lists", "objects", "nulls alone") and name == "Arrow of views":
                continue  # there is nothing to view
            assert outcome(lambda read=read, values=values: read(values)) == expected, (why, field, name)  # type: ignore[misc]


def test_integers_of_every_width_and_beyond_63_bits_are_what_they_say() -> None:
    for kind in (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()):
        table = table_of({"region": ["south"], "sex": ["F"], **{name: [7] for name in FEED.measures}})
        table = table.set_column(2, "members", pa.array([100], kind))
        for body, read in ((as_parquet(table), from_parquet), (as_arrow(table), from_arrow)):
            found = exact_tables(FEED, read(body, FEED, LIMIT))
            assert (found["members"].dtype, found["members"].sum()) == (np.int64, 100)
    huge = table.set_column(2, "members", pa.array([2**64 - 1], pa.uint64()))
    for body, read in ((as_parquet(huge), from_parquet), (as_arrow(huge), from_arrow)):
        assert [fault[1] for fault in outcome(lambda b=body, r=read: r(b, FEED, LIMIT))] == ["count_too_large"]  # type: ignore[misc]
