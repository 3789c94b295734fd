"""Tables made to end the process, to take its memory or its time, or to mean two things: each is refused at once.

Each is read in a child process, for some did end it.
"""

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from adapters.cells.arrow_cells import from_arrow
from adapters.cells.csv_cells import from_csv
from adapters.cells.media_types import ARROW_STREAM, CSV, PARQUET
from adapters.cells.parquet_cells import from_parquet
from contracts.cells import exact_tables
from contracts.refusals import CellsInvalid
from contracts.terms import FeedTerms
from tests.support import handmade_parquet as parquet
from tests.support.forked import in_child
from tests.support.table_bodies import as_arrow, as_csv, as_parquet
from tests.unit.terms import some_feed

FEED = some_feed()
LARGE = replace(FEED, vocabularies={"region": tuple(f"r{at}" for at in range(50_000)), "sex": ("F", "M")})
MIB = 1 << 20
LIMIT = 64 * MIB
# What a child takes beyond one that reads a good table, all that the limit allows aside.
SPARE = 48 * MIB
CELLS: dict[str, Any] = {
    "region": ["south", "west", "northeast", "south"],
    "sex": ["F", "M", "F", "M"],
    "members": [5, 6, 7, 8],
    "days_covered": [50, 60, 70, 80],
    "treatment_days": [150, 160, 170, 180],
}
TABLE = pa.table(CELLS)


def codes(body: bytes, media_type: str, feed: FeedTerms = FEED) -> str:
    """The first fault; `taken` for a good table."""
    try:
        if media_type == CSV:
            columns = from_csv(body, feed)
        else:
            columns = (from_parquet if media_type == PARQUET else from_arrow)(body, feed, LIMIT)
        exact_tables(feed, columns)
    except CellsInvalid as refused:
        return f"{refused.faults[0].pointer} {refused.faults[0].code}"
    return "taken"


def with_column(name: str, column: Any) -> pa.Table:
    return TABLE.set_column(TABLE.column_names.index(name), name, column)


def messages(stream: bytes) -> Iterator[tuple[int, int, int]]:
    """Where the metadata, the body and the next message begin, of each but the mark of the end."""
    at = 0
    while length := int.from_bytes(stream[at + 4 : at + 8], "little"):
        body = pa.ipc.read_message(pa.BufferReader(stream[at:])).body
        end = at + 8 + length + (body.size if body is not None else 0)
        yield at + 8, at + 8 + length, end
        at = end


def of_unknown_type(place: int) -> bytes:
    """The header of a message is of a type that nobody knows, so that nobody looks whether it is whole; and its first
    vector lies far beyond the end. By Message.fbs and Schema.fbs: a message's field 1 is the type of its header, field
    2 the header; field 1 of a schema is its fields, that of a batch its nodes."""
    body = bytearray(as_arrow(TABLE))
    begin, *_ = list(messages(bytes(body)))[place]

    def below(at: int) -> int:
        return at + int(struct.unpack_from("<I", body, at)[0])

    def place_of(table: int, field: int) -> int:
        fields = table - struct.unpack_from("<i", body, table)[0]
        return table + int(struct.unpack_from("<H", body, fields + 4 + 2 * field)[0])

    message = below(begin)
    body[place_of(message, 1)] = 208
    struct.pack_into("<I", body, place_of(below(place_of(message, 2)), 1), 0x7FFFFFF0)
    return bytes(body)


def of_views(lengths: list[int], data: bytes) -> pa.Array:
    """Views of the beginning of these bytes; where no length is given, or a negative one, the row is null."""
    views = b"".join(struct.pack("<i4sii", n, data[:4] if n > 0 else b"\0" * 4, 0, 0) for n in lengths)
    valid = np.packbits(np.array(lengths) > 0, bitorder="little").tobytes()
    buffers = [pa.py_buffer(valid), pa.py_buffer(views), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string_view(), len(lengths), buffers)


def of_negative_views() -> bytes:
    long = 8 * MIB
    return as_arrow(with_column("region", of_views([long, long, -long, -long], b"x" * long)))


def of_views_of_a_dictionary() -> bytes:
    long = 30 * MIB
    views = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), of_views([long] * 4, b"x" * long))
    return as_arrow(with_column("region", views))


def of_version_4() -> bytes:
    """Compression as it was tried out, which only metadata beside the message tells."""
    bomb = struct.pack("<q", 512 * MIB) + bytes(pa.compress(b"\0" * (512 * MIB), codec="zstd", asbytes=True))
    rows = -(-len(bomb) // 8)
    counts = pa.Array.from_buffers(pa.int64(), rows, [None, pa.py_buffer(bomb.ljust(rows * 8, b"\0"))])
    columns = dict.fromkeys(FEED.measures, counts) | {name: ["south"] * rows for name in FEED.dimensions}
    table = pa.table(columns)
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(metadata_version=pa.ipc.MetadataVersion.V4)
    with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        for batch in table.to_batches():
            stream.write_batch(batch, custom_metadata={"ARROW:experimental_compression": "zstd"})
    return sink.getvalue()


def of_metadata_beside_a_message() -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, TABLE.schema) as stream:
        for batch in TABLE.to_batches():
            stream.write_batch(batch, custom_metadata={"why": "because"})
    return sink.getvalue()


