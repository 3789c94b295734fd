"""The small-cell rule of a contract: noisy counts from 1 to 10 are not shown, nor what is made of so few persons."""

import json

import pytest

from api.cli.answer_text import say_answer
from api.cli.output import say_json
from contracts.parties import JsonObject
from tests.http.answers import Posted, answer, post, table
from tests.support.small_exchange import (
    BRAND,
    PAYERS,
    NoNoise,
    SmallExchange,
    adherence_feed,
    fills_feed,
    fills_row,
    small_contract,
    support_feed,
)

RULES = {"min_payers": 3, "small_cells": {"mask_below": 11}}


@pytest.fixture
def masking(migrated_sqlite_url: str) -> SmallExchange:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    feeds = [fills_feed(), adherence_feed(), support_feed()]
    small.agree(small_contract(rules=RULES, feeds=feeds))
    return small


def shared_out(period: str, rows: list[JsonObject]) -> Posted:
    """All by the first payer; the others post zeros, so that the pool opens."""
    return {(name, period): rows if name == PAYERS[0] else [] for name in PAYERS}


@pytest.mark.parametrize(
    ("count", "state"),
    [(0, "shown"), (1, "suppressed"), (10, "suppressed"), (11, "shown"), (1000, "shown")],
)
def test_counts_from_1_to_10_are_suppressed(masking: SmallExchange, count: int, state: str) -> None:
    rows = [fills_row(members=count, days_covered=9 * count, treatment_days=18 * count)]
    post(masking, "fills", shared_out("2025-01", rows))

    answered = answer(masking, "counts", feed="fills", by="region,sex", measures="members", periods="2025-01..2025-02")

    found = table(answered)
    cell = found["north", "F"]
    assert (cell["state"], cell["value"]) == (state, pytest.approx(count) if state == "shown" else None)
    assert (cell["interval"] is None) == (state == "suppressed")
    assert (found["south", "M"]["state"], found["south", "M"]["value"]) == ("shown", pytest.approx(0, abs=1e-9))


def test_suppressed_missing_and_zero_are_three_states(masking: SmallExchange) -> None:
    rows = [fills_row(members=5, days_covered=45, treatment_days=90)]
    post(masking, "fills", shared_out("2025-01", rows) | shared_out("2025-02", []))

    answered = answer(masking, "counts", feed="fills", by="month", measures="members", periods="2025-01..2025-03")

    shown = [(row["state"], row["value"]) for row in answered["rows"]]
    assert shown == [("suppressed", None), ("shown", pytest.approx(0, abs=1e-9)), ("missing", None)]
    assert any("rule of display" in note for note in answered["notes"])


@pytest.mark.parametrize(
    ("adherent", "others", "state", "value"),
    [
        (50, 50, "shown", 0.5),
        (11, 11, "shown", 0.5),
        (0, 50, "shown", 0.0),
        (50, 0, "shown", 1.0),
        (10, 90, "suppressed", None),
        (1, 90, "suppressed", None),
        (90, 10, "suppressed", None),
        (90, 1, "suppressed", None),
        (0, 7, "suppressed", None),
        (7, 0, "suppressed", None),
        (5, 5, "suppressed", None),
        (0, 0, "shown", None),
    ],
)
def test_a_rate_is_masked_with_its_part_its_rest_and_its_whole(
    masking: SmallExchange, adherent: int, others: int, state: str, value: float | None
) -> None:
    rows = [
        {"region": "north", "adherence_band": "p80_100", "members": adherent},
        {"region": "north", "adherence_band": "p00_40", "members": others},
    ]
    post(masking, "adherence", shared_out("2025", rows))

    row = table(answer(masking, "adherence_rate", by="region", periods="2025"))["north",]

    assert (row["state"], row["value"]) == (state, value if value is None else pytest.approx(value, abs=1e-9))
    assert (row["interval"] is None) == (row["total_interval"] is None) == (state == "suppressed")


@pytest.mark.parametrize(("members", "state"), [(10, "suppressed"), (11, "shown")])
def test_a_share_of_days_is_masked_with_its_members(masking: SmallExchange, members: int, state: str) -> None:
    rows = [fills_row(members=members, days_covered=100, treatment_days=200)]
    post(masking, "fills", shared_out("2025-01", rows))
    cell = {"coverage": "in_network", "region": "north", "enrolled": 50, "contacts": 0}
    post(masking, "support", {(BRAND, "2025-01"): [cell]})

    for statistic in ("pdc_pooled", "joint_table"):
        answered = answer(masking, statistic, by="region", periods="2025-01")
        assert table(answered, "pdc_pooled")["north",]["state"] == state


