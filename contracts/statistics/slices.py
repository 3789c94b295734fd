"""A slice: what the releases of one feed say about a question, row by row, with variances.

Releases of one plan are summed first and fitted once: fitting is linear, so that is the same as fitting each and
summing, and totals agree with their parts whichever way they are asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from contracts.periods import Period
from contracts.records import ReleaseRecord
from contracts.statistics.answers import Coverage, CoveredPeriod, Key
from contracts.statistics.pools import Opened
from contracts.statistics.questions import Bucket, Filter, Question, group_names, groups_of, strata_of
from contracts.terms import FeedTerms
from privacy.arrays import Flags, Floats, Vector
from privacy.inference import FittedTable, fit

Vectors = Mapping[str, Vector]
# Of one release, the vectors of these names; and by id, of these releases.
ReadVectors = Callable[[Sequence[str]], Vectors]
LoadReleases = Callable[[Sequence[str]], dict[str, ReadVectors]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Unclipped estimates of one figure and their noise variances, one entry a row.

    fitted: where the noise is a weighted mean of several draws rather than a sum of whole numbers.
    """

    values: Floats
    variances: Floats
    fitted: Flags


@dataclass(frozen=True, slots=True)
class _Pool:
    """The releases of one bucket of time. read: of each."""

    bucket: Bucket
    releases: tuple[ReleaseRecord, ...]
    read: tuple[ReadVectors, ...]

    @property
    def covered(self) -> set[str]:
        return {release.period for release in self.releases}

    def sums(self, lengths: Mapping[str, int]) -> dict[str, Vector]:
        """The vectors of these names and lengths, added up over the releases; zeros where there are none."""
        totals = {name: np.zeros(length, dtype=np.int64) for name, length in lengths.items()}
        for read in self.read:
            for name, vector in read(tuple(lengths)).items():
                totals[name] += vector
        return totals


class Slice:
    """The rows of a question over one feed. providers: how many post it."""

    def __init__(self, question: Question, feed: FeedTerms, providers: int, pools: Sequence[_Pool]) -> None:
        self._question = question
        self.feed = feed
        self._providers = providers
        self._pools = pools
        self._tables: dict[tuple[int, str], FittedTable] = {}

    @property
    def keys(self) -> list[Key]:
        """One key a row, in the order of all other arrays: time first, then the dimensions in the order asked."""
        kept = self._question.dimensions
        strata = list(product(*(group_names(self._question, self.feed, name) for name in kept)))
        grain = self._question.time_grain
        rows = []
        for pool in self._pools:
            time = {} if grain is None else {grain.value: str(pool.bucket.key)}
            rows += [time | dict(zip(kept, stratum, strict=True)) for stratum in strata]
        return [{name: row[name] for name in self._question.by} for row in rows]

    @property
    def missing(self) -> Flags:
        """Rows of a bucket without any release that the asker may see."""
        return self._per_row([not pool.releases for pool in self._pools])

    @property
    def partial(self) -> Flags:
        """Rows of a bucket of which some periods are missing, be it that nobody asked for them."""
        return self._per_row([0 < len(pool.covered) < pool.bucket.length for pool in self._pools])

    @property
    def partial_pool(self) -> Flags:
        """Rows of a bucket of which some period rests on a part of its providers."""
        whole = [len(pool.releases) == self._providers * len(pool.covered) for pool in self._pools]
        return ~self._per_row(whole)

    @property
    def periods_covered(self) -> Floats:
        """Periods pooled in each row."""
        return self._per_row([len(pool.covered) for pool in self._pools]).astype(np.float64)

    def comparable_with(self, other: "Slice") -> Flags:
        """Rows whose stretch here and in the other slice, which is cut alike, rest on as many periods and, in each of
        them, on the same providers."""
        pairs = zip(self._pools, other._pools, strict=True)
        return self._per_row([_who_posted(a) == _who_posted(b) and bool(a.releases) for a, b in pairs])

    @property
    def releases(self) -> list[ReleaseRecord]:
        return [release for pool in self._pools for release in pool.releases]

    def estimate(self, measure: str, narrowed: Filter | None = None) -> Estimate:
        """Sums of a measure over each row's cells. narrowed: a statistic's own restriction of dimensions."""
        groups = groups_of(self._question, self.feed, narrowed or {})
        tables = [self._table(i, measure) for i in range(len(self._pools))]
        values = [self._in_order(table.sums(groups)) for table in tables]
        variances = [self._in_order(table.variance(groups)) for table in tables]
        fitted = self._per_row([not table.on_lattice for table in tables])
        return Estimate(np.concatenate(values), np.concatenate(variances), fitted)

    def covariance(self, measure: str, left: Filter, right: Filter) -> Floats:
        """Noise covariance of two sums of one measure, row by row. Different measures are independent."""
        a, b = (groups_of(self._question, self.feed, narrowed) for narrowed in (left, right))
        parts = [self._in_order(self._table(i, measure).covariance(a, b)) for i in range(len(self._pools))]
        return np.concatenate(parts)

    def covariances_with(self, measure: str, weights: Floats, narrowed: Filter | None = None) -> Floats:
        """Noise covariance of every row's sum with one weighted sum of all the rows. weights: one entry a row.

        Rows of different stretches of time rest on different releases, so they have none.
        """
        groups = groups_of(self._question, self.feed, narrowed or {})
        parts = [
            self._in_order(self._table(i, measure).covariances_with(groups, self._as_table(rows, groups)))
            for i, rows in enumerate(np.split(weights, len(self._pools)))
        ]
        return np.concatenate(parts)

    def finer(self, dimensions: Sequence[str]) -> "Slice":
        """The same releases by these dimensions as well, which then come last in every row."""
        return self._by((*self._question.by, *dimensions))

    def together(self) -> "Slice":
        """The same releases by time alone: each row is the sum of all those of its stretch."""
        grain = self._question.time_grain
        return self._by(() if grain is None else (grain.value,))

    def combined_covariance(self, measure: str, left: Floats, right: Floats, over: Sequence[str]) -> Floats:
        """Noise covariance of two weighted sums over the rows that differ in the dimensions `over` alone.

        left, right: one weight a row. Answers one entry a row without those dimensions, which must be the last asked.
        """
        groups = groups_of(self._question, self.feed, {})
        axes = [self.feed.dimensions.index(self.feed.own_of(name)) for name in over]
        pools = len(self._pools)
        parts = [
            self._table(i, measure).combined_covariance(
                groups, self._as_table(first, groups), self._as_table(second, groups), axes
            )
            for i, (first, second) in enumerate(zip(np.split(left, pools), np.split(right, pools), strict=True))
        ]
        return np.concatenate([self._in_order(part) for part in parts])

    def coverage(self, *, compared: bool = False) -> Coverage:
        """compared: what it covers is the stretch before the one asked."""
        # A stretch by stretch before can be asked of its own: each period is told once.
        periods = dict.fromkeys(period for pool in self._pools for period in pool.bucket.periods)
        releases = {release.id: release for release in self.releases}
        return coverage_of(self.feed, self._providers, tuple(periods), tuple(releases.values()), compared=compared)

    def _by(self, by: tuple[str, ...]) -> "Slice":
        other = Slice(replace(self._question, by=by), self.feed, self._providers, self._pools)
        other._tables = self._tables  # of whole feeds, whatever is asked of them
        return other

    def _in_order(self, sums: Floats) -> Floats:
        """Flatten sums with one axis a dimension of the feed into rows, in the order asked."""
        return sums.transpose(self._axes()).ravel()

    def _as_table(self, rows: Floats, groups: Sequence[Floats]) -> Floats:
        """The other way round: rows of one stretch of time as a table with one axis a dimension of the feed."""
        axes = self._axes()
        return rows.reshape([len(groups[axis]) for axis in axes]).transpose(np.argsort(axes))

    def _axes(self) -> list[int]:
        """The feed's dimensions as a row has them: those asked in the order asked, then the others, summed over."""
        first = [self.feed.dimensions.index(self.feed.own_of(name)) for name in self._question.dimensions]
        return [*first, *(axis for axis in range(len(self.feed.dimensions)) if axis not in first)]

    def _table(self, index: int, measure: str) -> FittedTable:
        if (index, measure) not in self._tables:
            pool = self._pools[index]
            draws = self.feed.get_plan().draws_of(measure)
            # A missing bucket is fitted to zeros so that arrays keep their shape; its rows are never shown.
            sums = pool.sums({draw.name: _entries(self.feed, draw.margin) for draw in draws})
            count = max(1, len(pool.releases))
            noisy = [(draw, sums[draw.name], draw.variance * count) for draw in draws]
            self._tables[index, measure] = fit(self.feed.shape, self.feed.dimensions, noisy)
        return self._tables[index, measure]

    def _per_row(self, per_pool: Sequence[float]) -> Flags:
        return np.repeat(np.array(per_pool), strata_of(self._question, self.feed))


