"""`known_after_months` of exits: always posted equally late, so that their cells tell the cohorts apart."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from adapters.preparation.asked import EPOCH
from adapters.preparation.groups import COHORTS
from api.schemas.contracts import ContractDocumentSchema
from contracts.agreeing import with_plans
from contracts.drafting.life_tables import life_table_faults
from contracts.drafting.meanings import meaning_faults
from contracts.evidence.duties import duties
from contracts.parties import JsonObject
from contracts.periods import Grain, Period, PeriodRange
from contracts.preparation.checking import longest_gap_days, preparation_faults
from contracts.preparation.definitions import FeedDefinition, Persons, Window
from contracts.terms import FeedTerms, LifeTable, read_terms
from tests.http.test_life_tables import life_contract
from tests.support.claims_by_hand import claims_of
from tests.unit.evidence import given
from tests.unit.histories import opened_histories
from tests.unit.test_persistence_life_table import MONTHS, SHARED, STARTING, counted, feed, random_people
from tests.unit.test_rendering import text_of

LAG = 3
JANUARY = Period.parse("1970-01", Grain.MONTH)


def agreed(known_after_months: int | None = LAG, **changes: object) -> JsonObject:
    document = life_contract()
    document["feeds"][1] |= {"known_after_months": known_after_months, **changes}
    return with_plans(ContractDocumentSchema().load(document))


def exits_of(document: JsonObject) -> FeedTerms:
    return read_terms(document).feeds[1]


# --- the clause


def test_it_is_signed_and_said_in_words_and_what_cells_mean_rests_on_it() -> None:
    assert exits_of(agreed()).known_after_months == LAG
    assert "exits are posted" in text_of(agreed())
    assert "months_since_start + 3" in text_of(agreed())
    assert len({exits_of(agreed(lag)).generation for lag in (None, 2, 3)}) == 3


def test_it_is_a_duty_of_who_posts() -> None:
    rules = [rule for each in duties(given(agreed()), read_terms(agreed())).feeds for rule in each.rules]
    assert [rule for rule in rules if "month of the start + months_since_start + 3" in rule] != []


def test_an_amendment_keeps_it_while_the_feed_goes_on_with_its_releases() -> None:
    before = [given(agreed()).record]

    assert list(meaning_faults(agreed(), before)) == []
    ((at, code),) = [(fault.pointer, fault.code) for fault in meaning_faults(agreed(2), before)]
    assert (at, code) == ("/feeds/1/known_after_months", "known_after_differs")


def of_starts(document: JsonObject) -> None:
    document["feeds"][0]["known_after_months"] = LAG


def by_quarter(document: JsonObject) -> None:
    for each in document["feeds"]:
        each |= {"grain": "quarter", "first_period": "2025-Q1", "last_period": "2026-Q4"}


def too_long(document: JsonObject) -> None:
    document["feeds"][1]["known_after_months"] = 4


@pytest.mark.parametrize(
    ("change", "at", "code"),
    [
        (of_starts, "/feeds/0/known_after_months", "known_after_not_exits"),
        (by_quarter, "/feeds/1/known_after_months", "known_after_grain"),
        (too_long, "/feeds/1/known_after_months", "known_after_too_long"),
    ],
)
def test_what_could_not_be_carried_out_is_refused(change: Callable[[JsonObject], None], at: str, code: str) -> None:
    document = ContractDocumentSchema().load(life_contract())
    document["feeds"][1]["known_after_months"] = LAG
    assert list(life_table_faults(document)) == []

    change(document)

    assert (at, code) in [(fault.pointer, fault.code) for fault in life_table_faults(document)]


# --- preparation


def an_exit(gap_days: int, lag: int) -> list[str]:
    definition = FeedDefinition(Persons.EXITING, Window.YEAR, gap_days=gap_days, least_age=None)
    asked = feed({"months_since_start": MONTHS["months_since_start"]}, "2025-01", "2025-12")
    asked = replace(asked, life_table=LifeTable.EXITS, known_after_months=lag, measures={})
    return [fault.code for fault in preparation_faults(asked, definition, ["fills"])]


def test_gaps_that_are_over_too_late_are_refused() -> None:
    assert [longest_gap_days(lag) for lag in (0, 1, 2, 3, 4, 5)] == [-1, 0, 28, 59, 89, 120]
    assert an_exit(28, 2) == []
    assert an_exit(29, 2) == ["known_after_too_short"]
    assert an_exit(30, 3) == []


@pytest.mark.parametrize("lag", [1, 2, 3, 4])
def test_a_gap_that_is_accepted_is_always_over_in_time(lag: int) -> None:
    """Starts at the ends and in the middle of the months of two years, and every end of treatment in half a year."""
    gap = timedelta(days=longest_gap_days(lag))
    days = (date(2023, 1, 1) + timedelta(days=days) for days in range(731))
    for start in (each for each in days if each.day in (1, 15, 28, 29, 30, 31)):
        for end in (start + timedelta(days=days) for days in range(0, 180, 3)):
            months = 12 * (end.year - start.year) + end.month - start.month - (end.day < start.day)
            posted = 12 * start.year + start.month - 1 + months + lag
            known = end + gap
            assert 12 * known.year + known.month - 1 <= posted


def test_an_exit_is_posted_in_the_month_of_the_start_and_so_many_later() -> None:
    """Single fills of 10 to 59 days in the first weeks of 1970, whose exits are known 30 days after their last day. All
    leave the plan soon after, some before it is known that they have stopped: nobody is present any more."""
    fills = {f"m{start}-{supply}": (start, supply) for start in (0, 15, 30, 58) for supply in (10, 28, 31, 59)}
    found: dict[str, tuple[int, int]] = {}
    with opened_histories() as histories:
        histories.replace(
            members=[(member,) for member in fills],
            class_fills=[(member, "one", "any", start, supply) for member, (start, supply) in fills.items()],
            enrolled_spans=[(member, -400, sum(fill) + 25 + 2 * (sum(fill) % 7)) for member, fill in fills.items()],
        )
        for period in PeriodRange(JANUARY, Period(Grain.MONTH, JANUARY.index + 6)):
            first, last = ((each - EPOCH).days for each in (period.first_day, period.last_day))
            histories.ask(first_day=first, last_day=last, known_after_months=LAG, last_month=period.index)
            for member, row in histories.rows(COHORTS[Persons.EXITING]).items():
                if row["not_in_cohort"] is None:
                    assert member not in found
                    found[member] = period.index - JANUARY.index, row["months_since_start"]

    for member, (start, supply) in fills.items():
        begins, ends = (EPOCH + timedelta(days=days) for days in (start, start + supply))
        months = 12 * (ends.year - begins.year) + ends.month - begins.month - (ends.day < begins.day)
        assert found[member] == (begins.month - 1 + months + LAG, months)


@pytest.mark.slow
def test_everybody_exits_who_would_without_the_term_no_earlier_and_of_one_cohort() -> None:
    persons, months = random_people(11, 600), len(MONTHS["months_since_start"])
    first, last = "2019-07", "2020-03"
    exiting = replace(STARTING, persons=Persons.EXITING)
    with claims_of(persons) as engine:
        starts = counted(engine, feed(SHARED, first, last), STARTING)
        known = counted(engine, feed(SHARED | MONTHS, first, last), exiting)
        lagging = replace(feed(SHARED | MONTHS, first, last), known_after_months=LAG)
        posted = counted(engine, lagging, exiting)

    assert len(posted) > 10

    for member, (place, stratum) in posted.items():
        assert place == starts[member][0] + stratum % months + LAG
        assert known[member][1] == stratum
        assert known[member][0] <= place
    late = {member for member, (_, stratum) in known.items() if starts[member][0] + stratum % months + LAG > 8}
    assert known.keys() - posted.keys() == late
