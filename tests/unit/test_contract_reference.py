"""docs/reference/contract.md names every field of the contract document, every fault that drafting can find, and every
name that a statistic looks for; its examples are sound."""

import ast
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import yaml
from marshmallow import Schema, fields

from api.schemas.contracts import ContractDocumentSchema
from contracts.drafting import check_terms
from contracts.parties import JsonObject
from contracts.statistics.catalogue import GRANTABLE, OFFERED
from contracts.statistics.cohorts import CENSORING
from contracts.statistics.cost import COSTS
from contracts.statistics.joint import COVERAGE, IN_NETWORK
from contracts.statistics.person_time import MEASURED
from contracts.statistics.programme.outcomes import HOSPITALISED
from contracts.statistics.reporting import REPORTS
from contracts.statistics.stopping import STOPPED, SWITCHED
from contracts.statistics.utilisation import RATES, SHARES
from tests.support.small_exchange import adherence_feed, fills_feed, small_contract, support_feed

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


def examples() -> list[JsonObject]:
    found = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    return [dict(example) for example in found]


def test_the_examples_of_clauses_make_a_contract_together() -> None:
    """Each is added to a contract that has the feeds it speaks of, and nothing in it has to be put right."""
    document = small_contract(
        feeds=[fills_feed(dimensions=["state", "sex"], rho="0.04"), adherence_feed(), support_feed(rho="0.04")],
        standards=[],
    )
    for example in examples():
        for name, terms in example.items():
            if isinstance(terms, list):
                document[name] = [*document[name], *terms]
            else:
                document[name] = {**document.get(name, {}), **terms}
    document["grants"] = [{"role": "brand", "statistics": ["adherence_rate", "threshold_assessment"], "by_at_most": 1}]

    loaded: JsonObject = ContractDocumentSchema().load(document)
    check_terms(loaded, statistics=GRANTABLE, max_cells=10_000, today=date(2026, 1, 1))

    assert len(examples()) == 5
    assert {"standards", "rollout", "settlement"} <= set(document)
    assert set(document["rollups"]["dimensions"]) == {"region"}
    assert any(feed.get("linked") for feed in document["feeds"])


def test_every_name_that_a_statistic_looks_for_is_told() -> None:
    needs = [need for statistic in OFFERED.values() for need in statistic.needs]
    names = {name for need in needs for name in (*need.dimensions, *need.measures)}
    names |= {*RATES, *SHARES, *COSTS, *MEASURED, *REPORTS, *CENSORING, HOSPITALISED, COVERAGE, IN_NETWORK}
    names |= {name for leaving in (STOPPED, SWITCHED) for name in (leaving.reason, leaving.measure)}
    section = PAGE.partition("### Names that statistics look for")[2].partition("\n### ")[0]

    assert len(names) > 20
    assert names - set(re.findall(r"`([a-z_]+)`", section)) == set()
