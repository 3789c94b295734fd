"""`parley ledger verify`: does every population's ledger follow from its events, contracts and releases?

Whoever can write to the database can write to all of it, so this finds mistakes and clumsy hands, and whatever would
need a signature of a party to look right. What it cannot find by itself is a whole ledger rewritten by its operator,
keys included, and entries cut off at the end of a ledger together with their submissions and releases: for both it
needs something outside. `parley ledger witness` compares the end of each ledger with its witness, which the operator
keeps too; each party can check its own population against the receipts that it kept (`parley receipt verify --ledger`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from contracts.ledger.recomputing import NONSENSE, Difference, recompute, unreadable
from contracts.ledger.verifying_rows import Stored, check_rows
from contracts.ports import Database, Stores, Unreadable
from contracts.records import ContractRecord, Stage
from contracts.refusals import PopulationNotFound
from contracts.terms import Terms, read_terms
from contracts.verifying_contract import doubts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verified:
    """One population. loss_nano: recomputed. unreleased: submissions that were debited and have no release, because
    they crashed, or are being measured at this moment. None where only the entries were at hand."""

    population: str
    entries: int
    releases: int | None
    unreleased: int | None
    loss_nano: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class VerifiedRows:
    """All contracts, submissions and releases there are, whosever they are: how many, and what is wrong with them.

    warnings: signatures by keys that somebody else may have had.
    """

    contracts: int
    submissions: int
    releases: int
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """rows: None where only the entries were at hand."""

    populations: tuple[Verified, ...]
    rows: VerifiedRows | None

    @property
    def differences(self) -> tuple[Difference, ...]:
        of_populations = [difference for verified in self.populations for difference in verified.differences]
        return (*of_populations, *(self.rows.differences if self.rows else ()))


def verify_ledgers(database: Database, population: str | None = None) -> Verification:
    """The entries of every population, or of one; and in either case every contract, submission and release, for an
    answer rests on whatever release bears its contract's name. Raises PopulationNotFound."""
    with database.reading() as stores:
        names = stores.stored.populations()
        if population is not None and population not in names:
            raise PopulationNotFound("There is no population of this name.")
        hidden: list[Unreadable] = []
        stored = _read(stores, hidden)
        # One that is in the ledger and not registered is an account all the same.
        every = dict.fromkeys([*names, *(entry.population for entry in stored.entries)])
        chosen = [*every] if population is None else [population]
        return Verification(
            tuple(_verify(stored, name) for name in chosen),
            VerifiedRows(
                len(stored.contracts),
                len(stored.submissions),
                len(stored.releases),
                (*(unreadable(row.what) for row in hidden), *check_rows(stores, stored)),
                tuple(doubt for record in stored.contracts.values() for doubt in doubts(record)),
            ),
        )


def _read(stores: Stores, hidden: list[Unreadable]) -> Stored:
    contracts = {(record.id, record.version): record for record in _readable(stores.stored.contracts(), hidden)}
    return Stored(
        entries=_readable(stores.stored.entries(), hidden),
        contracts=contracts,
        terms={key: terms for key, record in contracts.items() if (terms := _find_terms(record)) is not None},
        submissions={found.id: found for found in _readable(stores.stored.submissions(), hidden)},
        releases=_readable(stores.stored.releases(), hidden),
    )


def _readable(rows: Iterable[T | Unreadable], hidden: list[Unreadable]) -> list[T]:
    found: list[T] = []
    for row in rows:
        if isinstance(row, Unreadable):
            hidden.append(row)
        else:
            found.append(row)
    return found


def _find_terms(record: ContractRecord) -> Terms | None:
    """None for a draft, and for a document that was altered until it is no contract; `check_rows` names that."""
    try:
        return read_terms(record.document) if record.stage is Stage.PROPOSED else None
    except NONSENSE:
        return None


def _verify(stored: Stored, population: str) -> Verified:
    entries = [entry for entry in stored.entries if entry.population == population]
    recomputed = recompute(population, entries, stored.terms)
    debited = {entry.submission_id for entry in entries if entry.submission_id}
    return Verified(
        population,
        entries=len(entries),
        releases=sum(release.population == population for release in stored.releases),
        unreleased=len(debited - {release.submission_id for release in stored.releases}),
        loss_nano=recomputed.loss_nano,
        differences=recomputed.differences,
    )
