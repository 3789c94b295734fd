"""Sensitivities are proved by going through every history that the contribution bound allows."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import inf, nextafter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.sensitivity import (
    l2_squared_merged,
    l2_squared_of_period,
    l2_squared_period_dropped,
    l2_squared_with_period_as_key,
    root_up,
)

STRATA = 2
# In each period a person is absent, or lies in one stratum with an amount.
Presence = tuple[int, int] | None
History = tuple[Presence, ...]
LIMITS = [(periods, k, bound) for periods in (1, 2, 3, 4) for k in range(1, periods + 1) for bound in (1, 2, 3)]


def histories(periods: int, k: int, bound: int, strata: int = STRATA) -> Iterator[History]:
    """Everything that one person can add: what adding or removing that person changes in the table."""
    amounts = [(stratum, amount) for stratum in range(strata) for amount in range(bound + 1)]
    for history in product([None, *amounts], repeat=periods):
        if sum(presence is not None for presence in history) <= k:
            yield history


def squared_length(history: History, bucket_sizes: Sequence[int]) -> int:
    """Squared L2 length of the person's part of a table with one entry a stratum and bucket of periods."""
    total, start = 0, 0
    for size in bucket_sizes:
        present = [presence for presence in history[start : start + size] if presence is not None]
        for stratum in range(STRATA):
            total += sum(amount for where, amount in present if where == stratum) ** 2
        start += size
    return total


def compositions(periods: int) -> Iterator[tuple[int, ...]]:
    """Every way to cut so many periods into buckets of neighbours."""
    if periods == 0:
        yield ()
    for first in range(1, periods + 1):
        yield from ((first, *rest) for rest in compositions(periods - first))


@pytest.mark.parametrize(("periods", "k", "bound"), LIMITS)
def test_each_formula_equals_the_worst_history_that_the_bound_allows(periods: int, k: int, bound: int) -> None:
    worst = dict.fromkeys(compositions(periods), 0)
    for history in histories(periods, k, bound):
        for buckets in worst:
            worst[buckets] = max(worst[buckets], squared_length(history, buckets))

    for buckets, square in worst.items():
        assert l2_squared_merged(bound, k, buckets) == square, buckets
    assert l2_squared_with_period_as_key(bound, k) == worst[(1,) * periods]
    assert l2_squared_period_dropped(bound, k) == worst[(periods,)]


@pytest.mark.parametrize("bound", [1, 2, 3, 31])
@pytest.mark.parametrize("kept", [(True, True), (True, False), (False, True), (False, False)])
def test_one_period_of_any_margin_moves_by_the_bound(bound: int, kept: tuple[bool, bool]) -> None:
    worst = 0
    for stratum in product(range(2), range(3)):
        for amount in range(bound + 1):
            entry = tuple(value for value, keep in zip(stratum, kept, strict=True) if keep)
            margin = {entry: amount}
            worst = max(worst, sum(value * value for value in margin.values()))
    assert l2_squared_of_period(bound) == worst


@pytest.mark.parametrize(("periods", "k", "bound"), [(3, 1, 2), (3, 2, 2), (3, 3, 1), (2, 2, 3)])
def test_every_margin_of_every_period_moves_by_no_more_than_the_bound_in_all_histories(
    periods: int, k: int, bound: int
) -> None:
    """The formula that plans are charged by, over whole histories in two dimensions rather than one period."""
    strata = list(product(range(2), range(2)))
    present = [(stratum, amount) for stratum in strata for amount in range(bound + 1)]
    worst = dict.fromkeys(product((True, False), repeat=2), 0)
    for history in product([None, *present], repeat=periods):
        if sum(period is not None for period in history) > k:
            continue
        for kept in worst:
            for period in history:
                margin: dict[tuple[int, ...], int] = defaultdict(int)
                if period is not None:
                    margin[tuple(v for v, keep in zip(period[0], kept, strict=True) if keep)] += period[1]
                worst[kept] = max(worst[kept], sum(value * value for value in margin.values()))
    assert set(worst.values()) == {l2_squared_of_period(bound)}


# Change-one: one person's history replaced by another's, as docs/explain/how-it-is-proved.md states it.


def worst_replacement(strata: int, periods: int, k: int, bound: int, buckets: Sequence[int]) -> int:
    """The largest squared L2 distance between the parts of two persons in a table of strata by buckets of periods."""
    parts = {part_of(history, strata, buckets) for history in histories(periods, k, bound, strata)}
    return max(sum((a - b) ** 2 for a, b in zip(left, right, strict=True)) for left in parts for right in parts)


