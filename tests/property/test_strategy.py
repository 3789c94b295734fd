"""A plan is made from the contract alone, never charges more than its share, and cannot be altered unseen."""

import os
import subprocess
import sys
import timeit
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from math import floor, sqrt
from pathlib import Path

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from privacy.loss import feed_loss_nano
from privacy.mechanism import MAX_SIGMA, charge_nano
from privacy.plan import Draw, MeasurementPlan, PlanNotSound
from privacy.plan_words import explain_plan
from privacy.sensitivity import root_up
from privacy.shares import _shares_of_margins, shares_of_margins, shares_of_measures
from privacy.strategy import BudgetTooSmall, FeedDesign, Table, make_plan, releases_paid, wanted_tables
from privacy.units import NANO, budget_nano, rho_text

DIMENSIONS = ("region", "age_band")
FILLS = {"members": 1, "days_covered": 31, "treatment_days": 31, "new_starts": 1}
NAMES = st.lists(st.sampled_from(["members", "days", "stays", "cents", "starts"]), min_size=1, max_size=5, unique=True)
BOUNDS = NAMES.flatmap(lambda names: st.fixed_dictionaries({name: st.integers(1, 100_000) for name in names}))


EXPECTED = st.dictionaries(st.sampled_from(["members", "days", "stays", "cents", "starts"]), st.integers(1, 10**9))
TABLES = st.lists(
    st.builds(Table, st.sampled_from([(), ("region",), ("age_band",), DIMENSIONS]), st.integers(1, 9)), max_size=3
).map(tuple)
DESIGNS = st.builds(FeedDesign, st.just({"region": 4, "age_band": 5}), BOUNDS, EXPECTED, TABLES)
FULL = (Table(DIMENSIONS),)
CHEAPEST = charge_nano(MAX_SIGMA, 1.0)


def design(bounds: dict[str, int], *tables: Table) -> FeedDesign:
    return FeedDesign({"region": 4, "age_band": 5}, bounds, {}, tables)


def allotted(feed: FeedDesign, period_nano: int) -> dict[tuple[str, frozenset[int]], int]:
    """What every draw may charge: the cheapest draw there is, and its share of what that leaves of the period."""
    axes: Counter[frozenset[int]] = Counter()
    for table in wanted_tables(feed):
        axes[frozenset(map(DIMENSIONS.index, table.by))] += table.weight
    margins = shares_of_margins((4, 5), axes)
    least = {name: charge_nano(MAX_SIGMA, float(bound)) for name, bound in feed.bounds.items()}
    left = period_nano - sum(least.values()) * len(margins)
    return {
        (name, margin): least[name] + floor(left * of_measure * Fraction(share, 1_000_000))
        for name, of_measure in shares_of_measures(feed.bounds, feed.expected).items()
        for margin, share in margins.items()
    }


def affordable(feed: FeedDesign, period_nano: int) -> MeasurementPlan:
    try:
        return make_plan(feed, period_nano)
    except BudgetTooSmall:
        reject()


@given(DESIGNS, st.integers(1, 1000 * NANO))
def test_a_plan_charges_what_its_shares_allow_and_wastes_next_to_nothing(feed: FeedDesign, period_nano: int) -> None:
    plan = affordable(feed, period_nano)
    shares = allotted(feed, period_nano)
    assert plan.charge_nano <= sum(shares.values()) <= period_nano
    assert plan.charge_nano >= period_nano * (1 - 1e-5) - 2 * len(shares)
    assert {(draw.measure, frozenset(map(DIMENSIONS.index, draw.margin))) for draw in plan.draws} == shares.keys()
    for draw in plan.draws:
        share = shares[draw.measure, frozenset(map(DIMENSIONS.index, draw.margin))]
        assert draw.l2_squared == feed.bounds[draw.measure] ** 2
        assert share * (1 - 1e-6) - 1 <= draw.charge_nano <= share
        assert type(draw.charge_nano) is int
    plan.verify(feed.dimensions, feed.bounds)


