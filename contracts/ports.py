"""What the domain asks of the outside. Adapters implement these; nothing here knows how.

Stores are used inside one transaction: `with database.writing() as stores:` commits at the end of the block, or
rolls back when it raises. `reading()` sees one consistent snapshot.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.audit.records import AuditRecord, Head
from contracts.ledger.entries import Entry
from contracts.parties import Bearer, Client, Holder, JsonObject, Organisation, Population, SigningKey
from contracts.records import (
    ContractEvent,
    ContractRecord,
    History,
    PopulationEvent,
    ReleaseRecord,
    Signature,
    SubmissionRecord,
)
from privacy.arrays import Vector


class Clock(Protocol):
    """The time, injected so that tests can stand at the very edge of a date."""

    def now(self) -> datetime:
        """The current instant, timezone-aware, in UTC."""


class PartyStore(Protocol):
    """Organisations and what belongs to them. Adding what exists raises `AlreadyExists`."""

    def add_organisation(self, organisation: Organisation) -> None: ...
    def find_organisation(self, organisation_id: str) -> Organisation | None: ...
    def list_organisations(self, *, after: str = "", limit: int | None = None) -> list[Organisation]:
        """By id, those after this one."""

    def add_population(self, population: Population) -> None: ...
    def find_population(self, population_id: str) -> Population | None: ...
    def list_populations(self, organisation_id: str) -> list[Population]: ...
    def lock_population(self, population_id: str) -> None:
        """Hold the population until the transaction ends. Raises KeyError for an unknown one."""

    def population_events(self, population_id: str) -> list[PopulationEvent]:
        """What was done to it, in sequence."""

    def add_population_event(self, event: PopulationEvent) -> None:
        """Append to a locked population's events. Raises `AlreadyExists` when the sequence number is taken."""

    def add_client(self, client: Client) -> None: ...
    def find_client(self, client_id: str) -> Client | None: ...
    def find_bearer(self, client: str, issuer: str | None, jti: str | None) -> Bearer | None:
        """Whom an access token stands for, in one statement. client: its id, or what an external issuer calls it."""

    def find_client_of_issuer(self, issuer: str, subject: str) -> Client | None:
        """The client that an external issuer calls so."""

    def list_clients(self, organisation_id: str, *, after: str = "", limit: int | None = None) -> list[Client]:
        """By id, those after this one; revoked ones too."""

    def replace_client_keys(self, client: Client) -> None:
        """Store the keys, or the address of keys, that the client has now, and remember those that it had. It must be
        held by `lock_client`."""

    def lock_client(self, client_id: str) -> Client | None:
        """As `find_client`, held until the transaction ends."""

    def list_holders(self, proof: str) -> list[Holder]:
        """Of all clients that were ever stored with this proof (`contracts.proofs`), each kind of holder once."""

    def revoke_client(self, client: Client) -> None:
        """Store what the client says of its revocation. It must be held by `lock_client`."""

    def add_signing_key(self, key: SigningKey) -> None: ...
    def find_signing_key(self, organisation_id: str, kid: str) -> SigningKey | None: ...
    def lock_signing_key(self, organisation_id: str, kid: str) -> SigningKey | None:
        """As `find_signing_key`, held until the transaction ends: nobody revokes it meanwhile."""

    def find_key_by_thumbprint(self, thumbprint: str) -> SigningKey | None:
        """Whoever's signing key it is, whatever its kid, revoked or not."""

    def list_signing_keys(
        self, organisation_id: str, *, after: tuple[datetime, str] | None = None, limit: int | None = None
    ) -> list[SigningKey]:
        """Oldest first; after: those registered after this instant, or then and of a later kid."""

    def revoke_signing_key(self, key: SigningKey) -> None:
        """Store what the key says of its revocation. It must be held by `lock_signing_key`."""


