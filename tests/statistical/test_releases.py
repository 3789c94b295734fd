"""Every margin of every measure of every release has noise of its own, of the sigma that its plan says."""

import pytest

from privacy.mechanism import DiscreteGaussian, NoiseSource
from privacy.plan import Draw, MeasurementPlan
from tests.statistical import release_mutants as wrong
from tests.statistical.checks import alarms
from tests.statistical.release_checks import REAL, DrawRelease, Noise, release_checks
from tests.statistical.sources import EvenOnly, Laplace, OffByOne, Right


@pytest.mark.slow
def test_real_releases_pass_every_check() -> None:
    assert alarms(release_checks(Noise(REAL, DiscreteGaussian()))) == set()


@pytest.mark.slow
def test_the_small_margins_of_real_releases_have_the_sigmas_of_their_plan() -> None:
    assert alarms(release_checks(many_small_releases(REAL, DiscreteGaussian()))) == set()


FULL, REGION, STAYS = "members@region,sex", "members@region", "stays@region,sex"
WRONG: dict[str, tuple[DrawRelease, str]] = {
    "a measure forgotten": (wrong.forgets_a_measure, "no noise at all"),
    "a margin forgotten": (wrong.forgets_a_margin, "no noise at all"),
    "a margin summed from the noisy table": (wrong.sums_a_margin_from_the_noisy_table, "margins"),
    "noise shared by two margins": (wrong.SharedNoise(FULL, REGION), "margins"),
    "noise shared by two small margins": (wrong.SharedNoise("stays@sex", "stays@"), "margins"),
    "noise shared by two measures": (wrong.SharedNoise(FULL, STAYS), "measures"),
    "noise shared by the totals of two measures": (wrong.SharedNoise("members@", "stays@"), "measures"),
    "noise shared by two periods": (wrong.SharedNoise(FULL, kept_for_releases=2), "releases"),
    "noise shared by two measurements of a period": (wrong.SharedNoise(REGION, kept_for_releases=2), "releases"),
    "a margin's sigma 5% too small": (wrong.OtherSigma(REGION, 0.95), "sigmas"),
    "a margin's sigma 5% too large": (wrong.OtherSigma(REGION, 1.05), "sigmas"),
    "a table's sigma 5% too small": (wrong.OtherSigma(STAYS, 0.95), "sigmas"),
    "the sigmas of two margins swapped": (wrong.swaps_the_sigmas_of_two_margins, "sigmas"),
    "a table half a unit too high": (wrong.Otherwise(FULL, OffByOne()), "means"),
    "a margin by Laplace": (wrong.Otherwise(REGION, Laplace()), "shapes"),
    "a margin rounded from a coarse grid": (wrong.Otherwise(REGION, EvenOnly()), "shapes"),
    "a margin clamped at zero": (wrong.clamps_a_margin_at_zero, "sigmas"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_checks_catch(name: str) -> None:
    draw, by = WRONG[name]
    assert by in alarms(release_checks(Noise(draw, Right())))


# A table so small, over so many releases, that even its total has 25,000 draws.
SIZES = {"age": 3, "sex": 2}
MARGINS = {("age", "sex"): "10", ("age",): "12.5", ("sex",): "15", (): "17.5"}
PLAN = MeasurementPlan(tuple(Draw("members", margin, sigma, 1, 1) for margin, sigma in MARGINS.items()))


def many_small_releases(draw: DrawRelease, source: NoiseSource) -> Noise:
    return Noise(draw, source, SIZES, PLAN, releases=25_000)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.95, 1.05])
@pytest.mark.parametrize("name", ["members@", "members@age"])
def test_a_sigma_of_a_small_margin_that_is_off_by_5_percent_is_caught(name: str, factor: float) -> None:
    noise = many_small_releases(wrong.OtherSigma(name, factor), Right())
    assert "sigmas" in alarms(release_checks(noise))