def of_a_negative_buffer() -> bytes:
    """One batch says that a buffer, of a column that is not read, has less than nothing; the next expands to what that
    leaves room for."""

    def stream_of(text: str, compression: str | None) -> bytes:
        columns = {"region": [text], "members": [5], "days_covered": [5], "treatment_days": [5], "sex": [b"F" * 24]}
        return as_arrow(pa.table(columns), compression=compression)

    small, large = bytearray(stream_of("s", None)), stream_of("s" * (512 * MIB), "zstd")
    (_, _, batch), (_, _, end) = messages(bytes(small))
    at = bytes(small).rindex(struct.pack("<q", 24), batch, end)
    small[at : at + 8] = struct.pack("<q", -(1 << 50))
    (_, _, first), (_, _, last) = messages(large)
    return bytes(small[:end]) + large[first:last] + large[last:]


def of_a_field_beyond_16_bits() -> bytes:
    """After field 32767 come so many that the library, which counts in 16 bits, is at field 1 again: then field 2, the
    size of the page, is said once more."""
    raw = parquet.plain(CELLS["members"]) + b"\0" * (512 * MIB)
    beyond = b"\1" + parquet.zigzag(32767) + b"\xf1" * ((65537 - 32767) // 15)
    beyond += bytes([(65537 - 32767) % 15 << 4 | 1]) if (65537 - 32767) % 15 else b""
    page = parquet.page(raw, 4, said=60, more=beyond + b"\x15" + parquet.zigzag(len(raw)))
    return parquet.table(CELLS, {"members": page})


def of_a_group_without_children() -> bytes:
    """It holds no column for the library, and one for who counts elements: the bomb is in a column before the first."""
    bomb = parquet.page(parquet.plain(CELLS["sex"]) + b"\0" * (512 * MIB), 4)
    body, chunks = b"PAR1" + bomb, [parquet.chunk("sex", parquet.BYTE_ARRAY, 4, 4, len(bomb))]
    for name, column in [*list(CELLS.items())[1:], ("treatment_days", CELLS["treatment_days"])]:
        page = parquet.page(parquet.plain(column), 4)
        chunks.append(parquet.chunk(name, parquet.kind_of(column), 4, len(body), len(page)))
        body += page
    schema = [parquet.group("region", 1), parquet.group("none", 0)]
    schema += [parquet.leaf(name, parquet.kind_of(CELLS[name])) for name in list(CELLS)[1:]]
    return parquet.file_of(body, schema, chunks[:5], 4, 5)


def of_swapped_columns() -> bytes:
    """Each chunk says of which column it is, and two stand in each other's place."""
    body, chunks = b"PAR1", []
    for name, column in CELLS.items():
        page = parquet.page(parquet.plain(column), 4)
        chunks.append(parquet.chunk(name, parquet.kind_of(column), 4, len(body), len(page)))
        body += page
    schema = [parquet.leaf(name, parquet.kind_of(column)) for name, column in CELLS.items()]
    return parquet.file_of(body, schema, [chunks[1], chunks[0], *chunks[2:]], 4, 5)


def of_a_large_header() -> bytes:
    """An unknown field of a page's header is a list of empty structures, which took a minute to read."""
    empty = 4 * MIB
    more = bytes([15 << 4 | parquet.LIST, 0xF0 | parquet.STRUCT]) + parquet.varint(empty) + b"\0" * empty
    return parquet.table(CELLS, {"members": parquet.page(parquet.plain(CELLS["members"]), 4, more=more)})


def of_one_page_for_all() -> bytes:
    """Three columns are the same bytes."""
    page = parquet.page(parquet.plain(CELLS["members"]), 4)
    cells = {"region": CELLS["region"], "sex": CELLS["sex"]} | dict.fromkeys(list(CELLS)[2:], CELLS["members"])
    body, chunks = b"PAR1" + page, []
    for name, column in cells.items():
        begin = 4
        if name in FEED.vocabularies:
            texts = parquet.page(parquet.plain(column), 4)
            begin, body = len(body), body + texts
        length = len(body) - begin if name in FEED.vocabularies else len(page)
        chunks.append(parquet.chunk(name, parquet.kind_of(column), 4, begin, length))
    schema = [parquet.leaf(name, parquet.kind_of(column)) for name, column in cells.items()]
    return parquet.file_of(body, schema, chunks, 4, 5)


def of_a_dictionary_of_parquet() -> bytes:
    """Texts of no length, of which a byte or less is sent for each, and none is of a row but the first."""
    values = LIMIT // 4 - 1000
    dictionary = parquet.page(b"\0" * (4 * values), values, dictionary=True)
    run = parquet.varint(4 << 1) + b"\1"
    raw = struct.pack("<i", len(run)) + run + b"\1" + parquet.varint(4 << 1) + b"\0"
    indices = parquet.page(raw, 4).replace(b"\x15\x08\x15\x00", b"\x15\x08\x15\x10", 1)  # by a dictionary (8)
    return _with_region(dictionary, indices)


def _with_region(dictionary: bytes, indices: bytes) -> bytes:
    body, chunks = b"PAR1", []
    for name, column in CELLS.items():
        begin, first = len(body), None
        if name == "region":
            first = begin + len(dictionary)
            body += dictionary + indices
        else:
            body += parquet.page(parquet.plain(column), 4)
        chunks.append(parquet.chunk(name, parquet.kind_of(column), 4, begin, len(body) - begin, first))
    schema = [parquet.leaf(name, parquet.kind_of(column)) for name, column in CELLS.items()]
    return parquet.file_of(body, schema, chunks, 4, 5)


def of_a_dictionary_of_arrow() -> bytes:
    texts = pa.array([""] * 1_000_000)
    return as_arrow(with_column("region", pa.DictionaryArray.from_arrays(pa.array([0] * 4), texts)))


def of_csv(fill: bytes) -> bytes:
    head = as_csv(CELLS).splitlines(keepends=True)[0]
    return head + fill * (LIMIT // len(fill))


HOSTILE: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "Arrow: a schema of unknown type": (lambda: of_unknown_type(0), ARROW_STREAM, "table_unreadable"),
    "Arrow: a batch of unknown type": (lambda: of_unknown_type(1), ARROW_STREAM, "table_unreadable"),
    "Arrow: views of negative length": (of_negative_views, ARROW_STREAM, "table_unreadable"),
    "Arrow: a dictionary of long views": (of_views_of_a_dictionary, ARROW_STREAM, "table_too_large"),
    "Arrow: version 4": (of_version_4, ARROW_STREAM, "table_unreadable"),
    "Arrow: metadata beside a message": (of_metadata_beside_a_message, ARROW_STREAM, "table_unreadable"),
    "Arrow: a negative buffer": (of_a_negative_buffer, ARROW_STREAM, "table_unreadable"),
    "Arrow: two streams": (lambda: as_arrow(TABLE) * 2, ARROW_STREAM, "table_unreadable"),
    "Arrow: a large dictionary": (of_a_dictionary_of_arrow, ARROW_STREAM, "table_unreadable"),
    "Parquet: a field beyond 16 bits": (of_a_field_beyond_16_bits, PARQUET, "table_unreadable"),
    "Parquet: a group without children": (of_a_group_without_children, PARQUET, "table_unreadable"),
    "Parquet: a chunk of another column": (of_swapped_columns, PARQUET, "table_unreadable"),
    "Parquet: a large header": (of_a_large_header, PARQUET, "table_unreadable"),
    "Parquet: one page for all": (of_one_page_for_all, PARQUET, "table_unreadable"),
    "Parquet: a large dictionary": (of_a_dictionary_of_parquet, PARQUET, "table_unreadable"),
    "CSV: quotes": (lambda: of_csv(b'""'), CSV, "table_unreadable"),
    "CSV: commas": (lambda: of_csv(b","), CSV, "table_unreadable"),
    "CSV: lines of nothing": (lambda: of_csv(b"\n"), CSV, "too_many_strata"),
    "CSV: lines of quotes": (lambda: of_csv(b'"","","","",""\n'), CSV, "too_many_strata"),
}


@pytest.fixture(scope="module")
def memory_of_a_good_table() -> int:
    told, memory = in_child(lambda: codes(as_arrow(TABLE), ARROW_STREAM) + codes(as_parquet(TABLE), PARQUET))
    assert told == "takentaken"
    return memory


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_table_is_refused_before_it_takes_hold(name: str, memory_of_a_good_table: int) -> None:
    make, media_type, code = HOSTILE[name]
    body = make()
    idle = in_child(lambda: "")[1]
    feed = LARGE if make is of_version_4 else FEED
    told, memory = in_child(lambda: codes(body, media_type, feed))
    assert told == f"/columns {code}"
    assert memory - max(idle, memory_of_a_good_table) < SPARE


def test_parquet_written_by_hand_is_good_when_it_tells_the_truth() -> None:
    assert codes(parquet.table(CELLS), PARQUET) == "taken"


def test_texts_by_views_are_taken_and_those_of_a_dictionary() -> None:
    views = pa.array(CELLS["region"], pa.string_view())
    coded = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3], pa.uint32()), views)
    for column in (views, coded):
        assert codes(as_arrow(with_column("region", column)), ARROW_STREAM) == "taken"


def test_half_precision_is_the_same_fault_in_parquet_as_in_arrow() -> None:
    halves = with_column("members", pa.array([5, 6, 7, 8], pa.float16()))
    told = [codes(as_arrow(halves), ARROW_STREAM), codes(as_parquet(halves), PARQUET)]
    assert told == ["/columns/members/0 not_an_integer"] * 2
