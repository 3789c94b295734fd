"""`parley prepare`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import click

from adapters.claims.faults import ClaimsUnreadable
from adapters.client.exchange import ExchangeClient
from adapters.preparation.cells import CellsTooLarge, FactsRepeated
from adapters.preparation.engine import MEMORY_DEFAULT, Engine
from adapters.preparation.manifest import Prepared
from adapters.preparation.persons_file import write_persons
from adapters.preparation.preparing import (
    NotPrepared,
    PeriodPrepared,
    Preparation,
    opened_register,
    prepare_periods,
    read_folder,
    require_fitting,
)
from adapters.preparation.register import Register, RegisterRefused
from api.cli.calling import WHO_CALLS, calling, client_options
from api.cli.commands.submit import say_receipt
from api.cli.output import Failure, fault_lines, say, say_json, sentence, tell
from api.cli.preparation_input import (
    checked_memory,
    chosen_periods,
    population_of,
    read_layout,
    read_prepared,
    register_path,
)
from api.cli.preparation_output import CellsFiles, cells_files, outcome_document, period_document, persons_file
from api.cli.preparation_posting import post_prepared, require_postable
from api.cli.preparation_text import (
    say_claims,
    say_definitions,
    say_next,
    say_period,
    say_remaining,
    tell_alarms,
    tell_left,
    tell_register,
    tell_warnings,
)
from api.cli.progress import progress_of
from api.cli.undisturbed import said_plainly, stopping_in_order
from contracts.parties import JsonObject
from contracts.periods import Period
from contracts.refusals import Fault

EPILOG: Final = """\b
Examples:
  parley contract show dsc-helixor-adherence --json > contract.json
  parley prepare --contract contract.json --feed adherence --periods 2009 --claims claims/ --layout desynpuf \\
    --out cells.parquet
  parley submit cells.parquet

\b
  parley prepare ... --periods 2025-01..2025-06 --out cells/     (a file a period)
  parley prepare ... --periods all --dry-run                     (who remains after each rule)
  parley prepare ... --periods 2025-01 --submit                  (no file; needs a profile, as submit does)"""


@dataclass(frozen=True, slots=True)
class Options:
    """As they were given; see the help of each."""

    contract: Path
    feed: str
    periods: str
    claims: Path
    layout: str
    mapping: Path | None
    definitions: Path | None
    off_limits: tuple[Path, ...]
    organisation: str | None
    register: Path | None
    never_posted: str | None
    restatement: int
    out: Path | None
    submit: bool
    dry_run: bool
    overwrite: bool
    empty: bool
    submission_id: UUID | None
    persons: Path | None
    strict: bool
    memory: str
    spill: Path | None
    as_json: bool
    url: str
    client_id: str | None
    client_key: Path | None


@click.command(epilog=EPILOG)
@click.option(
    "--contract",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What `parley contract show ID --json` printed; or a draft, to try out.",
)
@click.option("--feed", required=True, help="Which feed of it.")
@click.option("--periods", required=True, help="2009, or 2008,2009, or 2025-01..2025-06, or `all` that are over.")
@click.option(
    "--claims",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="The folder of claims: CSV, gzipped or not, or Parquet.",
)
@click.option("--layout", required=True, help="How its files are laid out: canonical, desynpuf, synthea, or custom.")
@click.option(
    "--mapping", metavar="FILE", type=click.Path(path_type=Path), help="With --layout custom: which column is what."
)
@click.option(
    "--definitions",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What the names of the feed mean, in YAML; by default PQA's rules, of any drug.",
)
@click.option(
    "--off-limits",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A list of codes; claims that carry one are dropped before anything is computed. Repeat it for several.",
)
@click.option(
    "--organisation",
    metavar="ID",
    help="Which payer of the contract you are, where it has several and a person is in some periods only.",
)
@click.option(
    "--register",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Who was in which period before; by default one file of yours for each population.",
)
@click.option(
    "--never-posted",
    metavar="PERIODS",
    help="Periods that the register never saw, and that nobody ever posted: your word.",
)
@click.option(
    "--restatement",
    type=click.IntRange(min=0),
    default=0,
    metavar="NUMBER",
    help="0, unless given, for the first measurement of the period, then 1, 2, ... as the contract schedules.",
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The cells file: .parquet, .arrow, .csv or .json; a folder for several periods.",
)
@click.option("--submit", is_flag=True, help="Post the cells, without a file.")
@click.option(
    "--dry-run", is_flag=True, help="Show who remains after each rule, and how many the bounds cut. Nothing is written."
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--empty", is_flag=True, help="With --submit: post a period in which there is nobody, too.")
@click.option("--submission-id", type=click.UUID, help="With --submit: the id of a submission whose answer was lost.")
@click.option(
    "--persons",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write one row a person too, .parquet or .csv, for checking by hand. It must never leave your premises.",
)
@click.option("--strict", is_flag=True, help="Any row at fault is fatal.")
@click.option(
    "--memory",
    default=MEMORY_DEFAULT,
    show_default=True,
    metavar="SIZE",
    callback=checked_memory,
    help="The most it takes; 200MB at least.",
)
@click.option(
    "--spill",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where what does not fit into memory is put meanwhile; the system's temporary folder unless given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print manifest and summary as JSON.")
@client_options(required=False)
def prepare(**given: Any) -> None:
    """Make the cells that a contract asks for from raw claims, on the machine where the claims are.

    Nothing is sent, unless with --submit, and then cells alone. Each person is counted in one stratum a period, in as
    many periods as the contract says, and cut to its bounds before anything is summed. The summary on the terminal
    holds exact numbers, for you alone; the manifest beside the cells holds none, and may be handed to anyone.
    """
    options = Options(**given)
    _require_one_way(options)
    layout = read_layout(options.layout, options.mapping)
    prepared = read_prepared(
        options.contract, options.feed, layout, options.definitions, options.off_limits, options.restatement
    )
    wanted = _wanted(options, prepared, datetime.now(UTC).date())
    with stopping_in_order(), said_plainly(), ExitStack() as at_the_end:
        destination = _decide(at_the_end, options, prepared, wanted.periods)
        engine = at_the_end.enter_context(Engine.opened(options.spill, options.memory))
        with _refused_plainly():
            warnings = require_fitting(engine, wanted)
            tell_warnings(warnings)
            register = at_the_end.enter_context(opened_register(engine, wanted))
            tell_register(wanted, register)
            _run(engine, options, wanted, register, destination, warnings)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where cells go; neither in a dry run."""

    files: CellsFiles | None
    client: ExchangeClient | None