class ContractStore(Protocol):
    """Contracts: versions with their frozen documents and signatures, and what was done to them.

    Whoever asks is given all there is; who may see what is decided in the domain.
    """

    def add(self, record: ContractRecord) -> None:
        """Store a new draft. Raises `AlreadyExists` when the version, or for a first version the id, is taken."""

    def find_history(self, contract_id: str) -> History | None: ...
    def list_histories(
        self, organisation_id: str, *, first: tuple[datetime, str] | None = None, limit: int | None = None
    ) -> list[History]:
        """Contracts of which any version was drafted by, or names, the organisation, oldest first. first: when the one
        to begin with was drafted, and its id."""

    def lock(self, contract_id: str) -> History | None:
        """The history, which nobody else changes until the transaction ends."""

    def hold(self, contract_id: str) -> None:
        """Have nobody change the contract until the transaction ends; any number may hold it at once."""

    def replace_draft(self, record: ContractRecord) -> bool:
        """Put the record, a draft or its proposed form, in place of the draft; False when it is a draft no longer."""

    def discard_draft(self, contract_id: str, version: int) -> None:
        """Delete a draft, of which nothing remains."""

    def add_signature(self, contract_id: str, version: int, signature: Signature) -> None:
        """Add one party's signature. Raises `AlreadyExists` when that party has signed this version."""

    def add_event(self, event: ContractEvent) -> None:
        """Append to a locked contract's events. Raises `AlreadyExists` when the sequence number is taken."""


class LedgerStore(Protocol):
    """The append-only record of grants and debits, one sequence a population."""

    def lock(self, population_id: str) -> None:
        """Hold the population's account until the transaction ends, so that check and append are one step."""

    def entries(self, population_id: str) -> list[Entry]:
        """All entries of the population, in sequence."""

    def append(self, entry: Entry) -> None:
        """Append. Raises `AlreadyExists` when that sequence number is taken, which a held lock rules out."""


class SubmissionStore(Protocol):
    """What was submitted for which period. Holds nothing of a body: no digest, length or count."""

    def find(self, submission_id: str) -> SubmissionRecord | None: ...
    def find_for_period(
        self, contract_id: str, versions: Sequence[int], feed: str, provider: str, period: str, restatement: int
    ) -> SubmissionRecord | None:
        """versions: of the contract, in all of which the feed is the same generation."""

    def add(self, record: SubmissionRecord) -> None:
        """Raises `AlreadyExists` when the id, or the provider's period of the feed, is taken."""

    def claim(self, submission_id: str, attempt: int, lease_until: datetime) -> bool:
        """Begin attempt number `attempt`; False when another request began it first."""


class ReleaseStore(Protocol):
    """Noisy releases, stored for ever."""

    def add(self, record: ReleaseRecord, block: bytes) -> None:
        """Store a release. Raises `AlreadyExists` when its debit or its submission has one already."""

    def find_for_submission(self, submission_id: str) -> ReleaseRecord | None: ...
    def list_for_contract(self, contract_id: str) -> list[ReleaseRecord]:
        """All releases under any version of the contract, in the order they were stored."""

    def get_blocks(self, release_ids: Sequence[str]) -> dict[str, bytes]:
        """The stored blocks by release id. Raises KeyError when one is missing."""


class AssertionStore(Protocol):
    """Client assertions already used (RFC 7523 section 3, jti)."""

    def use_once(self, client_id: str, jti: str, expires_at: datetime, now: datetime) -> bool:
        """True the first time, False ever after; an atomic insert. May drop rows that expired before `now`."""


