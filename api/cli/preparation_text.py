"""What is said of a preparation: first what is probably not meant, on standard error; then exact numbers, for the
payer's own eyes; and at the end the command that comes next."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters.claims.report import ClaimsReport
from adapters.preparation.manifest import Prepared
from adapters.preparation.preparing import PeriodPrepared, Preparation
from adapters.preparation.register import BEYOND_K, Register
from adapters.preparation.summary import LOCAL, cells_lines, lines_of, not_noted_notice
from adapters.preparation.unseen import as_ranges
from api.cli.output import fault_lines, say, say_table, sentence, tell
from contracts.refusals import Fault
from contracts.terms import Measured

_MOST_FAULTS_SHOWN: Final = 30


def tell_alarms(alarms: Sequence[str]) -> None:
    """Before the numbers that they are about, on standard error."""
    for alarm in alarms:
        tell(f"WARNING: {sentence(alarm)}")


def tell_warnings(warnings: Sequence[Fault]) -> None:
    """Before the work: whoever comes back to it later finds them at the top."""
    if warnings:
        tell("Probably not meant:")
        for line in fault_lines(warnings):
            tell(f"  {line}")


def tell_register(wanted: Preparation, register: Register) -> None:
    """Loudly what nobody may overlook: whom the register takes to be where."""
    feed = wanted.prepared.feed.name
    if wanted.prepared.digest is None:
        tell("The contract is a draft: nobody is registered, and its cells cannot be posted.")
    elif register.is_needed and not register.begun and not wanted.dry:
        tell(f"{feed} is new to the register {wanted.register}: nobody is taken to be in any period of it yet.")
    elif register.unseen:
        tell(not_noted_notice(register.unseen))


def tell_left(wanted: Preparation, finished: int) -> None:
    """Of a run that ends early: so many periods are done with, and need no other run."""
    periods = sorted(wanted.periods)
    if finished:
        tell(f"Finished: {as_ranges(periods[:finished])}. Go on with --periods {as_ranges(periods[finished:])}")


def say_definitions(prepared: Prepared) -> None:
    """A contract can name the digest, so that cells are made by these definitions and no others."""
    digest = prepared.definitions_sha256
    say(f"Definitions: {'the defaults of this version of Parley' if digest is None else f'SHA-256 {digest}'}")


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


def say_period(prepared: Prepared, each: PeriodPrepared) -> None:
    _say_heading(each)
    say_table(("", "persons"), lines_of(each.summary, prepared.feed), right=("persons",))


def say_remaining(prepared: Prepared, each: PeriodPrepared) -> None:
    """Of a dry run: how many members are left after each rule, and what the bounds would do to them."""
    _say_heading(each)
    rows = [(rule, f"{members:,}") for rule, members in each.summary.remaining if rule != BEYOND_K]
    say_table(("after the rule", "members remain"), rows, right=("members remain",))
    say_table(("", "persons"), cells_lines(each.summary, prepared.feed), right=("persons",))


def _say_heading(each: PeriodPrepared) -> None:
    say()
    say(f"{each.summary.feed} {each.period}. {LOCAL}")


def say_next(prepared: Prepared, files: Sequence[tuple[PeriodPrepared, Path]]) -> None:
    """The one command that comes next."""
    say()
    where = "beside each, .manifest.json" if len(files) > 1 else f"{files[0][1]}.manifest.json"
    say(f"Manifest: {where} (nothing in it depends on records; hand it to whoever asks)")
    say(f"Next:     {_next(prepared, files)}")


def _next(prepared: Prepared, files: Sequence[tuple[PeriodPrepared, Path]]) -> str:
    feed, several = prepared.feed, len(files) > 1
    each, path = files[0]
    if prepared.digest is None:
        return "nothing: the contract is a draft. Prepare anew from the one in force."
    if feed.measured is Measured.SOURCE:
        period, cells = ("PERIOD", "CELLS") if several else (each.period, path)
        each_one = "for each period " if several else ""
        return f"{each_one}parley measure CONTRACT {feed.name} {period} {cells} (noise is drawn here; see --help)"
    if path.suffix in (".parquet", ".arrow"):
        return f"parley submit {' '.join(str(path) for _, path in files)}"
    return f"parley submit {prepared.terms.id} {path} --feed {feed.name} --period {each.period}"