def _require_one_way(options: Options) -> None:
    """Raises UsageError."""
    if [options.out is not None, options.submit, options.dry_run].count(True) != 1:
        raise click.UsageError("Say where the cells go: one of --out FILE, --submit and --dry-run.")
    if not options.submit and (options.submission_id or options.empty):
        raise click.UsageError("--submission-id and --empty go with --submit.")
    if options.dry_run and options.persons:
        raise click.UsageError("A dry run writes nothing: leave --persons out.")
    if options.spill is not None and not options.spill.is_dir():
        raise click.UsageError(f"--spill: {options.spill} is no folder.")


def _decide(at_the_end: ExitStack, options: Options, prepared: Prepared, periods: Sequence[Period]) -> Destination:
    """All that can be refused before a claim is read. Raises Failure, or UsageError."""
    if options.persons is not None:
        persons_file(options.persons, overwrite=options.overwrite)
    if options.out is not None:
        return Destination(cells_files(options.out, prepared.feed, periods, overwrite=options.overwrite), None)
    if not options.submit:
        return Destination(None, None)
    if options.submission_id and len(periods) > 1:
        raise click.UsageError("--submission-id is of one period.")
    if options.client_id is None or options.client_key is None:
        raise click.UsageError(WHO_CALLS)
    client = at_the_end.enter_context(calling(options.url, options.client_id, options.client_key))
    require_postable(client, prepared, periods)
    return Destination(None, client)


def _wanted(options: Options, prepared: Prepared, today: date) -> Preparation:
    """Raises Failure."""
    may_run_out = prepared.digest is not None and prepared.feed.k < len(prepared.feed.periods)
    population = population_of(prepared.terms, options.organisation, of_one=may_run_out)
    over_by = today if prepared.digest else date.max  # a draft is tried out with claims of any time
    never_posted = options.never_posted
    return Preparation(
        prepared=prepared,
        claims=options.claims,
        population=population,
        register=options.register or register_path(population),
        periods=chosen_periods(prepared.feed, options.periods, over_by),
        today=today,
        never_posted=chosen_periods(prepared.feed, never_posted, today, "--never-posted") if never_posted else (),
        dry=options.dry_run,
        strict=options.strict,
        with_persons=options.persons is not None,
    )


def _run(
    engine: Engine,
    options: Options,
    wanted: Preparation,
    register: Register,
    destination: Destination,
    warnings: Sequence[Fault],
) -> None:
    step, prepared = _step(engine), wanted.prepared
    report = read_folder(engine, wanted, step)
    tell_alarms(report.alarms)
    if not options.as_json:
        say_definitions(prepared)
        say_claims(report)
    documents: list[JsonObject] = []
    written: list[tuple[PeriodPrepared, Path]] = []
    try:
        for each in prepare_periods(engine, wanted, register, step):
            tell_alarms(each.summary.alarms)
            path = destination.files.write(prepared.feed, each) if destination.files else None
            documents.append(_deliver(options, prepared, each, path, destination.client))
            written += [(each, path)] if path else []
    except BaseException:
        tell_left(wanted, len(documents))
        raise
    if written and not options.as_json:
        say_next(prepared, written)
    if options.persons is not None:
        write_persons(engine, options.persons, replace=options.overwrite)
        tell(f"{options.persons} holds a row for each person: it must never leave your premises.")
    if options.as_json:
        say_json(outcome_document(prepared, report, warnings, documents))


def _deliver(
    options: Options, prepared: Prepared, each: PeriodPrepared, path: Path | None, client: ExchangeClient | None
) -> JsonObject:
    """What is said of one period, and its way to an exchange."""
    if not options.as_json:
        (say_remaining if options.dry_run else say_period)(prepared, each)
        if path is not None:
            say(f"Cells:    {path}")
    receipt = None
    if client is not None:
        receipt = post_prepared(client, prepared.feed, each, empty=options.empty, submission_id=options.submission_id)
    if receipt is not None and not options.as_json:
        say_receipt(receipt)
    return period_document(each, path, receipt)


def _step(engine: Engine) -> Callable[[str], AbstractContextManager[None]]:
    engine.connection.execute("SET enable_progress_bar = true")
    engine.connection.execute("SET enable_progress_bar_print = false")
    return lambda what: progress_of(what, lambda: engine.connection.query_progress() / 100)


@contextmanager
def _refused_plainly() -> Iterator[None]:
    try:
        yield
    except NotPrepared as refused:
        raise Failure(str(refused), fault_lines(refused.faults)) from None
    except (ClaimsUnreadable, RegisterRefused, CellsTooLarge, FactsRepeated) as refused:
        raise Failure(sentence(str(refused))) from None