@given(DESIGNS, st.integers(1, NANO))
def test_its_sigma_is_the_smallest_of_eight_digits(feed: FeedDesign, period_nano: int) -> None:
    shares = allotted(feed, period_nano)
    for draw in affordable(feed, period_nano).draws:
        sigma = Decimal(draw.sigma)
        # Written plainly, with at most eight digits; the double it names is written back as the same number.
        assert draw.sigma == f"{sigma:f}"
        assert len(sigma.normalize().as_tuple().digits) <= 8
        assert Decimal(repr(draw.sigma_value)) == sigma
        smaller = sigma - Decimal(1).scaleb(sigma.adjusted() - 7)
        at_smaller = charge_nano(float(smaller) * (1 - 1e-15), root_up(draw.l2_squared))
        assert at_smaller > shares[draw.measure, frozenset(map(DIMENSIONS.index, draw.margin))]


@given(DESIGNS, st.integers(1000, 10 * NANO), st.integers(1, 48), st.integers(0, 3))
def test_all_releases_that_the_contract_plans_stay_within_the_ceiling(
    feed: FeedDesign, ceiling_nano: int, k: int, restatements: int
) -> None:
    period_nano = ceiling_nano // releases_paid(k=k, periods=k, restatements=restatements)
    assert period_nano * k * (1 + restatements) <= ceiling_nano
    assert ceiling_nano - period_nano * k * (1 + restatements) < k * (1 + restatements)
    charge = affordable(feed, period_nano).charge_nano
    assert feed_loss_nano([charge] * k, [charge] * (k * restatements), k) <= ceiling_nano


def test_the_draws_stand_by_measure_and_the_full_table_comes_first() -> None:
    plan = make_plan(design(FILLS, Table(("age_band",)), Table(())), 2_083_333)
    assert [draw.name for draw in plan.draws] == [
        f"{measure}@{margin}" for measure in FILLS for margin in ("region,age_band", "age_band", "")
    ]


# By hand: a release has 50,000,000 // 24 nano-rho, a measure a quarter of it and sigma = b / sqrt(2 rho).
CELLS_ALONE = [
    ("members@region,age_band", "30.983877", 520_833),
    ("days_covered@region,age_band", "960.50018", 520_833),
    ("treatment_days@region,age_band", "960.50018", 520_833),
    ("new_starts@region,age_band", "30.983877", 520_833),
]


