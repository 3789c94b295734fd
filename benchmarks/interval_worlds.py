"""What the interval study measures: posted people of one size and the noise on them, all draws at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from privacy.arrays import Floats, Vector
from privacy.contrasts import Rate
from privacy.inference import FittedTable, fit
from privacy.mechanism import NoiseSource
from privacy.plan import Draw

PERIODS, PROVIDERS = 12, 3
RELEASES = PERIODS * PROVIDERS
# The fitted table: strata with their shares, two bands. Its margins are drawn with so many times the sd; the exact one
# of the bands makes the strata's errors depend on one another.
STRATA = (0.6, 0.2, 0.6, 0.2)
DIMENSIONS = ("draw", "stratum", "band")
FITTED_MARGINS = {DIMENSIONS: 1.0, ("draw", "stratum"): 1.5, ("draw", "band"): 0.5}


@dataclass(frozen=True, slots=True)
class Noise:
    """Of one budget. cells: two rows a period, of the part and of the rest. margins: of the fitted table, all draws in
    one vector."""

    sd: float
    cells: Floats
    margins: dict[tuple[str, ...], Vector]

    @classmethod
    def draw(cls, source: NoiseSource, sd: float, draws: int) -> "Noise":
        """The sampler lets go of the interpreter: two threads draw side by side."""
        entries: dict[tuple[str, ...], int] = {("draw", "stratum"): draws * len(STRATA), ("draw", "band"): draws * 2}
        with ThreadPoolExecutor(2) as pool:
            rows = list(pool.map(lambda _: source.add_noise(np.zeros(draws, np.int64), sd), range(2 * PERIODS)))
        margins = {m: source.add_noise(np.zeros(n, np.int64), sd * FITTED_MARGINS[m]) for m, n in entries.items()}
        return cls(sd, np.array(rows, dtype=np.float64), margins)

    def summed(self, cell: int) -> Floats:
        """Over all periods and providers. A provider's rows are the first one's, shifted, in every period by another
        distance: within a draw all noise is independent, and two draws share that of few releases."""
        shifts = [
            (period, 1009 * (period + 1) * provider) for period in range(PERIODS) for provider in range(PROVIDERS)
        ]
        total: Floats = np.sum([np.roll(self.cells[2 * period + cell], shift) for period, shift in shifts], axis=0)
        return total

    @property
    def draws(self) -> int:
        return int(self.cells.shape[1])


class World:
    """The posted people of one size and their noise: what an answer would be made from, all draws at once."""

    def __init__(self, noise: Noise, people: int, covers: str, seed: int = 20250101) -> None:
        self.noise, self.people, self.covers = noise, people, covers
        self.sampled = covers == "total"
        self.variance = np.full(noise.draws, float(noise.sd) ** 2)
        self._random = np.random.default_rng(seed)

    def truth(self, share: float) -> float:
        return share if self.sampled else round(share * self.people) / self.people

    def parts(self, share: float) -> Floats:
        """Exact counts behind a share of one provider's cell."""
        if self.sampled:
            return self._random.binomial(self.people, share, self.noise.draws).astype(np.float64)
        return np.full(self.noise.draws, float(round(share * self.people)))

    def disjoint(self, share: float, first: int = 0) -> Rate:
        """The part and the rest are cells of one table; the whole is their sum."""
        part, (a, b), v = self.parts(share), self.noise.cells[first : first + 2], self.variance
        return Rate(part + a, self.people + a + b, v, 2 * v, v, self.sampled)

    def nested(self, share: float) -> Rate:
        """The part and the whole are two measures, each with its own noise."""
        part, (a, b), v = self.parts(share), self.noise.cells[:2], self.variance
        return Rate(part + a, self.people + b, v, v, 0 * v, self.sampled)

    def summed(self, share: float) -> Rate:
        """Over all periods and providers. The same people in every period: sampling counts so many times."""
        part = PERIODS * sum(self.parts(share) for _ in range(PROVIDERS))
        a, b, v = self.noise.summed(0), self.noise.summed(1), RELEASES * self.variance
        return Rate(part + a, RELEASES * self.people + a + b, v, 2 * v, v, PERIODS * self.sampled)

    @cached_property
    def table(self) -> FittedTable:
        """The fitted tables of all draws: a dimension that every margin holds is fitted value by value."""
        adherent = np.stack([self.parts(share) for share in STRATA], axis=1)
        exact = np.stack([adherent, self.people - adherent], axis=2)
        noise = {DIMENSIONS: self.noise.cells[:8].T} | self.noise.margins
        drawn = []
        for margin, vector in noise.items():
            sums = exact.sum(axis=tuple(axis for axis, name in enumerate(DIMENSIONS) if name not in margin))
            noisy = (sums.ravel() + vector.ravel()).astype(np.int64)
            drawn.append((Draw("members", margin, "1", 1, 1), noisy, (self.noise.sd * FITTED_MARGINS[margin]) ** 2))
        return fit(exact.shape, DIMENSIONS, drawn)

    def covariance(self, left: "Cells", right: "Cells") -> Floats:
        """Within each draw: the covariance of one, seen as a table of its own."""
        one = np.eye(1, self.noise.draws)
        return np.full(self.noise.draws, self.table.covariance([one, *left], [one, *right]).item())

    def fitted(self, stratum: int) -> Rate:
        """The share of a stratum of the fitted table."""
        part, whole = cells(stratum, 0), cells(stratum)
        return Rate(
            self.table.values[:, stratum, 0],
            self.table.values[:, stratum].sum(axis=1),
            self.covariance(part, part),
            self.covariance(whole, whole),
            self.covariance(part, whole),
            self.sampled,
        )


Cells = tuple[Floats, Floats]


def cells(stratum: int, band: int | None = None) -> Cells:
    """The groups of the fitted table that pick a stratum, of one band or both."""
    return np.eye(1, 4, stratum), np.ones((1, 2)) if band is None else np.eye(1, 2, band)
