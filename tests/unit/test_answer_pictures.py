"""Pictures of answers: the same each time, with every interval, and what has no value told in words."""

import re
from itertools import pairwise
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="matplotlib, the extra `plot`, is not installed")

from adapters.pictures.answers import draw_answer
from adapters.pictures.panels import Course, Forest, NotDrawn, panels_of
from contracts.parties import JsonObject

NO_VALUE = {"value": None, "interval": None, "total_interval": None}
QUESTION: JsonObject = {"by": ["region"], "where": {"state": ["NY", "CA"]}, "periods": "2025"}
QUESTION |= {"feeds": ["fills"], "measures": [], "compare": None, "of": None, "standard": "us2020"}
COVERAGE: JsonObject = {
    "feed": "fills",
    "asked": ["2025-Q1", "2025-Q2"],
    "covered": ["2025-Q1"],
    "missing": ["2025-Q2"],
}
COVERAGE |= {"provisional": [], "providers": 3, "providers_fewest": 3, "providers_most": 3, "compared": False}
COVERAGE |= {"rests_on": [{"period": "2025-Q1", "restatements": [0]}]}


def row(key: dict[str, str], value: float = 0.5, **changes: Any) -> JsonObject:
    ends = {"lower": value - 0.1, "upper": value + 0.1}
    shown: JsonObject = {"key": key, "figure": "rate", "unit": "share", "state": "shown", "value": value, "flags": []}
    return shown | {"interval": ends, "total_interval": None} | changes


def answer(*rows: JsonObject, **changes: Any) -> JsonObject:
    told: JsonObject = {
        "estimand": "A rate of $5 & more.",
        "interval_covers": "the noise",
        "total_interval_covers": None,
    }
    told |= {"notes": ["Joined by stratum."], "labels": ["coverage_mismatch"], "contract_id": "dsc", "as_of": "latest"}
    told |= {"statistic": "pdc_mean", "question": QUESTION, "coverage": [COVERAGE]}
    return {**told, "confidence": 0.95, "contract_version": 1, "rows": list(rows), **changes}


def drawn(answered: JsonObject) -> str:
    return draw_answer(answered, ".svg").decode()


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def lines_of_width(svg: str, width: str) -> int:
    return len(re.findall(rf"stroke-width: {width}(?:;|\")", svg))


PLACES = answer(*(row({"region": place}, value) for place, value in (("north", 0.25), ("south", 0.5), ("west", 0.75))))


def test_a_picture_is_the_same_each_time_and_says_what_it_is_about() -> None:
    svg = drawn(PLACES)

    assert drawn(PLACES) == svg
    found = texts(svg)
    assert {"north", "south", "west", "rate", "share"} <= set(found)
    for said in ("A rate of $5 &amp; more.", "Labels: coverage mismatch", "Note: Joined by stratum."):
        assert said in found


def test_it_says_what_was_asked_and_what_it_rests_on() -> None:
    found = texts(drawn(answer(row({"region": "north"}, flags=["weak_strata"]))))

    assert "PDC mean by region; only state NY or CA; 2025" in found
    assert "Standard: us2020" in found
    assert "Coverage: fills, 1 of 2 periods, providers: 3; first: 2025-Q1; missing: 2025-Q2" in found
    assert "Flag weak strata: A denominator that it rests on is hardly above its noise." in found
    assert "north (weak strata)" in found


def test_every_line_has_its_interval() -> None:
    assert lines_of_width(drawn(PLACES), "2.4") == 3
    totals = [{**each, "total_interval": {"lower": 0.0, "upper": 1.0}} for each in PLACES["rows"]]
    assert lines_of_width(drawn({**PLACES, "rows": totals}), "2.4") == 3
    assert drawn({**PLACES, "rows": totals}) != drawn(PLACES)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"state": "suppressed", **NO_VALUE}, "suppressed"),
        ({"state": "missing", **NO_VALUE}, "missing"),
        ({"flags": ["whole_range"], "interval": {"lower": 0.0, "upper": 1.0}}, "not identified"),
        ({"value": None, "interval": {"lower": None, "upper": 0.4}, "flags": ["upper_limit_only"]}, "not identified"),
        ({"value": None, "interval": {"lower": 9.0, "upper": None}, "flags": ["not_reached"]}, "not reached"),
    ],
)
def test_what_has_no_value_is_told_in_words_at_its_place(changes: JsonObject, word: str) -> None:
    svg = drawn(answer(row({"region": "north"}), row({"region": "south"}) | changes))

    assert texts(svg).count(word) == 1
    assert word not in texts(drawn(PLACES))


def test_time_is_a_line_a_stratum_with_a_gap_where_nothing_is_shown() -> None:
    months = [f"2025-{month:02}" for month in range(1, 7)]
    rows = [row({"region": place, "month": month}) for place in ("north", "south") for month in months]
    rows[2] |= {"state": "suppressed", **NO_VALUE}
    found = texts(drawn(answer(*rows)))

    assert {"month", *months, "north", "south", "1 suppressed"} <= set(found)


def test_a_trend_without_a_first_change_keeps_its_place_on_the_axis() -> None:
    """Drawn only where there are values, the axis would leave it out, and its words push the panels out of the file."""
    years = [row({"year": year}) for year in ("2024", "2025")]
    changes = [row({"year": year}, figure="change") for year in ("2024", "2025")]
    changes[0] |= {"state": "missing", **NO_VALUE}
    found = texts(drawn(answer(*years, *changes)))

    assert (found.count("2024"), found.count("2025"), found.count("missing")) == (2, 2, 1)


