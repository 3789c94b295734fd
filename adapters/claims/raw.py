"""Raw relations: the columns that a layout reads, from CSV as the engine's own tables, from Parquet as views."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import duckdb

from adapters.claims.faults import ClaimsUnreadable
from adapters.claims.files import FileKind, FoundFile, column_positions, csv_ailment, csv_header
from adapters.claims.layouts.layout import RawFile
from adapters.claims.quoting import identifier, literal, path_literal
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
    values = [f"nullif(trim(c{at}, ' \t\u00a0'), '') AS {identifier(name)}" for name, at in wanted.items()]
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
    columns = [_parquet_value(name, at, described, raw) for name, at in positions.items()]
    place = f"{literal(file.label)} AS source_file, file_row_number + 1 AS source_row"
    return f"SELECT {', '.join(columns)}, {place} FROM {scan}"  # noqa: S608


def _parquet_value(name: str, at: int | None, described: Sequence[tuple[str, str]], raw: RawFile) -> str:
    if at is None:
        return f"NULL AS {identifier(name)}"
    column = identifier(described[at][0])
    if raw.as_text:
        return f"nullif(trim(CAST({column} AS VARCHAR)), '') AS {identifier(name)}"
    return f"{column} AS {identifier(name)}"
