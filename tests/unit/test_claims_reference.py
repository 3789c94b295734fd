"""The reference of claims says what the model and the reader are."""

import re
from pathlib import Path

from adapters.claims.faults import Reason
from adapters.claims.layouts.canonical import file_column
from adapters.claims.layouts.custom import ENCODINGS
from adapters.claims.model import TABLES, ClaimsTable, ColumnType

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "claims.md").read_text(encoding="utf-8")
TYPES = {
    ColumnType.TEXT: "text",
    ColumnType.DAY: "date",
    ColumnType.WHOLE: "whole number",
    ColumnType.FLAG: "true or false",
    ColumnType.CODES: "codes",
}


def section(table: ClaimsTable) -> str:
    meaning = table.meaning[0].upper() + table.meaning[1:]
    lines = [f"### `{table.name}`{' (optional)' if table.optional else ''}", "", f"{meaning}.", ""]
    lines += ["| column | in files | type | what |", "|---|---|---|---|"]
    for column in table.columns:
        star = "*" if column.required else ""
        kind = "amount" if column.name.endswith("_cents") else TYPES[column.type]
        meaning = column.meaning.removesuffix(" (see codes.py)")
        lines.append(f"| `{column.name}`{star} | `{file_column(column)}` | {kind} | {meaning} |")
    return "\n".join(lines)


def test_the_reference_shows_the_model_as_it_is() -> None:
    shown = PAGE[PAGE.index("<!-- model -->\n") + len("<!-- model -->\n") : PAGE.index("<!-- end of model -->")]
    assert shown == "\n\n".join(section(table) for table in TABLES) + "\n"


def test_the_reference_lists_exactly_the_reasons_there_are() -> None:
    table = PAGE[PAGE.index("| reason | when | effect |") : PAGE.index("These stop the preparation")]
    rows = [row.split("|") for row in table.splitlines()[2:] if row]
    listed = [name for row in rows for name in re.findall("`([a-z_]+)`", row[1])]
    assert sorted(listed) == sorted(Reason)


def test_the_reference_names_every_encoding() -> None:
    assert all(f"`{encoding}`" in PAGE for encoding in ENCODINGS)
