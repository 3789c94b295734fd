"""The small-cell rule of a contract: noisy counts from 1 to 10 are not shown, nor the rates that would tell them."""

import pytest

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
    assert (cell["state"], cell["value"]) == (state, count if state == "shown" else None)
    assert (cell["interval"] is None) == (state == "suppressed")
    assert (found["south", "M"]["state"], found["south", "M"]["value"]) == ("shown", 0)


def test_suppressed_missing_and_zero_are_three_states(masking: SmallExchange) -> None:
    rows = [fills_row(members=5, days_covered=45, treatment_days=90)]
    post(masking, "fills", shared_out("2025-01", rows) | shared_out("2025-02", []))

    answered = answer(masking, "counts", feed="fills", by="month", measures="members", periods="2025-01..2025-03")

    shown = [(row["state"], row["value"]) for row in answered["rows"]]
    assert shown == [("suppressed", None), ("shown", 0), ("missing", None)]


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

    assert (row["state"], row["value"]) == (state, value)
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


def test_without_the_rule_small_counts_are_shown(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    small.agree()
    rows = [fills_row(members=3, days_covered=9, treatment_days=18)]
    post(small, "fills", shared_out("2025-01", rows))

    assert answer(small, "counts", feed="fills", measures="members", periods="2025-01")["rows"][0]["value"] == 3
