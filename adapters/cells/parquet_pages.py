"""What a Parquet file says of its columns and pages, read off its bytes before the library is asked.

A page says how many bytes it expands to, and the library takes as many; the sum in the footer need not agree. So the
headers of every page that is to be read are walked first, by the rule by which the library finds them. The footer is
read here too, since pyarrow's own way to its columns ends the process for some broken ones.
Source: https://parquet.apache.org/docs/file-format/ and parquet.thrift, from which the field numbers are.
"""

from dataclasses import dataclass
from typing import Final

from adapters.cells.thrift import BINARY, I32, I64, LIST, STRUCT, Reader, Struct, ThriftInvalid, require

_TAIL_BYTES: Final = 8
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
# By type of page: the field of its own header, and in that the field of the encoding.
_KINDS: Final = {_DATA: (5, 2), _DICTIONARY: (7, 2), _DATA_V2: (8, 4)}
_REPEATED: Final = 2
PAGES_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class Group:
    """A row group: its rows, and the metadata of each leaf's chunk."""

    rows: int
    chunks: list[Struct]


@dataclass(frozen=True, slots=True)
class Footer:
    """leaves: by name, the places of the columns that are neither nested nor repeated."""

    rows: int
    leaves: dict[str, int]
    groups: list[Group]


@dataclass(slots=True)
class Pages:
    """Of the columns walked so far: how many pages, and what they expand to."""

    count: int = 0
    expanded_bytes: int = 0


def read_footer(body: bytes) -> Footer:
    """Raises ThriftInvalid."""
    end = len(body) - _TAIL_BYTES
    footer = Reader(memoryview(body), end - int.from_bytes(body[-8:-4], "little"), end).struct()
    leaves, count = _leaves(footer.get(2, LIST))
    groups = [_group(group, count) for group in footer.get(4, LIST)]
    rows = int(footer.get(3, I64))
    require(rows == sum(group.rows for group in groups))
    return Footer(rows, leaves, groups)


def _leaves(elements: list[Struct]) -> tuple[dict[str, int], int]:
    """Of the schema, which is a tree written from the root on, each element with its number of children."""
    found, place = {}, 0
    open_children = [elements[0].get(5, I32)]
    for element in elements[1:]:
        while open_children and open_children[-1] == 0:
            open_children.pop()
        require(bool(open_children))
        open_children[-1] -= 1
        children = element.find(5, I32) or 0
        if children:
            open_children.append(children)
            continue
        if len(open_children) == 1 and element.find(3, I32) != _REPEATED:
            found[element.get(4, BINARY).decode("utf-8")] = place
        place += 1
    return found, place


def _group(group: Struct, leaves: int) -> Group:
    chunks, rows = group.get(1, LIST), int(group.get(3, I64))
    require(rows >= 0 and len(chunks) == leaves)
    # A chunk in another file (1), or an encrypted one (8, 9), is not to be read.
    for chunk in chunks:
        require(not chunk.find(1, BINARY) and chunk.find(8, STRUCT) is None and chunk.find(9, BINARY) is None)
    return Group(rows, [chunk.get(3, STRUCT) for chunk in chunks])


def walk(body: memoryview, chunk: Struct, rows: int, pages: Pages) -> frozenset[int]:
    """Add the pages of one column chunk of a flat column; the encodings of its data pages. Raises ThriftInvalid."""
    begin = first = chunk.get(9, I64)
    dictionary = chunk.find(11, I64)
    if dictionary is not None and 0 < dictionary < first:
        begin = dictionary
    require(chunk.get(5, I64) == rows)
    reader, seen, encodings = Reader(body, begin, begin + chunk.get(7, I64)), 0, set()
    while seen < rows:
        header = reader.struct()
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
        else:
            seen += values
            encodings.add(_size(own, encoding))
        reader.skip(sent)
    require(seen == rows)
    return frozenset(encodings)


def _size(header: Struct, field: int) -> int:
    size = int(header.get(field, I32))
    require(size >= 0)
    return size
