"""Use case of the operator: make a ledger and its witness agree again, after a backup was restored.

What was witnessed was drawn, or may have been: every entry that the database lost is restored by a correction, with
all that later debits depend on. Nothing is ever taken back, so that budgets never refill by restoring. A witness that
fell behind (its file was lost or rewound) is told what the database knows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.audit.acts import CONSOLE, ledger_corrected, population_registered
from contracts.audit.chain import append
from contracts.audit.records import Act
from contracts.ledger.entries import Account, Entry
from contracts.ledger.witnessing import Head, entry_line, head_json, head_of, restored, witnessed_head
from contracts.parties import JsonObject, Population
from contracts.ports import Clock, Database, Stores, Witness, WitnessText
from contracts.refusals import Conflict, PopulationNotFound

_BEGUN: Final = "the witness was begun"


class WitnessNotEmpty(Conflict):
    """There is a witness already, which is not to be begun anew."""

    code = "witness-not-empty"


class ReconcilingImpossible(Conflict):
    """The database cannot hold what would have to be restored."""

    code = "reconciling-impossible"


@dataclass(frozen=True, slots=True)
class Gap:
    """How the ledger of a population and its witness differ.

    registered: whether the database knows the population at all. lost: what the witness knows and the ledger does not,
    as corrections restore it. unwitnessed: what the ledger knows and the witness does not.
    """

    population: str
    registered: bool
    ledger: Head | None
    witness: Head | None
    lost: tuple[JsonObject, ...]
    unwitnessed: tuple[Entry, ...]

    @property
    def is_sealed(self) -> bool:
        return self.ledger != self.witness


@dataclass(frozen=True, slots=True)
class Survey:
    """All gaps there are. unreadable: lines of the witness that somebody has damaged; damaged: or has moved."""

    gaps: tuple[Gap, ...]
    unreadable: int
    damaged: bool


@dataclass(frozen=True, slots=True)
class Reconciling:
    """Shows what differs, and reconciles it."""

    database: Database
    witness: Witness
    clock: Clock

    def survey(self, population: str | None = None) -> Survey:
        """What differs, of one population or of all. Raises PopulationNotFound."""
        text = self.witness.read()
        names = [population] if population is not None else self._populations(text.lines)
        gaps = [self._look(name, text) for name in names]
        if population is not None and not gaps[0].registered and gaps[0].witness is None:
            raise PopulationNotFound("There is no population of this name, neither in the ledger nor in its witness.")
        sealed = (gap for gap in gaps if gap.is_sealed or not text.whole)
        return Survey(tuple(sealed), text.unreadable, not text.whole)

    def reconcile(self, population: str, reason: str, organisation: str | None = None) -> list[Entry]:
        """Restore what was lost. Gives the corrections, or one that only tells the reason; none where nothing differs.

        organisation: whose the population is, where the database has lost it. Raises ReconcilingImpossible.
        """
        self._mend(reason)
        with self.database.writing() as stores:
            registered = _register(stores, population, organisation, reason, self.clock)
            stores.ledger.lock(population)
            last, gap = self.witness.find_last(population), _gap(stores, population, self.witness.read())
            if not gap.is_sealed:
                return []
            kept = stores.ledger.entries(population)
            corrections = self._corrections(kept, gap, reason)
            for entry in corrections:
                stores.ledger.append(entry)
            append(stores, self.clock.now(), *_recorded(stores, population, corrections, registered))
            reconciled = _note("reconciled", gap.ledger, reason, self.clock)
            lines = [entry_line(entry) for entry in (*gap.unwitnessed, *corrections)]
            self.witness.append(population, [reconciled, *lines], after=last)
        return corrections

    def begin(self, reason: str = _BEGUN) -> list[str]:
        """Tell an empty witness what the ledger knows; the populations there are. Raises WitnessNotEmpty."""
        text = self.witness.read()
        if text.lines or not text.whole:
            raise WitnessNotEmpty(
                "The ledger has a witness, and it is not begun anew. If they differ, run `parley ledger reconcile`."
            )
        names = self._populations(())
        for name in names:
            with self.database.writing() as stores:
                stores.ledger.lock(name)
                lines = [entry_line(entry) for entry in stores.ledger.entries(name)]
                begun = _note("begun", None, reason, self.clock)
                self.witness.append(name, [begun, *lines], after=None)
        return names

    def _look(self, population: str, text: WitnessText) -> Gap:
        with self.database.reading() as stores:
            gap = _gap(stores, population, text)
        if not gap.is_sealed:
            return gap
        # Once more, locked, so that an entry on its way is not taken for a lost one.
        with self.database.writing() as stores:
            if gap.registered:
                stores.ledger.lock(population)
            return _gap(stores, population, self.witness.read())

    def _populations(self, lines: Iterable[JsonObject]) -> list[str]:
        with self.database.reading() as stores:
            return [*dict.fromkeys([*stores.stored.populations(), *(line["population"] for line in lines)])]

    def _corrections(self, kept: Sequence[Entry], gap: Gap, reason: str) -> list[Entry]:
        entries = [*kept]
        for lost in gap.lost or (None,):
            entries.append(Account(gap.population, entries).correct(lost, reason, self.clock.now()))
        return entries[len(kept) :]

    def _mend(self, reason: str) -> None:
        """Put what can be read of a damaged witness in its place. What cannot be read may have been anything, so every
        population stays sealed until it is reconciled."""
        text = self.witness.read()
        if text.whole:
            return
        notes = [
            _note("mended", None, reason, self.clock) | {"population": name} for name in self._populations(text.lines)
        ]
        aside = f"damaged-{self.clock.now():%Y%m%dT%H%M%S}"
        self.witness.replace([*text.lines, *notes], aside=aside)


def _gap(stores: Stores, population: str, text: WitnessText) -> Gap:
    entries = stores.ledger.entries(population)
    lines = [line for line in text.lines if line["population"] == population]
    return Gap(
        population,
        registered=stores.parties.find_population(population) is not None,
        ledger=head_of(entries),
        witness=witnessed_head(lines[-1]) if lines else None,
        lost=tuple(_lost(entries, lines)),
        unwitnessed=tuple(_unwitnessed(entries, lines)),
    )


def _lost(entries: Iterable[Entry], lines: Sequence[JsonObject]) -> list[JsonObject]:
    """In the order in which they were made. A correction stands for what it restores, which is charged for once."""
    voided = {line["entry_id"] for line in lines if line["what"] == "void"}
    known = {entry.restores["entry_id"] if entry.restores else entry.id for entry in entries}
    lost: dict[str, JsonObject] = {}
    for line in lines:
        if line["what"] == "entry" and line["entry_id"] not in voided:
            found = restored(line)
            if found is not None and found["entry_id"] not in known:
                lost.setdefault(found["entry_id"], found)
    return [*lost.values()]


def _unwitnessed(entries: Iterable[Entry], lines: Sequence[JsonObject]) -> list[Entry]:
    witnessed = {line["entry_id"] for line in lines if line["what"] == "entry"}
    return [entry for entry in entries if entry.id not in witnessed]


def _note(what: str, head: Head | None, reason: str, clock: Clock) -> JsonObject:
    return {"what": what, "head": head_json(head), "reason": reason, "recorded_at": clock.now().isoformat()}


def _recorded(stores: Stores, population: str, corrections: Iterable[Entry], registered: bool) -> Iterator[Act]:
    """For the audit, in the book of whose population it is."""
    owned = stores.parties.find_population(population)
    if owned is None:
        return
    if registered:
        yield population_registered(CONSOLE, owned)
    for entry in corrections:
        yield ledger_corrected(CONSOLE, owned.organisation, entry)


def _register(stores: Stores, population: str, organisation: str | None, reason: str, clock: Clock) -> bool:
    """A population that the database lost is registered again, with what it had lost. True if it was."""
    if stores.parties.find_population(population) is not None:
        return False
    if organisation is None or stores.parties.find_organisation(organisation) is None:
        raise ReconcilingImpossible(
            f"The database does not know {population}. Say whose it is with --organisation, which must be registered."
        )
    stores.parties.add_population(Population(population, organisation, reason, clock.now()))
    return True
