"""The ledger and its witness: what is written to both, in which order, and whether they agree.

An entry reaches the witness, a file outside the database, before its transaction commits. So a ledger that was
rewound (a restored backup) is behind its witness, and is sealed: nothing is debited or granted until the operator
reconciles the two. Process death between witness and commit looks just the same, and is sealed too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from contracts.ledger.entries import Account, Entry, EntryKind
from contracts.parties import JsonObject
from contracts.ports import Database, Stores, Witness, WitnessDamaged
from contracts.refusals import LedgerSealed, WitnessUnavailable

MEASUREMENT: Final = (
    "contract_id", "contract_version", "feed", "generation", "period", "restatement", "submission_id", "attempt"
)  # fmt: skip
_OF_A_DEBIT: Final = (*MEASUREMENT, "charge_nano", "k", "first")
_NAMED: Final = ("entry_id", "kind", "recorded_at")


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a population's ledger: its last entry, and the totals after it."""

    sequence: int
    entry_id: str
    granted_nano: int
    spent_nano: int


def head_of(entries: Sequence[Entry]) -> Head | None:
    if not entries:
        return None
    last = entries[-1]
    return Head(last.sequence, last.id, last.granted_nano, last.spent_nano)


def agrees(entries: Sequence[Entry], line: JsonObject | None) -> bool:
    """Whether a ledger ends where the witness's last line of its population says."""
    return not vouches_for_nothing(line) and head_of(entries) == witnessed_head(line)


def vouches_for_nothing(line: JsonObject | None) -> bool:
    """No ledger agrees with a witness that was mended, for what could not be read may have been anything; nor with what
    reconciling writes ahead of its corrections, which a power loss may have kept from the file."""
    return line is not None and (line["what"] in ("mended", "reconciled") or bool(line.get("told")))


def told(entry: Entry) -> JsonObject:
    """The line of an entry that the witness did not know until it was reconciled."""
    return entry_line(entry) | {"told": True}


def witnessed_head(line: JsonObject | None) -> Head | None:
    """Where the ledger has to end, by the witness's last line of the population."""
    if line is None:
        return None
    named = line if line["what"] == "entry" else line["head"]
    return Head(**{name: named[name] for name in Head.__slots__}) if named else None


def head_json(head: Head | None) -> JsonObject | None:
    return {name: getattr(head, name) for name in Head.__slots__} if head else None


def entry_line(entry: Entry) -> JsonObject:
    """All that is needed to charge for the entry again, should the database lose it; nothing of cells.

    restores: of a correction, the lost entry that it stands for. grant_nano: by how much a grant raised the ceiling.
    """
    line: JsonObject = {
        "what": "entry",
        "kind": entry.kind.value,
        "sequence": entry.sequence,
        "entry_id": entry.id,
        "granted_nano": entry.granted_nano,
        "spent_nano": entry.spent_nano,
        "charge_nano": entry.charge_nano,
        "increment_nano": entry.increment_nano,
        "recorded_at": entry.recorded_at.isoformat(),
    }
    if entry.kind is EntryKind.CORRECTION:
        return line | {"restores": entry.restores}
    if entry.kind is EntryKind.GRANT:
        return line | {"grant_nano": entry.event["granted_nano"]}
    measured = {name: getattr(entry, name) for name in MEASUREMENT}
    linked = {} if entry.linked_by is None else {"linked_by": entry.linked_by}
    return line | measured | linked | {"k": entry.event.get("k"), "first": entry.is_first}


def restored(line: JsonObject) -> JsonObject | None:
    """What a correction has to restore, by a line of the witness; None for one that only gave a reason."""
    if line["kind"] == EntryKind.CORRECTION:
        found: JsonObject | None = line["restores"]
        return found
    if line["kind"] == EntryKind.GRANT:
        return {name: line[name] for name in (*_NAMED, "grant_nano")}
    linked = ("linked_by",) if "linked_by" in line else ()
    return {name: line[name] for name in (*_NAMED, *_OF_A_DEBIT, *linked)}


def is_line(line: JsonObject) -> bool:
    """Whether a line has the members that a ledger is compared with and restored from."""
    try:
        head = line if line["what"] == "entry" else line["head"]
        if line["what"] == "entry":
            found = restored(line)
            return _is_head(head) and (found is None or _is_restorable(found))
        named = line["what"] != "void" or isinstance(line["entry_id"], str)
        return isinstance(line["what"], str) and named and (head is None or _is_head(head))
    except (LookupError, TypeError):
        return False


