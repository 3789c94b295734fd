"""Columns of cells as the bytes of a table, in each format that a submission may have."""

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.cells.media_types import ARROW_STREAM as ARROW
from adapters.cells.media_types import CSV, PARQUET
from contracts.parties import JsonObject
from tests.support.small_exchange import CONTRACT

__all__ = [
    "ARROW",
    "CSV",
    "PARQUET",
    "TABLES",
    "as_arrow",
    "as_csv",
    "as_parquet",
    "faulty_tables",
    "posted_to",
    "zstd",
]
Cells = Mapping[str, list[Any]]


def as_parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def as_arrow(table: pa.Table, *, batch_rows: int | None = None, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        stream.write_table(table, max_chunksize=batch_rows)
    return sink.getvalue()


def as_csv(cells: Cells, **options: Any) -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, **options)
    writer.writerow(cells)
    writer.writerows(zip(*(["" if v is None else v for v in column] for column in cells.values()), strict=True))
    return sink.getvalue().encode()


def zstd(body: bytes) -> bytes:
    return bytes(pa.compress(body, codec="zstd", asbytes=True))


TABLES: Final[dict[str, Callable[[Cells], bytes]]] = {
    CSV: as_csv,
    PARQUET: lambda cells: as_parquet(pa.table(dict(cells))),
    ARROW: lambda cells: as_arrow(pa.table(dict(cells))),
}


def posted_to(body: JsonObject) -> str:
    """The address with the envelope of this body."""
    envelope = {name: body[name] for name in ("submission_id", "feed", "period")}
    return f"/v1/contracts/{CONTRACT}/submissions?{urlencode(envelope)}"


def faulty_tables(cells: Cells, number: int) -> dict[str, dict[str, list[Any]]]:
    """Each wrong in one way, with this number in what is wrong."""
    first, *_ = (name for name in cells if isinstance(cells[name][0], int))
    text, *_ = (name for name in cells if isinstance(cells[name][0], str))
    rest = cells[first][1:]
    return {
        "a negative count": {**cells, first: [-number, *rest]},
        "floats": {**cells, first: [float(n) for n in cells[first]]},
        "texts": {**cells, first: [f"<{n}" for n in cells[first]]},
        "a null": {**cells, first: [None, *rest]},
        "an unknown value": {**cells, text: [str(number), *cells[text][1:]]},
        "numbers for values": {**cells, text: cells[first]},
        "an unknown column": {**cells, "surprise": cells[first]},
        "a stratum twice": {name: [column[1], *column[1:]] for name, column in cells.items()},
    }
