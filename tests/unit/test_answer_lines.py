"""Rows of answers as lines of a table: what has no value says why, whatever its unit."""

from typing import Any

import pytest

from adapters.answers.lines import columns_of, lines_of, state_of
from contracts.statistics.codebook import NOT_IDENTIFIED, NOT_REACHED, codebook


def row(unit: str, value: float | None, lower: float | None, upper: float | None, *flags: str) -> dict[str, Any]:
    interval = {"lower": lower, "upper": upper}
    return {
        "key": {},
        "figure": "a figure",
        "unit": unit,
        "state": "shown",
        "value": value,
        "interval": interval,
        "total_interval": None,
        "flags": list(flags),
    }


def line_of(shown: dict[str, Any]) -> dict[str, Any]:
    of_answer = dict.fromkeys(("labels", "statistic", "contract_id", "contract_version", "as_of", "confidence"))
    answer = {**of_answer, "rows": [shown]}
    (line,) = lines_of(answer)
    return dict(zip(columns_of(answer), line, strict=True))


@pytest.mark.parametrize("unit", ["share", "ratio", "stays per 1000 person-years", "cents per member-month"])
def test_what_may_be_anything_has_no_value_whatever_its_unit(unit: str) -> None:
    line = line_of(row(unit, 0.52, 0.0, None, "whole_range"))

    assert (line["state"], line["value"], line["interval_lower"]) == (NOT_IDENTIFIED, None, 0.0)


def test_a_median_beyond_the_months_shown_says_so_and_keeps_its_lower_end() -> None:
    line = line_of(row("whole months", None, 13.0, None, "not_reached"))

    assert (line["state"], line["value"], line["interval_lower"]) == (NOT_REACHED, None, 13.0)


def test_a_row_with_a_value_is_shown_and_one_that_is_not_keeps_its_state() -> None:
    assert line_of(row("share", 0.5, 0.4, 0.6))["value"] == 0.5
    assert state_of(row("share", None, None, None) | {"state": "suppressed"}) == "suppressed"


def test_the_codebook_knows_every_state_of_a_line() -> None:
    assert {NOT_IDENTIFIED, NOT_REACHED} <= {word.name for word in codebook().states}
