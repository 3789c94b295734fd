"""Faults of a draft around its feeds: parties, dates, vocabularies, roll-ups, grants and rules."""

from collections.abc import Iterator
from datetime import date
from typing import Final

from contracts.parties import JsonObject, Role
from contracts.periods import Grain
from contracts.ports import Stores
from contracts.refusals import Fault
from contracts.terms import MIN_PAYERS_DEFAULT, repeated

RESERVED_NAMES: Final = frozenset({"period", "month", "quarter", "year", "payer", "feed"})


def document_faults(document: JsonObject, statistics: frozenset[str], today: date) -> Iterator[Fault]:
    for name in repeated(party["organisation"] for party in document["parties"]):
        yield Fault("/parties", "party_repeated", f"{name} is named twice")
    yield from _dates(document, today)
    yield from _vocabularies(document)
    yield from _rollups(document)
    yield from _grants(document, statistics)
    yield from _rules(document)


def party_faults(document: JsonObject, stores: Stores, drafted_by: str) -> Iterator[Fault]:
    """Of what only the exchange knows: who drafts, and who is registered here."""
    parties = document["parties"]
    if not any(party["organisation"] == drafted_by for party in parties):
        yield Fault("/parties", "drafter_not_a_party", f"{drafted_by} drafts this contract and must be a party to it")
    for index, party in enumerate(parties):
        organisation = stores.parties.find_organisation(party["organisation"])
        if organisation is None or organisation.role != party["role"]:
            yield Fault(f"/parties/{index}/organisation", "party_unknown", f"no {party['role']} of this name is here")
        population = stores.parties.find_population(party["population"])
        if population is None or population.organisation != party["organisation"]:
            yield Fault(
                f"/parties/{index}/population",
                "population_unknown",
                "the organisation has no population of this name",
            )


def _dates(document: JsonObject, today: date) -> Iterator[Fault]:
    effective, expires = (find_date(document[name]) for name in ("effective", "expires"))
    if effective is None:
        yield Fault("/effective", "date_invalid", "a date is written like 2025-01-31")
    if expires is None:
        yield Fault("/expires", "date_invalid", "a date is written like 2025-01-31")
    if effective and expires and expires <= effective:
        yield Fault("/expires", "dates_reversed", "a contract expires after it becomes effective")
    if expires and expires < today:
        yield Fault("/expires", "already_expired", "this contract would be expired before it is signed")


def find_date(text: str) -> date | None:
    """None for what is no date of the calendar."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _vocabularies(document: JsonObject) -> Iterator[Fault]:
    for name, values in document["vocabularies"].items():
        pointer = f"/vocabularies/{name}"
        if name in RESERVED_NAMES:
            yield Fault(pointer, "name_reserved", f"{name} is a word of the exchange; choose another name")
        if not values:
            yield Fault(pointer, "vocabulary_empty", "write at least one value, such as all, or leave it out")
        for value in repeated(values):
            yield Fault(pointer, "value_repeated", f"{value} occurs twice")


def _rollups(document: JsonObject) -> Iterator[Fault]:
    order = [grain.value for grain in Grain]
    for coarse, fine in document["rollups"].get("period", {}).items():
        if order.index(coarse) <= order.index(fine):
            yield Fault(f"/rollups/period/{coarse}", "rollup_reversed", f"a {fine} does not roll up to a {coarse}")


def _grants(document: JsonObject, statistics: frozenset[str]) -> Iterator[Fault]:
    for name in repeated(grant["role"] for grant in document["grants"]):
        yield Fault("/grants", "grant_repeated", f"one grant a role; {name} has two")
    for i, grant in enumerate(document["grants"]):
        for j, name in enumerate(grant["statistics"]):
            if name not in statistics:
                known = ", ".join(sorted(statistics))
                yield Fault(f"/grants/{i}/statistics/{j}", "statistic_unknown", f"the statistics are {known}")


def _rules(document: JsonObject) -> Iterator[Fault]:
    payers = sum(party["role"] == Role.PAYER for party in document["parties"])
    most, wanted = max(payers, 1), document["rules"]["min_payers"]
    if wanted > most:
        default = " (the default, where it is left out)" if wanted == MIN_PAYERS_DEFAULT else ""
        write = {1: "1", 2: "1 or 2"}.get(most, f"{most} or less")
        message = f"a pool of {wanted}{default} would never open, as the contract has {payers} payers: write {write}"
        yield Fault("/rules/min_payers", "pool_never_opens", message)
    if document["rules"]["payer_dimension"]:
        yield Fault("/rules/payer_dimension", "not_offered", "this exchange does not answer by payer; write false")
