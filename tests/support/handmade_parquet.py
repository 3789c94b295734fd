"""Parquet written by hand, byte by byte, so that it can say what no writer says (parquet.thrift has the numbers)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

TRUE, I32, I64, BINARY, LIST, STRUCT = 1, 5, 6, 8, 9, 12
INT64, BYTE_ARRAY = 2, 6
_ZSTD: Final = 6
Column = Sequence[int] | Sequence[str]


@dataclass(frozen=True)
class Struct:
    """Fields in order: number, type and value."""

    fields: tuple[tuple[int, int, Any], ...]

    def to_bytes(self) -> bytes:
        written, last = b"", 0
        for number, kind, value in self.fields:
            step = number - last
            written += bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + zigzag(number)
            written += _value(kind, value)
            last = number
        return written + b"\0"


def of(*fields: tuple[int, int, Any]) -> Struct:
    return Struct(fields)


def varint(number: int) -> bytes:
    written = b""
    while number >= 0x80:
        written += bytes([number & 0x7F | 0x80])
        number >>= 7
    return written + bytes([number])


def zigzag(number: int) -> bytes:
    return varint(number * 2 if number >= 0 else -number * 2 - 1)


def _value(kind: int, value: Any) -> bytes:
    if kind in (I32, I64):
        return zigzag(value)
    if kind == BINARY:
        return varint(len(value)) + value.encode()
    if kind == LIST:
        element, items = value
        head = bytes([len(items) << 4 | element]) if len(items) < 15 else bytes([0xF0 | element]) + varint(len(items))
        return head + b"".join(_value(element, item) for item in items)
    return bytes(value.to_bytes()) if kind == STRUCT else b""


def plain(column: Column) -> bytes:
    """All there, none null, each as it is."""
    run = varint(len(column) << 1) + b"\1"
    return struct.pack("<i", len(run)) + run + plain_values(column)


def plain_values(column: Column) -> bytes:
    if isinstance(column[0], int):
        return struct.pack(f"<{len(column)}q", *column)
    return b"".join(struct.pack("<i", len(text)) + str(text).encode() for text in column)


def page(raw: bytes, values: int, *, said: int | None = None, more: bytes = b"", dictionary: bool = False) -> bytes:
    """said: the bytes it expands to, where that is a lie. more: fields after the header's last."""
    sent = bytes(pa.compress(raw, codec="zstd", asbytes=True))
    own = (7, STRUCT, of((1, I32, values), (2, I32, 0)))
    if not dictionary:
        own = (5, STRUCT, of((1, I32, values), (2, I32, 0), (3, I32, 3), (4, I32, 3)))
    size = len(raw) if said is None else said
    header = of((1, I32, 2 if dictionary else 0), (2, I32, size), (3, I32, len(sent)), own)
    return header.to_bytes()[:-1] + more + b"\0" + sent


def chunk(name: str, kind: int, rows: int, begin: int, length: int, first: int | None = None) -> Struct:
    """first: where the data pages begin, after those of a dictionary."""
    data = begin if first is None else first
    numbers = [(4, I32, _ZSTD), (5, I64, rows), (6, I64, 99), (7, I64, length), (9, I64, data)]
    dictionary = [] if first is None else [(11, I64, begin)]
    metadata = of((1, I32, kind), (2, LIST, (I32, [0, 3, 8])), (3, LIST, (BINARY, [name])), *numbers, *dictionary)
    return of((2, I64, 0), (3, STRUCT, metadata))


def leaf(name: str, kind: int) -> Struct:
    return of((1, I32, kind), (3, I32, 1), (4, BINARY, name), *([(6, I32, 0)] if kind == BYTE_ARRAY else []))


def group(name: str, children: int) -> Struct:
    return of((3, I32, 1), (4, BINARY, name), (5, I32, children))


def file_of(body: bytes, schema: list[Struct], chunks: list[Struct], rows: int, columns: int) -> bytes:
    """columns: right below the root."""
    elements = [of((3, I32, 0), (4, BINARY, "root"), (5, I32, columns)), *schema]
    groups = [of((1, LIST, (STRUCT, chunks)), (2, I64, 1), (3, I64, rows))]
    numbers = ((1, I32, 1), (2, LIST, (STRUCT, elements)), (3, I64, rows), (4, LIST, (STRUCT, groups)))
    footer = of(*numbers).to_bytes()
    return body + footer + struct.pack("<i", len(footer)) + b"PAR1"


def kind_of(column: Column) -> int:
    return INT64 if isinstance(column[0], int) else BYTE_ARRAY


def table(cells: dict[str, Any], pages: dict[str, bytes] | None = None) -> bytes:
    """These cells; of some columns, the pages as given."""
    body, chunks = b"PAR1", []
    for name, column in cells.items():
        sent = (pages or {}).get(name) or page(plain(column), len(column))
        chunks.append(chunk(name, kind_of(column), len(column), len(body), len(sent)))
        body += sent
    schema = [leaf(name, kind_of(column)) for name, column in cells.items()]
    return file_of(body, schema, chunks, len(next(iter(cells.values()))), len(cells))
