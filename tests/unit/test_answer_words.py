"""What an answer is about, and rests on, in words."""

from typing import Any

from adapters.answers.words import about_lines, coverage_lines, heading_of, only_text
from contracts.statistics.answers import Flag, Row, State, notes_on
from tests.support.answered import asked


def answer(**said: Any) -> dict[str, Any]:
    return {"statistic": "adherence_rate", "question": asked(**said), "coverage": []}


def covered(feed: str, *periods: str, compared: bool = False) -> dict[str, Any]:
    rests_on = [{"period": period, "providers": 3, "restatements": [0]} for period in periods]
    line = {"feed": feed, "asked": [*periods], "covered": [*periods], "missing": [], "provisional": []}
    line |= {"providers": 3, "providers_fewest": 3, "providers_most": 3}
    return line | {"rests_on": rests_on, "compared": compared}


def test_what_was_narrowed_is_told_and_of_everything_nothing() -> None:
    narrowed = answer(by=["region", "age_band"], where={"state": ["NY", "CA"], "sex": ["F"]}, periods="2025")

    assert only_text(narrowed) == "state NY or CA; sex F; 2025"
    assert heading_of(narrowed) == "adherence rate by region, age band; only state NY or CA; sex F; 2025"
    assert list(about_lines(narrowed)) == ["Only: state NY or CA; sex F; 2025"]
    assert only_text(answer()) == ""
    assert heading_of(answer()) == "adherence rate"
    assert heading_of(answer(of="pdc_pooled")) == "adherence rate of pdc pooled"
    assert list(about_lines(answer(standard="us_2020"))) == ["Standard: us_2020"]


def test_the_periods_before_are_told_from_those_that_were_asked() -> None:
    lines = [covered("fills", "2025-02"), covered("fills", "2025-01", compared=True)]

    assert list(coverage_lines({"coverage": lines})) == [
        "Coverage: fills, 1 of 1 periods, providers: 3; first: 2025-02",
        "Coverage: fills before, to compare with, 1 of 1 periods, providers: 3; first: 2025-01",
    ]


def test_what_a_flag_means_is_noted_only_where_a_row_has_it() -> None:
    notes = ("About all.", "It has the flag not_comparable where it is not.", "One has the flag not_met, so.")

    def noted(*flags: Flag) -> tuple[str, ...]:
        return notes_on([Row({}, "rate", "share", State.SHOWN, 0.5, None, None, flags)], notes)

    assert noted() == notes[:1]
    assert noted(Flag.NOT_COMPARABLE) == notes[:2]
    assert noted(Flag.MET) == notes[:1]
    assert noted(Flag.NOT_MET, Flag.NOT_COMPARABLE) == notes
