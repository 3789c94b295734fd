"""What the exchange signs, so that it cannot say otherwise later: receipts, and the head of a book of the audit.

Payloads only. The door signs them, as compact JWS (RFC 7515) of a type of their own, so that nothing else which an
exchange signs passes for one. A payload says what kind of receipt it is, who issued it and when. It holds a digest of
the noisy block and of an answer, and nothing of exact cells.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from contracts.canonical import canonical_bytes, digest_of
from contracts.ledger.entries import Entry
from contracts.parties import Caller, JsonObject
from contracts.records import ContractRecord
from contracts.statistics.questions import Question
from contracts.submissions.submitting import Receipt
from privacy.units import rho_text

SIGNED: Final = "signed_receipt"
# By which a correction and a receipt name the same measurement.
_MEASURED: Final = ("submission_id", "contract_id", "contract_version", "feed", "period", "restatement")


class ReceiptKind(StrEnum):
    """What a receipt is for."""

    SUBMISSION = "submission"
    ANSWER = "answer"
    AUDIT_HEAD = "audit-head"
    SETTLEMENT = "settlement"


def submission_payload(issuer: str, receipt: Receipt) -> JsonObject:
    """Made from what is stored, and dated when it was: a replay says the same. `ledger` is the last entry that the
    submission wrote, so that the population's account can be compared with it one day."""
    release, entry = receipt.release, receipt.debit
    return _headed(issuer, ReceiptKind.SUBMISSION, release.released_at) | {
        "submission_id": release.submission_id,
        "release_id": release.id,
        "block_sha256": release.block_sha256,
        "contract_id": release.contract_id,
        "contract_version": release.contract_version,
        "contract_digest": receipt.contract_digest,
        "feed": release.feed,
        "period": release.period,
        "restatement": release.restatement,
        "measured": str(release.measured),
        "provisional": release.provisional,
        "provider": release.provider,
        "population": release.population,
        "charged_nano": receipt.charged_nano,
        "debited_nano": receipt.debited_nano,
        "attempts": receipt.attempts,
        "ledger": {
            "entry_id": entry.id,
            "sequence": entry.sequence,
            "granted_nano": entry.granted_nano,
            "spent_nano": entry.spent_nano,
        },
        **linked_payload(receipt),
    }


def linked_payload(receipt: Receipt) -> JsonObject:
    """Of a linked feed: what the brand's population was charged too, every attempt included."""
    if (linked := receipt.linked) is None:
        return {}
    charged = linked.one_release_nano * receipt.attempts
    return {"linked": {"population": linked.population, "charged_nano": charged}}


def answer_payload(
    issuer: str, now: datetime, caller: Caller, record: ContractRecord, question: Question, answer: JsonObject
) -> JsonObject:
    """answer: the JSON that is sent, before its receipt is put into it."""
    return _headed(issuer, ReceiptKind.ANSWER, now) | {
        "organisation": caller.organisation,
        "contract_id": record.id,
        "contract_version": record.version,
        "contract_digest": record.digest or "",
        "statistic": question.statistic,
        "question": {
            "by": list(question.by),
            "periods": question.periods,
            "where": {name: list(values) for name, values in question.filters.items()},
            "confidence": question.confidence,
            "feeds": list(question.feeds),
            "measures": list(question.measures),
            "explain": question.explain,
            "purpose": question.purpose,
            "of": question.of,
            "compare": question.compare,
            "standard": question.standard,
        },
        "as_of": question.as_of,
        "releases": list(answer["releases"]),
        "answer_sha256": answer_digest(answer),
    }


def settlement_payload(issuer: str, at: datetime, record: ContractRecord, statement: JsonObject) -> JsonObject:
    """at: when the last release that it rests on was stored, so that it says the same whenever and to whomever."""
    return (
        _headed(issuer, ReceiptKind.SETTLEMENT, at)
        | {
            "contract_id": record.id,
            "contract_version": record.version,
            "contract_digest": record.digest or "",
        }
        | statement
    )


def audit_head_payload(issuer: str, now: datetime, book: str, sequence: int, record_hash: str) -> JsonObject:
    """The last record of a book at an instant: whoever keeps this can tell if the book was cut or written anew."""
    return _headed(issuer, ReceiptKind.AUDIT_HEAD, now) | {"book": book, "sequence": sequence, "hash": record_hash}


def answer_digest(answer: JsonObject) -> str:
    """SHA-256 of the RFC 8785 form of an answer without its receipt, so that spaces and order do not matter.

    Raises rfc8785's CanonicalizationError for what is no JSON.
    """
    bare = {name: value for name, value in answer.items() if name != SIGNED}
    return hashlib.sha256(canonical_bytes(bare)).hexdigest()


