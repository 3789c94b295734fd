"""Clauses of a contract besides its feeds and grants."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from contracts.parties import JsonObject, Role
from contracts.periods import Period, parse_any


class PrivacyUnit(StrEnum):
    """Whose whole contribution the stated losses are about."""

    WITHIN_PROVIDER = "person_within_provider"
    ACROSS_PROVIDERS = "person_across_providers"


@dataclass(frozen=True, slots=True)
class Party:
    """One organisation's part in a contract."""

    organisation: str
    role: Role
    population: str


MIN_PAYERS_DEFAULT: Final = 3


@dataclass(frozen=True, slots=True)
class Rules:
    """min_payers: a pool opens with so many payers besides the asker. mask_below: noisy counts from 1 to one
    below it are masked; None shows all. reciprocity_days: so long after a posting day, whoever has not posted is
    answered about no pool; None makes no such condition."""

    min_payers: int
    mask_below: int | None
    reciprocity_days: int | None = None


@dataclass(frozen=True, slots=True)
class PrivacyTerms:
    """delta: for display only. ceilings_nano: what this contract may cost each population, in nano-rho.

    max_providers: in how many of these populations one person is at most; None for the unit within one provider.
    """

    unit: PrivacyUnit
    max_providers: int | None
    delta: str
    ceilings_nano: dict[str, int]


@dataclass(frozen=True, slots=True)
class DimensionRollup:
    """A coarser dimension by which whatever goes by `of` can be asked. groups: its values, each with those of `of`
    that it is made of; every value of `of` is in one."""

    name: str
    of: str
    groups: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Standard:
    """Public weights: a standard population, or whatever else the parties agreed on.

    by: its dimensions. weights: of each of their strata, in that order, a whole number; source: where they are from.
    """

    name: str
    source: str
    by: tuple[str, ...]
    weights: dict[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Rollout:
    """That a programme was rolled out by a dimension and time: the period in which it began in each value. Values
    that are not in `starts` did not get it in the term."""

    dimension: str
    starts: dict[str, Period]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an outcomes-based contract settles on: the rate of the posted members over one period against a target.

    decide_at: the confidence from which it is met, or, of the opposite, not met. undecided: what then holds. feed: of
    which feed; None where only one could answer.
    """

    statistic: str
    target: Decimal
    period: Period
    as_of: str
    decide_at: Decimal
    undecided: str
    accept_measured_at_source: bool
    feed: str | None = None


def read_rollups(rollups: JsonObject) -> tuple[DimensionRollup, ...]:
    return tuple(
        DimensionRollup(name, rollup["of"], {value: tuple(parts) for value, parts in rollup["groups"].items()})
        for name, rollup in (rollups.get("dimensions") or {}).items()
    )


def read_standard(standard: JsonObject) -> Standard:
    by = tuple(standard["by"])
    weights = {tuple(line["stratum"][name] for name in by): line["weight"] for line in standard["weights"]}
    return Standard(standard["name"], standard["source"], by, weights)


def read_rollout(rollout: JsonObject) -> Rollout:
    """Raises NotAPeriod."""
    return Rollout(rollout["dimension"], {value: parse_any(text) for value, text in rollout["starts"].items()})


def read_settlement(clause: JsonObject) -> Settlement:
    """Raises ValueError where its period or one of its decimals is none."""
    return Settlement(
        statistic=clause["statistic"],
        target=_decimal(clause["target"]),
        period=parse_any(clause["period"]),
        as_of=clause["as_of"],
        decide_at=_decimal(clause["decide_at"]),
        undecided=clause["undecided"],
        accept_measured_at_source=bool(clause.get("accept_measured_at_source")),
        feed=clause.get("feed"),
    )


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a decimal number in a string, like '0.70'") from None
