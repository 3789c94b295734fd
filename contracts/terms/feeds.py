"""The terms of one feed: its closed key space, its bounds and its periods, and the plan that is frozen with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from math import prod

from contracts.canonical import digest_of
from contracts.invariants import Invariant, parse_invariant
from contracts.parties import JsonObject, Role
from contracts.periods import Grain, Period, PeriodRange
from contracts.terms.clauses import DimensionRollup
from contracts.terms.rollups import RolledUp, rolled_up_in
from privacy.mechanism import NAME as MECHANISM
from privacy.plan import Draw, MeasurementPlan
from privacy.strategy import FeedDesign, Table, releases_paid
from privacy.units import budget_nano


class Measured(StrEnum):
    """Where noise is drawn: in the exchange, or on the provider's premises, which then vouches for it."""

    EXCHANGE = "exchange"
    SOURCE = "source"


class LifeTable(StrEnum):
    """Increments of a life table: who started, and who stopped, each person once, in the period it became known."""

    STARTS = "starts"
    EXITS = "exits"


@dataclass(frozen=True, slots=True)
class MeasureTerms:
    """unit: what is counted. bound: the most one person adds to one cell."""

    unit: str
    bound: int


@dataclass(frozen=True, slots=True)
class Linked:
    """The payer computes the cells with a brand's flag, on its own premises.

    dimension: what the flag says of a person. organisation: the brand whose records it is made of, whose population
    the releases are charged to as well.
    """

    dimension: str
    organisation: str


@dataclass(frozen=True, slots=True)
class FeedTerms:
    """One feed: its closed key space, its contribution bounds, and the frozen plan once proposed.

    generation: digest of everything the loss of the feed rests on (schema, bounds, k, plan); a feed that changes in
    any of it is accounted for as a new one. None before the plan is made. expected: sum over one period, by measure.
    preparation_sha256: of the definitions by which cells are made of claims, if the contract names them.
    linked: None where no brand's flag is in the cells. known_after_months: of a feed of exits, how many months later
    they are posted, always: in the month of the start + months_since_start + these; None where it is posted whenever it
    becomes known.
    rolled_up: the coarser dimensions by which it can be asked, by name.
    """

    name: str
    provider: Role
    grain: Grain
    periods: PeriodRange
    k: int
    run_out_days: int
    restatements: int
    measured: Measured
    life_table: LifeTable | None
    vocabularies: dict[str, tuple[str, ...]]
    measures: dict[str, MeasureTerms]
    invariants: tuple[Invariant, ...]
    expected: dict[str, int]
    tables: tuple[Table, ...]
    rho_nano: int
    plan: MeasurementPlan | None
    generation: str | None
    preparation_sha256: str | None = None
    linked: Linked | None = None
    known_after_months: int | None = None
    rolled_up: dict[str, RolledUp] = field(default_factory=dict)

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(self.vocabularies)

    @property
    def askable(self) -> tuple[str, ...]:
        """By what an answer may go, and what it may filter: the feed's own dimensions, and the coarser ones."""
        return (*self.vocabularies, *self.rolled_up)

    def own_of(self, name: str) -> str:
        """The feed's own dimension that a name of `askable` goes by: itself, or what it rolls up."""
        return name if name in self.vocabularies else self.rolled_up[name].of

    def groups_by(self, name: str) -> dict[str, tuple[str, ...]]:
        """The values of a name of `askable`, in order, each with those of the feed's own dimension that it holds."""
        if name in self.vocabularies:
            return {value: (value,) for value in self.vocabularies[name]}
        return self.rolled_up[name].groups

    def chosen(self, measures: Sequence[str]) -> tuple[str, ...]:
        """Those of the measures that the feed has, in the order named; all that it has where none is named of it."""
        return tuple(name for name in measures if name in self.measures) or tuple(self.measures)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(values) for values in self.vocabularies.values())

    @property
    def cells_per_measure(self) -> int:
        return prod(self.shape)

    @property
    def bounds(self) -> dict[str, int]:
        return {name: measure.bound for name, measure in self.measures.items()}

    @property
    def design(self) -> FeedDesign:
        """What the measurement plan is made from. By name: a document says the same in whatever order its members
        stand (RFC 8785), and so does its plan."""
        sizes = {name: len(values) for name, values in self.vocabularies.items()}
        return FeedDesign(sizes, dict(sorted(self.bounds.items())), self.expected, self.tables)

    @property
    def releases_paid(self) -> int:
        """How many releases its ceiling pays for."""
        return releases_paid(k=self.k, periods=len(self.periods), restatements=self.restatements)

    @property
    def charge_nano(self) -> int:
        """What one release may charge, rounded down."""
        return self.rho_nano // self.releases_paid

    def earliest(self, period: Period, restatement: int) -> date:
        """The first day on which a period may be posted, and on which its scheduled restatements 1, 2, ... are due:
        evenly over the run-out, the last right after it."""
        waited = self.run_out_days * restatement // self.restatements if restatement else 0
        return period.last_day + timedelta(days=waited + 1)

    def is_provisional(self, period: Period, today: date) -> bool:
        """Late records may still be missing until the run-out is over."""
        return (today - period.last_day).days <= self.run_out_days

    def get_plan(self) -> MeasurementPlan:
        """Raises ValueError for a contract that was never proposed."""
        if self.plan is None:
            raise ValueError("a plan is frozen when the contract is proposed")
        return self.plan


