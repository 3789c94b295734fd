"""Invariants are read strictly and hold cell by cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.invariants import MAX_COEFFICIENT, NotAnInvariant, parse_invariant

MEASURES = ("members", "stays", "days_2")


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("members <= stays", ((1, "members"),), ((1, "stays"),)),
        ("days_2 <= 31 * members", ((1, "days_2"),), ((31, "members"),)),
        (
            "2 * members + stays <= 10000 * days_2 + members",
            ((2, "members"), (1, "stays")),
            ((10000, "days_2"), (1, "members")),
        ),
        ("  members   <=\n stays ", ((1, "members"),), ((1, "stays"),)),
        ("0 * members <= stays", ((0, "members"),), ((1, "stays"),)),
    ],
)
def test_an_invariant_is_a_sum_on_each_side(text: str, left: object, right: object) -> None:
    invariant = parse_invariant(text, MEASURES)
    assert (invariant.left, invariant.right) == (left, right)
    assert invariant.text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "members",
        "members < stays",
        "members >= stays",
        "members == stays",
        "members <= stays <= days_2",
        "members <= 5",
        "members <= -1 * stays",
        "members <= 1.5 * stays",
        "members <= stays * 2",
        "members <= 2*stays",
        "members - stays <= days_2",
        "members <= ",
        " <= stays",
        "members <= deaths",
        "members <= Stays",
        f"members <= {MAX_COEFFICIENT + 1} * stays",
        "members <= 999999999 * stays",
        "members <= ٣ * stays",
        "__import__('os') <= stays",
    ],
)
def test_what_is_no_invariant_is_refused(text: str) -> None:
    with pytest.raises(NotAnInvariant):
        parse_invariant(text, MEASURES)


def test_an_unknown_measure_is_named() -> None:
    with pytest.raises(NotAnInvariant, match="`deaths` is not a measure"):
        parse_invariant("members <= 2 * deaths", MEASURES)


COUNTS = st.lists(st.integers(0, 10**12), min_size=4, max_size=4)
SIDES = st.lists(st.tuples(st.integers(0, MAX_COEFFICIENT), st.sampled_from(MEASURES)), min_size=1, max_size=4)


@given(SIDES, SIDES, st.fixed_dictionaries(dict.fromkeys(MEASURES, COUNTS)))
def test_it_is_broken_exactly_where_the_left_sum_exceeds_the_right(
    left: list[tuple[int, str]], right: list[tuple[int, str]], counts: dict[str, list[int]]
) -> None:
    text = " <= ".join(" + ".join(f"{c} * {name}" for c, name in side) for side in (left, right))
    columns = {name: np.array(values, dtype=np.int64) for name, values in counts.items()}
    expected = [
        sum(c * counts[name][i] for c, name in left) > sum(c * counts[name][i] for c, name in right) for i in range(4)
    ]
    assert parse_invariant(text, MEASURES).broken(columns).tolist() == expected


def test_an_invariant_with_equal_sides_holds() -> None:
    invariant = parse_invariant("members <= stays", MEASURES)
    columns = {"members": np.array([0, 5, 6]), "stays": np.array([0, 5, 5])}
    assert invariant.broken(columns).tolist() == [False, False, True]
    assert invariant.measures == ("members", "stays")


def test_a_side_as_long_as_a_contract_can_hold_does_not_overflow() -> None:
    """The form of a contract allows 400 characters an invariant."""
    text = f"stays <= {' + '.join([f'{MAX_COEFFICIENT} * members'] * 30)}"
    assert len(text) > 400
    columns = {"members": np.array([10**12, 0]), "stays": np.array([10**12, 1])}
    assert parse_invariant(text, MEASURES).broken(columns).tolist() == [False, True]
