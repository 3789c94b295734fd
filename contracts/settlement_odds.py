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

# How far the true rate is from the target, in percentage points.
DISTANCES: Final = (-5, -2, -1, 0, 1, 2, 5)


@dataclass(frozen=True, slots=True)
class SettlementOdds:
    """feed, expected: of which the rate is, and its denominator, over the whole period and all providers; None where
    the contract states no size to expect. odds: by the true rate."""

    clause: Settlement
    feed: str | None
    expected: float | None
    odds: tuple[tuple[float, Odds], ...]


def settlement_odds(terms: Terms) -> SettlementOdds | None:
    """None where the contract settles on nothing."""
    clause = terms.settlement
    if clause is None:
        return None
    rates = [
        rate
        for feed in terms.feeds
        if covers(feed, clause.period)
        for rate in rates_of(feed)
        if isinstance(rate, Rate) and rate.name == clause.statistic
    ]
    return _of_rate(terms, clause, rates[0]) if rates else SettlementOdds(clause, None, None, ())


def _of_rate(terms: Terms, clause: Settlement, rate: Rate) -> SettlementOdds:
    feed, target = rate.feed, float(clause.target)
    span = Span(clause.period.length_in(feed.grain), max(1, len(terms.providers_of(feed))))
    expected = float(rate.expected * span.releases)
    variance = _variance(feed, rate, target) * span.releases
    decide_at = float(clause.decide_at)
    truths = [round(target + distance / 100, 12) for distance in DISTANCES]
    odds = {
        truth: odds_of_deciding(truth, target, whole=expected, variance=variance, decide_at=decide_at)
        for truth in truths
        if 0 <= truth <= 1
    }
    return SettlementOdds(clause, feed.name, expected, tuple(odds.items()))


def _variance(feed: FeedTerms, rate: Rate, target: float) -> float:
    """Of part - target * whole, in one release."""
    noise = PlanNoise(make_plan(feed.design, feed.charge_nano), feed.design.sizes)
    together = noise.covariance(rate.part, rate.within, {}) if rate.part == rate.whole else 0.0
    part, whole = noise.variance(rate.part, rate.within), noise.variance(rate.whole, {})
    return part - 2 * target * together + target**2 * whole