def test_the_plan_for_cells_alone_is_the_same_on_every_machine() -> None:
    plan = make_plan(design(FILLS, *FULL), budget_nano("0.05") // 24)
    assert [(draw.name, draw.sigma, draw.charge_nano) for draw in plan.draws] == CELLS_ALONE


def test_the_plan_for_the_total_alone_gives_it_nine_tenths() -> None:
    """Nothing helps a total as much as itself, so that the full table keeps its floor: sigma = b / sqrt(2 rho)."""
    cells, total = make_plan(design({"members": 1}, Table(())), NANO).draws
    assert (cells.name, total.name) == ("members@region,age_band", "members@")
    assert cells.charge_nano == pytest.approx(0.1 * NANO, rel=1e-6)
    assert total.charge_nano == pytest.approx(0.9 * NANO, rel=1e-6)
    assert cells.sigma_value == pytest.approx(1 / sqrt(0.2), rel=1e-7)
    assert total.sigma_value == pytest.approx(1 / sqrt(1.8), rel=1e-7)


def test_without_named_tables_everything_by_up_to_three_dimensions_is_wanted() -> None:
    sizes = {"a": 3, "b": 2, "c": 2, "d": 5, "e": 2}
    wanted = wanted_tables(FeedDesign(sizes, {"members": 1}, {}, ()))
    assert {frozenset(table.by) for table in wanted} == {
        frozenset(by) for count in (0, 1, 2, 3, 5) for by in combinations("abcde", count)
    }
    assert {table.weight for table in wanted} == {1}


def test_a_feed_without_dimensions_is_one_number() -> None:
    (draw,) = make_plan(FeedDesign({}, {"members": 1}, {}, ()), NANO).draws
    assert draw.margin == ()
    assert draw.charge_nano == pytest.approx(NANO, rel=1e-6)


def test_the_plan_of_six_dimensions_and_ten_tables_takes_less_than_a_second() -> None:
    sizes = {"a": 10, "b": 6, "c": 2, "d": 5, "e": 4, "f": 3}
    tables = tuple(Table(by) for by in list(combinations(sizes, 2))[:7] + list(combinations(sizes, 3))[:3])
    feed = FeedDesign(sizes, {f"measure_{i}": i + 1 for i in range(5)}, {"measure_0": 1000}, tables)
    assert (
        min(timeit.repeat(lambda: make_plan(feed, 2_083_333), setup=_shares_of_margins.cache_clear, number=1, repeat=3))
        < 1
    )


def test_the_plan_does_not_depend_on_the_process_that_makes_it() -> None:
    feed = FeedDesign(
        {"region": 4, "age_band": 5, "sex": 2}, FILLS, {"members": 20_000, "new_starts": 500},
        (Table(("region",), 2), Table(("region", "age_band")), Table(("age_band", "sex"))),
    )  # fmt: skip
    script = (
        "from privacy.plan_words import explain_plan\n"
        "from privacy.strategy import FeedDesign, Table, make_plan\n"
        f"plan = make_plan({feed!r}, 2_083_333)\n"
        f"print(plan, explain_plan({feed!r}, plan))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "OPENBLAS_NUM_THREADS": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    plan = make_plan(feed, 2_083_333)
    assert printed == {f"{plan} {explain_plan(feed, plan)}"}


@given(DESIGNS)
def test_the_smallest_budget_that_a_refusal_names_works_and_one_less_does_not(feed: FeedDesign) -> None:
    with pytest.raises(BudgetTooSmall) as raised:
        make_plan(feed, 0)
    needed = raised.value.needed_nano
    plan = make_plan(feed, needed)
    assert plan.charge_nano <= needed
    plan.verify(feed.dimensions, feed.bounds)
    with pytest.raises(BudgetTooSmall):
        make_plan(feed, needed - 1)


def test_a_nano_rho_for_every_draw_is_enough_for_persons() -> None:
    with pytest.raises(BudgetTooSmall) as raised:
        make_plan(design(FILLS, *FULL), 3)
    assert raised.value.needed_nano == 4 * CHEAPEST == 4


@pytest.mark.parametrize("bounds", [{"cents": 10**9}, {"cents": 10**9, "members": 1}, {"cents": 10**11}])
def test_a_bound_that_the_budget_cannot_hide_is_refused_with_a_budget_that_can(bounds: dict[str, int]) -> None:
    with pytest.raises(BudgetTooSmall) as raised:
        make_plan(design(bounds, *FULL), 0)
    assert make_plan(design(bounds, *FULL), raised.value.needed_nano).charge_nano <= raised.value.needed_nano


# --- in words


def test_the_explanation_gives_costs_shares_and_errors_as_the_draws_have_them() -> None:
    feed = FeedDesign(
        {"region": 4, "age_band": 5}, {"members": 1, "days": 31}, {"members": 300, "days": 31 * 200},
        (Table(("region",), 2), Table(())),
    )  # fmt: skip
    # Drawn up by hand, so that every number in the text can be followed with a pencil.
    plan = MeasurementPlan((
        Draw("members", DIMENSIONS, "50", 1, 200_000), Draw("members", ("region",), "25", 1, 800_000),
        Draw("days", DIMENSIONS, "2000", 961, 120_125), Draw("days", (), "1000", 961, 480_500),
    ))  # fmt: skip
    text = explain_plan(feed, plan)
    assert text[0].startswith("Each release costs rho 0.001600625")
    assert text[1].endswith("region (weight 2); the total (weight 1).")
    assert "members gets 62.5% of the loss; one person adds at most 1 to an entry" in text[2]
    assert text[2].endswith("20.0% on the full table, region x age_band (50); 80.0% on region (25).")
    # A region is the sum of five cells of sd 50 (12,500) or one entry of sd 25 (625): 625 * 12500 / 13125 = 24.4^2.
    assert text[3].endswith("standard deviation 24.4 for region, 48.8 for the total.")
    assert "days gets 37.5% of the loss; one person adds at most 31 to an entry" in text[4]
    assert text[4].endswith("20.0% on the full table, region x age_band (2,000); 80.0% on the total (1,000).")
    assert len(text) == 6


@given(DESIGNS, st.integers(1000, NANO))
def test_every_measure_margin_and_named_table_is_in_the_explanation(feed: FeedDesign, period_nano: int) -> None:
    plan = affordable(feed, period_nano)
    first, second, *measures = explain_plan(feed, plan)
    assert rho_text(plan.charge_nano) in first
    assert all((" x ".join(table.by) or "the total") in second for table in feed.tables)
    assert len(measures) == 2 * len(feed.bounds)
    for index, measure in enumerate(feed.bounds):
        measured, fitted = measures[2 * index : 2 * index + 2]
        assert measured.startswith(f"{measure} gets")
        assert measured.count("% on ") == len(plan.draws_of(measure))
        assert f"Fitted together, {measure} in one entry" in fitted
        assert "nan" not in fitted


# --- nobody alters a plan unseen


TWO_TABLES = design(FILLS, Table(("region",)), Table(()))
PLAN = make_plan(TWO_TABLES, 2_083_333)


def altered(index: int, **changes: object) -> MeasurementPlan:
    draws = list(PLAN.draws)
    draws[index] = replace(draws[index], **changes)
    return MeasurementPlan(tuple(draws))


def test_a_plan_as_it_was_made_is_sound() -> None:
    PLAN.verify(DIMENSIONS, FILLS)


def test_a_plan_of_several_margins_charges_their_sum() -> None:
    assert [draw.margin for draw in PLAN.draws_of("members")] == [DIMENSIONS, ("region",), ()]
    assert PLAN.charge_nano == sum(draw.charge_nano for draw in PLAN.draws)


ALTERATIONS: dict[str, Callable[[], MeasurementPlan]] = {
    "a smaller sigma": lambda: altered(1, sigma=str(Decimal(PLAN.draws[1].sigma) * Decimal("0.95"))),
    "a larger sigma": lambda: altered(1, sigma=str(Decimal(PLAN.draws[1].sigma) * Decimal("1.05"))),
    "a sigma of zero": lambda: altered(0, sigma="0"),
    "a lower charge": lambda: altered(2, charge_nano=PLAN.draws[2].charge_nano - 1),
    "a higher charge": lambda: altered(2, charge_nano=PLAN.draws[2].charge_nano + 1),
    "another sensitivity": lambda: altered(1, l2_squared=30**2),
    "an unknown measure": lambda: altered(0, measure="cents"),
    "an unknown dimension": lambda: altered(0, margin=("region", "sex")),
    "a measure forgotten": lambda: MeasurementPlan(PLAN.draws[:-3]),
    "the full table of a measure forgotten": lambda: MeasurementPlan(PLAN.draws[1:]),
    "no draws": lambda: MeasurementPlan(()),
    "a draw repeated": lambda: MeasurementPlan((*PLAN.draws, PLAN.draws[0])),
    "a draw repeated with its margin in another order": lambda: MeasurementPlan(
        (*PLAN.draws, replace(PLAN.draws[0], margin=DIMENSIONS[::-1]))
    ),
    "a dimension twice in one margin": lambda: altered(0, margin=("region", "age_band", "region")),
    "a measure without its full table": lambda: altered(0, margin=("age_band",)),
    "a margin drawn as another": lambda: altered(1, margin=()),
    "a smaller sigma of a margin": lambda: altered(5, sigma=str(Decimal(PLAN.draws[5].sigma) * Decimal("0.95"))),
    "sigmas of two margins exchanged": lambda: altered(1, sigma=PLAN.draws[2].sigma),
    "charges of two measures exchanged": lambda: altered(3, charge_nano=PLAN.draws[4].charge_nano),
    "a measure under the name of another": lambda: altered(3, measure="members"),
    "a sigma that is no number": lambda: altered(4, sigma="nan"),
    "an infinite sigma": lambda: altered(4, sigma="inf"),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_an_altered_plan_is_not_sound(alteration: str) -> None:
    with pytest.raises(PlanNotSound):
        ALTERATIONS[alteration]().verify(DIMENSIONS, FILLS)
