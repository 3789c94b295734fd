"""A contract with three payers and a brand, and as much history posted as a benchmark of statistics wants to ask.

The payers' feed has 6,000 cells and 10 measures a month. Numbers are arbitrary, and noise is drawn by numpy here, in no
time, since what is measured is how long answers take, and not what they say.
"""

from typing import Any, Final
from uuid import uuid4

import numpy as np

from contracts.cells import Columns
from contracts.parties import Caller, Role, Scope
from contracts.submissions.submitting import Submission
from contracts.terms import FeedTerms, terms_of
from privacy.arrays import Vector
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, SmallExchange

LAST_YEAR: Final = 2025
VOCABULARIES: Final = {
    "region": ["northeast", "midwest", "south", "west"],
    "age_band": ["18-44", "45-54", "55-64", "65-74", "75+"],
    "sex": ["F", "M"],
    "line_of_business": ["commercial", "medicare", "medicaid"],
    "product": [f"product_{i}" for i in range(10)],
    "adherence_band": ["p00_20", "p20_40", "p40_60", "p60_80", "p80_100"],
    "coverage": ["in_network", "other"],
    "months_since_start": [*map(str, range(24)), "24+"],
    "reason": ["stopped", "switched", "left_plan"],
}
CLAIMS: Final = ["region", "age_band", "sex", "line_of_business", "product", "adherence_band"]
MEASURES: Final = {
    "members": ("persons", 1),
    "days_covered": ("days", 31),
    "treatment_days": ("days", 31),
    "pdc_basis_points": ("basis_points", 10_000),
    "member_months": ("months", 1),
    "hospital_stays": ("stays", 5),
    "hospitalised_members": ("persons", 1),
    "ed_visits": ("visits", 5),
    "ed_members": ("persons", 1),
    "allowed_cents": ("cents", 1_000_000),
}
ONE_PERSON: Final = {"members": ("persons", 1)}
# Of one cell of the payers' feed: persons, and what each adds of every measure.
PERSONS: Final = 40
EACH: Final = {name: bound * 7 // 10 or 1 for name, (_, bound) in MEASURES.items()}


class QuickNoise:
    """Rounded normal noise: as wide as that of production, drawn a hundred times as fast."""

    def __init__(self) -> None:
        self._generator = np.random.default_rng(7)

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return exact + np.rint(self._generator.normal(0.0, sigma, exact.size)).astype(np.int64)


def world(url: str, years: int) -> SmallExchange:
    """The contract in force, with `years` of months posted of every feed by everybody."""
    small = SmallExchange(url, noise=QuickNoise(), settings_changes={"PARLEY_LEASE_SECONDS": "3600"})
    small.agree(contract(years))
    with small.wiring.database.reading() as stores:
        history = stores.contracts.find_history(CONTRACT)
    if history is None:
        raise LookupError(CONTRACT)
    for feed in terms_of(history.versions[-1]).feeds:
        columns = columns_of(feed)
        for name in PAYERS if feed.provider == "payer" else (BRAND,):
            for period in feed.periods:
                posted = Submission(str(uuid4()), feed.name, str(period), 0, lambda feed: columns)  # noqa: B023  # used at once
                small.wiring.submitting.submit(caller(name), CONTRACT, posted)
    return small


def caller(name: str) -> Caller:
    return Caller(f"{name}-client", name, Role.BRAND if name == BRAND else Role.PAYER, frozenset(Scope))


def columns_of(feed: FeedTerms) -> Columns:
    """Every stratum; who exits is a small part of who starts."""
    places = np.unravel_index(np.arange(feed.cells_per_measure), feed.shape)
    values: dict[str, Any] = {
        name: [vocabulary[i] for i in places[axis]] for axis, (name, vocabulary) in enumerate(feed.vocabularies.items())
    }
    persons = 1 if feed.life_table == "exits" else PERSONS * 20 if feed.life_table else PERSONS
    values |= {name: [persons * EACH.get(name, 1)] * feed.cells_per_measure for name in feed.measures}
    return Columns(values, lambda name, index: f"/columns/{name}")


def contract(years: int) -> dict[str, Any]:
    every = {f"{name}-members": "0.1" for name in (*PAYERS, BRAND)}
    return {
        "id": CONTRACT,
        "version": 1,
        "title": "A contract with a long history",
        "purpose": "outcomes_research",
        "effective": "2026-01-01",
        "expires": "2027-12-31",
        "parties": [{"organisation": name, "role": "payer", "population": f"{name}-members"} for name in PAYERS]
        + [{"organisation": BRAND, "role": "brand", "population": f"{BRAND}-members"}],
        "vocabularies": VOCABULARIES,
        "rollups": {"period": {"quarter": "month", "year": "month"}},
        "standards": [STANDARD],
        "feeds": [
            _feed(years, "claims", "payer", CLAIMS, MEASURES, "0.05"),
            _feed(years, "starts", "payer", ["region"], ONE_PERSON, "0.01", life_table="starts", k=1),
            _feed(
                years, "exits", "payer", ["region", "months_since_start", "reason"], ONE_PERSON, "0.02",
                life_table="exits", k=1, known_after_months=2,
            ),
            _feed(
                years, "support", "brand", ["region", "coverage"],
                {"enrolled": ("persons", 1), "complaints": ("complaints", 1)}, "0.1",
            ),
        ],
        "privacy": {
            "definition": "zCDP",
            "relation": "add_or_remove",
            "unit": "person_within_provider",
            "delta": "0.000001",
            "ceilings": every,
        },
        "grants": [{"role": role, "statistics": STATISTICS, "by_at_most": 3} for role in ("brand", "payer")],
        "rules": {"min_payers": 3, "small_cells": None},
        "settlement": {
            "statistic": "adherence_rate",
            "target": "0.5",
            "period": str(LAST_YEAR),
            "as_of": "final",
            "decide_at": "0.9",
            "undecided": "the base rebate applies",
        },
    }  # fmt: skip


STANDARD: Final = {
    "name": "even",
    "source": "equal weights",
    "by": ["sex", "age_band"],
    "weights": [
        {"stratum": {"sex": sex, "age_band": age}, "weight": 1}
        for sex in VOCABULARIES["sex"]
        for age in VOCABULARIES["age_band"]
    ],
}
STATISTICS: Final = [
    "counts", "adherence_rate", "pdc_mean", "pdc_pooled", "pdc_distribution", "adherence_rate_standardised",
    "persistence_curve", "discontinuation_rate", "switch_rate", "utilisation_rate", "utilisation_rate_ratio",
    "cost_pmpm", "psp_penetration", "reporting_rate", "programme_effect", "trend", "joint_table",
    "threshold_assessment",
]  # fmt: skip


def _feed(
    years: int, name: str, provider: str, dimensions: list[str], measures: dict[str, tuple[str, int]], rho: str,
    **changes: Any,
) -> dict[str, Any]:  # fmt: skip
    return {
        "name": name,
        "provider": provider,
        "grain": "month",
        "first_period": f"{LAST_YEAR - years + 1}-01",
        "last_period": f"{LAST_YEAR}-12",
        "k": 12 * years,
        "run_out_days": 30,
        "dimensions": dimensions,
        "measures": {name: {"unit": unit, "bound": bound} for name, (unit, bound) in measures.items()},
        "invariants": [],
        "expected": dict.fromkeys(measures, 10000),
        "tables": [{"by": dimensions[:1], "weight": 2}, {"by": []}],
        "rho": rho,
        **changes,
    }
