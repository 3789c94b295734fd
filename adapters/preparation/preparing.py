"""`parley prepare`: from a folder of claims to the cells of one or several periods, on the provider's own premises.

    claims -> read_claims -> create_facts -> make_cells -> cells, manifest, summary

Claims are read once. Periods are made in the order of time, since a person is in the first k of them (see register).
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

from adapters.claims.given import given_by
from adapters.claims.reading import Step, read_claims
from adapters.claims.report import ClaimsReport
from adapters.preparation.cells import PreparedCells, make_cells
from adapters.preparation.engine import Engine
from adapters.preparation.facts import create_facts
from adapters.preparation.manifest import Prepared, manifest_sha256, write_manifest
from adapters.preparation.persons_file import add_persons
from adapters.preparation.register import Register
from adapters.preparation.summary import PeriodSummary
from adapters.preparation.writing import CellsLabel
from contracts.parties import JsonObject
from contracts.periods import Period
from contracts.preparation.checking import preparation_faults
from contracts.preparation.warning import preparation_warnings
from contracts.refusals import Fault


class NotPrepared(Exception):
    """The feed cannot be prepared from these claims by these definitions; known before anything is reckoned."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("This feed cannot be prepared from these claims by these definitions.")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is asked for. population: whose register it is. never_posted: periods that it need not have seen. dry: the
    register stays as it is. with_persons: keep the rows of persons, for a file of them."""

    prepared: Prepared
    claims: Path
    population: str
    register: Path
    periods: Sequence[Period]
    today: date
    never_posted: Sequence[Period] = ()
    dry: bool = False
    strict: bool = False
    with_persons: bool = False

    @property
    def is_rehearsal(self) -> bool:
        """Cells of a draft can never be posted, so that nobody is registered."""
        return self.dry or self.prepared.digest is None


@dataclass(frozen=True, slots=True)
class PeriodPrepared:
    """One period: its cells, and what goes with them."""

    period: Period
    cells: PreparedCells
    summary: PeriodSummary
    manifest: JsonObject
    label: CellsLabel


def require_fitting(engine: Engine, wanted: Preparation) -> list[Fault]:
    """What is probably not meant, by names of files and their headers, before a row is read. Raises ClaimsUnreadable,
    or NotPrepared."""
    prepared = wanted.prepared
    given = given_by(engine, wanted.claims, prepared.layout)
    if faults := preparation_faults(prepared.feed, prepared.definition, given):
        raise NotPrepared(faults)
    return preparation_warnings(prepared.feed, prepared.definition, given)


def read_folder(engine: Engine, wanted: Preparation, step: Step) -> ClaimsReport:
    """The canonical relations in the engine. Raises ClaimsUnreadable."""
    prepared = wanted.prepared
    report = read_claims(
        engine,
        wanted.claims,
        prepared.layout,
        off_limits=prepared.off_limits,
        exclusions=prepared.definition.exclusions,
        strict=wanted.strict,
        step=step,
    )
    engine.create_values("given", ["name VARCHAR"], [[name] for name in sorted(report.given)])
    return report


def opened_register(engine: Engine, wanted: Preparation) -> AbstractContextManager[Register]:
    """Before a claim is read, so that what it refuses is refused at once. Raises RegisterRefused, or OSError."""
    return Register.opened(
        engine,
        wanted.register,
        wanted.prepared.feed,
        wanted.periods,
        contract_id=wanted.prepared.terms.id,
        population=wanted.population,
        today=wanted.today,
        restated=wanted.prepared.restatement > 0,
        never_posted=wanted.never_posted,
        rehearsal=wanted.is_rehearsal,
    )


def prepare_periods(engine: Engine, wanted: Preparation, register: Register, step: Step) -> Iterator[PeriodPrepared]:
    """Each period of the claims that were read, the earliest first. Raises CellsTooLarge, or FactsRepeated."""
    prepared = wanted.prepared
    for number, period in enumerate(sorted(wanted.periods), 1):
        with step(f"Preparing {period} ({number} of {len(wanted.periods)})"):
            create_facts(engine, prepared.feed, prepared.definition, period)
            cells = make_cells(engine, prepared.feed, prepared.definition, period, register)
            if wanted.with_persons:
                add_persons(engine, prepared.feed, period)
        yield _period_prepared(wanted, period, cells, register)


def _period_prepared(wanted: Preparation, period: Period, cells: PreparedCells, register: Register) -> PeriodPrepared:
    prepared = wanted.prepared
    registered = None if wanted.is_rehearsal else register.id
    manifest = write_manifest(prepared, period, registered, datetime.now(UTC))
    label = CellsLabel(
        contract_id=prepared.terms.id,
        contract_version=prepared.terms.version,
        contract_digest=prepared.digest,
        feed=prepared.feed.name,
        period=str(period),
        restatement=prepared.restatement,
        submission_id=str(uuid4()),
        manifest_sha256=manifest_sha256(manifest),
    )
    summary = PeriodSummary(
        prepared.feed.name, period, cells.counts, () if prepared.digest is None else cells.not_noted
    )
    return PeriodPrepared(period, cells, summary, manifest, label)
