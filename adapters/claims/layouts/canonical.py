"""The canonical model as files: one a table, `members.csv` or `fills.parquet`, dates and money as people write them.

This is what a payer writes who makes its own extract. Columns that are not required may be left out, and so may every
file but fills.
"""

from typing import Final

from adapters.claims.layouts.layout import Layout, RawFile
from adapters.claims.model import TABLES, ClaimsColumn, ClaimsTable


def file_column(column: ClaimsColumn) -> str:
    """What a column of the model is called in a file: `fill_date` for fill_day, `allowed` for allowed_cents."""
    return column_in_files(column.name)


def column_in_files(name: str) -> str:
    """The same by a column's name in the model."""
    if name.endswith("_day"):
        return name.removesuffix("_day") + "_date"
    return name.removesuffix("_cents")


def _select(table: ClaimsTable) -> str:
    columns = ", ".join(f"{file_column(column)} AS {column.name}" for column in table.columns)
    return f"SELECT {columns}, source_file, source_row FROM raw_{table.name}"  # noqa: S608 - names of the model


def _file(table: ClaimsTable) -> RawFile:
    return RawFile(
        table.name,
        columns=tuple(file_column(column) for column in table.columns if column.required),
        optional_columns=tuple(file_column(column) for column in table.columns if not column.required),
        optional=table.optional,
        as_text=False,
    )


CANONICAL: Final = Layout(
    name="canonical",
    version=1,
    files=tuple(_file(table) for table in TABLES),
    selects={table.name: _select(table) for table in TABLES},
)
