"""Checks the closed form: real noise, the real release and fit, and a sparse solver that knows no ANOVA."""

from collections.abc import Sequence
from functools import cache
from math import prod, sqrt

import numpy as np
from scipy.sparse import csr_array, diags_array, eye_array, kron, vstack
from scipy.sparse.linalg import lsqr
from scipy.stats import chi2, norm

from benchmarks.errors import Query, Spectrum, naive_queries, parleys_plan
from benchmarks.workload import DIMENSIONS, MONTHS, PERSON_MONTHS, QUESTIONS, SIZES, Question
from privacy.arrays import Vector
from privacy.inference import fit
from privacy.mechanism import DiscreteGaussian
from privacy.plan import MeasurementPlan
from privacy.release import draw_release

SHAPE = tuple(SIZES.values())


def some_months() -> Vector:
    """Persons by month and cell. Noise does not depend on them; the fit must give them back all the same."""
    random = np.random.default_rng(20_250_101)
    cells = random.dirichlet(np.ones(MONTHS * prod(SHAPE)))
    return random.multinomial(PERSON_MONTHS, cells).reshape(MONTHS, *SHAPE).astype(np.int64)


def squared_errors_of_parley(months: Vector, plan: MeasurementPlan) -> list[float]:
    """Mean squared error of every question: each month released by the plan and fitted, then summed over time."""
    fits = []
    for month in months:
        noisy = draw_release(plan, DIMENSIONS, {"members": month}, DiscreteGaussian())
        fits.append(fit(SHAPE, DIMENSIONS, [(draw, noisy[draw.name], draw.variance) for draw in plan.draws]))
    error = np.stack([table.values for table in fits]) - months
    return [float(np.mean((summed(question) @ error.ravel()) ** 2)) for question in QUESTIONS]


def squared_errors_of_queries(months: Vector, queries: Sequence[Query]) -> tuple[list[float], list[float]]:
    """As they came, and after least squares over all of them."""
    exact = [summed(query.table) @ months.ravel() for query in queries]
    noisy = [
        DiscreteGaussian().add_noise(np.rint(answer).astype(np.int64), sqrt(query.variance))
        for answer, query in zip(exact, queries, strict=True)
    ]
    raw = [float(np.mean((n - e) ** 2)) for n, e in zip(noisy, exact, strict=True)]
    scales = np.concatenate([np.full(query.table.entries, 1 / sqrt(query.variance)) for query in queries])
    rows = vstack([summed(query.table) for query in queries])
    # The questions determine some sums of cells and not the cells; the smallest solution has the same such sums.
    table = lsqr(diags_array(scales) @ rows, scales * np.concatenate(noisy), atol=1e-11, btol=1e-11, iter_lim=5000)[0]
    fitted = [
        float(np.mean((summed(question) @ table - summed(question) @ months.ravel()) ** 2)) for question in QUESTIONS
    ]
    return raw, fitted


@cache
def summed(question: Question) -> csr_array:
    """Months and cells to the entries of a question."""
    rows = csr_array(question.over_time)
    for name, size in SIZES.items():
        rows = kron(rows, eye_array(size) if name in question.by else np.ones((1, size)), format="csr")
    return csr_array(rows)


def deviation(spectrum: Spectrum, squared_errors: Sequence[float]) -> float:
    """How far the mean of the simulated squared errors lies from the exact variance, as a standard normal number:
    their sum is close to a chi-squared of so many degrees of freedom."""
    freedom = spectrum.freedom * len(squared_errors)
    ratio = freedom * float(np.mean(squared_errors)) / spectrum.variance
    lower, upper = chi2.logcdf(ratio, freedom), chi2.logsf(ratio, freedom)
    return float(norm.ppf(np.exp(lower)) if lower < upper else -norm.ppf(np.exp(upper)))


def largest_deviation(spectra: dict[str, list[Spectrum]], repetitions: int) -> dict[str, float]:
    """By method, the largest deviation of any question. spectra: the exact ones of the methods simulated."""
    naive = naive_queries(QUESTIONS)
    months, plan = some_months(), parleys_plan(QUESTIONS)
    simulated: dict[str, list[list[float]]] = {name: [] for name in ("naive", "parley", "naive_fitted")}
    for _ in range(repetitions):
        raw, fitted = squared_errors_of_queries(months, naive)
        simulated["naive"].append(raw)
        simulated["naive_fitted"].append(fitted)
        simulated["parley"].append(squared_errors_of_parley(months, plan))
    return {
        method: max(
            (
                deviation(spectrum, errors)
                for spectrum, errors in zip(spectra[method], zip(*runs, strict=True), strict=True)
            ),
            key=abs,
        )
        for method, runs in simulated.items()
    }
