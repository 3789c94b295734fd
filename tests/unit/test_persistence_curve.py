"""Life tables of hand-made starts and exits, against a reckoning over the persons one by one."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, product
from typing import Any

import pytest

from contracts.periods import Grain, Period
from contracts.refusals import QuestionInvalid
from contracts.statistics.answers import Ends, Flag, Row, State
from contracts.statistics.catalogue import get_statistic
from contracts.statistics.columns import rows_of
from contracts.statistics.declarations import Asked, Computed, Statistic
from contracts.statistics.fitting import fit_to
from contracts.statistics.persistence import PERSISTENCE_CURVE
from contracts.statistics.questions import Compare, Question
from contracts.statistics.selecting import get_feeds
from contracts.statistics.stopping import SWITCH_RATE
from contracts.terms import FeedTerms, LifeTable, Rules, Terms
from tests.unit.hand_made import feed_of, slice_of
from tests.unit.terms import some_terms

REGIONS, REASONS, MONTHS = ("north", "south"), ("stopped", "switched", "left_plan"), ("0", "1", "2", "3", "4+")
FIRST, PERIODS, LAG, SIGMA = Period.parse("2025-01", Grain.MONTH), 12, 2, 1.0
UNITS = {"members": "persons"}
STARTS = replace(
    feed_of({"region": REGIONS}, UNITS, grain=Grain.MONTH, sigma=SIGMA), name="starts", life_table=LifeTable.STARTS
)
EXITS = replace(
    feed_of(
        {"region": REGIONS, "months_since_start": MONTHS, "reason": REASONS}, UNITS, grain=Grain.MONTH, sigma=SIGMA
    ),
    name="exits",
    life_table=LifeTable.EXITS,
    known_after_months=LAG,
)
FEEDS = (STARTS, EXITS)
UNMASKED = replace(some_terms(), rules=Rules(min_payers=1, mask_below=None))


@dataclass(frozen=True)
class Person:
    """cohort: month of the start; exit: months until the exit, None for never."""

    region: str
    cohort: int
    exit: int | None
    reason: str


@cache
def some_people(count: int = 3000) -> list[Person]:
    rng = random.Random(7)
    people = []
    for _ in range(count):
        region = rng.choice(REGIONS)
        stays = 0.7 if region == "north" else 0.9
        exit_ = next((month for month in range(30) if rng.random() > stays), None)
        people.append(Person(region, rng.randrange(PERIODS), exit_, rng.choices(REASONS, (5, 2, 3))[0]))
    return people


def posted(people: Iterable[Person], periods: int = PERIODS) -> tuple[Mapping[str, list[int]], Mapping[str, list[int]]]:
    """The cells of both feeds, period by period. periods: how many are posted so far."""
    everybody = list(people)
    starts = Counter((person.cohort, person.region) for person in everybody)
    exits: Counter[tuple[int, str, str, str]] = Counter()
    for person in everybody:
        if person.exit is not None:
            known = person.cohort + person.exit + LAG
            exits[known, person.region, MONTHS[min(person.exit, len(MONTHS) - 1)], person.reason] += 1
    names = [str(Period(Grain.MONTH, FIRST.index + place)) for place in range(periods)]
    return (
        {name: [starts[place, region] for region in REGIONS] for place, name in enumerate(names)},
        {
            name: [exits[(place, *stratum)] for stratum in product(REGIONS, MONTHS, REASONS)]
            for place, name in enumerate(names)
        },
    )


def ask(
    people: Iterable[Person], name: str, so_far: int = PERIODS, terms: Terms | None = None, **asked: object
) -> list[Row]:
    return rows_of(computed(people, name, so_far, terms, **asked).columns)


def computed(
    people: Iterable[Person], name: str, so_far: int = PERIODS, terms: Terms | None = None, **asked: object
) -> Computed:
    statistic = get_statistic(name)
    question = Question(name, **asked)  # type: ignore[arg-type]
    slices = tuple(
        slice_of(feed, need.cut(question, feed), {period: {"members": cells} for period, cells in of_feed.items()})
        for need, feed, of_feed in zip(statistic.needs, FEEDS, posted(people, so_far), strict=True)
    )
    return statistic.compute(question, terms or some_terms(), slices)


def kaplan_meier(
    people: Iterable[Person], events: tuple[str, ...] = ("stopped", "switched"), periods: int = PERIODS
) -> tuple[list[float], dict[str, float]]:
    """S after 1, ..., 4 months and the cumulative incidence of each event, by the textbook, person by person."""
    everybody = list(people)
    survival, curve, incidence = 1.0, list[float](), dict.fromkeys(events, 0.0)
    for month in range(len(MONTHS) - 1):
        followed = [person for person in everybody if person.cohort + month + LAG < periods]
        at_risk = [person for person in followed if person.exit is None or person.exit >= month]
        hazards = {
            event: sum(person.exit == month and person.reason == event for person in at_risk) / max(1, len(at_risk))
            for event in events
        }
        for event, hazard in hazards.items():
            incidence[event] += survival * hazard
        survival *= 1 - sum(hazards.values())
        curve.append(survival)
    return curve, incidence


def test_a_curve_is_kaplan_meiers_of_the_persons_themselves() -> None:
    people = some_people()
    rows = [row for row in ask(people, "persistence_curve", by=("region",)) if row.figure == "persistence"]

    for region in REGIONS:
        expected, _ = kaplan_meier(person for person in people if person.region == region)
        found = [row for row in rows if row.key["region"] == region]
        assert [row.key["months_since_start"] for row in found] == ["1", "2", "3", "4"]
        assert [row.value for row in found] == pytest.approx(expected, abs=1e-12)


def test_periods_are_those_of_the_start_whose_exits_are_read_from_later_ones() -> None:
    people = some_people()
    rows = ask(people, "persistence_curve", by=("quarter",), periods="2025-Q2..2025-Q3")

    for quarter, cohorts in (("2025-Q2", range(3, 6)), ("2025-Q3", range(6, 9))):
        expected, _ = kaplan_meier(person for person in people if person.cohort in cohorts)
        found = [row.value for row in rows if row.figure == "persistence" and row.key["quarter"] == quarter]
        assert found == pytest.approx(expected, abs=1e-12)


def test_cohorts_are_followed_as_far_as_exits_are_posted_and_no_further() -> None:
    people = [person for person in some_people() if person.cohort < 5]
    rows = [row for row in ask(people, "persistence_curve", so_far=5) if row.figure == "persistence"]

    expected, _ = kaplan_meier(people, periods=5)
    assert [row.value for row in rows[:3]] == pytest.approx(expected[:3], abs=1e-12)
    assert rows[3].state is State.MISSING


@pytest.mark.parametrize(("name", "reason"), [("discontinuation_rate", "stopped"), ("switch_rate", "switched")])
def test_a_rate_of_leaving_is_the_cumulative_incidence_of_its_reason(name: str, reason: str) -> None:
    people = some_people()
    (row,) = ask(people, name)

    _, incidence = kaplan_meier(people)
    assert row.key == {"months_since_start": "4"}
    assert row.value == pytest.approx(incidence[reason], abs=1e-12)


def test_stopping_switching_and_staying_are_everybody() -> None:
    people = some_people()
    ((stopped,), (switched,)) = (ask(people, name) for name in ("discontinuation_rate", "switch_rate"))
    stays = [row.value for row in ask(people, "persistence_curve") if row.figure == "persistence"][-1]

    assert (stopped.value or 0) + (switched.value or 0) + (stays or 0) == pytest.approx(1, abs=1e-12)


def test_a_row_says_where_a_cohort_that_was_asked_is_followed_through_no_month_at_all() -> None:
    """The exits of month 0 of who started in 2025-10 are posted in 2025-12, the last that there is."""
    flagged = {
        periods: {Flag.PARTIAL_PERIODS in row.flags for row in ask(some_people(), name, periods=periods)}
        for periods in ("2025-05..2025-10", "2025-05..2025-11")
        for name in ("persistence_curve", "switch_rate")
    }

    assert flagged == {"2025-05..2025-10": {False}, "2025-05..2025-11": {True}}


def test_the_median_and_the_mean_are_those_of_the_curve() -> None:
    people = [person for person in some_people() if person.region == "north"]
    rows = ask(people, "persistence_curve")
    survival, _ = kaplan_meier(people)
    median, mean = (
        next(row for row in rows if row.figure == name) for name in ("median_months", "restricted_mean_months")
    )

    assert median.value == next(month for month, share in enumerate(survival, 1) if share <= 0.5)
    assert (median.unit, Flag.NOT_REACHED in median.flags) == ("whole months", False)
    area = sum((a + b) / 2 for a, b in pairwise([1.0, *survival]))
    assert mean.key == {"months_since_start": "4"}
    assert mean.value == pytest.approx(area, abs=1e-12)
    for row in (median, mean):
        assert row.interval is not None
        assert (row.interval.lower or 0) <= (row.value or 0) <= (row.interval.upper or 4)


def test_a_median_that_is_not_reached_has_no_value_and_no_upper_end() -> None:
    people = [
        replace(person, exit=person.exit if index % 4 == 0 else None) for index, person in enumerate(some_people())
    ]
    (median,) = [row for row in ask(people, "persistence_curve") if row.figure == "median_months"]

    assert (median.state, median.value, Flag.NOT_REACHED in median.flags) == (State.SHOWN, None, True)
    assert median.interval == median.total_interval == Ends(5.0, None)


def test_a_curve_stops_where_too_few_are_at_risk_and_says_so() -> None:
    """One cohort, noise of sd 1 in every cell: of 20 who started 14 are at risk in the second month, after exits of
    three reasons, which is 7 sd; and in the third 5, less than 2 sd of sqrt(7)."""
    people = [Person("north", 0, month, "stopped") for month in [0] * 6 + [1] * 9] + [Person("north", 0, None, "")] * 5
    asked: dict[str, Any] = {"periods": "2025-01", "where": {"region": ("north",)}}
    rows = [row for row in ask(people, "persistence_curve", terms=UNMASKED, **asked) if row.figure == "persistence"]

    assert [row.value for row in rows[:2]] == pytest.approx([14 / 20, 5 / 20])
    assert [row.value for row in rows[2:]] == [None, None]
    assert [Flag.FEW_AT_RISK in row.flags for row in rows] == [False, False, True, True]
    assert rows[-1].interval == Ends(0.0, 1.0)


@pytest.mark.parametrize("name", ["persistence_curve", "switch_rate"])
def test_a_cohort_whose_exits_are_not_posted_yet_is_flagged_and_an_earlier_one_named(name: str) -> None:
    """Exits are posted two months late: by December those of October's cohort begin to come."""
    found = computed(some_people(), name, periods="2025-12")
    rows = rows_of(found.columns)

    assert {(row.state, row.flags, row.value) for row in rows} == {(State.MISSING, (Flag.NOT_FOLLOWED,), None)}
    assert all(row.key.get("months_since_start") != "0" for row in rows)
    *_, when, earlier = [note for note in found.notes if "never rises" not in note]
    assert "2 months after they happened: those of who started in 2025-12 from 2026-02 on" in when
    assert when.endswith("the feed exits ends with 2026-12.")
    assert earlier.endswith("ask for periods up to 2025-10.")
    assert State.SHOWN in {row.state for row in ask(some_people(), name, terms=UNMASKED, periods="2025-10")}


