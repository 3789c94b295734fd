"""Noise sources that are wrong in one way each. The checks that the real one passes must catch every one."""

import numpy as np

from privacy.arrays import Vector

_random = np.random.default_rng(20250101)


def _gaussian(size: int, sigma: float) -> Vector:
    """Discrete Gaussian by inversion: right in distribution, so that a mutant is wrong in one way only."""
    reach = int(12 * sigma) + 2
    support = np.arange(-reach, reach + 1)
    mass = np.exp(-(support.astype(np.float64) ** 2) / (2 * sigma**2))
    noise: Vector = _random.choice(support, size, p=mass / mass.sum()).astype(np.int64)
    return noise


class Right:
    """Right in distribution; fails only where it matters that a fork or a second start draws anew."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + _gaussian(exact.size, sigma)


class Silent:
    """Adds nothing."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact.copy()


class SharedByAllCells:
    """One draw for the whole vector."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + _gaussian(1, sigma)[0]


class SharedByNeighbours:
    """One draw for each pair of cells."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + np.repeat(_gaussian((exact.size + 1) // 2, sigma), 2)[: exact.size]


class SharedByCalls:
    """The same draws at every call, as from a generator seeded anew each time."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + np.rint(np.random.default_rng(1).normal(0, sigma, exact.size)).astype(np.int64)


class SharedByPairsOfCalls:
    """Every second call gives back the draws of the one before it, as two measures of one period would."""

    def __init__(self) -> None:
        self._kept: Vector | None = None

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        noise = _gaussian(exact.size, sigma) if self._kept is None else self._kept
        self._kept = noise if self._kept is None else None
        return exact + noise


class ClampedAtZero:
    """No noisy count below zero."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return np.maximum(exact + _gaussian(exact.size, sigma), 0)


class ClampedNoise:
    """No noise beyond three sigma."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + np.clip(_gaussian(exact.size, sigma), -int(3 * sigma), int(3 * sigma))


class FivePercentTooSmall:
    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + _gaussian(exact.size, 0.95 * sigma)


class FivePercentTooLarge:
    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + _gaussian(exact.size, 1.05 * sigma)


class Laplace:
    """The right variance, another distribution."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + np.rint(_random.laplace(0, sigma / np.sqrt(2), exact.size)).astype(np.int64)


class Rounded:
    """A continuous Gaussian, rounded: the leak that floating-point mechanisms have."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + np.rint(_random.normal(0, sigma, exact.size)).astype(np.int64)


class Truncated:
    """A continuous Gaussian, cut towards zero."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + _random.normal(0, sigma, exact.size).astype(np.int64)


class EvenOnly:
    """On a grid of two, as a mechanism does that rounds to a coarser lattice."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + 2 * np.rint(_gaussian(exact.size, sigma) / 2).astype(np.int64)


class OffByOne:
    """Half of a unit too high on average."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + _gaussian(exact.size, sigma) + _random.integers(0, 2, exact.size)


class SharedByPieces:
    """The same draws for both halves of a vector, as threads would give that begin with one seed."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + np.tile(_gaussian((exact.size + 1) // 2, sigma), 2)[: exact.size]
