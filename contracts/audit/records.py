"""What the audit is made of: acts, and the records that keep them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from contracts.parties import JsonObject


class Action(StrEnum):
    """What can be in a book."""

    CONTRACT_DRAFTED = "contract_drafted"
    DRAFT_REPLACED = "draft_replaced"
    DRAFT_DELETED = "draft_deleted"
    CONTRACT_PROPOSED = "contract_proposed"
    CONTRACT_SIGNED = "contract_signed"
    CONTRACT_SUSPENDED = "contract_suspended"
    RESUME_AGREED = "resume_agreed"
    CONTRACT_RESUMED = "contract_resumed"
    TERMINATION_AGREED = "termination_agreed"
    CONTRACT_TERMINATED = "contract_terminated"
    SUBMISSION_ACCEPTED = "submission_accepted"
    SUBMISSION_REFUSED = "submission_refused"
    ANSWER_GIVEN = "answer_given"
    ORGANISATION_REGISTERED = "organisation_registered"
    POPULATION_REGISTERED = "population_registered"
    POPULATION_SUSPENDED = "population_suspended"
    POPULATION_RESUMED = "population_resumed"
    BUDGET_GRANTED = "budget_granted"
    LEDGER_CORRECTED = "ledger_corrected"
    CLIENT_REGISTERED = "client_registered"
    CLIENT_KEYS_REPLACED = "client_keys_replaced"
    CLIENT_REVOKED = "client_revoked"
    SIGNING_KEY_REGISTERED = "signing_key_registered"
    SIGNING_KEY_REVOKED = "signing_key_revoked"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that was done, and the book it belongs in.

    organisation, client: who did it; None for the operator at the console. subject: what it was done to: ids, digests,
    names and reasons, and never a count, a length, a duration or anything of cells.
    """

    book: str
    action: str
    organisation: str | None
    client: str | None
    contract_id: str | None
    contract_version: int | None
    subject: JsonObject


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An act in its place. nonce: 32 random bytes in hex, without which the commitment to the act cannot be guessed."""

    act: Act
    sequence: int
    recorded_at: datetime
    nonce: str
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """How far a book has come: its last record. Sequence 0 is a book with nothing in it."""

    book: str
    sequence: int
    hash: str
