"""What a preview predicts is what the fit will give, and the smallest budget is the smallest."""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil, exp, log, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from contracts.parties import JsonObject
from contracts.predicting import Figure, Span, counts_of, noise_at, rates_of, tables_of
from contracts.previewing import FeedPreview, Preview, Previewing, attacker
from contracts.refusals import AccuracyInvalid, ContractInvalid
from contracts.terms import FeedTerms, read_terms
from contracts.wishes import Budget, read_wishes, smallest_budget
from privacy.accuracy import RATES, PlanNoise, count_width, largest_scale, rate_width, smallest_reaching
from privacy.inference import fit
from privacy.plan import Draw, MeasurementPlan
from privacy.strategy import make_plan
from tests.support.small_exchange import PAYERS, adherence_feed, fills_feed, small_contract, support_feed

Z = float(norm.ppf(0.975))


# --- the closed form


@st.composite
def noises(draw: st.DrawFn) -> tuple[dict[str, int], MeasurementPlan]:
    """A small table, its full draw, and some margins of it."""
    sizes = {f"d{axis}": size for axis, size in enumerate(draw(st.lists(st.integers(1, 4), max_size=4)))}
    subsets = st.lists(st.sampled_from(list(sizes)), unique=True) if sizes else st.just([])
    margins = {tuple(sizes), *(tuple(n for n in sizes if n in kept) for kept in draw(st.lists(subsets, max_size=4)))}
    sigmas = st.decimals("0.5", "300", places=3)
    return sizes, MeasurementPlan(tuple(Draw("members", m, str(draw(sigmas)), 1, 1) for m in sorted(margins)))


@given(noises(), st.data())
def test_variances_and_covariances_are_those_of_the_fitted_table(
    case: tuple[dict[str, int], MeasurementPlan], data: st.DataObject
) -> None:
    sizes, plan = case
    shape = tuple(sizes.values())
    empty = [np.zeros(int(np.prod([sizes[n] for n in draw.margin], dtype=int)), dtype=np.int64) for draw in plan.draws]
    table = fit(shape, tuple(sizes), [(d, zeros, d.variance) for d, zeros in zip(plan.draws, empty, strict=True)])
    outer = {name: data.draw(st.integers(1, size)) for name, size in sizes.items()}
    inner = {name: data.draw(st.integers(1, most)) for name, most in outer.items()}
    wide, narrow = (
        [np.arange(size)[None, :] < taken[name] for name, size in sizes.items()] for taken in (outer, inner)
    )
    wide, narrow = ([row.astype(np.float64) for row in rows] for rows in (wide, narrow))

    noise = PlanNoise(plan, sizes)

    assert noise.variance("members", outer) == pytest.approx(float(table.variance(wide).ravel()[0]), rel=1e-9)
    covariance = float(table.covariance(narrow, wide).ravel()[0])
    assert noise.covariance("members", inner, outer) == pytest.approx(covariance, rel=1e-9)


def full_table_alone(sigma: str, **sizes: int) -> PlanNoise:
    return PlanNoise(MeasurementPlan((Draw("members", tuple(sizes), sigma, 1, 1),)), sizes)


def test_of_the_full_table_alone_an_entry_of_a_margin_has_the_noise_of_the_cells_it_sums() -> None:
    noise = full_table_alone("7.5", region=4, age_band=5, sex=2)

    assert noise.variance("members", dict.fromkeys(("region", "age_band", "sex"), 1)) == pytest.approx(7.5**2)
    assert noise.variance("members", {"region": 1}) == pytest.approx(10 * 7.5**2)
    assert noise.variance("members", {}) == pytest.approx(40 * 7.5**2)
    assert noise.covariance("members", {"region": 1}, {}) == pytest.approx(10 * 7.5**2)


