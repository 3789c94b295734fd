"""Where the cells of a preparation go: to files, to an exchange, or nowhere; and what is said of them.

Exact numbers are printed for the payer alone; the manifest is what may be handed on.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from adapters.claims.report import ClaimsReport
from adapters.preparation.persons_file import SUFFIXES as PERSONS_SUFFIXES
from adapters.preparation.preparing import PeriodPrepared
from adapters.preparation.summary import LOCAL, lines_of, not_noted_notice
from adapters.preparation.writing import SUFFIXES, Taken, encode_cells, write_whole
from api.cli.files import refuse_taken
from api.cli.output import Failure, say, say_table, tell
from contracts.parties import JsonObject
from contracts.periods import Period
from contracts.terms import FeedTerms, Measured

_MOST_FAULTS_SHOWN: Final = 30


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


def say_claims(report: ClaimsReport) -> None:
    """What was read, and what was wrong with it, without a value of a row."""
    say_table(
        ("claims", "rows read", "kept"),
        [(name, f"{read:,}", f"{report.rows_kept.get(name, 0):,}") for name, read in report.rows_read.items()],
        right=("rows read", "kept"),
    )
    if report.counts:
        say("Rows that were dropped or changed:")
    for count in report.counts[:_MOST_FAULTS_SHOWN]:
        say(f"  {count}")
    if len(report.counts) > _MOST_FAULTS_SHOWN:
        say(f"  and {len(report.counts) - _MOST_FAULTS_SHOWN} reasons more: --json lists them all")


def say_period(feed: FeedTerms, prepared: PeriodPrepared) -> None:
    say()
    say(f"{feed.name} {prepared.period}. {LOCAL}")
    say_table(("", "persons"), lines_of(prepared.summary, bounds=feed.bounds), right=("persons",))
    if prepared.summary.not_noted:
        tell(not_noted_notice(prepared.summary.not_noted))


def say_remaining(feed: FeedTerms, prepared: PeriodPrepared) -> None:
    """Of a dry run: how many members are left after each rule."""
    say()
    say(f"{feed.name} {prepared.period}. {LOCAL}")
    rows = [(rule, f"{members:,}") for rule, members in prepared.summary.remaining]
    say_table(("after the rule", "members remain"), rows, right=("members remain",))


def say_next(feed: FeedTerms, prepared: PeriodPrepared, path: Path) -> None:
    """The command that comes next."""
    label = prepared.label
    say(f"Cells:    {path}")
    say(f"Manifest: {manifest_path(path)} (nothing in it depends on records; hand it to whoever asks)")
    if label.contract_digest is None:
        say("Next:     nothing: the contract is a draft. Prepare anew from the one in force.")
    elif feed.measured is Measured.SOURCE:
        say(f"Next:     parley measure CONTRACT {feed.name} {label.period} {path} (noise is drawn here; see --help)")
    elif path.suffix in (".parquet", ".arrow"):
        say(f"Next:     parley submit {path}")
    else:
        say(f"Next:     parley submit {label.contract_id} {path} --feed {feed.name} --period {label.period}")


def persons_file(path: Path, *, overwrite: bool) -> None:
    """Whether it could be written, before a claim is read. Raises Failure, or UsageError."""
    if path.suffix not in PERSONS_SUFFIXES:
        raise click.UsageError(f"--persons is a file that ends in {' or '.join(PERSONS_SUFFIXES)}.")
    refuse_taken(path, replace=overwrite)


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


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Failure(f"{out} cannot be made: {error.strerror}.") from None
