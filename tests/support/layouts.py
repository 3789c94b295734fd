"""What the SELECTs of a layout give for a folder, and the same files read by plain Python."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.claims.codes import create_code_macros
from adapters.claims.files import find_files
from adapters.claims.layouts import get_layout
from adapters.claims.raw import create_raw
from adapters.preparation.engine import Engine

Rows = list[dict[str, Any]]
Table = Callable[..., Rows]


def existing(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"needs the folder {folder.name} of the reference data")
    return folder


@contextmanager
def tables_of(folder: Path, layout_name: str) -> Iterator[Table]:
    """What the layout's SELECTs give, before anything is checked or parsed."""
    layout = get_layout(layout_name)
    with Engine.opened(threads=1) as engine:
        create_code_macros(engine.connection)
        for raw in layout.files:
            create_raw(engine, raw, find_files(folder, raw))

        def table(name: str, where: str = "true") -> Rows:
            found = engine.connection.execute(f"SELECT * FROM ({layout.selects[name]}) WHERE {where}")
            columns = [each[0] for each in found.description or ()]
            return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

        yield table


def read(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def values(row: Mapping[str, str], part: str) -> set[str]:
    return {value.strip() for column, value in row.items() if part in column and value.strip()}
