"""The mean of something from 0 to 1 over persons, such as a share of days covered: how far sampling moves it.

Sums over persons alone do not tell how far persons differ. A histogram of the same thing bounds it: for x between the
edges l and u of a band, x^2 <= (l + u) x - l u, the chord above the parabola, with equality at the edges. Summed over
persons this needs each band's sum and its number of persons alone, and it is linear in both, so noise does not bias
it. With the one band from 0 to 1 the bound on the variance is that of Bhatia and Davis, A better bound on the variance
(2000): mean * (1 - mean), which is Wilson's term.

Near its end of the range hardly anyone may differ from the others, and a histogram that happens to hold none of them
says that nobody does. So it is believed only where its persons differ by as much as `ENOUGH` at the very ends; else
the term is Wilson's, which needs no histogram. Simulated coverage: tests/statistical/test_bounded_means.py.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from privacy.arrays import Floats
from privacy.contrasts import Rate

ENOUGH = 8.0
# Fewer than this are none, and a quotient by them would be infinite.
_SOMEBODY = 1e-6


def squares_at_most(sums: Sequence[Floats], persons: Sequence[Floats], edges: Sequence[tuple[float, float]]) -> Floats:
    """An upper bound on the sum of x^2 over all persons, from bands with these edges.

    sums, persons: of each band the sum of x and how many there are, one entry a row; unclipped estimates.
    """
    bands = zip(sums, persons, edges, strict=True)
    chords = [(low + high) * summed - low * high * count for summed, count, (low, high) in bands]
    bound: Floats = np.sum(chords, axis=0)
    return bound


def with_sampling(rate: Rate, squares: Floats, periods: Floats) -> Rate:
    """The same mean with sampling beside its noise. squares: as `squares_at_most`. periods: P, how many periods of the
    same persons were pooled.

    For a mean R the term is P * sum of (x - R)^2 = P * (squares - 2 R * part + R^2 * whole): quadratic in R as the
    variance of noise is, v_a - 2 R c + R^2 v_m, so it adds to these three. Where the squares are not enough above what
    Cauchy and Schwarz ask of them, part^2 / whole, it is Wilson's term instead, as `sampling_periods`.
    """
    whole = np.maximum(rate.whole, 0.0)
    least = np.divide(rate.part**2, whole, out=np.zeros(np.shape(whole)), where=whole > _SOMEBODY)
    believed = squares - least >= ENOUGH * periods
    times = np.where(believed, periods, 0.0)
    return replace(
        rate,
        part_variance=rate.part_variance + times * squares,
        whole_variance=rate.whole_variance + times * whole,
        covariance=rate.covariance + times * rate.part,
        sampling_periods=np.where(believed, 0.0, periods),
    )
