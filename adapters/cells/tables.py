"""Columns of Arrow as columns of cells: what CSV, Parquet and Arrow streams have in common.

No value of a row becomes a Python object but the first that are wrong, and no text of the library leaves this package:
it can hold what was posted.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from contracts.cell_columns import MOST_ODD, Column, Counts, Positions
from contracts.cells import Columns, cells_refused, require_fields
from contracts.refusals import CellsInvalid, Fault, first_faults
from contracts.terms import FeedTerms

# A whole number as it is written in JSON or CSV; more digits than 18 are more than any count may have.
WHOLE_NUMBER: Final = r"\A-?[0-9]{1,18}\z"
# Any other name may be a value: of the first row, where a header was left out.
_LIKE_A_NAME: Final = re.compile(r"[A-Za-z_]")
# Longer texts are in no vocabulary and mark no suppressed cell.
_TEXT_MAX: Final = 100
# Of a feed of fewer strata.
_DICTIONARY_VALUES_MAX: Final = 10_000
_READABLE: Final = (types.is_integer, types.is_float32, types.is_float64, types.is_boolean, types.is_null)
Array = Any  # pyarrow's arrays, whose stubs know no common base that can be computed with
Read = TypeVar("Read")


def locate(name: str, index: int | None) -> str:
    """As in JSON by columns: /columns/<name>/<row>, the first row below a header being 0."""
    if not name:
        return "/columns"
    escaped = name.replace("~", "~0").replace("/", "~1")  # RFC 6901 section 3
    return f"/columns/{escaped}" + ("" if index is None else f"/{index}")


def unreadable(message: str) -> CellsInvalid:
    return cells_refused([Fault("/columns", "table_unreadable", message)])


def too_large() -> CellsInvalid:
    message = "the table takes more memory, once it is expanded, than this exchange gives to one"
    return cells_refused([Fault("/columns", "table_too_large", message)])


def read_untrusted(read: Callable[[], Read], message: str) -> Read:
    """What `read` gives. Raises CellsInvalid: its own, or one with this message for whatever the library says."""
    try:
        return read()
    except CellsInvalid:
        raise
    except Exception:  # noqa: S110
        pass  # Raised below, outside the handler: a chained exception would carry the library's text.
    raise unreadable(message)


def require_columns(feed: FeedTerms, names: Sequence[str], rows: int) -> None:
    """Each field of the feed once, and no more rows than strata: before any column is read. Raises CellsInvalid."""
    require_names(feed, names)
    twice = (name for name, times in Counter(names).items() if times > 1)
    message = "this column stands more than once"
    faults = first_faults(Fault(locate(name, None), "column_repeated", message) for name in twice)
    if faults:
        raise cells_refused(faults)
    require_fields(feed, dict.fromkeys(names, rows), locate)


def require_names(feed: FeedTerms, names: Sequence[str]) -> None:
    """Raises CellsInvalid for what is no header, but a first row: it tells no name then."""
    if names and feed.vocabularies.keys().isdisjoint(names) and set(feed.measures).isdisjoint(names):
        raise unreadable("no column has a name of the feed's: is there a header?")
    if not all(map(_LIKE_A_NAME.match, names)):
        raise unreadable("a column has a name that begins with no letter: is there a header?")


def require_small_dictionary(feed: FeedTerms, values: int) -> None:
    """No more values than any column of the feed can need; a category that occurs in no row is one, too."""
    if values > max(feed.cells_per_measure, _DICTIONARY_VALUES_MAX):
        raise unreadable("a dictionary has more values than the feed has strata")


def read_columns(feed: FeedTerms, arrays: Mapping[str, Array]) -> Columns:
    """arrays: every column of the feed as one chunked array, validated, or as `wrong_column`."""
    values: dict[str, Column] = {}
    for name, array in arrays.items():
        if isinstance(array, Counts):
            values[name] = array
        elif name in feed.vocabularies:
            values[name] = read_dimension(array, feed.vocabularies[name])
        else:
            values[name] = read_measure(array)
    return Columns(values, locate)


def is_text(kind: pa.DataType) -> bool:
    if types.is_dictionary(kind):
        kind = kind.value_type
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def is_readable(kind: pa.DataType) -> bool:
    """Whether a column of this type may be read at all: any other is wrong in every row, whatever it holds."""
    return is_text(kind) or any(is_kind(kind) for is_kind in _READABLE)


def read_dimension(column: Array, vocabulary: Sequence[str]) -> Positions:
    """Where each text stands in the vocabulary, looked up once a value of the column's dictionary if it has one."""
    if not is_text(column.type):
        return Positions(np.full(len(column), -1, dtype=np.int64))
    known = pa.array(vocabulary, pa.string())
    chunks = [_positions(chunk, known) for chunk in column.chunks]
    return Positions(np.concatenate(chunks) if chunks else np.zeros(0, dtype=np.int64))


