"""What the messages of an Arrow stream say of themselves, before the library believes them: rows, and expanded bytes.

A compressed buffer begins with the number of bytes it expands to; the library takes as many before it looks further.
Read as the library reads it: Flatbuffers, in https://arrow.apache.org/docs/format/Columnar.html#format-ipc.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

_SCHEMA, _DICTIONARY, _BATCH = "schema", "dictionary", "record batch"
# Of older versions and of metadata beside a message, the library reads compression in another way.
_VERSION: Final = pa.ipc.MetadataVersion.V5
# The library makes some hundred bytes of each few of a schema; that of a feed takes a few kilobytes.
_METADATA_BYTES_MAX: Final = 64 * 1024
MESSAGES_MAX: Final = 10_000
_U16, _I32, _U32, _I64 = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<I"), struct.Struct("<q")


class MessagesInvalid(Exception):
    """The stream is not whole, or not what any writer writes."""


@dataclass(slots=True)
class Messages:
    """rows: of the record batches. values_max: of the largest dictionary. expanded_bytes: of all buffers.
    delta: whether a dictionary comes in pieces."""

    rows: int = 0
    values_max: int = 0
    expanded_bytes: int = 0
    delta: bool = False
    schema: Any = None


def read_messages(body: bytes) -> Messages:
    """Raises MessagesInvalid, struct.error, or an error of the library."""
    found, source = Messages(), pa.BufferReader(body)
    for count, message in enumerate(pa.ipc.MessageReader.open_stream(source)):
        metadata = message.metadata
        if metadata.size > _METADATA_BYTES_MAX or count > MESSAGES_MAX:
            raise MessagesInvalid
        # The library takes whatever header there is for the one it looks for, and reads beyond it.
        if message.type not in ((_DICTIONARY, _BATCH) if count else (_SCHEMA,)):
            raise MessagesInvalid
        flat = _message(memoryview(metadata))
        if message.metadata_version != _VERSION or flat.has(4):
            raise MessagesInvalid
        if count == 0:
            found.schema = pa.ipc.read_schema(message)
        else:
            _add(found, message.type, flat.table(2), memoryview(message.body or b""))
    if found.schema is None or source.tell() != len(body):
        raise MessagesInvalid  # What comes after the first mark of an end would be passed over.
    return found


def _message(metadata: memoryview) -> "_Table":
    return _Table(metadata, _U32.unpack_from(metadata, 0)[0])


def _add(found: Messages, kind: str, header: "_Table", body: memoryview) -> None:
    batch = header
    if kind == _DICTIONARY:
        found.delta |= header.byte(2) != 0
        batch = header.table(1)
    rows = batch.long(0)
    if rows < 0:
        raise MessagesInvalid
    if kind == _BATCH:
        found.rows += rows
    else:
        found.values_max = max(found.values_max, rows)
    compressed = batch.has(3)
    for begin, length in batch.pairs(2):
        if begin < 0 or length < 0 or begin + length > len(body):
            raise MessagesInvalid
        found.expanded_bytes += _expanded(body, begin, length) if compressed else length


def _expanded(body: memoryview, begin: int, length: int) -> int:
    if length == 0:
        return 0
    if length < 8:
        raise MessagesInvalid
    (said,) = _I64.unpack_from(body, begin)
    if said < -1:
        raise MessagesInvalid
    return length if said == -1 else int(said)


class _Table:
    """A table of Flatbuffers: a row of fields, each of them there or not."""

    def __init__(self, metadata: memoryview, at: int) -> None:
        self._metadata, self._at = metadata, at
        self._fields = at - _I32.unpack_from(metadata, at)[0]

    def has(self, field: int) -> bool:
        return self._place(field) is not None

    def byte(self, field: int) -> int:
        place = self._place(field)
        return 0 if place is None else self._metadata[place]

    def long(self, field: int) -> int:
        place = self._place(field)
        return 0 if place is None else int(_I64.unpack_from(self._metadata, place)[0])

    def table(self, field: int) -> "_Table":
        return _Table(self._metadata, self._below(field))

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """A vector of structs of two longs."""
        if not self.has(field):
            return []
        begin = self._below(field)
        (count,) = _U32.unpack_from(self._metadata, begin)
        numbers = self._metadata[begin + 4 : begin + 4 + 16 * count]
        if len(numbers) != 16 * count:
            raise MessagesInvalid
        return [(offset, length) for offset, length in struct.iter_unpack("<qq", numbers)]

    def _below(self, field: int) -> int:
        place = self._place(field)
        if place is None:
            raise MessagesInvalid
        return place + int(_U32.unpack_from(self._metadata, place)[0])

    def _place(self, field: int) -> int | None:
        if self._fields < 0:
            raise MessagesInvalid
        if 4 + 2 * field >= _U16.unpack_from(self._metadata, self._fields)[0]:
            return None
        (offset,) = _U16.unpack_from(self._metadata, self._fields + 4 + 2 * field)
        return self._at + offset if offset else None
