"""Noisy releases as bytes: one Arrow IPC stream (zstd), one row of lists, one column a vector.

The block is stored for ever, so it says itself in which version of the format it was written.
"""

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

    def decode(self, block: bytes) -> dict[str, Vector]:
        """The vectors by name, read-only. Raises BlockUnreadable."""
        try:
            with pa.ipc.open_stream(block) as reader:
                _require_known_version(reader.schema)
                table = reader.read_all()
        except (pa.ArrowException, OSError):
            raise BlockUnreadable("These bytes are not a block of vectors.") from None
        return {name: _vector_in(table.column(name)) for name in table.column_names}


def _as_list_column(vector: Vector) -> "pa.LargeListArray[Any]":
    if vector.dtype != np.int64 or vector.ndim != 1:
        raise TypeError("A block holds one-dimensional int64 vectors only.")
    return pa.LargeListArray.from_arrays(pa.array([0, len(vector)], pa.int64()), pa.array(vector, pa.int64()))


def _vector_in(column: "pa.ChunkedArray[Any]") -> Vector:
    lists = column.combine_chunks()
    if not isinstance(lists, pa.LargeListArray) or len(lists) != 1:
        raise BlockUnreadable("This block does not hold one list in each column; it may have been cut short.")
    return np.asarray(lists.values)


def _require_known_version(schema: pa.Schema) -> None:
    version = (schema.metadata or {}).get(VERSION_KEY)
    if version != VERSION:
        raise BlockUnreadable("This block was written in a format that this version of Parley does not know.")
