"""How accurate are a brand's tables for a fixed budget? Parley against the ways it could be done instead.

36 months x 10 regions x 6 age bands x 2 sexes, 50,000 members, rho 0.5, k = 12, 13 named tables
(benchmarks/workload.py). Errors are exact root mean square errors over the mean entry of a table; a simulation with
real noise checks them. Other lists of tables give other numbers: a list with tables that leave time out, which
measuring by the month cannot serve as well, and random lists are compared too.

    python -m benchmarks.utility [--json] [--repetitions 20] [--lists 40]
"""

import argparse
import json
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean, geometric_mean, median
from typing import Any, Final

import numpy as np

from benchmarks.errors import METHODS, parleys_plan, relative_errors, spectra_of
from benchmarks.simulation import largest_deviation
from benchmarks.workload import (
    DELTA,
    DIMENSIONS,
    MEMBERS,
    MONTHS,
    MONTHS_IN,
    QUESTIONS,
    RHO,
    SIZES,
    WITHOUT_TIME,
    K,
    Question,
)
from privacy.mechanism import epsilon
from privacy.units import budget_nano

Report = dict[str, Any]

# The aims of the design (docs/decisions/0013-shares.md): at most so much.
GOALS: Final = {
    "geometric_mean_vs_naive": 0.6,
    "geometric_mean_vs_naive_fitted": 1.0,
    "worst_table_vs_naive_fitted": 1.25,
}


def report(repetitions: int, lists: int) -> Report:
    """Everything that is printed. Without repetitions or lists, without the simulation or the random lists."""
    spectra = spectra_of(QUESTIONS)
    errors = {method: relative_errors(spectra[method], QUESTIONS) for method in METHODS}
    ratios = ratios_of(errors)
    found: Report = {
        "setting": {
            "months": MONTHS, **SIZES, "members": MEMBERS, "k": K, "rho": RHO, "delta": DELTA,
            "epsilon": epsilon(budget_nano(RHO), DELTA), "error": "root mean square over the mean entry",
        },
        **ratios,
        "with_tables_that_leave_time_out": _ratios_for(WITHOUT_TIME),
        "goals_met": {goal: ratios[goal] <= at_most for goal, at_most in GOALS.items()},
        "tables": [
            {"table": question.name, **{method: errors[method][i] for method in METHODS}}
            for i, question in enumerate(QUESTIONS)
        ],
        "plan": [
            {"margin": list(draw.margin), "sigma": draw.sigma, "charge_nano": draw.charge_nano}
            for draw in parleys_plan(QUESTIONS).draws
        ],
    }  # fmt: skip
    if repetitions:
        found["simulation"] = {
            "repetitions": repetitions,
            "largest_deviation_in_standard_errors": largest_deviation(spectra, repetitions),
        }
    if lists:
        found["random_lists"] = random_lists(lists)
    return found


def ratios_of(errors: dict[str, list[float]]) -> dict[str, float]:
    """Parley over each other method."""

    def over(method: str) -> list[float]:
        return [ours / theirs for ours, theirs in zip(errors["parley"], errors[method], strict=True)]

    return {
        "geometric_mean_vs_naive": geometric_mean(over("naive")),
        "geometric_mean_vs_cells": geometric_mean(over("cells")),
        "geometric_mean_vs_naive_fitted": geometric_mean(over("naive_fitted")),
        "worst_table_vs_naive_fitted": max(over("naive_fitted")),
        "geometric_mean_vs_summed_epsilon": geometric_mean(over("summed_epsilon")),
    }


def random_lists(count: int) -> Report:
    """The same ratios for lists of 13 tables drawn at random: any margin by any grain of time, each once."""
    every = [Question(by, grain) for n in range(len(DIMENSIONS) + 1) for by in combinations(DIMENSIONS, n)
             for grain in MONTHS_IN]  # fmt: skip
    random = np.random.default_rng(1)
    found = [
        _ratios_for([every[i] for i in sorted(random.choice(len(every), len(QUESTIONS), replace=False))])
        for _ in range(count)
    ]
    return {
        "lists": count,
        **{
            name: {"median": median(f[name] for f in found), "smallest": min(f[name] for f in found),
                   "largest": max(f[name] for f in found)}
            for name in found[0]
        },
        "share_of_lists_that_meet": {
            goal: fmean(f[goal] <= at_most for f in found) for goal, at_most in GOALS.items()
        },
    }  # fmt: skip


