"""A whole contract document as the domain reads it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from contracts.canonical import canonical_bytes, sha256
from contracts.grants import Grant, read_grant
from contracts.parties import JsonObject, Role
from contracts.periods import Grain
from contracts.read_terms import ReadTerms
from contracts.records import ContractRecord
from contracts.terms.clauses import (
    DimensionRollup,
    Party,
    PrivacyTerms,
    PrivacyUnit,
    Rollout,
    Rules,
    Settlement,
    Standard,
    read_rollout,
    read_rollups,
    read_settlement,
    read_standard,
)
from contracts.terms.feeds import FeedTerms, read_feed
from privacy.units import budget_nano


class ContractAltered(Exception):
    """A stored document does not have the digest that was frozen with it: act on none of its terms."""


_READ: Final = ReadTerms["Terms"](64 * 2**20)


@dataclass(frozen=True, slots=True)
class Terms:
    """A whole contract. purposes: for which answers may be asked besides its own; prohibited: for which never.

    rollups: of time, coarse grain to fine; dimension_rollups: of dimensions, each from another or a vocabulary's.
    """

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
    dimension_rollups: tuple[DimensionRollup, ...] = ()
    standards: tuple[Standard, ...] = ()
    rollout: Rollout | None = None
    settlement: Settlement | None = None

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
        """By which grains of time the feed can be asked: its own, and those that the contract's roll-ups lead to, such
        as a year of quarters of months."""
        reached = {feed.grain}
        for grain in Grain:  # from fine to coarse
            if self.rollups.get(grain) in reached:
                reached.add(grain)
        return tuple(grain for grain in Grain if grain in reached)

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
    rules, rollups = document["rules"], read_rollups(document.get("rollups", {}))
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
        feeds=tuple(read_feed(feed, vocabularies, rollups) for feed in document["feeds"]),
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
        dimension_rollups=rollups,
        standards=tuple(map(read_standard, document.get("standards") or ())),
        rollout=read_rollout(document["rollout"]) if document.get("rollout") else None,
        settlement=read_settlement(document["settlement"]) if document.get("settlement") else None,
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


def repeated(names: Iterable[str]) -> set[str]:
    """The names that occur more than once."""
    return {name for name, times in Counter(names).items() if times > 1}
