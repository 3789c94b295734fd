"""From noisy starts and exits to life tables: who was at risk, and who left, month by month since the start.

Exits are posted a fixed number of months, the lag L, after they happened, so the exits of month q after d months are of
the cohort that started in q - d - L. A cohort p is followed through month d where its starts and the exits of all of
p + L, ..., p + d + L are there. Over the cohorts followed so far,

    at risk(d) = sum_p [ starts(p) - sum_{d' < d} exits(p + d' + L, d') ],   exits(d) = sum_p exits(p + d + L, d),

sums of fitted cells with integer coefficients: unbiased, with exact covariances. Nobody is posted as censored at the
end: who is followed no further is in no later sum (Kaplan and Meier 1958). Units: persons and persons^2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from privacy.arrays import Flags, Floats


@dataclass(frozen=True, slots=True)
class Starts:
    """By cohort and row (cohorts x rows): noisy sums and their variances, and which cohorts are there."""

    values: Floats
    variances: Floats
    covered: Flags


@dataclass(frozen=True, slots=True)
class Exits:
    """Noisy sums of each period q (from the first cohort's period plus the lag on), kind i, month d and row.

    values: (periods x kinds x months x rows); kind 0 is all exits, each other one is a part of it. same, apart: noise
    covariance of kinds i and j in the same month and in two different ones (periods x kinds x kinds x rows): in one
    fitted table every month stands alike. Of different periods it is 0. covered: which periods are there.
    """

    values: Floats
    same: Floats
    apart: Floats
    covered: Flags


@dataclass(frozen=True, slots=True)
class LifeTables:
    """One life table a row. at_risk: (rows x months); exits: (rows x kinds x months), without kind 0.

    covariance: of the noise (rows x kinds x months x kinds x months), where kind 0 is at risk. followed: through which
    months any cohort was (rows x months); beyond them everything is 0.
    """

    at_risk: Floats
    exits: Floats
    covariance: Floats
    followed: Flags

    @property
    def at_risk_sd(self) -> Floats:
        """Of the noise (rows x months)."""
        variances = np.einsum("rmm->rm", self.covariance[:, 0, :, 0, :])
        return np.asarray(np.sqrt(np.maximum(variances, 0.0)))


def life_tables(starts: Starts, exits: Exits, cohorts: Sequence[int]) -> LifeTables:
    """The cohorts at these places together. Both sides have the same rows; exits reach as far as there are any."""
    kinds, months, rows = exits.values.shape[1:]
    follows = _follows(starts.covered, exits.covered, months)
    coefficients = [_coefficients(follows, cohorts, len(exits.covered), at_risk=kind == 0) for kind in range(kinds)]
    sums = np.stack([np.einsum("qde,qer->rd", a, exits.values[:, i]) for i, a in enumerate(coefficients)], axis=1)
    own = follows[list(cohorts)].astype(np.float64)
    sums[:, 0] += starts.values[list(cohorts)].T @ own
    covariance = np.zeros((rows, kinds, months, kinds, months))
    for i, j in product(range(kinds), repeat=2):
        covariance[:, i, :, j, :] = _covariance(
            coefficients[i], coefficients[j], exits.same[:, i, j], exits.apart[:, i, j]
        )
    covariance[:, 0, :, 0, :] += np.einsum("pd,pe,pr->rde", own, own, starts.variances[list(cohorts)])
    return LifeTables(sums[:, 0], sums[:, 1:], covariance, np.broadcast_to(own.any(axis=0), sums[:, 0].shape))


def followed_at_all(starts: Starts, exits: Exits) -> Flags:
    """Cohorts that are followed through month 0 at least, and so are in their life table."""
    return _follows(starts.covered, exits.covered, 1)[:, 0]


def _follows(starts: Flags, exits: Flags, months: int) -> Flags:
    """Whether a cohort is followed through a month (cohorts x months). exits: from the first cohort's lag on."""
    posted = np.zeros((len(starts), months), dtype=bool)
    for cohort, month in product(range(len(starts)), range(months)):
        posted[cohort, month] = cohort + month < len(exits) and exits[cohort + month]
    return np.asarray(starts[:, None] & np.logical_and.accumulate(posted, axis=1))


def _coefficients(follows: Flags, cohorts: Sequence[int], periods: int, *, at_risk: bool) -> Floats:
    """Of the exits of period q after d' months in the sum of month d (periods x d x d')."""
    months = follows.shape[1]
    found = np.zeros((periods, months, months))
    for cohort, before in product(cohorts, range(months)):
        if cohort + before < periods:
            if at_risk:
                found[cohort + before, before + 1 :, before] = -follows[cohort, before + 1 :].astype(np.float64)
            else:
                found[cohort + before, before, before] = float(follows[cohort, before])
    return found


def _covariance(left: Floats, right: Floats, same: Floats, apart: Floats) -> Floats:
    """Sum over periods of left (same - apart on the diagonal, apart everywhere) right^T, row by row."""
    diagonal = np.einsum("qde,qfe->qdf", left, right)
    everywhere = np.einsum("qd,qf->qdf", left.sum(axis=2), right.sum(axis=2))
    found: Floats = np.einsum("qr,qdf->rdf", same - apart, diagonal) + np.einsum("qr,qdf->rdf", apart, everywhere)
    return found


def joined(tables: Sequence[LifeTables]) -> LifeTables:
    """The rows of all, one after the other."""
    return LifeTables(
        np.concatenate([each.at_risk for each in tables]),
        np.concatenate([each.exits for each in tables]),
        np.concatenate([each.covariance for each in tables]),
        np.concatenate([each.followed for each in tables]),
    )
