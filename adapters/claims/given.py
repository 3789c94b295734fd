"""Which tables and columns a folder of claims will give, by the names of its files and their headers alone.

Claims take long to read: what cannot be prepared from them is said before.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from adapters.claims.codes import create_code_macros
from adapters.claims.faults import ClaimsUnreadable
from adapters.claims.files import FileKind, FoundFile, check_folder, column_positions, csv_header, find_files
from adapters.claims.layouts.layout import Layout, RawFile
from adapters.claims.model import TABLES
from adapters.claims.quoting import identifier, path_literal
from adapters.preparation.engine import Engine

LayoutFiles = Mapping[str, Sequence[FoundFile]]
_NOT_GIVEN = '"NULL"'  # the engine's type of a column that is NULL as it stands


def layout_files(folder: Path, layout: Layout) -> LayoutFiles:
    """By raw relation. Raises ClaimsUnreadable where there is none that the layout needs."""
    check_folder(folder)
    files = {raw.name: find_files(folder, raw) for raw in layout.files}
    for raw in layout.files:
        if not files[raw.name] and not raw.optional:
            raise ClaimsUnreadable(
                f"the folder has no {raw.name}.csv, {raw.name}.csv.gz or {raw.name}.parquet, whole or in parts, "
                f"which the layout {layout.name} needs"
            )
    return files


def raw_names(files: LayoutFiles, select: str) -> list[str]:
    """Which raw relations a SELECT of a layout reads."""
    return [name for name in files if re.search(rf"\braw_{re.escape(name)}\b", select)]


def given_by(engine: Engine, folder: Path, layout: Layout) -> frozenset[str]:
    """As `read_claims` will report it. Raises ClaimsUnreadable."""
    files = layout_files(folder, layout)
    create_code_macros(engine.connection)
    given = set[str]()
    try:
        for raw in layout.files:
            if parts := [_empty_part(engine, raw, file) for file in files[raw.name]]:
                engine.create_view(f"raw_{raw.name}", " UNION ALL ".join(parts))
        for table in TABLES:
            select = layout.selects.get(table.name)
            if select is not None and all(files[name] for name in raw_names(files, select)):
                described = engine.rows(f"DESCRIBE SELECT * FROM ({select})")  # noqa: S608
                there = {row[0] for row in described if row[1] != _NOT_GIVEN}
                given |= {table.name, *(f"{table.name}.{each.name}" for each in table.columns if each.name in there)}
    except duckdb.Error:
        raise ClaimsUnreadable(f"the columns of the files do not fit the layout {layout.name}") from None
    return frozenset(given)


def _empty_part(engine: Engine, raw: RawFile, file: FoundFile) -> str:
    """The columns of one file that the layout reads, in the types they will have, and no row."""
    types = _types(engine, raw, file)
    columns = [
        f"{'NULL' if type_ is None else f'CAST(NULL AS {type_})'} AS {identifier(name)}"
        for name, type_ in types.items()
    ]
    place = "CAST(NULL AS VARCHAR) AS source_file, CAST(NULL AS BIGINT) AS source_row"
    return f"SELECT {', '.join(columns)}, {place} WHERE false"


def _types(engine: Engine, raw: RawFile, file: FoundFile) -> dict[str, str | None]:
    """By name of the layout; None: the file has no such column."""
    if file.kind is not FileKind.PARQUET:
        _, header = csv_header(file, raw)
        types = ["VARCHAR"] * len(header)
    else:
        described = _described(engine, file)
        header, types = tuple(row[0] for row in described), [row[1] for row in described]
    if raw.as_text:
        types = ["VARCHAR"] * len(header)
    positions = column_positions(file, raw, header)
    return {name: None if at is None else types[at] for name, at in positions.items()}


def _described(engine: Engine, file: FoundFile) -> list[tuple[str, str]]:
    try:
        scan = f"read_parquet([{path_literal(str(file.path))}])"
        return [(str(row[0]), str(row[1])) for row in engine.rows(f"DESCRIBE SELECT * FROM {scan}")]  # noqa: S608
    except duckdb.Error:
        raise ClaimsUnreadable(f"{file.label} is no whole Parquet file: it is truncated or something else") from None