@pytest.mark.parametrize(
    ("members", "enrolled", "state"),
    [(100, 50, "shown"), (100, 10, "suppressed"), (10, 50, "suppressed"), (100, 0, "shown")],
)
def test_penetration_is_masked_with_either_side(
    masking: SmallExchange, members: int, enrolled: int, state: str
) -> None:
    rows = [fills_row(members=members, days_covered=100, treatment_days=200)]
    post(masking, "fills", shared_out("2025-01", rows))
    cell = {"coverage": "in_network", "region": "north", "enrolled": enrolled, "contacts": 0}
    post(masking, "support", {(BRAND, "2025-01"): [cell]})

    row = table(answer(masking, "psp_penetration", by="region", periods="2025-01"))["north",]

    assert (row["state"], row["interval"] is None) == (state, state == "suppressed")


def test_an_upper_limit_is_masked_too(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    small.agree(small_contract(rules=RULES, feeds=[fills_feed(), support_feed(dimensions=["region"])]))
    post(small, "fills", shared_out("2025-01", [fills_row(members=200)]))
    post(small, "support", {(BRAND, "2025-01"): [{"region": "north", "enrolled": 4, "contacts": 0}]})

    row = table(answer(small, "psp_penetration", by="region", periods="2025-01"))["north",]

    assert (row["state"], row["value"], row["interval"]) == ("suppressed", None, None)


# --- figures are masked with the persons they are made of


@pytest.mark.parametrize("members", [4, 40])
def test_days_of_few_persons_are_masked_with_them(masking: SmallExchange, members: int) -> None:
    rows = [fills_row(members=members, days_covered=60, treatment_days=120), fills_row("south", "M", members=60)]
    post(masking, "fills", shared_out("2025-01", rows))

    for measures in ("days_covered,treatment_days", "treatment_days", "days_covered,members"):
        answered = answer(masking, "counts", feed="fills", by="region", measures=measures, periods="2025-01")
        states = {(row["key"]["region"], row["state"]) for row in answered["rows"]}
        assert states == {("north", "suppressed" if members == 4 else "shown"), ("south", "shown")}


def test_total_days_are_shown_where_the_persons_behind_them_are_many(masking: SmallExchange) -> None:
    rows = [fills_row(members=4, days_covered=60, treatment_days=120), fills_row("south", "M", members=60)]
    post(masking, "fills", shared_out("2025-01", rows))

    (row,) = answer(masking, "counts", feed="fills", measures="days_covered", periods="2025-01")["rows"]

    # A total never sums what is shown: it is over all the cells, and what is masked above can be told from it.
    assert row["value"] == pytest.approx(60 + 900)


@pytest.mark.parametrize(("enrolled", "state"), [(0, "shown"), (3, "suppressed"), (30, "shown")])
def test_contacts_of_few_patients_are_masked_in_the_joint_table(
    masking: SmallExchange, enrolled: int, state: str
) -> None:
    post(masking, "fills", shared_out("2025-01", [fills_row()]))
    cell = {"coverage": "in_network", "region": "north", "enrolled": enrolled, "contacts": 5 * enrolled}
    post(masking, "support", {(BRAND, "2025-01"): [cell]})

    answered = answer(masking, "joint_table", by="region", measures="contacts", periods="2025-01")

    assert table(answered, "contacts")["north",]["state"] == state
    assert table(answered, "pdc_pooled")["north",]["state"] == "shown"


@pytest.mark.parametrize(("uncovered", "state"), [(0, "shown"), (5, "suppressed"), (50, "shown")])
def test_a_share_of_days_is_masked_with_its_rest(masking: SmallExchange, uncovered: int, state: str) -> None:
    rows = [fills_row(members=100, days_covered=900 - uncovered, treatment_days=900)]
    post(masking, "fills", shared_out("2025-01", rows))

    assert table(answer(masking, "pdc_pooled", by="region", periods="2025-01"))["north",]["state"] == state


@pytest.mark.slow
@pytest.mark.parametrize(
    ("adherent", "other", "states"),
    [
        (294, 6, ["shown", "suppressed", "suppressed"]),
        (294, 0, ["shown", "suppressed", "shown"]),
        (290, 10, ["shown", "suppressed", "suppressed"]),
        (289, 11, ["shown", "shown", "shown"]),
        (300, 0, ["shown", "shown", "shown"]),
        (150, 150, ["shown", "shown", "shown"]),
        (6, 200, ["shown", "suppressed", "shown"]),
    ],
)
@pytest.mark.parametrize("statistic", ["counts", "joint_table"])
def test_a_count_of_persons_is_masked_with_the_rest_of_those_who_hold_it(
    migrated_sqlite_url: str, statistic: str, adherent: int, other: int, states: list[str]
) -> None:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    names = ("members", "adherent", "other")
    parted = support_feed(
        measures={name: {"unit": "persons", "bound": 1} for name in names}, invariants=["adherent + other <= members"]
    )
    small.agree(small_contract(rules=RULES, feeds=[fills_feed(), parted]))
    post(small, "fills", shared_out("2025-01", [fills_row()]))
    cell = {"coverage": "in_network", "region": "north", "members": 300, "adherent": adherent, "other": other}
    post(small, "support", {(BRAND, "2025-01"): [cell]})
    question = {"by": "region", "periods": "2025-01"} | ({"feed": "support"} if statistic == "counts" else {})

    answered = answer(small, statistic, explain="true", **question)

    rows = {row["figure"]: row for row in answered["rows"] if row["key"]["region"] == "north"}
    assert [rows[name]["state"] for name in names] == states
    assert [rows[name]["interval"] is None for name in names] == [state == "suppressed" for state in states]
    alone = answer(small, statistic, measures="adherent", **question)
    assert table(alone, "adherent")["north",]["state"] == states[1], "whatever is asked beside it"


def test_nothing_of_a_masked_row_can_tell_its_value(masking: SmallExchange) -> None:
    """Two exchanges' worth of small cells give the same row: no end, flag or working depends on what is hidden."""
    few = [(1, 1), (2, 2), (10, 3)]
    for month, (members, days) in enumerate(few, start=1):
        rows = [fills_row(members=members, days_covered=days, treatment_days=max(20, days))]
        post(masking, "fills", shared_out(f"2025-{month:02}", rows))

    for statistic, query in (("counts", {"feed": "fills"}), ("pdc_pooled", {})):
        seen = [
            answer(masking, statistic, periods=f"2025-{month:02}", where="region:north,sex:F", explain="true", **query)
            for month in range(1, len(few) + 1)
        ]
        for answered in seen:
            assert all(
                (row["state"], row["value"], row["interval"], row["total_interval"], row["flags"])
                == ("suppressed", None, None, None, [])
                for row in answered["rows"]
            )
            assert all(row["working"] is None for row in answered["explanation"]["rows"])
        assert all(answered["rows"] == seen[0]["rows"] for answered in seen)
        assert all(answered["explanation"]["rows"] == seen[0]["explanation"]["rows"] for answered in seen)


# --- every format


def test_masked_zero_and_missing_are_told_apart_in_json_and_on_the_command_line(
    masking: SmallExchange, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [fills_row(members=5, days_covered=45, treatment_days=90)]
    post(masking, "fills", shared_out("2025-01", rows) | shared_out("2025-02", []))
    question = {"feed": "fills", "by": "month", "measures": "members", "periods": "2025-01..2025-03"}
    answered = answer(masking, "counts", explain="true", **question)

    # What `parley ask` prints, without --json and with it.
    say_answer(answered)
    text = capsys.readouterr().out
    say_json(answered)
    rows = json.loads(capsys.readouterr().out)["rows"]

    table, working = (part.splitlines() for part in text.split("How each figure was reckoned"))
    lines = [line.split() for line in table[1:4]]
    assert [line[:3] for line in lines] == [
        ["2025-01", "members", "suppressed"],
        ["2025-02", "members", "0"],
        ["2025-03", "members", "missing"],
    ]
    assert ["to" in line for line in lines] == [False, True, False], "an interval"
    assert [line.split()[-1] for line in working[2:5:2]] == ["suppressed", "missing"]
    assert "members = " in working[3]
    assert [row["state"] for row in rows] == ["suppressed", "shown", "missing"]
    assert [row["value"] is None for row in rows] == [True, False, True]


def test_without_the_rule_small_counts_are_shown(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    small.agree()
    rows = [fills_row(members=3, days_covered=9, treatment_days=18)]
    post(small, "fills", shared_out("2025-01", rows))

    (row,) = answer(small, "counts", feed="fills", measures="members", periods="2025-01")["rows"]
    assert row["value"] == pytest.approx(3)
