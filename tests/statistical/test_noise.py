"""The noise of production is discrete Gaussian, of the right scale, and independent of all other noise.

The same checks fail for every wrong source in `tests.statistical.sources`: that is what makes their passing
worth something. Sizes and false alarms are worked out in `tests.statistical.checks`.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from privacy.arrays import Vector
from privacy.mechanism import DiscreteGaussian, DrawFailed, NoiseSource
from privacy.plan import Draw, MeasurementPlan
from privacy.release import draw_release, margin_of
from tests.statistical import checks, sources
from tests.statistical.checks import ALARM, alarms, all_checks, between, sample

REPOSITORY = Path(__file__).parents[2]
SMALL, USUAL = 0.7, 10.0


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [SMALL, USUAL, 30.983877])
def test_real_noise_passes_every_check(sigma: float) -> None:
    assert alarms(all_checks(DiscreteGaussian(), sigma)) == set()


def test_noise_of_the_largest_plans_has_the_variance_its_plan_says() -> None:
    noise = sample(DiscreteGaussian(), 960_500.0, calls=50)
    assert checks.between_cells(noise) >= ALARM
    # Exact mass over millions of values is slow; at this scale the variance is sigma^2 to the last digit.
    ratio = float(np.mean(noise.astype(np.float64) ** 2)) / 960_500.0**2
    assert abs(ratio - 1) < 6 * np.sqrt(2 / noise.size)


WRONG: dict[str, tuple[NoiseSource, float, str]] = {
    "no noise": (sources.Silent(), USUAL, "no noise at all"),
    "one draw for all cells": (sources.SharedByAllCells(), USUAL, "within calls"),
    "one draw for two cells": (sources.SharedByNeighbours(), USUAL, "between cells"),
    "the same draws at every call": (sources.SharedByCalls(), USUAL, "between calls"),
    "the same draws at two calls": (sources.SharedByPairsOfCalls(), USUAL, "between calls"),
    "counts clamped at zero": (sources.ClampedAtZero(), USUAL, "mean"),
    "noise clamped at three sigma": (sources.ClampedNoise(), USUAL, "tails"),
    "sigma 5% too small": (sources.FivePercentTooSmall(), USUAL, "variance"),
    "sigma 5% too large": (sources.FivePercentTooLarge(), USUAL, "variance"),
    "Laplace": (sources.Laplace(), USUAL, "distribution"),
    "a rounded Gaussian": (sources.Rounded(), SMALL, "distribution"),
    "a truncated Gaussian": (sources.Truncated(), USUAL, "distribution"),
    "a grid of two": (sources.EvenOnly(), USUAL, "distribution"),
    "half a unit too high": (sources.OffByOne(), USUAL, "mean"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_checks_catch(name: str) -> None:
    source, sigma, by = WRONG[name]
    assert by in alarms(all_checks(source, sigma))


def test_the_checks_have_nothing_against_a_right_source_that_is_not_the_real_one() -> None:
    assert alarms(all_checks(sources.Right(), USUAL)) == set()


DIMENSIONS = ("region", "sex")
PLAN = MeasurementPlan(
    (
        Draw("members", DIMENSIONS, "10", 1, 1),
        Draw("members", ("region",), "20", 1, 1),
        Draw("stays", DIMENSIONS, "10", 1, 1),
    )
)


def released_noise(source: NoiseSource) -> dict[str, Vector]:
    """The noise of one release: noisy vectors less the exact margins."""
    tables = {name: np.arange(20_000, dtype=np.int64).reshape(10_000, 2) for name in ("members", "stays")}
    noisy = draw_release(PLAN, DIMENSIONS, tables, source)
    return {draw.name: noisy[draw.name] - margin_of(tables[draw.measure], DIMENSIONS, draw) for draw in PLAN.draws}


def release_checks(source: NoiseSource) -> dict[str, float]:
    """Measures, margins and releases share no noise, and every draw has its own sigma."""
    first, second = released_noise(source), released_noise(source)
    full, stays, region = "members@region,sex", "stays@region,sex", "members@region"
    region_of_full = first[full].reshape(10_000, 2)[:, 0]
    return {
        "measures": between(first[full], first[stays]),
        "margins": between(region_of_full, first[region]),
        "releases": between(first[full], second[full]),
        "sigma of members": checks.variance(first[full], 10.0),
        "sigma of stays": checks.variance(second[stays], 10.0),
        "sigma of the margin": checks.variance(first[region], 20.0),
    }


@pytest.mark.slow
def test_measures_margins_and_releases_share_no_noise_and_each_has_its_own_sigma() -> None:
    assert alarms(release_checks(DiscreteGaussian())) == set()


def test_noise_shared_by_measures_or_releases_is_caught() -> None:
    assert alarms(release_checks(sources.SharedByCalls())) >= {"measures", "releases"}


class OneSigmaForAll:
    """The right noise of one sigma, whatever is asked."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return sources.Right().add_noise(exact, 10.0)


