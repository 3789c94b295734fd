"""Where the cells of a preparation go: to files, each with its manifest; and its outcome as JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import click

from adapters.claims.report import ClaimsReport
from adapters.preparation.manifest import Prepared
from adapters.preparation.persons_file import SUFFIXES as PERSONS_SUFFIXES
from adapters.preparation.preparing import PeriodPrepared
from adapters.preparation.summary import LOCAL
from adapters.preparation.writing import SUFFIXES, Taken, encode_cells, write_whole
from api.cli.files import refuse_taken
from api.cli.output import Failure
from contracts.parties import JsonObject
from contracts.periods import Period
from contracts.refusals import Fault
from contracts.terms import FeedTerms


@dataclass(frozen=True, slots=True)
class CellsFiles:
    """One file a period with its manifest beside it; what is there is replaced only if that was said."""

    by_period: dict[Period, Path]
    overwrite: bool

    def write(self, feed: FeedTerms, prepared: PeriodPrepared) -> Path:
        """The manifest comes first: no cells lie about without theirs. Raises Failure."""
        path = self.by_period[prepared.period]
        content = encode_cells(feed, prepared.cells.columns, prepared.label, path.suffix)
        write_private(manifest_path(path), json.dumps(prepared.manifest, indent=2).encode() + b"\n", self.overwrite)
        write_private(path, content, self.overwrite)
        return path


def cells_files(out: Path, feed: FeedTerms, periods: Sequence[Period], *, overwrite: bool) -> CellsFiles:
    """Decided before a claim is read. Raises Failure, or UsageError."""
    if len(periods) == 1 and not out.is_dir():
        by_period = {periods[0]: out}
        if out.suffix not in SUFFIXES:
            raise click.UsageError(f"--out is a file that ends in {', '.join(SUFFIXES)}, or a folder.")
    else:
        if out.suffix in SUFFIXES:
            raise click.UsageError("Of several periods --out names a folder: each is a file of its own.")
        by_period = {period: out / f"{feed.name}-{period}.parquet" for period in periods}
        _make_folder(out)
    for path in by_period.values():
        for each in (path, manifest_path(path)):
            refuse_taken(each, replace=overwrite)
    _require_writable(next(iter(by_period.values())).parent)
    return CellsFiles(by_period, overwrite)


def manifest_path(cells: Path) -> Path:
    return cells.with_name(f"{cells.name}.manifest.json")


def write_private(path: Path, content: bytes, overwrite: bool) -> None:
    """Raises Failure."""
    try:
        write_whole(path, content, replace=overwrite)
    except Taken:
        raise Failure(f"{path} exists and is not overwritten.") from None
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from None


def persons_file(path: Path, *, overwrite: bool) -> None:
    """Whether it could be written, before a claim is read. Raises Failure, or UsageError."""
    if path.suffix not in PERSONS_SUFFIXES:
        raise click.UsageError(f"--persons is a file that ends in {' or '.join(PERSONS_SUFFIXES)}.")
    refuse_taken(path, replace=overwrite)
    _require_writable(path.parent)


def period_document(prepared: PeriodPrepared, path: Path | None, receipt: JsonObject | None) -> JsonObject:
    return {
        "period": str(prepared.period),
        "cells": None if path is None else str(path),
        "submission_id": prepared.label.submission_id,
        "manifest": prepared.manifest,
        "manifest_sha256": prepared.label.manifest_sha256,
        "summary": prepared.summary.document(),
        "receipt": receipt,
    }


def outcome_document(
    prepared: Prepared, report: ClaimsReport, warnings: Sequence[Fault], periods: Sequence[JsonObject]
) -> JsonObject:
    return {
        "local": LOCAL,
        "alarms": list(report.alarms),
        "warnings": [{"pointer": each.pointer, "code": each.code, "detail": each.message} for each in warnings],
        "definitions_sha256": prepared.definitions_sha256,
        "claims": report.document(),
        "periods": list(periods),
    }


def _require_writable(folder: Path) -> None:
    """Tried, since rights alone do not tell of a disk that is full or read-only. Raises Failure."""
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Failure(f"Nothing can be written to the folder {folder}: {error.strerror}.") from None


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"{out} cannot be made: {error.strerror}.") from None
