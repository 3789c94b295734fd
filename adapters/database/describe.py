"""The data model as a page, made from the comments on tables and columns: docs/reference/data-model.md.

Run `python -m adapters.database.describe > docs/reference/data-model.md` after changing a table.
"""

import sqlalchemy as sa

from adapters.database.tables import metadata

_HEAD = """\
# Data model

Made from the comments in `adapters/database/tables.py`. Every private number in it is noise already drawn: no table
holds an exact cell, and nothing is kept of a posted body, not even its length.
"""


def data_model() -> str:
    """Markdown: one section a table, one line a column."""
    return "\n".join([_HEAD, *(_section(table) for table in metadata.sorted_tables)])


def _section(table: sa.Table) -> str:
    lines = [
        f"## {table.name}",
        "",
        str(table.comment),
        "",
        "| column | type | | what it is |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*lines, *(_line(column) for column in table.columns), ""])


def _line(column: sa.Column[object]) -> str:
    marks = [
        "key" if column.primary_key else "",
        "" if column.nullable or column.primary_key else "required",
        *(f"-> {key.column.table.name}" for key in column.foreign_keys),
    ]
    kind = type(column.type).__name__.lower()
    return f"| `{column.name}` | {kind} | {', '.join(filter(None, marks))} | {column.comment} |"


if __name__ == "__main__":
    print(data_model(), end="")
