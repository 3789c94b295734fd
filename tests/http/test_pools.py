"""What an answer may rest on: pools of payers, missing and provisional periods, and sides that must be comparable."""

import pytest

from contracts.parties import JsonObject, Role
from tests.http.answers import (
    ADHERENCE,
    FILLS,
    MONTHS,
    SUPPORT,
    Posted,
    answer,
    fills_rows,
    post,
    table,
    totals,
    values,
)
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    PAYERS,
    NoNoise,
    SmallExchange,
    fills_feed,
    small_contract,
    support_feed,
)

FOUR = (*PAYERS, "summit")


@pytest.fixture
def exact(migrated_sqlite_url: str) -> SmallExchange:
    """A whole exchange without noise, and no contract yet."""
    return SmallExchange(migrated_sqlite_url, noise=NoNoise())


def four_payers(small: SmallExchange, min_payers: int) -> None:
    """The small contract with a fourth payer, in force."""
    small.register("summit", Role.PAYER)
    document = small_contract(rules={"min_payers": min_payers, "small_cells": None})
    document["parties"].append({"organisation": "summit", "role": "payer", "population": "summit-members"})
    ceilings = document["privacy"]["ceilings"] | {"summit-members": "0.1"}
    document["privacy"] = document["privacy"] | {"ceilings": ceilings}
    small.agree(document)


def january(name: str) -> Posted:
    return {(name, "2025-01"): fills_rows(FOUR.index(name), 0)}


def january_of(*names: str) -> int:
    return sum(totals({key: rows for name in names for key, rows in january(name).items()}, "members").values())


def members(small: SmallExchange, name: str = BRAND) -> float:
    """Of January; a fitted count is right to the last bits of a double."""
    answered = answer(small, "counts", name, feed="fills", periods="2025-01", measures="members")
    return round(float(answered["rows"][0]["value"]), 6)


# --- min_payers


def test_a_pool_opens_with_min_payers(exact: SmallExchange) -> None:
    exact.agree()
    for name in PAYERS[:2]:
        post(exact, "fills", january(name))
        refused = exact.ask(BRAND, "counts", feed="fills", periods="2025-01")
        assert_problem(refused, 409, "nothing-released")
        assert refused.get_json()["feed"] == "fills"
        assert not any(payer in refused.get_data(as_text=True) for payer in PAYERS)

    post(exact, "fills", january("sierra"))

    assert members(exact) == january_of(*PAYERS)


def test_too_few_payers_look_like_none_at_all(exact: SmallExchange) -> None:
    exact.agree()
    nothing = exact.ask(BRAND, "pdc_pooled")
    coverage = exact.get(BRAND, f"/v1/contracts/{CONTRACT}/releases")

    for name in PAYERS[:2]:
        post(exact, "fills", january(name))

    assert exact.ask(BRAND, "pdc_pooled").get_data() == nothing.get_data()
    assert exact.get(BRAND, f"/v1/contracts/{CONTRACT}/releases").get_data() == coverage.get_data()


def test_a_pool_is_counted_without_the_asker(exact: SmallExchange) -> None:
    exact.agree()
    for name in PAYERS:
        post(exact, "fills", january(name))

    assert_problem(exact.ask("sierra", "counts", feed="fills"), 409, "nothing-released")


def test_a_payer_sees_its_own_posts_in_a_pool_that_the_others_opened(exact: SmallExchange) -> None:
    four_payers(exact, min_payers=3)
    for name in PAYERS:
        post(exact, "fills", january(name))
    assert members(exact, "summit") == january_of(*PAYERS)

    post(exact, "fills", january("summit"))

    assert members(exact, "summit") == january_of(*FOUR)
    assert members(exact, "sierra") == january_of(*FOUR)


def test_a_pool_grows_by_min_payers_until_all_have_posted(exact: SmallExchange) -> None:
    four_payers(exact, min_payers=2)
    seen = []
    for name in FOUR:
        post(exact, "fills", january(name))
        asked = exact.ask(BRAND, "counts", feed="fills", periods="2025-01")
        seen.append(members(exact) if asked.status_code == 200 else None)

    two, four = january_of(*FOUR[:2]), january_of(*FOUR)
    assert seen == [None, two, two, four]


def test_a_payer_learns_no_other_payer_from_the_pool_it_is_in(exact: SmallExchange) -> None:
    four_payers(exact, min_payers=2)
    for name in ("blueridge", "lakeshore", "sierra"):
        post(exact, "fills", january(name))

    # Two of the three others have posted, and the third would be a step of its own.
    assert_problem(exact.ask("blueridge", "counts", feed="fills"), 409, "nothing-released")
    # Three others have posted for the one that has not, and they are all there are.
    assert members(exact, "summit") == january_of("blueridge", "lakeshore", "sierra")