def test_a_margin_measured_twice_as_well_as_its_cells_halves_the_variance() -> None:
    """Two unbiased measurements of a total of 4 cells: 4 sigma^2 by the cells, 4 sigma^2 directly."""
    plan = MeasurementPlan((Draw("members", ("region",), "10", 1, 1), Draw("members", (), "20", 1, 1)))

    assert PlanNoise(plan, {"region": 4}).variance("members", {}) == pytest.approx(200)


def test_a_count_over_periods_and_providers_is_as_wide_as_the_root_of_their_number() -> None:
    assert count_width(100.0**2, fitted=False) == ceil(Z * 100 + 0.5)
    assert count_width(24 * 3 * 100.0**2, fitted=False) == ceil(Z * 100 * sqrt(72) + 0.5)
    assert count_width(72 * 9.0, fitted=True) == pytest.approx(Z * 3 * sqrt(72), rel=0.01)


def test_a_rate_of_large_numbers_is_as_wide_as_the_delta_method_says() -> None:
    part, whole, together = 30.0**2, 50.0**2, 20.0**2
    widest = max(Z * sqrt(part - 2 * rate * together + rate**2 * whole) / 1e6 for rate in (0.5, 0.8))

    width = rate_width(1e6, part_variance=part, whole_variance=whole, covariance=together)

    assert width == pytest.approx(widest, rel=1e-4)


def test_without_noise_the_total_width_is_that_of_wilson() -> None:
    none = {"part_variance": 0.0, "whole_variance": 0.0, "covariance": 0.0}
    wilson = Z * sqrt(0.25 / 400 + Z**2 / (4 * 400**2)) / (1 + Z**2 / 400)

    assert rate_width(400, **none, sampling_periods=1) == pytest.approx(wilson, rel=1e-9)
    assert rate_width(400, **none) == pytest.approx(0, abs=1e-9)


@given(st.floats(1.0, 50.0), st.floats(0.0, 1.0), st.integers(0, 12))
def test_no_rate_between_the_assumed_ones_is_wider_by_more_than_a_fiftieth(
    sd: float, share: float, months: int
) -> None:
    variances = {"part_variance": sd**2 * share, "whole_variance": sd**2, "covariance": sd**2 * share}
    stated = rate_width(2000, **variances, sampling_periods=months)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("privacy.accuracy.RATES", tuple(np.linspace(min(RATES), max(RATES), 200)))
        assert rate_width(2000, **variances, sampling_periods=months) <= 1.02 * stated


def test_a_dimension_gives_a_rate_with_less_than_half_the_error_of_a_nested_count() -> None:
    """docs/explain/accuracy.md: at 70%, a factor of 2.3. Nested, each of two measures gets half of the loss."""
    sigma, rate, whole = 20.0, 0.7, 50_000
    bands = full_table_alone(str(sigma), band=2)
    part = bands.variance("members", {"band": 1})
    everyone = bands.variance("members", {})
    together = bands.covariance("members", {"band": 1}, {})
    nested = 2 * sigma**2

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("privacy.accuracy.RATES", (rate,))
        dimension = rate_width(whole, part_variance=part, whole_variance=everyone, covariance=together)
        counts = rate_width(whole, part_variance=nested, whole_variance=nested, covariance=0.0)

    assert counts / dimension == pytest.approx(2.27, abs=0.01)


def test_a_denominator_lost_in_its_noise_gives_the_whole_range() -> None:
    assert rate_width(5, part_variance=1e4, whole_variance=1e4, covariance=0.0) == 0.5


# --- the search


@given(st.integers(1, 10_000), st.integers(-5, 20_000), st.integers(1, 10_000))
def test_the_smallest_number_is_found_from_any_guess(smallest: int, near: int, most: int) -> None:
    found = smallest_reaching(lambda number: number >= smallest, near=near, most=most)

    assert found == (smallest if smallest <= most else None)


def test_a_good_guess_saves_calls() -> None:
    asked: list[int] = []

    def reaches(number: int) -> bool:
        asked.append(number)
        return number >= 31_415_926

    assert smallest_reaching(reaches, near=31_415_920, most=100_000_000) == 31_415_926
    assert len(asked) < 12


