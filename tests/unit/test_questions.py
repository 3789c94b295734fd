"""A question selects whole periods, groups them, sums the right cells, or names every fault at once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.periods import NotAPeriod
from contracts.refusals import QuestionInvalid
from contracts.statistics.as_of import find_number, names_of
from contracts.statistics.catalogue import OFFERED
from contracts.statistics.checking import MAX_ROWS, check_question, require_few_strata
from contracts.statistics.questions import (
    Question,
    buckets_of,
    group_names,
    groups_of,
    selected_periods,
)
from contracts.terms import MeasureTerms
from tests.unit.terms import some_feed, some_terms

FILLS, ADHERENCE = some_feed(), some_feed("adherence")


def a_question(**parts: object) -> Question:
    return Question("counts", **parts)  # type: ignore[arg-type]


def selected(periods: str | None) -> list[str]:
    return [str(period) for period in selected_periods(a_question(periods=periods), FILLS)]


# --- periods


@pytest.mark.parametrize(
    ("asked", "first", "last", "count"),
    [
        (None, "2025-01", "2026-12", 24),
        ("2025", "2025-01", "2025-12", 12),
        ("2025-Q2", "2025-04", "2025-06", 3),
        ("2025-03", "2025-03", "2025-03", 1),
        ("2025-03..2025-05", "2025-03", "2025-05", 3),
        ("2025-Q4..2026", "2025-10", "2026-12", 15),
        ("2024..2025-02", "2025-01", "2025-02", 2),
        ("2026-12..2030", "2026-12", "2026-12", 1),
    ],
)
def test_the_periods_asked_are_those_that_lie_wholly_in_the_range(
    asked: str | None, first: str, last: str, count: int
) -> None:
    found = selected(asked)
    assert (found[0], found[-1], len(found)) == (first, last, count)


@pytest.mark.parametrize("asked", ["2027", "2025-05..2025-03", "..2025", "soon", "2025-13", "", "2025..2026..2027"])
def test_a_range_that_holds_no_period_is_refused(asked: str) -> None:
    with pytest.raises(NotAPeriod):
        selected(asked)


def test_a_year_is_not_in_a_range_that_holds_only_part_of_it() -> None:
    with pytest.raises(NotAPeriod, match="no whole year"):
        selected_periods(a_question(periods="2025-01..2025-11"), ADHERENCE)


def test_periods_are_grouped_by_the_grain_asked() -> None:
    periods = selected_periods(a_question(periods="2025-02..2025-07"), FILLS)

    def sizes(*by: str) -> dict[str | None, int]:
        return {bucket.key: len(bucket.periods) for bucket in buckets_of(a_question(by=by), periods)}

    assert sizes() == {None: 6}
    assert sizes("region", "quarter") == {"2025-Q1": 2, "2025-Q2": 3, "2025-Q3": 1}
    assert sizes("year") == {"2025": 6}
    assert list(sizes("month")) == [f"2025-{month:02d}" for month in range(2, 8)]


@given(st.sampled_from(["month", "quarter", "year"]), st.integers(0, 23), st.integers(1, 24))
def test_buckets_hold_every_period_once_and_in_order(grain: str, start: int, count: int) -> None:
    periods = tuple(FILLS.periods)[start : start + count]
    buckets = buckets_of(a_question(by=(grain,)), periods)
    assert [period for bucket in buckets for period in bucket.periods] == list(periods)
    assert len({bucket.key for bucket in buckets}) == len(buckets)


# --- groups


def summed(question: Question, narrowed: dict[str, tuple[str, ...]] | None = None) -> list[set[tuple[str, str]]]:
    """The cells behind each row, by name."""
    rows, columns = groups_of(question, FILLS, narrowed or {})
    regions, sexes = FILLS.vocabularies.values()
    return [
        {
            (region, sex)
            for i, region in enumerate(regions)
            for j, sex in enumerate(sexes)
            if np.outer(row, column)[i, j] == 1.0
        }
        for row in rows
        for column in columns
    ]


def test_a_dimension_that_is_not_asked_is_summed_over() -> None:
    assert summed(a_question(by=("region",))) == [
        {(region, "F"), (region, "M")} for region in ("northeast", "south", "west")
    ]
    assert [len(cells) for cells in summed(a_question())] == [6]


def test_a_filter_keeps_the_cells_it_names() -> None:
    assert summed(a_question(where={"sex": ("F",)})) == [{("northeast", "F"), ("south", "F"), ("west", "F")}]
    assert summed(a_question(by=("region",), where={"region": ("west", "northeast"), "sex": ("M",)})) == [
        {("northeast", "M")},
        {("west", "M")},
    ]


def test_a_statistic_narrows_what_is_summed_without_dropping_rows() -> None:
    narrowed = {"region": ("south",)}
    assert summed(a_question(), narrowed) == [{("south", "F"), ("south", "M")}]
    assert summed(a_question(by=("region",)), narrowed) == [set(), {("south", "F"), ("south", "M")}, set()]
    assert summed(a_question(where={"region": ("west",)}), narrowed) == [set()]


def test_the_rows_of_a_dimension_are_named_in_the_order_of_the_vocabulary() -> None:
    question = a_question(by=("region",), where={"region": ("west", "south")})
    assert group_names(question, FILLS, "region") == ("south", "west")
    assert group_names(question, FILLS, "sex") == ("F", "M")


def test_time_is_told_apart_from_dimensions() -> None:
    question = a_question(by=("region", "quarter", "sex"))
    assert question.dimensions == ("region", "sex")
    assert question.time_grain == "quarter"
    assert a_question().time_grain is None


# --- faults


def codes(question: Question, *, rollups: tuple[str, ...] = ("quarter", "year"), figures: int = 1) -> list[str]:
    terms = some_terms(rollups=rollups)
    try:
        check_question(question, terms, (FILLS,), (figures,))
    except QuestionInvalid as refusal:
        return [f"{fault.pointer} {fault.code}" for fault in refusal.faults]
    return []


@pytest.mark.parametrize(
    "question",
    [
        a_question(),
        a_question(by=("region", "sex", "month"), periods="2025", where={"sex": ("F", "M")}, confidence=0.999),
        a_question(by=("year",), confidence=0.51),
        a_question(as_of="first"),
        a_question(as_of="final"),
    ],
)
def test_a_question_that_fits_has_no_faults(question: Question) -> None:
    assert codes(question) == []


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"by": ("payer",)}, "/by dimension_unknown"),
        ({"by": ("adherence_band",)}, "/by dimension_unknown"),
        ({"by": ("region", "region")}, "/by dimension_repeated"),
        ({"by": ("month", "year")}, "/by dimension_repeated"),
        ({"where": {"payer": ("a",)}}, "/where dimension_unknown"),
        ({"where": {"sex": ("F", "X")}}, "/where value_unknown"),
        ({"where": {"sex": ()}}, "/where value_unknown"),
        ({"where": {"month": ("2025-01",)}}, "/where dimension_unknown"),
        ({"periods": "2031"}, "/periods period_invalid"),
        ({"periods": "soon"}, "/periods period_invalid"),
        ({"confidence": 0.5}, "/confidence confidence_invalid"),
        ({"confidence": 0.9999}, "/confidence confidence_invalid"),
        ({"confidence": float("nan")}, "/confidence confidence_invalid"),
        ({"as_of": "restatement_1"}, "/as_of as_of_invalid"),
        ({"as_of": "Final"}, "/as_of as_of_invalid"),
        ({"as_of": ""}, "/as_of as_of_invalid"),
    ],
)
def test_a_question_that_does_not_fit_is_refused_by_name(parts: dict[str, object], fault: str) -> None:
    assert codes(a_question(**parts)) == [fault]


def test_a_grain_that_the_contract_does_not_roll_up_to_is_refused() -> None:
    assert codes(a_question(by=("quarter",)), rollups=("year",)) == ["/by grain_unknown"]
    assert codes(a_question(by=("month",)), rollups=()) == []


def test_a_feed_by_the_year_cannot_be_asked_by_month() -> None:
    with pytest.raises(QuestionInvalid) as raised:
        check_question(a_question(by=("month",)), some_terms(), (ADHERENCE,), (1,))
    assert [fault.code for fault in raised.value.faults] == ["grain_unknown"]


@pytest.mark.parametrize(
    ("parts", "strata"),
    [({}, 1), ({"by": ("region",)}, 3), ({"by": ("region", "sex", "month")}, 144), ({"by": ("quarter",)}, 8)],
)
def test_an_answer_of_more_rows_than_one_may_have_is_refused(parts: dict[str, object], strata: int) -> None:
    most = MAX_ROWS // strata
    assert codes(a_question(**parts), figures=most) == []
    assert codes(a_question(**parts), figures=most + 1) == ["/by too_many_rows"]


def test_the_rows_of_every_feed_count() -> None:
    both, half = (FILLS, ADHERENCE), MAX_ROWS // 2
    check_question(a_question(), some_terms(), both, (half, half))
    with pytest.raises(QuestionInvalid, match="does not fit"):
        check_question(a_question(), some_terms(), both, (half, half + 1))


def test_an_answer_reckoned_from_more_strata_than_one_may_be_is_refused() -> None:
    by_region = a_question(by=("region", "month"))
    own = {f"band_{i}": tuple(map(str, range(100))) for i in range(2)}
    feed = replace(FILLS, vocabularies={**FILLS.vocabularies, **own})

    require_few_strata((by_region,), (feed,))
    with pytest.raises(QuestionInvalid, match="does not fit") as refused:
        require_few_strata((by_region,), (feed,), tuple(own))

    (fault,) = refused.value.faults
    assert (fault.code, "from 720000 of" in fault.message) == ("too_many_strata", True), fault


@pytest.mark.parametrize("chosen", [(), ("a",), ("a", "c"), ("a", "b", "c")])
def test_without_measures_all_of_those_that_can_be_chosen_are_figures(chosen: tuple[str, ...]) -> None:
    feed = replace(FILLS, measures={name: MeasureTerms("persons", 1) for name in ("a", "b", "c")})
    question = a_question(measures=chosen)
    count = len(chosen) or 3
    assert OFFERED["counts"].figures_shown(question, (feed,)) == (count,)
    assert OFFERED["joint_table"].figures_shown(question, (FILLS, feed)) == (1, count)


def test_a_statistic_with_measures_of_its_own_shows_one_figure() -> None:
    assert OFFERED["adherence_rate"].figures_shown(a_question(), (ADHERENCE,)) == (1,)
    assert OFFERED["pdc_pooled"].figures_shown(a_question(), (FILLS,)) == (1,)
    # Both sides of the quotient have the same strata.
    assert OFFERED["psp_penetration"].figures_shown(a_question(), (FILLS, FILLS)) == (1, 0)


def test_a_feed_can_be_asked_as_of_each_measurement_that_its_contract_schedules() -> None:
    assert names_of(FILLS) == ("latest", "first", "final")
    restated = replace(FILLS, restatements=2)
    assert names_of(restated) == ("latest", "first", "final", "restatement_1", "restatement_2")
    numbers = {name: find_number(name, restated) for name in names_of(restated)}
    assert numbers == {"latest": None, "first": 0, "final": 2, "restatement_1": 1, "restatement_2": 2}
    assert find_number("final", FILLS) == 0


def test_every_fault_is_told_once_and_all_at_once() -> None:
    question = a_question(by=("payer", "payer"), where={"sex": ("X",)}, periods="2031", confidence=2.0)
    assert sorted(codes(question)) == [
        "/by dimension_repeated",
        "/by dimension_unknown",
        "/confidence confidence_invalid",
        "/periods period_invalid",
        "/where value_unknown",
    ]
