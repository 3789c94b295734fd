"""Faults of a draft around its feeds: parties, dates, vocabularies and rules."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from contracts.parties import JsonObject, Role
from contracts.ports import Stores
from contracts.records import MAX_VERSIONS, ContractRecord
from contracts.refusals import Fault
from contracts.terms import MIN_PAYERS_DEFAULT, repeated

RESERVED_NAMES: Final = frozenset({"period", "month", "quarter", "year", "payer", "feed"})


def document_faults(document: JsonObject, today: date) -> Iterator[Fault]:
    for name in repeated(party["organisation"] for party in document["parties"]):
        yield Fault("/parties", "party_repeated", f"{name} is named twice")
    yield from _dates(document, today)
    yield from _vocabularies(document)
    yield from _rules(document)


def succession_faults(
    document: JsonObject, before: Sequence[ContractRecord], contract_id: str | None
) -> Iterator[Fault]:
    """A version says which one it follows by number and by digest, so that signing it is signing its past too."""
    if contract_id is not None and document["id"] != contract_id:
        yield Fault("/id", "id_differs", f"this is the contract {contract_id}, in all its versions")
    previous = before[-1] if before else None
    version, digest = (previous.version + 1, previous.digest) if previous else (1, None)
    if version > MAX_VERSIONS:
        message = f"a contract has at most {MAX_VERSIONS} versions; agree on a new one under another id, and end this"
        yield Fault("/version", "versions_too_many", message)
    elif document["version"] != version:
        yield Fault("/version", "version_differs", f"write {version}: versions follow one another")
    if document.get("previous_digest") != digest:
        wanted = f"the digest of version {previous.version}, {digest}" if previous else "null, as nothing came before"
        yield Fault("/previous_digest", "previous_digest_differs", f"write {wanted}")
    yield from _populations_kept(document, before)


def _populations_kept(document: JsonObject, versions: Sequence[ContractRecord]) -> Iterator[Fault]:
    """What a party released stays that of the population it came from, through all versions, even if it left and comes
    back. What others proposed and it never signed says nothing of it."""
    before = {
        party["organisation"]: party
        for record in versions
        for party in record.document["parties"]
        if any(signature.organisation == party["organisation"] for signature in record.signatures)
    }
    for i, party in enumerate(document["parties"]):
        kept = before.get(party["organisation"], party)
        if party["role"] != kept["role"]:
            yield Fault(f"/parties/{i}/role", "role_differs", f"{kept['role']}, as in the versions that it signed")
        if party["population"] != kept["population"]:
            message = f"{kept['population']}, as in the versions that it signed"
            yield Fault(f"/parties/{i}/population", "population_differs", message)


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
