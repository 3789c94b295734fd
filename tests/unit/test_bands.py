"""Labels of bands are read as whole numbers, and what cannot be read, overlaps or leaves a gap is said."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.preparation.bands import (
    Band,
    NotBands,
    ShareBands,
    age_bands,
    latest_birth_day,
    month_bands,
    share_bands,
)

EPOCH = date(1970, 1, 1)
FOUR_FIFTHS = Fraction(4, 5)


@pytest.mark.parametrize(
    ("label", "least", "end"),
    [
        ("18-44", 18, 45),
        ("0 to 17", 0, 18),
        ("75+", 75, None),
        ("65_plus", 65, None),
        ("65 and over", 65, None),
        ("under_65", 0, 65),
        ("<65", 0, 65),
        ("< 65", 0, 65),
    ],
)
def test_an_age_label_holds_its_whole_years(label: str, least: int, end: int | None) -> None:
    assert age_bands([label]) == (Band(label, least, end),)


def test_age_bands_keep_the_order_of_the_vocabulary() -> None:
    assert [band.label for band in age_bands(["75+", "under_65", "65-74"])] == ["75+", "under_65", "65-74"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["18-44", "old"], "`old` is not written like"),
        (["18-44", "44-64"], "`18-44` and `44-64` overlap"),
        (["18-44", "46-64"], "nothing lies between `18-44` and `46-64`"),
        (["65+", "75+"], "overlap"),
        (["65+", "65-74"], "overlap"),
        (["44-18"], "`44-18` ends before it begins"),
        (["-5-4"], "is not written like"),
        (["١٨-٤٤"], "is not written like"),  # digits, and no ASCII
    ],
)
def test_ages_that_cannot_be_read_overlap_or_leave_a_gap_are_refused(labels: list[str], said: str) -> None:
    with pytest.raises(NotBands, match=said):
        age_bands(labels)


def test_all_faults_are_said_at_once() -> None:
    with pytest.raises(NotBands, match=r"`x` is not .*; .*overlap"):
        age_bands(["x", "18-44", "40-64"])


def test_shares_are_percents_and_the_last_holds_a_hundred() -> None:
    bands = (Band("p00_20", 0, 20), Band("p20_80", 20, 80), Band("p80_100", 80, None))
    assert share_bands(["p00_20", "p20_80", "p80_100"], FOUR_FIFTHS) == ShareBands(100, bands)


def test_adherent_begins_at_the_threshold() -> None:
    found = share_bands(["adherent", "nonadherent"], Fraction(85, 100))
    assert found == ShareBands(20, (Band("adherent", 17, None), Band("nonadherent", 0, 17)))


@pytest.mark.parametrize("labels", [["p80_101"], ["80-100"], ["p00_50", "p80_100"], ["adherent", "p00_80"]])
def test_shares_that_cannot_be_read_or_leave_a_gap_are_refused(labels: list[str]) -> None:
    with pytest.raises(NotBands):
        share_bands(labels, FOUR_FIFTHS)


def test_months_are_single_and_the_last_may_be_open() -> None:
    assert month_bands(["0", "1", "2+"]) == (Band("0", 0, 1), Band("1", 1, 2), Band("2+", 2, None))


@pytest.mark.parametrize("labels", [["0", "2"], ["0+", "1"], ["one"], ["0", "00"]])
def test_months_with_a_gap_or_overlap_are_refused(labels: list[str]) -> None:
    with pytest.raises(NotBands):
        month_bands(labels)


@given(
    st.dates(date(1800, 1, 1), date(2200, 12, 31)) | st.sampled_from([date(2000, 2, 29), date(1904, 2, 29)]),
    st.dates(date(1900, 1, 1), date(2100, 12, 31)) | st.sampled_from([date(2004, 2, 29), date(2001, 2, 28)]),
    st.integers(0, 130),
)
def test_the_latest_birth_day_of_an_age_is_that_of_completed_years(born: date, on: date, age: int) -> None:
    completed = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    latest = latest_birth_day(age, on)
    assert latest is not None
    assert (born <= EPOCH + timedelta(days=latest)) == (completed >= age)


def test_no_calendar_day_is_early_enough_for_an_age_of_centuries() -> None:
    assert latest_birth_day(999, date(900, 1, 1)) is None
