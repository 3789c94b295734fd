"""Small folders of claims for tests: CSV files of the canonical model, read with the layout `canonical`.

A row is a mapping by column (`birth_date`, `fill_date`, `allowed` in dollars, ...; see `canonical.file_column`). A
column that no row of a table has is not in the file, and a table without rows given has no file.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TypeAlias

Cell: TypeAlias = str | int | date | bool | Sequence[str] | None
Row: TypeAlias = Mapping[str, Cell]


def write_claims(
    folder: Path,
    *,
    members: Iterable[Row] | None = None,
    enrolment: Iterable[Row] | None = None,
    fills: Iterable[Row] | None = (),
    stays: Iterable[Row] | None = None,
    visits: Iterable[Row] | None = None,
) -> Path:
    """The folder, with one file for each table that is not None. Without rows a file has its required columns only."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"members": members, "enrolment": enrolment, "fills": fills, "stays": stays, "visits": visits}
    for name, rows in tables.items():
        if rows is not None:
            write_table(folder / f"{name}.csv", list(rows), _REQUIRED[name])
    return folder


def write_table(path: Path, rows: Sequence[Row], columns: Sequence[str] = ()) -> None:
    """columns: come first, whether or not a row has them; further ones as they turn up."""
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_text(row.get(name)) for name in names] for row in rows)


def fill(member: str, fill_date: str | date, drug: str, days_supply: int | str, **others: Cell) -> Row:
    return {"member": member, "fill_date": fill_date, "drug": drug, "days_supply": days_supply, **others}


def stay(member: str, admission_date: str | date, discharge_date: str | date, **others: Cell) -> Row:
    return {"member": member, "admission_date": admission_date, "discharge_date": discharge_date, **others}


def visit(member: str, visit_date: str | date, **others: Cell) -> Row:
    return {"member": member, "visit_date": visit_date, **others}


def span(member: str, first_date: str | date, last_date: str | date | None = None, **others: Cell) -> Row:
    return {"member": member, "first_date": first_date, "last_date": last_date, **others}


_REQUIRED = {
    "members": ("member",),
    "enrolment": ("member", "first_date"),
    "fills": ("member", "fill_date", "drug", "days_supply"),
    "stays": ("member", "admission_date", "discharge_date"),
    "visits": ("member", "visit_date"),
}


def _text(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    return " ".join(value)
