"""An answer as Parquet: the lines of its CSV in typed columns, and in the file's metadata all else that it says.

So a file alone tells what is in it: `parley-answer` is the answer without its rows, in JSON (estimand, intervals,
labels, notes, coverage, releases, privacy, an explanation where it was asked for), and `parley-codebook` what its
columns, words, units and figures mean.
"""

import io
import json
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from adapters.answers.lines import columns_of, lines_of
from contracts.parties import JsonObject
from contracts.statistics.codebook import COLUMNS, KEY_MEANING, ColumnKind, codebook

ANSWER: Final = "parley-answer"
CODEBOOK: Final = "parley-codebook"
VERSION: Final = "parley-answer-version"
_TYPES: Final[dict[ColumnKind, "pa.DataType"]] = {
    ColumnKind.TEXT: pa.string(),
    ColumnKind.TEXTS: pa.list_(pa.string()),
    ColumnKind.NUMBER: pa.float64(),
    ColumnKind.WHOLE_NUMBER: pa.int64(),
}
_MEANINGS: Final = {column.name: column.meaning for column in COLUMNS}


def answer_parquet(answer: JsonObject) -> bytes:
    """Equal answers give equal bytes, by the same version of the library."""
    columns = columns_of(answer)
    lines = list(lines_of(answer))
    envelope = {name: said for name, said in answer.items() if name != "rows"}
    metadata: dict[bytes | str, bytes | str] = {
        VERSION: "1",
        ANSWER: json.dumps(envelope),
        CODEBOOK: json.dumps(asdict(codebook())),
    }
    schema = pa.schema([_field(name, kind) for name, kind in columns.items()], metadata=metadata)
    arrays = [pa.array([line[i] for line in lines], field.type) for i, field in enumerate(schema)]
    written = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), written, compression="zstd")
    return written.getvalue()


def _field(name: str, kind: ColumnKind) -> "pa.Field[Any]":
    return pa.field(name, _TYPES[kind], metadata={"description": _MEANINGS.get(name, KEY_MEANING)})
