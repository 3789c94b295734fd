"""Where and when a programme began: what is refused of the clause, and what people read."""

from copy import deepcopy
from typing import Any

import pytest

from contracts.drafting.rollout import rollout_faults
from contracts.parties import JsonObject
from contracts.rendering.pages import Facts
from contracts.rendering.parts import part_of
from contracts.rendering.rollout import rollout_section
from tests.unit.terms import DOCUMENT

DIVISIONS = {"division": {"of": "region", "groups": {"atlantic": ["northeast", "south"], "pacific": ["west"]}}}


def document(**rollout: Any) -> JsonObject:
    """Whose payers post fills by region for 2025 and 2026, and adherence by region for these years."""
    clause = {"dimension": "region", "starts": {"south": "2025-07"}, **rollout}
    rollups = DOCUMENT["rollups"] | {"dimensions": DIVISIONS}
    return deepcopy(DOCUMENT) | {"rollout": clause, "rollups": rollups}


@pytest.mark.parametrize(
    "rollout",
    [
        {},
        {"starts": {"south": "2025-07", "west": "2026"}},
        {"starts": {"south": "2025-Q3"}},
        {"dimension": "division", "starts": {"atlantic": "2025-02"}},
    ],
    ids=str,
)
def test_what_a_feed_can_tell_is_no_fault(rollout: JsonObject) -> None:
    assert list(rollout_faults(document(**rollout))) == []
    assert list(rollout_faults(deepcopy(DOCUMENT) | {"rollout": None})) == []


@pytest.mark.parametrize(
    ("rollout", "pointer", "code", "words"),
    [
        ({"dimension": "planet"}, "/rollout/dimension", "dimension_unknown", "region, sex"),
        ({"starts": {"north": "2025-07"}}, "/rollout/starts/north", "value_unknown", "northeast, south, west"),
        ({"starts": {"south": "spring"}}, "/rollout/starts/south", "period_invalid", "2025-03"),
        (
            {"starts": dict.fromkeys(("northeast", "south", "west"), "2025-07")},
            "/rollout/starts",
            "rollout_without_control",
            "at least one region",
        ),
        (
            {"starts": {"south": "2025-01"}},
            "/rollout/starts/south",
            "rollout_without_feed",
            "2025-01 to 2026-12, 2025 to 2026",
        ),
        ({"starts": {"south": "2027-01"}}, "/rollout/starts/south", "rollout_without_feed", "before 2027-01"),
        (
            {"dimension": "coverage", "starts": {"other": "2025-07"}},
            "/rollout/starts/other",
            "rollout_without_feed",
            "none goes by it",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_no_feed_can_tell_is_refused_with_what_one_could(
    rollout: JsonObject, pointer: str, code: str, words: str
) -> None:
    fault = next(rollout_faults(document(**rollout)))

    assert (fault.pointer, fault.code) == (pointer, code)
    assert words in fault.message


@pytest.mark.parametrize("dimension", ["adherence_band", "adherent"])
def test_a_programme_does_not_come_by_what_it_may_change(dimension: str) -> None:
    clause = {"dimension": dimension, "starts": {"yes": "2025-07"}}
    groups = {"of": "adherence_band", "groups": {"no": ["p00_80"], "yes": ["p80_100"]}}
    drafted = document(**clause) | {"rollups": {"dimensions": {"adherent": groups}}}

    (fault,) = rollout_faults(drafted)

    assert (fault.pointer, fault.code) == ("/rollout/dimension", "dimension_is_outcome")


def test_the_page_says_where_it_began_and_what_that_means() -> None:
    part = part_of(document(starts={"south": "2025-07", "west": "2026"}))

    section = rollout_section(part)

    (facts,) = [block for block in section.blocks if isinstance(block, Facts)]
    assert facts.rows == (("dimension", "region"), ("began in south", "2025-07"), ("began in west", "2026"))
    assert "rollout" not in dict(part.rest())
    assert rollout_section(part_of({})).blocks != section.blocks
