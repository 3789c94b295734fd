"""What the answers of a feed will be like under a plan, before there is any data: half-widths at expected sizes.

Noise does not depend on what it hides, so the half-width of a count is the same in every cell of a table. Where sizes
matter, for rates and in percent, the expected persons are taken to be spread evenly over the cells.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Final

from contracts.statistics.adherence import ADHERENCE_RATE, BAND, PDC_POOLED, adherent_bands
from contracts.terms import FeedTerms
from privacy.accuracy import PlanNoise, count_width, rate_width
from privacy.strategy import make_plan

POINTS: Final = "percentage points"
By = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """How much an answer adds up: so many periods of so many providers."""

    periods: int
    providers: int

    @property
    def releases(self) -> int:
        return self.periods * self.providers


@dataclass(frozen=True, slots=True)
class Width:
    """Half-width of the interval around one row of an answer, at `privacy.accuracy.CONFIDENCE`.

    half_width: for noise alone, in the figure's unit. expected: the size of the row's cell, for a rate that of its
    denominator; None where the contract states none. relative: half_width / expected, of a count. total: with
    sampling, of a rate whose cells identify it.
    """

    span: Span
    expected: float | None
    half_width: float
    relative: float | None = None
    total: float | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """A measure of a feed, summed."""

    feed: FeedTerms
    name: str

    @property
    def unit(self) -> str:
        return self.feed.measures[self.name].unit

    @property
    def measures(self) -> tuple[str, ...]:
        return (self.name,)

    def goes_by(self, by: By) -> By:
        """What the figure goes by in a table by these dimensions."""
        return by

    def width(self, noise: PlanNoise, by: By, span: Span, scale: float = 1.0) -> Width:
        """scale: what the variance of the noise is multiplied by, as another budget would."""
        variance = noise.variance(self.name, dict.fromkeys(by, 1)) * span.releases * scale
        half = count_width(variance, fitted=noise.is_fitted(self.name))
        stated = self.feed.expected.get(self.name)
        if stated is None:
            return Width(span, None, half)
        expected = stated * span.releases / cells(self.feed, by)
        return Width(span, expected, half, relative=half / expected)


@dataclass(frozen=True, slots=True)
class Rate:
    """A ratio of two sums. part, whole: their measures; within: how many values of a dimension the part takes.

    expected: the whole of one period of one provider. sampled: the cells identify the sampling error too.
    """

    feed: FeedTerms
    name: str
    part: str
    whole: str
    expected: int
    within: Mapping[str, int] = field(default_factory=dict)
    sampled: bool = False
    unit: str = POINTS

    @property
    def measures(self) -> tuple[str, ...]:
        return self.part, self.whole

    def goes_by(self, by: By) -> By:
        return tuple(name for name in by if name not in self.within)

    def width(self, noise: PlanNoise, by: By, span: Span, scale: float = 1.0) -> Width:
        """As of a count. Measures are noised independently; sums of one measure share its noise."""
        taken, times = dict.fromkeys(by, 1), span.releases * scale
        inner = {**taken, **self.within}
        covariance = noise.covariance(self.part, inner, taken) if self.part == self.whole else 0.0
        expected = self.expected * span.releases / cells(self.feed, by)
        half, total = (
            100 * rate_width(
                expected,
                part_variance=noise.variance(self.part, inner) * times,
                whole_variance=noise.variance(self.whole, taken) * times,
                covariance=covariance * times,
                sampling_periods=sampled,
            )
            for sampled in (0, span.periods)
        )  # fmt: skip
        return Width(span, expected, half, total=total if self.sampled else None)


Figure = Count | Rate


def cells(feed: FeedTerms, by: By) -> int:
    """How many rows an answer by these dimensions has."""
    return prod(len(feed.vocabularies[name]) for name in by)


def counts_of(feed: FeedTerms) -> list[Figure]:
    return [Count(feed, measure) for measure in feed.measures]


def rates_of(feed: FeedTerms) -> list[Figure]:
    """The rates that the feed can answer, if the contract says what size to expect."""
    return [rate for rate in (_adherence_rate(feed), _pdc_pooled(feed)) if rate is not None]


def unpredicted(feed: FeedTerms) -> list[str]:
    """Rates that the feed can answer, of which nothing can be said without an expected number of members."""
    known = {rate.name for rate in rates_of(feed)}
    return [rate.name for rate in (ADHERENCE_RATE, PDC_POOLED) if rate.needs[0].fits(feed) and rate.name not in known]


def _adherence_rate(feed: FeedTerms) -> Rate | None:
    if not ADHERENCE_RATE.needs[0].fits(feed) or "members" not in feed.expected:
        return None
    adherent = {BAND: len(adherent_bands(feed.vocabularies[BAND]))}
    return Rate(feed, ADHERENCE_RATE.name, "members", "members", feed.expected["members"], adherent, sampled=True)


def _pdc_pooled(feed: FeedTerms) -> Rate | None:
    """Where only members are expected, each is taken to be treated for as many days as the bound allows."""
    if not PDC_POOLED.needs[0].fits(feed):
        return None
    members = feed.expected.get("members", 0)
    days = feed.expected.get("treatment_days", members * feed.measures["treatment_days"].bound)
    return Rate(feed, PDC_POOLED.name, "days_covered", "treatment_days", days) if days else None


def tables_of(feed: FeedTerms, figure: Figure) -> list[By]:
    """What the figure goes by in the tables that the parties care about (where they name none: by each dimension),
    in total, and in the full table; each once."""
    named = [table.by for table in feed.tables] or [(name,) for name in feed.dimensions]
    found: dict[frozenset[str], By] = {}
    for by in map(figure.goes_by, (*named, (), feed.dimensions)):
        found.setdefault(frozenset(by), by)
    return list(found.values())


def spans_of(feed: FeedTerms, providers: int) -> Iterator[Span]:
    """One period and the whole term, of one provider and of all."""
    periods = len(feed.periods)
    yield from dict.fromkeys(Span(p, n) for p in (1, periods) for n in (1, providers))


def noise_at(figure: Figure, rho_nano: int) -> PlanNoise:
    """The noise in the figure, in one release, if this were its feed's ceiling. Raises BudgetTooSmall."""
    feed, design = figure.feed, figure.feed.design
    return PlanNoise(make_plan(design, replace(feed, rho_nano=rho_nano).charge_nano, figure.measures), design.sizes)
