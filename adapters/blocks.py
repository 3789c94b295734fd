"""Noisy releases as bytes: one Arrow IPC stream (zstd), one row of lists, one column a vector.

The block is stored for ever, so it says itself in which version of the format it was written.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from privacy.arrays import Vector

VERSION_KEY: Final = b"parley-block-version"
VERSION: Final = b"1"


class BlockUnreadable(Exception):
    """The bytes are no block, or one of a version that this program does not know."""


class ArrowBlockFormat:
    """Vectors of different lengths share a block, which is why each is one list in a single row."""

    def encode(self, vectors: dict[str, Vector]) -> bytes:
        """Equal vectors give equal bytes. Raises TypeError unless each is one-dimensional int64."""
        columns = {name: _as_list_column(vector) for name, vector in vectors.items()}
        schema = pa.schema(
            [pa.field(name, column.type, nullable=False) for name, column in columns.items()],
            metadata={VERSION_KEY: VERSION},
        )
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_batch(pa.record_batch(list(columns.values()), schema=schema))
        return sink.getvalue().to_pybytes()

    def decode(self, block: bytes, names: Sequence[str] | None = None) -> dict[str, Vector]:
        """The vectors by name, read-only. names: only these are expanded; None: all. Raises BlockUnreadable."""
        try:
            with pa.ipc.open_stream(block) as reader:
                schema = reader.schema
                _require_known_version(schema)
                table = reader.read_all() if names is None else _read_only(block, schema, names)
        except (pa.ArrowException, OSError, KeyError):
            raise BlockUnreadable("These bytes are not a block of vectors.") from None
        return {name: _vector_in(table.column(name)) for name in table.column_names}


def _read_only(block: bytes, schema: pa.Schema, names: Sequence[str]) -> pa.Table:
    """Raises KeyError for a name that the block does not have."""
    places = {name: place for place, name in enumerate(schema.names)}
    # A few short columns: threads would only wait for one another.
    options = pa.ipc.IpcReadOptions(included_fields=[places[name] for name in names], use_threads=False)
    with pa.ipc.open_stream(block, options=options) as reader:
        return reader.read_all()


def _as_list_column(vector: Vector) -> "pa.LargeListArray[Any]":
    if vector.dtype != np.int64 or vector.ndim != 1:
        raise TypeError("A block holds one-dimensional int64 vectors only.")
    return pa.LargeListArray.from_arrays(pa.array([0, len(vector)], pa.int64()), pa.array(vector, pa.int64()))


def _vector_in(column: "pa.ChunkedArray[Any]") -> Vector:
    lists = column.combine_chunks()
    if not isinstance(lists, pa.LargeListArray) or len(lists) != 1:
        raise BlockUnreadable("This block does not hold one list in each column; it may have been cut short.")
    values = lists.flatten()
    if values.type != pa.int64() or values.null_count:
        raise BlockUnreadable("This block holds something else than whole numbers.")
    numbers = values.buffers()[1]
    if numbers is None or not len(values):
        return np.zeros(0, dtype=np.int64)
    # Not np.asarray: pyarrow loads pandas for that, where it is installed, which takes a third of a second.
    return np.frombuffer(memoryview(numbers).toreadonly(), dtype=np.int64, offset=8 * values.offset, count=len(values))


def _require_known_version(schema: pa.Schema) -> None:
    version = (schema.metadata or {}).get(VERSION_KEY)
    if version != VERSION:
        raise BlockUnreadable("This block was written in a format that this version of Parley does not know.")
