"""Cells as an Arrow stream, in memory: only the feed's columns are read, and nothing it says of itself is believed."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import types

from adapters.cells.arrow_messages import read_messages
from adapters.cells.tables import (
    is_readable,
    read_columns,
    read_untrusted,
    require_columns,
    too_large,
    unreadable,
    wrong_column,
)
from contracts.cells import Columns
from contracts.terms import FeedTerms

_END: Final = b"\xff\xff\xff\xff\0\0\0\0"
_FILE: Final = b"ARROW1"
_NOT_ARROW: Final = "this is not a whole Arrow stream that can be read"


def from_arrow(body: bytes, feed: FeedTerms, expanded_bytes_max: int) -> Columns:
    """Raises CellsInvalid for what is no stream, takes too much memory once expanded, or does not fit the feed."""
    return read_untrusted(lambda: _read(body, feed, expanded_bytes_max), _NOT_ARROW)


def _read(body: bytes, feed: FeedTerms, expanded_bytes_max: int) -> Columns:
    if body.startswith(_FILE):
        raise unreadable("this is an Arrow file: post it as a stream")
    if not body.endswith(_END):
        raise unreadable("the stream does not say where it ends: it may have been cut off")
    found = read_messages(body)
    names = found.schema.names
    require_columns(feed, names, found.rows)
    if found.expanded_bytes > expanded_bytes_max:
        raise too_large()
    if found.delta:
        raise unreadable("a dictionary comes in pieces: write each whole")
    wanted = [place for place, name in enumerate(names) if is_readable(found.schema.field(place).type)]
    arrays: dict[str, Any] = dict.fromkeys(names, wrong_column(found.rows))
    if wanted:
        options = pa.ipc.IpcReadOptions(included_fields=wanted, use_threads=False)
        with pa.ipc.open_stream(pa.BufferReader(body), options=options) as stream:
            table = stream.read_all()
        table.validate(full=True)
        arrays |= {names[place]: _plain(table.column(names[place]), expanded_bytes_max) for place in wanted}
    return read_columns(feed, arrays)


def _plain(column: Any, expanded_bytes_max: int) -> Any:
    """Views of texts as texts: many views may show the same bytes, which then are there as often."""
    if not types.is_string_view(column.type):
        return column
    if sum(map(_viewed_bytes, column.chunks)) > expanded_bytes_max:
        raise too_large()
    return column.cast(pa.large_string())


def _viewed_bytes(chunk: Any) -> int:
    """A view is 16 bytes, of which the first 4 are the length of its text (Columnar Format, variable-size views)."""
    if not len(chunk):
        return 0
    lengths = np.frombuffer(chunk.buffers()[1], dtype=np.int32)[::4]
    return int(lengths[chunk.offset : chunk.offset + len(chunk)].sum(dtype=np.int64))
