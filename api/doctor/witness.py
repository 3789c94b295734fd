"""The ledger's witness: is it where a restored backup cannot reach it, and does it agree with the ledger?"""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from adapters.clock import SystemClock
from adapters.database import DatabaseUnavailable, DatabaseUrlUnusable, SchemaStale, check_schema, open_database
from adapters.database.inspecting import find_data_folder
from adapters.witness import FileWitness
from api.doctor.findings import Finding, not_checked, ok, problem, warning
from contracts.ledger.reconciling import Reconciling, Survey
from contracts.refusals import WitnessUnavailable

_WITNESS: Final = "witness"
_IN_MEMORY: Final = ("tmpfs", "ramfs", "devtmpfs")


def check_witness(path: str, database_url: str) -> Iterator[Finding]:
    if not path:
        yield problem(_WITNESS, "there is none", "Set PARLEY_WITNESS to a file on another disk than the database.")
        return
    witness = Path(path)
    if witness.exists() and not witness.is_file():
        yield problem(_WITNESS, "it is no file", "Set PARLEY_WITNESS to a file on another disk than the database.")
        return
    yield from check_place(witness, database_file(database_url))
    yield from check_lasting(witness)
    yield from check_own(witness)
    yield from check_writable(witness)
    yield from check_agrees(witness, database_url)


def database_file(url: str) -> Path | None:
    """The file of an embedded database, or one in the folder of a server on this machine; None where it is not told."""
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        return Path(address.database) if address.database else None
    folder = find_data_folder(url)
    return folder / "PG_VERSION" if folder else None


def check_place(witness: Path, database: Path | None) -> Iterator[Finding]:
    """Whatever is restored with the database would take the witness back with it."""
    if database is None:
        yield not_checked(
            _WITNESS,
            "where the database server keeps its files cannot be told from here",
            "Make sure that no restore of the database takes the witness back with it.",
        )
    elif witness.resolve().parent == database.resolve().parent or _is_within_server(witness, database):
        yield warning(
            _WITNESS,
            "in the folder of the database: one restore would take both back",
            "Set PARLEY_WITNESS to a file on another disk, and never restore it.",
        )
    elif _device(witness) == _device(database):
        yield warning(_WITNESS, "on the disk of the database", "Put it on another, so that they are not lost together.")
    else:
        yield ok(_WITNESS, "on another disk than the database")


def _is_within_server(witness: Path, database: Path) -> bool:
    return database.name == "PG_VERSION" and witness.resolve().is_relative_to(database.resolve().parent)


def check_lasting(witness: Path, mounts: Path = Path("/proc/self/mountinfo")) -> Iterator[Finding]:
    """A file system that is memory is empty after a restart, whatever fsync says. mounts: see proc(5)."""
    device = _device(witness)
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return
    kinds = {line.split(" ")[2]: line.partition(" - ")[2].split(" ")[0] for line in lines if " - " in line}
    kind = kinds.get(f"{os.major(device)}:{os.minor(device)}") if device is not None else None
    if kind in _IN_MEMORY:
        yield problem(
            _WITNESS,
            f"it is in memory ({kind}), and gone with the next restart",
            "Set PARLEY_WITNESS to a file on a disk, another than the database's.",
        )


def check_own(witness: Path) -> Iterator[Finding]:
    """Whoever else can write it can cut it, and then rewind the ledger unseen."""
    if witness.exists() and witness.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield problem(_WITNESS, "others than its owner may write it", f"chmod go-w {witness}")


def _device(path: Path) -> int | None:
    """Of the file, or the folder that it will be in."""
    there = next((place for place in (path, path.parent) if place.exists()), None)
    return there.stat().st_dev if there else None


def check_writable(witness: Path) -> Iterator[Finding]:
    """In a file of its own beside it: the witness itself is left alone."""
    try:
        with tempfile.NamedTemporaryFile(dir=witness.parent, prefix=".parley-doctor-") as probe:
            probe.write(b"parley doctor\n")
            probe.flush()
            os.fsync(probe.fileno())
        writable = not witness.exists() or os.access(witness, os.R_OK | os.W_OK)
    except OSError:
        writable = False
    if writable:
        yield ok(_WITNESS, "can be written, and reaches the disk")
    else:
        yield problem(
            _WITNESS,
            "it cannot be written, so no debit can be made",
            f"Let the exchange's user write {witness} and its folder.",
        )


def check_agrees(witness: Path, database_url: str) -> Iterator[Finding]:
    try:
        found = _survey(witness, database_url)
    except (DatabaseUnavailable, DatabaseUrlUnusable, SchemaStale, WitnessUnavailable):
        yield not_checked(_WITNESS, "it cannot be compared with the ledger now")
        return
    if found.damaged or found.gaps:
        names = ", ".join(gap.population for gap in found.gaps) or "no population's ledger"
        damaged = "it was damaged; " if found.damaged else ""
        yield problem(_WITNESS, f"{damaged}it differs from the ledger of {names}", "parley ledger reconcile")
    else:
        yield ok(_WITNESS, "agrees with the ledger")


def _survey(witness: Path, database_url: str) -> Survey:
    check_schema(database_url)  # opening an embedded database that is not there would make one
    database = open_database(database_url)
    try:
        return Reconciling(database, FileWitness(witness), SystemClock()).survey()
    finally:
        database.close()