def test_a_row_says_when_some_provider_is_not_in_it_and_coverage_says_how_many_are(exact: SmallExchange) -> None:
    four_payers(exact, min_payers=2)
    months = ("2025-01", "2025-02")
    for name in FOUR:
        for period in months if name != "summit" else months[1:]:
            post(exact, "fills", {(name, period): fills_rows(FOUR.index(name), 0)})

    def flags(**query: str) -> dict[tuple[str, ...], list[str]]:
        rows = table(answer(exact, "counts", feed="fills", measures="members", **query))
        return {key: row["flags"] for key, row in rows.items()}

    by_month = flags(by="month", periods="2025-01..2025-03")
    assert by_month == {("2025-01",): ["partial_pool"], ("2025-02",): [], ("2025-03",): []}
    assert flags(by="region", periods="2025-01..2025-02") == {
        ("north",): ["partial_pool"],
        ("south",): ["partial_pool"],
    }
    assert flags(by="region", periods="2025-02") == {("north",): [], ("south",): []}

    (coverage,) = answer(exact, "counts", feed="fills", periods="2025-01..2025-02")["coverage"]
    assert (coverage["providers"], coverage["providers_fewest"], coverage["providers_most"]) == (4, 2, 4)
    assert coverage["rests_on"] == [
        {"period": "2025-01", "providers": 2, "restatements": [0]},
        {"period": "2025-02", "providers": 4, "restatements": [0]},
    ]


def test_the_brands_own_feed_needs_no_pool(exact: SmallExchange) -> None:
    exact.agree()
    post(exact, "support", {(BRAND, "2025-01"): SUPPORT[BRAND, "2025-01"]})

    for name in (BRAND, "blueridge"):
        answered = answer(exact, "counts", name, feed="support", periods="2025-01")
        assert values(answered, "enrolled") == pytest.approx(totals(SUPPORT, "enrolled", periods=["2025-01"]))


# --- missing periods


def fill(small: SmallExchange, months: tuple[str, ...]) -> None:
    post(small, "fills", {key: rows for key, rows in FILLS.items() if key[1] in months})


@pytest.mark.slow
def test_missing_months_are_missing_and_not_zero(exact: SmallExchange) -> None:
    exact.agree()
    fill(exact, MONTHS[:2])
    empty: Posted = {(name, "2025-03"): [] for name in PAYERS}
    post(exact, "fills", empty)

    question = {"feed": "fills", "by": "month", "periods": "2025-01..2025-04", "measures": "members"}
    rows = table(answer(exact, "counts", **question))

    states = {key: (row["state"], row["value"]) for key, row in rows.items()}
    assert states["2025-01",] == ("shown", pytest.approx(totals(FILLS, "members", periods=["2025-01"])[()]))
    assert states["2025-03",] == ("shown", pytest.approx(0, abs=1e-9))
    assert states["2025-04",] == ("missing", None)
    assert rows["2025-04",]["interval"] is None


def test_a_quarter_of_which_months_are_missing_says_so(exact: SmallExchange) -> None:
    exact.agree()
    fill(exact, MONTHS[:4])

    answered = answer(exact, "counts", feed="fills", by="quarter", measures="members")

    rows = table(answered)
    assert {key: (row["state"], row["flags"]) for key, row in rows.items()} == {
        ("2025-Q1",): ("shown", []),
        ("2025-Q2",): ("shown", ["partial_periods"]),
        ("2025-Q3",): ("missing", []),
        ("2025-Q4",): ("missing", []),
    }
    assert rows["2025-Q2",]["value"] == pytest.approx(totals(FILLS, "members", periods=["2025-04"])[()])
    (coverage,) = answered["coverage"]
    assert coverage["asked"] == list(MONTHS)
    assert (coverage["covered"], coverage["missing"]) == (list(MONTHS[:4]), list(MONTHS[4:]))
    assert (coverage["providers_fewest"], coverage["providers_most"]) == (3, 3)


@pytest.mark.parametrize("periods", ["2025-01", "2025-02..2025-03"])
def test_a_quarter_of_which_not_every_month_is_asked_says_so(exact: SmallExchange, periods: str) -> None:
    exact.agree()
    fill(exact, MONTHS[:3])
    question = {"feed": "fills", "by": "quarter", "measures": "members"}

    part = table(answer(exact, "counts", periods=periods, **question))
    whole = table(answer(exact, "counts", periods="2025-Q1", **question))
    months = table(answer(exact, "counts", periods=periods, **question | {"by": "month"}))

    assert part["2025-Q1",]["flags"] == ["partial_periods"]
    assert whole["2025-Q1",]["flags"] == []
    assert all(row["flags"] == [] for row in months.values())


def test_a_quarter_of_which_the_contract_has_not_every_month_says_so(exact: SmallExchange) -> None:
    exact.agree(small_contract(feeds=[fills_feed(first_period="2025-03", k=10), support_feed()]))
    fill(exact, MONTHS[2:6])

    rows = table(answer(exact, "counts", feed="fills", by="quarter", measures="members", periods="2025-Q1..2025-Q2"))

    assert {key: row["flags"] for key, row in rows.items()} == {
        ("2025-Q1",): ["partial_periods"],
        ("2025-Q2",): [],
    }


def test_the_whole_term_is_flagged_while_months_are_missing(exact: SmallExchange) -> None:
    exact.agree()
    fill(exact, MONTHS[:11])
    assert answer(exact, "pdc_pooled")["rows"][0]["flags"] == ["partial_periods"]

    fill(exact, MONTHS[11:])

    assert answer(exact, "pdc_pooled")["rows"][0]["flags"] == []


