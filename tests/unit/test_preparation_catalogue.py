"""The catalogue of measures and dimensions is what the SQL texts make, and what the reference says."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from adapters.claims.codes import SYSTEMS
from adapters.claims.model import TABLES
from adapters.preparation.groups import GROUPS
from contracts.drafting.life_tables import MONTHS
from contracts.periods import Grain
from contracts.preparation.definitions import FeedDefinition, Persons, Window
from contracts.preparation.dimensions import SOURCES
from contracts.preparation.feed_keys import FEED_KEYS, Lists, read_feed_keys
from contracts.preparation.measures import MEASURES, MEMBERS, Group
from contracts.preparation.places import Place
from contracts.preparation.reading import FILE_KEYS, LIST_KEYS
from contracts.preparation.warning import most_in_period

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "reference" / "preparation.md").read_text()
DEFAULT = FeedDefinition(Persons.TREATED, Window.YEAR)
GIVEN = {table.name for table in TABLES} | {
    f"{table.name}.{column.name}" for table in TABLES for column in table.columns
}


def section(title: str) -> list[list[str]]:
    """The rows of the tables under a heading, without their heads; a pipe of the text is written with a backslash."""
    text = re.split(r"^#+ ", PAGE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# --- the catalogue and the texts


def test_every_measure_is_a_column_of_its_group_and_no_group_makes_another() -> None:
    made = {(group.name, column) for group in GROUPS for column in group.columns}

    assert {(each.group, each.column) for each in MEASURES.values() if each.group} == made
    assert len(made) == sum(len(group.columns) for group in GROUPS) == len(MEASURES) - 1
    assert MEMBERS.group is None
    assert {group.name for group in GROUPS} == set(Group)


def test_what_a_measure_or_a_dimension_needs_is_in_the_canonical_claims() -> None:
    needed = {name for each in (*MEASURES.values(), *SOURCES.values()) for name in each.needs}

    assert len(needed) > 10
    assert needed <= GIVEN


def test_a_column_is_needed_with_its_table() -> None:
    for measure in MEASURES.values():
        assert {name.partition(".")[0] for name in measure.needs} <= measure.needs | {""}


def test_months_since_start_are_called_as_in_life_tables() -> None:
    assert MONTHS in SOURCES


@pytest.mark.parametrize(
    ("measure", "grain", "most"),
    [
        ("members", Grain.YEAR, 1),
        ("days_covered", Grain.MONTH, 31),
        ("treatment_days", Grain.QUARTER, 92),
        ("enrolled_days", Grain.YEAR, 366),
        ("member_months", Grain.QUARTER, 3),
        ("pdc_basis_points", Grain.MONTH, 10_000),
        ("days_supplied", Grain.MONTH, None),
        ("allowed_cents", Grain.MONTH, None),
    ],
)
def test_nobody_has_more_than_the_calendar_allows(measure: str, grain: Grain, most: int | None) -> None:
    assert most_in_period(MEASURES[measure], grain) == most


# --- the reference


def test_the_reference_has_every_measure_as_the_catalogue_says_it() -> None:
    expected = [
        [f"`{m.name}`", m.unit, m.meaning, m.source, ", ".join(f"`{name}`" for name in sorted(m.needs)) or "nothing"]
        for m in MEASURES.values()
    ]

    assert section("Measures") == expected


def test_the_reference_has_every_dimension_as_the_catalogue_says_it() -> None:
    expected = [
        [f"`{d.name}`", d.meaning, d.source, " or ".join(f"`{name}`" for name in sorted(d.needs))]
        for d in SOURCES.values()
    ]

    assert section("Dimensions") == expected


def test_the_reference_has_every_key_of_a_definitions_file() -> None:
    assert [row[0].strip("`") for row in section("A definitions file")] == [*FILE_KEYS, *LIST_KEYS]
    assert [row[0].strip("`") for row in section("A feed")] == list(FEED_KEYS)
    codes = next(row for row in section("A definitions file") if row[0] == "`codes`")
    assert set(SYSTEMS) <= set(named(codes[2]))


@pytest.mark.parametrize("key", [key for key in FEED_KEYS if key not in ("persons", "drugs", "measures", "dimensions")])
def test_the_reference_states_the_default_of_a_key(key: str) -> None:
    (row,) = [row for row in section("A feed") if row[0] == f"`{key}`"]
    (said,) = re.findall(r"default (\S+)", row[2])
    value = said.strip("`")
    at = Place([] if value == "none" else yaml.safe_load(value), f"/{key}", [])

    stated = FEED_KEYS[key](at, Lists(None, {}))

    assert at.faults == []
    assert stated == {name: getattr(DEFAULT, name) for name in stated} != {}


@pytest.mark.parametrize(
    "key", ["least_fill_dates", "least_treatment_days", "gap_days", "washout_days", "enrolment_gap_days"]
)
def test_the_reference_states_the_limits_of_a_number(key: str) -> None:
    (row,) = [row for row in section("A feed") if row[0] == f"`{key}`"]
    least, most = map(int, re.match(r"(\d+) to (\d+)", row[2]).groups())  # type: ignore[union-attr]

    for value, taken in ((least - 1, False), (least, True), (most, True), (most + 1, False)):
        at = Place(value, "", [])
        assert bool(FEED_KEYS[key](at, Lists(None, {}))) is taken is not at.faults


def test_every_rule_of_a_feed_can_be_stated() -> None:
    """A new field of FeedDefinition needs a key."""
    everything = {
        "persons": "treated", "drugs": "any", "window": {"days": 365}, "least_fill_dates": 1,
        "least_treatment_days": 1, "least_age": 1, "threshold": "0.9", "stay_days": "removed",
        "emergency_admissions": "left_out", "exclude": [], "gap_days": 1, "washout_days": 1, "enrolment_gap_days": 1,
        "measures": {}, "dimensions": {},
    }  # fmt: skip
    at = Place(everything, "", [])

    assert read_feed_keys(at, Lists(None, {})).keys() == {field.name for field in fields(FeedDefinition)}
    assert at.faults == []


def codes_of(*modules: str) -> Iterator[str]:
    """Codes of faults, and of what is said by `Place.fault`."""
    for name in modules:
        for node in ast.walk(ast.parse((REPOSITORY / name).read_text())):
            if isinstance(node, ast.Call):
                at = {"Fault": 1, "fault": 0}.get(ast.unparse(node.func).rpartition(".")[2])
                if at is not None and isinstance(node.args[at], ast.Constant):
                    yield str(node.args[at].value)


def test_the_reference_has_every_fault_and_every_warning() -> None:
    package = "contracts/preparation"
    found = codes_of(
        *(f"{package}/{name}.py" for name in ("places", "feed_keys", "reading", "checking")),
        "adapters/preparation/definitions_file.py",
    )
    refused = {code for row in section("What is refused before a claim is read") for code in named(row[0])}
    warned = {code for row in section("What is only warned of") for code in named(row[0])}

    # These are given to Place.fault by a parameter.
    assert refused == set(found) | {"product_unknown", "code_list_unknown"}
    assert warned == set(codes_of(f"{package}/warning.py"))
    assert len(refused) > 20
