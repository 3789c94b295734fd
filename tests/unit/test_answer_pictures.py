"""Pictures of answers: the same each time, with every interval, and what has no value told in words."""

import re
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="matplotlib, the extra `plot`, is not installed")

from adapters.pictures.answers import TooMuchToDraw, draw_answer
from contracts.parties import JsonObject

NO_VALUE = {"value": None, "interval": None, "total_interval": None}


def row(key: dict[str, str], value: float = 0.5, **changes: Any) -> JsonObject:
    ends = {"lower": value - 0.1, "upper": value + 0.1}
    shown: JsonObject = {"key": key, "figure": "rate", "unit": "share", "state": "shown", "value": value, "flags": []}
    return shown | {"interval": ends, "total_interval": None} | changes


def answer(*rows: JsonObject, **changes: Any) -> JsonObject:
    told = {"estimand": "A rate of $5 & more.", "interval_covers": "the noise", "total_interval_covers": None}
    told |= {"notes": ["Joined by stratum."], "labels": ["coverage_mismatch"], "contract_id": "dsc", "as_of": "latest"}
    return {**told, "confidence": 0.95, "contract_version": 1, "rows": list(rows), **changes}


def drawn(answered: JsonObject) -> str:
    return draw_answer(answered, ".svg").decode()


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def lines_of_width(svg: str, width: str) -> int:
    return len(re.findall(rf"stroke-width: {width}(?:;|\")", svg))


BARS = answer(*(row({"region": place}, value) for place, value in (("north", 0.25), ("south", 0.5), ("west", 0.75))))


def test_a_picture_is_the_same_each_time_and_says_what_it_is_about() -> None:
    svg = drawn(BARS)

    assert drawn(BARS) == svg
    found = texts(svg)
    assert {"north", "south", "west", "rate", "share"} <= set(found)
    for said in ("A rate of $5 &amp; more.", "Labels: coverage mismatch", "Note: Joined by stratum."):
        assert said in found
    assert draw_answer(BARS, ".png").startswith(b"\x89PNG")


def test_every_bar_has_its_interval() -> None:
    assert lines_of_width(drawn(BARS), "2.2") == 3
    totals = [{**each, "total_interval": {"lower": 0.0, "upper": 1.0}} for each in BARS["rows"]]
    assert lines_of_width(drawn({**BARS, "rows": totals}), "2.2") == 3
    assert drawn({**BARS, "rows": totals}) != drawn(BARS)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"state": "suppressed", **NO_VALUE}, "suppressed"),
        ({"state": "missing", **NO_VALUE}, "missing"),
        ({"flags": ["whole_range"], "interval": {"lower": 0.0, "upper": 1.0}}, "not identified"),
        ({"value": None, "interval": {"lower": None, "upper": 0.4}, "flags": ["upper_limit_only"]}, "not identified"),
    ],
)
def test_what_has_no_value_is_told_in_words_at_its_place(changes: JsonObject, word: str) -> None:
    svg = drawn(answer(row({"region": "north"}), row({"region": "south"}) | changes))

    assert texts(svg).count(word) == 1
    assert word not in texts(drawn(BARS))


def test_time_is_a_line_a_stratum_with_a_gap_where_nothing_is_shown() -> None:
    months = [f"2025-{month:02}" for month in range(1, 7)]
    rows = [row({"region": place, "month": month}) for place in ("north", "south") for month in months]
    rows[2] |= {"state": "suppressed", **NO_VALUE}
    found = texts(drawn(answer(*rows)))

    assert {"month", *months, "north", "south", "1 suppressed"} <= set(found)


def test_months_since_start_are_a_curve_and_figures_beside_it_have_bars() -> None:
    curve = [row({"months_since_start": str(month)}, 0.9**month, figure="persistence") for month in range(13)]
    median = row({}, 7.0, figure="median", unit="months", interval={"lower": 6.0, "upper": None})
    svg = drawn(answer(*curve, median))

    assert {"persistence", "median", "months since start", "all"} <= set(texts(svg))
    assert "PolyCollection" in svg


def test_what_nobody_could_read_is_not_drawn() -> None:
    with pytest.raises(TooMuchToDraw, match="at most 60 strata"):
        drawn(answer(*(row({"zip": f"z{i}"}) for i in range(61))))
    with pytest.raises(TooMuchToDraw, match="at most 8 lines"):
        drawn(answer(*(row({"zip": f"z{i}", "year": "2025"}) for i in range(9))))
    with pytest.raises(TooMuchToDraw, match="at most 8 figures"):
        drawn(answer(*(row({}, figure=f"f{i}") for i in range(9))))