@given(st.floats(1e-9, 1e9))
def test_the_largest_scale_is_the_last_that_reaches(limit: float) -> None:
    assert largest_scale(lambda scale: scale <= limit) == pytest.approx(limit, rel=1e-9)


def test_a_scale_that_never_or_always_reaches_ends_the_search() -> None:
    assert largest_scale(lambda scale: False) == 0
    assert largest_scale(lambda scale: True) == np.inf


# --- the preview of a contract

TABLES = [{"by": ["region"], "weight": 2}, {"by": ["region", "adherence_band"]}]
EVERYTHING = frozenset({"counts", "adherence_rate", "pdc_pooled", "joint_table", "psp_penetration"})
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class StandingClock:
    def now(self) -> datetime:
        return NOW


def document(**changes: Any) -> JsonObject:
    """The small contract with sizes, so that rates and percentages can be predicted."""
    feeds = [
        fills_feed(expected={"members": 12_000}, restatements=0, tables=[]),
        adherence_feed(expected={"members": 9_000}, restatements=1, tables=TABLES),
        support_feed(restatements=0, expected={}, tables=[]),
    ]
    return with_defaults(small_contract(feeds=feeds, **changes))


def with_defaults(written: JsonObject) -> JsonObject:
    """As the door hands it on."""
    from api.schemas.contracts import ContractDocumentSchema

    return dict(ContractDocumentSchema().load(written))


def preview(*accuracies: str, of: JsonObject | None = None) -> Preview:
    return Previewing(StandingClock(), EVERYTHING, 10_000).preview(of or document(), accuracies)


TERMS = read_terms(document())


def budgets_of(*accuracies: str) -> list[Budget]:
    return [smallest_budget(wish, TERMS) for wish in read_wishes(accuracies, TERMS)]


@pytest.fixture(scope="module")
def previewed() -> Preview:
    return preview()


def feed_of(previewed: Preview, name: str) -> FeedPreview:
    return next(feed for feed in previewed.feeds if feed.feed.name == name)


def width_of(feed: FeedPreview, figure: str, by: tuple[str, ...], periods: int, providers: int) -> Any:
    (row,) = [row for row in feed.rows if (row.figure, row.by) == (figure, by)]
    (width,) = [width for width in row.widths if width.span == Span(periods, providers)]
    return width


def test_every_measure_is_shown_in_the_named_tables_in_total_and_in_full(previewed: Preview) -> None:
    adherence, fills = feed_of(previewed, "adherence"), feed_of(previewed, "fills")

    named = [("region",), ("region", "adherence_band"), ()]
    assert [row.by for row in adherence.rows if row.figure == "members"] == named
    assert [row.by for row in adherence.rows if row.figure == "adherence_rate"] == [("region",), ()]
    assert [row.by for row in fills.rows if row.figure == "days_covered"] == [
        ("region",), ("sex",), (), ("region", "sex")]  # fmt: skip
    assert {row.figure for row in fills.rows} == {"members", "days_covered", "treatment_days", "pdc_pooled"}


def test_percentages_are_of_the_expected_cell_of_all_periods_and_providers(previewed: Preview) -> None:
    width = width_of(feed_of(previewed, "fills"), "members", ("region",), 12, 3)

    assert width.expected == 12_000 / 2 * 12 * 3
    assert width.relative == width.half_width / width.expected
    assert width_of(feed_of(previewed, "fills"), "days_covered", (), 1, 1).relative is None


def test_the_denominator_of_pooled_days_is_members_times_the_bound(previewed: Preview) -> None:
    assert width_of(feed_of(previewed, "fills"), "pdc_pooled", (), 1, 1).expected == 12_000 * 31


