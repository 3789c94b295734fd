"""Cells as CSV (RFC 4180): UTF-8, a header of the feed's fields, whole numbers in digits alone.

The library reads texts only, so that it coerces nothing; what it would let pass is refused before it looks.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from typing import Any, Final, Literal, cast

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from adapters.cells.tables import (
    locate,
    read_dimension,
    read_untrusted,
    read_written_measure,
    require_columns,
    require_names,
    unreadable,
)
from contracts.cell_columns import MOST_ODD, Column
from contracts.cells import Columns, cells_refused
from contracts.refusals import Fault
from contracts.terms import FeedTerms

_BOM: Final = b"\xef\xbb\xbf"
_HEADER_BYTES_MAX: Final = 64 * 1024
# Of memory, what is looked at at a time takes some ten times as many; no line is longer.
_BLOCK_BYTES: Final = 1 << 20
# Lines that are empty, and ends of lines in quotes.
_SPARE_LINES: Final = 1000
_QUOTE: Final = ord('"')
_BEFORE_QUOTED: Final = np.frombuffer(b',\n"', dtype=np.uint8)
_AFTER_QUOTED: Final = np.frombuffer(b',\r\n"', dtype=np.uint8)
_NOT_CSV: Final = "this is not CSV in UTF-8 (RFC 4180)"


def from_csv(body: bytes, feed: FeedTerms) -> Columns:
    """Raises CellsInvalid for what is no CSV, for a line of another length than the header, and for another header."""
    return read_untrusted(lambda: _read(body, feed), _NOT_CSV)


def _read(body: bytes, feed: FeedTerms) -> Columns:
    _require_strict(body)
    header, begin = _read_header(body)
    require_names(feed, header)
    if (lines := body.count(b"\n")) > feed.cells_per_measure + _SPARE_LINES:
        require_columns(feed, header, lines)
    wanted = [str(at) for at, name in enumerate(header) if name in feed.vocabularies or name in feed.measures]
    table = _read_texts(pa.py_buffer(body).slice(begin), len(header), wanted or ["0"])
    require_columns(feed, header, table.num_rows)
    values: dict[str, Column] = {}
    for at, name in enumerate(header):
        texts = table.column(str(at))
        vocabulary = feed.vocabularies.get(name)
        values[name] = read_written_measure(texts) if vocabulary is None else read_dimension(texts, vocabulary)
    return Columns(values, locate)


def _require_strict(body: bytes) -> None:
    """UTF-8, no NUL, no line that ends in CR alone, and quotes only around a whole field or doubled inside of one."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for block in _blocks(body):  # All of it, for the library reads uneven lines before it looks.
        decoder.decode(block)
    decoder.decode(b"", final=True)
    if b"\0" in body:
        raise unreadable("there is a NUL character in it")
    if body.count(b"\r") != body.count(b"\r\n"):
        raise unreadable("a line ends in CR alone: lines end in LF or CR LF")
    if b'"' in body and not _is_well_quoted(np.frombuffer(body, np.uint8, offset=_mark_bytes(body))):
        raise unreadable("a quote stands elsewhere than around a whole field, or is not closed")


def _blocks(body: bytes) -> Iterator[memoryview]:
    whole = memoryview(body)
    return (whole[begin : begin + _BLOCK_BYTES] for begin in range(0, len(body), _BLOCK_BYTES))


def _mark_bytes(body: bytes) -> int:
    return len(_BOM) if body.startswith(_BOM) else 0


def _is_well_quoted(text: np.ndarray[Any, np.dtype[np.uint8]]) -> bool:
    """Quotes open and close in turn; a doubled one closes a field and opens it again at once."""
    is_open = 0  # or 1
    for begin in range(0, len(text), _BLOCK_BYTES):
        quotes = begin + np.flatnonzero(text[begin : begin + _BLOCK_BYTES] == _QUOTE)
        before, after = quotes[is_open::2] - 1, quotes[1 - is_open :: 2] + 1
        opened = np.isin(text[before[before >= 0]], _BEFORE_QUOTED).all()
        closed = np.isin(text[after[after < len(text)]], _AFTER_QUOTED).all()
        if not (opened and closed):
            return False
        is_open = (is_open + len(quotes)) % 2
    return not is_open


def _read_header(body: bytes) -> tuple[list[str], int]:
    """The names, and where the first line below them begins."""
    begin = _mark_bytes(body)
    end = body.find(b"\n", begin, begin + _HEADER_BYTES_MAX)
    if end < 0 and len(body) - begin > _HEADER_BYTES_MAX:
        raise unreadable("the header is too long")
    line = body[begin : end if end >= 0 else None]
    names = next(csv.reader(io.StringIO(line.decode("utf-8"), newline=""), strict=True), [])
    if not names:
        raise unreadable("there is no header: the first line names the dimensions and measures")
    lines = end + 1 if end >= 0 else len(body)
    if body.startswith(_BOM, lines):  # which the library would pass over
        raise unreadable("a mark of the order of bytes stands elsewhere than at the start")
    return names, lines


def _read_texts(lines: pa.Buffer, width: int, wanted: list[str]) -> Any:
    """The wanted columns as texts; lines that are empty count for nothing. Raises CellsInvalid for uneven lines."""
    kinds = dict.fromkeys(wanted, pa.string())
    if not lines.size:
        return pa.table({name: pa.chunked_array([], kind) for name, kind in kinds.items()})
    uneven: list[int] = []

    def note(row: arrow_csv.InvalidRow) -> Literal["skip", "error"]:
        uneven.append(row.number or 1)
        return "skip" if len(uneven) < MOST_ODD else "error"

    names = [str(at) for at in range(width)]
    failed = False
    try:
        table = arrow_csv.read_csv(
            cast(Any, pa.BufferReader(lines)),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=names),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=arrow_csv.ConvertOptions(
                column_types=kinds, include_columns=wanted, strings_can_be_null=False, null_values=[]
            ),
        )
    except pa.ArrowInvalid:
        failed = True
    if uneven:
        message = f"a line has as many fields as the header: {width}"
        raise cells_refused([Fault(f"/rows/{number - 1}", "row_invalid", message) for number in uneven])
    if failed:
        raise unreadable(_NOT_CSV)
    return table