def misread(payload: JsonObject, shown: JsonObject) -> list[str]:
    """The names under which the readable receipt around a signed one says something else."""
    expected = {**payload, **_readable(payload)} if payload["kind"] == ReceiptKind.SUBMISSION else payload
    return [name for name, value in expected.items() if name in shown and not _same(name, shown[name], value)]


def _readable(payload: JsonObject) -> JsonObject:
    """What a submission's receipt says in other words than its payload."""
    return {
        "charged": _loss(payload["charged_nano"]),
        "debited": _loss(payload["debited_nano"]),
        "balance": _loss(payload["ledger"]["granted_nano"] - payload["ledger"]["spent_nano"]),
        "released_at": payload["iat"],
        "linked": readable_linked(payload),
    }


def readable_linked(payload: JsonObject) -> JsonObject | None:
    """What a receipt says of the brand's population; None where its feed is not linked."""
    linked = payload.get("linked")
    return linked and {"population": linked["population"], "charged": _loss(linked["charged_nano"])}


def other_contract(payload: JsonObject, document: JsonObject) -> list[str]:
    """In which of id, version and digest the contract of a receipt is not this document."""
    found = {
        "contract_id": document.get("id"),
        "contract_version": document.get("version"),
        "contract_digest": digest_of(document),
    }
    return [name for name, value in found.items() if payload.get(name) != value]


def missing_from_ledger(payload: JsonObject, population: str, entries: Sequence[Entry]) -> list[str]:
    """In what a ledger, as it stands now, is not the one that a submission's receipt was written from, in sentences.

    Entries are never changed and never go away, so any sentence means that the ledger was cut, rewound or rewritten;
    unless it was reconciled with its witness since, and a correction charges for the entry again.
    """
    claimed = payload["ledger"]
    if population != payload["population"]:
        return [f"it is the ledger of {population}, and the receipt is of {payload['population']}"]
    if any(_charges_again(entry, payload) and _charged_by(entry, payload, entries) for entry in entries):
        return []
    found = next((entry for entry in entries if entry.sequence == claimed["sequence"]), None)
    if found is None:
        last = max((entry.sequence for entry in entries), default=0)
        return [f"it has no entry {claimed['sequence']}; its last is {last}"]
    until = [e for e in entries if e.submission_id == payload["submission_id"] and e.sequence <= found.sequence]
    facts = {
        "id": (found.id, claimed["entry_id"]),
        "submission": (found.submission_id, payload["submission_id"]),
        "granted nano-rho": (found.granted_nano, claimed["granted_nano"]),
        "spent nano-rho": (found.spent_nano, claimed["spent_nano"]),
        "debits of the submission, in nano-rho": (sum(e.increment_nano for e in until), payload["debited_nano"]),
    }
    return [
        f"entry {found.sequence}, {what}: the ledger says {here}, the receipt {signed}"
        for what, (here, signed) in facts.items()
        if here != signed
    ]


def _charges_again(entry: Entry, payload: JsonObject) -> bool:
    """Whether it is a correction that restores the last entry of the submission as what the receipt says it was."""
    claimed, restores = payload["ledger"], entry.restores or {}
    # A debit of before restatements were recorded is a first measurement.
    same = all((restores.get(name) or 0) == payload[name] for name in _MEASURED)
    last = same and restores.get("entry_id") == claimed["entry_id"]
    return last and entry.is_charge and bool(entry.spent_nano >= claimed["spent_nano"])


def _charged_by(correction: Entry, payload: JsonObject, entries: Sequence[Entry]) -> bool:
    """Whether every attempt of the submission was charged for by then, by debits that were kept or by corrections. What
    is posted again under its id comes later, and pays for another draw."""
    charges: dict[str, int] = {}
    for entry in (entry for entry in entries if entry.sequence <= correction.sequence):
        known = entry.restores or {"entry_id": entry.id, "submission_id": entry.submission_id}
        if entry.is_charge and known.get("submission_id") == payload["submission_id"]:
            charges[str(known.get("entry_id"))] = entry.charge_nano
    return bool(sum(charges.values()) == payload["charged_nano"])


def _headed(issuer: str, kind: ReceiptKind, at: datetime) -> JsonObject:
    return {"iss": issuer, "iat": int(at.timestamp()), "kind": kind.value}


def _loss(rho_nano: int) -> JsonObject:
    return {"rho_nano": rho_nano, "rho": rho_text(rho_nano)}


def _same(name: str, shown: Any, signed: Any) -> bool:
    if name != "released_at":
        return bool(shown == signed)
    try:
        return bool(int(datetime.fromisoformat(shown).timestamp()) == signed)
    except (TypeError, ValueError):
        return False