def test_a_feed_costs_its_ceiling_and_a_release_its_share_of_it(previewed: Preview) -> None:
    fills, adherence = feed_of(previewed, "fills"), feed_of(previewed, "adherence")

    assert fills.over_term.rho_nano == 50_000_000
    assert 0.999 * 50_000_000 / 12 < fills.one_release.rho_nano <= 50_000_000 / 12
    # k = 2 of 2 periods, each measured twice.
    assert 0.999 * 50_000_000 / 4 < adherence.one_release.rho_nano <= 50_000_000 / 4


def test_a_restatement_more_widens_by_the_root_of_the_releases_it_adds(previewed: Preview) -> None:
    none, one, two = feed_of(previewed, "adherence").restatements

    assert [price.releases_paid for price in (none, one, two)] == [2, 4, 6]
    assert [price.charge.rho_nano for price in (none, one, two)] == [25_000_000, 12_500_000, 8_333_333]
    for dearer in (one, two):
        for (by, wide), (_, narrow) in zip(dearer.half_widths, none.half_widths, strict=True):
            assert wide == pytest.approx(narrow * sqrt(dearer.releases_paid / 2), rel=0.01), by


@pytest.mark.parametrize("name", ["fills", "adherence", "support"])
def test_the_curve_is_that_of_real_plans(previewed: Preview, name: str) -> None:
    found = feed_of(previewed, name)
    marked = next(point for point in found.curve if point.rho_nano == found.feed.rho_nano)
    (lead,) = {row.figure for row in found.rows if row.figure == found.lead.figure.name}

    assert [by for by, _ in marked.half_widths] == [row.by for row in found.rows if row.figure == lead]
    for point in (found.curve[0], marked, found.curve[-1]):
        real = dict(found.lead.by_table(noise_at(found.lead.figure, point.rho_nano)))
        assert dict(point.half_widths) == pytest.approx(real, rel=2e-3)


def test_what_is_lost_is_stated_for_each_population_and_for_a_person_in_everything(previewed: Preview) -> None:
    assert {lost.rho_nano for lost in previewed.ceilings.of_populations.values()} == {100_000_000}
    assert previewed.ceilings.everything.rho_nano == 400_000_000
    learns = attacker(previewed.ceilings.everything)
    # The log likelihood ratio of Gaussian noise is normal, with mean rho and variance 2 rho: this often it is higher.
    odds = log(learns.certain_at_most / (1 - learns.certain_at_most))
    assert (
        norm.sf((odds - 0.4) / sqrt(0.8)) <= 1e-6 < norm.sf((previewed.ceilings.everything.epsilon - 0.4) / sqrt(0.8))
    )
    assert attacker(replace(previewed.ceilings.everything, rho_nano=0, epsilon=0.0)).certain_at_most == 0.5
    assert learns.right_guesses == pytest.approx(float(norm.cdf(sqrt(2 * 0.4) / 2)), rel=1e-9)
    assert learns.right_guesses < learns.certain_at_most < exp(previewed.ceilings.everything.epsilon)


def test_a_rate_without_an_expected_size_is_named_and_not_predicted() -> None:
    bare = document()
    bare["feeds"][1]["expected"] = {}

    found = feed_of(preview(of=bare), "adherence")

    assert "adherence_rate is not predicted: state the expected members." in found.notes
    assert {row.figure for row in found.rows} == {"members"}


def test_a_contract_of_too_many_tables_is_refused() -> None:
    large = document()
    fills, _, support = large["feeds"]
    measures = {f"m{i}": {"unit": "persons", "bound": 1} for i in range(60)}
    full = [{"by": fills["dimensions"]}]
    bare = {**fills, "measures": measures, "invariants": [], "expected": {}, "tables": full, "rho": "0.0001"}
    large["feeds"] = [*({**bare, "name": f"fills{i}"} for i in range(20)), support]

    with pytest.raises(ContractInvalid) as refused:
        preview(of=large)

    assert [fault.code for fault in refused.value.faults] == ["preview_too_large"]