def read_feed(
    feed: JsonObject, vocabularies: dict[str, tuple[str, ...]], rollups: Sequence[DimensionRollup] = ()
) -> FeedTerms:
    """One feed of a well-formed document. Raises ValueError as `read_terms`, KeyError for an unknown dimension."""
    grain = Grain(feed["grain"])
    measures = {name: MeasureTerms(m["unit"], m["bound"]) for name, m in feed["measures"].items()}
    return FeedTerms(
        name=feed["name"],
        provider=Role(feed["provider"]),
        grain=grain,
        periods=PeriodRange(Period.parse(feed["first_period"], grain), Period.parse(feed["last_period"], grain)),
        k=feed["k"],
        run_out_days=feed["run_out_days"],
        restatements=feed["restatements"],
        vocabularies={name: vocabularies[name] for name in feed["dimensions"]},
        measured=Measured(feed["measured"]),
        life_table=LifeTable(feed["life_table"]) if feed.get("life_table") else None,
        measures=measures,
        invariants=tuple(parse_invariant(text, tuple(measures)) for text in feed["invariants"]),
        expected=dict(feed["expected"]),
        tables=tuple(Table(tuple(table["by"]), table.get("weight", 1)) for table in feed["tables"]),
        rho_nano=budget_nano(feed["rho"]),
        plan=_read_plan(feed["plan"]) if feed.get("plan") else None,
        generation=_generation(feed, vocabularies) if feed.get("plan") else None,
        preparation_sha256=feed.get("preparation_sha256"),
        linked=Linked(**feed["linked"]) if feed.get("linked") else None,
        known_after_months=feed.get("known_after_months"),
        rolled_up=rolled_up_in(feed["dimensions"], vocabularies, rollups),
    )


def _generation(feed: JsonObject, vocabularies: dict[str, tuple[str, ...]]) -> str:
    rests_on = {name: feed[name] for name in ("name", "provider", "grain", "k")} | {
        "vocabularies": [[name, list(vocabularies[name])] for name in feed["dimensions"]],
        "bounds": {name: measure["bound"] for name, measure in feed["measures"].items()},
        "draws": feed["plan"]["draws"],
    }
    # What cells mean, too: releases before and after a change of it are not of one table. Only where it is said, so
    # that feeds of before these terms are what they were.
    rests_on |= {name: feed[name] for name in ("linked", "known_after_months") if feed.get(name) is not None}
    return digest_of(rests_on)


def _read_plan(plan: JsonObject) -> MeasurementPlan:
    return MeasurementPlan(
        tuple(
            Draw(draw["measure"], tuple(draw["margin"]), draw["sigma"], draw["l2_squared"], draw["charge_nano"])
            for draw in plan["draws"]
        )
    )


def write_plan(plan: MeasurementPlan, explanation: Iterable[str]) -> JsonObject:
    """The plan as it stands in the signed document. Only its draws decide anything; the explanation says them."""
    return {
        "mechanism": MECHANISM,
        "draws": write_draws(plan),
        "charge_nano": plan.charge_nano,
        "explanation": list(explanation),
    }


def write_draws(plan: MeasurementPlan) -> list[JsonObject]:
    """The draws of a plan: in the signed document, and in the ledger entry that pays for them."""
    return [
        {
            "measure": draw.measure,
            "margin": list(draw.margin),
            "sigma": draw.sigma,
            "l2_squared": draw.l2_squared,
            "charge_nano": draw.charge_nano,
        }
        for draw in plan.draws
    ]
