"""Slices made by hand: one payers' feed of one year, with cells and a plan of the test's own, drawn or exact."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from contracts.periods import Grain, Period, PeriodRange
from contracts.statistics.catalogue import get_statistic
from contracts.statistics.declarations import Asked, Computed, Statistic
from contracts.statistics.fitting import fit_to
from contracts.statistics.questions import Question, buckets_of, selected_periods
from contracts.statistics.slices import Slice, cut_slice
from contracts.terms import FeedTerms, MeasureTerms, Standard, Terms
from privacy.arrays import Vector
from privacy.mechanism import NoiseSource, charge_nano
from privacy.plan import Draw, MeasurementPlan
from privacy.release import draw_release
from tests.unit.terms import a_release, some_feed, some_terms

Cell = tuple[str, ...]
Cells = Mapping[str, Mapping[Cell, int]]
YEAR = "2025"


def made_feed(
    vocabularies: Mapping[str, Sequence[str]],
    measures: Mapping[str, str],
    sigma: float,
    margins: Sequence[tuple[str, ...]] = (),
) -> FeedTerms:
    """measures: unit by name. margins: those measured besides the full table, each with a sigma as large."""
    every = [tuple(vocabularies), *margins]
    draws = [Draw(name, margin, str(sigma), 1, charge_nano(sigma, 1.0)) for name in measures for margin in every]
    year = Period.parse(YEAR, Grain.YEAR)
    return replace(
        some_feed("adherence"),
        periods=PeriodRange(year, year),
        vocabularies={name: tuple(values) for name, values in vocabularies.items()},
        measures={name: MeasureTerms(unit, 1) for name, unit in measures.items()},
        invariants=(),
        plan=MeasurementPlan(tuple(draws)),
    )


def tables_of(feed: FeedTerms, cells: Cells) -> dict[str, Vector]:
    strata = list(product(*feed.vocabularies.values()))
    return {
        name: np.array([cells[name].get(stratum, 0) for stratum in strata], dtype=np.int64).reshape(feed.shape)
        for name in feed.measures
    }


def made_slice(question: Question, feed: FeedTerms, cells: Cells, noise: NoiseSource) -> Slice:
    """Of one payer, posted once."""
    release = a_release("a", YEAR, feed.name)
    drawn = draw_release(feed.get_plan(), feed.dimensions, tables_of(feed, cells), noise)
    buckets = buckets_of(question, selected_periods(question, feed))
    read = {release.id: lambda names: {name: drawn[name] for name in names}}
    return cut_slice(question, feed, 1, buckets, {YEAR: [release]}, lambda ids: read)


def made_terms(feed: FeedTerms, *standards: Standard, mask_below: int | None = None) -> Terms:
    terms = some_terms()
    return replace(terms, feeds=(feed,), standards=standards, rules=replace(terms.rules, mask_below=mask_below))


def fitted_to(question: Question, terms: Terms) -> Statistic:
    return fit_to(
        get_statistic(question.statistic),
        Asked(question, terms, terms.feeds, (question.statistic,), get_statistic),
    )


def computed(question: Question, terms: Terms, cells: Cells, noise: NoiseSource) -> Computed:
    (feed,) = terms.feeds
    part = made_slice(question, feed, cells, noise)
    return fitted_to(question, terms).compute(question, terms, (part,))