def test_a_faulty_contract_is_refused_as_a_draft_is() -> None:
    faulty = document()
    faulty["feeds"][0]["k"] = 13

    with pytest.raises(ContractInvalid) as refused:
        preview(of=faulty)

    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/feeds/0/k", "k_too_large")]


# --- the other way round

REACHABLE = [
    "adherence_rate:region=1.0pp",
    "adherence_rate@year = 0.2 pp",
    "adherence/counts.members:region,adherence_band@year=50",
    "fills/counts.members:region=1%",
    "fills/counts.members:region@quarter=2.5%",
    "pdc_pooled:sex@month=2pp",
]


def predicted(budget: Budget, rho_nano: int) -> float:
    """The half-width that the plan of this ceiling gives, as the wish states it, reckoned from scratch."""
    wish = budget.wish
    feed = replace(wish.figure.feed, rho_nano=rho_nano)
    noise = PlanNoise(make_plan(feed.design, feed.charge_nano), feed.design.sizes)
    width = figure_of(feed, wish.figure.name).width(noise, wish.by, wish.span)
    assert width.expected is not None
    return 100 * width.half_width / width.expected if wish.text.endswith("%") else width.half_width


def figure_of(feed: FeedTerms, name: str) -> Figure:
    return next(figure for figure in (*counts_of(feed), *rates_of(feed)) if figure.name == name)


@pytest.mark.parametrize("accuracy", REACHABLE)
def test_the_smallest_budget_reaches_the_accuracy_and_a_nano_less_does_not(accuracy: str) -> None:
    (budget,) = budgets_of(accuracy)

    assert budget.smallest is not None
    rho_nano = budget.smallest.rho_nano
    assert predicted(budget, rho_nano) <= budget.wish.wanted
    assert predicted(budget, rho_nano - 1) > budget.wish.wanted
    assert budget.fits == (rho_nano <= 50_000_000)


def test_an_accuracy_without_feed_and_measure_is_answered_for_every_feed_that_states_a_size() -> None:
    budgets = budgets_of("counts:region=5%")

    assert [(b.wish.figure.feed.name, b.wish.figure.name) for b in budgets] == [
        ("fills", "members"), ("adherence", "members")]  # fmt: skip
    assert [b.wish.span for b in budgets] == [Span(12, 3), Span(2, 3)]


@pytest.mark.parametrize(("grain", "periods"), [("", 12), ("@month", 1), ("@quarter", 3), ("@year", 12)])
def test_an_accuracy_is_about_the_whole_term_or_a_grain_of_it(grain: str, periods: int) -> None:
    (wish,) = read_wishes([f"fills/counts.members:region{grain}=50"], TERMS)

    assert wish.span == Span(periods, 3)


def test_the_least_ceiling_of_the_providers_is_what_a_budget_must_fit() -> None:
    uneven = document()
    uneven["privacy"]["ceilings"]["lakeshore-members"] = "0.12"
    uneven["privacy"]["approvals"] = {"lakeshore-members": {"name": "Ann Example", "reason": "a test"}}

    (budget,) = preview("fills/counts.members@month=5", of=uneven).budgets

    assert budget.most.rho_nano == 100_000_000


def test_an_accuracy_beyond_the_ceiling_says_what_the_ceiling_gives() -> None:
    (budget,) = budgets_of("fills/counts.members@month=5")

    assert budget.smallest is None
    assert not budget.fits
    assert budget.most.rho_nano == 100_000_000
    assert budget.at_most.half_width == predicted(budget, 100_000_000) > 5
    assert budget.now.half_width == predicted(budget, 50_000_000) > budget.at_most.half_width


def test_a_budget_that_the_other_feeds_leave_no_room_for_is_found_and_said_not_to_fit() -> None:
    now = predicted(budgets_of("fills/counts.members@month=5")[0], 50_000_000)
    (budget,) = budgets_of(f"fills/counts.members@month={now * 0.9:.3f}")

    assert budget.smallest is not None
    assert 50_000_000 < budget.smallest.rho_nano < 100_000_000
    assert not budget.fits


