"""What an attacker may learn is written in one way, and never looks better than it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.rendering.rounding import chance_text, percent_up


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.58849, "58.9%"), (0.5, "50.0%"), (0.58, "58.0%"), (0.0, "0.0%"), (1.0, "100.0%"), (0.92101, "92.2%")],
)
def test_a_share_is_rounded_up_to_a_tenth_of_a_percent(share: float, said: str) -> None:
    assert percent_up(share) == said


@pytest.mark.parametrize(
    ("chance", "said"),
    [
        (1 / 730_395.2, "about 1 in 730,000"),
        (1 / 44.6, "about 1 in 44"),
        (1 / 5.1, "about 1 in 5"),
        (0.6, "60.0%"),
        (1e-10, "less than 1 in a billion"),
    ],
)
def test_a_chance_is_one_in_so_many_of_two_digits(chance: float, said: str) -> None:
    assert chance_text(chance) == said


@given(st.floats(1e-9, 0.4999))
def test_a_chance_never_looks_smaller_than_it_is(chance: float) -> None:
    said = int(chance_text(chance).removeprefix("about 1 in ").replace(",", ""))

    assert said <= 1 / chance < said * 1.5 + 1


@given(st.floats(0, 1))
def test_a_share_never_looks_smaller_than_it_is(share: float) -> None:
    assert share <= float(percent_up(share).removesuffix("%")) / 100 + 1e-11
