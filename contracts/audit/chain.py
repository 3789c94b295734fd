"""The audit: who did what under which contract version, in books that only grow and that their readers can verify.

A book is a chain. Every record commits to its act, which is salted with a random nonce so that it cannot be guessed,
and its hash covers the book's name, its place, the hash before it and the commitment (docs/decisions/0018). So whoever
reads a book verifies the whole of it, and yet is shown only the acts that concern it.

Lock order: `append` comes last in a transaction, after ledger accounts and contracts, and takes its books in the
order of their names; hence no two transactions can wait for each other.
"""

import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from contracts.audit.records import Act, Action, AuditRecord, Head
from contracts.canonical import digest_of
from contracts.parties import JsonObject
from contracts.ports import Stores

# In a contract's book these concern only whoever did them: else a party could tell, before a pool opens, who posted
# when, and what the others ask.
SEALED: Final = frozenset({Action.SUBMISSION_ACCEPTED, Action.ANSWER_GIVEN})
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Link:
    """A record as a reader gets it. act: what `commitment` commits to, or None where it does not concern the reader."""

    sequence: int
    previous_hash: str
    commitment: str
    hash: str
    act: JsonObject | None


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a book does not hold. sequence: of the record; None where it concerns the book as a whole."""

    book: str
    sequence: int | None
    what: str


def contract_book(contract_id: str) -> str:
    return f"contract:{contract_id}"


def organisation_book(organisation_id: str) -> str:
    return f"organisation:{organisation_id}"


def first_hash(book: str) -> str:
    """What the first record of a book points back to; bound to its name, so that no book passes for another."""
    return digest_of({"book": book})


def empty(book: str) -> Head:
    return Head(book, 0, first_hash(book))


def append(stores: Stores, now: datetime, *acts: Act) -> None:
    """Add these acts to their books. Call it last in the transaction, and once (see above)."""
    for act in sorted(acts, key=lambda act: act.book):
        stores.audit.append(next_record(stores.audit.lock(act.book), act, now, secrets.token_hex(32)))


def next_record(head: Head, act: Act, now: datetime, nonce: str) -> AuditRecord:
    """The record that follows this head. nonce: 32 random bytes in hex, never used again."""
    body = disclosed(act, now, nonce)
    sequence, commitment = head.sequence + 1, digest_of(body)
    return AuditRecord(
        act=act,
        sequence=sequence,
        recorded_at=now,
        nonce=nonce,
        previous_hash=head.hash,
        hash=_hash_of(act.book, sequence, head.hash, commitment),
    )


def disclosed(act: Act, recorded_at: datetime, nonce: str) -> JsonObject:
    """The act as it is committed to, and shown to whom it concerns."""
    return {
        "nonce": nonce,
        "recorded_at": recorded_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "organisation": act.organisation,
        "client": act.client,
        "action": act.action,
        "contract_id": act.contract_id,
        "contract_version": act.contract_version,
        "subject": act.subject,
    }


def link_of(record: AuditRecord, *, shown: bool = True) -> Link:
    """The record as it is read by whom it concerns, or by the others."""
    body = disclosed(record.act, record.recorded_at, record.nonce)
    return Link(record.sequence, record.previous_hash, digest_of(body), record.hash, body if shown else None)


def concerns(act: Act, organisation: str, versions: Collection[int]) -> bool:
    """What is disclosed of a contract's book: one's own acts, and what was done to versions that one can see."""
    return act.organisation == organisation or (act.action not in SEALED and act.contract_version in versions)


def check_chain(book: str, links: Sequence[Link], head: Head) -> Iterator[Broken]:
    """Everything wrong with a whole book, from its first record to its head."""
    expected = empty(book)
    for link in links:
        if link.sequence != expected.sequence + 1:
            yield Broken(book, link.sequence, f"stands where record {expected.sequence + 1} belongs")
        if link.previous_hash != expected.hash:
            yield Broken(book, link.sequence, "does not follow from the record before it")
        if link.act is not None and _find_digest(link.act) != link.commitment:
            yield Broken(book, link.sequence, "says something else than it committed to")
        if _hash_of(book, link.sequence, link.previous_hash, link.commitment) != link.hash:
            yield Broken(book, link.sequence, "is not what was hashed")
        expected = Head(book, link.sequence, link.hash)
    if head != expected:
        yield Broken(book, None, f"its head is record {head.sequence}, and its last record is {expected.sequence}")


def read_links(records: Iterable[Any]) -> list[Link]:
    """Records as the API writes them. Raises ValueError for anything else."""
    return [_read_link(record) for record in records]


def _read_link(record: Any) -> Link:
    if not isinstance(record, dict) or set(record) != {"sequence", "previous_hash", "commitment", "hash", "act"}:
        raise ValueError("a record has sequence, previous_hash, commitment, hash and act")
    hashes = (record["previous_hash"], record["commitment"], record["hash"])
    if type(record["sequence"]) is not int or not 0 < record["sequence"] < 2**53 or not all(map(is_hash, hashes)):
        raise ValueError("a record has a sequence from 1, and hashes of 64 hexadecimal digits")
    if not isinstance(record["act"], dict | None):
        raise ValueError("the act of a record is an object, or null")
    return Link(**record)


def is_hash(value: object) -> bool:
    """SHA-256 in lower-case hex."""
    return isinstance(value, str) and len(value) == 64 and set(value) <= _HEX


def _find_digest(act: JsonObject) -> str | None:
    """None for what has no canonical form, and so was never committed to."""
    try:
        return digest_of(act)
    except (ValueError, RecursionError):
        return None


def _hash_of(book: str, sequence: int, previous_hash: str, commitment: str) -> str:
    linked = {"book": book, "sequence": sequence, "previous_hash": previous_hash, "commitment": commitment}
    return digest_of(linked)
