"""From estimates to rows: intervals, the small-cell rule, and the difference between zero, masked and missing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.statistics.answers import Ends, Flag, Key, Row, State
from contracts.statistics.slices import Estimate, Slice
from privacy.arrays import Flags, Floats
from privacy.intervals import Interval, count_interval, rate_interval


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rows of a figure share."""

    keys: list[Key]
    missing: Flags
    partial: Flags
    confidence: float
    mask_below: int | None

    @classmethod
    def of(cls, part: Slice, confidence: float, mask_below: int | None) -> "Shape":
        return cls(part.keys, part.missing, part.partial, confidence, mask_below)


def masked(values: Floats, mask_below: int | None) -> Flags:
    """Where the small-cell rule hides a noisy count: rounded, from 1 to one below `mask_below`.

    A display rule of the contract on noisy values; protection comes from the noise.
    """
    if mask_below is None:
        return np.zeros(np.shape(values), dtype=bool)
    shown = np.rint(values)
    return np.asarray((shown >= 1) & (shown < mask_below))


def count_rows(shape: Shape, figure: str, unit: str, estimate: Estimate) -> list[Row]:
    """Counts with the interval of their noise."""
    interval = count_interval(estimate.values, estimate.variances, shape.confidence)
    hidden = masked(estimate.values, shape.mask_below)
    return _rows(shape, figure, unit, values=list(estimate.values), interval=interval, hidden=hidden)


def rate_rows(
    shape: Shape,
    figure: str,
    part: Estimate,
    whole: Estimate,
    *,
    covariance: Floats | None = None,
    sampling_periods: Floats | None = None,
    also_hidden: Flags | None = None,
) -> list[Row]:
    """part / whole with Fieller intervals, total ones too where sampling_periods says how many periods were pooled.

    A rate is masked with its parts. It has no value where the whole is estimated at zero or below.
    """
    none = np.zeros(np.shape(part.values))
    noise, total = (
        rate_interval(
            part.values,
            whole.values,
            part_variance=part.variances,
            whole_variance=whole.variances,
            covariance=none if covariance is None else covariance,
            confidence=shape.confidence,
            sampling_periods=periods,
        )
        for periods in (none, none if sampling_periods is None else sampling_periods)
    )
    hidden = masked(part.values, shape.mask_below) | masked(whole.values, shape.mask_below)
    if also_hidden is not None:
        hidden = hidden | also_hidden
    values = [a / m if m > 0 else None for a, m in zip(part.values.tolist(), whole.values.tolist(), strict=True)]
    return _rows(
        shape,
        figure,
        "share",
        values=values,
        interval=noise,
        hidden=hidden,
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
    total: Interval | None = None,
) -> list[Row]:
    rows = []
    for i, key in enumerate(shape.keys):
        state = State.MISSING if shape.missing[i] else State.SUPPRESSED if hidden[i] else State.SHOWN
        shown = state is State.SHOWN
        value = values[i]
        rows.append(
            Row(
                key=key,
                figure=figure,
                unit=unit,
                state=state,
                value=None if value is None or not shown else float(value),
                interval=_ends(interval, i) if shown else None,
                total_interval=_ends(total, i) if shown and total is not None else None,
                flags=_flags(shape, interval, i, shown),
            )
        )
    return rows


def _ends(interval: Interval, i: int) -> Ends:
    return Ends(float(interval.lower[i]), float(interval.upper[i]))


def _flags(shape: Shape, interval: Interval, i: int, shown: bool) -> tuple[Flag, ...]:
    flags = {
        Flag.PARTIAL_PERIODS: bool(shape.partial[i]),
        Flag.WHOLE_RANGE: shown and bool(interval.unbounded[i]),
        Flag.NEAREST_END: shown and bool(interval.empty[i]),
    }
    return tuple(flag for flag, holds in flags.items() if holds)


def _upper_limit(row: Row) -> Row:
    ends = None if row.interval is None else Ends(None, row.interval.upper)
    return Row(
        row.key, row.figure, row.unit, row.state, None, ends, None, (*row.flags, Flag.UPPER_LIMIT_ONLY)
    )  # fmt: skip
