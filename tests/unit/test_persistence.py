"""Starts, switches and exits: a walk day by day over one person's fills says the same as the SQL texts."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.preparation.groups import COHORTS, EXITS, STARTS, SWITCHES
from contracts.preparation.definitions import Persons
from tests.unit.histories import EVER, Histories, day, opened_histories
from tests.unit.walks import Fill, episodes_of, first_exit, is_switch, whole_months

STARTING = COHORTS[Persons.STARTING]
EXITING = COHORTS[Persons.EXITING]


@pytest.fixture(scope="module")
def histories() -> Iterator[Histories]:
    with opened_histories() as histories:
        yield histories


def fill_rows(fills: list[Fill], member: str = "m") -> list[tuple[str, str, str, int, int]]:
    return [(member, f"ndc|{fill.product}", fill.product, fill.day, fill.days_supply) for fill in fills]


def tell(histories: Histories, fills: list[Fill], enrolled: tuple[int, int] = (-1000, EVER), **asked: int) -> None:
    histories.replace(
        asked, members=[("m",)], present=[("m",)], class_fills=fill_rows(fills), enrolled_spans=[("m", *enrolled)]
    )


def exit_of(histories: Histories) -> dict[str, Any]:
    return histories.rows(EXITING)["m"]


FILLS = st.lists(
    st.builds(
        Fill,
        day=st.integers(0, 150),
        days_supply=st.sampled_from([0, 1, 5, 10, 30, 31, 60]),
        product=st.sampled_from(["own", "other", "third"]),
    ),
    min_size=1,
    max_size=7,
)
PERIODS = st.tuples(st.integers(0, 300), st.integers(0, 300)).map(sorted)


PEOPLE = st.lists(st.tuples(FILLS, st.integers(-5, 20), st.integers(20, 400)), min_size=1, max_size=12)
QUESTIONS = st.fixed_dictionaries(
    {
        "gap_days": st.sampled_from([0, 5, 30]),
        "washout_days": st.sampled_from([0, 10, 180]),
        "feed_first_day": st.sampled_from([0, 20]),
        "switch_ends_episode": st.integers(0, 1),
    }
)
People = list[tuple[list[Fill], int, int]]


@pytest.mark.slow
@settings(max_examples=8)
@given(people=PEOPLE, period=PERIODS, question=QUESTIONS)
def test_each_person_starts_switches_and_exits_as_a_walk_day_by_day_says(
    people: People, period: list[int], question: dict[str, int], histories: Histories
) -> None:
    assert_as_walked(people, period, question, histories)


@pytest.mark.slow
@settings(max_examples=100)
@given(people=PEOPLE, period=PERIODS, question=QUESTIONS)
def test_very_many_persons_start_switch_and_exit_as_a_walk_day_by_day_says(
    people: People, period: list[int], question: dict[str, int], histories: Histories
) -> None:
    assert_as_walked(people, period, question, histories)


def assert_as_walked(people: People, period: list[int], question: dict[str, int], histories: Histories) -> None:
    asked = question | {"first_day": period[0], "last_day": period[1]}
    names = [f"m{i}" for i in range(len(people))]
    histories.replace(
        asked,
        members=[(name,) for name in names],
        present=[(name,) for name in names],
        class_fills=[row for name, (fills, _, _) in zip(names, people, strict=True) for row in fill_rows(fills, name)],
        enrolled_spans=[(name, first, last) for name, (_, first, last) in zip(names, people, strict=True)],
    )

    made = {group.name: histories.rows(group) for group in (STARTS, SWITCHES, EXITS, STARTING, EXITING)}

    for name, (fills, first, last) in zip(names, people, strict=True):
        expected = _expected(fills, first, last, asked)
        assert made["starts"].get(name, {"new_starts": 0})["new_starts"] == expected["new_starts"]
        assert made["switches"].get(name, {"switches": 0})["switches"] == expected["switches"]
        assert made["exits"].get(name, {"discontinuations": 0})["discontinuations"] == expected["discontinuations"]
        starting = made["cohort_starting"][name]
        assert (starting["not_in_cohort"] is None) == (expected["starting"] is not None)
        assert starting["not_in_cohort"] is not None or starting["product"] == expected["starting"]
        exiting = made["cohort_exiting"][name]
        assert (exiting["not_in_cohort"] is None) == (expected["exiting"] is not None)
        found = (exiting["product"], exiting["months_since_start"], exiting["reason"])
        assert found == (expected["exiting"] or (None, None, None))


def _expected(fills: list[Fill], first: int, last: int, asked: dict[str, int]) -> dict[str, Any]:
    gap, period = asked["gap_days"], range(asked["first_day"], asked["last_day"] + 1)
    starts = [each[0] for each in episodes_of(fills, gap, 150 + 7 * 60)]
    filled = {fill.day for fill in fills}
    fresh = [
        each
        for each in starts
        if first <= each <= last and filled.isdisjoint(range(each - asked["washout_days"], each))
    ]
    expected: dict[str, Any] = {
        "new_starts": int(any(each in period for each in fresh)),
        "switches": sum(is_switch(fills, each, gap) for each in filled if each in period),
        "discontinuations": 0,
        "starting": None,
        "exiting": None,
    }
    if not fresh or fresh[0] != starts[0]:
        return expected
    product = min(fill.product for fill in fills if fill.day == starts[0] and fill.days_supply > 0)
    expected["starting"] = product if starts[0] in period else None
    known = first_exit(fills, last, asked) if starts[0] >= asked["feed_first_day"] else None
    if known and known[0] in period:
        expected["exiting"] = product, whole_months(starts[0], known[2] + 1), known[1]
        expected["discontinuations"] = int(known[1] != "left_plan")
    return expected


def test_a_gap_as_long_as_is_permitted_does_not_end_an_episode_and_one_day_more_does(histories: Histories) -> None:
    """AdhereR: an episode ends where the gap is longer than the maximum permissible gap."""
    for refill, episodes in ((30 + 30, 1), (30 + 31, 2)):
        tell(histories, [Fill(0, 30), Fill(refill, 30)])
        assert len(histories.select("class_supply", "episodes")) == episodes


def test_an_end_is_known_on_the_day_when_the_gap_is_too_long_and_dated_at_the_end_of_supply(
    histories: Histories,
) -> None:
    """30 days from 1 January 1970 last until the 30th; 1 March is the 30th day without, 2 March the 31st."""
    for first, last, known in (
        ("1970-01-01", "1970-03-01", False),
        ("1970-03-02", "1970-03-02", True),
        ("1970-03-03", "1970-12-31", False),
    ):
        tell(histories, [Fill(0, 30)], first_day=day(first), last_day=day(last))
        assert (exit_of(histories)["reason"] == "stopped") == known


@pytest.mark.parametrize(
    ("start", "days_supply", "months"),
    [
        ("1970-01-01", 30, 0),  # to 30 January
        ("1970-01-01", 31, 1),  # the whole of January
        ("1970-01-15", 30, 0),  # 14 February is the first day without
        ("1970-01-15", 31, 1),
        ("1970-01-31", 28, 0),  # 28 February is the first day without, and February has no 31st
        ("1970-01-31", 29, 1),
        ("1970-02-01", 28, 1),
        ("1970-03-10", 366, 12),
        ("1970-12-01", 31, 1),
    ],
)
def test_months_since_start_are_whole_months_of_the_calendar(
    histories: Histories, start: str, days_supply: int, months: int
) -> None:
    tell(histories, [Fill(day(start), days_supply)], last_day=day("1972-12-31"))
    assert exit_of(histories)["months_since_start"] == months


def test_who_fills_another_product_leaves_the_first_on_that_day_even_while_still_covered(histories: Histories) -> None:
    """AdhereR: a change of medication begins a new treatment episode, and ends the one before."""
    tell(histories, [Fill(0, 90), Fill(40, 30, "other")], switch_ends_episode=1)
    known = exit_of(histories)
    assert (known["product"], known["months_since_start"], known["reason"]) == ("own", 1, "switched")
    assert histories.rows(SWITCHES)["m"] == {"switches": 1}


def test_a_switch_does_not_end_persistence_with_the_class(histories: Histories) -> None:
    tell(histories, [Fill(0, 30), Fill(40, 30, "other")])
    assert exit_of(histories)["reason"] == "stopped"
    assert exit_of(histories)["months_since_start"] == 2  # to 11 March 1970


def test_another_product_is_a_switch_on_the_last_day_of_the_gap_and_not_on_the_next(histories: Histories) -> None:
    for at, reason in ((30 + 30, "switched"), (30 + 31, "stopped")):
        tell(histories, [Fill(0, 30), Fill(at, 30, "other")], switch_ends_episode=1)
        assert exit_of(histories)["reason"] == reason
        assert histories.rows(SWITCHES) == ({"m": {"switches": 1}} if reason == "switched" else {})


def test_who_goes_on_filling_the_product_beside_another_has_not_switched(histories: Histories) -> None:
    tell(histories, [Fill(0, 30), Fill(30, 30), Fill(30, 30, "other"), Fill(60, 30)], switch_ends_episode=1)
    assert histories.rows(SWITCHES) == {}
    assert exit_of(histories)["reason"] == "stopped"
    tell(histories, [Fill(0, 30), Fill(10, 30, "other"), Fill(20, 30), Fill(20, 30, "other")])
    assert histories.rows(SWITCHES) == {"m": {"switches": 1}}


def test_leaving_the_plan_before_the_gap_is_over_is_no_discontinuation(histories: Histories) -> None:
    """30 days of supply and 30 of gap: on day 60 it would have been known. Either is known on the last day of all."""
    for last_day, reason, discontinued in ((59, "left_plan", {}), (60, "stopped", {"m": {"discontinuations": 1}})):
        tell(histories, [Fill(0, 30)], (0, last_day), first_day=last_day, last_day=last_day)
        assert exit_of(histories)["reason"] == reason
        assert histories.rows(EXITS) == discontinued


def test_leaving_the_plan_cuts_supply_short(histories: Histories) -> None:
    tell(histories, [Fill(0, 90), Fill(45, 90)], (0, day("1970-01-31")))
    assert (exit_of(histories)["reason"], exit_of(histories)["months_since_start"]) == ("left_plan", 1)


def test_a_product_filled_after_leaving_the_plan_is_no_switch(histories: Histories) -> None:
    for last_day, reason in ((54, "left_plan"), (55, "switched")):
        tell(histories, [Fill(0, 30), Fill(55, 30, "other")], (0, last_day), switch_ends_episode=1)
        assert exit_of(histories)["reason"] == reason


def test_who_began_before_the_feed_neither_starts_nor_exits_in_it(histories: Histories) -> None:
    tell(histories, [Fill(-1, 30), Fill(200, 30)])
    assert histories.rows(STARTING)["m"]["not_in_cohort"] == "first_episode_not_begun_in_period"
    assert exit_of(histories)["not_in_cohort"] == "first_episode_not_ended_in_period"


def test_a_fill_on_the_first_day_of_the_washout_prevents_a_new_start_and_one_a_day_earlier_does_not(
    histories: Histories,
) -> None:
    for earlier, new in ((200 - 180, {}), (200 - 181, {"m": {"new_starts": 1}})):
        tell(histories, [Fill(earlier, 30), Fill(200, 30)], first_day=100)
        assert histories.rows(STARTS) == new


def test_a_fill_of_no_days_counts_in_the_washout_and_opens_no_episode(histories: Histories) -> None:
    tell(histories, [Fill(10, 0), Fill(20, 30)])
    assert histories.rows(STARTS) == {}
    tell(histories, [Fill(10, 0)])
    assert histories.rows(STARTING)["m"]["not_in_cohort"] == "no_fill_of_the_class"


def test_who_is_not_enrolled_on_the_first_day_does_not_start(histories: Histories) -> None:
    for first_day, reason in ((10, None), (11, "no_new_user")):
        tell(histories, [Fill(10, 30)], (first_day, EVER))
        assert histories.rows(STARTING)["m"]["not_in_cohort"] == reason


def test_who_begins_with_several_products_is_of_the_first_by_name_that_has_supply(histories: Histories) -> None:
    tell(histories, [Fill(10, 30, "own"), Fill(10, 30, "other"), Fill(10, 0, "another"), Fill(20, 30, "b")])
    assert histories.rows(STARTING)["m"]["product"] == "other"