BAD = [
    ("adherence_rate", "accuracy_invalid", "adherence_rate:region=1.0pp"),
    ("adherence_rate:region=0pp", "accuracy_invalid", "above zero"),
    ("adherence_rate:region=-1pp", "accuracy_invalid", "above zero"),
    ("adherence_rate:region=1e3pp", "accuracy_invalid", "above zero"),
    ("adherence_rate:region=nan", "accuracy_invalid", "above zero"),
    ("adherence_rate:region=1", "accuracy_invalid", "1.0pp"),
    ("adherence_rate:region=5%", "accuracy_invalid", "1.0pp"),
    ("counts.members:region=1pp", "accuracy_invalid", "a percentage (5%)"),
    ("cost_pmpm:region=1", "statistic_unknown", "counts, adherence_rate, pdc_pooled"),
    ("drugs/counts.members=50", "feed_missing", "fills, adherence, support"),
    ("counts.members:colour=50", "dimension_unknown", "fills goes by region, sex"),
    ("fills/counts.members:adherence_band=50", "dimension_unknown", "fills goes by region, sex"),
    ("counts.members:region,region=50", "dimension_repeated", "once"),
    ("counts.stays=50", "measure_unknown", "members, days_covered"),
    ("fills/counts=50", "measure_needed", "members, days_covered, treatment_days"),
    ("counts.days_covered=5%", "expected_missing", "expected"),
    ("adherence_rate.members=1pp", "measures_fixed", "leave them out"),
    ("adherence_rate:adherence_band=1pp", "dimension_in_use", "adherence_band"),
    ("fills/adherence_rate=1pp", "feed_unsuitable", "adherence_rate"),
    ("adherence_rate@month=1pp", "grain_unknown", "year"),
    ("fills/counts.members@week=50", "grain_unknown", "month, quarter, year"),
]


@pytest.mark.parametrize(("accuracy", "code", "hint"), BAD)
def test_a_bad_accuracy_is_refused_with_what_is_possible(accuracy: str, code: str, hint: str) -> None:
    with pytest.raises(AccuracyInvalid) as refused:
        read_wishes(["adherence_rate=1pp", accuracy], TERMS)

    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/accuracy/1", code)
    assert hint in fault.message


def test_accuracies_of_too_many_figures_at_once_are_refused() -> None:
    with pytest.raises(AccuracyInvalid) as refused:
        read_wishes(["counts:region=5%"] * 26, TERMS)

    assert [fault.code for fault in refused.value.faults] == ["accuracies_too_many"]


def test_a_feed_that_no_party_posts_is_previewed_as_of_one_provider_and_has_no_smallest_budget() -> None:
    ceilings = {f"{name}-members": "0.1" for name in PAYERS}
    nobodys = document(parties=document()["parties"][:-1])
    nobodys["privacy"]["ceilings"] = ceilings

    assert feed_of(preview(of=nobodys), "support").providers == 1
    with pytest.raises(AccuracyInvalid) as refused:
        preview("support/counts.enrolled=50", of=nobodys)
    assert [(f.code, f.message) for f in refused.value.faults] == [
        ("feed_missing", "there are the feeds fills, adherence")]  # fmt: skip


def test_a_document_is_left_as_it_is() -> None:
    weighed = document()
    before = deepcopy(weighed)

    preview("adherence_rate=1pp", of=weighed)

    assert weighed == before


def test_tables_named_in_two_orders_are_shown_once() -> None:
    feed = feed_of(preview(), "adherence").feed
    both = replace(feed, tables=(*feed.tables, replace(feed.tables[1], by=("adherence_band", "region"))))

    assert tables_of(both, counts_of(both)[0]) == tables_of(feed, counts_of(feed)[0])
