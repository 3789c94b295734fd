"""What the domain asks of the outside. Adapters implement these; nothing here knows how.

Stores are used inside one transaction: `with database.writing() as stores:` commits at the end of the block, or
rolls back when it raises. `reading()` sees one consistent snapshot.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.ledger import Entry
from contracts.parties import Client, Organisation, Population, SigningKey
from contracts.records import ContractRecord, ReleaseRecord, Signature, SubmissionRecord
from privacy.arrays import Vector


class Clock(Protocol):
    """The time, injected so that tests can stand at the very edge of a date."""

    def now(self) -> datetime:
        """The current instant, timezone-aware, in UTC."""


class PartyStore(Protocol):
    """Organisations and what belongs to them. Adding what exists raises `AlreadyExists`."""

    def add_organisation(self, organisation: Organisation) -> None: ...
    def find_organisation(self, organisation_id: str) -> Organisation | None: ...
    def list_organisations(self) -> list[Organisation]: ...
    def add_population(self, population: Population) -> None: ...
    def find_population(self, population_id: str) -> Population | None: ...
    def list_populations(self, organisation_id: str) -> list[Population]: ...
    def add_client(self, client: Client) -> None: ...
    def find_client(self, client_id: str) -> Client | None: ...
    def add_signing_key(self, key: SigningKey) -> None: ...
    def find_signing_key(self, organisation_id: str, kid: str) -> SigningKey | None: ...


class ContractStore(Protocol):
    """Contracts with their frozen documents and signatures. A draft is seen by its drafter only."""

    def add(self, record: ContractRecord) -> None:
        """Store a new draft. Raises `AlreadyExists` when the id is taken."""

    def find(self, contract_id: str) -> ContractRecord | None:
        """The contract with its signatures, whoever asks; visibility is decided in the domain."""

    def list_for(self, organisation_id: str) -> list[ContractRecord]:
        """Contracts drafted by, or naming, the organisation, oldest first."""

    def freeze(self, record: ContractRecord) -> bool:
        """Replace the draft by its proposed form; False when it is no longer a draft."""

    def add_signature(self, contract_id: str, version: int, signature: Signature) -> None:
        """Add one party's signature. Raises `AlreadyExists` when that party has signed this version."""


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
        self, contract_id: str, version: int, feed: str, provider: str, period: str, restatement: int
    ) -> SubmissionRecord | None: ...
    def add(self, record: SubmissionRecord) -> None:
        """Raises `AlreadyExists` when the id, or the provider's period of the feed, is taken."""

    def claim(self, submission_id: str, attempt: int, lease_until: datetime) -> bool:
        """Begin attempt number `attempt`; False when another request began it first."""


class ReleaseStore(Protocol):
    """Noisy releases, stored for ever."""

    def add(self, record: ReleaseRecord, block: bytes) -> None:
        """Store a release. Raises `AlreadyExists` when its debit or its submission has one already."""

    def find_for_submission(self, submission_id: str) -> ReleaseRecord | None: ...
    def list_for_contract(self, contract_id: str, version: int) -> list[ReleaseRecord]:
        """All releases under one contract version, in the order they were stored."""

    def get_blocks(self, release_ids: Sequence[str]) -> dict[str, bytes]:
        """The stored blocks by release id. Raises KeyError when one is missing."""


class AssertionStore(Protocol):
    """Client assertions already used (RFC 7523 section 3, jti)."""

    def use_once(self, client_id: str, jti: str, expires_at: datetime, now: datetime) -> bool:
        """True the first time, False ever after; an atomic insert. May drop rows that expired before `now`."""


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
    def stored(self) -> StoredRows: ...


class Database(Protocol):
    """Transactions."""

    def reading(self) -> AbstractContextManager[Stores]: ...
    def writing(self) -> AbstractContextManager[Stores]: ...


class BlockFormat(Protocol):
    """How the noisy vectors of a release are stored as bytes."""

    def encode(self, vectors: dict[str, Vector]) -> bytes: ...
    def decode(self, block: bytes) -> dict[str, Vector]: ...
