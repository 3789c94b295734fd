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
    require_small_dictionary,
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
    require_small_dictionary(feed, found.values_max)
    if found.delta:
        raise unreadable("a dictionary comes in pieces: write each whole")
    wanted = [place for place, name in enumerate(names) if is_readable(found.schema.field(place).type)]
    arrays: dict[str, Any] = dict.fromkeys(names, wrong_column(found.rows))
    if wanted:
        options = pa.ipc.IpcReadOptions(included_fields=wanted, use_threads=False)
        with pa.ipc.open_stream(pa.BufferReader(body), options=options) as stream:
            table = stream.read_all()
        _require_sane_views(table, expanded_bytes_max)
        table.validate(full=True)
        arrays |= {names[place]: _plain(table.column(names[place])) for place in wanted}
    return read_columns(feed, arrays)


def _require_sane_views(table: Any, expanded_bytes_max: int) -> None:
    """Of views of texts, which Polars writes: many may show the same bytes, which then are there as often."""
    chunks = [_texts(chunk) for column in table.columns for chunk in column.chunks]
    if sum(_viewed_bytes(chunk) for chunk in chunks if types.is_string_view(chunk.type)) > expanded_bytes_max:
        raise too_large()


def _texts(chunk: Any) -> Any:
    return chunk.dictionary if types.is_dictionary(chunk.type) else chunk


def _viewed_bytes(chunk: Any) -> int:
    """A view is 16 bytes, of which the first 4 are the length of its text (Columnar Format, variable-size views). The
    library adds up the lengths in rows of null, too, where no check of its own looks at them."""
    if not len(chunk):
        return 0
    lengths = np.frombuffer(chunk.buffers()[1], dtype=np.int32)[::4][chunk.offset : chunk.offset + len(chunk)]
    if len(lengths) != len(chunk) or lengths.min() < 0:
        raise unreadable(_NOT_ARROW)
    return int(lengths.sum(dtype=np.int64))


def _plain(column: Any) -> Any:
    """Views as texts, and those of a dictionary."""
    kind = column.type
    if types.is_dictionary(kind) and types.is_string_view(kind.value_type):
        return column.cast(pa.dictionary(kind.index_type, pa.large_string()))
    return column.cast(pa.large_string()) if types.is_string_view(kind) else column