def test_months_that_no_cohort_has_reached_are_flagged_and_starts_that_are_missing_are_not() -> None:
    found = computed(some_people(), "persistence_curve", periods="2025-09")
    rows = [row for row in rows_of(found.columns) if row.figure == "persistence"]

    assert [Flag.NOT_FOLLOWED in row.flags for row in rows] == [False, False, True, True]
    assert not any("ask for periods" in note for note in found.notes)
    nobody = computed(some_people(), "persistence_curve", 6, periods="2025-12")
    assert {(row.state, row.flags) for row in rows_of(nobody.columns)} == {(State.MISSING, ())}


def test_the_band_never_rises_and_holds_what_single_intervals_say_less_surely() -> None:
    rows = ask(some_people(300), "persistence_curve")
    single, band = ([row for row in rows if row.figure == name] for name in ("persistence", "persistence_band"))

    values = [row.value or 0 for row in band if row.value is not None]
    assert values == sorted(values, reverse=True)
    for a, b in zip(single, band, strict=True):
        assert a.total_interval is not None
        assert b.total_interval is not None
        assert (b.total_interval.lower or 0) <= (a.total_interval.lower or 0) + 1e-12
    for ends in (
        [row.interval.lower for row in band if row.interval],
        [row.interval.upper for row in band if row.interval],
    ):
        assert ends == sorted(ends, key=lambda end: end or 0.0, reverse=True)


