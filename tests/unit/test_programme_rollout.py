"""programme_effect of a contract that says where and when the programme began: difference in differences."""

from typing import Any

import pytest

from contracts.refusals import QuestionInvalid
from contracts.statistics.answers import Flag, Label, State
from contracts.statistics.questions import Question
from contracts.terms import Terms
from tests.unit.programme_worlds import (
    HOSPITALISED,
    a_feed,
    answered,
    derived,
    exact_sums,
    held,
    random_cells,
    support,
    table,
    terms_of,
)
from tests.unit.terms import DOCUMENT

CELLS = random_cells(2)
STARTS = {"northeast": "2025-07", "south": "2025-Q2"}
QUARTERS = ("2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4")
FIGURES = ("change_inside", "change_outside", "difference_in_differences")


def rollout_terms(starts: dict[str, str] | None = None, **changes: Any) -> Terms:
    rollout = {"dimension": "region", "starts": STARTS if starts is None else starts}
    return terms_of(a_feed(measures=HOSPITALISED), support(), rollout=rollout, **changes)


def share(terms: Terms, of: str, quarters: tuple[str, ...], **where: list[str]) -> float:
    part, held_bands = ("members", {"adherence_band": ["p80_100"]}) if of == "adherence_rate" else (
        "hospitalised_members", {}
    )  # fmt: skip
    over = exact_sums(terms, "adherence", part, CELLS, quarters, **where, **held_bands)
    return over / exact_sums(terms, "adherence", "members", CELLS, quarters, **where)


@pytest.mark.parametrize("of", ["adherence_rate", "utilisation_rate"])
def test_without_noise_it_is_the_change_inside_less_that_outside(of: str) -> None:
    terms = rollout_terms()
    found = table(answered(terms, Question("programme_effect", by=("sex", "region"), of=of), CELLS))

    assert {key[0] for key in found} == set(FIGURES)
    for region, began in (("northeast", 2), ("south", 1)):
        for sex in ("F", "M"):
            before, after = QUARTERS[:began], QUARTERS[began:]
            inside, outside = (
                share(terms, of, after, region=[r], sex=[sex]) - share(terms, of, before, region=[r], sex=[sex])
                for r in (region, "west")
            )
            assert found["change_inside", sex, region].value == pytest.approx(inside)
            assert found["change_outside", sex, region].value == pytest.approx(outside)
            row = found["difference_in_differences", sex, region]
            assert row.value == pytest.approx(inside - outside)
            assert row.total_interval is not None
            assert row.flags == ()


def test_regions_that_began_together_are_one_group() -> None:
    terms = rollout_terms({"northeast": "2025-07", "south": "2025-Q3"})
    found = table(answered(terms, Question("programme_effect"), CELLS))

    before, after, both = QUARTERS[:2], QUARTERS[2:], ["northeast", "south"]
    of = "adherence_rate"
    inside = share(terms, of, after, region=both) - share(terms, of, before, region=both)
    outside = share(terms, of, after, region=["west"]) - share(terms, of, before, region=["west"])
    assert found["difference_in_differences",].value == pytest.approx(inside - outside)


def test_a_period_over_the_start_is_neither_before_nor_after() -> None:
    terms = rollout_terms({"northeast": "2025-08"})
    found = table(answered(terms, Question("programme_effect", where={"region": ("northeast", "west")}), CELLS))

    of = "adherence_rate"
    inside = share(terms, of, QUARTERS[3:], region=["northeast"]) - share(terms, of, QUARTERS[:2], region=["northeast"])
    assert found["change_inside",].value == pytest.approx(inside)


def test_the_assumption_is_told_in_plain_words_with_who_is_compared() -> None:
    terms, question = rollout_terms(), Question("programme_effect", by=("region",))
    notes = answered(terms, question, CELLS).notes

    assert derived(terms, question).label is Label.ECOLOGICAL
    assert notes[0].startswith("northeast: before and from 2025-07 on, against west")
    assert "parallel trends" in notes[-2]


def test_it_warns_of_what_it_compares_and_not_of_two_sides_joined_by_stratum() -> None:
    warning = derived(rollout_terms(), Question("programme_effect", by=("region",))).warning

    assert "where the programme came and where it did not" in warning
    assert "sides" not in warning


