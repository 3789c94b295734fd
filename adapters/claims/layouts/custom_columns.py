"""What a custom mapping says of one column of the canonical model, as an expression over the payer's own columns.

Nothing of the mapping reaches SQL but as a quoted name or a quoted text.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from adapters.claims.codes import ANY_SYSTEM, SYSTEMS, code_system
from adapters.claims.model import ClaimsColumn, ColumnType
from adapters.claims.quoting import identifier, literal, literals
from contracts.preparation.places import Place, nearest

DECIMAL_MARKS: Final = (".", ",")
MONEY_UNITS: Final = ("dollars", "cents")

_COLUMN_KEYS: Final = ("column", "constant", "values")
# strptime's signs for days and times that the engine has; a year, and a month with a day or the day of the year.
_DATE_FORMAT: Final = re.compile(r"(?:%[YymdbBjHIMSpfzZ%]|[^%])+")
# Stands where a value is of another form than the mapping says, and can be read as nothing.
_UNREADABLE: Final = literal("unreadable")


@dataclass(frozen=True, slots=True)
class Defaults:
    """Of a whole mapping or of one table: how dates and numbers are written."""

    date_formats: tuple[str, ...] = ()
    decimal_mark: str | None = None
    money: str = "dollars"


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """sql: its value; columns: of the payer's file that it needs; date_formats: those it is read in."""

    sql: str
    columns: tuple[str, ...]
    date_formats: tuple[str, ...] = ()


def read_column(place: Place, column: ClaimsColumn, defaults: Defaults) -> MappedColumn | None:
    """None, and a fault, for what makes no sense."""
    if column.type is ColumnType.CODES:
        return _read_codes(place)
    if isinstance(place.value, str):
        return _of_file(place.value, {}, None, column, defaults)
    keys = (*_COLUMN_KEYS, *_keys_of_type(column))
    fields = place.fields(keys)
    if not isinstance(place.value, Mapping):
        return None
    if ("column" in fields) == ("constant" in fields):
        place.fault("key_missing", "write either `column`, the name of the file's column, or `constant`")
        return None
    if "constant" in fields:
        constant = fields["constant"].text()
        return None if constant is None else MappedColumn(literal(constant), ())
    name = fields["column"].text()
    values = fields["values"].mapped(Place.text) if "values" in fields else {}
    system = read_system(fields["system"]) if "system" in fields else None
    here = read_defaults(fields, defaults)
    return None if name is None else _of_file(name, values, system, column, here)


def read_defaults(fields: Mapping[str, Place], otherwise: Defaults) -> Defaults:
    formats, mark, money = (fields.get(name) for name in ("date_formats", "decimal_mark", "money"))
    return Defaults(
        otherwise.date_formats if formats is None else _read_formats(formats),
        otherwise.decimal_mark if mark is None else _read_choice(mark, DECIMAL_MARKS),
        otherwise.money if money is None else _read_choice(money, MONEY_UNITS) or otherwise.money,
    )


def read_system(place: Place) -> str | None:
    name = place.text()
    if name is None:
        return None
    if code_system(name) == ANY_SYSTEM:
        place.fault("value_invalid", f"no code system that is known; {nearest(name, SYSTEMS)}")
        return None
    return code_system(name)


def texts(place: Place) -> tuple[str, ...]:
    """One text, or a list of them."""
    items = place.items() if isinstance(place.value, list) else [place]
    return tuple(text for item in items if (text := item.text()) is not None)


def _keys_of_type(column: ClaimsColumn) -> tuple[str, ...]:
    match column.type:
        case ColumnType.DAY:
            return ("date_formats",)
        case ColumnType.WHOLE:
            return ("decimal_mark", "money") if column.name.endswith("_cents") else ("decimal_mark",)
        case _:
            return ("system",) if column.name == "drug" else ()


def _of_file(
    name: str, values: Mapping[str, str], system: str | None, column: ClaimsColumn, defaults: Defaults
) -> MappedColumn:
    sql = _mapped(identifier(name), values)
    if column.type is ColumnType.DAY and defaults.date_formats:
        return MappedColumn(_date(sql, defaults.date_formats), (name,), defaults.date_formats)
    if column.type is ColumnType.WHOLE:
        sql = _number(sql, defaults.decimal_mark)
        if column.name.endswith("_cents") and defaults.money == "cents":
            sql = _money_of_cents(sql)
    elif system is not None:
        sql = f"normal_code({literal(system)}, {sql})"
    return MappedColumn(sql, (name,))


def _mapped(sql: str, values: Mapping[str, str]) -> str:
    """A value that the mapping does not name stands for itself."""
    if not values:
        return sql
    cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in values.items())
    return f"CASE {sql} {cases} ELSE {sql} END"


def _date(sql: str, formats: Iterable[str]) -> str:
    """As an ISO date, by the first format that fits."""
    read = f"strftime(try_strptime({sql}, {literals(formats)}), '%Y-%m-%d')"
    return f"CASE WHEN {sql} IS NOT NULL THEN coalesce({read}, {_UNREADABLE}) END"


def _number(sql: str, decimal_mark: str | None) -> str:
    """With a stated decimal mark the other sign parts thousands; without one there is nothing but digits and a dot."""
    match decimal_mark:
        case ",":
            return f"replace(replace({sql}, '.', ''), ',', '.')"
        case ".":
            return f"replace({sql}, ',', '')"
        case _:
            return sql


def _money_of_cents(sql: str) -> str:
    return (
        f"CASE WHEN regexp_full_match({sql}, '[+-]?[0-9]{{1,15}}([.]0*)?') "
        f"THEN CAST(CAST(split_part({sql}, '.', 1) AS DECIMAL(15, 0)) * 0.01 AS VARCHAR) "
        f"WHEN {sql} IS NOT NULL THEN {_UNREADABLE} END"
    )


def _read_codes(place: Place) -> MappedColumn | None:
    """One group of columns with codes of one system, or a list of groups."""
    groups = place.items() if isinstance(place.value, list) else [place]
    found = [group for each in groups if (group := _read_group(each)) is not None]
    if not found:
        return None
    values = [f"normal_code({literal(system)}, {identifier(name)})" for system, names in found for name in names]
    columns = tuple(dict.fromkeys(name for _, names in found for name in names))
    return MappedColumn(f"list_filter([{', '.join(values)}], lambda code: code IS NOT NULL)", columns)


def _read_group(place: Place) -> tuple[str, tuple[str, ...]] | None:
    fields = place.fields(("columns", "system"))
    if not isinstance(place.value, Mapping):
        return None
    if "columns" not in fields:
        place.fault("key_missing", "write `columns`, the names of the file's columns with these codes")
        return None
    system = read_system(fields["system"]) if "system" in fields else ANY_SYSTEM
    names = texts(fields["columns"])
    return None if system is None or not names else (system, names)


def _read_formats(place: Place) -> tuple[str, ...]:
    formats = texts(place)
    for text in formats:
        signs = set(re.findall("%(.)", text))
        has_day = "j" in signs or ("d" in signs and signs & {"m", "b", "B"})
        if not (_DATE_FORMAT.fullmatch(text) and signs & {"Y", "y"} and has_day):
            place.fault("value_invalid", f"{text} is no format of a date: write one as %m/%d/%Y or %Y%m%d")
            return ()
    return formats


def _read_choice(place: Place, choices: tuple[str, ...]) -> str | None:
    if place.value in choices:
        return str(place.value)
    place.fault("value_invalid", f"write one of {' '.join(choices)}")
    return None