def _is_head(found: JsonObject) -> bool:
    numbers = (found["sequence"], found["granted_nano"], found["spent_nano"])
    return isinstance(found["entry_id"], str) and all(type(number) is int for number in numbers)


def _is_restorable(found: JsonObject) -> bool:
    amount, names = ("grant_nano", ()) if found["kind"] == EntryKind.GRANT else ("charge_nano", _OF_A_DEBIT)
    complete = found.keys() >= {*_NAMED, *names} and found["kind"] in (EntryKind.GRANT, EntryKind.DEBIT)
    linked = isinstance(found.get("linked_by", ""), str)
    return complete and linked and isinstance(found["entry_id"], str) and type(found[amount]) is int


@dataclass(frozen=True, slots=True)
class Witnessed:
    """An entry, its line in the witness, and the population's line before."""

    entry: Entry
    before: JsonObject | None
    line: JsonObject


class Writing:
    """A transaction that may append to ledgers. `stores` are of the same transaction."""

    def __init__(self, stores: Stores, witness: Witness) -> None:
        self.stores = stores
        self._witness = witness
        self._last: dict[str, JsonObject | None] = {}
        self._appended: list[Entry] = []

    def open_account(self, population: str) -> Account:
        """The account, locked until the transaction ends. Raises LedgerSealed."""
        self.stores.ledger.lock(population)
        entries = self.stores.ledger.entries(population)
        with sealing_damage(population):
            self._last[population] = self._witness.find_last(population)
        if not agrees(entries, self._last[population]):
            raise sealed(population)
        return Account(population, entries)

    def append(self, entry: Entry) -> None:
        """Append to the ledger of an open account; it is witnessed at the end of the transaction."""
        self.stores.ledger.append(entry)
        self._appended.append(entry)

    def have_witnessed(self) -> Iterator["Witnessed"]:
        for entry in self._appended:
            before = self._last[entry.population]
            with sealing_damage(entry.population):
                line = self._witness.append(entry.population, [entry_line(entry)], after=before)
            yield Witnessed(entry, before, line)


@dataclass(frozen=True, slots=True)
class WitnessedLedger:
    """The one way to append to a ledger. At most one entry a population and transaction."""

    database: Database
    witness: Witness

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """As `Database.writing`; what was appended is witnessed last of all, right before the commit."""
        witnessed: list[Witnessed] = []
        try:
            with self.database.writing() as stores:
                writing = Writing(stores, self.witness)
                yield writing
                witnessed.extend(writing.have_witnessed())
        except Exception:
            for found in witnessed:
                # What cannot be shown to be undone stays witnessed, and the ledger sealed.
                with suppress(Exception):
                    self._void(found)
            raise

    def is_sealed(self, population: str) -> bool:
        """Whether nothing may be debited, as when the witness cannot be read."""
        with self.database.reading() as stores:
            entries = stores.ledger.entries(population)
        if self._agrees(population, entries):
            return False
        # An entry on its way is witnessed and not yet committed: wait for its end before saying so.
        with self.database.writing() as stores:
            stores.ledger.lock(population)
            return not self._agrees(population, stores.ledger.entries(population))

    def _agrees(self, population: str, entries: Sequence[Entry]) -> bool:
        try:
            return agrees(entries, self.witness.find_last(population))
        except (WitnessDamaged, WitnessUnavailable):
            return False

    def _void(self, found: Witnessed) -> None:
        """Take back an entry whose commit failed. This process drew nothing for it, and with the account locked no
        commit of it is still under way."""
        entry = found.entry
        with self.database.writing() as stores:
            if stores.parties.find_population(entry.population) is not None:
                stores.ledger.lock(entry.population)
            if all(known.id != entry.id for known in stores.ledger.entries(entry.population)):
                head = head_json(witnessed_head(found.before))
                voided = {"what": "void", "entry_id": entry.id, "head": head}
                self.witness.append(entry.population, [voided], after=found.line)


@contextmanager
def sealing_damage(population: str) -> Iterator[None]:
    """A witness that somebody has damaged vouches for nothing."""
    try:
        yield
    except WitnessDamaged:
        raise sealed(population) from None


def sealed(population: str) -> LedgerSealed:
    return LedgerSealed(
        "The ledger of this population is sealed, since it does not end where its witness says: a backup was restored, "
        "or an entry was cut off half-way. Nothing was debited. What was released stays readable. The operator has to "
        f"run `parley ledger reconcile --population {population}`."
    )
