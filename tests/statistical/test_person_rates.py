"""What the rates of persons answer, measured with the noise of production: their intervals hold what they cover.

Each stratum of one feed is one draw: other people, by chance where sampling is covered, and other noise. An entry
alarms when its misses have a probability below 1e-9 at the goal itself, 94% of a confidence of 95%: with fewer than 100
entries a right method fails a run with a probability below 1e-6. Figures whose noise is counted too small must alarm.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from contracts.parties import Role
from contracts.periods import Grain
from contracts.statistics.answers import Ends, Row
from contracts.statistics.catalogue import get_statistic
from contracts.statistics.columns import rows_of
from contracts.statistics.questions import Question
from contracts.terms import FeedTerms
from privacy.arrays import Floats
from privacy.mechanism import DiscreteGaussian
from privacy.plan import Draw, MeasurementPlan
from tests.unit.hand_made import feed_of, slice_of
from tests.unit.terms import some_terms

DRAWS = 1500
SIZES = (10, 60, 500)
SDS = (1.0, 6.0, 30.0)
BANDS = ("p00_40", "p40_80", "p80_100")
EDGES = (0.0, 0.4, 0.8, 1.0)

Cells = dict[str, list[int]]
Truths = Mapping[str, Floats]


def answered(statistic: str, feed: FeedTerms, cells: Cells, said: FeedTerms | None = None) -> list[Row]:
    """By draw. said: the feed whose plan the answer believes, if that is not the one by which noise was drawn."""
    question = Question(statistic, by=("draw",))
    part = slice_of(feed, question, {str(feed.periods.first): cells}, DiscreteGaussian())
    part.feed = said or feed
    terms = some_terms()
    terms = replace(terms, rules=replace(terms.rules, mask_below=None))
    return rows_of(get_statistic(statistic).compute(question, terms, (part,)).columns)


def strata() -> dict[str, tuple[str, ...]]:
    return {"draw": tuple(map(str, range(DRAWS)))}


def misses(ends: list[Ends | None], truths: Floats) -> int:
    """Of those given. An end that is not there holds everything."""
    found = 0
    for end, truth in zip(ends, truths.tolist(), strict=True):
        assert end is not None
        assert end.lower is not None
        upper = np.inf if end.upper is None else end.upper
        found += not end.lower - 1e-9 <= truth <= upper + 1e-9
    return found


def alarms(rows: list[Row], truths: Truths, *, total: bool = False) -> list[str]:
    """The figures whose intervals hold their truth too rarely."""
    found = []
    for figure, truth in truths.items():
        of_figure = [row for row in rows if row.figure == figure]
        assert len(of_figure) == len(truth)
        ends = [row.total_interval if total else row.interval for row in of_figure]
        if binom.sf(misses(ends, truth) - 1, len(truth), 0.06) < 1e-9:
            found.append(figure)
    return found


def with_less_noise_said(feed: FeedTerms) -> FeedTerms:
    """A plan that claims two thirds of its sigmas: what is drawn by the other has more noise than this one says."""
    draws = tuple(Draw(d.measure, d.margin, str(d.sigma_value * 2 / 3), 1, 1) for d in feed.get_plan().draws)
    return replace(feed, plan=MeasurementPlan(draws))


def rates_of(people: int, sd: float) -> list[tuple[str, FeedTerms, Cells, Truths]]:
    """utilisation_rate, cost_pmpm and reporting_rate of posted numbers; measures of larger bounds have more noise."""
    random = np.random.default_rng([people, int(sd)])
    units = {"members": "persons", "treatment_days": "days", "hospital_stays": "stays", "allowed_cents": "cents"}
    sigma = {"members": sd, "treatment_days": 60 * sd, "hospital_stays": 3 * sd, "allowed_cents": 50_000 * sd}
    members = np.full(DRAWS, people)
    days, stays = members * 200 + random.integers(0, 60, DRAWS), random.poisson(0.3 * people, DRAWS)
    cents = random.integers(20_000, 60_000, DRAWS) * people
    banded = feed_of(strata() | {"adherence_band": ("p00_100",)}, units, sigma=sigma)
    cells = {
        "members": members.tolist(),
        "treatment_days": days.tolist(),
        "hospital_stays": stays.tolist(),
        "allowed_cents": cents.tolist(),
    }
    sold = {"enrolled": "persons", "complaints": "complaints", "adverse_event_reports": "reports"}
    brand = feed_of(strata(), sold, grain=Grain.QUARTER, provider=Role.BRAND, sigma=sd)
    complaints, events = (random.binomial(people, share, DRAWS).astype(float) for share in (0.05, 0.3))
    posted = {"enrolled": members, "complaints": complaints, "adverse_event_reports": events}
    reports = {name: counts.astype(int).tolist() for name, counts in posted.items()}
    per_month = 1000 / (3 * people)
    return [
        ("utilisation_rate", banded, cells, {"hospital_stay_rate": 1000 * stays * 365.25 / days}),
        ("cost_pmpm", banded, cells, {"cost_pmpm": cents / (12 * members)}),
        (
            "reporting_rate",
            brand,
            reports,
            {"complaint_rate": complaints * per_month, "adverse_event_report_rate": events * per_month},
        ),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("people", SIZES)
@pytest.mark.parametrize("sd", SDS)
def test_rates_of_the_posted_persons_are_covered(people: int, sd: float) -> None:
    for statistic, feed, cells, truths in rates_of(people, sd):
        assert alarms(answered(statistic, feed, cells), truths) == []


@pytest.mark.slow
def test_rates_whose_noise_is_counted_too_small_are_not_covered() -> None:
    for statistic, feed, cells, truths in rates_of(500, 6.0):
        rows = answered(statistic, feed, cells, said=with_less_noise_said(feed))
        assert alarms(rows, truths) == list(truths)


def sampled(people: int, sd: float) -> tuple[FeedTerms, Cells]:
    """Persons by chance: 30% anywhere below 0.8, the others from there to 1; below, 40% have a stay, else 20%."""
    random = np.random.default_rng([people, int(sd), 1])
    low = random.random((DRAWS, people)) < 0.3
    points = np.where(low, random.integers(0, 8000, (DRAWS, people)), random.integers(8000, 10_001, (DRAWS, people)))
    places = np.searchsorted([4000, 8000], points, side="right")
    stay = random.random((DRAWS, people)) < np.where(low, 0.4, 0.2)
    inside = [places == band for band in range(3)]
    tables = {
        "members": [band.sum(axis=1) for band in inside],
        "pdc_basis_points": [np.where(band, points, 0).sum(axis=1) for band in inside],
        "hospitalised_members": [(band & stay).sum(axis=1) for band in inside],
    }
    units = {"members": "persons", "pdc_basis_points": "basis_points", "hospitalised_members": "persons"}
    sigma = {"members": sd, "pdc_basis_points": 10_000 * sd, "hospitalised_members": sd}
    feed = feed_of(strata() | {"adherence_band": BANDS}, units, sigma=sigma)
    return feed, {name: np.stack(columns, axis=1).ravel().tolist() for name, columns in tables.items()}


@pytest.mark.slow
@pytest.mark.parametrize("people", SIZES)
@pytest.mark.parametrize("sd", SDS)
def test_means_and_shares_behind_the_sampled_persons_are_covered(people: int, sd: float) -> None:
    feed, cells = sampled(people, sd)
    once = np.ones(DRAWS)

    mean = {"pdc_mean": (0.3 * 3999.5 + 0.7 * 9000) / 10_000 * once}
    assert alarms(answered("pdc_mean", feed, cells), mean, total=True) == []
    stays = {"hospitalised_share": (0.3 * 0.4 + 0.7 * 0.2) * once}
    assert alarms(answered("utilisation_rate", feed, cells), stays, total=True) == []
    bands = {
        "share_in_band": np.concatenate([0.15 * once, 0.15 * once, 0.7 * once]),
        "share_from_band_up": np.concatenate([0.85 * once, 0.7 * once]),
    }
    assert alarms(answered("pdc_distribution", feed, cells), bands, total=True) == []
