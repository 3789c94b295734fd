"""`make study`: how often the intervals hold the truth, how wide they are, and how often they say "anything".

Every figure is measured with the noise of production at three budgets, in cells of 5 to 1000 people, and its 95%
interval is made as an answer makes it. `noise`: the truth is the posted table's own figure. `total`: each person is
adherent by chance, and the truth is that chance; the same people stay for all periods.

Goals, beyond the study's own sampling error: at least 94% everywhere; at most 96% where the sd is 10 or more and the
denominator of a rate (of a ratio: also the rate below) at least 5 of its own sd. Exit code 1 where one is missed.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby

import numpy as np

from benchmarks.interval_worlds import PERIODS, PROVIDERS, RELEASES, STRATA, Noise, World, cells
from privacy.arrays import Floats
from privacy.contrasts import (
    Limits,
    Rate,
    correlation_of,
    count_limits,
    difference,
    rate_correlation,
    rate_limits,
    ratio,
    share_interval,
)
from privacy.intervals import Interval, count_interval
from privacy.mechanism import DiscreteGaussian

CONFIDENCE = 0.95
PEOPLE = (5, 20, 100, 1000)
# The sd of one cell of one release; the budget is the rho = 1 / (2 sd^2) of that measure and period.
SDS = (2, 10, 40)
# Of the two strata that are compared.
SHARES = STRATA[:2]
ALLOWED_ERRORS = 4


@dataclass(frozen=True, slots=True)
class Result:
    """capped: whether the goal of at most 96% is for this entry."""

    interval: Interval
    truth: float
    capped: bool


def of_rate(world: World, share: float, rate: Rate) -> Result:
    return Result(share_interval(rate, CONFIDENCE), world.truth(share), capped(rate))


def capped(rate: Rate) -> bool:
    """sd of 10 or more, and a denominator of at least 5 of its sd; the mean over draws is the exact one."""
    sd = math.sqrt(rate.whole_variance[0])
    return bool(rate.part_variance[0] >= 100 and np.mean(rate.whole) >= 5 * sd)


def contrasted(world: World, left: Rate, right: Rate, correlation: Floats | float, kind: str) -> Result:
    a, b = (rate_limits(rate, CONFIDENCE) for rate in (left, right))
    first, second = (world.truth(share) for share in SHARES)
    both = capped(left) and capped(right)
    if kind == "difference":
        return Result(difference(a, b, correlation=correlation).within(-1, 1), first - second, both)
    return Result(ratio(a, b, correlation=correlation), first / second, both and second >= 5 * sd_of(right, second))


def sd_of(rate: Rate, share: float) -> float:
    """Of a rate, to first order, noise and sampling."""
    noise = rate.part_variance[0] - 2 * share * rate.covariance[0] + share**2 * rate.whole_variance[0]
    whole = float(np.mean(rate.whole))
    return math.sqrt(noise + rate.sampling_periods * whole * share * (1 - share)) / whole


def of_strata(world: World, kind: str) -> Result:
    left, right = (world.disjoint(share, 2 * i) for i, share in enumerate(SHARES))
    return contrasted(world, left, right, 0.0, kind)


def of_fitted_strata(world: World, kind: str) -> Result:
    left, right = world.fitted(0), world.fitted(1)
    shared = {
        "parts": world.covariance(cells(0, 0), cells(1, 0)),
        "part_whole": world.covariance(cells(0, 0), cells(1)),
        "whole_part": world.covariance(cells(0), cells(1, 0)),
        "wholes": world.covariance(cells(0), cells(1)),
    }
    return contrasted(world, left, right, rate_correlation(left, right, **shared), kind)


def count(world: World) -> Result:
    interval = count_interval(world.people + world.noise.cells[0], world.variance, CONFIDENCE)
    return Result(interval, world.people, world.noise.sd >= 10)


def summed_count(world: World) -> Result:
    variance = RELEASES * world.variance
    value = RELEASES * world.people + world.noise.summed(0)
    return Result(count_interval(value, variance, CONFIDENCE), RELEASES * world.people, variance[0] >= 100)


def fitted_count(world: World) -> Result:
    variance = world.covariance(cells(0, 0), cells(0, 0))
    interval = count_interval(world.table.values[:, 0, 0], variance, CONFIDENCE, fitted=True)
    return Result(interval, round(SHARES[0] * world.people), variance[0] >= 100)


def fitted_count_difference(world: World) -> Result:
    strata = (cells(0), cells(1))
    variances = [world.covariance(stratum, stratum) for stratum in strata]
    sides: list[Limits] = [
        count_limits(world.table.values[:, i].sum(axis=1), variances[i], CONFIDENCE, fitted=True) for i in (0, 1)
    ]
    correlation = correlation_of(world.covariance(*strata), *variances)
    within = difference(*sides, correlation=correlation).within(-math.inf, math.inf)
    return Result(within, 0.0, variances[0][0] >= 100)


COUNTS: dict[str, Callable[[World], Result]] = {
    "count": count,
    "count, fitted": fitted_count,
    f"count, {PERIODS} periods x {PROVIDERS} providers": summed_count,
    "difference of counts, fitted": fitted_count_difference,
}
RATES: dict[str, Callable[[World], Result]] = {
    f"rate {share:.0%}, {name}": partial(lambda world, share, make: of_rate(world, share, make(world, share)),
                                         share=share, make=make)
    for name, make in {
        "disjoint": World.disjoint,
        "nested": World.nested,
        "fitted": lambda world, share: world.fitted(STRATA.index(share)),
        f"{PERIODS} periods x {PROVIDERS} providers": World.summed,
    }.items()
    for share in SHARES
}  # fmt: skip
CONTRASTS: dict[str, Callable[[World], Result]] = {
    "difference of rates": partial(of_strata, kind="difference"),
    "difference of rates, fitted": partial(of_fitted_strata, kind="difference"),
    "ratio of rates": partial(of_strata, kind="ratio"),
    "ratio of rates, fitted": partial(of_fitted_strata, kind="ratio"),
}
FIGURES = {("noise", name): make for name, make in (COUNTS | RATES | CONTRASTS).items()} | {
    ("total", name): make for name, make in (RATES | CONTRASTS).items()
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the study. median_width: None where most answers are unbounded."""

    figure: str
    covers: str
    people: int
    sd: float
    coverage: float
    median_width: float | None
    whole_range: float
    at_most_96: bool
    met: bool


