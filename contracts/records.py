"""What is kept of contracts, submissions and releases."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from contracts.parties import JsonObject

# Every request on a contract reads all its versions.
MAX_VERSIONS: Final = 100


class Stage(StrEnum):
    """How far a contract has been written. Whether it is in force follows from signatures and dates."""

    DRAFT = "draft"
    PROPOSED = "proposed"


@dataclass(frozen=True, slots=True)
class Signature:
    """A detached JWS (RFC 7515 appendix F) over the RFC 8785 form of the proposed document.

    The public key is kept with it, so that the signature can be checked when the key has long been rotated.
    key_revoked_at, key_compromised: what the register of keys says of it today. A signature of before its key was
    revoked stands; one by a compromised key does too, until a party suspends the contract, and is shown to be in doubt.
    """

    organisation: str
    kid: str
    public_key: JsonObject
    jws: str
    signer_name: str
    signer_title: str
    signed_at: datetime
    key_revoked_at: datetime | None = None
    key_compromised: bool = False


@dataclass(frozen=True, slots=True)
class ContractRecord:
    """One version of a contract. `digest` is the SHA-256 (hex) of the canonical document once proposed."""

    id: str
    version: int
    stage: Stage
    document: JsonObject
    digest: str | None
    drafted_by: str
    drafted_at: datetime
    proposed_at: datetime | None = None
    signatures: tuple[Signature, ...] = ()


class EventKind(StrEnum):
    """What happens to a contract after its versions were written and signed, or to a population."""

    SUSPENDED = "suspended"
    RESUME_AGREED = "resume_agreed"
    RESUMED = "resumed"
    TERMINATION_AGREED = "termination_agreed"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class ContractEvent:
    """Something that a party or the operator did to a whole contract. organisation: None for the operator.

    contract_version: the version that bound the parties then. sequence: from 1, without gaps.
    """

    contract_id: str
    sequence: int
    contract_version: int
    kind: EventKind
    organisation: str | None
    client: str
    reason: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class PopulationEvent:
    """A population suspended or resumed, under every contract at once, by its owner or the operator (None)."""

    population: str
    sequence: int
    kind: EventKind
    organisation: str | None
    client: str
    reason: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """All that decides where a contract stands: its versions, oldest first, and what happened to it and to the
    populations that it names."""

    versions: tuple[ContractRecord, ...]
    events: tuple[ContractEvent, ...] = ()
    population_events: tuple[PopulationEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class SubmissionRecord:
    """A submission that passed every check and was debited; refused ones leave no trace.

    restatement: 0 for the first measurement of the period, 1, 2, ... for its scheduled restatements.
    attempt: how many times noise may have been drawn for it, each under a debit of its own.
    lease_until: until then the running attempt is taken to be alive.
    """

    id: str
    contract_id: str
    contract_version: int
    feed: str
    provider: str
    population: str
    period: str
    restatement: int
    attempt: int
    lease_until: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """One stored release. `debit_id` names the ledger entry that paid for its draw.

    measured: who drew the noise, `exchange` or `source`.
    """

    id: str
    submission_id: str
    debit_id: str
    contract_id: str
    contract_version: int
    feed: str
    provider: str
    population: str
    period: str
    restatement: int
    measured: str
    block_sha256: str
    provisional: bool
    released_at: datetime
