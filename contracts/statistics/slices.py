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
# Of each period covered, in their order: which it is, or is compared with, and who is pooled.
RestsOn = tuple[tuple[int, frozenset[str]], ...]


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
        self._tables: dict[str, FittedTable] = {}

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

    @property
    def rests_on(self) -> list[RestsOn]:
        """Of each row."""
        strata = strata_of(self._question, self.feed)
        return [found for pool in self._pools for found in [_who_posted(pool)] * strata]

    @property
    def releases(self) -> list[ReleaseRecord]:
        return [release for pool in self._pools for release in pool.releases]

    def estimate(self, measure: str, narrowed: Filter | None = None) -> Estimate:
        """Sums of a measure over each row's cells. narrowed: a statistic's own restriction of dimensions."""
        groups, table = groups_of(self._question, self.feed, narrowed or {}), self._table(measure)
        values = self._in_order(table.sums(groups))
        return Estimate(
            values.ravel(), self._scaled(table.variance(groups)), np.full(values.size, not table.on_lattice)
        )

    def covariance(self, measure: str, left: Filter, right: Filter) -> Floats:
        """Noise covariance of two sums of one measure, row by row. Different measures are independent."""
        a, b = (groups_of(self._question, self.feed, narrowed) for narrowed in (left, right))
        return self._scaled(self._table(measure).covariance(a, b))

    def covariances_with(self, measure: str, weights: Floats, narrowed: Filter | None = None) -> Floats:
        """Noise covariance of every row's sum with one weighted sum of all the rows. weights: one entry a row.

        Rows of different stretches of time rest on different releases, so they have none.
        """
        groups = groups_of(self._question, self.feed, narrowed or {})
        return self._scaled(self._table(measure).covariances_with(groups, self._as_tables(weights, groups)))

    def finer(self, dimensions: Sequence[str]) -> "Slice":
        """The same releases by these dimensions as well, which then come last in every row."""
        return self._by((*self._question.by, *dimensions))

    def coarser(self, by: Sequence[str]) -> "Slice":
        """The same releases by no more than these, which are among those asked."""
        return self._by(tuple(by))

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
        first, second = (self._as_tables(weights, groups) for weights in (left, right))
        return self._scaled(self._table(measure).combined_covariance(groups, first, second, axes))

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
        """Sums with one axis a dimension of the feed, the last ones, as lists in the order asked: one a stretch of
        time, or a single one for all of them."""
        axes = self._axes()
        before = sums.ndim - len(axes)
        return sums.transpose([*range(before), *(before + axis for axis in axes)]).reshape(
            len(sums) if before else 1, -1
        )

    def _scaled(self, noise: Floats) -> Floats:
        """Variances of one release, for those that each stretch of time adds up: row by row."""
        counts = [max(1, len(pool.releases)) for pool in self._pools]
        return (np.array(counts, dtype=np.float64)[:, None] * self._in_order(noise)).ravel()

    def _as_tables(self, rows: Floats, groups: Sequence[Floats]) -> Floats:
        """The other way round: rows as tables with one axis a dimension of the feed, one a stretch of time."""
        axes = self._axes()
        tables = rows.reshape([len(self._pools), *(len(groups[axis]) for axis in axes)])
        return tables.transpose([0, *(1 + np.argsort(axes))])

    def _axes(self) -> list[int]:
        """The feed's dimensions as a row has them: those asked in the order asked, then the others, summed over."""
        first = [self.feed.dimensions.index(self.feed.own_of(name)) for name in self._question.dimensions]
        return [*first, *(axis for axis in range(len(self.feed.dimensions)) if axis not in first)]

    def _table(self, measure: str) -> FittedTable:
        """Of each stretch of time one table, with the variances of a single release: all are of one plan."""
        if measure not in self._tables:
            draws = self.feed.get_plan().draws_of(measure)
            lengths = {draw.name: _entries(self.feed, draw.margin) for draw in draws}
            # A missing bucket is fitted to zeros so that arrays keep their shape; its rows are never shown.
            sums = [pool.sums(lengths) for pool in self._pools]
            noisy = [(draw, np.stack([each[draw.name] for each in sums]), draw.variance) for draw in draws]
            self._tables[measure] = fit(self.feed.shape, self.feed.dimensions, noisy)
        return self._tables[measure]

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


def _who_posted(pool: _Pool) -> RestsOn:
    found: dict[str, set[str]] = {}
    for release in pool.releases:
        found.setdefault(release.period, set()).add(release.provider)
    bucket = pool.bucket
    covered = [period for period in bucket.periods if str(period) in found]
    return tuple((period.index + bucket.moved, frozenset(found[str(period)])) for period in covered)


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
