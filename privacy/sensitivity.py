"""Exact squared L2 sensitivities of the tables a feed releases, under add-or-remove of one person.

One person lies in at most one stratum a period (so in one entry of every margin of it), appears in at most `k`
periods, and adds at most `b` to a cell. Squares are integers and stay so; a square root, where a library wants
one, is rounded up, because `math.sqrt` lies below the true root for about half of all integers.

Source: Dwork and Roth, The Algorithmic Foundations of Differential Privacy (2014), definition 3.8, worked out
for these tables; each formula is proved against brute force in tests/property/test_sensitivity.py.
"""

from collections.abc import Sequence
from math import inf, isqrt, nextafter, sqrt


def l2_squared_of_period(bound: int) -> int:
    """One period of one measure, any margin: the person's one cell moves by at most `bound`."""
    _require_positive(bound=bound)
    return bound * bound


def l2_squared_of_move(bound: int) -> int:
    """One period of one measure, any margin that tells the two cells apart: the person leaves a cell, by at most
    `bound`, and comes into another by as much: 2 b^2. In a margin that merges the two cells nothing moves at all."""
    _require_positive(bound=bound)
    return 2 * bound * bound


def l2_squared_with_period_as_key(bound: int, periods: int) -> int:
    """All periods with period as a key: `periods` cells, each by at most `bound`: k b^2."""
    _require_positive(bound=bound, periods=periods)
    return periods * bound * bound


def l2_squared_merged(bound: int, periods: int, bucket_sizes: Sequence[int]) -> int:
    """Periods merged into buckets (months to quarters): fill the largest buckets first, b^2 * sum t_i^2.

    bucket_sizes: number of periods in each bucket. The sum of squares is largest when the person's periods
    crowd into as few buckets as possible.
    """
    _require_positive(bound=bound, periods=periods, **{f"bucket {i}": n for i, n in enumerate(bucket_sizes)})
    left, total = periods, 0
    for size in sorted(bucket_sizes, reverse=True):
        taken = min(size, left)
        total += taken * taken
        left -= taken
    return bound * bound * total


def l2_squared_period_dropped(bound: int, periods: int) -> int:
    """One sum over all periods: the person moves one entry by at most k b."""
    _require_positive(bound=bound, periods=periods)
    return (periods * bound) ** 2


def root_up(square: int) -> float:
    """The smallest double whose exact square is at least `square`, from the double nearest the root."""
    if square < 0:
        raise ValueError("a squared sensitivity is not negative")
    root = isqrt(square)
    if root * root == square and root < 2**53:
        return float(root)
    value = sqrt(square)
    while _exact_square_below(value, square):
        value = nextafter(value, inf)
    return value


def _exact_square_below(value: float, square: int) -> bool:
    numerator, denominator = value.as_integer_ratio()
    return numerator * numerator < square * denominator * denominator


def _require_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1")