def cut_slice(
    question: Question,
    feed: FeedTerms,
    providers: int,
    buckets: Sequence[Bucket],
    opened: Opened,
    load: LoadReleases,
) -> Slice:
    """The opened releases of each bucket of time, to be summed. providers: how many post the feed."""
    pools = []
    for bucket in buckets:
        releases = tuple(release for period in bucket.periods for release in opened.get(str(period), ()))
        read = load([release.id for release in releases])
        pools.append(_Pool(bucket, releases, tuple(read[release.id] for release in releases)))
    return Slice(question, feed, providers, pools)


def _who_posted(pool: _Pool) -> list[frozenset[str]]:
    """Of each period covered, in their order, who is pooled."""
    found: dict[str, set[str]] = {}
    for release in pool.releases:
        found.setdefault(release.period, set()).add(release.provider)
    return [frozenset(found[period]) for period in sorted(found)]


def coverage_of(
    feed: FeedTerms,
    providers: int,
    periods: Sequence[Period],
    releases: Sequence[ReleaseRecord],
    *,
    compared: bool = False,
) -> Coverage:
    """Which of the periods the releases cover, by how many of the providers, and by which measurement."""
    asked = [str(period) for period in periods]
    found: dict[str, list[ReleaseRecord]] = {period: [] for period in asked}
    for release in releases:
        found[release.period].append(release)
    rests_on = [
        CoveredPeriod(period, len(pool), tuple(sorted({release.restatement for release in pool})))
        for period, pool in found.items()
        if pool
    ]
    counts = [period.providers for period in rests_on]
    return Coverage(
        feed=feed.name,
        asked=tuple(asked),
        covered=tuple(period.period for period in rests_on),
        missing=tuple(period for period in asked if not found[period]),
        provisional=tuple(sorted({release.period for release in releases if release.provisional})),
        providers=providers,
        providers_fewest=min(counts, default=0),
        providers_most=max(counts, default=0),
        rests_on=tuple(rests_on),
        compared=compared,
    )


def _entries(feed: FeedTerms, margin: tuple[str, ...]) -> int:
    return int(np.prod([len(feed.vocabularies[name]) for name in margin], dtype=np.int64))
