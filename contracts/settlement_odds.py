"""How a settlement will be decided, before there is any data: how often met, not met or undecided will be said of rates
near the target, at the sizes that the contract expects. So both errors are on the table before anyone signs."""

from dataclasses import dataclass
from typing import Final

from contracts.predicting import Rate, Span, rates_of
from contracts.statistics.threshold import covers
from contracts.terms import FeedTerms, Settlement, Terms
from privacy.accuracy import PlanNoise
from privacy.strategy import make_plan
from privacy.targets import Odds, odds_of_deciding

# How far the rate of the posted members is from the target, either way: in percentage points, and in standard
# deviations of its noise, since that is where one outcome turns into another, however little noise there is.
POINTS: Final = (1, 2, 5)
SDS: Final = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class SettlementOdds:
    """feed, expected: of which the rate is, and its denominator, over the whole period and all providers; None where
    that is not predicted. noise_sd: of the rate at the target. odds: by the rate of the posted members."""

    clause: Settlement
    feed: str | None
    expected: float | None
    noise_sd: float | None
    odds: tuple[tuple[float, Odds], ...]


def settlement_odds(terms: Terms) -> SettlementOdds | None:
    """None where the contract settles on nothing."""
    clause = terms.settlement
    if clause is None:
        return None
    rates = [
        rate
        for feed in terms.feeds
        if clause.feed in (None, feed.name) and covers(feed, clause.period)
        for rate in rates_of(feed)
        if isinstance(rate, Rate) and rate.name == clause.statistic
    ]
    return _of_rate(terms, clause, rates[0]) if rates else SettlementOdds(clause, None, None, None, ())


def _of_rate(terms: Terms, clause: Settlement, rate: Rate) -> SettlementOdds:
    feed, target = rate.feed, float(clause.target)
    span = Span(clause.period.length_in(feed.grain), max(1, len(terms.providers_of(feed))))
    expected = float(rate.expected * span.releases)
    variance = _variance(feed, rate, target) * span.releases
    decide_at = float(clause.decide_at)
    noise_sd = variance**0.5 / expected
    odds = {
        rate: odds_of_deciding(rate, target, whole=expected, variance=variance, decide_at=decide_at)
        for rate in _near(target, noise_sd)
    }
    return SettlementOdds(clause, feed.name, expected, noise_sd, tuple(odds.items()))


def _near(target: float, noise_sd: float) -> list[float]:
    """From low to high; distances by the noise are rounded to two digits, so that they can be read."""
    distances = [0.0, *(points / 100 for points in POINTS), *(float(f"{sds * noise_sd:.2g}") for sds in SDS)]
    rates = {round(target + sign * distance, 12) for distance in distances for sign in (-1, 1)}
    return sorted(rate for rate in rates if 0 <= rate <= 1)


def _variance(feed: FeedTerms, rate: Rate, target: float) -> float:
    """Of part - target * whole, in one release."""
    noise = PlanNoise(make_plan(feed.design, feed.charge_nano), feed.design.sizes)
    together = noise.covariance(rate.part, rate.within, {}) if rate.part == rate.whole else 0.0
    part, whole = noise.variance(rate.part, rate.within), noise.variance(rate.whole, {})
    return part - 2 * target * together + target**2 * whole
