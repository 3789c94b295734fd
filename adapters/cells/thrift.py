"""Thrift's compact protocol, as far as Parquet writes it, read strictly: nothing that a lenient reader would understand
in another way (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md)."""

from collections.abc import Callable
from typing import Any, Final

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, _MAP, STRUCT = range(1, 13)
_BITS: Final = {I16: 16, I32: 32, I64: 64}
_DEPTH_MAX: Final = 12
_FIELD_MAX: Final = (1 << 15) - 1


class ThriftInvalid(Exception):
    """This is not what any writer writes."""


def require(holds: bool) -> None:
    if not holds:
        raise ThriftInvalid


class Struct:
    """Fields by their number, each of one type: one of another type is as good as absent to the library."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[int, tuple[int, Any]]) -> None:
        self._fields = fields

    def find(self, field: int, kind: int) -> Any:
        """None when it is absent. Raises ThriftInvalid for another type."""
        found, value = self._fields.get(field, (kind, None))
        require(found == kind)
        return value

    def get(self, field: int, kind: int) -> Any:
        """Raises ThriftInvalid when it is absent, too."""
        value = self.find(field, kind)
        require(value is not None)
        return value


class Reader:
    """Of the bytes from `at` to `end`."""

    def __init__(self, body: memoryview, at: int, end: int) -> None:
        require(0 <= at <= end <= len(body))
        self._body, self._at, self._end = body, at, end

    @property
    def at(self) -> int:
        return self._at

    def skip(self, count: int) -> None:
        require(0 <= count <= self._end - self._at)
        self._at += count

    def struct(self, depth: int = 0) -> Struct:
        require(depth < _DEPTH_MAX)
        found: dict[int, tuple[int, Any]] = {}
        field = 0
        while (head := self._byte()) != 0:
            kind = head & 0x0F
            last, field = field, field + (head >> 4) if head >> 4 else self._number(I16)
            # The library counts in 16 bits, in which a field beyond them would be one of the first again.
            require(last < field <= _FIELD_MAX)
            found[field] = kind, self._value(kind, depth)
        return Struct(found)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (TRUE, FALSE):
            return kind == TRUE
        return self._element(kind, depth)

    def _element(self, kind: int, depth: int) -> Any:
        """Of a list, where a truth value takes a byte of its own."""
        readers: dict[int, Callable[[], Any]] = {
            TRUE: self._byte,
            FALSE: self._byte,
            BYTE: self._byte,
            DOUBLE: lambda: self.skip(8),
            BINARY: self._binary,
            LIST: lambda: self._list(depth + 1),
            SET: lambda: self._list(depth + 1),
            STRUCT: lambda: self.struct(depth + 1),
        }
        if kind in _BITS:
            return self._number(kind)
        require(kind in readers)
        return readers[kind]()

    def _list(self, depth: int) -> list[Any]:
        require(depth < _DEPTH_MAX)
        head = self._byte()
        size, kind = head >> 4, head & 0x0F
        if size == 15:
            size = self._varint()
        require(size <= self._end - self._at)
        return [self._element(kind, depth) for _ in range(size)]

    def _binary(self) -> bytes:
        length = self._varint()
        begin = self._at
        self.skip(length)
        return bytes(self._body[begin : self._at])

    def _number(self, kind: int) -> int:
        coded = self._varint()
        require(coded < 1 << _BITS[kind])
        return (coded >> 1) ^ -(coded & 1)

    def _varint(self) -> int:
        number = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise ThriftInvalid

    def _byte(self) -> int:
        require(self._at < self._end)
        self._at += 1
        return self._body[self._at - 1]
