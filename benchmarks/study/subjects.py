"""What is studied: for each statistic a contract, a question, and the persons behind it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from benchmarks.study.harness import DRAW, Cells, Feed, terms_with
from benchmarks.study.populations import (
    BANDS,
    MONTHS,
    REASONS,
    SEXES,
    Sample,
    claims,
    grouped,
    life_tables,
    support,
)
from contracts.statistics.questions import Compare, Question
from contracts.terms import Terms

KNOWN_AFTER: Final = 2
REGIONS: Final = ("north", "south")
FLAGS: Final = ("enrolled", "not_enrolled")
HALVES: Final = ("p00_80", "p80_100")
COVERAGE: Final = ("in_network", "other")

_YEAR: Final = {"provider": "payer", "grain": "year", "first_period": "2025", "last_period": "2025"}
_MEMBERS: Final = {"members": ("persons", 1)}


def _claims(*measures: str, first_period: str = "2025", margins: bool = False) -> Feed:
    units = {
        "members": ("persons", 1),
        "treatment_days": ("days", 366),
        "days_covered": ("days", 366),
        "pdc_basis_points": ("basis_points", 10_000),
        "member_months": ("months", 12),
        "hospitalised_members": ("persons", 1),
        "hospital_stays": ("stays", 10),
        "allowed_cents": ("cents", 10_000_000),
    }
    return Feed(
        "claims",
        "payer",
        "year",
        first_period,
        "2025",
        ("sex", "adherence_band"),
        {name: units[name] for name in measures},
        (("adherence_band",), ("sex",)) if margins else (),
    )


def _support(*measures: str) -> Feed:
    units = {"enrolled": ("persons", 1), "complaints": ("complaints", 1), "adverse_event_reports": ("reports", 5)}
    chosen = {name: units[name] for name in ("enrolled", *measures)}
    return Feed("support", "brand", "year", "2025", "2025", ("coverage",), chosen)


def _months(name: str, dimensions: tuple[str, ...], **more: Any) -> Feed:
    return Feed(name, "payer", "month", "2024-01", "2025-12", dimensions, _MEMBERS, more={"life_table": name, **more})


def _grouped(dimension: str, first_period: str = "2025", **more: Any) -> Feed:
    return Feed(
        "adherence", "payer", "year", first_period, "2025", (dimension, "adherence_band"), _MEMBERS, more=more or None
    )


Populate = Callable[[Sample], Cells]


@dataclass(frozen=True, slots=True)
class Subject:
    """name: as it is told. clauses: of the contract, besides its feeds."""

    name: str
    feeds: tuple[Feed, ...]
    vocabularies: Mapping[str, tuple[str, ...]]
    populate: Populate
    question: Question
    clauses: Mapping[str, Any] = field(default_factory=dict)

    def terms(self, draws: int, sd: float) -> Terms:
        return terms_with(self.feeds, self.vocabularies, draws, sd, **self.clauses)


_OF_CLAIMS: Final = {"sex": SEXES, "adherence_band": BANDS}
_OF_SUPPORT: Final = {"coverage": COVERAGE}
_STANDARD: Final = {
    "name": "even",
    "source": "equal weights",
    "by": ["sex"],
    "weights": [{"stratum": {"sex": sex}, "weight": 1} for sex in SEXES],
}


def _of_claims(name: str, statistic: str, *measures: str, margins: bool = False, by: tuple[str, ...] = (),
               standard: bool = False, **asked: Any) -> Subject:  # fmt: skip
    since = "2024" if asked.get("compare") or statistic == "trend" else "2025"
    feed = _claims(*measures, margins=margins, first_period=since)
    return Subject(
        name,
        (feed,),
        _OF_CLAIMS,
        lambda sample: claims(sample, feed),
        Question(statistic, by=(DRAW, *by), **{"periods": "2025", **asked}),
        {"standards": [_STANDARD]} if standard else {},
    )


def _of_support(name: str, statistic: str, *measures: str) -> Subject:
    feed, payers = _support(*measures), _claims("members", "treatment_days", "days_covered")
    return Subject(
        name,
        (payers, feed),
        _OF_CLAIMS | _OF_SUPPORT,
        lambda sample: {**claims(sample, payers), **support(sample, feed, 0.3)},
        Question(statistic, by=(DRAW,), periods="2025"),
    )


def _of_life_tables(statistic: str) -> Subject:
    starts = _months("starts", ())
    exits = _months("exits", ("months_since_start", "reason"), known_after_months=KNOWN_AFTER)
    return Subject(
        statistic,
        (starts, exits),
        {"months_since_start": MONTHS, "reason": REASONS},
        lambda sample: life_tables(sample, starts, exits, KNOWN_AFTER),
        Question(statistic, by=(DRAW,), periods="2024-01..2025-12"),
    )


def _of_programme() -> tuple[Subject, ...]:
    linked = _grouped("programme", link="linked", linked={"dimension": "programme", "organisation": "helix"})
    rolled_out = _grouped("region", first_period="2024")
    payers, brand = _grouped("sex"), _support()
    asked = Question("programme_effect", by=(DRAW,), periods="2025")
    chances = {"2025": (0.7, 0.6)}
    return (
        Subject(
            "programme_effect, linked",
            (linked,),
            {"programme": FLAGS, "adherence_band": HALVES},
            lambda sample: grouped(sample, linked, (0.4, 0.6), chances),
            asked,
        ),
        Subject(
            "programme_effect, rollout",
            (rolled_out,),
            {"region": REGIONS, "adherence_band": HALVES},
            lambda sample: grouped(sample, rolled_out, (0.5, 0.5), {"2024": (0.5, 0.55), "2025": (0.65, 0.6)}),
            replace(asked, periods="2024..2025"),
            {"rollout": {"dimension": "region", "starts": {"north": "2025"}}},
        ),
        Subject(
            "programme_effect, bounds",
            (payers, brand),
            {"sex": SEXES, "adherence_band": HALVES, **_OF_SUPPORT},
            lambda sample: {
                **grouped(sample, payers, (0.5, 0.5), {"2025": (0.7, 0.6)}),
                **support(sample, brand, 0.3),
            },
            asked,
        ),
    )


SUBJECTS: Final = (
    _of_claims("counts", "counts", "members"),
    _of_claims("counts, fitted", "counts", "members", margins=True, by=("sex",)),
    _of_claims("adherence_rate", "adherence_rate", "members"),
    _of_claims("adherence_rate, fitted, by sex", "adherence_rate", "members", margins=True, by=("sex",)),
    _of_claims("adherence_rate, change", "adherence_rate", "members", compare=Compare.PREVIOUS),
    _of_claims("pdc_mean", "pdc_mean", "members", "pdc_basis_points"),
    _of_claims("pdc_pooled", "pdc_pooled", "members", "days_covered", "treatment_days"),
    _of_claims("pdc_distribution", "pdc_distribution", "members"),
    _of_claims("adherence_rate_standardised", "adherence_rate_standardised", "members", standard=True),
    _of_claims(
        "adherence_rate_standardised, fitted", "adherence_rate_standardised", "members", margins=True, standard=True
    ),
    _of_claims(
        "utilisation_rate", "utilisation_rate",
        "members", "member_months", "hospital_stays", "hospitalised_members", by=("adherence_band",),
    ),
    _of_claims(
        "utilisation_rate_ratio", "utilisation_rate_ratio",
        "members", "member_months", "hospital_stays", "hospitalised_members", standard=True,
    ),
    _of_claims("cost_pmpm", "cost_pmpm", "member_months", "allowed_cents"),
    _of_claims("trend", "trend", "members", by=("year",), of="adherence_rate", periods="2024..2025"),
    _of_support("psp_penetration", "psp_penetration"),
    _of_support("joint_table", "joint_table"),
    _of_support("reporting_rate", "reporting_rate", "complaints", "adverse_event_reports"),
    _of_life_tables("persistence_curve"),
    _of_life_tables("discontinuation_rate"),
    _of_life_tables("switch_rate"),
    *_of_programme(),
)  # fmt: skip


def generator(seed: int) -> np.random.Generator:
    """Of the persons, never of the noise."""
    return np.random.default_rng(seed)