def test_periods_not_posted_are_left_out_and_said() -> None:
    terms, question = rollout_terms(), Question("programme_effect", by=("region",))
    rows = table(answered(terms, question, CELLS, unposted=["2025-Q1"]))

    # south began in the second quarter: nothing is left before.
    assert rows["difference_in_differences", "south"].state is State.MISSING
    row = rows["difference_in_differences", "northeast"]
    assert (row.state, row.flags) == (State.SHOWN, (Flag.PARTIAL_PERIODS,))
    terms_before = share(terms, "adherence_rate", QUARTERS[1:2], region=["northeast"])
    terms_after = share(terms, "adherence_rate", QUARTERS[2:], region=["northeast"])
    assert rows["change_inside", "northeast"].value == pytest.approx(terms_after - terms_before)


REFUSED = {
    "by time": (Question("p", by=("quarter", "region")), "/by", "dimension_in_use", "choose periods"),
    "several starts": (Question("p"), "/by", "several_starts", "ask by region"),
    "nobody to compare with": (
        Question("p", by=("region",), where={"region": ("south", "northeast")}),
        "/where",
        "nothing_to_compare",
        "northeast from 2025-07",
    ),
    "nobody in it": (Question("p", where={"region": ("west",)}), "/where", "nothing_to_compare", "never did"),
    "only after": (
        Question("p", where={"region": ("west", "south")}, periods="2025-Q2..2025-Q4"),
        "/periods",
        "not_before_and_after",
        "before 2025-Q2",
    ),
    "only before": (
        Question("p", by=("region",), periods="2025-Q1..2025-Q2"),
        "/periods",
        "not_before_and_after",
        "2025-07",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_compared_is_refused_with_what_could(case: str) -> None:
    question, pointer, code, words = REFUSED[case]
    with pytest.raises(QuestionInvalid) as refused:
        derived(rollout_terms(), question)

    fault = refused.value.faults[0]
    assert (fault.pointer, fault.code) == (pointer, code)
    assert words in fault.message


def test_of_what_no_feed_reaches_across_bounds_are_told() -> None:
    terms = rollout_terms({"northeast": "2027-01"})

    assert derived(terms, Question("programme_effect")).figures[-1].name == "difference"


@pytest.mark.parametrize("dimension", ["adherence_band", "adherent"])
def test_bands_of_adherence_are_no_groups_whose_adherence_differs(dimension: str) -> None:
    """They would be compared with their own part of themselves; of another outcome they are groups as any."""
    groups = {"of": "adherence_band", "groups": {"no": ["p00_80"], "yes": ["p80_100"]}}
    rollout = {"dimension": dimension, "starts": {"yes": "2025-07", "p80_100": "2025-07"}}
    rollups = DOCUMENT["rollups"] | {"dimensions": {"adherent": groups}}
    terms = terms_of(a_feed(measures=HOSPITALISED), support(), rollout=rollout, rollups=rollups)

    assert derived(terms, Question("programme_effect")).figures[-1].name == "difference"
    assert derived(terms, Question("programme_effect", of="utilisation_rate")).figures[0].name == "change_inside"


def test_small_cells_hide_what_is_made_of_them() -> None:
    terms = rollout_terms()

    def cells(feed: Any, period: Any, provider: str) -> Any:
        found = CELLS(feed, period, provider)
        found["members"][0] = 0
        found["members"][0, 0, 1] = 3 if provider == "a" and str(period) == "2025-Q1" else 0
        return found

    rows = table(answered(terms, Question("programme_effect", by=("region",)), cells))

    assert rows["difference_in_differences", "northeast"].state is State.SUPPRESSED
    assert rows["difference_in_differences", "northeast"].interval is None
    assert rows["difference_in_differences", "south"].state is State.SHOWN


@pytest.mark.slow
def test_noise_intervals_hold_the_exact_difference_in_differences() -> None:
    """Alarms below 255 of 300: at a coverage of 94% a right method fails one figure with a probability below 1e-7."""
    question = Question("programme_effect", where={"region": ("northeast", "west")})

    assert min(held(rollout_terms(), question, CELLS, FIGURES, 300).values()) >= 255