class TokenStore(Protocol):
    """Access tokens revoked before their end (RFC 7009)."""

    def revoke(self, jti: str, expires_at: datetime, now: datetime) -> None:
        """Revoking twice is as good as once. May drop rows that expired before `now`."""

    def is_revoked(self, jti: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A changing request that bore an Idempotency-Key, and its answer once there is one.

    fingerprint: keyed digest (hex) of what was asked. lease_until: how long a request without answer is taken to be
    running. contract_id, contract_version: the version whose document the body holds, if any; where that was a draft
    and is discarded, so is this.
    """

    client_id: str
    key: str
    fingerprint: str
    lease_until: datetime
    expires_at: datetime
    status: int | None = None
    headers: JsonObject | None = None
    body: str | None = None
    contract_id: str | None = None
    contract_version: int | None = None


class IdempotencyStore(Protocol):
    """Requests that are not to be carried out twice."""

    def claim(self, request: IdempotentRequest, now: datetime) -> IdempotentRequest | None:
        """None when the request is the first of its key; else the one that was before it, which keeps the key whether
        or not it has an answer. Atomic. May drop rows that expired before `now`."""

    def answer(self, request: IdempotentRequest) -> None:
        """Store the answer of a claimed request, unless its draft was discarded meanwhile; then the key is free."""

    def release(self, request: IdempotentRequest) -> None:
        """Forget a claimed request that was refused, unless it has an answer."""


class AuditStore(Protocol):
    """Hash-chained books. Records are append-only; see `contracts.audit.chain` for who writes them."""

    def lock(self, book: str) -> Head:
        """The book's head, held until the transaction ends, so that records get their places one by one."""

    def append(self, record: AuditRecord) -> None:
        """Add the record and move the head, which is locked. Raises RuntimeError when it is not the next one."""

    def head(self, book: str) -> Head: ...
    def records(self, book: str, after: int, limit: int) -> list[AuditRecord]:
        """The records with a sequence above `after`, in sequence, `limit` at most."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored row that holds what no program of ours wrote. what: which row it is."""

    what: str


class StoredRows(Protocol):
    """Every row there is, to be checked: what finds rows by their own words could pass a false one over."""

    def populations(self) -> list[str]:
        """The ids of all that are registered."""

    def entries(self) -> Iterator[Entry | Unreadable]:
        """Population by population, in sequence."""

    def contracts(self) -> Iterator[ContractRecord | Unreadable]:
        """Every version, drafts too."""

    def submissions(self) -> Iterator[SubmissionRecord | Unreadable]: ...
    def releases(self) -> Iterator[ReleaseRecord | Unreadable]:
        """In the order they were stored."""

    def clients(self) -> Iterator[Client | Unreadable]: ...
    def signing_keys(self) -> Iterator[SigningKey | Unreadable]: ...
    def contract_events(self) -> Iterator[ContractEvent | Unreadable]: ...
    def population_events(self) -> Iterator[PopulationEvent | Unreadable]: ...
    def heads(self) -> list[Head]:
        """Of every book of the audit, by name."""

    def audit_records(self) -> Iterator[AuditRecord | Unreadable]:
        """Book by book, in sequence."""


class Stores(Protocol):
    """All stores, bound to one transaction."""

    @property
    def parties(self) -> PartyStore: ...
    @property
    def contracts(self) -> ContractStore: ...
    @property
    def ledger(self) -> LedgerStore: ...
    @property
    def submissions(self) -> SubmissionStore: ...
    @property
    def releases(self) -> ReleaseStore: ...
    @property
    def assertions(self) -> AssertionStore: ...
    @property
    def tokens(self) -> TokenStore: ...
    @property
    def idempotency(self) -> IdempotencyStore: ...
    @property
    def audit(self) -> AuditStore: ...
    @property
    def stored(self) -> StoredRows: ...


class Database(Protocol):
    """Transactions."""

    def reading(self) -> AbstractContextManager[Stores]: ...
    def writing(self) -> AbstractContextManager[Stores]: ...


class WitnessDamaged(Exception):
    """The witness is not the file that was written: a line was altered, or taken out, or put in."""


@dataclass(frozen=True, slots=True)
class WitnessText:
    """All that can be read of a witness. whole: nothing of it was damaged."""

    lines: tuple[JsonObject, ...]
    unreadable: int
    whole: bool


class Witness(Protocol):
    """The append-only record of the ledger outside the database. A line is a JSON object with its population.

    All raise WitnessUnavailable; find_last and append raise WitnessDamaged.
    """

    def find_last(self, population: str) -> JsonObject | None:
        """The last line of this population."""

    def append(self, population: str, lines: Sequence[JsonObject], *, after: JsonObject | None) -> JsonObject:
        """Have the lines on the disk, and give the last of them as it is there. `after`: the last line until now.

        Raises WitnessMovedOn when it is another one.
        """

    def read(self) -> WitnessText:
        """All lines, in order, whatever was damaged."""

    def mend(self, note: JsonObject, populations: Iterable[str], *, aside: str) -> None:
        """Put what can be read of a damaged witness in its place, and the note as the last line of these populations
        and of those in it. The damaged one is kept under the name `aside`. One that is whole is left alone."""


class BlockFormat(Protocol):
    """How the noisy vectors of a release are stored as bytes."""

    def encode(self, vectors: dict[str, Vector]) -> bytes: ...
    def decode(self, block: bytes, names: Sequence[str] | None = None) -> dict[str, Vector]:
        """Those of these names; None: all of them."""
        ...
