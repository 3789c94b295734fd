"""Answers as the exchange gives them, without a door, a ledger or a database: terms, releases, statistic, rows.

Many draws are had from one answer: a dimension `draw` of a few hundred values, kept in every margin that is measured,
makes each of its values an experiment of its own, whose noise is independent of the others'.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from contracts.periods import Grain, Period, PeriodRange
from contracts.records import ReleaseRecord
from contracts.statistics.answers import Row
from contracts.statistics.catalogue import OFFERED, get_statistic
from contracts.statistics.columns import rows_of
from contracts.statistics.declarations import Asked, Statistic
from contracts.statistics.fitting import fit_to
from contracts.statistics.pools import Opened
from contracts.statistics.questions import Question, buckets_of, selected_periods
from contracts.statistics.selecting import get_feeds
from contracts.statistics.slices import ReadVectors, Slice, Vectors, cut_slice
from contracts.terms import FeedTerms, Terms, read_terms
from privacy.arrays import Vector
from privacy.mechanism import NoiseSource, charge_nano
from privacy.plan import Draw, MeasurementPlan
from privacy.release import draw_release

DRAW: Final = "draw"
PAYERS: Final = ("blueridge", "lakeshore", "sierra")
BRAND: Final = "helix"
RELEASED: Final = datetime(2026, 1, 1, tzinfo=UTC)

# By feed, provider and period, the tables of a release by measure, one axis a dimension.
Cells = Mapping[tuple[str, str, str], Mapping[str, Vector]]


class NoNoise:
    """Exact numbers: what the answer would be without privacy."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return np.array(exact)


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed of a study. margins: measured besides the full table, with the same noise; each is widened by `draw`.
    more: terms of its own."""

    name: str
    provider: str
    grain: str
    first_period: str
    last_period: str
    dimensions: tuple[str, ...]
    measures: Mapping[str, tuple[str, int]]
    margins: tuple[tuple[str, ...], ...] = ()
    more: Mapping[str, Any] | None = None

    @property
    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "provider": self.provider,
            "grain": self.grain,
            "first_period": self.first_period,
            "last_period": self.last_period,
            "k": 1,
            "run_out_days": 0,
            "restatements": 0,
            "link": "none",
            "measured": "exchange",
            "dimensions": [DRAW, *self.dimensions],
            "measures": {name: {"unit": unit, "bound": bound} for name, (unit, bound) in self.measures.items()},
            "invariants": [],
            "expected": {},
            "tables": [],
            "rho": "0.1",
            **(self.more or {}),
        }


def terms_with(feeds: tuple[Feed, ...], vocabularies: Mapping[str, tuple[str, ...]], draws: int, sd: float,
               **clauses: Any) -> Terms:  # fmt: skip
    """A contract with these feeds. sd: of the noise in an entry of a measure with bound 1; of others in proportion."""
    document = {
        "id": "dsc-study",
        "version": 1,
        "title": "A study",
        "purpose": "outcomes_research",
        "effective": "2020-01-01",
        "expires": "2030-12-31",
        "parties": [{"organisation": name, "role": "payer", "population": f"{name}-members"} for name in PAYERS]
        + [{"organisation": BRAND, "role": "brand", "population": f"{BRAND}-members"}],
        "vocabularies": {DRAW: [f"d{i}" for i in range(draws)]}
        | {name: [*values] for name, values in vocabularies.items()},
        "rollups": {"period": {"quarter": "month", "year": "month"}},
        "feeds": [feed.document for feed in feeds],
        "privacy": {"unit": "person_within_provider", "delta": "0.000001", "ceilings": {}},
        "grants": [{"role": "brand", "statistics": [*OFFERED], "by_at_most": 8}],
        "rules": {"min_payers": 3, "small_cells": None},
        **clauses,
    }
    terms = read_terms(document)
    planned = [replace(feed, plan=_plan(feed, each.margins, sd)) for feed, each in zip(terms.feeds, feeds, strict=True)]
    return replace(terms, feeds=tuple(planned))


def _plan(feed: FeedTerms, margins: tuple[tuple[str, ...], ...], sd: float) -> MeasurementPlan:
    """The charge is that of the draw; nothing here is debited."""
    kept = [feed.dimensions, *((DRAW, *margin) for margin in margins)]
    draws = [
        Draw(name, margin, str(sd * measure.bound), measure.bound**2, charge_nano(sd * measure.bound, measure.bound))
        for name, measure in feed.measures.items()
        for margin in kept
    ]
    return MeasurementPlan(tuple(draws))


def rows(terms: Terms, question: Question, cells: Cells, noise: NoiseSource) -> list[Row]:
    """The rows of the answer, from releases of these cells drawn with this noise."""
    asked = Asked(question, terms, terms.feeds, terms.grants[0].statistics, get_statistic)
    statistic = fit_to(get_statistic(question.statistic), asked)
    slices = list(_slices(terms, statistic, question, _released(terms, cells, noise)))
    return rows_of(statistic.compute(question, terms, tuple(slices)).columns)


def _released(
    terms: Terms, cells: Cells, noise: NoiseSource
) -> dict[str, dict[str, list[tuple[ReleaseRecord, Vectors]]]]:
    """By feed and period."""
    found: dict[str, dict[str, list[tuple[ReleaseRecord, Vectors]]]] = {}
    for (name, provider, period), tables in cells.items():
        feed = next(feed for feed in terms.feeds if feed.name == name)
        vectors = draw_release(feed.get_plan(), feed.dimensions, dict(tables), noise)
        found.setdefault(name, {}).setdefault(period, []).append((_record(name, provider, period), vectors))
    return found


def _slices(
    terms: Terms,
    statistic: Statistic,
    question: Question,
    released: Mapping[str, Mapping[str, list[tuple[ReleaseRecord, Vectors]]]],
) -> Iterator[Slice]:
    feeds = get_feeds(statistic, terms.feeds, question)
    coarsest = max((feed.grain for feed in feeds), key=list(Grain).index)
    for before in (False, True) if statistic.before else (False,):
        for need, feed in zip(statistic.needs, feeds, strict=True):
            by_period = released[feed.name]
            opened: Opened = {period: [record for record, _ in found] for period, found in by_period.items()}
            vectors = {record.id: vectors for found in by_period.values() for record, vectors in found}
            cut = need.cut(question, feed)
            buckets = buckets_of(cut, selected_periods(cut, feed))
            if before:
                buckets = tuple(bucket.before(cut, feed, coarsest) for bucket in buckets)
            yield cut_slice(cut, feed, len(terms.providers_of(feed)), buckets, opened, _loading(vectors))


def _loading(vectors: Mapping[str, Vectors]) -> Callable[..., dict[str, ReadVectors]]:
    def reading(release_id: str) -> ReadVectors:
        return lambda names: {name: vectors[release_id][name] for name in names}

    return lambda ids: {release_id: reading(release_id) for release_id in ids}


def _record(feed: str, provider: str, period: str) -> ReleaseRecord:
    name = f"{feed}/{period}/{provider}"
    population = f"{provider}-members"
    return ReleaseRecord(
        name, name, name, "dsc-study", 1, feed, provider, population, period, 0, "exchange", "", False, RELEASED
    )  # fmt: skip


def periods_of(feed: Feed) -> list[str]:
    grain = Grain(feed.grain)
    return [*map(str, PeriodRange(Period.parse(feed.first_period, grain), Period.parse(feed.last_period, grain)))]
