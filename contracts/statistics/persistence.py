"""persistence_curve: how many of those who start a treatment are still on it after 1, 2, ... months."""

from collections.abc import Sequence

import numpy as np

from contracts.statistics.answers import Flag, Working
from contracts.statistics.cohorts import EXITS, MONTHS, REASON, STARTS, Followed, events_of, follow, months_of, notes_of
from contracts.statistics.columns import Column
from contracts.statistics.declarations import Computed, Figure, Statistic
from contracts.statistics.questions import Question
from contracts.statistics.quotients import number
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Rules, Terms
from privacy.arrays import Flags, Floats
from privacy.intervals import Interval
from privacy.life_tables import (
    Curve,
    band,
    first_at_most_half,
    never_rising,
    noise_ends,
    persistence,
    restricted_mean,
    simultaneous,
    total_ends,
)

BAND = (
    "persistence_band is the closest curve that never rises, with intervals that hold for all its months together; "
    "median_months is the first month by which it is at most one half, and its interval where the band allows that."
)


def _persistence_curve(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
    exits = slices[1].feed
    followed = follow(question, terms.rules, slices, [events_of(exits)])
    curve, usable = persistence(followed.hazards), followed.hazards.usable
    confidence = simultaneous(question.confidence, usable.sum(axis=1, keepdims=True))
    bands = [band(ends(curve, confidence), usable) for ends in (noise_ends, total_ends)]
    columns = [
        _pointwise(question, terms.rules, followed, curve),
        _banded(question, terms.rules, followed, curve, bands),
        _median(question, terms.rules, followed, curve, bands),
        _restricted_mean(question, terms.rules, followed),
    ]
    return Computed(columns, notes=(*notes_of(question, slices, followed), BAND))


def _pointwise(question: Question, rules: Rules, followed: Followed, curve: Curve) -> Column:
    usable = followed.hazards.usable
    months = usable.shape[1]

    def working(i: int) -> Working:
        row, month = divmod(i, months)
        if not usable[row, month]:
            return Working("too few are at risk", (), None, None, None)
        before = 1.0 if month == 0 else float(curve.values[row, month - 1])
        hazard = float(followed.hazards.values[row, :, month].sum())
        words = f"after {month} months * (1 - hazard of month {month}) = {number(before)} * (1 - {number(hazard)})"
        variance = float(curve.noise[row, month])
        return Working(f"{words} = {number(curve.values[row, month])}", (), None, variance, variance**0.5)

    return Column(
        followed.shape_by_month(question, rules),
        "persistence",
        "share",
        _where(usable, curve.values),
        _open(noise_ends(curve, question.confidence), usable),
        followed.hidden.ravel(),
        working,
        total=_open(total_ends(curve, question.confidence), usable),
        flags={Flag.FEW_AT_RISK: followed.few.ravel()},
    )


def _banded(question: Question, rules: Rules, followed: Followed, curve: Curve, bands: Sequence[Interval]) -> Column:
    usable = followed.hazards.usable
    noise, total = (_flat(each) for each in bands)
    return Column(
        followed.shape_by_month(question, rules),
        "persistence_band",
        "share",
        _where(usable, never_rising(curve, usable)),
        noise,
        followed.hidden.ravel(),
        lambda i: Working("the closest curve that never rises, in least squares", (), None, None, None),
        total=total,
        flags={Flag.FEW_AT_RISK: followed.few.ravel()},
    )


def _median(question: Question, rules: Rules, followed: Followed, curve: Curve, bands: Sequence[Interval]) -> Column:
    usable = followed.hazards.usable
    median = first_at_most_half(never_rising(curve, usable), usable)
    not_reached = np.asarray(usable.any(axis=1) & ~np.isfinite(median))
    noise, total = (_half_reached(each, usable) for each in bands)
    return Column(
        followed.shape(question, rules),
        "median_months",
        "whole months",
        [float(month) if np.isfinite(month) else None for month in median],
        noise,
        followed.hidden_rows,
        lambda i: Working("the first month by which persistence_band is at most 1/2", (), None, None, None),
        total=total,
        flags={Flag.FEW_AT_RISK: followed.few_rows, Flag.NOT_REACHED: not_reached},
    )


def _half_reached(found: Interval, usable: Flags) -> Interval:
    """From where the band's lower end lets the median be, to where its upper end has it be; else later than shown."""
    lower = np.minimum(first_at_most_half(found.lower, usable), usable.sum(axis=1) + 1.0)
    upper = first_at_most_half(found.upper, usable)
    return Interval(lower, upper, np.asarray((lower <= 1) & np.isinf(upper)), np.zeros(len(lower), dtype=bool))


def _restricted_mean(question: Question, rules: Rules, followed: Followed) -> Column:
    mean = restricted_mean(followed.hazards)
    last = np.array(followed.last, dtype=np.float64)[:, None]
    both = Curve(mean.values, mean.noise + mean.sampling, mean.sampling, mean.size)
    noise, total = (_flat(noise_ends(each, question.confidence, most=last)) for each in (mean, both))

    def working(i: int) -> Working:
        words = f"area under persistence over {followed.last[i]} months = {number(mean.values[i, 0])}"
        return Working(words, (), None, float(mean.noise[i, 0]), float(mean.noise[i, 0]) ** 0.5)

    return Column(
        followed.shape_to_last(question, rules),
        "restricted_mean_months",
        "months",
        _where(last > 0, mean.values),
        noise,
        followed.hidden_rows,
        working,
        total=total,
        flags={Flag.FEW_AT_RISK: followed.few_rows},
    )


def _where(usable: Flags, values: Floats) -> list[float | None]:
    return [float(value) if may else None for value, may in zip(values.ravel(), usable.ravel(), strict=True)]


def _open(found: Interval, usable: Flags) -> Interval:
    """The whole range where nothing is reckoned."""
    return _flat(
        Interval(
            np.where(usable, found.lower, 0.0),
            np.where(usable, found.upper, 1.0),
            np.asarray(~usable | found.unbounded),
            np.asarray(usable & found.empty),
        )
    )


def _flat(found: Interval) -> Interval:
    return Interval(found.lower.ravel(), found.upper.ravel(), found.unbounded.ravel(), found.empty.ravel())


def _most_figures(question: Question, feeds: Sequence[FeedTerms]) -> int:
    return 2 * len(months_of(feeds[1])) + 2


PERSISTENCE_CURVE = Statistic(
    name="persistence_curve",
    title="Persistence curve",
    estimand=(
        "Share of those who start a treatment in the periods asked who are still on it 1, 2, ... months later, if "
        "nobody were lost to follow-up; the month by which half have stopped; and the mean months on treatment within "
        "the months shown."
    ),
    formula="product over months of (1 - exits / at risk), at risk = starts - earlier exits of the cohorts followed",
    source=(
        "Kaplan and Meier, Nonparametric estimation from incomplete observations (1958); persistence: Cramer et al., "
        "Medication compliance and persistence (2008)"
    ),
    needs=(STARTS, EXITS),
    figures=(
        Figure("persistence", "share", "share still on treatment after months_since_start months"),
        Figure("persistence_band", "share", "the same as a curve that never rises; its intervals hold together"),
        Figure("median_months", "whole months", "first month by which at most half are on treatment"),
        Figure("restricted_mean_months", "months", "mean months on treatment within the first months_since_start"),
    ),
    interval_method=(
        "noise: delta method on the exact covariance of starts and exits; with sampling: Greenwood's variance (1926) "
        "in Rothman's quadratic (1978), Wilson's at its effective size; bands: Sidak (1967), cut to curves that never "
        "rise; median: where the band allows one half (Brookmeyer and Crowley 1982)"
    ),
    interval_covers="privacy noise: the curve of the posted persons themselves",
    total_interval_covers="privacy noise and sampling: the curve behind them, by Greenwood's variance",
    compute=_persistence_curve,
    own_dimensions=(MONTHS, REASON),
    whole_pools=True,
    compares=(),
    most_figures=_most_figures,
)