def curve(months: int, **changes: Any) -> list[JsonObject]:
    ends = {"total_interval": {"lower": 0.1, "upper": 0.9}}
    return [
        row({"months_since_start": str(month)}, 0.9**month, figure="persistence", **ends, **changes)
        for month in range(1, months + 1)
    ]


def test_persistence_begins_at_one_in_month_0_and_has_its_band_up_to_the_last_month() -> None:
    median = row({}, 7.0, figure="median", unit="months", interval={"lower": 6.0, "upper": None})
    mean = row({"months_since_start": "2"}, 1.7, figure="restricted_mean", unit="months")
    svg = drawn(answer(*curve(2), median, mean))

    found = texts(svg)
    assert {"persistence", "median", "months since start", "months 1 to 2"} <= set(found)
    assert {"0", "1", "2", "0.0", "1.0"} <= set(found)
    (band,) = re.findall(r'<g id="FillBetweenPolyCollection_1">\s*<path d="([^"]*)"', svg)
    xs = sorted({float(x) for x in re.findall(r"[ML] ([\d.]+) ", band)})
    assert len(xs) == 3
    assert [(x - xs[0]) / (xs[1] - xs[0]) for x in xs] == pytest.approx([0, 1, 2], abs=1e-4)
    # The restricted mean's interval, and the median's arrow to the edge.
    assert lines_of_width(svg, "2.4") == 1


def test_months_without_a_value_are_told_beside_the_line() -> None:
    rows = curve(6)
    for late in rows[4:]:
        late |= {"state": "missing", **NO_VALUE, "flags": ["not_followed"]}
    found = texts(drawn(answer(*rows)))

    assert "missing: 5 to 6" in found
    assert "6" in found


def test_a_month_between_two_that_are_hidden_has_its_interval_too() -> None:
    rows = curve(5)
    for hidden in (rows[2], rows[4]):
        hidden |= {"state": "suppressed", **NO_VALUE}
    svg = drawn(answer(*rows))

    assert "suppressed: 3 and 5" in texts(svg)
    assert lines_of_width(svg, "2.2") == 1


def test_figures_of_one_unit_share_a_scale_and_ratios_that_of_logarithms() -> None:
    ratios = [row({}, 0.25 * 2**i, figure=f"ratio_{i}", unit="ratio", interval=None) for i in range(4)]
    many = [row({}, figure=f"f{i}") for i in range(12)]
    panels = panels_of(answer(*ratios, *many))

    assert [type(panel) for panel in panels] == [Forest, Forest]
    svg = drawn(answer(*ratios))
    # 0.25, 0.5, 1, 2: as far from each other.
    xs = [float(x) for x in re.findall(r'<use xlink:href="#[^"]*" x="([\d.]+)" y="[\d.]+" style="fill: #1a1a1a', svg)]
    assert len(xs) == 4
    assert [b - a for a, b in pairwise(xs)] == pytest.approx([xs[1] - xs[0]] * 3, abs=1e-3)


def test_a_target_is_a_line_and_a_confidence_is_words() -> None:
    rate = row({}, 0.64, figure="adherence_rate")
    target = row({}, 0.63, figure="target", interval=None)
    sure = row({}, 0.999999, figure="confidence", unit="confidence", interval=None, flags=["met"])
    found = texts(drawn(answer(rate, target, sure)))

    assert "dashed: target 0.63" in found
    assert "confidence: above 0.9999 (met)" in found
    (panel,) = panels_of(answer(rate, target, sure))
    assert isinstance(panel, Forest)
    assert [words for words, _ in panel.lines] == ["adherence rate"]


def test_strata_that_are_too_many_for_one_panel_have_one_a_figure() -> None:
    rows = [row({"zip": f"z{i}"}, figure=figure) for figure in ("a", "b") for i in range(31)]
    assert [panel.title for panel in panels_of(answer(*rows)) if isinstance(panel, Forest)] == ["a", "b"]


def test_months_are_in_the_order_of_numbers_and_periods_in_that_of_time() -> None:
    rows = [row({"months_since_start": month}, figure="members") for month in ("10", "2", "12+", "0")]
    (panel,) = panels_of(answer(*rows))
    assert isinstance(panel, Course)
    assert panel.places == ["0", "2", "10", "12+"]


@pytest.mark.slow
def test_png_is_a_picture_too() -> None:
    assert draw_answer(PLACES, ".png").startswith(b"\x89PNG")


def test_what_nobody_could_read_is_not_drawn() -> None:
    with pytest.raises(NotDrawn, match="at most 60 strata"):
        drawn(answer(*(row({"zip": f"z{i}"}) for i in range(61))))
    with pytest.raises(NotDrawn, match="at most 8 lines"):
        drawn(answer(*(row({"zip": f"z{i}", "year": "2025"}) for i in range(9))))
    with pytest.raises(NotDrawn, match="at most 8 panels"):
        drawn(answer(*(row({}, figure=f"f{i}", unit=f"u{i}") for i in range(9))))


def test_an_answer_without_a_value_or_limit_is_not_drawn() -> None:
    gaps = [row({"year": "2024"}, state="missing") | NO_VALUE, row({"year": "2025"}, state="suppressed") | NO_VALUE]
    target = row({}, 0.63, figure="target", interval=None)
    with pytest.raises(NotDrawn, match="every figure of this answer is missing or suppressed"):
        drawn(answer(*gaps, target))
