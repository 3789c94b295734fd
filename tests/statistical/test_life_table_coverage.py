"""Coverage of the intervals of life tables by simulation. False alarms: below 1e-6 (z = 4.9 below 94%)."""

import numpy as np
import pytest

from privacy.arrays import Flags, Floats
from privacy.cohorts import Exits, Starts, life_tables
from privacy.intervals import Interval
from privacy.life_tables import Hazards, band, hazards_of, incidence, noise_ends, persistence, simultaneous, total_ends

pytestmark = pytest.mark.slow

COHORTS, MONTHS, TIMES, SIGMA, AFTER = 18, 8, 4000, 10.0, 6
STOPS, SWITCHES, LEAVES = 0.08, 0.02, 0.02
LEAST = 0.94 - 4.9 * (0.94 * 0.06 / TIMES) ** 0.5


def held(found: Interval, truth: Floats) -> Flags:
    return np.asarray((found.lower <= truth) & (found.upper >= truth))


def test_intervals_of_curves_and_incidence_hold_as_often_as_they_say() -> None:
    """300 start in each month; every exit cell, of three reasons, and every start has noise of sd 10."""
    rng = np.random.default_rng(20)
    started = np.full((COHORTS, TIMES), 300)
    cells = np.zeros((COHORTS, 3, MONTHS, TIMES))
    for cohort in range(COHORTS):
        left = started[cohort].copy()
        for month in range(min(MONTHS, COHORTS - cohort)):
            for reason, share in enumerate((STOPS, SWITCHES / (1 - STOPS), LEAVES)):
                cells[cohort + month, reason, month] = now = rng.binomial(left, share)
                left = left - now
    noisy = cells + rng.normal(0, SIGMA, cells.shape)
    variance = np.array([[3, 1, 1], [1, 1, 0], [1, 0, 1]])[None, :, :, None] * np.full((COHORTS, 1, 1, TIMES), SIGMA**2)
    covered = np.ones(COHORTS, dtype=bool)

    def tables(starts: Floats, exits: Floats, scale: float) -> Hazards:
        shown = np.stack([exits.sum(axis=1), exits[:, 0], exits[:, 1]], axis=1)
        noise = np.full((COHORTS, TIMES), scale * SIGMA**2)
        made = Exits(shown, scale * variance, 0 * variance, covered)
        return hazards_of(life_tables(Starts(starts, noise, covered), made, range(COHORTS)))

    hazards = tables(started + rng.normal(0, SIGMA, started.shape), noisy, 1.0)
    exact = persistence(tables(started.astype(np.float64), cells, 0.0)).values
    curve, usable = persistence(hazards), hazards.usable
    behind = np.cumprod(np.full(MONTHS, 1 - STOPS - SWITCHES))
    last = usable.sum(axis=1)
    switched = SWITCHES / (STOPS + SWITCHES) * (1 - behind[last - 1])[:, None]
    together = simultaneous(0.95, last[:, None].astype(np.float64))

    assert usable[:, :AFTER].all()
    assert held(noise_ends(curve, 0.95), exact)[:, AFTER - 1].mean() > LEAST
    assert held(total_ends(curve, 0.95), behind)[:, AFTER - 1].mean() > LEAST
    assert (held(band(noise_ends(curve, together), usable), exact) | ~usable).all(axis=1).mean() > LEAST
    assert (held(band(total_ends(curve, together), usable), behind) | ~usable).all(axis=1).mean() > LEAST
    assert held(total_ends(incidence(hazards, 1), 0.95), switched).mean() > LEAST
