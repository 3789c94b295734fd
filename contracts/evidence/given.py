"""What the packet is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from contracts.parties import JsonObject
from contracts.records import ContractRecord


@dataclass(frozen=True, slots=True)
class Installation:
    """The program that makes the packet. source_sha256: over the code of its four packages, as it is installed."""

    versions: Mapping[str, str]
    source_sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How often tests ended so. An error beside a test counts as its failure."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class TestsRun:
    """A report of tests that were run. properties: what the run said of itself (versions, source, which tests).

    outcomes: by test module, such as tests.unit.test_terms.
    """

    __test__ = False

    ran_at: str
    properties: Mapping[str, str]
    outcomes: Mapping[str, Outcome]
    report_sha256: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what `parley doctor` found on the exchange's machine."""

    check: str
    status: str
    why: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table of the data model. append_only: the database itself refuses to change or delete its rows."""

    name: str
    holds: str
    append_only: bool


@dataclass(frozen=True, slots=True)
class Given:
    """status, told_waiting_for: as an exchange told it. statement: the ledger of one's own population, as an exchange
    answered it, or None, and why then. tests, findings: None where none were given."""

    record: ContractRecord
    status: str | None
    told_waiting_for: tuple[str, ...]
    computed_at: datetime
    installation: Installation
    tables: tuple[StoredTable, ...]
    statement: JsonObject | None
    no_statement_because: str
    tests: TestsRun | None
    findings: tuple[Finding, ...] | None
