"""Which periods are right before those asked, and that a grant of whole stretches of time is not got around by them."""

from copy import deepcopy
from dataclasses import replace

import pytest

from contracts.periods import Grain, Stretch
from contracts.statistics.questions import Question, buckets_of, selected_periods
from contracts.terms import FeedTerms, read_terms
from tests.unit.terms import DOCUMENT, FILLS

MONTH, QUARTER, YEAR = Grain.MONTH, Grain.QUARTER, Grain.YEAR


def a_feed(grain: Grain = MONTH, first: str = "2024-01", last: str = "2025-06") -> FeedTerms:
    fills = FILLS | {"grain": grain, "first_period": first, "last_period": last, "k": 1}
    (feed,) = read_terms(deepcopy(DOCUMENT) | {"feeds": [fills]}).feeds
    return feed


def before(question: Question, feed: FeedTerms | None = None, coarsest: Grain | None = None) -> list[list[str]]:
    feed = feed or a_feed()
    buckets = buckets_of(question, selected_periods(question, feed))
    moved = (bucket.before(question, feed, coarsest or feed.grain) for bucket in buckets)
    return [[str(period) for period in bucket.periods] for bucket in moved]


def asked(
    periods: str | None, *by: str, within: Stretch | None = None, grains: tuple[Grain, ...] | None = None
) -> Question:
    return Question("counts", by=by, periods=periods, within=within, grains=grains)


HALF = [f"2024-0{month}" for month in range(1, 7)]


def test_half_a_year_is_beside_the_same_half_of_the_year_before() -> None:
    assert before(asked("2025")) == [HALF]
    assert before(asked("2025", "year")) == [HALF]
    assert before(asked("2025-01")) == [["2024-12"]]
    assert before(asked("2025-Q1", "year")) == [HALF[:3]]
    assert before(asked("2025-02..2025-03", "month")) == [["2025-01"], ["2025-02"]]


def test_before_all_that_there_is_is_nothing() -> None:
    assert before(asked(None)) == [[]]
    assert before(asked(None, within=Stretch.parse("2025", "2025"))) == [[]]
    assert before(asked("2025-06", within=Stretch.parse("2025-06", "2025-06"))) == [[]]


def test_feeds_of_different_grains_are_moved_alike() -> None:
    """Five months are two quarters, rounded up: no month is beside itself."""
    quarterly, question = a_feed(QUARTER, "2024-Q1", "2025-Q2"), asked("2025-02..2025-06")
    assert before(question, quarterly) == [["2024-Q4"]]
    assert before(question, coarsest=QUARTER) == [[f"2024-{month:02}" for month in (8, 9, 10, 11, 12)]]
    assert before(asked("2025-Q2"), quarterly) == [["2025-Q1"]]


@pytest.mark.parametrize("by", [(), ("year",)])
def test_what_could_not_be_asked_is_not_told_as_what_was_before(by: tuple[str, ...]) -> None:
    """With years alone granted, six months of 2024 are refused when they are asked; beside 2025 they are not shown."""
    assert before(asked("2025", *by, grains=(YEAR,))) == [[]]
    assert before(asked("2025", *by, grains=())) == [[]]
    assert before(asked("2025", *by, grains=(QUARTER, YEAR))) == [HALF]
    assert before(asked("2025", *by, grains=(MONTH,))) == [HALF]


def test_whole_stretches_before_are_told_as_far_as_the_feed_has_them() -> None:
    feed = a_feed(first="2024-05", last="2025-12")
    months = [f"2024-{month:02}" for month in range(5, 13)]
    assert before(asked("2025", grains=(YEAR,)), feed) == [months]
    assert before(asked("2025", grains=(YEAR,)), replace(feed, periods=a_feed(last="2025-12").periods)) == [
        [f"2024-{month:02}" for month in range(1, 13)]
    ]
    yearly = a_feed(YEAR, "2024", "2025")
    assert before(asked("2025", grains=(MONTH,)), yearly) == [["2024"]]
