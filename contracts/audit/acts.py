"""What is recorded of each thing that is done: who writes the audit and who verifies it make the same acts.

They are made of what is stored, so that each row must have its act and each act its row (`contracts.audit.verifying`).
Nothing of cells is ever in one: a refused submission is named by what was asked and by the problem's code alone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.audit.chain import contract_book, organisation_book
from contracts.audit.records import Act, Action
from contracts.canonical import digest_of
from contracts.ledger.entries import Entry
from contracts.parties import Caller, Client, JsonObject, Organisation, Population, SigningKey
from contracts.records import (
    ContractEvent,
    ContractRecord,
    EventKind,
    PopulationEvent,
    ReleaseRecord,
    Signature,
)
from contracts.statistics.questions import Question


@dataclass(frozen=True, slots=True)
class By:
    """Who did it. By default the operator at the console, who has no client."""

    organisation: str | None = None
    client: str | None = None

    @classmethod
    def caller(cls, caller: Caller | None) -> "By":
        return cls() if caller is None else cls(caller.organisation, caller.client)


CONSOLE = By()


def of_contract(action: Action, by: By, record: ContractRecord, subject: JsonObject) -> Act:
    """In the contract's book, which its parties read."""
    return _act(contract_book(record.id), action, by, subject, record.id, record.version)


def of_organisation(
    action: Action, by: By, organisation: str, subject: JsonObject, contract_id: str | None = None
) -> Act:
    """In the organisation's book, which it alone reads."""
    return _act(organisation_book(organisation), action, by, subject, contract_id)


def drafted(action: Action, by: By, record: ContractRecord, reason: str | None = None) -> Act:
    """A draft is its drafter's alone, and so is what is said of it. reason: why the operator deleted it."""
    subject = {} if reason is None else {"reason": reason}
    return _act(organisation_book(record.drafted_by), action, by, subject, record.id, record.version)


def proposed(by: By, record: ContractRecord) -> Act:
    return of_contract(Action.CONTRACT_PROPOSED, by, record, {"contract_digest": record.digest})


def signed(by: By, record: ContractRecord, signature: Signature) -> Act:
    jws_sha256 = hashlib.sha256(signature.jws.encode()).hexdigest()
    subject = {"contract_digest": record.digest, "kid": signature.kid, "jws_sha256": jws_sha256}
    return of_contract(Action.CONTRACT_SIGNED, by, record, subject)


def happened(event: ContractEvent) -> Act:
    """A suspension, resumption or termination, or the agreement of one party to it."""
    by = By(event.organisation, event.client)
    subject = {"event": event.sequence, "reason": event.reason}
    book = contract_book(event.contract_id)
    return _act(book, _OF_CONTRACTS[event.kind], by, subject, event.contract_id, event.contract_version)


def population_moved(event: PopulationEvent, organisation: str) -> Act:
    """A population suspended or resumed, in the book of the organisation that it belongs to."""
    return of_organisation(_OF_POPULATIONS[event.kind], _by(event), organisation, _population_subject(event))


def population_moved_under(event: PopulationEvent, record: ContractRecord) -> Act:
    """The same, told to the parties of a contract that draws on it."""
    return of_contract(_OF_POPULATIONS[event.kind], _by(event), record, _population_subject(event))


def accepted(by: By, record: ContractRecord, release: ReleaseRecord) -> Act:
    subject = {
        "submission_id": release.submission_id,
        "release_id": release.id,
        "block_sha256": release.block_sha256,
        "feed": release.feed,
        "period": release.period,
        "restatement": release.restatement,
        "contract_digest": record.digest,
        "debit_id": release.debit_id,
    }
    return of_contract(Action.SUBMISSION_ACCEPTED, by, record, subject)


def refused(by: By, organisation: str, contract_id: str | None, problem: str, asked: Mapping[str, str | int]) -> Act:
    """asked: what could be read of submission_id, feed, period and restatement."""
    subject = {"problem": problem, **asked}
    return of_organisation(Action.SUBMISSION_REFUSED, by, organisation, subject, contract_id)


def answered(
    by: By, record: ContractRecord, purpose: str, question: Question, release_ids: Sequence[str], digest: str
) -> Act:
    """digest: SHA-256 of the answer, as it was given."""
    subject = {
        "statistic": question.statistic,
        "question": _question(question),
        "purpose": purpose,
        "release_ids": [*release_ids],
        "contract_digest": record.digest,
        "answer_sha256": digest,
    }
    return of_contract(Action.ANSWER_GIVEN, by, record, subject)


