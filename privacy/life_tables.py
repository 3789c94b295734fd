"""Curves of noisy life tables: persistence, restricted mean, cumulative incidence, with noise and total variances.

Discrete time: h_k(j) = exits_k(j) / at risk(j) is the hazard of kind k in month j, and

    S(t) = prod_{j < t} (1 - sum_k h_k(j))           persistence after t months (Kaplan and Meier 1958),
    F_k(t) = sum_{j < t} S(j) h_k(j)                 cumulative incidence of kind k (Aalen and Johansen 1978),
    A(t) = 1/2 + sum_{0 < j < t} S(j) + S(t) / 2     restricted mean: the area under straight lines between months.

Hazards are unclipped: clipped ones are biased (FORMULAS: a true 0.613 became 0.491). All variances are the delta
method's on the covariance of the hazards: of the noise, from the exact covariance of at risk and exits; of sampling,
(h_k [k = l] - h_k h_l) / at risk in each month, independent between months (Greenwood 1926; for incidence Marubini and
Valsecchi 1995, 10.3). Shapes: rows x kinds x months; t-th entries of curves are of t + 1 months.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from privacy.arrays import Flags, Floats
from privacy.cohorts import LifeTables
from privacy.intervals import Interval

AT_RISK_LEAST_SD = 5.0


@dataclass(frozen=True, slots=True)
class Hazards:
    """values: (rows x kinds x months), 0 from where a row is not `usable` on. noise, sampling: their covariances
    (rows x kinds x months x kinds x months). at_risk: (rows x months)."""

    values: Floats
    usable: Flags
    noise: Floats
    sampling: Floats
    at_risk: Floats


@dataclass(frozen=True, slots=True)
class Curve:
    """Values (rows x any) with the variances of their noise and of sampling, and, of shares, of how many persons a
    share would be as certain: its effective size."""

    values: Floats
    noise: Floats
    sampling: Floats
    size: Floats


def few_at_risk(tables: LifeTables) -> Flags:
    """From the first month on whose at-risk estimate is below 5 of its own sd, or not above 0 (rows x months)."""
    few = (tables.at_risk <= 0) | (tables.at_risk < AT_RISK_LEAST_SD * tables.at_risk_sd)
    return np.asarray(np.logical_or.accumulate(few & tables.followed, axis=1))


def hazards_of(tables: LifeTables) -> Hazards:
    """Of the months before too few are at risk, or nobody is followed any more."""
    usable = tables.followed & ~few_at_risk(tables)
    at_risk = np.where(usable, tables.at_risk, 1.0)
    values = np.where(usable[:, None], tables.exits / at_risk[:, None], 0.0)
    noise, sampling = _noise(tables, values, at_risk, usable), _sampling(values, at_risk, usable)
    return Hazards(values, usable, noise, sampling, at_risk)


def _noise(tables: LifeTables, hazards: Floats, at_risk: Floats, usable: Flags) -> Floats:
    """To first order: the noise of h = e / n is that of e - h n, over n."""
    c = tables.covariance
    left, right = hazards[:, :, :, None, None], hazards[:, None, None, :, :]
    found = c[:, 1:, :, 1:] - left * c[:, :1, :, 1:] - right * c[:, 1:, :, :1] + left * right * c[:, :1, :, :1]
    weights = np.where(usable, 1 / at_risk, 0.0)[:, None]
    return np.asarray(found * weights[:, :, :, None, None] * weights[:, None, None, :, :])


def _sampling(hazards: Floats, at_risk: Floats, usable: Flags) -> Floats:
    """Multinomial in each month. Clipped, since a variance is no estimate to be summed: below 0 it means nothing."""
    rows, kinds, months = hazards.shape
    clipped = np.clip(hazards, 0.0, 1.0)
    clipped /= np.maximum(clipped.sum(axis=1, keepdims=True), 1.0)
    found = np.zeros((rows, kinds, months, kinds, months))
    each = np.arange(months)
    inside = np.einsum("rkm,kl->mrkl", clipped, np.eye(kinds)) - np.einsum("rkm,rlm->mrkl", clipped, clipped)
    # Advanced indices on two axes: months come first.
    found[:, :, each, :, each] = inside * np.where(usable, 1 / at_risk, 0.0).T[:, :, None, None]
    return found


def persistence(hazards: Hazards) -> Curve:
    """S after 1, 2, ... months. Means nothing where a month is not usable."""
    return _curve(hazards, _survival(hazards), _survival_gradient(hazards), hazards.at_risk)


def restricted_mean(hazards: Hazards) -> Curve:
    """A, one a row, up to the last usable month, in months; 0 where there is none."""
    survival, gradient = _survival(hazards), _survival_gradient(hazards)
    usable = hazards.usable.astype(np.float64)
    last = usable - np.append(usable[:, 1:], np.zeros((len(usable), 1)), axis=1)
    weights = usable - last / 2
    value = (weights * survival).sum(axis=1, keepdims=True) + usable[:, :1] / 2
    return _curve(
        hazards, value, np.einsum("rt,rtkj->rkj", weights, gradient)[:, None], _last(hazards, hazards.at_risk)
    )


def incidence(hazards: Hazards, kind: int) -> Curve:
    """F of one kind up to the last usable month, one a row. Its gradient by h_l(j) is [l = k] S(j) less what later
    exits of kind k lose: (sum over d > j of S(d) h_k(d)) / (1 - h(j))."""
    begun = np.append(np.ones((len(hazards.usable), 1)), _survival(hazards)[:, :-1], axis=1)
    steps = begun * hazards.values[:, kind]
    later = steps.sum(axis=1, keepdims=True) - np.cumsum(steps, axis=1)
    gradient = -np.repeat((later / _stays(hazards))[:, None], hazards.values.shape[1], axis=1)
    gradient[:, kind] += begun
    return _curve(hazards, steps.sum(axis=1, keepdims=True), gradient[:, None], _last(hazards, hazards.at_risk))


def noise_ends(curve: Curve, confidence: Floats | float, *, most: Floats | float = 1.0) -> Interval:
    """Of the noise alone: value +- z sd, clipped to 0 and `most`. In simulation closer to its confidence than on the
    scale of log S, log -log S or the logit, which a noisy S near 0 or above 1 upsets."""
    arm = _z(confidence) * np.sqrt(curve.noise)
    return _clipped(curve.values - arm, curve.values + arm, most)


def total_ends(curve: Curve, confidence: Floats | float) -> Interval:
    """Of a share, noise and sampling: all x with (S - x)^2 <= z^2 (v + x (1 - x) / n), n the effective size.

    At zero noise Wilson's interval at n (Rothman 1978): S (1 - S) over Greenwood's variance. In simulation at least as
    close as Greenwood's plain, logarithmic and log-log intervals, most of all with few persons or exits.
    """
    z2 = _z(confidence) ** 2
    k = z2 / curve.size
    half = curve.values + k / 2
    root = np.sqrt(np.maximum(half**2 - (1 + k) * (curve.values**2 - z2 * curve.noise), 0.0))
    found = _clipped((half - root) / (1 + k), (half + root) / (1 + k), 1.0)
    inside = noise_ends(curve, confidence)  # beyond 0 and 1 there is no sampling: never narrower than the noise
    lower, upper = np.minimum(found.lower, inside.lower), np.maximum(found.upper, inside.upper)
    return Interval(lower, upper, np.asarray((lower <= 0) & (upper >= 1)), inside.empty)


def simultaneous(confidence: float, count: Floats) -> Floats:
    """The pointwise confidence at which `count` intervals hold together: its count-th root (Sidak 1967), for normal
    noise however it is correlated."""
    return np.asarray(confidence ** (1 / np.maximum(count, 1.0)))


def band(found: Interval, usable: Flags) -> Interval:
    """Of simultaneous intervals around a curve that never rises: each cut by what those of other months leave it.

    Beyond the usable months there is no lower end above 0, and the last upper one goes on to hold.
    """
    upper = np.minimum.accumulate(np.where(usable, found.upper, 1.0), axis=1)
    lower = np.maximum.accumulate(np.where(usable, found.lower, 0.0)[:, ::-1], axis=1)[:, ::-1]
    crossed = lower > upper
    middle = (lower + upper) / 2
    lower, upper = np.where(crossed, middle, lower), np.where(crossed, middle, upper)
    return Interval(lower, upper, np.asarray((lower <= 0) & (upper >= 1)), np.asarray(crossed))


def never_rising(curve: Curve, usable: Flags) -> Floats:
    """For show: the closest curve that never rises, in least squares (Barlow et al. 1972), and lies within 0 to 1."""
    # Loaded for the first curve: it takes longer than everything else that the command line needs.
    from scipy.optimize import isotonic_regression

    shown = np.zeros(curve.values.shape)
    for row, (values, may) in enumerate(zip(curve.values, usable, strict=True)):
        if may.any():
            shown[row, may] = np.clip(isotonic_regression(values[may], increasing=False).x, 0.0, 1.0)
    return shown


def first_at_most_half(curve: Floats, usable: Flags) -> Floats:
    """The first month by which a curve is at most one half (rows); infinite where it never is."""
    reached = usable & (curve <= 0.5)
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)


def _survival(hazards: Hazards) -> Floats:
    return np.cumprod(1 - hazards.values.sum(axis=1), axis=1)


def _stays(hazards: Hazards) -> Floats:
    """1 - h, kept off 0 as far as it is divided by."""
    stays = 1 - hazards.values.sum(axis=1)
    return np.where(np.abs(stays) < 1e-12, 1e-12, stays)


def _survival_gradient(hazards: Hazards) -> Floats:
    """dS(t) / dh_k(j) = -S(t) / (1 - h(j)) for j < t (rows x t x kinds x months)."""
    stays = _stays(hazards)
    months = stays.shape[1]
    before = np.tril(np.ones((months, months)))
    found = -np.cumprod(stays, axis=1)[:, :, None] / stays[:, None, :] * before
    return np.repeat(found[:, :, None, :], hazards.values.shape[1], axis=2)


def _curve(hazards: Hazards, values: Floats, gradient: Floats, at_risk: Floats) -> Curve:
    """gradient: (rows x entries x kinds x months). at_risk: in the last month of each entry."""
    noise, sampling = (
        np.maximum(np.einsum("rtkj,rkjli,rtli->rt", gradient, covariance, gradient, optimize=True), 0.0)
        for covariance in (hazards.noise, hazards.sampling)
    )
    with np.errstate(all="ignore"):
        size = np.where(sampling > 0, values * (1 - values) / sampling, 0.0)
    # No fewer than those who are still at risk, and no more than those who ever were.
    return Curve(values, noise, sampling, np.clip(size, at_risk, np.maximum(at_risk, hazards.at_risk[:, :1])))


def _last(hazards: Hazards, figures: Floats) -> Floats:
    """Of each row the figure of its last usable month (rows x 1)."""
    last = np.maximum(hazards.usable.sum(axis=1) - 1, 0)
    return np.take_along_axis(figures, last[:, None], axis=1)


def _clipped(lower: Floats, upper: Floats, most: Floats | float) -> Interval:
    empty = np.asarray((upper < 0) | (lower > most))
    lower, upper = np.clip(lower, 0.0, most), np.clip(upper, 0.0, most)
    return Interval(lower, upper, np.asarray((lower <= 0) & (upper >= most)), empty)


def _z(confidence: Floats | float) -> Floats:
    """Not `z_value`: a band's is above 0.999, and a median is looked for at many."""
    z: Floats = np.vectorize(NormalDist().inv_cdf, otypes=[np.float64])(0.5 + np.asarray(confidence) / 2)
    return z
