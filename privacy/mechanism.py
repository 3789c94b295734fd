"""The discrete Gaussian mechanism and the conversion of its loss. The one module that imports opendp.

Guarantee: adding discrete Gaussian noise of scale sigma to an integer vector of L2 sensitivity D satisfies
rho-zCDP with rho = D^2 / (2 sigma^2). Source: Canonne, Kamath and Steinke, The Discrete Gaussian for
Differential Privacy (2020), theorem 4; Bun and Steinke, Concentrated Differential Privacy (2016).

Error texts of the library can contain raw values, so none leaves this module: a failed draw is `DrawFailed`.
"""

import math
import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from importlib import metadata
from typing import Any, Protocol

import numpy as np

# With its default of 1, every error the library raises costs 50 to 90 ms; it reads the setting when it loads.
os.environ["RUST_BACKTRACE"] = "0"

import opendp.prelude as dp
from opendp.mod import GLOBAL_FEATURES

from privacy.arrays import Vector
from privacy.units import NANO, loss_nano

dp.enable_features("contrib")

LIBRARY_VERSION = "0.16.0"  # the loss of a release is what this version's own map says
NAME = "discrete_gaussian"
MIN_SIGMA = 1e-3
MAX_SIGMA = 1e12
# Below this a draw takes less time than it is worth to share it out among threads.
SHARED_OUT_FROM = 8192


class DrawFailed(Exception):
    """Noise could not be drawn; nothing was released. Carries no detail, on purpose."""


class NoiseSource(Protocol):
    """Adds noise of a scale to exact integers. Tests may bring another; no setting can."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        """A new vector of the same length: `exact` plus independent noise of scale `sigma` in every entry."""


class DiscreteGaussian:
    """The noise source of production: OpenDP's sampler, seeded by the operating system, exact at any scale.

    A large vector is drawn in pieces, one for each CPU that this process may use, while the library holds no lock of
    Python's. Entries are noised independently, so its pieces are distributed as the whole is, with the same loss.
    """

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        """Raises DrawFailed when no noise was drawn for some piece; nothing of the others is returned then."""
        _require_sigma(sigma)
        failed = False
        try:
            noisy = _draw(np.array(exact, dtype=np.int64), sigma)
        except Exception:
            failed = True
        # Raised outside the handler: a chained exception would carry the library's text, and with it raw values.
        if failed:
            raise DrawFailed
        return noisy


def _draw(exact: Vector, sigma: float) -> Vector:
    """In one piece, too, when threads cannot start: as the interpreter ends, or where a process may have no more."""
    if exact.size < SHARED_OUT_FROM:
        return _draw_piece(exact, sigma)
    pieces, all_started, started = np.array_split(exact, usable_cpus()), Future[bool](), False

    def draw(piece: Vector) -> Vector | None:
        return _draw_piece(piece, sigma) if all_started.result() else None

    with ThreadPoolExecutor(len(pieces)) as threads:
        try:
            drawn = [threads.submit(draw, piece) for piece in pieces]
            started = True
        except RuntimeError:
            pass
        finally:
            all_started.set_result(started)
        if started:
            return np.concatenate([each.result() for each in drawn])
    return _draw_piece(exact, sigma)


def _draw_piece(exact: Vector, sigma: float) -> Vector:
    return np.array(_measurement(sigma)(exact), dtype=np.int64)


def usable_cpus() -> int:
    """How many CPUs this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def charge_nano(sigma: float, l2_sensitivity: float) -> int:
    """Loss in nano-rho, rounded up, of one draw at `sigma`: what OpenDP's own privacy map says.

    Raises ValueError for a sigma outside [MIN_SIGMA, MAX_SIGMA] or a sensitivity that is not positive.
    """
    _require_sigma(sigma)
    if not (math.isfinite(l2_sensitivity) and l2_sensitivity > 0):
        raise ValueError("a sensitivity is positive and finite")
    return _charge_nano(sigma, l2_sensitivity)


def epsilon(rho_nano: int, delta: float) -> float:
    """The epsilon that rho-zCDP implies at `delta`, by OpenDP's conversion; losses are added first, as rho.

    Raises ValueError unless rho_nano >= 0 and 0 < delta < 1.
    """
    if rho_nano < 0 or not 0 < delta < 1:
        raise ValueError("epsilon needs a loss of at least 0 and a delta between 0 and 1")
    return 0.0 if rho_nano == 0 else _epsilon(rho_nano, delta)


@lru_cache(maxsize=4096)
def _epsilon(rho_nano: int, delta: float) -> float:
    """Every answer says its losses, of which there are few; one conversion takes milliseconds."""
    # At scale 1 the map is d^2 / 2: this distance, rounded up, has at least the loss asked about.
    distance = math.nextafter(math.sqrt(2 * rho_nano / NANO), math.inf)
    return float(_as_approximate().map(distance).epsilon(delta))


def library_version() -> str:
    """The version of OpenDP that is installed."""
    return metadata.version("opendp")


def library_features() -> frozenset[str]:
    """What of OpenDP is switched on: only `contrib` is meant to be, for the others give up part of the guarantee."""
    return frozenset(GLOBAL_FEATURES)


def _require_sigma(sigma: float) -> None:
    # Scale 0 would release exact data; the library allows it.
    if not (math.isfinite(sigma) and MIN_SIGMA <= sigma <= MAX_SIGMA):
        raise ValueError(f"sigma lies between {MIN_SIGMA} and {MAX_SIGMA}")


# The library takes half a millisecond to say so, and the plans of one contract ask it the same many times.
@lru_cache(maxsize=16_384)
def _charge_nano(sigma: float, l2_sensitivity: float) -> int:
    return loss_nano(float(_measurement(sigma).map(l2_sensitivity)))


@lru_cache(maxsize=256)
def _measurement(sigma: float) -> Any:
    domain, metric = _space()
    return dp.m.make_gaussian(domain, metric, scale=sigma)


@lru_cache(maxsize=1)
def _space() -> Any:
    return dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")


@lru_cache(maxsize=1)
def _as_approximate() -> Any:
    return dp.c.make_zCDP_to_approxDP(_measurement(1.0))
