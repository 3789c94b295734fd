"""The small-cell rule finds the persons that a figure is made of, from the contract alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.invariants import parse_invariant
from contracts.statistics.masks import in_small_cell, persons_behind, wholes_of
from contracts.terms import FeedTerms, MeasureTerms
from tests.unit.terms import some_feed

UNITS = {
    "members": "persons",
    "hospitalised": "persons",
    "stays": "stays",
    "nights": "nights",
    "days_covered": "days",
    "treatment_days": "days",
    "paid": "cents",
}
INVARIANTS = (
    "days_covered <= treatment_days",
    "treatment_days <= 31 * members",
    "hospitalised <= members",
    "hospitalised <= stays",
    "stays <= 10 * hospitalised",
    "2 * nights <= stays + 3 * days_covered",
)


def a_feed(units: dict[str, str], *invariants: str) -> FeedTerms:
    measures = {name: MeasureTerms(unit, 1) for name, unit in units.items()}
    parsed = tuple(parse_invariant(text, tuple(measures)) for text in invariants)
    return replace(some_feed(), measures=measures, invariants=parsed)


@pytest.mark.parametrize(
    ("measure", "persons"),
    [
        ("members", {"members"}),
        ("hospitalised", {"hospitalised"}),
        ("treatment_days", {"members"}),
        ("days_covered", {"members"}),
        ("stays", {"hospitalised", "members"}),
        ("nights", {"hospitalised", "members"}),
        # No invariant says of whom: any of them.
        ("paid", {"hospitalised", "members"}),
    ],
)
def test_a_measure_is_made_of_the_persons_that_bound_it(measure: str, persons: set[str]) -> None:
    assert set(persons_behind(a_feed(UNITS, *INVARIANTS), measure)) == persons


def test_a_measure_that_persons_only_lie_below_is_made_of_all_of_them() -> None:
    feed = a_feed({"members": "persons", "starts": "persons", "fills": "fills"}, "starts <= fills")
    assert set(persons_behind(feed, "fills")) == {"members", "starts"}


def test_invariants_in_a_circle_come_to_an_end() -> None:
    feed = a_feed({"a": "days", "b": "days", "members": "persons"}, "a <= b", "b <= a", "b <= 9 * members")
    assert persons_behind(feed, "a") == ("members",)


@pytest.mark.parametrize(
    ("measure", "wholes"),
    [
        ("adherent", {"members", "insured"}),
        ("other", {"members", "insured"}),
        ("members", {"insured"}),
        ("insured", set()),
        # No whole: of one or the other, of several each, or not in persons.
        ("movers", set()),
        ("visitors", set()),
        ("days", set()),
    ],
)
def test_the_persons_who_hold_others_are_told_by_the_invariants(measure: str, wholes: set[str]) -> None:
    names = ("adherent", "other", "members", "insured", "movers", "visitors")
    feed = a_feed(
        dict.fromkeys(names, "persons") | {"days": "days"},
        "adherent + other <= members",
        "members <= insured",
        "members <= adherent + other",
        "movers <= adherent + other",
        "visitors <= 2 * members",
        "days <= members",
    )
    assert set(wholes_of(feed, measure)) == wholes


def test_persons_who_are_the_same_by_the_invariants_hold_each_other() -> None:
    feed = a_feed({"a": "persons", "b": "persons"}, "a <= b", "b <= a")
    assert (wholes_of(feed, "a"), wholes_of(feed, "b")) == (("b",), ("a",))


def test_without_persons_a_measure_has_none_behind_it() -> None:
    assert persons_behind(a_feed({"paid": "cents"}), "paid") == ()


@pytest.mark.parametrize(
    ("value", "hidden"),
    [(-3, False), (0, False), (0.49, False), (0.5, True), (1, True), (10, True), (10.5, True), (10.51, False)],
)
def test_a_count_is_small_if_it_may_be_read_as_1_to_10(value: float, hidden: bool) -> None:
    assert in_small_cell(np.array([value]), 11).tolist() == [hidden]
    assert not in_small_cell(np.array([value]), None).any()


@given(st.floats(-100, 100), st.integers(2, 50))
def test_no_way_of_rounding_what_is_shown_gives_a_small_count(value: float, mask_below: int) -> None:
    if not in_small_cell(np.array([value]), mask_below)[0]:
        half_down, half_up = np.ceil(value - 0.5), np.floor(value + 0.5)
        assert not any(1 <= shown < mask_below for shown in (round(value), half_down, half_up))
