"""The exact error of every method on every question, in closed form.

A query is the table summed to a margin and to buckets of time, plus independent noise. In the orthonormal basis of
the ANOVA decomposition over the dimensions, a query with margin A, time matrix T and noise variance v sees the
coefficients c of effect B, one a month, as sqrt(N(A')) T c with noise variance v. So least squares over any set of
queries splits into one problem of 36 unknowns for each effect, with the information matrix

    M_B = sum over queries with B within A of  N(A') T^T T / v,

and a question W with time matrix U has on effect B the covariance N(W') U M_B^+ U^T, for each of the
prod_{i in B} (n_i - 1) coefficients. This is generalised least squares over all answers, time included: months,
quarters, years and the whole are told apart by T alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import exp, prod, sqrt
from typing import Final

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from benchmarks.workload import DELTA, DIMENSIONS, MONTHS, RHO, SIZES, K, Question
from privacy.arrays import Floats
from privacy.mechanism import epsilon
from privacy.plan import MeasurementPlan
from privacy.strategy import FeedDesign, Table, make_plan
from privacy.units import budget_nano

Effect = frozenset[str]


@dataclass(frozen=True, slots=True)
class Query:
    """One noisy table. variance: of the noise in each entry."""

    table: Question
    variance: float


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Of the covariance of a table's error. variance: of an entry, on average. freedom: degrees of freedom of the sum
    of squared errors, as Satterthwaite counts them."""

    variance: float
    freedom: float


def parleys_plan(questions: Sequence[Question]) -> MeasurementPlan:
    """From the questions' dimensions: time is no dimension of a feed, so what is asked twice weighs twice."""
    asked = [question.by for question in questions]
    tables = tuple(Table(by, asked.count(by)) for by in dict.fromkeys(asked))
    design = FeedDesign(SIZES, {"members": 1}, {}, tables)
    return make_plan(design, budget_nano(RHO) // K)


def parleys_queries(questions: Sequence[Question]) -> list[Query]:
    """(c): every margin of the plan, every month."""
    return [Query(Question(draw.margin, "month"), draw.variance) for draw in parleys_plan(questions).draws]


def cells_only() -> list[Query]:
    """(b): the full table of every month with the whole budget."""
    return [Query(Question(DIMENSIONS, "month"), K / (2 * float(RHO)))]


def naive_queries(questions: Sequence[Question]) -> list[Query]:
    """(a): each question as one query with an equal part of the budget."""
    part = float(RHO) / len(questions)
    return [Query(question, question.l2_squared / (2 * part)) for question in questions]


def summed_epsilon_queries(questions: Sequence[Question]) -> list[Query]:
    """(e): (a) on a server that adds up epsilons and deltas, at the same total (epsilon, delta) as the rho.

    The assumption is basic composition (Dwork and Roth 2014, theorem 3.16), as with a running total of spent epsilon;
    it stands for that rule and is no measurement of any one product. Each question gets an equal part of both, and
    whichever of the Laplace and the analytic Gaussian mechanism is better for it. Generous: one query a question,
    with the contribution bound known to the server, although a periodic feed would be asked month by month (which
    costs Laplace the same and the Gaussian more).
    """
    part = epsilon(budget_nano(RHO), DELTA) / len(questions)
    laplace = 2 * (K / part) ** 2  # L1 sensitivity: one person adds K, however the months are merged
    return [
        Query(question, min(laplace, question.l2_squared * gaussian_sigma(part, DELTA / len(questions)) ** 2))
        for question in questions
    ]


def gaussian_sigma(epsilon_: float, delta: float) -> float:
    """At sensitivity 1: Balle and Wang, Improving the Gaussian Mechanism for Differential Privacy (2018), theorem 8."""

    def excess(sigma: float) -> float:
        near, far = 1 / (2 * sigma), epsilon_ * sigma
        return float(norm.cdf(near - far) - exp(epsilon_) * norm.cdf(-near - far)) - delta

    return float(brentq(excess, 1e-3, 1e6))


def unfitted(queries: Sequence[Query]) -> list[Spectrum]:
    """Each answer as it came."""
    return [Spectrum(query.variance, query.table.entries) for query in queries]


def fitted(queries: Sequence[Query], questions: Sequence[Question]) -> list[Spectrum]:
    """Every question from all queries by least squares."""
    effects = [frozenset(c) for n in range(len(DIMENSIONS) + 1) for c in combinations(DIMENSIONS, n)]
    inverse: dict[Effect, Floats] = {
        effect: np.linalg.pinv(_information(effect, queries), hermitian=True).astype(np.float64) for effect in effects
    }
    return [_spectrum(question, inverse) for question in questions]


def _information(effect: Effect, queries: Sequence[Query]) -> Floats:
    holding = [query for query in queries if effect <= set(query.table.by)]
    total = np.zeros((MONTHS, MONTHS))
    for query in holding:
        time = query.table.over_time
        total += _outside(query.table) * time.T @ time / query.variance
    return total


def _spectrum(question: Question, inverse: dict[Effect, Floats]) -> Spectrum:
    time = question.over_time
    total = squares = 0.0
    for effect, covariance in inverse.items():
        if effect <= set(question.by):
            block = _outside(question) * time @ covariance @ time.T
            times = prod(SIZES[name] - 1 for name in effect)
            total += times * float(np.trace(block))
            squares += times * float((block**2).sum())
    return Spectrum(total / question.entries, total**2 / squares)


def _outside(table: Question) -> int:
    return prod(size for name, size in SIZES.items() if name not in table.by)


def relative_errors(spectra: Sequence[Spectrum], questions: Sequence[Question]) -> list[float]:
    """Root mean square error over the mean entry."""
    return [sqrt(s.variance) / question.mean_entry for s, question in zip(spectra, questions, strict=True)]


METHODS: Final = {
    "naive": "(a) one noisy query a table, the budget split equally",
    "cells": "(b) the full table of every month, summed",
    "parley": "(c) Parley: the plan's margins every month, fitted",
    "naive_fitted": "(d) (a), then least squares over all answers",
    "summed_epsilon": "(e) (a) where epsilons are added up",
}


def spectra_of(questions: Sequence[Question]) -> dict[str, list[Spectrum]]:
    """By method, the exact error of every question."""
    naive = naive_queries(questions)
    return {
        "naive": unfitted(naive),
        "cells": fitted(cells_only(), questions),
        "parley": fitted(parleys_queries(questions), questions),
        "naive_fitted": fitted(naive, questions),
        "summed_epsilon": unfitted(summed_epsilon_queries(questions)),
    }