def test_nothing_released_in_the_periods_asked_is_a_conflict(exact: SmallExchange) -> None:
    exact.agree()
    fill(exact, MONTHS[:1])

    assert_problem(exact.ask(BRAND, "counts", feed="fills", periods="2025-Q4"), 409, "nothing-released")


# --- provisional periods


def test_a_period_released_before_its_run_out_stays_provisional(exact: SmallExchange) -> None:
    feeds = [fills_feed(run_out_days=200), support_feed()]
    ceilings = {f"{name}-members": "0.1" for name in (*PAYERS, BRAND)}
    document = small_contract(feeds=feeds)
    document["privacy"] = document["privacy"] | {"ceilings": ceilings}
    exact.agree(document)
    fill(exact, ("2025-01", "2025-12"))  # on 1 July 2026; 200 days after December is 19 July

    january = answer(exact, "counts", feed="fills", periods="2025-01")
    both = answer(exact, "counts", feed="fills", periods="2025-01..2025-12")
    assert "provisional" not in january["labels"]
    assert "provisional" in both["labels"]
    assert both["coverage"][0]["provisional"] == ["2025-12"]

    exact.clock.go_on(days=60)
    assert answer(exact, "counts", feed="fills", periods="2025-01..2025-12") == both


# --- two sides of one division


def test_penetration_divides_over_the_periods_that_both_sides_cover(exact: SmallExchange) -> None:
    exact.agree()
    fill(exact, MONTHS[:3])
    post(exact, "support", {key: rows for key, rows in SUPPORT.items() if key[1] in MONTHS[1:4]})

    total = answer(exact, "psp_penetration")
    monthly = table(answer(exact, "psp_penetration", by="month", periods="2025-01..2025-04"))

    common = MONTHS[1:3]
    enrolled = totals(SUPPORT, "enrolled", where={"coverage": ["in_network"]}, periods=common)[()]
    assert total["rows"][0]["value"] == pytest.approx(enrolled / totals(FILLS, "members", periods=common)[()])
    assert total["rows"][0]["flags"] == ["partial_periods"]
    assert [side["covered"] for side in total["coverage"]] == [list(common)] * 2
    assert [row["state"] for row in monthly.values()] == ["missing", "shown", "shown", "missing"]


def test_penetration_without_a_common_period_is_a_conflict(exact: SmallExchange) -> None:
    exact.agree()
    fill(exact, MONTHS[:1])
    post(exact, "support", {key: rows for key, rows in SUPPORT.items() if key[1] == "2025-02"})

    for query in ({}, {"by": "month"}):
        assert_problem(exact.ask(BRAND, "psp_penetration", **query), 409, "nothing-released")


def test_brand_cells_without_coverage_give_an_upper_limit_only(exact: SmallExchange) -> None:
    exact.agree(small_contract(feeds=[fills_feed(), support_feed(dimensions=["region"])]))
    fill(exact, MONTHS[:1])
    post(exact, "support", {(BRAND, "2025-01"): [{"region": "north", "enrolled": 100, "contacts": 0}]})

    answered = answer(exact, "psp_penetration", periods="2025-01", by="region")

    assert "coverage_mismatch" in answered["labels"]
    for row in answered["rows"]:
        assert row["value"] is None
        assert row["interval"]["lower"] is None
        assert 0 <= row["interval"]["upper"] <= 1
        assert "upper_limit_only" in row["flags"]
    north = table(answered)["north",]["interval"]["upper"]
    assert north > 100 / totals(FILLS, "members", ["region"], periods=["2025-01"])["north",]


def test_feeds_of_different_grain_are_not_divided(exact: SmallExchange) -> None:
    yearly = support_feed(grain="year", first_period="2025", last_period="2025", k=1)
    exact.agree(small_contract(feeds=[fills_feed(), yearly]))

    answered = exact.ask(BRAND, "psp_penetration")

    assert_problem(answered, 422, "question-invalid", "/feed", "grains_differ")


def test_the_joint_table_shows_each_side_in_its_own_periods(exact: SmallExchange) -> None:
    exact.agree()
    fill(exact, MONTHS[:1])
    post(exact, "support", {key: rows for key, rows in SUPPORT.items() if key[1] == "2025-02"})

    answered = answer(exact, "joint_table", by="month", periods="2025-01..2025-02")

    states: dict[str, list[JsonObject]] = {}
    for row in answered["rows"]:
        states.setdefault(row["figure"], []).append(row["state"])
    assert states["pdc_pooled"] == ["shown", "missing"]
    assert states["enrolled"] == states["contacts"] == ["missing", "shown"]


def test_yearly_rates_of_a_year_that_only_some_posted_stay_closed(exact: SmallExchange) -> None:
    exact.agree()
    post(exact, "adherence", {key: rows for key, rows in ADHERENCE.items() if key != ("sierra", "2025")})

    rows = table(answer(exact, "adherence_rate", by="year"))

    assert {key: row["state"] for key, row in rows.items()} == {("2024",): "shown", ("2025",): "missing"}
