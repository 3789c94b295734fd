"""Small contracts about a programme, their exact cells, and answers made of them without any server."""

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from contracts.agreeing import with_plans
from contracts.parties import JsonObject, Role
from contracts.periods import Period
from contracts.statistics.answers import Row
from contracts.statistics.catalogue import get_statistic
from contracts.statistics.checking import check_question
from contracts.statistics.columns import rows_of
from contracts.statistics.declarations import Asked, Computed, Statistic
from contracts.statistics.fitting import fit_to
from contracts.statistics.pools import Opened
from contracts.statistics.programme import PROGRAMME_EFFECT
from contracts.statistics.questions import Question, buckets_of, selected_periods
from contracts.statistics.selecting import get_feeds
from contracts.statistics.slices import Slice, cut_slice
from contracts.terms import FeedTerms, Linked, Terms, read_terms
from privacy.arrays import Vector
from privacy.mechanism import NoiseSource
from privacy.release import ExactTable, draw_release
from tests.support.small_exchange import NoNoise
from tests.unit.terms import DOCUMENT, FILLS, a_release

PAYERS = ("a", "b")
MEMBERS = {"members": {"unit": "persons", "bound": 1}}
HOSPITALISED = MEMBERS | {"hospitalised_members": {"unit": "persons", "bound": 1}}


class RoundedNormal:
    """Noise of as good as the same law, and fast; for thousands of answers."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        noisy: Vector = exact + np.rint(self._rng.normal(0.0, sigma, exact.shape)).astype(np.int64)
        return noisy


# By feed, period and provider, the exact cells.
Cells = Callable[[FeedTerms, Period, str], dict[str, ExactTable]]


def a_feed(**changes: Any) -> JsonObject:
    """A payers' feed of 2025 by adherence band, quarter by quarter."""
    return FILLS | {
        "name": "adherence",
        "grain": "quarter",
        "first_period": "2025-Q1",
        "last_period": "2025-Q4",
        "k": 4,
        "dimensions": ["region", "sex", "adherence_band"],
        "measures": MEMBERS,
        "invariants": [],
        "expected": {},
        "tables": [],
        **changes,
    }


def support(**changes: Any) -> JsonObject:
    """The brand's feed, which tells whom a payer of the contract insures."""
    measures = {"enrolled": {"unit": "persons", "bound": 1}}
    told = {"dimensions": ["region", "sex", "coverage"], "measures": measures, **changes}
    return a_feed(name="support", provider="brand", **told)


def terms_of(*feeds: JsonObject, linked: str | None = None, **changes: Any) -> Terms:
    """linked: the dimension in which payers' feeds that have it hold the flag of helix."""
    document = deepcopy(DOCUMENT) | {"feeds": list(feeds), **changes}
    document["parties"] = [party for party in document["parties"] if party["organisation"] in (*PAYERS, "helix")]
    document["vocabularies"] |= {"psp": ["enrolled", "not_enrolled", "unknown"], "flag": ["yes", "no", "asked"]}
    terms = _planned(json.dumps(document))
    flagged = [
        replace(feed, linked=Linked(linked, "helix")) if linked in feed.vocabularies and linked else feed
        for feed in terms.feeds
    ]
    return replace(terms, feeds=tuple(flagged))


@cache
def _planned(document: str) -> Terms:
    return read_terms(with_plans(json.loads(document)))


def derived(terms: Terms, question: Question) -> Statistic:
    return fit_to(PROGRAMME_EFFECT, Asked(question, terms, terms.feeds, ("programme_effect",), get_statistic))


def answered(
    terms: Terms, question: Question, cells: Cells, noise: NoiseSource | None = None, unposted: Sequence[str] = ()
) -> Computed:
    """unposted: periods that no provider has posted."""
    statistic = derived(terms, question)
    feeds = get_feeds(statistic, terms.feeds, question)
    check_question(question, terms, feeds, statistic.figures_shown(question, feeds))
    slices = []
    for need, feed in zip(statistic.needs, feeds, strict=True):
        cut = need.cut(question, feed)
        slices.append(_slice(terms, cut, feed, cells, noise or NoNoise(), unposted))
    return statistic.compute(question, terms, tuple(slices))


def _slice(
    terms: Terms, question: Question, feed: FeedTerms, cells: Cells, noise: NoiseSource, unposted: Sequence[str]
) -> Slice:
    opened: Opened = {}
    vectors: dict[str, dict[str, Vector]] = {}
    for period in feed.periods:
        for provider in terms.providers_of(feed) if str(period) not in unposted else ():
            release = a_release(provider, str(period), feed.name)
            opened.setdefault(str(period), []).append(release)
            vectors[release.id] = draw_release(feed.get_plan(), feed.dimensions, cells(feed, period, provider), noise)
    buckets = buckets_of(question, selected_periods(question, feed))

    def reader(found: dict[str, Vector]) -> Callable[[Sequence[str]], dict[str, Vector]]:
        return lambda names: {name: found[name] for name in names}

    return cut_slice(
        question, feed, len(terms.providers_of(feed)), buckets, opened, lambda ids: {i: reader(vectors[i]) for i in ids}
    )


def random_cells(seed: int) -> Cells:
    """Other numbers in every cell, the same ones for the same feed, period and provider."""

    def cells(feed: FeedTerms, period: Period, provider: str) -> dict[str, ExactTable]:
        rng = np.random.default_rng([seed, period.index, *provider.encode(), *feed.name.encode()])
        if feed.provider is Role.BRAND:
            return {measure: rng.integers(0, 10, feed.shape) for measure in feed.measures}
        members = rng.integers(0, 200, feed.shape)
        tables = {"members": members, "hospitalised_members": rng.integers(0, members + 1)}
        tables |= {"treatment_days": 60 * members, "days_covered": rng.integers(0, 60 * members + 1)}
        return {measure: tables[measure] for measure in feed.measures}

    return cells


def exact_sums(
    terms: Terms, feed_name: str, measure: str, cells: Cells, periods: Sequence[str], **where: Sequence[str]
) -> float:
    """A sum straight from the exact cells."""
    feed = terms.find_feed(feed_name)
    assert feed is not None
    chosen = np.ix_(
        *[
            [i for i, v in enumerate(values) if v in where.get(name, values)]
            for name, values in feed.vocabularies.items()
        ]
    )
    return float(
        sum(
            cells(feed, period, provider)[measure][chosen].sum()
            for period in feed.periods
            if str(period) in periods
            for provider in terms.providers_of(feed)
        )
    )


def table(found: Computed) -> dict[tuple[str, ...], Row]:
    """Rows by figure and key."""
    return {(row.figure, *row.key.values()): row for row in rows_of(found.columns)}


def ends_of(row: Row) -> tuple[float, float]:
    """Of the interval of a row that is shown; infinite where there is no end."""
    assert row.interval is not None
    lower, upper = row.interval.lower, row.interval.upper
    return -np.inf if lower is None else lower, np.inf if upper is None else upper


def held(terms: Terms, question: Question, cells: Cells, figures: Sequence[str], runs: int) -> dict[str, int]:
    """How often the interval of each figure of the one row holds what there is without noise."""
    exact, noise = table(answered(terms, question, cells)), RoundedNormal(11)
    found = dict.fromkeys(figures, 0)
    for _ in range(runs):
        noisy = table(answered(terms, question, cells, noise))
        for figure in figures:
            lower, upper = ends_of(noisy[figure,])
            value = exact[figure,].value
            assert value is not None
            found[figure] += lower <= value <= upper
    return found