def _positions(chunk: Array, known: Array) -> Any:
    if types.is_dictionary(chunk.type):
        found = _look_up(chunk.dictionary, known).take(chunk.indices)
    else:
        found = _look_up(chunk, known)
    return found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def _look_up(texts: Array, known: Array) -> Array:
    return pc.index_in(texts, value_set=known.cast(texts.type), skip_nulls=True)


def read_measure(column: Array) -> Counts:
    """Integers of any width as they are; of all else, and of nulls, the first entries as they were posted."""
    if not types.is_integer(column.type):
        return Counts(np.zeros(len(column), dtype=np.int64), _first_values(column))
    odd: dict[int, Any] = {}
    if column.null_count:
        odd = dict.fromkeys(pc.indices_nonzero(column.is_null())[:MOST_ODD].to_pylist())
        column = pc.fill_null(column, 0)
    if types.is_uint64(column.type):
        # Above 63 bits is too large as 2^63 - 1 is.
        column = pc.min_element_wise(column, pa.scalar(2**63 - 1, pa.uint64()))
    return Counts(_numbers(column), odd)


def read_written_measure(column: Array) -> Counts:
    """Whole numbers written in digits, as in CSV: a minus at most, no plus, no blank, no fraction, no exponent."""
    whole: Array = pc.match_substring_regex(column, WHOLE_NUMBER)
    written_otherwise: Array = pc.invert(whole)
    wrong = pc.indices_nonzero(written_otherwise)
    if not len(wrong):
        return Counts(_numbers(column.cast(pa.int64())))
    first: Any = wrong[:MOST_ODD].to_pylist()
    odd = {index: _as_written(column[index].as_py()) for index in first}
    return Counts(_numbers(pc.if_else(whole, column, "0").cast(pa.int64())), odd)


def _as_written(text: str) -> int | str:
    """A number too long to be read is too large, or negative; any other text is for the validator to tell apart."""
    if text.removeprefix("-").isdecimal() and text.isascii():
        return -1 if text.startswith("-") else 2**63
    return text[:_TEXT_MAX]


def _numbers(column: Array) -> Any:
    return column.cast(pa.int64()).to_numpy()


def _first_values(column: Array) -> dict[int, Any]:
    """The first entries: texts, since some mark a suppressed cell, and nulls; for anything else its being wrong is
    enough, and False stands for it."""
    first = column.slice(0, MOST_ODD)
    if is_text(column.type):
        return dict(enumerate(text for chunk in first.chunks for text in _beginnings(chunk)))
    return {index: False if valid else None for index, valid in enumerate(first.is_valid().to_pylist())}


def _beginnings(chunk: Array) -> list[str | None]:
    """Of a dictionary, of which one huge text can stand in every row, each text is cut before it is repeated."""
    if types.is_dictionary(chunk.type):
        cut = pc.utf8_slice_codeunits(chunk.dictionary, 0, _TEXT_MAX).take(chunk.indices)
    else:
        cut = pc.utf8_slice_codeunits(chunk, 0, _TEXT_MAX)
    return list(cut.to_pylist())


def wrong_column(rows: int) -> Counts:
    """Stands for a column that is not even read: in every row it is no whole number, and no value of a vocabulary."""
    return Counts(np.zeros(rows, dtype=np.int64), dict.fromkeys(range(min(rows, MOST_ODD)), False))