def part_of(history: History, strata: int, buckets: Sequence[int]) -> tuple[int, ...]:
    part, start = [], 0
    for size in buckets:
        for stratum in range(strata):
            part.append(sum(p[1] for p in history[start : start + size] if p is not None and p[0] == stratum))
        start += size
    return tuple(part)


@pytest.mark.parametrize("periods", [1, 2, 3])
@pytest.mark.parametrize("bound", [1, 2])
def test_replacing_a_person_costs_at_most_twice_what_adding_one_does(periods: int, bound: int) -> None:
    for k in range(1, periods + 1):
        for buckets in compositions(periods):
            assert worst_replacement(2, periods, k, bound, buckets) == 2 * l2_squared_merged(bound, k, buckets)
        # A margin of one entry: the grand total.
        assert worst_replacement(1, periods, k, bound, [periods]) == l2_squared_period_dropped(bound, k)
        by_period = worst_replacement(1, periods, k, bound, [1] * periods)
        assert by_period == l2_squared_with_period_as_key(bound, min(2 * k, periods))


def test_the_page_on_proofs_states_the_value_of_every_table_under_both_relations() -> None:
    """Three periods, k = 2, b = 2, and two strata or none; the numbers are those of brute force."""
    page = Path(__file__).parents[2] / "docs" / "explain" / "how-it-is-proved.md"
    rows = re.findall(r"^\| (.+?) \|.*\| (\d+) \| (\d+) \|$", page.read_text(), re.MULTILINE)
    tables = {
        "a margin of one period": (2, 1, 1, [1]),
        "the total of one period": (1, 1, 1, [1]),
        "a margin, period as a key": (2, 3, 2, [1, 1, 1]),
        "the total, period as a key": (1, 3, 2, [1, 1, 1]),
        "a margin, periods merged into 2 and 1": (2, 3, 2, [2, 1]),
        "a margin, period dropped": (2, 3, 2, [3]),
        "the total, period dropped": (1, 3, 2, [3]),
    }
    assert {name: (int(added), int(replaced)) for name, added, replaced in rows} == {
        name: (worst_addition(strata, periods, k, 2, buckets), worst_replacement(strata, periods, k, 2, buckets))
        for name, (strata, periods, k, buckets) in tables.items()
    }


def worst_addition(strata: int, periods: int, k: int, bound: int, buckets: Sequence[int]) -> int:
    found = (part_of(history, strata, buckets) for history in histories(periods, k, bound, strata))
    return max(sum(value * value for value in part) for part in found)


@given(st.integers(1, 50), st.integers(1, 60), st.lists(st.integers(1, 12), min_size=1, max_size=8), st.randoms())
def test_the_order_of_buckets_does_not_matter_and_more_periods_than_there_are_change_nothing(
    bound: int, k: int, sizes: list[int], random: Random
) -> None:
    shuffled = random.sample(sizes, len(sizes))
    assert l2_squared_merged(bound, k, sizes) == l2_squared_merged(bound, k, shuffled)
    all_of_them = sum(sizes)
    if k >= all_of_them:
        assert l2_squared_merged(bound, k, sizes) == l2_squared_merged(bound, all_of_them, sizes)


@pytest.mark.parametrize(
    ("formula", "arguments"),
    [
        (l2_squared_of_period, (0,)),
        (l2_squared_with_period_as_key, (0, 1)),
        (l2_squared_with_period_as_key, (1, 0)),
        (l2_squared_merged, (1, 0, [1])),
        (l2_squared_merged, (0, 1, [1])),
        (l2_squared_merged, (1, 1, [1, 0])),
        (l2_squared_period_dropped, (1, -1)),
    ],
)
def test_a_bound_or_a_number_of_periods_below_one_is_refused(formula, arguments) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="must be at least 1"):
        formula(*arguments)


def assert_smallest_root(square: int) -> None:
    root = root_up(square)
    assert Fraction(root) ** 2 >= square
    assert root == 0.0 or Fraction(nextafter(root, -inf)) ** 2 < square


SQUARES = st.one_of(
    st.integers(0, 10**4),
    st.integers(0, 10**40),
    st.integers(0, 2**60).map(lambda root: root * root),
    st.builds(lambda root, off: root * root + off, st.integers(2, 2**60), st.integers(-2, 2)),
)


@given(SQUARES)
def test_a_root_is_the_smallest_double_that_is_not_below_it(square: int) -> None:
    assert_smallest_root(square)


def test_the_roots_of_the_first_ten_thousand_integers_are_the_smallest_doubles_not_below_them() -> None:
    for square in range(10_000):
        assert_smallest_root(square)


def test_a_negative_square_has_no_root() -> None:
    with pytest.raises(ValueError, match="not negative"):
        root_up(-1)
