"""What an answer consists of: tidy rows, one figure each, and what holds for all of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

Key = dict[str, str]


class State(StrEnum):
    """Why a row shows a value or none. Three different things, and never just null."""

    SHOWN = "shown"
    SUPPRESSED = "suppressed"
    MISSING = "missing"


class Label(StrEnum):
    """How the figures of an answer relate to persons."""

    ASSOCIATIONAL = "associational"
    ECOLOGICAL = "ecological"
    PROVISIONAL = "provisional"
    COVERAGE_MISMATCH = "coverage_mismatch"
    MEASURED_AT_SOURCE = "measured_at_source"
    LINKED = "linked"


ECOLOGICAL_WARNING = (
    "The two sides are joined by stratum, not by person: that strata with more of one thing have more of another "
    "does not tell that the same persons do."
)


class Flag(StrEnum):
    """What to know of one row before using it."""

    WHOLE_RANGE = "whole_range"
    NEAREST_END = "nearest_end"
    PARTIAL_PERIODS = "partial_periods"
    PARTIAL_POOL = "partial_pool"
    UPPER_LIMIT_ONLY = "upper_limit_only"
    NOT_IDENTIFIED = "not_identified"
    NOT_COMPARABLE = "not_comparable"
    WEAK_STRATA = "weak_strata"
    FEW_AT_RISK = "few_at_risk"
    NOT_REACHED = "not_reached"
    NOT_FOLLOWED = "not_followed"
    MET = "met"
    NOT_MET = "not_met"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of an interval; lower is None where only an upper limit is identified, upper where there is none."""

    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class Term:
    """An estimate that a figure is made of, and its noise. Variances are exact, in closed form."""

    name: str
    estimate: float
    variance: float
    sd: float


@dataclass(frozen=True, slots=True)
class Working:
    """How a figure was reckoned: the formula with its numbers, and the noise of the figure itself.

    formula: in names, and after ` = ` in numbers: whoever is granted no counts can be told the first part alone.
    covariance: of the noise of numerator and denominator. variance, sd: of a rate to first order, which its interval
    does not use; None where it has no value.
    """

    formula: str
    terms: tuple[Term, ...]
    covariance: float | None
    variance: float | None
    sd: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one stratum. value and intervals are None unless the state is shown (or only limited).

    working: None unless it was asked for, and in every row that is not shown.
    """

    key: Key
    figure: str
    unit: str
    state: State
    value: float | None
    interval: Ends | None
    total_interval: Ends | None
    flags: tuple[Flag, ...]
    working: Working | None = None


@dataclass(frozen=True, slots=True)
class CoveredPeriod:
    """A period that an answer rests on: how many providers are pooled in it, and which measurements of it they posted.

    restatements: 0 for the first measurement; more than one number only where providers differ.
    """

    period: str
    providers: int
    restatements: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which periods of a feed an answer rests on. providers: all that post it; fewest and most: those pooled.

    compared: these are not the periods asked, but those right before, with which they are compared.
    """

    feed: str
    asked: tuple[str, ...]
    covered: tuple[str, ...]
    missing: tuple[str, ...]
    provisional: tuple[str, ...]
    providers: int
    providers_fewest: int
    providers_most: int
    rests_on: tuple[CoveredPeriod, ...]
    compared: bool = False


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """What an answer is an answer to, with what the statistic or the contract puts where nothing was said.

    where: the values that the filters leave, by dimension; empty for all. periods: as asked; None for all that is
    granted. feeds: those that it is answered from. measures: those chosen; empty for all. standard: None where none was
    named.
    """

    by: tuple[str, ...]
    where: dict[str, tuple[str, ...]]
    periods: str | None
    feeds: tuple[str, ...]
    measures: tuple[str, ...]
    compare: str | None
    of: str | None
    standard: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows with what they mean: question, estimand, what the intervals cover, labels, coverage and releases used."""

    statistic: str
    question: AnsweredQuestion
    estimand: str
    as_of: str
    confidence: float
    interval_covers: str
    total_interval_covers: str | None
    labels: tuple[Label, ...]
    notes: tuple[str, ...]
    coverage: tuple[Coverage, ...]
    releases: tuple[str, ...]
    rows: tuple[Row, ...] = field(default=())


def notes_on(rows: Iterable[Row], notes: Iterable[str]) -> tuple[str, ...]:
    """Without those that say what `the flag ...` means where no row has it. Rows that are not shown have no flag that
    depends on their value, so nothing of them is told."""
    found = {flag for row in rows for flag in row.flags}
    absent = [f"the flag {flag}" for flag in Flag if flag not in found]
    return tuple(note for note in notes if not any(re.search(rf"{named}\b", note) for named in absent))
