"""What of the feeds a grant opens to questions."""

from dataclasses import replace

from contracts.periods import Stretch, parse_any
from contracts.statistics.askable import askable_feeds
from tests.unit.terms import some_terms

TERMS = some_terms()
(GRANT,) = TERMS.grants


def test_a_feed_is_asked_by_its_dimensions_and_by_every_grain_that_it_rolls_up_to() -> None:
    (fills,) = (feed for feed in askable_feeds(TERMS, GRANT) if feed.name == "fills")

    assert fills.by == ("region", "sex", "month", "quarter", "year")
    assert [feed.name for feed in askable_feeds(TERMS, GRANT)] == [feed.name for feed in TERMS.feeds]


def test_a_grant_narrows_feeds_periods_and_dimensions() -> None:
    within = Stretch(parse_any("2025-02").first_day, parse_any("2025-03").last_day)
    narrow = replace(GRANT, dimensions=("sex", "month"), feeds=("fills", "adherence"), periods=within)

    (fills,) = askable_feeds(TERMS, narrow)

    assert (fills.name, fills.first, fills.last, fills.by) == ("fills", "2025-02", "2025-03", ("sex", "month"))
