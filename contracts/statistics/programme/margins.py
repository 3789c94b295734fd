"""Margins of the two parties' feeds over the same rows, strata and stretches of time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.periods import Period
from contracts.statistics.answers import Key, Term
from contracts.statistics.questions import Bucket, Filter
from contracts.statistics.slices import Slice
from privacy.arrays import Floats
from privacy.bounds import Noisy


@dataclass(frozen=True, slots=True)
class Margin:
    """strata: (rows x strata); totals: (rows), whose variance is that of the fitted totals."""

    name: str
    strata: Noisy
    totals: Noisy

    def less(self, other: "Margin", name: str) -> "Margin":
        """What is left of it; the two are of different measures, whose noise is independent."""
        strata, totals = (
            Noisy(whole.values - part.values, whole.variances + part.variances)
            for whole, part in ((self.strata, other.strata), (self.totals, other.totals))
        )
        return Margin(name, strata, totals)

    def term(self, i: int) -> Term:
        variance = max(float(self.totals.variances[i]), 0.0)
        return Term(self.name, float(self.totals.values[i]), variance, float(np.sqrt(variance)))


class Cut:
    """A slice that goes by its own periods first, then by the rows of the answer, then by strata within these."""

    def __init__(self, part: Slice, rows_by: Sequence[str]) -> None:
        self._part, self._whole = part, part.coarser((part.feed.grain, *rows_by))
        grain, keys = part.feed.grain, part.keys
        self.periods = [Period.parse(period, grain) for period in dict.fromkeys(key[grain] for key in keys)]
        strata = keys[: len(keys) // len(self.periods)]
        rows = dict.fromkeys(tuple(key[name] for name in rows_by) for key in strata)
        self.rows: list[Key] = [dict(zip(rows_by, row, strict=True)) for row in rows]
        self._shape = (len(self.periods), len(rows), len(strata) // len(rows))
        self.covered = ~part.missing.reshape(self._shape)[:, 0, 0]

    def margin(self, name: str, measure: str, cells: Filter, over: Floats) -> Margin:
        """The sums of a measure over some cells. over: how much each period counts in each stretch of time."""
        estimate = self._part.estimate(measure, cells)
        values, variances = (each.reshape(self._shape) for each in (estimate.values, estimate.variances))
        # The noise of the strata goes together, as that of parts of one fitted table.
        of_totals = self._whole.estimate(measure, cells).variances.reshape(self._shape[:2])
        strata = Noisy(_over(over, values), _over(over**2, variances))
        return Margin(name, strata, Noisy(_over(over, values.sum(axis=2)), _over(over**2, of_totals)))


def weights_of(payers: Cut, brand: Cut, buckets: Sequence[Bucket]) -> tuple[Floats, Floats]:
    """How much each period counts in each stretch: of the payers each that both sides cover, once; of the brand those
    within one of these, as their mean."""
    within = np.array([[b.rolled_up_to(p.grain) == p for b in brand.periods] for p in payers.periods])
    lengths = np.array([period.length_in(brand.periods[0].grain) for period in payers.periods])
    usable = payers.covered & ((within & brand.covered).sum(axis=1) == lengths)
    taken = np.array([[period in bucket.periods for period in payers.periods] for bucket in buckets]) & usable
    return taken * 1.0, taken @ (within / lengths[:, None])


def _over(weights: Floats, entries: Floats) -> Floats:
    """(stretches x periods) times (periods x rows x ...): the rows of each stretch, one after the other."""
    found = np.tensordot(weights, entries, axes=1)
    return found.reshape(-1, *found.shape[2:])