def organisation_registered(by: By, organisation: Organisation) -> Act:
    subject = {"name": organisation.name, "role": organisation.role.value}
    return of_organisation(Action.ORGANISATION_REGISTERED, by, organisation.id, subject)


def population_registered(by: By, population: Population) -> Act:
    subject = {"population": population.id, "attestation": population.attestation}
    return of_organisation(Action.POPULATION_REGISTERED, by, population.organisation, subject)


def budget_granted(by: By, organisation: str, entry: Entry) -> Act:
    return of_organisation(Action.BUDGET_GRANTED, by, organisation, _ledger_subject(entry))


def ledger_corrected(by: By, organisation: str, entry: Entry) -> Act:
    return of_organisation(Action.LEDGER_CORRECTED, by, organisation, _ledger_subject(entry))


def client_registered(by: By, client: Client) -> Act:
    named = {} if client.issuer is None else {"issuer": client.issuer, "issuer_subject": client.subject}
    subject = {"client": client.id, "scopes": sorted(client.scopes), **keys_of(client), **named}
    return of_organisation(Action.CLIENT_REGISTERED, by, client.organisation, subject)


def client_keys_replaced(by: By, client: Client) -> Act:
    subject = {"client": client.id, **keys_of(client)}
    return of_organisation(Action.CLIENT_KEYS_REPLACED, by, client.organisation, subject)


def keys_of(client: Client) -> JsonObject:
    """What it proves itself with, as its registration and each replacement say it."""
    url = {} if client.jwks_url is None else {"jwks_url": client.jwks_url}
    return {"public_keys_sha256": digest_of({"public_keys": [*client.public_keys]}), **url}


def says_keys_of(act: Act, client: Client) -> bool:
    """Whether a registration or replacement says what the client proves itself with."""
    return {name: act.subject[name] for name in _KEYS if name in act.subject} == keys_of(client)


def without_keys(subject: JsonObject) -> JsonObject:
    """What a registration says that no later replacement changes."""
    return {name: value for name, value in subject.items() if name not in _KEYS}


def client_revoked(by: By, client: Client) -> Act:
    subject = {"client": client.id, "reason": client.revocation_reason}
    return of_organisation(Action.CLIENT_REVOKED, by, client.organisation, subject)


def signing_key_registered(by: By, key: SigningKey) -> Act:
    subject = {
        "kid": key.kid,
        "public_key_sha256": digest_of(key.public_key),
        "endorsed_by": key.endorsed_by,
    }
    return of_organisation(Action.SIGNING_KEY_REGISTERED, by, key.organisation, subject)


def signing_key_revoked(by: By, key: SigningKey) -> Act:
    subject = {"kid": key.kid, "reason": key.revocation_reason, "compromised": key.compromised}
    return of_organisation(Action.SIGNING_KEY_REVOKED, by, key.organisation, subject)


_KEYS: Final = ("public_keys_sha256", "jwks_url")
_OF_CONTRACTS: Final = {
    EventKind.SUSPENDED: Action.CONTRACT_SUSPENDED,
    EventKind.RESUME_AGREED: Action.RESUME_AGREED,
    EventKind.RESUMED: Action.CONTRACT_RESUMED,
    EventKind.TERMINATION_AGREED: Action.TERMINATION_AGREED,
    EventKind.TERMINATED: Action.CONTRACT_TERMINATED,
}
_OF_POPULATIONS: Final = {
    EventKind.SUSPENDED: Action.POPULATION_SUSPENDED,
    EventKind.RESUMED: Action.POPULATION_RESUMED,
}


def _by(event: PopulationEvent) -> By:
    return By(event.organisation, event.client)


def _population_subject(event: PopulationEvent) -> JsonObject:
    return {"population": event.population, "event": event.sequence, "reason": event.reason}


def _act(
    book: str, action: Action, by: By, subject: JsonObject, contract_id: str | None, version: int | None = None
) -> Act:
    return Act(book, action.value, by.organisation, by.client, contract_id, version, subject)


def _ledger_subject(entry: Entry) -> JsonObject:
    """The event says how much and why; amounts are what the contract and the operator set, not what was posted."""
    return {"population": entry.population, "entry_id": entry.id, "event": entry.event}


def _question(question: Question) -> JsonObject:
    return {
        "by": [*question.by],
        "periods": question.periods,
        "where": {name: [*values] for name, values in question.filters.items()},
        "confidence": question.confidence,
        "feeds": [*question.feeds],
        "measures": [*question.measures],
        "as_of": question.as_of,
        "explain": question.explain,
        "of": question.of,
        "compare": question.compare,
        "standard": question.standard,
    }
