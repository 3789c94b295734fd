"""docs/reference/contract.md names every field of the contract document, and every fault that drafting can find."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from marshmallow import Schema, fields

from api.schemas.contracts import ContractDocumentSchema

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "reference" / "contract.md").read_text()
# Objects that hold nothing but the fields below them.
BARE = {"privacy", "rules"}


def paths(schema: Schema, above: str = "") -> Iterator[str]:
    """Every field as the page writes it: `feeds[]` for an element of a list, `measures.*` for a value by name."""
    for name, field in schema.fields.items():
        path = f"{above}{name}"
        yield path
        suffix = ""
        while isinstance(field, fields.List | fields.Dict):
            suffix += "[]" if isinstance(field, fields.List) else ".*"
            inner = field.inner if isinstance(field, fields.List) else field.value_field
            assert inner is not None
            field = inner
        if isinstance(field, fields.Nested):
            yield from paths(field.schema, f"{path}{suffix}.")


def rows() -> list[list[str]]:
    """The cells of every line of a table but its heads."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_field_of_a_contract_is_explained_once_and_no_other() -> None:
    expected = [path for path in paths(ContractDocumentSchema()) if path not in BARE]

    explained = [row[0].strip("` |") for row in rows()]

    assert len(expected) > 60
    assert sorted(explained) == sorted(expected)
    assert all(row[1] and row[2] for row in rows())


def test_every_fault_of_drafting_is_named_beside_a_field() -> None:
    found = set()
    for module in (REPOSITORY / "contracts" / "drafting").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Fault":
                assert isinstance(node.args[1], ast.Constant)
                found.add(node.args[1].value)

    named = set(re.findall(r"`([a-z_]+)`", PAGE))

    assert len(found) > 40
    assert found - named == set()
    assert set(re.findall(r"`([a-z_]+)`", " ".join(row[3] for row in rows() if len(row) > 3))) <= found
