"""Sensitivities are proved by going through every history that the contribution bound allows."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import inf, nextafter
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


def histories(periods: int, k: int, bound: int) -> Iterator[History]:
    """Everything that one person can add: what adding or removing that person changes in the table."""
    amounts = [(stratum, amount) for stratum in range(STRATA) for amount in range(bound + 1)]
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
