"""`parley prepare`: from a folder of claims to the cells of one or several periods, on the provider's own premises.

    claims -> read_claims -> create_facts -> make_cells -> cells, manifest, summary

Claims are read once. Periods are made in the order of time, since a person is in the first k of them (see register).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from adapters.claims.reading import read_claims
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
from contracts.refusals import Fault

# Around each long step, by its name.
Step = Callable[[str], AbstractContextManager[None]]


class NotPrepared(Exception):
    """The feed cannot be prepared from these claims by these definitions; known before anything is reckoned."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("This feed cannot be prepared from these claims by these definitions.")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is asked for. population: whose register it is. rehearsal: the register stays as it is. with_persons: keep
    the rows of persons, for a file of them."""

    prepared: Prepared
    claims: Path
    population: str
    register: Path
    new_register: bool = False
    rehearsal: bool = False
    strict: bool = False
    with_persons: bool = False


@dataclass(frozen=True, slots=True)
class PeriodPrepared:
    """One period: its cells, and what goes with them."""

    period: Period
    cells: PreparedCells
    summary: PeriodSummary
    manifest: JsonObject
    label: CellsLabel


def read_folder(engine: Engine, wanted: Preparation, step: Step) -> ClaimsReport:
    """The canonical relations in the engine. Raises ClaimsUnreadable, or NotPrepared."""
    prepared = wanted.prepared
    with step("Reading claims"):
        report = read_claims(
            engine,
            wanted.claims,
            prepared.layout,
            off_limits=list(prepared.off_limits.values()),
            exclusions=prepared.definition.exclusions,
            strict=wanted.strict,
        )
    faults = preparation_faults(prepared.feed, prepared.definition, report.given)
    if faults:
        raise NotPrepared(faults)
    engine.create_values("given", ["name VARCHAR"], [[name] for name in sorted(report.given)])
    return report


def prepare_periods(
    engine: Engine, wanted: Preparation, periods: Sequence[Period], step: Step
) -> Iterator[PeriodPrepared]:
    """Each period of the claims that were read, the earliest first. Raises RegisterRefused, CellsTooLarge
    or FactsRepeated."""
    prepared = wanted.prepared
    with Register.opened(
        engine,
        wanted.register,
        prepared.feed,
        min(periods),
        contract_id=prepared.terms.id,
        population=wanted.population,
        new=wanted.new_register,
        rehearsal=wanted.rehearsal,
    ) as register:
        for period in sorted(periods):
            with step(f"Preparing {period}"):
                create_facts(engine, prepared.feed, prepared.definition, period)
                cells = make_cells(engine, prepared.feed, prepared.definition, period, register)
                if wanted.with_persons:
                    add_persons(engine, prepared.feed, period)
            yield _period_prepared(prepared, period, cells, _register_id(register))


def _period_prepared(prepared: Prepared, period: Period, cells: PreparedCells, register_id: str) -> PeriodPrepared:
    manifest = write_manifest(prepared, period, register_id, datetime.now(UTC))
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
    summary = PeriodSummary(prepared.feed.name, period, cells.counts, cells.not_noted)
    return PeriodPrepared(period, cells, summary, manifest, label)


def _register_id(register: Register) -> str:
    """Names a register without its key: of a random key of 128 bits a digest tells nothing."""
    return hashlib.sha256(f"register {register.key}".encode()).hexdigest()[:32]
