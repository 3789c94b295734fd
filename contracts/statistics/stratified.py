"""Rates of a slice by the strata of a standard, with the noise that they share.

The strata are those of one fitted table, so their estimates go together; sums of them need all covariances.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from contracts.statistics.columns import Shape
from contracts.statistics.masks import in_small_cell, persons_behind
from contracts.statistics.questions import Filter
from contracts.statistics.slices import Slice
from contracts.terms import FeedTerms, Standard
from privacy.arrays import Flags, Floats
from privacy.contrasts import Rate
from privacy.standardisation import Form, Strata

# Weighs nothing against nothing: what it standardises is crude.
CRUDE = Standard("crude", "none", (), {(): 1})


@dataclass(frozen=True, slots=True)
class Amount:
    """What a rate is made of: a measure, of the cells with these values of dimensions that the statistic uses."""

    measure: str
    narrowed: Filter = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.measure + "".join(f" of {' or '.join(values)}" for values in self.narrowed.values())


@dataclass(frozen=True, slots=True)
class Quotient:
    """scale * part / whole. share: the part is of the whole, in persons, so that sampling is identified too.
    of_persons: whether it counts persons; else, of days for instance, the noise alone is known."""

    name: str
    unit: str
    part: Amount
    whole: Amount
    share: bool
    of_persons: bool = False
    scale: float = 1.0


class Stratified:
    """A slice cut by the strata of a standard, and by `own`, the dimensions that amounts are narrowed in."""

    def __init__(self, part: Slice, standard: Standard, own: tuple[str, ...]) -> None:
        self.part = part
        self._own = own
        self._over = (*standard.by, *own)
        self._by_stratum = part.finer(standard.by)
        self._finest = part.finer(self._over)
        self.weights = weights_of(standard, part.feed)
        self.rows = len(part.missing)

    def strata(self, quotient: Quotient, *, sampled: bool) -> Strata:
        """sampled: with the noise sampling too."""
        part, whole = quotient.part, quotient.whole
        a, m = (self._by_stratum.estimate(amount.measure, amount.narrowed) for amount in (part, whole))
        together = np.zeros(np.shape(a.values))
        if part.measure == whole.measure:
            together = self._by_stratum.covariance(part.measure, part.narrowed, whole.narrowed)
        rate = Rate(
            self._as_strata(a.values),
            self._as_strata(m.values),
            self._as_strata(a.variances),
            self._as_strata(m.variances),
            self._as_strata(together),
            self.part.periods_covered[:, None] if sampled else 0,
        )
        return Strata(rate, self.weights, quotient.share, lambda x, r: self._form(quotient, x, r), self.covariance)

    def covariance(self, left: Form, right: Form) -> Floats:
        """Noise of different measures is independent."""
        found = np.zeros(self.rows)
        for measure in left.keys() & right.keys():
            first, second = left[measure].ravel(), right[measure].ravel()
            found += self._finest.combined_covariance(measure, first, second, self._over)
        return found

    def covariance_with_whole(self, form: Form, whole: Form, pools: int) -> Floats:
        """Noise covariance, row by row, with a weighted sum over all rows of its stretch of time. whole: the form of
        that, one row a stretch."""
        found = np.zeros(self.rows)
        for measure in form.keys() & whole.keys():
            weights = np.repeat(whole[measure], self.rows // pools, axis=0)
            shared = self._finest.covariances_with(measure, weights.ravel()).reshape(self.rows, -1)
            found += (form[measure].reshape(self.rows, -1) * shared).sum(axis=1)
        return found

    def hidden(self, shape: Shape, *quotients: Quotient) -> Flags:
        """Rows with few persons in what their figure is made of, the strata that count taken together."""
        found = np.zeros(self.rows, dtype=bool)
        for quotient in quotients:
            part, whole = (self._counted(each.measure, each) for each in (quotient.part, quotient.whole))
            rest = (whole - part,) if quotient.share else ()
            behind = (self._counted(name, each) for each in (quotient.part, quotient.whole)
                      for name in persons_behind(self.part.feed, each.measure))  # fmt: skip
            for sums in (part, whole, *rest, *behind):
                found |= in_small_cell(sums, shape.mask_below)
        return found

    def _counted(self, measure: str, amount: Amount) -> Floats:
        values = self._as_strata(self._by_stratum.estimate(measure, amount.narrowed).values)
        return np.asarray(values[:, self.weights > 0].sum(axis=1))

    def _form(self, quotient: Quotient, coefficients: Floats, rates: Floats) -> Mapping[str, Floats]:
        found: dict[str, Floats] = {}
        for amount, weights in ((quotient.part, coefficients), (quotient.whole, -coefficients * rates)):
            cells = weights[:, :, None] * self._indicator(amount.narrowed)
            found[amount.measure] = found.get(amount.measure, 0.0) + cells
        return found

    def _indicator(self, narrowed: Filter) -> Floats:
        """One of the cells of the own dimensions that are counted."""
        cells = product(*(self.part.feed.vocabularies[name] for name in self._own))
        kept = [all(value in narrowed.get(name, (value,)) for name, value in zip(self._own, cell, strict=True))
                for cell in cells]  # fmt: skip
        return np.array(kept, dtype=np.float64)

    def _as_strata(self, rows: Floats) -> Floats:
        return rows.reshape(self.rows, len(self.weights))


def weights_of(standard: Standard, feed: FeedTerms) -> Floats:
    """In the order of the feed's strata, with the sum 1."""
    strata = product(*(feed.groups_by(name) for name in standard.by))
    weights = np.array([standard.weights[stratum] for stratum in strata], dtype=np.float64)
    return np.asarray(weights / weights.sum())