def test_a_margin_that_is_not_noised_at_its_own_sigma_is_caught() -> None:
    assert alarms(release_checks(OneSigmaForAll())) == {"sigma of the margin"}


FORKING = """
import json, os, sys
import numpy as np
from privacy.mechanism import DiscreteGaussian
from tests.statistical.sources import Right
source = {"DiscreteGaussian": DiscreteGaussian, "Right": Right}[sys.argv[1]]()
exact = np.zeros(20_000, dtype=np.int64)
source.add_noise(exact, 10.0)  # whatever state there is exists before the fork
def child():
    read, write = os.pipe()
    if os.fork() == 0:
        with os.fdopen(write, "w") as pipe:
            json.dump(source.add_noise(exact, 10.0).tolist(), pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        return json.load(pipe)
children = [child(), child()]
print(json.dumps([*children, source.add_noise(exact, 10.0).tolist()]))
"""


def fork_checks(source: str) -> dict[str, float]:
    """Noise of two forked processes and of the one that forked them, each pair."""
    done = subprocess.run(
        [sys.executable, "-c", FORKING, source],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    drawn = [np.array(noise) for noise in json.loads(done.stdout)]
    return {f"{i} and {j}": between(drawn[i], drawn[j]) for i, j in combinations(range(3), 2)}


@pytest.mark.slow
def test_processes_forked_from_one_another_share_no_noise() -> None:
    assert alarms(fork_checks("DiscreteGaussian")) == set()


def test_noise_shared_by_forked_processes_is_caught() -> None:
    assert len(alarms(fork_checks("Right"))) == 3


def test_threads_share_no_noise() -> None:
    exact = np.zeros(20_000, dtype=np.int64)
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: DiscreteGaussian().add_noise(exact, USUAL), range(4)))
    for left, right in combinations(drawn, 2):
        assert between(left, right) >= ALARM


@pytest.mark.parametrize("sigma", [0.0, -1.0, 1e-4, float("nan"), float("inf"), 1e13])
def test_no_noise_is_drawn_at_a_sigma_that_hides_nothing(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma lies between"):
        DiscreteGaussian().add_noise(np.zeros(3, dtype=np.int64), sigma)


def test_noise_leaves_the_exact_counts_as_they_were_and_takes_arrays_that_cannot_be_written() -> None:
    exact = np.arange(1000, dtype=np.int64)
    exact.flags.writeable = False
    noisy = DiscreteGaussian().add_noise(exact, USUAL)
    assert exact.tolist() == list(range(1000))
    assert noisy.dtype == np.int64
    assert noisy.shape == exact.shape
    assert not np.array_equal(noisy, exact)


def test_a_draw_that_fails_says_nothing_of_what_was_to_be_released() -> None:
    with pytest.raises(DrawFailed) as raised:
        DiscreteGaussian().add_noise(np.array(["8123456789", "exact"]), USUAL)  # type: ignore[arg-type]
    assert str(raised.value) == ""
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
