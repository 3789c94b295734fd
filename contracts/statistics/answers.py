"""What an answer consists of: tidy rows, one figure each, and what holds for all of them."""

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


class Flag(StrEnum):
    """What to know of one row before using it."""

    WHOLE_RANGE = "whole_range"
    NEAREST_END = "nearest_end"
    PARTIAL_PERIODS = "partial_periods"
    UPPER_LIMIT_ONLY = "upper_limit_only"


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of an interval; lower is None where only an upper limit is identified."""

    lower: float | None
    upper: float


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one stratum. value and intervals are None unless the state is shown (or only limited)."""

    key: Key
    figure: str
    unit: str
    state: State
    value: float | None
    interval: Ends | None
    total_interval: Ends | None
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which periods of a feed an answer rests on. payers: providers pooled, at the fewest and the most."""

    feed: str
    asked: tuple[str, ...]
    covered: tuple[str, ...]
    missing: tuple[str, ...]
    provisional: tuple[str, ...]
    providers_fewest: int
    providers_most: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows with what they mean: estimand, what the intervals cover, labels, coverage and releases used."""

    statistic: str
    estimand: str
    confidence: float
    interval_covers: str
    total_interval_covers: str | None
    labels: tuple[Label, ...]
    notes: tuple[str, ...]
    coverage: tuple[Coverage, ...]
    releases: tuple[str, ...]
    rows: tuple[Row, ...] = field(default=())
