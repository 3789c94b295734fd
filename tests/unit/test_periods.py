"""Periods are read, written, ordered, rolled up and counted by the calendar."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.periods import Grain, NotAPeriod, Period, PeriodRange

GRAINS = st.sampled_from(list(Grain))
DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
TEXT_OF = {
    Grain.MONTH: lambda day: f"{day.year:04d}-{day.month:02d}",
    Grain.QUARTER: lambda day: f"{day.year:04d}-Q{(day.month + 2) // 3}",
    Grain.YEAR: lambda day: f"{day.year:04d}",
}


@given(DAYS, GRAINS)
def test_the_period_of_any_day_is_written_as_it_is_read_and_holds_the_day(day: date, grain: Grain) -> None:
    text = TEXT_OF[grain](day)
    period = Period.parse(text, grain)
    assert str(period) == text
    assert period.first_day <= day <= period.last_day
    assert TEXT_OF[grain](period.first_day) == TEXT_OF[grain](period.last_day) == text


@given(DAYS.filter(lambda day: day.year < 9999), GRAINS)
def test_a_period_ends_the_day_before_the_next_begins(day: date, grain: Grain) -> None:
    period = Period.parse(TEXT_OF[grain](day), grain)
    following = Period(grain, period.index + 1)
    assert period.last_day + timedelta(days=1) == following.first_day
    assert period < following


@pytest.mark.parametrize(
    ("text", "grain"),
    [
        ("2025", Grain.MONTH),
        ("2025-00", Grain.MONTH),
        ("2025-13", Grain.MONTH),
        ("2025-1", Grain.MONTH),
        ("2025-01-01", Grain.MONTH),
        (" 2025-01", Grain.MONTH),
        ("2025-01\n", Grain.MONTH),
        ("0000-01", Grain.MONTH),
        ("٢٠٢٥-01", Grain.MONTH),
        ("2025-Q0", Grain.QUARTER),
        ("2025-Q5", Grain.QUARTER),
        ("2025-q1", Grain.QUARTER),
        ("2025-01", Grain.QUARTER),
        ("25", Grain.YEAR),
        ("20255", Grain.YEAR),
        ("", Grain.YEAR),
    ],
)
def test_what_is_written_otherwise_is_no_period_and_the_right_form_is_shown(text: str, grain: Grain) -> None:
    with pytest.raises(NotAPeriod) as raised:
        Period.parse(text, grain)
    example = str(raised.value).split()[-1]
    assert str(Period.parse(example, grain)) == example
    unheard_of = {"2025-00": "month 00", "2025-13": "month 13", "2025-Q0": "quarter 0", "2025-Q5": "quarter 5"}
    assert str(raised.value).startswith(f"there is no {unheard_of.get(text)}; ") == (text in unheard_of)


@given(DAYS, GRAINS, GRAINS)
def test_a_period_rolls_up_to_the_coarser_one_that_holds_it(day: date, fine: Grain, coarse: Grain) -> None:
    period = Period.parse(TEXT_OF[fine](day), fine)
    whole = Period.parse(TEXT_OF[coarse](day), coarse)
    order = list(Grain)
    if order.index(coarse) < order.index(fine):
        with pytest.raises(NotAPeriod):
            period.rolled_up_to(coarse)
        return
    assert period.rolled_up_to(coarse) == whole
    assert whole.first_day <= period.first_day <= period.last_day <= whole.last_day


def test_the_last_day_of_february_knows_leap_years() -> None:
    assert Period.parse("2024-02", Grain.MONTH).last_day == date(2024, 2, 29)
    assert Period.parse("2025-02", Grain.MONTH).last_day == date(2025, 2, 28)
    assert Period.parse("1900-Q1", Grain.QUARTER).first_day == date(1900, 1, 1)


def a_range(first: str, last: str, grain: Grain = Grain.MONTH) -> PeriodRange:
    return PeriodRange(Period.parse(first, grain), Period.parse(last, grain))


def test_a_range_holds_both_ends_and_crosses_years() -> None:
    months = a_range("2024-11", "2025-02")
    assert [str(period) for period in months] == ["2024-11", "2024-12", "2025-01", "2025-02"]
    assert len(months) == 4
    assert all(period in months for period in months)
    assert Period.parse("2024-10", Grain.MONTH) not in months
    assert Period.parse("2025-03", Grain.MONTH) not in months


def test_a_range_holds_no_period_of_another_grain() -> None:
    months = a_range("2024-01", "2025-12")
    quarter = Period(Grain.QUARTER, months.first.index)
    assert quarter not in months


def test_a_range_whose_ends_are_reversed_is_empty() -> None:
    assert len(a_range("2025-05", "2025-01")) == 0
    assert list(a_range("2025-05", "2025-01")) == []