def test_a_curve_of_few_persons_is_suppressed_and_tells_nothing_else() -> None:
    """The example's small-cell rule hides noisy counts below 11: who started, who is left, and who has left."""
    people = [Person("north", 0, None if place % 3 else 0, "stopped") for place in range(20)]
    rows = ask(people, "persistence_curve", periods="2025-01", where={"region": ("north",)})

    assert {row.state for row in rows} == {State.SUPPRESSED}
    assert {(row.value, row.interval, row.total_interval, row.working) for row in rows} == {(None, None, None, None)}
    assert not {Flag.FEW_AT_RISK, Flag.WHOLE_RANGE} & {flag for row in rows for flag in row.flags}


def test_a_working_shows_the_step_of_its_month() -> None:
    people = some_people()
    first, second, *_ = ask(people, "persistence_curve", explain=True)

    survival, _ = kaplan_meier(people)
    assert first.working is not None
    assert second.working is not None
    assert second.working.formula.startswith("after 1 months * (1 - hazard of month 1) = ")
    assert second.working.formula.endswith(f"= {survival[1]:.10g}")
    assert (second.working.sd or 0) > (first.working.sd or 0) > 0


# --- of which feeds


def derived(name: str, feeds: tuple[FeedTerms, ...], compare: Compare | None = None) -> Statistic:
    return fit_to(get_statistic(name), Asked(Question(name, compare=compare), UNMASKED, feeds, (name,), get_statistic))


