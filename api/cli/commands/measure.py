"""`parley measure`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import click

from adapters.cells.rows import from_columns
from adapters.preparation.writing import CellsLabel
from api.cli.cells import find_label, read_whole_period
from api.cli.files import PRIVATE_MODE, read_json, write_new
from api.cli.jwks import read_public_key
from api.cli.output import Failure, refusal_failure, say
from contracts.refusals import Refusal
from contracts.submissions.measuring import DuePeriod, NotWhatWasSigned, Pin, draw_at_source, get_due_period
from contracts.verifying_contract import NotAContract
from privacy.mechanism import DrawFailed
from privacy.units import rho_text

EPILOG = """\b
Example:
  parley contract show dsc-helixor-adherence --json > contract.json
  parley measure contract.json fills 2025-01 fills-2025-01.csv --signed-with sierra-signing.pub.json \\
    --out release-2025-01.json
  parley submit dsc-helixor-adherence release-2025-01.json"""


@click.command(epilog=EPILOG)
@click.argument("contract", type=click.Path(path_type=Path))
@click.argument("feed")
@click.argument("period")
@click.argument("cells", type=click.Path(path_type=Path))
@click.option("--digest", metavar="HEX", help="The digest that your organisation signed, as you noted it then.")
@click.option(
    "--signed-with",
    metavar="KEY.pub.json",
    type=click.Path(path_type=Path),
    help="Or your organisation's own public signing key: CONTRACT must bear its signature.",
)
@click.option(
    "--out",
    required=True,
    metavar="RELEASE.json",
    type=click.Path(path_type=Path),
    help="Where the release goes. It is never overwritten: a second draw would be a second loss.",
)
@click.option(
    "--restatement",
    type=click.IntRange(min=0),
    default=0,
    metavar="NUMBER",
    help="0, unless given, for the first measurement of the period, then 1, 2, ... as the contract schedules.",
)
@click.option("--submission-id", type=click.UUID, help="The id it will be posted under. By default a new one.")
@click.option("--empty", is_flag=True, help="CELLS has no stratum, on purpose: every cell of the period is zero.")
def measure(
    contract: Path,
    feed: str,
    period: str,
    cells: Path,
    digest: str | None,
    signed_with: Path | None,
    out: Path,
    restatement: int,
    submission_id: UUID | None,
    empty: bool,
) -> None:
    """Draw the release of one period here, by the plan in the contract, so that CELLS never leave this machine.

    CONTRACT is what `parley contract show ID --json` prints. Nothing that an exchange says of it is believed: --digest
    or --signed-with shows that it is the one your organisation signed. CELLS is a file as `parley submit` takes it.
    Nothing is sent: post the release with `parley submit`. Draw a period once.
    """
    trusted = _read_pin(digest, signed_with)
    if out.exists():
        raise Failure(
            f"{out} exists and is not overwritten. A period is drawn once: a second draw of the same cells would be a "
            "second loss, which no ledger would know of. Post the release that you have."
        )
    due = _get_due_period(contract, feed, period, restatement, trusted)
    label = find_label(cells)
    if label is not None:
        _require_prepared_for(label, due)
        submission_id = submission_id or UUID(label.submission_id)
    columns = read_whole_period(cells, due.feed, empty=empty)
    try:
        body = draw_at_source(due, from_columns(columns, due.feed), str(submission_id or uuid4()))
    except DrawFailed:
        raise Failure("No noise could be drawn, and nothing was written.") from None
    write_new(out, json.dumps(body) + "\n", PRIVATE_MODE)
    restated = f", restatement {restatement}" if restatement else ""
    say(f"Drawn:    {feed} {period}{restated}, rho {rho_text(due.feed.get_plan().charge_nano)} when it is posted")
    say(f"Contract: {due.contract_digest}, which your organisation signed")
    say(f"Next:     parley submit {due.contract_id} {out}")
    say("Keep the release until you have its receipt, and never draw this period again.")


def _require_prepared_for(label: CellsLabel, due: DuePeriod) -> None:
    """What `parley prepare` wrote is measured as what it says it is of. Raises Failure."""
    of_file = (label.contract_digest, label.feed, label.period, label.restatement)
    if of_file != (due.contract_digest, due.feed.name, str(due.period), due.restatement):
        restated = f", restatement {label.restatement}" if label.restatement else ""
        raise Failure(
            f"The cells were prepared for {label.feed} {label.period}{restated} of {label.contract_id}, version "
            f"{label.contract_version}{'' if label.contract_digest else ' as a draft'}: not for what is to be drawn."
        )


def _read_pin(digest: str | None, signed_with: Path | None) -> Pin:
    """Raises UsageError unless there is exactly one."""
    if digest is not None and signed_with is None:
        return digest
    if signed_with is not None and digest is None:
        return read_public_key(signed_with)
    raise click.UsageError(
        "Say how CONTRACT is known to be the one that your organisation signed: either by --digest HEX, which `parley "
        "contract sign` showed before the signature, or by --signed-with KEY.pub.json, your own public signing key."
    )


def _get_due_period(contract: Path, feed: str, period: str, restatement: int, trusted: Pin) -> DuePeriod:
    try:
        return get_due_period(read_json(contract), feed, period, restatement, trusted=trusted, now=datetime.now(UTC))
    except NotWhatWasSigned as error:
        raise Failure(f"{contract} is not what your organisation signed: {error}. Nothing is drawn.") from None
    except NotAContract as error:
        raise Failure(f"{contract}: {error}. Write it anew: parley contract show ID --json > {contract}") from None
    except Refusal as refusal:
        raise refusal_failure(refusal) from None
