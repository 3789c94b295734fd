"""What a Parquet file says of its columns and pages, read off its bytes before the library is asked.

A page says how many bytes it expands to, and the library takes as many; the sum in the footer need not agree. So the
headers of every page that is to be read are walked first, by the rule by which the library finds them. This reader is
slow, and holds Python's lock: so headers are small, and no byte is read twice. The footer is read here too, since
pyarrow's own way to its columns ends the process for some broken ones.
Source: https://parquet.apache.org/docs/file-format/ and parquet.thrift, from which the field numbers are.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from adapters.cells.thrift import BINARY, I32, I64, LIST, STRUCT, Reader, Struct, ThriftInvalid, require

_TAIL_BYTES: Final = 8
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
# By type of page: the field of its own header, and in that the field of the encoding.
_KINDS: Final = {_DATA: (5, 2), _DICTIONARY: (7, 2), _DATA_V2: (8, 4)}
_REPEATED: Final = 2
PAGES_MAX: Final = 20_000
# A header has some dozen numbers, and the least and the largest value, which writers cut.
_HEADER_BYTES_MAX: Final = 16 * 1024
_HEADERS_BYTES_MAX: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Group:
    """A row group: its rows, and the metadata of each leaf's chunk."""

    rows: int
    chunks: list[Struct]


@dataclass(frozen=True, slots=True)
class Footer:
    """paths: of all leaves, in order. leaves: by name, the places of those that are neither nested nor repeated."""

    rows: int
    paths: list[list[str]]
    leaves: dict[str, int]
    groups: list[Group]


@dataclass(slots=True)
class Pages:
    """Of the columns walked so far: how many pages, what they expand to, the bytes of their headers, the values of the
    largest dictionary, and from where to where each column's are."""

    count: int = 0
    expanded_bytes: int = 0
    header_bytes: int = 0
    values_max: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)

    def require_apart(self) -> None:
        """Raises ThriftInvalid when two columns share a byte."""
        spans = sorted(self.spans)
        require(all(end <= begin for (_, end), (begin, _) in pairwise(spans)))


def read_footer(body: bytes) -> Footer:
    """Raises ThriftInvalid."""
    end = len(body) - _TAIL_BYTES
    footer = Reader(memoryview(body), end - int.from_bytes(body[-8:-4], "little"), end).struct()
    paths, leaves = _leaves(footer.get(2, LIST))
    groups = [_group(group, paths) for group in footer.get(4, LIST)]
    rows = int(footer.get(3, I64))
    require(rows == sum(group.rows for group in groups))
    return Footer(rows, paths, leaves, groups)


def _leaves(elements: list[Struct]) -> tuple[list[list[str]], dict[str, int]]:
    """Of the schema, which is a tree written from the root on, each element with its number of children: the paths of
    all leaves, and the places of those right below the root."""
    paths: list[list[str]] = []
    found: dict[str, int] = {}
    groups = [["", elements[0].get(5, I32)]]  # the open ones: name, and children to come
    for element in elements[1:]:
        while groups and groups[-1][1] == 0:
            groups.pop()
        require(bool(groups))
        groups[-1][1] -= 1
        name, children = element.get(4, BINARY).decode("utf-8"), element.find(5, I32) or 0
        is_leaf = element.find(1, I32) is not None
        require(children == 0 if is_leaf else children > 0)
        if not is_leaf:
            groups.append([name, children])
            continue
        if len(groups) == 1 and element.find(3, I32) != _REPEATED:
            found[name] = len(paths)
        paths.append([group for group, _ in groups[1:]] + [name])
    require(all(children == 0 for _, children in groups))
    return paths, found


def _group(group: Struct, paths: list[list[str]]) -> Group:
    chunks, rows = group.get(1, LIST), int(group.get(3, I64))
    require(rows >= 0)
    # A chunk in another file (1), or an encrypted one (8, 9), is not to be read.
    for chunk in chunks:
        require(not chunk.find(1, BINARY) and chunk.find(8, STRUCT) is None and chunk.find(9, BINARY) is None)
    metadata = [chunk.get(3, STRUCT) for chunk in chunks]
    require([chunk.get(3, LIST) for chunk in metadata] == [[name.encode() for name in path] for path in paths])
    return Group(rows, metadata)


def walk(body: memoryview, chunk: Struct, rows: int, pages: Pages) -> frozenset[int]:
    """Add the pages of one column chunk of a flat column; the encodings of its data pages. Raises ThriftInvalid."""
    begin = first = chunk.get(9, I64)
    dictionary = chunk.find(11, I64)
    if dictionary is not None and 0 < dictionary < first:
        begin = dictionary
    require(chunk.get(5, I64) == rows)
    end = begin + chunk.get(7, I64)
    reader, seen, encodings = Reader(body, begin, end), 0, set()
    while seen < rows:
        header = _header(body, reader, end, pages)
        kind, expanded, sent = (_size(header, field) for field in (1, 2, 3))
        pages.count += 1
        pages.expanded_bytes += expanded
        if kind not in _KINDS or pages.count > PAGES_MAX:
            raise ThriftInvalid
        place, encoding = _KINDS[kind]
        own = header.get(place, STRUCT)
        values = _size(own, 1)
        if kind == _DICTIONARY:
            require(values <= expanded // 4)  # each takes 4 bytes at least
            pages.values_max = max(pages.values_max, values)
        else:
            seen += values
            encodings.add(_size(own, encoding))
        reader.skip(sent)
    require(seen == rows)
    pages.spans.append((begin, reader.at))
    return frozenset(encodings)


def _header(body: memoryview, reader: Reader, end: int, pages: Pages) -> Struct:
    within = Reader(body, reader.at, min(end, reader.at + _HEADER_BYTES_MAX))
    header, length = within.struct(), within.at - reader.at
    reader.skip(length)
    pages.header_bytes += length
    require(pages.header_bytes <= _HEADERS_BYTES_MAX)
    return header


def _size(header: Struct, field: int) -> int:
    size = int(header.get(field, I32))
    require(size >= 0)
    return size