def _ratios_for(questions: Sequence[Question]) -> dict[str, float]:
    spectra = spectra_of(questions)
    return ratios_of({method: relative_errors(spectra[method], questions) for method in METHODS})


def written(found: Report) -> str:
    """The report for people."""
    wide = max(len(question.name) for question in QUESTIONS)
    lines = [*_about_the_setting(found["setting"]), ""]
    lines += ["Relative error (root mean square over the mean entry), in percent", ""]
    lines += [f"  {text[:3]} {method:15}{text[4:]}" for method, text in METHODS.items()]
    lines += ["", " " * wide + "".join(f"{f'({letter})':>9}" for letter in "abcde") + "    (c)/(a)  (c)/(d)"]
    for row in found["tables"]:
        cells = "".join(f"{100 * row[method]:9.4f}" for method in METHODS)
        against = f"{row['parley'] / row['naive']:11.2f}{row['parley'] / row['naive_fitted']:9.2f}"
        lines.append(f"{row['table']:{wide}}{cells}{against}")
    lines += ["", "Parley's error over that of another, (c)/(a) for naive; below 1 Parley is better. The goals are",
              "the aims of the design, set for these tables."]  # fmt: skip
    for name in ratios_names(found):
        goal = (
            f"goal: at most {GOALS[name]:.2f}, {'met' if found['goals_met'][name] else 'MISSED'}"
            if name in GOALS
            else ""
        )
        lines.append(f"{name:36}{found[name]:7.3f}  {goal}".rstrip())
    lines += ["", "The same with three of the 13 tables over all 36 months at once:"]
    lines += [f"{name:36}{value:7.3f}" for name, value in found["with_tables_that_leave_time_out"].items()]
    if "simulation" in found:
        deviations = found["simulation"]["largest_deviation_in_standard_errors"]
        lines += ["", f"Simulated {found['simulation']['repetitions']} times with real noise; largest deviation of any "
                  "table from the closed form, in standard errors:"]  # fmt: skip
        lines += [f"  {method:16}{value:6.1f}" for method, value in deviations.items()]
    if "random_lists" in found:
        lines += ["", *_about_lists(found["random_lists"])]
    return "\n".join(lines)


def _about_the_setting(setting: Report) -> list[str]:
    """The data, the budget and how much is asked."""
    sizes = " x ".join(f"{name} ({size})" for name, size in SIZES.items())
    return [
        f"{setting['months']} months x {sizes}, {setting['members']:,} members, each in at most "
        f"k = {setting['k']} months;",
        f"rho {setting['rho']} a person in all (epsilon {setting['epsilon']:.2f} at delta {setting['delta']:g}); "
        f"{len(QUESTIONS)} tables.",
    ]


def ratios_names(found: Report) -> list[str]:
    return [name for name, value in found.items() if isinstance(value, float)]


def _about_lists(found: Report) -> list[str]:
    lines = [f"{found['lists']} random lists of {len(QUESTIONS)} tables:    median  smallest   largest   goal met by"]
    for name, value in found.items():
        if isinstance(value, dict) and "median" in value:
            met = found["share_of_lists_that_meet"].get(name)
            share = f"{met:14.0%}" if met is not None else ""
            lines.append(f"{name:34}{value['median']:9.3f}{value['smallest']:10.3f}{value['largest']:10.3f}{share}")
    naive, fitted, worst = (found[name] for name in GOALS)
    return [
        *lines,
        "",
        '"Goal met by" is the share of these lists that reach an aim that was set for the tables above only.',
        f"Over a whole list Parley's error is {naive['smallest']:.2f} to {naive['largest']:.2f} of (a)'s and "
        f"{fitted['smallest']:.2f} to {fitted['largest']:.2f} of (d)'s; in a list's worst table",
        f"it is {worst['smallest']:.2f} to {worst['largest']:.2f} times (d)'s.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.utility", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print numbers for a machine")
    parser.add_argument("--repetitions", type=int, default=20, help="of the simulation; 0 leaves it out")
    parser.add_argument("--lists", type=int, default=40, help="random lists of tables; 0 leaves them out")
    options = parser.parse_args()
    found = report(options.repetitions, options.lists)
    print(json.dumps(found, indent=2) if options.json else written(found))


if __name__ == "__main__":
    main()
