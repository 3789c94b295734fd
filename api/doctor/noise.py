"""The noise source: is it the one whose privacy map was reckoned with, does it draw, and does it draw anew?

False alarms: with z = 5.8 and t = 16 at most 2 exp(-z^2 / 2) + 2 exp(-t) < 4e-7, by the tails of a sum of sub-Gaussian
draws and of their squares (Laurent and Massart, 2000, lemma 1; the discrete Gaussian of this scale differs from the
continuous one by far less than that).
"""

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from api.doctor.findings import Finding, not_checked, ok, problem
from privacy.arrays import Vector
from privacy.mechanism import LIBRARY_VERSION, DrawFailed, NoiseSource, library_features, library_version

_NOISE: Final = "noise"
DRAWS: Final = 20_000
SIGMA: Final = 100.0
Z: Final = 5.8
T: Final = 16.0
_FEATURES: Final = frozenset({"contrib"})
# 32 draws of sigma 1000 are alike in two processes with a chance below 1e-100.
_ELSEWHERE: Final = (
    "import numpy; from privacy.mechanism import DiscreteGaussian; "
    "print(DiscreteGaussian().add_noise(numpy.zeros(32, dtype=numpy.int64), 1000.0).tolist())"
)
_SECONDS: Final = 60


def check_library(version: str | None = None, features: frozenset[str] | None = None) -> Iterator[Finding]:
    version = library_version() if version is None else version
    features = library_features() if features is None else features
    if version != LIBRARY_VERSION:
        yield problem(
            _NOISE,
            f"OpenDP is {version}, and the ledger reckons with {LIBRARY_VERSION}",
            f"pip install opendp=={LIBRARY_VERSION}",
        )
    else:
        yield ok(_NOISE, f"OpenDP {version}")
    if features != _FEATURES:
        found = ", ".join(sorted(features)) or "nothing"
        yield problem(
            _NOISE,
            f"of OpenDP {found} is switched on, and only {', '.join(_FEATURES)} should be",
            "Nothing of Parley does that: look what else is loaded into its processes.",
        )


def check_draws(noise: NoiseSource) -> Iterator[Finding]:
    """Mean and variance of draws on zeros."""
    try:
        drawn = noise.add_noise(np.zeros(DRAWS, dtype=np.int64), SIGMA)
    except DrawFailed:
        yield problem(_NOISE, "no noise can be drawn", "Install Parley's dependencies anew.")
        return
    if fault := _fault(drawn):
        yield problem(_NOISE, f"the draws are no discrete Gaussian: {fault}", "Stop the exchange, and report it.")
    else:
        yield ok(_NOISE, "mean and variance of test draws are right")


def check_two_processes(draw: Callable[[], str] | None = None) -> Iterator[Finding]:
    """A generator that was carried into both would show."""
    draw = draw or draw_elsewhere
    try:
        first, second = draw(), draw()
    except (OSError, subprocess.SubprocessError):
        yield not_checked(_NOISE, "no second process could be started to compare draws with")
        return
    if first == second:
        yield problem(_NOISE, "two processes draw the same noise", "Stop the exchange, and report it.")
    else:
        yield ok(_NOISE, "two processes draw different noise")


def draw_elsewhere() -> str:
    """Draws of a new process. Raises OSError or SubprocessError."""
    done = subprocess.run(  # noqa: S603  # this very interpreter, and a text of ours
        [sys.executable, "-c", _ELSEWHERE], capture_output=True, text=True, timeout=_SECONDS, check=True
    )
    return done.stdout


def _fault(drawn: Vector) -> str:
    if not np.any(drawn):
        return "all of them are zero"
    mean_at_most = Z * SIGMA / math.sqrt(DRAWS)
    if abs(float(drawn.mean())) > mean_at_most:
        return "their mean is not zero"
    ratio = float(np.mean(np.square(drawn.astype(float)))) / SIGMA**2
    spread = 2 * math.sqrt(T / DRAWS)
    if not 1 - spread <= ratio <= 1 + spread + 2 * T / DRAWS:
        return "their variance is another one"
    return ""
