"""The terms of a contract as the domain reads them. The document itself is what parties sign.

`read_terms` expects a document whose form (names, types) the door has already checked; whether it makes sense is
decided in `contracts.drafting`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from math import prod
from typing import Final

from contracts.canonical import canonical_bytes, digest_of, sha256
from contracts.grants import Grant, read_grant
from contracts.invariants import Invariant, parse_invariant
from contracts.parties import JsonObject, Role
from contracts.periods import Grain, Period, PeriodRange
from contracts.read_terms import ReadTerms
from contracts.records import ContractRecord
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


class PrivacyUnit(StrEnum):
    """Whose whole contribution the stated losses are about."""

    WITHIN_PROVIDER = "person_within_provider"
    ACROSS_PROVIDERS = "person_across_providers"


class ContractAltered(Exception):
    """A stored document does not have the digest that was frozen with it: act on none of its terms."""


_READ: Final = ReadTerms["Terms"](64 * 2**20)


@dataclass(frozen=True, slots=True)
class Party:
    """One organisation's part in a contract."""

    organisation: str
    role: Role
    population: str


@dataclass(frozen=True, slots=True)
class MeasureTerms:
    """unit: what is counted. bound: the most one person adds to one cell."""

    unit: str
    bound: int


@dataclass(frozen=True, slots=True)
class FeedTerms:
    """One feed: its closed key space, its contribution bounds, and the frozen plan once proposed.

    generation: digest of everything the loss of the feed rests on (schema, bounds, k, plan); a feed that changes in
    any of it is accounted for as a new one. None before the plan is made. expected: sum over one period, by measure.
    preparation_sha256: of the definitions by which cells are made of claims, if the contract names them.
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

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(self.vocabularies)

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
class Terms:
    """A whole contract. purposes: for which answers may be asked besides its own; prohibited: for which never."""

    id: str
    version: int
    title: str
    purpose: str
    effective: date
    expires: date
    parties: tuple[Party, ...]
    feeds: tuple[FeedTerms, ...]
    rollups: dict[Grain, Grain]
    privacy: PrivacyTerms
    grants: tuple[Grant, ...]
    rules: Rules
    purposes: tuple[str, ...] = ()
    prohibited: tuple[str, ...] = ()

    @property
    def allowed_purposes(self) -> tuple[str, ...]:
        """Its own purpose, which a question has unless it states another, and the further ones."""
        return (self.purpose, *self.purposes)

    def find_party(self, organisation: str) -> Party | None:
        return next((party for party in self.parties if party.organisation == organisation), None)

    def find_feed(self, name: str) -> FeedTerms | None:
        return next((feed for feed in self.feeds if feed.name == name), None)

    def providers_of(self, feed: FeedTerms) -> tuple[str, ...]:
        """Organisations that post this feed."""
        return tuple(party.organisation for party in self.parties if party.role is feed.provider)

    def grains_of(self, feed: FeedTerms) -> tuple[Grain, ...]:
        """By which grains of time the feed can be asked: its own, and the roll-ups that the contract declares."""
        return tuple(grain for grain in Grain if grain is feed.grain or self.rollups.get(grain) is feed.grain)

    def find_grant(self, party: Party) -> Grant | None:
        """The party's own grant, or else that of its role."""
        for organisation in (party.organisation, None):
            for grant in self.grants:
                if grant.role is party.role and grant.organisation == organisation:
                    return grant
        return None


def read_terms(document: JsonObject) -> Terms:
    """The terms of a well-formed document. Raises ValueError where a value has no meaning (a date, a period)."""
    vocabularies = {name: tuple(values) for name, values in document["vocabularies"].items()}
    rules = document["rules"]
    small_cells, reciprocity = rules.get("small_cells"), rules.get("reciprocity")
    return Terms(
        id=document["id"],
        version=document["version"],
        title=document["title"],
        purpose=document["purpose"],
        effective=date.fromisoformat(document["effective"]),
        expires=date.fromisoformat(document["expires"]),
        parties=tuple(
            Party(party["organisation"], Role(party["role"]), party["population"]) for party in document["parties"]
        ),
        feeds=tuple(read_feed(feed, vocabularies) for feed in document["feeds"]),
        rollups={Grain(c): Grain(f) for c, f in document.get("rollups", {}).get("period", {}).items()},
        privacy=PrivacyTerms(
            unit=PrivacyUnit(document["privacy"]["unit"]),
            max_providers=document["privacy"].get("max_providers"),
            delta=document["privacy"]["delta"],
            ceilings_nano={name: budget_nano(rho) for name, rho in document["privacy"]["ceilings"].items()},
        ),
        grants=tuple(read_grant(f"/grants/{i}", grant) for i, grant in enumerate(document["grants"])),
        rules=Rules(
            rules["min_payers"],
            small_cells["mask_below"] if small_cells else None,
            reciprocity["within_days"] if reciprocity else None,
        ),
        purposes=tuple(document.get("purposes", ())),
        prohibited=tuple(document.get("prohibited", ())),
    )


def terms_of(record: ContractRecord) -> Terms:
    """The terms of a stored contract. A frozen document never changes, so it is read once and kept by digest.

    Raises ContractAltered for a document that is not the one its parties signed.
    """
    if record.digest is None:
        return read_terms(record.document)
    known = _READ.find(record.digest)
    if known is not None:
        return known
    form = canonical_bytes(record.document)
    if sha256(form) != record.digest:
        raise ContractAltered(record.id)
    terms = read_terms(record.document)
    _READ.keep(record.digest, terms, len(form))
    return terms


def read_feed(feed: JsonObject, vocabularies: dict[str, tuple[str, ...]]) -> FeedTerms:
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
    )


def _generation(feed: JsonObject, vocabularies: dict[str, tuple[str, ...]]) -> str:
    rests_on = {name: feed[name] for name in ("name", "provider", "grain", "k")} | {
        "vocabularies": [[name, list(vocabularies[name])] for name in feed["dimensions"]],
        "bounds": {name: measure["bound"] for name, measure in feed["measures"].items()},
        "draws": feed["plan"]["draws"],
    }
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


def repeated(names: Iterable[str]) -> set[str]:
    """The names that occur more than once."""
    return {name for name, times in Counter(names).items() if times > 1}
