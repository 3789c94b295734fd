"""The utility benchmark computes what it says, and Parley is never worse overall than fitted single queries."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from scipy.stats import norm

from benchmarks.errors import Query, fitted, gaussian_sigma, naive_queries, parleys_plan, spectra_of
from benchmarks.simulation import largest_deviation
from benchmarks.utility import random_lists, report
from benchmarks.workload import MONTHS, MONTHS_IN, QUESTIONS, SIZES, WITHOUT_TIME, K, Question
from privacy.accuracy import PlanNoise
from privacy.units import budget_nano


@pytest.mark.parametrize("questions", [QUESTIONS, WITHOUT_TIME])
def test_the_questions_are_thirteen_different_tables(questions: tuple[Question, ...]) -> None:
    assert len(set(questions)) == 13


def test_the_aims_are_met_for_the_tables_that_a_brand_follows() -> None:
    assert all(report(repetitions=0, lists=0)["goals_met"].values())


def test_all_of_parleys_releases_that_hold_one_person_stay_within_the_budget() -> None:
    assert K * parleys_plan(QUESTIONS).charge_nano <= budget_nano("0.5")


def test_the_naive_queries_spend_exactly_the_budget() -> None:
    spent = sum(query.table.l2_squared / (2 * query.variance) for query in naive_queries(QUESTIONS))
    assert spent == pytest.approx(0.5)


def test_parleys_errors_are_those_of_the_fit_that_it_ships_summed_over_months() -> None:
    plan = parleys_plan(QUESTIONS)
    (measure,) = {draw.measure for draw in plan.draws}
    noise = PlanNoise(plan, SIZES)
    for spectrum, question in zip(spectra_of(QUESTIONS)["parley"], QUESTIONS, strict=True):
        of_a_month = noise.variance(measure, dict.fromkeys(question.by, 1))
        assert spectrum.variance == pytest.approx(of_a_month * MONTHS_IN[question.grain], rel=1e-9)


def test_months_and_their_sum_fit_together_as_on_paper() -> None:
    """36 months of variance 4 (a sum of 144) and the whole of variance 72: 144 * 72 / 216 = 48."""
    month, whole = Question((), "month"), Question((), "no time")
    (of_whole,) = fitted([Query(month, 4.0), Query(whole, 72.0)], [whole])
    assert of_whole.variance == pytest.approx(48)
    (of_month,) = fitted([Query(month, 4.0), Query(whole, 72.0)], [month])
    assert of_month.variance == pytest.approx(4 - (144 - 48) / MONTHS**2)


def test_the_gaussian_of_other_servers_is_the_analytic_one() -> None:
    """At the sigma found, the exact privacy profile of the Gaussian mechanism is the delta asked for."""
    sigma = gaussian_sigma(0.4, 1e-7)
    delta = norm.cdf(0.5 / sigma - 0.4 * sigma) - 2.718281828459045**0.4 * norm.cdf(-0.5 / sigma - 0.4 * sigma)
    assert delta == pytest.approx(1e-7, rel=1e-3)


def test_parley_is_no_worse_overall_than_single_queries_fitted_for_any_list_of_tables() -> None:
    found = random_lists(10)
    assert found["geometric_mean_vs_naive_fitted"]["largest"] <= 1
    assert found["geometric_mean_vs_naive"]["largest"] < 0.8


@pytest.mark.slow
def test_real_noise_agrees_with_the_closed_form() -> None:
    """39 comparisons with a limit of 6 standard errors: a false alarm in less than 1e-7 of the runs."""
    deviations = largest_deviation(spectra_of(QUESTIONS), repetitions=10)
    assert deviations.keys() == {"naive", "parley", "naive_fitted"}
    assert all(abs(value) < 6 for value in deviations.values())


@pytest.mark.slow
def test_the_command_prints_the_keys_that_are_promised() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks.utility", "--json", "--repetitions", "0", "--lists", "0"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = json.loads(printed)
    assert found == report(repetitions=0, lists=0)
    assert {
        "geometric_mean_vs_naive",
        "geometric_mean_vs_naive_fitted",
        "worst_table_vs_naive_fitted",
        "geometric_mean_vs_summed_epsilon",
    } <= found.keys()
    assert [row["table"] for row in found["tables"]] == [question.name for question in QUESTIONS]
