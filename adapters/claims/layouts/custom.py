"""The layout `custom`: a payer's own files and columns, mapped onto the canonical model by a small YAML file.

    date_formats: ["%m/%d/%Y"]
    tables:
      fills:
        file: pharmacy.csv
        where: {STATUS: [P, PAID]}
        columns:
          member: MBR_ID
          fill_date: SVC_DT
          drug: {column: NDC, system: ndc}
          days_supply: DAYS

docs/reference/claims.md says every key.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from adapters.claims.layouts.canonical import file_column
from adapters.claims.layouts.custom_columns import Defaults, MappedColumn, read_column, read_defaults, texts
from adapters.claims.layouts.layout import Layout, RawFile
from adapters.claims.model import FILLS, MEMBERS, TABLES, ClaimsColumn, ClaimsTable, ColumnType
from adapters.claims.quoting import identifier, literal
from adapters.strict_yaml import YamlRefused, load_yaml
from contracts.preparation.places import Place
from contracts.refusals import Fault, first_faults

MAX_BYTES: Final = 2**20
ENCODINGS: Final = ("utf-8", "latin-1", "utf-16")
DELIMITERS: Final = (",", ";", "\t", "|")

_DROPPED: Final = "dropped"
_EQUAL_ROWS: Final = ("kept", _DROPPED)
_FILE_KEYS: Final = ("delimiter", "encoding")
_VALUE_KEYS: Final = ("date_formats", "decimal_mark", "money")
_TABLE_KEYS: Final = ("file", "columns", "where", *_FILE_KEYS, *_VALUE_KEYS)
_ENDINGS: Final = (".csv", ".csv.gz", ".parquet")
# Which of several rows of one member is the later one; as text, so years and ISO dates.
AS_OF: Final = ClaimsColumn("as_of", ColumnType.TEXT, "the later row of a member has the greater one")


class MappingInvalid(ValueError):
    """A custom mapping with faults, each with a pointer into it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = first_faults(faults)
        lines = "".join(f"\n- {fault.pointer or '/'}: {fault.message}" for fault in self.faults)
        super().__init__(f"the mapping of the custom layout does not make sense as it stands:{lines}")


def read_custom_layout(path: Path) -> Layout:
    """Raises MappingInvalid."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError:
        raise MappingInvalid([Fault("", "file_unreadable", "there is no such file, or it cannot be opened")]) from None
    if len(content) > MAX_BYTES:
        raise MappingInvalid([Fault("", "file_unreadable", f"the file has more than {MAX_BYTES} bytes")])
    return custom_layout(content)


def custom_layout(content: bytes) -> Layout:
    """Of the bytes of a mapping. Raises MappingInvalid."""
    try:
        document = load_yaml(content, aliases=False)
    except YamlRefused as refused:
        line = f"line {refused.line}: " if refused.line else ""
        raise MappingInvalid([Fault("", "yaml_invalid", f"{line}{refused}")]) from None
    whole = Place(document, "", [])
    tables = _read_whole(whole)
    if whole.faults:
        raise MappingInvalid(whole.faults)
    return Layout(
        "custom",
        1,
        files=tuple(table.file for table in tables),
        selects={table.file.name: table.select for table in tables},
        sha256=hashlib.sha256(content).hexdigest(),
        equal_rows_dropped=isinstance(document, Mapping) and document.get("equal_rows") == _DROPPED,
        date_formats={name: formats for table in tables for name, formats in table.date_formats.items()},
    )


@dataclass(frozen=True, slots=True)
class _MappedTable:
    file: RawFile
    select: str
    date_formats: Mapping[str, tuple[str, ...]]


def _read_whole(whole: Place) -> list[_MappedTable]:
    fields = whole.fields(("tables", "equal_rows", *_FILE_KEYS, *_VALUE_KEYS))
    _read_one(fields.get("equal_rows"), _EQUAL_ROWS)
    if "tables" not in fields:
        whole.fault("key_missing", "write `tables`, with at least `fills`")
        return []
    tables = fields["tables"].fields(table.name for table in TABLES)
    if FILLS.name not in tables:
        fields["tables"].fault("key_missing", "write `fills`: nothing can be prepared without dispensed prescriptions")
    defaults = read_defaults(fields, Defaults())
    read = [_read_table(tables[table.name], table, fields, defaults) for table in TABLES if table.name in tables]
    return [table for table in read if table is not None]


def _read_table(
    place: Place, table: ClaimsTable, above: Mapping[str, Place], defaults: Defaults
) -> _MappedTable | None:
    fields = place.fields(_TABLE_KEYS)
    missing = [key for key in ("file", "columns") if key not in fields]
    if missing:
        place.fault("key_missing", f"write {' and '.join(f'`{key}`' for key in missing)}")
        return None
    columns = _read_columns(fields["columns"], table, read_defaults(fields, defaults))
    wheres = fields["where"].entries() if "where" in fields else {}
    conditions = [f"{identifier(name)} IN ({', '.join(map(literal, texts(each)))})" for name, each in wheres.items()]
    needed = dict.fromkeys([*(name for column in columns.values() for name in column.columns), *wheres])
    raw = RawFile(
        table.name,
        columns=tuple(needed),
        file_names=_read_names(fields["file"]),
        delimiter=_read_one(fields.get("delimiter") or above.get("delimiter"), DELIMITERS),
        encoding=_read_one(fields.get("encoding") or above.get("encoding"), ENCODINGS) or ENCODINGS[0],
    )
    values = [f"{column.sql} AS {name}" for name, column in columns.items()]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    select = f"SELECT {', '.join([*values, 'source_file', 'source_row'])} FROM raw_{table.name}{where}"  # noqa: S608
    formats = {f"{table.name}.{name}": column.date_formats for name, column in columns.items() if column.date_formats}
    return _MappedTable(raw, select, formats)


def _read_columns(place: Place, table: ClaimsTable, defaults: Defaults) -> dict[str, MappedColumn]:
    """By column of the model. They are called in a mapping as in the files of the layout `canonical`."""
    columns = {file_column(column): column for column in table.columns}
    if table is MEMBERS:
        columns[AS_OF.name] = AS_OF
    fields = place.fields(columns)
    for name, column in columns.items():
        if column.required and name not in fields:
            place.fault("key_missing", f"write `{name}`: {column.meaning}")
    read = {
        column.name: read_column(fields[name], column, defaults) for name, column in columns.items() if name in fields
    }
    return {name: column for name, column in read.items() if column is not None}


def _read_names(place: Place) -> tuple[str, ...]:
    names = texts(place)
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not name.lower().endswith(_ENDINGS):
            place.fault("value_invalid", "write the name of a .csv, .csv.gz or .parquet file in the folder of claims")
    return names


def _read_one(place: Place | None, choices: tuple[str, ...]) -> str | None:
    if place is None:
        return None
    if place.value in choices:
        return str(place.value)
    shown = " ".join('"\\t"' if choice == "\t" else choice for choice in choices)
    place.fault("value_invalid", f"write one of {shown}")
    return None
