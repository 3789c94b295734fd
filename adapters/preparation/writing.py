"""Cells files: what a preparation hands to `parley submit`, there whole or not at all.

Parquet and Arrow files say in their schema what they are of, so that nobody has to repeat it; CSV and JSON hold the
cells alone. Only strata with somebody in them are written: those that are absent are zero.
"""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.ipc as arrow_ipc
import pyarrow.parquet as pq

from contracts.terms import FeedTerms

FORMAT_VERSION: Final = 1
SUFFIXES: Final = (".parquet", ".arrow", ".csv", ".json")
PRIVATE_MODE: Final = 0o600
_METADATA: Final = b"parley"
_VALUES: Final = pa.dictionary(pa.int32(), pa.string())

Cells = Mapping[str, Sequence[Any]]


class NotCells(ValueError):
    """The file is no table of cells that can be read."""


class Taken(Exception):
    """There is a file of this name, and nobody said that it may be replaced."""


@dataclass(frozen=True, slots=True)
class CellsLabel:
    """What a cells file is of. contract_digest: None for a draft. submission_id: made once, so that posting the file
    again is a replay and no second loss."""

    contract_id: str
    contract_version: int
    contract_digest: str | None
    feed: str
    period: str
    restatement: int
    submission_id: str
    manifest_sha256: str | None
    format_version: int = FORMAT_VERSION


def encode_cells(feed: FeedTerms, cells: Cells, label: CellsLabel, suffix: str) -> bytes:
    """The bytes of a cells file. suffix: one of SUFFIXES, which says the format."""
    ordered = in_order(feed, cells)
    match suffix:
        case ".csv":
            return _csv_bytes(ordered)
        case ".json":
            return json.dumps({"columns": ordered}).encode() + b"\n"
    table = _table(feed, ordered).replace_schema_metadata({_METADATA: json.dumps(asdict(label)).encode()})
    if suffix == ".parquet":
        return _parquet_bytes(table)
    sink = pa.BufferOutputStream()
    with arrow_ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def encode_posted(feed: FeedTerms, cells: Cells) -> bytes:
    """Parquet as it is posted: the cells, and nothing of where they come from."""
    return _parquet_bytes(_table(feed, cells))


def in_order(feed: FeedTerms, cells: Cells) -> dict[str, list[Any]]:
    """Strata with anything in them, as lists, in the order of the contract's vocabularies, whatever order they came
    in: the file says nothing of the claims beyond its numbers."""
    columns = {name: list(cells[name]) for name in (*feed.dimensions, *feed.measures)}
    places = [_places(feed.vocabularies[name], columns[name]) for name in reversed(feed.dimensions)]
    order = np.lexsort(places).tolist() if places else range(len(next(iter(columns.values()))))
    kept = [i for i in order if any(columns[name][i] for name in feed.measures)]
    return {name: [column[i] for i in kept] for name, column in columns.items()}


def _places(vocabulary: Sequence[str], values: Sequence[str]) -> list[int]:
    place = {value: i for i, value in enumerate(vocabulary)}
    return [place[value] for value in values]


def read_cells_file(path: Path) -> tuple[CellsLabel | None, pa.Table]:
    """What a Parquet or Arrow file says it is of, if anything, and its table. Raises NotCells, or OSError."""
    content = path.read_bytes()
    try:
        table = pq.read_table(pa.BufferReader(content)) if path.suffix == ".parquet" else _read_arrow(content)
    except pa.ArrowException:
        form = "Parquet" if path.suffix == ".parquet" else "Arrow"
        raise NotCells(f"this is no {form} file, or not the whole of one") from None
    return _read_label(table.schema), table


def write_whole(path: Path, content: bytes, *, replace: bool) -> None:
    """A file readable by its owner alone, there whole or not at all, whatever happens on the way.

    Raises Taken for a file that is there and may not be replaced, or OSError.
    """
    beside = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists() and not replace:
            raise Taken(path)
        beside.replace(path)
        _sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _csv_bytes(columns: Cells) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def _parquet_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _table(feed: FeedTerms, columns: Cells) -> pa.Table:
    types: dict[str, pa.DataType] = {
        **dict.fromkeys(feed.dimensions, _VALUES),
        **dict.fromkeys(feed.measures, pa.int64()),
    }
    schema = pa.schema(list(types.items()))
    return pa.table({name: list(columns[name]) for name in types}, schema)


def _read_arrow(content: bytes) -> pa.Table:
    reader = pa.BufferReader(content)
    is_file = content.startswith(b"ARROW1")
    return (arrow_ipc.open_file(reader) if is_file else arrow_ipc.open_stream(reader)).read_all()


def _read_label(schema: pa.Schema) -> CellsLabel | None:
    """Raises NotCells for a label of a later version, or one that was tampered with."""
    written = (schema.metadata or {}).get(_METADATA)
    if written is None:
        return None
    try:
        label = CellsLabel(**json.loads(written))
    except (ValueError, TypeError):
        raise NotCells("what it says it is of cannot be read") from None
    if label.format_version != FORMAT_VERSION or not all(_is_sound(label, field.name) for field in fields(label)):
        raise NotCells("it was written by another version of Parley, or changed since")
    return label


def _is_sound(label: CellsLabel, name: str) -> bool:
    value = getattr(label, name)
    if name in ("contract_version", "restatement", "format_version"):
        return type(value) is int
    return isinstance(value, str) or (value is None and name in ("contract_digest", "manifest_sha256"))
