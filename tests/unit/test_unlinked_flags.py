"""What a draft says of a brand's flag that would be released without charging the brand for it."""

from copy import deepcopy
from typing import Any

import pytest

from contracts.drafting.linked import unlinked_faults
from contracts.parties import JsonObject
from tests.support.linked_contract import FLAG, linked_contract, linked_feed

UNLINKED: JsonObject = {"link": "none", "linked": None}
COARSE = {"of": FLAG, "groups": {"any": ["enrolled", "not_enrolled"]}}
FINE = {"of": "card", "groups": {"enrolled": ["a"], "not_enrolled": ["b"]}}


def told(document: JsonObject, *earlier: JsonObject) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in unlinked_faults(document, earlier)]


def beside(dimension: str = FLAG, rollups: JsonObject | None = None, **terms: Any) -> JsonObject:
    """The linked contract with another feed of the payers, which goes by the dimension."""
    document = linked_contract()
    changes: JsonObject = {"name": "other", "dimensions": ["region", dimension], **UNLINKED, **terms}
    other = linked_feed(**changes)
    document["feeds"].append(other)
    document["rollups"] = document["rollups"] | {"dimensions": rollups or {}}
    return document


AT = [("/feeds/2/dimensions/1", "linked_dimension_unlinked")]


def test_a_flag_that_one_feed_is_linked_by_is_in_no_other_feed_of_payers_without_it() -> None:
    assert told(beside()) == AT
    assert told(beside("sex")) == []
    assert told(linked_contract()) == []


@pytest.mark.parametrize(("dimension", "rollups"), [("card", {FLAG: FINE}), ("any", {"any": COARSE})])
def test_under_the_name_of_a_roll_up_it_is_the_same_flag(dimension: str, rollups: JsonObject) -> None:
    assert told(beside(dimension, rollups)) == AT
    assert told(beside(dimension)) == []


def test_a_feed_that_is_linked_by_something_else_does_not_pay_for_it() -> None:
    by = {"dimension": "region", "organisation": "helix"}
    # The first feed's region is a flag of the other, too.
    assert told(beside(link="linked", linked=by)) == [
        ("/feeds/0/dimensions/0", "linked_dimension_unlinked"),
        *AT,
    ]
    assert told(beside(link="linked", linked=by | {"dimension": FLAG})) == []


def test_a_brand_that_posts_its_own_flag_is_charged_for_it_anyway() -> None:
    assert told(beside(provider="brand")) == []


def test_an_amendment_does_not_drop_the_link_or_name_another_flag_and_post_on() -> None:
    before = linked_contract()
    unlinked, other = deepcopy(before), deepcopy(before)
    unlinked["feeds"][0] |= UNLINKED
    other["feeds"][0]["linked"] = {"dimension": "region", "organisation": "helix"}
    first = [("/feeds/0/dimensions/1", "linked_dimension_unlinked")]
    assert told(unlinked) == []
    assert told(unlinked, before) == told(other, before) == first
    # Two versions later, and under a roll-up that the version before had.
    renamed = deepcopy(unlinked)
    renamed["feeds"][0]["dimensions"] = ["region", "any"]
    before["rollups"] = {"dimensions": {"any": COARSE}}
    assert told(renamed, before, linked_contract(feeds=[])) == first


def test_roll_ups_in_a_circle_are_a_fault_of_their_own() -> None:
    assert told(beside("sex", {"a": {"of": "b", "groups": {}}, "b": {"of": "a", "groups": {}}})) == []
