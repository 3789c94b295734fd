"""Cells as Parquet, in memory: only the feed's columns are read, and only when they are known to fit."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.cells.parquet_pages import Footer, Pages, read_footer, walk
from adapters.cells.tables import (
    is_readable,
    is_text,
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

_MAGIC: Final = b"PAR1"
_ENCRYPTED: Final = b"PARE"
_TAIL_BYTES: Final = 8
# The library makes some hundred bytes of each few of a footer. A file of a million rows has some kilobytes.
_FOOTER_BYTES_MAX: Final = 256 * 1024
_PLAIN, _DELTA_LENGTH = 0, 6
_OF_TEXTS: Final = frozenset({_PLAIN, 2, 8})  # and the two names of dictionary indices
_OF_NUMBERS: Final = _OF_TEXTS | {3, 4, 5, 9}  # runs, bits, deltas, split bytes
_NOT_PARQUET: Final = "this is not a whole Parquet file that can be read"


def from_parquet(body: bytes, feed: FeedTerms, expanded_bytes_max: int) -> Columns:
    """Raises CellsInvalid for what is no Parquet, takes too much memory once expanded, or does not fit the feed."""
    return read_untrusted(lambda: _read(body, feed, expanded_bytes_max), _NOT_PARQUET)


def _read(body: bytes, feed: FeedTerms, expanded_bytes_max: int) -> Columns:
    _require_small_footer(body)
    footer = read_footer(body)
    file = _open(body)
    if list(map(list, file.reader.column_paths)) != footer.paths:
        raise unreadable(_NOT_PARQUET)  # The library would read another column than was looked at.
    schema = file.schema_arrow
    require_columns(feed, schema.names, footer.rows)
    wanted = [name for name in schema.names if name in footer.leaves and is_readable(schema.field(name).type)]
    of_texts = {name for name in wanted if is_text(schema.field(name).type)}
    by_length = _walk_pages(body, footer, feed, wanted, of_texts, expanded_bytes_max)
    arrays: dict[str, Any] = dict.fromkeys(schema.names, wrong_column(footer.rows))
    if wanted and footer.groups:
        table = _open(body, read_dictionary=sorted(of_texts - by_length)).read(columns=wanted, use_threads=False)
        table.validate(full=True)
        arrays |= {name: table.column(name) for name in wanted}
    elif wanted:
        arrays |= {name: pa.chunked_array([], schema.field(name).type) for name in wanted}
    return read_columns(feed, arrays)


def _require_small_footer(body: bytes) -> None:
    if body[-4:] == _ENCRYPTED:
        raise unreadable("the file is encrypted: the exchange has no key of it")
    if body[:4] != _MAGIC or body[-4:] != _MAGIC or len(body) < 4 + _TAIL_BYTES:
        raise unreadable(_NOT_PARQUET)
    if int.from_bytes(body[-8:-4], "little") > _FOOTER_BYTES_MAX:
        raise unreadable("the footer is too large: write fewer columns and larger row groups")


def _open(body: bytes, **options: Any) -> Any:
    """Of memory, and never of a file system."""
    reader: Any = pq.ParquetFile  # its stubs do not know every argument
    return reader(
        pa.BufferReader(body),
        pre_buffer=False,
        thrift_string_size_limit=_FOOTER_BYTES_MAX,
        thrift_container_size_limit=_FOOTER_BYTES_MAX,
        arrow_extensions_enabled=False,
        **options,
    )


def _walk_pages(
    body: bytes, footer: Footer, feed: FeedTerms, wanted: list[str], of_texts: set[str], expanded_bytes_max: int
) -> set[str]:
    """Which columns hold texts by their lengths and not by a dictionary. Raises CellsInvalid for too large pages, and
    for encodings in which a short page can hold long texts."""
    pages, encodings = Pages(), {name: frozenset[int]() for name in wanted}
    for group in footer.groups:
        for name in wanted:
            encodings[name] |= walk(memoryview(body), group.chunks[footer.leaves[name]], group.rows, pages)
            if pages.expanded_bytes > expanded_bytes_max:
                raise too_large()
    require_small_dictionary(feed, pages.values_max)
    pages.require_apart()
    by_length = {name for name in of_texts if encodings[name] == {_DELTA_LENGTH}}
    for name, used in encodings.items():
        if name not in by_length and not used <= (_OF_TEXTS if name in of_texts else _OF_NUMBERS):
            raise unreadable("a column has an encoding that is not taken: write texts plainly, or by a dictionary")
    return by_length
