"""Hospital stays and emergency visits: overlapping stays and same-day transfers are one stay, a day has one visit."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.preparation.groups import EMERGENCY, HOSPITAL
from tests.unit.histories import Histories, Row, opened_histories

FIRST, LAST = 0, 364
Stay = tuple[int, int, str | None]


@pytest.fixture(scope="module")
def histories() -> Iterator[Histories]:
    with opened_histories() as histories:
        yield histories


def stay_rows(stays: list[Stay], member: str = "m") -> list[Row]:
    return [(member, *stay, None) for stay in stays]


def hospital(histories: Histories, *stays: Stay) -> tuple[int, int, int]:
    histories.replace(stays=stay_rows([*stays]))
    row = histories.rows(HOSPITAL).get("m", {})
    return row.get("hospital_stays", 0), row.get("hospitalised_members", 0), row.get("hospital_days", 0)


# The independent reckoning: stays that share a day belong together, one by one.


def joined(stays: list[Stay]) -> list[set[int]]:
    found: list[set[int]] = []
    for admission, discharge, _ in stays:
        days = set(range(admission, discharge + 1))
        for other in [other for other in found if other & days]:
            found.remove(other)
            days |= other
        found.append(days)
    return found


def midnights(days: set[int]) -> set[int]:
    return days - {max(days)} or days


STAYS = st.lists(
    st.builds(
        lambda admission, nights, kind: (admission, admission + nights, kind),
        st.integers(-10, 40),
        st.integers(0, 8),
        st.sampled_from(["inpatient", "inpatient", "snf", None]),
    ),
    max_size=8,
)
VISITS = st.lists(st.tuples(st.integers(-10, 40), st.sampled_from(["ed", "ed", "office"])), max_size=8)


@pytest.mark.slow
@settings(max_examples=12)
@given(people=st.lists(st.tuples(STAYS, VISITS), min_size=1, max_size=10), left_out=st.integers(0, 1))
def test_stays_and_visits_are_those_of_sets_of_days(
    people: list[tuple[list[Stay], list[tuple[int, str]]]], left_out: int, histories: Histories
) -> None:
    asked = {"first_day": 0, "last_day": 30, "emergency_admissions_left_out": left_out}
    histories.replace(
        asked,
        stays=[row for i, (stays, _) in enumerate(people) for row in stay_rows(stays, f"m{i}")],
        visits=[(f"m{i}", *visit, None) for i, (_, visits) in enumerate(people) for visit in visits],
    )

    in_hospital, in_emergency = histories.rows(HOSPITAL), histories.rows(EMERGENCY)
    institutions = histories.select("stay_spans")

    period = range(31)
    for i, (stays, visits) in enumerate(people):
        spans = joined([stay for stay in stays if stay[2] != "snf"])
        admitted = sum(min(days) in period for days in spans)
        nights = sum(day in period for days in spans for day in midnights(days))
        row = in_hospital.get(f"m{i}", dict.fromkeys(HOSPITAL.columns, 0))
        assert row == {
            "hospital_stays": admitted, "hospitalised_members": int(admitted > 0), "hospital_days": nights,
        }  # fmt: skip
        days = {day for day, kind in visits if kind == "ed" and day in period}
        days -= set().union(*spans) if left_out else set()
        expected = {"ed_visits": len(days), "ed_members": int(bool(days))}
        assert in_emergency.get(f"m{i}", dict.fromkeys(EMERGENCY.columns, 0)) == expected
        found = sorted(
            (each["admission_day"], each["discharge_day"]) for each in institutions if each["member"] == f"m{i}"
        )
        assert found == sorted((min(days), max(days)) for days in joined(stays))


def test_overlapping_stays_and_same_day_transfers_are_one_stay(histories: Histories) -> None:
    assert hospital(histories, (10, 15, "inpatient"), (12, 20, "inpatient")) == (1, 1, 10)
    assert hospital(histories, (10, 15, "inpatient"), (15, 20, "inpatient")) == (1, 1, 10)
    assert hospital(histories, (10, 30, "inpatient"), (12, 13, "inpatient"), (14, 15, "inpatient")) == (1, 1, 20)


def test_an_admission_on_the_day_after_a_discharge_is_another_stay(histories: Histories) -> None:
    assert hospital(histories, (10, 15, "inpatient"), (16, 20, "inpatient")) == (2, 1, 9)


def test_the_day_of_discharge_counts_only_where_it_is_the_day_of_admission(histories: Histories) -> None:
    """Medicare counts a patient's days from midnight to midnight, and one day for a stay without a midnight."""
    assert hospital(histories, (10, 11, "inpatient")) == (1, 1, 1)
    assert hospital(histories, (10, 10, "inpatient")) == (1, 1, 1)


def test_a_stay_belongs_to_the_period_of_its_admission_and_its_days_to_theirs(histories: Histories) -> None:
    assert hospital(histories, (FIRST - 5, FIRST + 3, "inpatient")) == (0, 0, 3)
    assert hospital(histories, (LAST, LAST + 9, "inpatient")) == (1, 1, 1)
    assert hospital(histories, (LAST + 1, LAST + 9, "inpatient")) == (0, 0, 0)
    assert hospital(histories, (FIRST - 9, LAST + 9, "inpatient")) == (0, 0, 365)
    assert hospital(histories, (FIRST - 3, FIRST, "inpatient")) == (0, 0, 0)


def test_a_transfer_from_the_period_before_is_no_admission_in_this_one(histories: Histories) -> None:
    assert hospital(histories, (FIRST - 4, FIRST, "inpatient"), (FIRST, FIRST + 2, "inpatient")) == (0, 0, 2)


def test_skilled_nursing_is_no_hospital_stay_and_a_transfer_to_it_makes_none(histories: Histories) -> None:
    assert hospital(histories, (10, 30, "snf")) == (0, 0, 0)
    assert hospital(histories, (10, 15, "inpatient"), (15, 30, "snf")) == (1, 1, 5)
    assert hospital(histories, (10, 15, "inpatient"), (15, 30, "snf"), (30, 34, "inpatient")) == (2, 1, 9)


def test_a_stay_of_no_type_is_a_hospital_stay(histories: Histories) -> None:
    assert hospital(histories, (10, 15, None)) == (1, 1, 5)


def emergency(histories: Histories, days: list[int], stays: list[Stay], left_out: int) -> int:
    visits = [("m", day, "ed", None) for day in days]
    histories.replace({"emergency_admissions_left_out": left_out}, visits=visits, stays=stay_rows(stays))
    return int(histories.rows(EMERGENCY).get("m", {"ed_visits": 0})["ed_visits"])


def test_several_claims_of_one_day_are_one_emergency_visit(histories: Histories) -> None:
    """HEDIS, Ambulatory Care: one visit a date of service."""
    assert emergency(histories, [5, 5, 5, 6], [], 0) == 2


def test_emergency_visits_on_a_day_of_a_hospital_stay_are_left_out_where_that_is_asked(histories: Histories) -> None:
    stays: list[Stay] = [(10, 15, "inpatient"), (40, 50, "snf")]
    days = [9, 10, 12, 15, 16, 45]
    assert emergency(histories, days, stays, 0) == 6
    assert emergency(histories, days, stays, 1) == 3
