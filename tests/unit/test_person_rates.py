"""pdc_mean, pdc_distribution, utilisation_rate, cost_pmpm and reporting_rate of cells made by hand."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from contracts.parties import Role
from contracts.periods import Grain
from contracts.refusals import QuestionInvalid
from contracts.statistics.answers import Ends, Row, State
from contracts.statistics.catalogue import get_statistic
from contracts.statistics.columns import rows_of
from contracts.statistics.declarations import Asked, Statistic
from contracts.statistics.fitting import fit_to
from contracts.statistics.questions import Question
from contracts.statistics.reporting import NO_SIGNAL
from contracts.statistics.selecting import get_feeds
from contracts.terms import FeedTerms, Terms
from tests.unit.hand_made import Cells, feed_of, slice_of
from tests.unit.terms import some_terms

BANDS = ("p00_40", "p40_80", "p80_100")
SEXES = ("F", "M")
PDC_UNITS = {"members": "persons", "pdc_basis_points": "basis_points"}
# PDC in basis points of every member, by sex and band.
PERSONS = {
    ("F", "p00_40"): [0, 1200, 3999],
    ("F", "p40_80"): [4000, 5500, 7999, 7000],
    ("F", "p80_100"): [8000] * 20 + [10000] * 30,
    ("M", "p00_40"): [2500] * 12,
    ("M", "p40_80"): [],
    ("M", "p80_100"): [9100, 9900],
}


def terms(mask_below: int | None = None) -> Terms:
    some = some_terms()
    return replace(some, rules=replace(some.rules, mask_below=mask_below))


def fitted(name: str, question: Question, *feeds: FeedTerms) -> Statistic:
    return fit_to(get_statistic(name), Asked(question, terms(), feeds, (name,), get_statistic))


def computed(
    name: str, feed: FeedTerms, periods: Mapping[str, Cells], *by: str, mask_below: int | None = None
) -> tuple[list[Row], tuple[str, ...]]:
    question = Question(name, by=by, explain=True)
    answer = fitted(name, question, feed).compute(question, terms(mask_below), (slice_of(feed, question, periods),))
    return rows_of(answer.columns), answer.notes


def values(rows: list[Row], figure: str | None = None) -> dict[tuple[str, ...], float | None]:
    return {tuple(row.key.values()): row.value for row in rows if figure in (None, row.figure)}


def ends(interval: Ends | None) -> tuple[float, float]:
    assert interval is not None
    assert interval.lower is not None
    assert interval.upper is not None
    return interval.lower, interval.upper


def pdc_feed(dimensions: tuple[str, ...] = ("sex", "adherence_band"), sigma: float = 2.0) -> FeedTerms:
    known = {"sex": SEXES, "adherence_band": BANDS}
    return feed_of({name: known[name] for name in dimensions}, PDC_UNITS, sigma=sigma)


def pdc_cells(dimensions: tuple[str, ...] = ("sex", "adherence_band")) -> Cells:
    members = np.array([[len(PERSONS[sex, band]) for band in BANDS] for sex in SEXES])
    points = np.array([[sum(PERSONS[sex, band]) for band in BANDS] for sex in SEXES])
    tables = {"members": members, "pdc_basis_points": points}
    if "adherence_band" not in dimensions:
        tables = {name: table.sum(axis=1) for name, table in tables.items()}
    return {name: table.ravel().tolist() for name, table in tables.items()}


# --- pdc_mean


def test_the_mean_pdc_is_that_of_persons_one_by_one() -> None:
    rows, _ = computed("pdc_mean", pdc_feed(), {"2025": pdc_cells()}, "sex")

    by_sex = {sex: np.concatenate([PERSONS[sex, band] for band in BANDS]) / 10_000 for sex in SEXES}
    assert values(rows) == pytest.approx({(sex,): shares.mean() for sex, shares in by_sex.items()}, abs=1e-12)
    by_band, _ = computed("pdc_mean", pdc_feed(), {"2025": pdc_cells()}, "adherence_band")
    assert values(by_band)["p80_100",] == pytest.approx((20 * 0.8 + 30 * 1.0 + 0.91 + 0.99) / 52, abs=1e-12)


def test_a_mean_pdc_has_a_total_interval_where_there_is_a_histogram_and_says_why_where_there_is_none() -> None:
    flat = ("sex",)
    with_bands, said = computed("pdc_mean", pdc_feed(), {"2025": pdc_cells()}, "sex")
    without, why = computed("pdc_mean", pdc_feed(flat), {"2025": pdc_cells(flat)}, "sex")

    for row, bare in zip(with_bands, without, strict=True):
        assert bare.total_interval is None
        noise, total = ends(row.interval), ends(row.total_interval)
        assert total[0] < noise[0] < noise[1] < total[1]
    assert (said, len(why)) == ((), 1)
    assert "adherence_band" in why[0]
    question = Question("pdc_mean")
    covers = [fitted("pdc_mean", question, feed).total_interval_covers for feed in (pdc_feed(), pdc_feed(flat))]
    assert covers[0] is not None
    assert covers[1] is None


def test_members_who_are_nearly_all_covered_are_no_small_cell() -> None:
    feed, cells = pdc_feed(("sex",)), {"members": [100, 5], "pdc_basis_points": [960_000, 40_000]}

    rows, _ = computed("pdc_mean", feed, {"2025": cells}, "sex", mask_below=11)

    assert [row.state for row in rows] == [State.SHOWN, State.SUPPRESSED]
    assert rows[0].value == pytest.approx(0.96)
    assert (rows[1].value, rows[1].interval, rows[1].total_interval, rows[1].working) == (None, None, None, None)


def test_the_same_people_in_two_periods_make_a_mean_no_surer() -> None:
    feed = pdc_feed(sigma=0.1)
    one, _ = computed("pdc_mean", feed, {"2025": pdc_cells()})
    two, _ = computed("pdc_mean", feed, {"2025": pdc_cells(), "2026": pdc_cells()})

    widths = [upper - lower for lower, upper in (ends(row.total_interval) for (row,) in (one, two))]
    assert one[0].value == pytest.approx(two[0].value)
    # The same people told twice say no more about sampling, and of noise there is next to none.
    assert widths[1] == pytest.approx(widths[0], rel=0.02)


# --- pdc_distribution


def test_the_distribution_tells_every_band_and_all_above_it() -> None:
    rows, _ = computed("pdc_distribution", pdc_feed(), {"2025": pdc_cells()}, "sex")

    n = {sex: sum(len(PERSONS[sex, band]) for band in BANDS) for sex in SEXES}
    shares = {(sex, band): len(PERSONS[sex, band]) / n[sex] for sex in SEXES for band in BANDS}
    assert values(rows, "share_in_band") == pytest.approx(shares, abs=1e-12)
    from_up = {
        (sex, band): sum(shares[sex, above] for above in BANDS[place:])
        for sex in SEXES
        for place, band in enumerate(BANDS)
        if place
    }
    assert values(rows, "share_from_band_up") == pytest.approx(from_up, abs=1e-12)
    assert all(row.total_interval is not None for row in rows)


def test_the_share_from_80_percent_up_is_the_adherence_rate_with_its_intervals() -> None:
    periods = {"2025": pdc_cells(), "2026": pdc_cells()}
    rows, _ = computed("pdc_distribution", pdc_feed(), periods, "sex")
    rates, _ = computed("adherence_rate", pdc_feed(), periods, "sex")

    found = [row for row in rows if row.figure == "share_from_band_up" and row.key["adherence_band"] == "p80_100"]

    assert [(row.value, row.interval, row.total_interval) for row in found] == [
        (row.value, row.interval, row.total_interval) for row in rates
    ]


def test_a_small_band_hides_its_share_and_all_that_it_would_tell() -> None:
    rows, _ = computed("pdc_distribution", pdc_feed(), {"2025": pdc_cells()}, "sex", mask_below=4)

    hidden = {(row.figure, *row.key.values()) for row in rows if row.state is State.SUPPRESSED}
    # Three in the lowest band: that, and every share from a band up, whose differences tell it. Two men adherent:
    # likewise.
    assert hidden == {
        ("share_in_band", "F", "p00_40"),
        ("share_from_band_up", "F", "p40_80"),
        ("share_from_band_up", "F", "p80_100"),
        ("share_in_band", "M", "p80_100"),
        ("share_in_band", "M", "p00_40"),
        ("share_from_band_up", "M", "p40_80"),
        ("share_from_band_up", "M", "p80_100"),
    }


@pytest.mark.parametrize("small", BANDS)
def test_no_difference_of_two_shares_shown_tells_that_of_a_hidden_band(small: str) -> None:
    members = [[3.0 if band == small else 50.0 for band in BANDS] for _ in SEXES]
    cells = {"members": np.array(members), "pdc_basis_points": 5000 * np.array(members)}
    rows, _ = computed("pdc_distribution", pdc_feed(), {"2025": cells}, "sex", mask_below=4)

    hidden = 3.0 / 103.0
    shown = [row.value for row in rows if row.key["sex"] == "F" and row.value is not None]
    assert shown == pytest.approx([50.0 / 103.0] * 2)
    assert all(abs(abs(a - b) - hidden) > 0.01 for a in shown for b in shown)


@pytest.mark.parametrize("bands", [("low", "high"), ("p00_50", "p40_100"), ("p00_80", "p80_20")], ids=str)
def test_bands_that_tell_no_edges_or_overlap_are_no_histogram(bands: tuple[str, ...]) -> None:
    feed = feed_of({"adherence_band": bands}, PDC_UNITS)

    with pytest.raises(QuestionInvalid) as refused:
        get_feeds(get_statistic("pdc_distribution"), [feed], Question("pdc_distribution"))

    (fault,) = refused.value.faults
    assert fault.code == "feed_missing"
    assert "named like p60_80 and do not overlap" in fault.message


# --- utilisation_rate

USE = {
    "members": ("persons", [300, 200]),
    "hospitalised_members": ("persons", [60, 30]),
    "hospital_stays": ("stays", [90, 36]),
    "ed_members": ("persons", [75, 20]),
    "ed_visits": ("visits", [120, 24]),
}
TIME = {
    "enrolled_days": ("days", [73_050, 36_525]),
    "member_months": ("months", [2_700, 1_200]),
    "treatment_days": ("days", [36_525, 18_262]),
}


def use(*measures: str, grain: Grain = Grain.YEAR) -> tuple[FeedTerms, Cells]:
    known = USE | TIME
    units = {name: known[name][0] for name in measures}
    bands = {"adherence_band": ("p00_80", "p80_100")}
    return feed_of(bands, units, grain=grain), {name: known[name][1] for name in measures}


@pytest.mark.parametrize(
    ("times", "grain", "years", "said"),
    [
        (("enrolled_days", "member_months", "treatment_days"), Grain.YEAR, (200, 100), "enrolled_days"),
        (("member_months", "treatment_days"), Grain.YEAR, (225, 100), "member_months"),
        (("treatment_days",), Grain.YEAR, (100, 18262 / 365.25), "treatment_days"),
        ((), Grain.YEAR, (300, 200), "members times the length of a year"),
        ((), Grain.QUARTER, (75, 50), "members times the length of a quarter"),
        ((), Grain.MONTH, (25, 200 / 12), "members times the length of a month"),
    ],
)
def test_stays_and_visits_are_told_per_person_year_of_the_best_measure_of_time(
    times: tuple[str, ...], grain: Grain, years: tuple[float, float], said: str
) -> None:
    feed, cells = use("members", "hospital_stays", "ed_visits", *times, grain=grain)

    rows, (note,) = computed("utilisation_rate", feed, {str(feed.periods.first): cells}, "adherence_band")

    stays, visits = (list(values(rows, figure).values()) for figure in ("hospital_stay_rate", "ed_visit_rate"))
    assert stays == pytest.approx([1000 * n / t for n, t in zip((90, 36), years, strict=True)], rel=1e-12)
    assert visits == pytest.approx([1000 * n / t for n, t in zip((120, 24), years, strict=True)], rel=1e-12)
    assert said in note
    assert all(row.interval and row.interval.upper and row.total_interval is None for row in rows)


def test_who_has_one_or_more_is_a_share_of_the_members_with_sampling() -> None:
    feed, cells = use("members", "hospitalised_members", "ed_members")

    rows, notes = computed("utilisation_rate", feed, {"2025": cells}, "adherence_band")

    assert list(values(rows, "hospitalised_share").values()) == pytest.approx([0.2, 0.15])
    assert list(values(rows, "ed_share").values()) == pytest.approx([0.25, 0.1])
    assert all(row.total_interval is not None for row in rows)
    assert notes == ()  # nothing is divided by time


def test_an_answer_declares_the_figures_that_its_feed_gives_and_no_others() -> None:
    question = Question("utilisation_rate", by=("adherence_band",))
    rates, _ = use("hospital_stays", "enrolled_days")
    shares, _ = use("members", "ed_members")

    of_rates, of_shares = (fitted("utilisation_rate", question, feed) for feed in (rates, shares))

    assert [figure.name for figure in of_rates.figures] == ["hospital_stay_rate"]
    assert [figure.name for figure in of_shares.figures] == ["ed_share"]
    assert of_rates.total_interval_covers is None
    assert of_shares.total_interval_covers is not None
    assert of_rates.figures_shown(question, [rates]) == (1,)


# --- cost_pmpm

CENTS = {
    "allowed_cents": [9_000_000, 400],
    "drug_allowed_cents": [6_000_000, 0],
    "medical_allowed_cents": [3_000_000, 400],
}


@pytest.mark.parametrize(
    ("time", "grain", "per"),
    [
        ({"member_months": [2_400, 10]}, Grain.YEAR, 2_400),
        ({}, Grain.YEAR, 300 * 12),
        ({}, Grain.QUARTER, 300 * 3),
        ({}, Grain.MONTH, 300),
    ],
)
def test_cost_is_told_per_member_and_month(time: dict[str, list[int]], grain: Grain, per: float) -> None:
    units = {"members": "persons", **dict.fromkeys(time, "months"), **dict.fromkeys(CENTS, "cents")}
    feed = feed_of({"sex": SEXES}, units, grain=grain)
    cells = {"members": [300, 40], **time, **CENTS}

    rows, notes = computed("cost_pmpm", feed, {str(feed.periods.first): cells}, "sex")

    firsts = {row.figure: row.value for row in rows if row.key["sex"] == "F"}
    assert firsts == pytest.approx(
        {"cost_pmpm": 9e6 / per, "drug_cost_pmpm": 6e6 / per, "medical_cost_pmpm": 3e6 / per}, rel=1e-12
    )
    assert {row.unit for row in rows} == {"cents per member-month"}
    assert next(iter(time), "members") in notes[0]
    assert all(row.total_interval is None for row in rows)


def test_the_cost_of_few_members_is_hidden() -> None:
    feed = feed_of({"sex": SEXES}, {"members": "persons", "allowed_cents": "cents"})
    cells = {"members": [300, 4], "allowed_cents": [9_000_000, 70_000]}

    rows, _ = computed("cost_pmpm", feed, {"2025": cells}, "sex", mask_below=11)

    assert [row.state for row in rows] == [State.SHOWN, State.SUPPRESSED]


# --- reporting_rate


def test_reports_are_told_per_thousand_patient_months_and_as_no_safety_signal() -> None:
    units = {"enrolled": "persons", "complaints": "complaints", "adverse_event_reports": "reports"}
    feed = feed_of({"sex": SEXES}, units, grain=Grain.QUARTER, provider=Role.BRAND)
    cells = {"enrolled": [500, 250], "complaints": [6, 3], "adverse_event_reports": [30, 0]}

    rows, notes = computed("reporting_rate", feed, {"2025-Q1": cells, "2025-Q2": cells}, "sex")

    assert list(values(rows, "complaint_rate").values()) == pytest.approx([4.0, 4.0])
    assert list(values(rows, "adverse_event_report_rate").values()) == pytest.approx([20.0, 0.0])
    assert NO_SIGNAL in notes
    assert "no safety signal" in notes[0]


# --- what a feed cannot give


@pytest.mark.parametrize(
    ("statistic", "needed"),
    [
        ("pdc_mean", "with measure members, pdc_basis_points"),
        ("pdc_distribution", "with dimension adherence_band with measure members"),
        ("utilisation_rate", "hospital_stays or ed_visits with a measure of time"),
        ("cost_pmpm", "any of allowed_cents, drug_allowed_cents, medical_allowed_cents"),
        ("reporting_rate", "with measure enrolled and complaints or adverse_event_reports"),
    ],
)
def test_a_feed_that_cannot_give_it_is_told_what_is_needed(statistic: str, needed: str) -> None:
    with pytest.raises(QuestionInvalid) as refused:
        get_feeds(get_statistic(statistic), [feed_of({"sex": SEXES}, {"fills": "fills"})], Question(statistic))

    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/feed", "feed_missing")
    assert needed in fault.message
