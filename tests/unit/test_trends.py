"""compare=previous and trend, on slices made by hand: differences with MOVER's intervals, of what is alike only."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from contracts.parties import Role
from contracts.periods import Grain, Period, PeriodRange
from contracts.refusals import QuestionInvalid
from contracts.statistics.answers import Flag, Row, State
from contracts.statistics.catalogue import OFFERED, get_statistic
from contracts.statistics.columns import rows_of
from contracts.statistics.declarations import Asked, Statistic
from contracts.statistics.fitting import fit_to
from contracts.statistics.pools import Opened
from contracts.statistics.questions import Compare, Question, buckets_of, selected_periods
from contracts.statistics.slices import Slice, Vectors, cut_slice
from contracts.statistics.trend import SUBJECTS
from contracts.terms import FeedTerms, Terms
from privacy.release import draw_release
from tests.unit.hand_made import Exact, feed_of
from tests.unit.terms import a_release, some_terms

BANDS = ("p00_80", "p80_100")
SIGMA = 4.0
Z = 1.959963984540054
# Of each payer and month: members below and above the threshold.
Posted = Mapping[tuple[str, str], tuple[int, int]]
TWO_MONTHS: Posted = {("a", "2025-01"): (400, 600), ("a", "2025-02"): (300, 700)}


def a_feed(grain: Grain = Grain.MONTH) -> FeedTerms:
    return feed_of({"adherence_band": BANDS}, {"members": "persons"}, grain=grain, sigma=SIGMA)


def a_slice(feed: FeedTerms, question: Question, posted: Posted, *, before: bool) -> Slice:
    """Of two payers, as the use case cuts it."""
    opened: Opened = {}
    vectors: dict[str, Vectors] = {}
    for (payer, period), members in posted.items():
        release = a_release(payer, period, feed.name)
        opened.setdefault(period, []).append(release)
        cells = {measure: np.array(members, dtype=np.int64) for measure in feed.measures}
        vectors[release.id] = draw_release(feed.get_plan(), feed.dimensions, cells, Exact())

    def load(ids: Sequence[str]) -> dict[str, Vectors]:
        return {name: vectors[name] for name in ids}

    buckets = buckets_of(question, selected_periods(question, feed))
    moved = tuple(bucket.before(question, feed, feed.grain) for bucket in buckets)
    reading = {name: (lambda names, of=name: {each: vectors[of][each] for each in names}) for name in vectors}
    return cut_slice(question, feed, 2, moved if before else buckets, opened, lambda ids: {i: reading[i] for i in ids})


def asked(question: Question, feed: FeedTerms, granted: tuple[str, ...] = ("adherence_rate", "trend")) -> Asked:
    return Asked(question, some_terms(), (feed,), granted, get_statistic)


def rows(statistic: Statistic, question: Question, feed: FeedTerms, posted: Posted) -> list[Row]:
    slices = tuple(a_slice(feed, question, posted, before=before) for before in (False, True))
    terms: Terms = some_terms()
    terms = replace(terms, rules=replace(terms.rules, mask_below=None))
    return rows_of(statistic.compute(question, terms, slices).columns)


def trend(posted: Posted, periods: str, *by: str, feed: FeedTerms | None = None) -> dict[tuple[str, str], Row]:
    feed = feed or a_feed()
    question = Question("trend", of="adherence_rate", periods=periods, by=by)
    question = get_statistic("trend").complete(asked(question, feed))
    statistic = fit_to(get_statistic("trend"), asked(question, feed))
    return {(row.figure, *row.key.values()): row for row in rows(statistic, question, feed, posted)}  # type: ignore[misc]


def fieller(part: float, rest: float, releases: int = 1) -> tuple[float, float]:
    """Both ends of the share of disjoint cells drawn with SIGMA, by the quadratic formula of the textbook."""
    whole, v = part + rest, releases * SIGMA**2
    square, half, constant = whole**2 - Z**2 * 2 * v, part * whole - Z**2 * v, part**2 - Z**2 * v
    root = sqrt(half**2 - square * constant)
    return (half - root) / square, (half + root) / square


def test_a_change_has_the_interval_that_newcombe_makes_of_both_limits() -> None:
    change = trend(TWO_MONTHS, "2025-01..2025-02")["adherence_rate_change", "2025-02"]
    (l1, u1), (l2, u2) = fieller(700, 300), fieller(600, 400)

    assert change.value == pytest.approx(0.1, abs=1e-12)
    assert change.interval is not None
    # Noise of whole numbers is widened a little below an sd of 10, so the ends are a hair outside.
    lower, upper = 0.1 - sqrt((0.7 - l1) ** 2 + (u2 - 0.6) ** 2), 0.1 + sqrt((u1 - 0.7) ** 2 + (0.6 - l2) ** 2)
    assert change.interval.lower == pytest.approx(lower, abs=5e-4)
    assert change.interval.upper == pytest.approx(upper, abs=5e-4)
    assert change.interval.lower <= lower
    assert change.interval.upper >= upper
    assert change.total_interval is not None
    assert change.total_interval.lower is not None
    assert change.total_interval.lower < change.interval.lower


def test_a_first_period_has_a_level_and_nothing_to_compare_it_with() -> None:
    found = trend(TWO_MONTHS, "2025-01..2025-02")

    assert found["adherence_rate", "2025-01"].value == pytest.approx(0.6, abs=1e-12)
    change = found["adherence_rate_change", "2025-01"]
    assert (change.state, change.value, change.interval) == (State.MISSING, None, None)
    assert Flag.NOT_COMPARABLE in change.flags


def test_a_period_by_other_payers_has_no_change() -> None:
    posted = TWO_MONTHS | {("b", "2025-02"): (100, 900)}

    change = trend(posted, "2025-02")["adherence_rate_change", "2025-02"]

    assert (change.state, Flag.NOT_COMPARABLE in change.flags) == (State.MISSING, True)


def test_a_quarter_is_compared_with_the_quarter_before_and_not_with_a_part_of_it() -> None:
    months = [f"2025-{month:02}" for month in range(1, 7)]
    posted = {("a", month): (500 - 50 * (i // 3), 500 + 50 * (i // 3)) for i, month in enumerate(months)}

    whole = trend(posted, "2025-Q2", "quarter")["adherence_rate_change", "2025-Q2"]
    parts = []
    for without in ({"2025-02"}, {"2025-02", "2025-04"}, {"2025-02", "2025-05"}):
        less = {key: members for key, members in posted.items() if key[1] not in without}
        parts.append(trend(less, "2025-Q2", "quarter")["adherence_rate_change", "2025-Q2"].value)

    assert whole.value == pytest.approx(0.05, abs=1e-12)
    # As many months of both quarters are not enough: they are the same ones, or not compared.
    assert parts == [None, None, pytest.approx(0.05, abs=1e-12)]


def test_compare_previous_shows_the_same_change_and_flags_what_is_not_alike() -> None:
    feed = a_feed()
    question = Question("adherence_rate", by=("month",), periods="2025-01..2025-02", compare=Compare.PREVIOUS)
    statistic = fit_to(get_statistic("adherence_rate"), asked(question, feed))
    posted = TWO_MONTHS | {("b", "2025-02"): (100, 900)}

    alike, other = (rows(statistic, question, feed, each) for each in (TWO_MONTHS, posted))

    (change,) = (row for row in alike if row.figure == "adherence_rate_change" and row.key == {"month": "2025-02"})
    assert change.value == pytest.approx(0.1, abs=1e-12)
    assert Flag.NOT_COMPARABLE not in change.flags
    (change,) = (row for row in other if row.figure == "adherence_rate_change" and row.key == {"month": "2025-02"})
    assert change.value == pytest.approx(1600 / 2000 - 0.6, abs=1e-12)
    assert Flag.NOT_COMPARABLE in change.flags


def test_feeds_cut_into_other_stretches_are_each_compared_by_their_own() -> None:
    january = PeriodRange(Period.parse("2025-01", Grain.MONTH), Period.parse("2025-05", Grain.MONTH))
    february = PeriodRange(Period.parse("2025-02", Grain.MONTH), Period.parse("2025-05", Grain.MONTH))
    made = feed_of({"region": ("n", "s")}, {"days_covered": "days", "treatment_days": "days"}, grain=Grain.MONTH)
    payers = replace(made, name="fills", periods=february)
    made = feed_of({"region": ("n", "s")}, {"enrolled": "persons"}, grain=Grain.MONTH, provider=Role.BRAND)
    brand = replace(made, name="support", periods=january)
    question = Question("joint_table", by=("month",), compare=Compare.PREVIOUS)
    statistic = fit_to(
        get_statistic("joint_table"), Asked(question, some_terms(), (payers, brand), ("joint_table",), get_statistic)
    )
    fills = {(payer, f"2025-0{i}"): (i, 9) for payer, last in (("a", 5), ("b", 4)) for i in range(2, last + 1)}
    support = {("c", f"2025-0{i}"): (100 * i, 0) for i in range(1, 6)}
    slices = tuple(
        a_slice(feed, question, posted, before=before)
        for before in (False, True)
        for feed, posted in ((payers, fills), (brand, support))
    )

    found = rows_of(statistic.compute(question, some_terms(), slices).columns)

    states = {(row.figure, row.key["month"]): (row.state, Flag.NOT_COMPARABLE in row.flags) for row in found}
    alike, other, without = (State.SHOWN, False), (State.SHOWN, True), (State.MISSING, False)
    assert [states["pdc_pooled_change", f"2025-0{i}"] for i in range(2, 6)] == [without, alike, alike, other]
    assert [states["enrolled_change", f"2025-0{i}"] for i in range(1, 6)] == [without, alike, alike, alike, alike]


def test_a_trend_goes_by_the_grain_of_its_feed_where_none_is_named() -> None:
    for grain in Grain:
        feed = a_feed(grain)
        question = Question("trend", of="adherence_rate")
        assert get_statistic("trend").complete(asked(question, feed)).by == (grain.value,)
    named = Question("trend", of="adherence_rate", by=("year",))
    assert get_statistic("trend").complete(asked(named, a_feed())).by == ("year",)


def test_a_trend_of_nothing_says_of_what_it_could_be() -> None:
    with pytest.raises(QuestionInvalid) as refused:
        fit_to(get_statistic("trend"), asked(Question("trend"), a_feed()))

    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/of", "subject_needed")
    assert "adherence_rate" in fault.message


def test_whatever_a_trend_can_be_of_is_answered() -> None:
    assert set(SUBJECTS) <= set(OFFERED)
