"""Raw relations: the columns that a layout reads, from CSV as the engine's own tables, from Parquet as views."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import duckdb

from adapters.claims.faults import ClaimsUnreadable
from adapters.claims.files import FileKind, FoundFile, column_positions, csv_ailment, csv_header
from adapters.claims.layouts.layout import RawFile
from adapters.claims.quoting import identifier, literal, path_literal
from adapters.claims.typed import BLANKS, text_sql
from adapters.preparation.engine import Engine

# A file of claims has its header in row 1 as a spreadsheet shows it.
_FIRST_CSV_ROW: Final = 2


def create_raw(engine: Engine, raw: RawFile, files: Sequence[FoundFile]) -> None:
    """`raw_<name>` over all its files. Raises ClaimsUnreadable."""
    parts = [
        _parquet_part(engine, raw, file) if file.kind is FileKind.PARQUET else _csv_part(engine, raw, file, number)
        for number, file in enumerate(files)
    ]
    try:
        engine.create_view(f"raw_{raw.name}", " UNION ALL ".join(parts))
    except duckdb.Error:
        raise ClaimsUnreadable(
            f"the files of {raw.name} have columns of different types: write them with one schema"
        ) from None


def _csv_part(engine: Engine, raw: RawFile, file: FoundFile, number: int) -> str:
    delimiter, header = csv_header(file, raw)
    positions = column_positions(file, raw, header)
    table = f"csv_{raw.name}_{number}"
    wanted = {name: at for name, at in positions.items() if at is not None}
    values = [f"{text_sql(f'c{at}', 'VARCHAR')} AS {identifier(name)}" for name, at in wanted.items()]
    with _rows_in_order(engine):
        try:
            scan = _csv_scan(raw, file, delimiter, len(header))
            engine.create_table(table, f"SELECT {', '.join(values)} FROM {scan}")  # noqa: S608
        except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException):
            raise ClaimsUnreadable(csv_ailment(file, raw)) from None
    columns = [identifier(name) if name in wanted else f"NULL AS {identifier(name)}" for name in positions]
    place = f"{literal(file.label)} AS source_file, rowid + {_FIRST_CSV_ROW} AS source_row"
    return f"SELECT {', '.join(columns)}, {place} FROM {table}"  # noqa: S608


def _csv_scan(raw: RawFile, file: FoundFile, delimiter: str, width: int) -> str:
    """By position and as text alone: neither a header nor a value is ever taken for anything else."""
    columns = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(width))
    compression = "gzip" if file.kind is FileKind.CSV_GZIPPED else "none"
    return (
        f"read_csv([{path_literal(str(file.path))}], auto_detect=false, header=true, delim={literal(delimiter)}, "
        f"quote='\"', escape='\"', strict_mode=true, null_padding=false, encoding={literal(raw.encoding)}, "
        f"compression='{compression}', columns={{{columns}}})"
    )


@contextmanager
def _rows_in_order(engine: Engine) -> Iterator[None]:
    """So that a row's number is its place in the file."""
    engine.connection.execute("SET preserve_insertion_order = true")
    try:
        yield
    finally:
        engine.connection.execute("SET preserve_insertion_order = false")


def _parquet_part(engine: Engine, raw: RawFile, file: FoundFile) -> str:
    scan = f"read_parquet([{path_literal(str(file.path))}])"
    try:
        described = engine.rows(f"DESCRIBE SELECT * FROM {scan}")  # noqa: S608
    except duckdb.Error:
        raise ClaimsUnreadable(f"{file.label} is no whole Parquet file: it is truncated or something else") from None
    header = [row[0] for row in described]
    positions = column_positions(file, raw, header)
    kinds = {name: None if at is None else (described[at][0], described[at][1]) for name, at in positions.items()}
    padded = _padded_columns(engine, scan, [kind[0] for kind in kinds.values() if kind and kind[1] == "VARCHAR"])
    columns = [_parquet_value(kind, raw, padded) + f" AS {identifier(name)}" for name, kind in kinds.items()]
    place = f"{literal(file.label)} AS source_file, file_row_number + 1 AS source_row"
    return f"SELECT {', '.join(columns)}, {place} FROM {scan}"  # noqa: S608


def _parquet_value(kind: tuple[str, str] | None, raw: RawFile, padded: Collection[str]) -> str:
    """kind: the column's name and type, None where the file has none."""
    if kind is None:
        return "NULL"
    name, type_ = kind
    if name in padded or (raw.as_text and type_ != "VARCHAR"):
        return text_sql(identifier(name), type_)
    return identifier(name)


def _padded_columns(engine: Engine, scan: str, names: Sequence[str]) -> list[str]:
    """Those with a value that is not as CSV would give it. All others are read as they are, which lets the engine
    filter where it scans."""
    if not names:
        return []
    differ = [f"count(*) FILTER (WHERE {_may_be_padded(identifier(name))})" for name in names]
    ((*numbers,),) = engine.rows(f"SELECT {', '.join(differ)} FROM {scan}")  # noqa: S608
    return [name for name, number in zip(names, numbers, strict=True) if number]


def _may_be_padded(column: str) -> str:
    """Whether a text is empty or has a blank at an end, in a third of the time that trimming takes. Below ! are the
    empty text, and those that begin with a blank or a tab."""
    ends = "".join(f" OR suffix({column}, '{blank}')" for blank in BLANKS)
    return f"{column} < '!' OR starts_with({column}, '\u00a0'){ends}"
