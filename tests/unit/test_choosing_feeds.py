"""Which of several feeds answers a question, and which way an effect is told from them."""

import pytest

from contracts.refusals import QuestionInvalid
from contracts.statistics.catalogue import get_statistic
from contracts.statistics.declarations import Asked
from contracts.statistics.fitting import fit_to
from contracts.statistics.questions import Question
from contracts.statistics.selecting import get_feeds
from contracts.terms import FeedTerms, Terms
from tests.unit.programme_worlds import a_feed, answered, derived, random_cells, support, terms_of

CELLS = random_cells(3)
# Of one quarter only, which the other feed has as well.
LINKED = a_feed(name="linked_adherence", dimensions=["region", "adherence_band", "psp"], last_period="2025-Q1", k=1)
BOUNDS = ("adherence_rate_inside", "adherence_rate_outside", "difference")


@pytest.fixture(scope="module")
def terms() -> Terms:
    return terms_of(a_feed(), LINKED, support(), linked="psp")


def chosen(terms: Terms, **question: object) -> tuple[FeedTerms, ...]:
    asked = Question("adherence_rate", **question)  # type: ignore[arg-type]
    return get_feeds(get_statistic("adherence_rate"), terms.feeds, asked)


def test_feeds_that_could_both_answer_are_told_by_what_each_is(terms: Terms) -> None:
    with pytest.raises(QuestionInvalid, match="Several of the contract's feeds could answer this") as refused:
        chosen(terms, periods="2025-Q1")

    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/feed", "feed_needed")
    assert fault.message == (
        "2 feeds could answer, say which: adherence (quarter, 2025-Q1..2025-Q4; by region, sex, adherence_band), "
        "linked_adherence (quarter, 2025-Q1; by region, adherence_band, psp)"
    )


def test_a_feed_without_the_periods_asked_is_not_meant(terms: Terms) -> None:
    assert [feed.name for feed in chosen(terms, periods="2025-Q2")] == ["adherence"]


def test_a_feed_that_is_named_is_meant_whatever_its_periods(terms: Terms) -> None:
    found = chosen(terms, periods="2025-Q2", feeds=("linked_adherence",))
    assert [feed.name for feed in found] == ["linked_adherence"]


def test_a_feed_that_there_is_not_is_one_fault(terms: Terms) -> None:
    with pytest.raises(QuestionInvalid) as refused:
        chosen(terms, feeds=("nothing",))

    assert [fault.code for fault in refused.value.faults] == ["feed_unsuitable"]


@pytest.mark.parametrize(
    ("feeds", "figures"),
    [
        ((), (*BOUNDS, "ratio")),
        (("linked_adherence",), (*BOUNDS, "ratio")),
        (("support",), BOUNDS),
        (("adherence", "support"), BOUNDS),
        (("linked_adherence", "support"), BOUNDS),
        (("adherence",), BOUNDS),
    ],
    ids=lambda value: "+".join(value) or "none named",
)
def test_the_way_is_one_that_uses_every_feed_named(
    terms: Terms, feeds: tuple[str, ...], figures: tuple[str, ...]
) -> None:
    question = Question("programme_effect", feeds=feeds, periods="2025-Q1")

    assert tuple(figure.name for figure in derived(terms, question).figures) == figures
    found = answered(terms, question, CELLS)
    assert {column.name for column in found.columns} == set(figures)


def test_the_answer_says_which_way_was_taken_and_which_others_there_are(terms: Terms) -> None:
    notes = {
        feeds: answered(terms, Question("programme_effect", feeds=feeds), CELLS).notes[-1]
        for feeds in ((), ("support",))
    }

    assert notes[()] == (
        "The way taken: a linked feed. Name the feeds for another that this contract allows: "
        "bounds, of adherence and support."
    )
    assert notes["support",] == (
        "The way taken: bounds. Name the feeds for another that this contract allows: "
        "a linked feed, of linked_adherence."
    )


def test_feeds_of_no_way_are_refused_with_those_of_each(terms: Terms) -> None:
    with pytest.raises(QuestionInvalid) as refused:
        derived(terms, Question("programme_effect", feeds=("adherence", "nothing")))

    (fault,) = refused.value.faults
    assert fault.code == "feed_unsuitable"
    assert "a linked feed, of linked_adherence; bounds, of adherence and support" in fault.message


def test_what_rows_go_by_anyhow_is_said_to_be_there(terms: Terms) -> None:
    feed = terms.feeds[0]
    with pytest.raises(QuestionInvalid) as refused:
        get_feeds(get_statistic("pdc_distribution"), [feed], Question("pdc_distribution", by=("adherence_band",)))

    (fault,) = refused.value.faults
    assert (fault.code, "already go by adherence_band" in fault.message) == ("dimension_in_use", True)


@pytest.mark.parametrize("named", ["adherence", "linked_adherence"])
def test_a_settlement_is_on_the_feed_that_its_clause_names(named: str) -> None:
    clause = {"statistic": "adherence_rate", "target": "0.7", "period": "2025-Q1", "as_of": "final", "decide_at": "0.9"}
    settlement = clause | {"undecided": "the base rebate applies", "feed": named}
    terms = terms_of(a_feed(), LINKED, linked="psp", settlement=settlement)
    asked = Question("threshold_assessment", periods="2025-Q1", as_of="final")

    declared = get_statistic(asked.statistic)
    statistic = fit_to(declared, Asked(asked, terms, terms.feeds, ("threshold_assessment",), get_statistic))
    assert [feed.name for feed in get_feeds(statistic, terms.feeds, asked)] == [named]
