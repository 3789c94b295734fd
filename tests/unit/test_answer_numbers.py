"""Numbers for people: to the second digit of their uncertainty, and never surer than they are."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.answer_numbers import ends_text, value_text
from contracts.statistics.catalogue import OFFERED
from contracts.statistics.codebook import UNITS, WHOLE_UNITS


def row(value: float | None, lower: float | None, upper: float | None, unit: str = "share") -> dict[str, Any]:
    return {"value": value, "interval": {"lower": lower, "upper": upper}, "unit": unit}


@pytest.mark.parametrize(
    ("shown", "value", "interval"),
    [
        # Half-width 0.0123, so to 0.001.
        (row(0.7654321, 0.7531, 0.7777), "0.765", "0.753 to 0.778"),
        (row(0.25, 0.125, 0.5), "0.25", "0.12 to 0.50"),
        # Half-width 0.0996 is 0.10: hundredths.
        (row(0.5, 0.4004, 0.5996), "0.50", "0.40 to 0.60"),
        (row(0.5, 0.499995, 0.500005), "0.5000000", "0.4999950 to 0.5000050"),
        # Half-width 123: tens.
        (row(12_345.6, 12_222.4, 12_468.4, "persons"), "12,350", "12,220 to 12,470"),
        # What is counted has no parts.
        (row(40.2, 38.9, 41.5, "persons once a month"), "40", "38 to 42"),
        (row(12.345, 11.1, 13.59, "stays per 1,000 person-years"), "12.3", "11.1 to 13.6"),
        (row(-3.2, 0.0, 5.0, "persons"), "-3", "0 to 5"),
        # Open at one side: from the value to the other end.
        (row(9.04, 7.96, None, "months"), "9.0", "at least 7.9"),
        (row(None, None, 0.31234), "", "at most 0.313"),
        # A confidence is never certain, and never rounded to where something else is decided.
        (row(1.0, None, None, "confidence"), "above 0.9999", ""),
        (row(0.99991, None, None, "confidence"), "above 0.9999", ""),
        (row(0.94999, None, None, "confidence"), "0.9499", ""),
        (row(0.050001, None, None, "confidence"), "0.0501", ""),
        (row(0.00001, None, None, "confidence"), "below 0.0001", ""),
        # Skewed: by the shorter arm, not by half of the width.
        (row(0.45, 0.08, 25.0, "ratio"), "0.45", "0.08 to 25.00"),
        (row(1.21, 0.62, 210.0, "ratio"), "1.21", "0.62 to 210.00"),
        # What is not zero is not told as zero; an end that was clipped at zero tells no uncertainty.
        (row(0.45, 0.0, 25.0, "ratio"), "0.4", "0 to 25"),
        (row(12.0, 0.003, 30.0, "ratio"), "12", "0.003 to 30"),
        (row(40.0, 0.0, 1e6, "persons"), "40", "0 to 1,000,000"),
        (row(0.0004, 0.0, 0.002), "0.0004", "0.0000 to 0.0020"),
        # What doubles leave of zero is zero.
        (row(1e-17, -1e-17, 1e-17), "0.000", "0.000 to 0.000"),
        # No uncertainty told.
        (row(0.5, None, None), "0.500", ""),
        (row(1234.0, 1234.0, 1234.0, "persons"), "1,234", "1,234 to 1,234"),
    ],
)
def test_a_number_has_the_digits_that_its_uncertainty_leaves(shown: dict[str, Any], value: str, interval: str) -> None:
    assert ends_text(shown["interval"], shown) == interval
    if shown["value"] is not None:
        assert value_text(shown) == value


FIGURES = {figure.unit for statistic in OFFERED.values() for figure in statistic.figures}


@pytest.mark.parametrize("unit", sorted({*UNITS, *FIGURES} - {*WHOLE_UNITS, "<measure>"}))
def test_what_is_not_counted_is_told_with_its_parts(unit: str) -> None:
    told = [value_text(row(value, None, None, unit)) for value in (0.0312, 0.4567, 0.9688)]

    assert [abs(Fraction(text) - Fraction(exact)) < Fraction(1, 1000) for text, exact in
            zip(told, ("0.0312", "0.4567", "0.9688"), strict=True)] == [True] * 3  # fmt: skip


@pytest.mark.parametrize("unit", [*WHOLE_UNITS, "stays", "days", "cents"])
def test_what_is_counted_is_told_in_whole_numbers(unit: str) -> None:
    assert value_text(row(40.2, 39.9, 40.5, unit)) == "40"


ENDS = st.floats(-1e9, 1e9).map(lambda end: round(end, 9))


@given(ENDS, ENDS, st.sampled_from(["share", "persons", "months", "cents per member-month"]))
def test_rounding_never_makes_an_interval_narrower_and_hardly_wider(one: float, other: float, unit: str) -> None:
    lower, upper = sorted((one, other))
    told = ends_text({"lower": lower, "upper": upper}, row(lower, lower, upper, unit))
    low, high = (Fraction(end.replace(",", "")) for end in told.split(" to "))
    # Fifteen digits are told apart, of doubles that have a few bits more.
    slack = Fraction(max(abs(lower), abs(upper))) / 10**14
    assert low - slack <= Fraction(lower)
    assert Fraction(upper) <= high + slack
    widened = (high - low) - (Fraction(upper) - Fraction(lower))
    most = Fraction(upper - lower) / 10 * Fraction(21, 20) + slack
    assert widened <= (max(most, Fraction(2)) if unit == "persons" else most) or lower == upper