def test_exits_that_do_not_tell_cohorts_apart_are_not_enough() -> None:
    with pytest.raises(QuestionInvalid) as refused:
        get_feeds(PERSISTENCE_CURVE, [STARTS, replace(EXITS, known_after_months=None)], Question("persistence_curve"))

    ((code, message),) = [(fault.code, fault.message) for fault in refused.value.faults]
    assert code == "feed_missing"
    assert "with known_after_months" in message


def test_without_a_life_table_the_rates_are_shares_of_the_members() -> None:
    counts = feed_of({"region": REGIONS}, {"members": "persons", "discontinuations": "persons"}, sigma=SIGMA)
    statistic = derived("discontinuation_rate", (counts,))
    question = Question("discontinuation_rate", by=("region",))
    cells = {"members": [400, 500], "discontinuations": [30, 50]}

    rows = rows_of(statistic.compute(question, UNMASKED, (slice_of(counts, question, {"2025": cells}),)).columns)

    assert [row.value for row in rows] == pytest.approx([0.075, 0.1])
    assert all(row.total_interval is not None for row in rows)
    assert "discontinuations in the period" in statistic.estimand
    assert [figure.meaning for figure in statistic.figures] == ["members with discontinuations in the period / members"]
    assert derived("discontinuation_rate", (counts,), Compare.PREVIOUS).before
    assert derived("switch_rate", (counts,)) is SWITCH_RATE  # which then says what it needs


def test_with_a_life_table_the_rates_are_of_it_and_are_compared_with_nothing() -> None:
    counts = feed_of({"region": REGIONS}, {"members": "persons", "switches": "persons"}, sigma=SIGMA)
    assert derived("switch_rate", (counts, *FEEDS)) is SWITCH_RATE
    with pytest.raises(QuestionInvalid) as refused:
        derived("switch_rate", FEEDS, Compare.PREVIOUS)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/compare", "compare_unknown")]
