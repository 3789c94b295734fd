"""Use case of the operator: make a ledger and its witness agree again, after a backup was restored.

What was witnessed was drawn, or may have been: every entry that the database lost is restored by a correction, with
all that later debits depend on. Nothing is ever taken back, so that budgets never refill by restoring. A witness that
fell behind (its file was lost or rewound) is told what the database knows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from contracts.audit.acts import CONSOLE, ledger_corrected, population_registered
from contracts.audit.chain import append
from contracts.audit.records import Act
from contracts.ledger.entries import Account, Entry
from contracts.ledger.witnessing import (
    Head,
    agrees,
    entry_line,
    head_json,
    head_of,
    restored,
    told,
    vouches_for_nothing,
    witnessed_head,
)
from contracts.parties import JsonObject, Population
from contracts.ports import Clock, Database, Stores, Witness, WitnessText
from contracts.refusals import Conflict, PopulationNotFound


class WitnessNotEmpty(Conflict):
    """There is a witness already, which is not to be begun anew."""

    code = "witness-not-empty"


class LedgerNotEmpty(Conflict):
    """The ledger has entries, and so had a witness, which may have known more of them."""

    code = "ledger-not-empty"


class ReconcilingImpossible(Conflict):
    """The database cannot hold what would have to be restored."""

    code = "reconciling-impossible"


@dataclass(frozen=True, slots=True)
class Gap:
    """How the ledger of a population and its witness differ.

    registered: whether the database knows the population at all. lost: what the witness knows and the ledger does not,
    as corrections restore it. unwitnessed: what the ledger knows and the witness does not. agrees: whether the one ends
    where the other does. unknown: the witness was damaged, and what it said last cannot be known.
    """

    population: str
    registered: bool
    ledger: Head | None
    witness: Head | None
    lost: tuple[JsonObject, ...]
    unwitnessed: tuple[Entry, ...]
    agrees: bool
    unknown: bool

    @property
    def is_sealed(self) -> bool:
        return not self.agrees or bool(self.lost)


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
        if population is not None and not gaps[0].registered and gaps[0].witness is None and not gaps[0].unknown:
            raise PopulationNotFound("There is no population of this name, neither in the ledger nor in its witness.")
        sealed = (gap for gap in gaps if gap.is_sealed or not text.whole)
        return Survey(tuple(sealed), text.unreadable, not text.whole)

    def reconcile(self, population: str, reason: str, organisation: str | None = None) -> list[Entry]:
        """Restore what was lost. Gives the corrections, or one that only tells the reason; none where nothing differs.

        organisation: whose the population is, where the database has lost it. Raises ReconcilingImpossible, and
        PopulationNotFound for one that neither of the two knows.
        """
        self._mend(reason)
        with self.database.writing() as stores:
            registered = _register(stores, population, organisation, reason, self.clock)
            stores.ledger.lock(population)
            last, gap = self.witness.find_last(population), _gap(stores, population, self.witness.read())
            if not gap.is_sealed:
                if registered:
                    raise PopulationNotFound("Nothing was witnessed of a population of this name.")
                return []
            kept = stores.ledger.entries(population)
            corrections = self._corrections(kept, gap, reason)
            for entry in corrections:
                stores.ledger.append(entry)
            append(stores, self.clock.now(), *_recorded(stores, population, corrections, registered))
            reconciled = _note("reconciled", gap.ledger, reason, self.clock)
            lines = [*map(told, gap.unwitnessed), *map(entry_line, corrections)]
            self.witness.append(population, [reconciled, *lines], after=last)
        return corrections

    def begin(self, reason: str | None = None) -> list[str]:
        """Tell an empty witness what the ledger knows; the populations that have entries.

        reason: why a ledger with entries has no witness, recorded in each by a correction that charges nothing. Raises
        WitnessNotEmpty, and LedgerNotEmpty where the reason is missing.
        """
        text = self.witness.read()
        if text.lines or not text.whole:
            raise WitnessNotEmpty(
                "The ledger has a witness, and it is not begun anew. If they differ, run `parley ledger reconcile`."
            )
        with self.database.reading() as stores:
            names = [name for name in stores.stored.populations() if stores.ledger.entries(name)]
        if names and reason is None:
            raise LedgerNotEmpty(
                f"The ledger has entries, of {', '.join(names)}. A witness that was lost may have known of more: find "
                "its newest copy. If there was none before, say so with --reason, which stays in the ledger."
            )
        for name in names:
            self._begin(name, str(reason))
        return names

    def _begin(self, population: str, reason: str) -> None:
        with self.database.writing() as stores:
            stores.ledger.lock(population)
            kept = stores.ledger.entries(population)
            correction = Account(population, kept).correct(None, reason, self.clock.now())
            stores.ledger.append(correction)
            append(stores, self.clock.now(), *_recorded(stores, population, [correction], registered=False))
            lines = [_note("begun", None, reason, self.clock), *map(told, kept), entry_line(correction)]
            self.witness.append(population, lines, after=None)

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
        if self.witness.read().whole:
            return
        note = _note("mended", None, reason, self.clock)
        self.witness.mend(note, self._populations(()), aside=f"damaged-{self.clock.now():%Y%m%dT%H%M%S}")


def _gap(stores: Stores, population: str, text: WitnessText) -> Gap:
    entries = stores.ledger.entries(population)
    lines = [line for line in text.lines if line["population"] == population]
    last = lines[-1] if lines else None
    return Gap(
        population,
        registered=stores.parties.find_population(population) is not None,
        ledger=head_of(entries),
        witness=witnessed_head(last),
        lost=tuple(_lost(entries, lines)),
        unwitnessed=tuple(_unwitnessed(entries, lines)),
        agrees=agrees(entries, last),
        unknown=vouches_for_nothing(last),
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
