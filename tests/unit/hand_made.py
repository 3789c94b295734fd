"""Slices of feeds made by hand, exact unless a test brings noise: what statistics compute from, without an exchange."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from contracts.parties import Role
from contracts.periods import Grain, Period, PeriodRange
from contracts.statistics.pools import Opened
from contracts.statistics.questions import Question, buckets_of, selected_periods
from contracts.statistics.slices import ReadVectors, Slice, Vectors, cut_slice
from contracts.terms import FeedTerms, MeasureTerms
from privacy.arrays import Vector
from privacy.mechanism import NoiseSource
from privacy.plan import Draw, MeasurementPlan
from privacy.release import draw_release
from tests.unit.terms import a_release, some_feed

Cells = Mapping[str, Sequence[int]]


class Exact:
    """No noise. Of its own, so that nothing of the web is loaded for it."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return np.array(exact)


def feed_of(
    vocabularies: Mapping[str, Sequence[str]],
    units: Mapping[str, str],
    *,
    grain: Grain = Grain.YEAR,
    provider: Role = Role.PAYER,
    sigma: float | Mapping[str, float] = 2.0,
) -> FeedTerms:
    """A feed of 2025 and 2026 of which the full table alone is measured, at one sigma or at one a measure."""
    dimensions = tuple(vocabularies)
    sigmas = sigma if isinstance(sigma, Mapping) else dict.fromkeys(units, sigma)
    draws = tuple(Draw(measure, dimensions, str(sigmas[measure]), 1, 1) for measure in units)
    first, last = Period(Grain.MONTH, 12 * 2025), Period(Grain.MONTH, 12 * 2026 + 11)
    return replace(
        some_feed("adherence"),
        name="made",
        provider=provider,
        grain=grain,
        periods=PeriodRange(first.rolled_up_to(grain), last.rolled_up_to(grain)),
        vocabularies={name: tuple(values) for name, values in vocabularies.items()},
        measures={name: MeasureTerms(unit, 1) for name, unit in units.items()},
        invariants=(),
        plan=MeasurementPlan(draws),
    )


def slice_of(
    feed: FeedTerms, question: Question, periods: Mapping[str, Cells], noise: NoiseSource | None = None
) -> Slice:
    """One provider's releases. periods: of each, by measure the cells in the order of the dimensions."""
    opened: Opened = {}
    vectors: dict[str, Vectors] = {}
    for period, cells in periods.items():
        release = a_release("a", period, feed.name)
        opened[period] = [release]
        tables = {name: np.array(values, dtype=np.int64).reshape(feed.shape) for name, values in cells.items()}
        drawn: dict[str, Vector] = draw_release(feed.get_plan(), feed.dimensions, tables, noise or Exact())
        vectors[release.id] = drawn
    buckets = buckets_of(question, selected_periods(question, feed))
    return cut_slice(question, feed, 1, buckets, opened, lambda ids: {name: _reader(vectors[name]) for name in ids})


def _reader(vectors: Vectors) -> ReadVectors:
    return lambda names: {name: vectors[name] for name in names}
