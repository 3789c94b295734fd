"""From estimates to rows: values, intervals, how they were reckoned, and whether they may be shown at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from contracts.statistics.answers import Ends, Flag, Key, Row, State, Term, Working
from contracts.statistics.masks import Figure, in_small_cell
from contracts.statistics.questions import Question
from contracts.statistics.slices import Slice
from contracts.terms import Rules
from privacy.arrays import Flags, Floats
from privacy.intervals import Interval, count_interval, rate_interval


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rows of a figure share. flags: what to know of a row whatever its value."""

    keys: list[Key]
    missing: Flags
    flags: Mapping[Flag, Flags]
    confidence: float
    mask_below: int | None
    explain: bool

    @classmethod
    def of(cls, question: Question, rules: Rules, *parts: Slice) -> "Shape":
        """Of rows that need all the parts, which are cut alike: missing or partial where any of them is."""
        flags = {
            Flag.PARTIAL_PERIODS: np.logical_or.reduce([part.partial for part in parts]),
            Flag.PARTIAL_POOL: np.logical_or.reduce([part.partial_pool for part in parts]),
        }
        missing = np.logical_or.reduce([part.missing for part in parts])
        return cls(parts[0].keys, missing, flags, question.confidence, rules.mask_below, question.explain)


def count_rows(shape: Shape, unit: str, count: Figure) -> list[Row]:
    """Counts with the interval of their noise."""
    estimate = count.estimate
    interval = count_interval(estimate.values, estimate.variances, shape.confidence, fitted=estimate.fitted)

    def working(i: int) -> Working:
        term = _term(count, i)
        return Working(f"{count.name} = {_number(term.estimate)}", (term,), None, term.variance, term.sd)

    values = estimate.values.tolist()
    return _rows(shape, count.name, unit, values=values, interval=interval, hidden=count.hidden, working=working)


def rate_rows(
    shape: Shape,
    figure: str,
    part: Figure,
    whole: Figure,
    *,
    covariance: Floats | None = None,
    sampling_periods: Floats | None = None,
) -> list[Row]:
    """part / whole with Fieller intervals, total ones too where sampling_periods says how many periods were pooled.

    A rate is masked with its parts and with what remains of the whole. It has no value where the whole is estimated at
    zero or below.
    """
    a, m = part.estimate, whole.estimate
    none = np.zeros(np.shape(a.values))
    together = none if covariance is None else covariance
    noise, total = (
        rate_interval(
            a.values,
            m.values,
            part_variance=a.variances,
            whole_variance=m.variances,
            covariance=together,
            confidence=shape.confidence,
            sampling_periods=periods,
        )
        for periods in (none, none if sampling_periods is None else sampling_periods)
    )
    values = [x / y if y > 0 else None for x, y in zip(a.values.tolist(), m.values.tolist(), strict=True)]
    return _rows(
        shape,
        figure,
        "share",
        values=values,
        interval=noise,
        hidden=part.hidden | whole.hidden | in_small_cell(m.values - a.values, shape.mask_below),
        working=lambda i: _rate_working(_term(part, i), _term(whole, i), float(together[i])),
        total=None if sampling_periods is None else total,
    )


def upper_limit_rows(rows: Sequence[Row]) -> list[Row]:
    """The same rows where only an upper limit is identified."""
    return [_upper_limit(row) for row in rows]


def _rows(
    shape: Shape,
    figure: str,
    unit: str,
    *,
    values: Sequence[float | None],
    interval: Interval,
    hidden: Flags,
    working: Callable[[int], Working],
    total: Interval | None = None,
) -> list[Row]:
    """One row a key. Whatever could tell a value is left out of a row that does not show it."""
    rows = []
    for i, key in enumerate(shape.keys):
        state = State.MISSING if shape.missing[i] else State.SUPPRESSED if hidden[i] else State.SHOWN
        shown = state is State.SHOWN
        rows.append(
            Row(
                key=key,
                figure=figure,
                unit=unit,
                state=state,
                value=values[i] if shown else None,
                interval=_ends(interval, i) if shown else None,
                total_interval=_ends(total, i) if shown and total is not None else None,
                flags=_flags(shape, interval, i, shown),
                working=working(i) if shown and shape.explain else None,
            )
        )
    return rows


def _ends(interval: Interval, i: int) -> Ends:
    return Ends(float(interval.lower[i]), float(interval.upper[i]))


def _flags(shape: Shape, interval: Interval, i: int, shown: bool) -> tuple[Flag, ...]:
    flags = {flag: bool(holds[i]) for flag, holds in shape.flags.items()} | {
        Flag.WHOLE_RANGE: shown and bool(interval.unbounded[i]),
        Flag.NEAREST_END: shown and bool(interval.empty[i]),
    }
    return tuple(flag for flag, holds in flags.items() if holds)


def _term(figure: Figure, i: int) -> Term:
    variance = float(figure.estimate.variances[i])
    return Term(figure.name, float(figure.estimate.values[i]), variance, sqrt(variance))


def _rate_working(part: Term, whole: Term, covariance: float) -> Working:
    """The variance of the quotient to first order: (v_a - 2 R c + R^2 v_m) / m^2."""
    words = f"{part.name} / {whole.name} = {_number(part.estimate)} / {_number(whole.estimate)}"
    if whole.estimate <= 0:
        return Working(f"{words}, which is no share", (part, whole), covariance, None, None)
    rate = part.estimate / whole.estimate
    variance = (part.variance - 2 * rate * covariance + rate**2 * whole.variance) / whole.estimate**2
    variance = max(variance, 0.0)  # below it by rounding alone
    return Working(f"{words} = {_number(rate)}", (part, whole), covariance, variance, sqrt(variance))


def _number(value: float) -> str:
    """Ten digits: enough to reckon with, and without the last bits of a double."""
    return f"{value + 0.0:.10g}"


def _upper_limit(row: Row) -> Row:
    ends = None if row.interval is None else Ends(None, row.interval.upper)
    working = row.working and replace(row.working, formula="only an upper limit is identified", variance=None, sd=None)
    flags = (*row.flags, Flag.UPPER_LIMIT_ONLY)
    return replace(row, value=None, interval=ends, total_interval=None, flags=flags, working=working)
