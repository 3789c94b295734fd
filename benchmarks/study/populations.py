"""Persons of a study, already added up: random ones for each draw, or the enormous population that they are from.

Of each cell the numbers of persons are multinomial or binomial; what a person adds of days, stays or cents is drawn
as a sum, since no statistic sees more of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.study.harness import BRAND, PAYERS, Cells, Feed, periods_of
from privacy.arrays import Floats, Vector

ENORMOUS: Final = 10**9
SEXES: Final = ("F", "M")
BANDS: Final = ("p00_20", "p20_40", "p40_60", "p60_80", "p80_100")
MIDDLES: Final = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
# Of each sex: its share of all, and its shares of the bands.
SEX_SHARES: Final = np.array([0.6, 0.4])
BAND_SHARES: Final = np.array([[0.10, 0.10, 0.10, 0.20, 0.50], [0.05, 0.05, 0.10, 0.15, 0.65]])
# Of a person of the band, in a year: the chance of any stay, by sex, and further stays of whoever has one.
HOSPITALISED: Final = np.array([[0.25, 0.25, 0.22, 0.20, 0.15], [0.30, 0.30, 0.26, 0.24, 0.20]])
FURTHER_STAYS: Final = 0.3
CENTS: Final = 12_000_00
DAYS: Final = 300
MONTHS: Final = (*map(str, range(12)), "12+")
REASONS: Final = ("stopped", "switched", "left_plan")
# Of whoever is at risk in a month: the chance of leaving it for each reason.
EXITS: Final = np.array([0.06, 0.02, 0.01])


@dataclass(frozen=True, slots=True)
class Sample:
    """people: of one payer, in a period. generator: None for the enormous population, the same in every draw."""

    draws: int
    people: int
    generator: np.random.Generator | None

    def split(self, counts: Vector, shares: Floats) -> Vector:
        """Each count over one more axis, by these shares."""
        if self.generator is None:
            return np.rint(counts[..., None] * shares).astype(np.int64)
        return np.array(
            self.generator.multinomial(counts, np.broadcast_to(shares, (*counts.shape, shares.shape[-1]))),
            dtype=np.int64,
        )

    def chosen(self, counts: Vector, chance: Floats | float) -> Vector:
        if self.generator is None:
            return _whole(counts * np.asarray(chance))
        return np.array(self.generator.binomial(counts, chance), dtype=np.int64)

    def added(self, counts: Vector, mean: Floats | float, spread: float) -> Vector:
        """Sums over so many persons of something with this mean and relative standard deviation."""
        sums: Floats = counts * np.asarray(mean)
        if self.generator is not None:
            sums = sums + self.generator.normal(0.0, 1.0, counts.shape) * np.sqrt(counts) * mean * spread
        return _whole(np.maximum(sums, 0.0))

    @property
    def everyone(self) -> Vector:
        return np.full(self.draws, ENORMOUS if self.generator is None else self.people)


def _whole(numbers: Floats) -> Vector:
    return np.rint(numbers).astype(np.int64)


def claims(sample: Sample, feed: Feed, band_shares: Floats = BAND_SHARES) -> Cells:
    """A year of a payer: by sex and band of adherence."""
    found = {}
    for provider in PAYERS:
        for period in periods_of(feed):
            members = np.stack(
                [sample.split(of_sex, band_shares[i]) for i, of_sex in enumerate(np.moveaxis(by_sex(sample), -1, 0))], 1
            )
            stayed = sample.chosen(members, HOSPITALISED)
            treated = sample.added(members, DAYS, 0.1)
            measures = {
                "members": members,
                "treatment_days": treated,
                "days_covered": np.rint(treated * MIDDLES).astype(np.int64),
                "pdc_basis_points": sample.added(members, 10_000 * MIDDLES, 0.05),
                "member_months": 12 * members,
                "hospitalised_members": stayed,
                "hospital_stays": stayed + sample.chosen(stayed, FURTHER_STAYS),
                "allowed_cents": sample.added(members, CENTS, 1.5),
            }
            found[feed.name, provider, period] = {name: measures[name] for name in feed.measures}
    return found


def by_sex(sample: Sample) -> Vector:
    return sample.split(sample.everyone, SEX_SHARES)


def grouped(sample: Sample, feed: Feed, shares: Sequence[float], adherent: Mapping[str, Sequence[float]]) -> Cells:
    """Members by a dimension of as many values as `shares`, and whether they are adherent: by period, the chance in
    each value."""
    found = {}
    for provider in PAYERS:
        for period in periods_of(feed):
            members = sample.split(sample.everyone, np.array(shares))
            high = sample.chosen(members, np.array(adherent[period]))
            found[feed.name, provider, period] = {"members": np.stack([members - high, high], axis=-1)}
    return found


def support(sample: Sample, feed: Feed, enrolled_share: float) -> Cells:
    """The brand's patients: in network, a share of all payers' people; others, half as many."""
    inside = sample.chosen(len(PAYERS) * sample.everyone, enrolled_share)
    enrolled = np.stack([inside, inside // 2], axis=-1)
    measures = {
        "enrolled": enrolled,
        "complaints": sample.chosen(enrolled, 0.05),
        "adverse_event_reports": sample.added(enrolled, 0.1, 3.0),
    }
    chosen = {name: measures[name] for name in feed.measures}
    return {(feed.name, BRAND, period): chosen for period in periods_of(feed)}


def life_tables(sample: Sample, starts: Feed, exits: Feed, known_after: int) -> Cells:
    """Who starts in each month, and who stops, in the month in which it becomes known; what comes later is not seen."""
    months = periods_of(exits)
    found = {}
    for provider in PAYERS:
        left = {month: np.zeros((sample.draws, len(MONTHS), len(REASONS)), dtype=np.int64) for month in months}
        for begun, month in enumerate(periods_of(starts)):
            at_risk = sample.everyone
            found[starts.name, provider, month] = {"members": at_risk}
            for since in range(len(months) - begun - known_after):
                gone = sample.split(at_risk, np.array([*EXITS, 1 - EXITS.sum()]))[..., : len(REASONS)]
                left[months[begun + since + known_after]][:, min(since, len(MONTHS) - 1)] += gone
                at_risk = at_risk - gone.sum(axis=-1)
        found |= {(exits.name, provider, month): {"members": table} for month, table in left.items()}
    return found