def measured(world: World, figure: str, make: Callable[[World], Result]) -> Entry:
    result = make(world)
    interval, truth = result.interval, result.truth
    # A rounding's worth of slack: noise of zero can land exactly on an end.
    slack = 1e-9 * max(1.0, abs(truth))
    coverage = float(np.mean((interval.lower <= truth + slack) & (truth - slack <= interval.upper)))
    width = float(np.median(interval.upper - interval.lower))
    error = ALLOWED_ERRORS * math.sqrt(0.95 * 0.05 / world.noise.draws)
    met = coverage >= 0.94 - error and not (result.capped and coverage > 0.96 + error)
    return Entry(
        figure,
        world.covers,
        world.people,
        world.noise.sd,
        coverage,
        width if math.isfinite(width) else None,
        float(interval.unbounded.mean()),
        bool(result.capped),
        bool(met),
    )


def study(noises: list[Noise]) -> Iterator[Entry]:
    """Every figure at every budget and size."""
    for noise in noises:
        for people in PEOPLE:
            worlds = {covers: World(noise, people, covers) for covers in ("noise", "total")}
            for (covers, figure), make in FIGURES.items():
                yield measured(worlds[covers], figure, make)


def printed(entries: list[Entry], draws: int) -> str:
    budgets = ", ".join(f"sd {sd} (rho {1 / (2 * sd * sd):.4g})" for sd in SDS)
    lines = [
        f"Intervals at {CONFIDENCE:.0%}, {draws:,} draws an entry. Noise of a cell, and its rho a measure and period:",
        f"{budgets}. Of each: coverage in %, median width, whole-range answers in %.",
        "A star marks a missed goal; a dot, that the goal of at most 96% is for this entry.",
        "",
        f"{'figure':36}{'covers':8}{'people':>6}" + "".join(f"{f'sd {sd}':^26}" for sd in SDS),
    ]
    found = {(e.covers, e.figure, e.people, e.sd): e for e in entries}
    for covers, figure in FIGURES:
        for people in PEOPLE:
            row = "".join(cell(found[covers, figure, people, sd]) for sd in SDS)
            lines.append(f"{figure:36}{covers:8}{people:>6}{row}")
    missed = sum(not e.met for e in entries)
    lines += ["", f"{len(entries) - missed} of {len(entries)} entries meet their goals."]
    return "\n".join(lines)


def cell(entry: Entry) -> str:
    mark = "*" if not entry.met else "." if entry.at_most_96 else " "
    width = "-" if entry.median_width is None else f"{entry.median_width:.4g}"
    return f"{100 * entry.coverage:>9.2f}{mark}{width:>8}{100 * entry.whole_range:>7.1f} "


def told_as_it_goes(draws: int) -> list[Entry]:
    """All entries. Most of the time goes into drawing; what is done is told on standard error."""
    entries: list[Entry] = []
    for sd in SDS:
        told(f"sd {sd}: drawing the noise, {draws:,} draws an entry ...")
        noise = Noise.draw(DiscreteGaussian(), sd, draws)
        for people, found in groupby(study([noise]), key=lambda entry: entry.people):
            entries += (done := list(found))
            told(f"sd {sd}, cells of {people}: {sum(e.met for e in done)} of {len(done)} entries meet their goals.")
    told("")
    return entries


def told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Coverage and width of the intervals that answers show.")
    parser.add_argument("--draws", type=int, default=100_000, help="draws an entry (default: 100,000)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    options = parser.parse_args()
    entries = told_as_it_goes(options.draws)
    met = all(entry.met for entry in entries)
    if options.json:
        document = {"confidence": CONFIDENCE, "draws": options.draws, "met": met, "entries": [*map(asdict, entries)]}
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        print(printed(entries, options.draws))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
