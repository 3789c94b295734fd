"""Every person keeps the bounds and every invariant, whatever was cut, and depends on nobody else in it."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.preparation.bounds import column, create_bounded
from adapters.preparation.engine import Engine
from contracts.invariants import Invariant
from contracts.terms import FeedTerms
from tests.support.facts import a_feed

NAMES = ("a", "b", "c", "d")
INT64 = st.integers(-(2**63), 2**63 - 1)
SIDES = st.lists(st.tuples(st.sampled_from([0, 1, 1, 2, 10, 10_000]), st.sampled_from(NAMES)), min_size=1, max_size=3)
Amounts = tuple[int, ...]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.opened(threads=1) as opened:
        yield opened


@st.composite
def feeds(draw: st.DrawFn) -> FeedTerms:
    invariants = [
        " <= ".join(" + ".join(f"{weight} * {name}" for weight, name in draw(SIDES)) for _ in range(2))
        for _ in range(draw(st.integers(1, 4)))
    ]
    bounds = draw(st.lists(st.sampled_from([1, 2, 31, 10**6, 10**12]), min_size=4, max_size=4))
    measures = {name: {"unit": "things", "bound": bound} for name, bound in zip(NAMES, bounds, strict=True)}
    return a_feed({}, measures=measures, invariants=invariants)


PERSONS = st.lists(st.tuples(*[st.integers(0, 40) | INT64] * len(NAMES)), min_size=1, max_size=8)


def bounded(engine: Engine, feed: FeedTerms, persons: Sequence[Amounts]) -> tuple[list[Amounts], int]:
    columns = [f"{column(i)} BIGINT" for i in range(len(NAMES))]
    engine.create_values("raw", ["stratum BIGINT", *columns], [(i, *person) for i, person in enumerate(persons)])
    lowered = create_bounded(engine, feed, "FROM raw")
    rows = engine.rows(f"SELECT {', '.join(column(i) for i in range(len(NAMES)))} FROM bounded ORDER BY stratum")
    return rows, lowered


def holds(invariant: Invariant, amounts: Amounts) -> bool:
    of = dict(zip(NAMES, amounts, strict=True))
    left, right = (sum(weight * of[name] for weight, name in side) for side in (invariant.left, invariant.right))
    return left <= right


def cut(feed: FeedTerms, amounts: Amounts) -> Amounts:
    return tuple(max(0, min(x, bound)) for x, bound in zip(amounts, feed.bounds.values(), strict=True))


@settings(max_examples=15)
@given(feeds(), PERSONS)
def test_everybody_keeps_every_invariant_within_the_bounds(
    engine: Engine, feed: FeedTerms, persons: list[Amounts]
) -> None:
    found, lowered = bounded(engine, feed, persons)

    clipped = [cut(feed, person) for person in persons]
    for before, after in zip(clipped, found, strict=True):
        assert all(0 <= x <= y for x, y in zip(after, before, strict=True))
        assert all(holds(invariant, after) for invariant in feed.invariants)
        if all(holds(invariant, before) for invariant in feed.invariants):
            assert after == before
    assert lowered == sum(not all(holds(each, person) for each in feed.invariants) for person in clipped)


@pytest.mark.slow
@settings(max_examples=8)
@given(feeds(), PERSONS)
def test_what_is_left_of_a_person_does_not_depend_on_the_others(
    engine: Engine, feed: FeedTerms, persons: list[Amounts]
) -> None:
    together, _ = bounded(engine, feed, persons)
    assert [bounded(engine, feed, [person])[0][0] for person in persons] == together


def left_of(engine: Engine, invariants: list[str], amounts: Amounts, bound: int = 10**12) -> Amounts:
    measures = {name: {"unit": "things", "bound": bound} for name in NAMES}
    ((found,), _) = bounded(engine, a_feed({}, measures=measures, invariants=invariants), [amounts])
    return found


def test_a_cut_on_the_right_is_followed_on_the_left(engine: Engine) -> None:
    assert left_of(engine, ["a <= b"], (366, 366, 0, 0), bound=300) == (300, 300, 0, 0)
    assert left_of(engine, ["a <= b", "b <= 10 * c"], (25, 25, 2, 0)) == (20, 20, 2, 0)


def test_the_measure_named_first_keeps_as_much_as_it_can(engine: Engine) -> None:
    assert left_of(engine, ["2 * a + 3 * b <= c"], (4, 4, 15, 0)) == (4, 2, 15, 0)
    assert left_of(engine, ["3 * b + 2 * a <= c"], (4, 4, 15, 0)) == (1, 4, 15, 0)


def test_a_measure_on_both_sides_counts_by_what_is_left_of_it(engine: Engine) -> None:
    assert left_of(engine, ["3 * a <= a + b"], (9, 10, 0, 0)) == (5, 10, 0, 0)


def test_invariants_that_only_nothing_satisfies_leave_nothing(engine: Engine) -> None:
    assert left_of(engine, ["2 * a <= b", "b <= a"], (10**12, 10**12, 7, 8)) == (0, 0, 7, 8)


def test_whoever_is_not_settled_after_so_many_passes_adds_nothing(engine: Engine) -> None:
    """Each pass takes a ten-thousandth away: it would take hundreds of thousands of them."""
    assert left_of(engine, ["10000 * a <= 9999 * b", "b <= a"], (10**12, 10**12, 7, 8)) == (0, 0, 0, 0)
