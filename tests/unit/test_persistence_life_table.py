"""A life table of the cells: whoever is counted as an exit was counted as a start, in the same stratum, so that nobody
leaves who was never at risk, however a person has moved, grown older or fallen ill in between."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.preparation.engine import Engine
from adapters.preparation.facts import create_facts
from adapters.preparation.strata import create_placed
from contracts.periods import PeriodRange, parse_any
from contracts.preparation.definitions import CodeList, FeedDefinition, Persons, Window
from contracts.terms import FeedTerms
from tests.support.claims_by_hand import Person, claims_of, day, feed_of

SHARED = {
    "region": ("MA", "CA"),
    "age_band": ("under_18", "18-64", "65+"),
    "line_of_business": ("commercial", "medicare"),
    "product": ("one", "two"),
}
MONTHS = {"months_since_start": (*map(str, range(12)), "12+")}
PRODUCTS = {name: CodeList(frozenset({f"|{name}"}), "") for name in SHARED["product"]}
STARTING = FeedDefinition(Persons.STARTING, Window.YEAR, products=PRODUCTS, washout_days=30)
ALWAYS = [(day("2010-01-01"), None)]
LIVES_IN_MA = [("MA", "commercial")]

Counted = Mapping[str, tuple[int, int]]


def feed(vocabularies: Mapping[str, tuple[str, ...]], first: str, last: str) -> FeedTerms:
    periods = PeriodRange(parse_any(first), parse_any(last))
    return replace(feed_of(["members"], periods.first, vocabularies), periods=periods)


def counted(engine: Engine, feed: FeedTerms, definition: FeedDefinition) -> Counted:
    """By member, the period by its place in the feed, and the stratum."""
    found: dict[str, tuple[int, int]] = {}
    for place, period in enumerate(feed.periods):
        create_facts(engine, feed, definition, period)
        create_placed(engine, feed, definition, period)
        for member, stratum in engine.rows("SELECT member, stratum FROM placed WHERE excluded_by IS NULL"):
            assert member not in found
            found[member] = place, stratum
    return found


def life_table(
    persons: Mapping[str, Person], definition: FeedDefinition, first: str, last: str
) -> tuple[Counted, Counted]:
    """Starts and exits, in the strata of the shared dimensions."""
    with claims_of(persons) as engine:
        starts = counted(engine, feed(SHARED, first, last), definition)
        exits = counted(engine, feed(SHARED | MONTHS, first, last), replace(definition, persons=Persons.EXITING))
    months = len(MONTHS["months_since_start"])
    return starts, {member: (place, stratum // months) for member, (place, stratum) in exits.items()}


def assert_at_risk(starts: Counted, exits: Counted) -> None:
    for member, (place, stratum) in exits.items():
        assert member in starts, "an exit that never started"
        assert starts[member][0] <= place
        assert starts[member][1] == stratum
    for until in {place for place, _ in exits.values()}:
        begun = Counter(stratum for place, stratum in starts.values() if place <= until)
        ended = Counter(stratum for place, stratum in exits.values() if place <= until)
        assert ended <= begun


def test_who_moves_has_a_birthday_or_falls_ill_before_the_exit_exits_where_the_start_was() -> None:
    """All begin in the last quarter of 2019; that they stopped, on 8 January, is known on 8 February."""
    home, adult = [("MA", "commercial")], day("1980-05-05")
    moves = [(ALWAYS[0][0], day("2019-12-15")), (day("2019-12-16"), None)]
    persons = {
        "moves": Person(spans=moves, homes=[*home, ("CA", "medicare")], birth_day=adult),
        "turns 65": Person(spans=ALWAYS, homes=home, birth_day=day("1954-12-01")),
        "turns 18 in the quarter of the start": Person(spans=ALWAYS, homes=home, birth_day=day("2001-11-15")),
        "falls ill later": Person(spans=ALWAYS, homes=home, excluding=[("ill", day("2020-01-01"))], birth_day=adult),
        "was ill before": Person(spans=ALWAYS, homes=home, excluding=[("ill", day("2019-02-01"))], birth_day=adult),
    }
    fills = [(day("2019-12-10"), "|one", 30)]
    treated = {member: replace(person, fills=fills) for member, person in persons.items()}

    starts, exits = life_table(treated, STARTING, "2019-Q4", "2020-Q1")

    assert_at_risk(starts, exits)
    assert starts.keys() == {"moves", "turns 65", "falls ill later"}
    assert exits == {member: (1, stratum) for member, (_, stratum) in starts.items()}


BEGINS, ENDS = day("2018-10-01"), day("2020-12-31")


def random_people(seed: int, count: int) -> dict[str, Person]:
    rng = random.Random(seed)
    return {f"m{i}": random_person(rng) for i in range(count)}


def random_person(rng: random.Random) -> Person:
    """Enrolled from before the feed, through moves, to the feed's end or not so far; about 18 or 65 years old."""

    def a_day() -> int:
        return rng.randint(BEGINS, ENDS)

    def days(most: int) -> list[int]:
        return sorted(a_day() for _ in range(rng.randint(0, most)))

    moves = pairwise(sorted({BEGINS - 400, *days(3), rng.choice([a_day(), ENDS + 1])}))
    spans: list[tuple[int, int | None]] = [(first, after - 1) for first, after in moves]
    turning = rng.choice([1954, 1955, 2001, 2002])
    return Person(
        fills=[(on, rng.choice(["|one", "|two"]), rng.choice([10, 30, 90])) for on in days(4)],
        spans=spans,
        homes=[(rng.choice(["MA", "CA", "TX"]), rng.choice(SHARED["line_of_business"])) for _ in spans],
        excluding=[("ill", on) for on in days(1)],
        birth_day=rng.choice([None, *[day(f"{turning}-01-01") + rng.randint(0, 364)] * 9]),
        death_day=rng.choice([None, None, None, a_day()]),
    )


def test_nobody_exits_who_did_not_start_in_the_same_stratum() -> None:
    starts, exits = life_table(random_people(5, 300), STARTING, "2019-Q3", "2020-Q1")
    assert_at_risk(starts, exits)
    assert len(exits) > 10


@pytest.mark.slow
@settings(max_examples=8)
@given(
    seed=st.integers(0, 2**32),
    window=st.sampled_from(Window),
    washout_days=st.sampled_from([0, 30, 180]),
    periods=st.sampled_from([("2019-01", "2020-03"), ("2019-Q1", "2020-Q4"), ("2019", "2020")]),
)
def test_over_many_months_nobody_exits_who_did_not_start_in_the_same_stratum(
    seed: int, window: Window, washout_days: int, periods: tuple[str, str]
) -> None:
    window_days = 200 if window is Window.INDEX else None
    definition = replace(STARTING, window=window, window_days=window_days, washout_days=washout_days)
    assert_at_risk(*life_table(random_people(seed, 200), definition, *periods))
