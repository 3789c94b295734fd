"""`parley submit`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import click

from adapters.client.exchange import ExchangeClient
from adapters.preparation.writing import CellsLabel, encode_posted
from api.cli.calling import as_client, chosen_contract
from api.cli.cells import TABLE_SUFFIXES, find_label, find_release, read_whole_period
from api.cli.files_in_order import contract_and_files, in_order, post_in_order
from api.cli.output import Failure, refusal_failure, say, say_json, tell
from contracts.decisions import get_period
from contracts.parties import JsonObject
from contracts.refusals import Refusal
from contracts.submissions.restating import require_due
from contracts.terms import FeedTerms, Measured, read_terms

EPILOG = """\b
Each FILE is one of
  what `parley prepare` wrote; it says itself what it is of       .parquet, .arrow
  {"rows": [{"region": "south", "members": 12}, ...]}             .json
  {"columns": {"region": ["south", ...], "members": [12, ...]}}   .json
  a header of dimensions and measures, one line a stratum         .csv
  what `parley measure` wrote, for a feed measured at source      .json
Strata that are absent are zero. Post the true counts: the exchange adds the noise that protects them.

\b
Examples:
  parley submit cells.parquet
  parley submit cells/*.parquet                                   (several periods, the earliest first; or: cells/)
  parley submit dsc-helixor-adherence --feed fills --period 2025-01 fills-2025-01.csv
  parley submit dsc-helixor-adherence release-2025-01.json        (it says feed, period and id itself)
  parley submit --feed fills --period 2025-01 fills-2025-01.csv   (of the contract of your profile)"""


@click.command(epilog=EPILOG)
@click.argument("words", metavar="[CONTRACT] FILE...", nargs=-1, required=True)
@click.option("--feed", help="Which feed of the contract. Needed for cells, unless the file says it.")
@click.option(
    "--period", help="Which period of it: 2025-03, 2025-Q1 or 2025. Needed for cells, unless the file says it."
)
@click.option(
    "--restatement",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="0, unless given, for the first measurement of the period, then 1, 2, ... as the contract schedules.",
)
@click.option(
    "--submission-id",
    type=click.UUID,
    help="The id of a submission whose answer was lost, to repeat it. By default a new one.",
)
@click.option("--empty", is_flag=True, help="The file has no stratum, on purpose: every cell of the period is zero.")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as JSON.")
@as_client
def submit(
    client: ExchangeClient,
    words: tuple[str, ...],
    as_json: bool,
    **of_cells: Any,
) -> None:
    """Post whole periods of a feed: each is debited, noised once and stored; exact numbers are forgotten.

    Cells, period and restatement are checked here first, against the contract; faulty ones are not sent. Needs the
    scopes contracts.read and submissions.write. CONTRACT may be left out where the file or your profile says it.
    Several files, or a folder of them, are posted in the order of their periods, up to the first that is refused.
    """
    named, files = contract_and_files(words)
    if len(files) == 1:
        receipt = _submit_one(client, named, files[0], of_cells)
        (say_json if as_json else say_receipt)(receipt)
        return
    if given := _given(of_cells):
        raise click.UsageError(f"Of several files each says itself what it is of: leave --{given} out.")
    receipts: list[JsonObject] = []
    for receipt in post_in_order(in_order(files), lambda file: _submit_one(client, named, file, of_cells)):
        if receipts and not as_json:
            say()
        if not as_json:
            say_receipt(receipt)
        receipts.append(receipt)
    if as_json:
        say_json({"receipts": receipts})


def _submit_one(client: ExchangeClient, named: str | None, file: Path, of_cells: dict[str, Any]) -> JsonObject:
    label = find_label(file)
    contract_id = chosen_contract(named or (label.contract_id if label else None))
    release = find_release(file)
    if release is not None:
        return _submit_release(client, contract_id, release, of_cells)
    return _submit_cells(client, contract_id, file, label, **of_cells)


def _submit_cells(
    client: ExchangeClient,
    contract_id: str,
    file: Path,
    label: CellsLabel | None,
    *,
    feed: str | None,
    period: str | None,
    restatement: int | None,
    submission_id: UUID | None,
    empty: bool,
) -> JsonObject:
    if label is not None:
        feed, period = feed or label.feed, period or label.period
        restatement = label.restatement if restatement is None else restatement
    if feed is None or period is None:
        raise click.UsageError(f"Missing option '{'--feed' if feed is None else '--period'}'.")
    in_force = client.get_contract(contract_id)
    if label is not None:
        _require_prepared_for(label, in_force)
    terms = _get_feed(in_force, feed)
    if terms.measured is Measured.SOURCE:
        raise Failure(f"{feed} is measured at source: its cells stay on this machine. Draw its release: parley measure")
    require_due_here(terms, period, restatement or 0)
    columns = read_whole_period(file, terms, empty=empty)
    submission = str(submission_id or _own_id(label, feed, period, restatement) or uuid4())
    repeated = "post the same file again" if label else "repeat with --submission-id"
    tell(f"Submission id: {submission} (if no answer comes, {repeated})")
    if file.suffix in TABLE_SUFFIXES:
        table = encode_posted(terms, columns)
        return client.submit_table(
            contract_id, feed, period, table, submission_id=submission, restatement=restatement or 0
        )
    return client.submit(contract_id, feed, period, columns, submission, restatement or 0)


def _require_prepared_for(label: CellsLabel, in_force: JsonObject) -> None:
    """Cells of other terms may break the bounds of these. Raises Failure."""
    if label.contract_id != in_force["id"]:
        raise Failure(f"The file was prepared for the contract {label.contract_id}, and not for {in_force['id']}.")
    require_of_terms(label.contract_id, label.contract_version, label.contract_digest, in_force)


def require_of_terms(contract_id: str, version: int, digest: str | None, in_force: JsonObject) -> None:
    """Raises Failure."""
    if digest != in_force["digest"]:
        prepared = f"version {version}" if digest else "a draft"
        raise Failure(
            f"The cells are of {prepared} of {contract_id}, and the exchange has version {in_force['version']}. "
            "Prepare anew from what `parley contract show ID --json` prints."
        )


def _own_id(label: CellsLabel | None, feed: str, period: str, restatement: int | None) -> str | None:
    """The id that was made with the file, so long as it is posted as what it was prepared for."""
    if label is None or (label.feed, label.period, label.restatement) != (feed, period, restatement):
        return None
    return label.submission_id


def _submit_release(
    client: ExchangeClient, contract_id: str, release: JsonObject, of_cells: dict[str, object]
) -> JsonObject:
    if given := _given(of_cells):
        raise click.UsageError(f"A release says itself what it is of: leave --{given} out.")
    tell(f"Submission id: {release.get('submission_id')} (if no answer comes, post the same file again)")
    return client.submit_release(contract_id, release)


def _given(of_cells: dict[str, object]) -> str | None:
    """The first option that was given of those that say what cells are of."""
    given = (name for name, value in of_cells.items() if value is not None and value is not False)
    return next((name.replace("_", "-") for name in given), None)


def require_due_here(feed: FeedTerms, period: str, restatement: int) -> None:
    """What the exchange is bound to refuse carries no exact cells there. Raises Failure."""
    today = datetime.now(UTC).date()
    try:
        require_due(feed, get_period(feed, period, today), restatement, today)
    except Refusal as refusal:
        raise refusal_failure(refusal) from None


def _get_feed(contract: JsonObject, name: str) -> FeedTerms:
    terms = read_terms(contract["document"])
    found = terms.find_feed(name)
    if found is None:
        known = ", ".join(feed.name for feed in terms.feeds)
        raise Failure(f"The contract has no feed of this name; it has {known}.")
    return found


def say_receipt(receipt: JsonObject) -> None:
    again = ", as before: nothing was debited again" if receipt["replayed"] else ""
    provisional = " (provisional)" if receipt["provisional"] else ""
    say(f"Release:  {receipt['release_id']}{again}")
    restated = f", restatement {receipt['restatement']}" if receipt["restatement"] else ""
    say(f"Period:   {receipt['feed']} {receipt['period']}{restated}{provisional}, population {receipt['population']}")
    if receipt["measured"] == Measured.SOURCE:
        say("Measured: at source; the exchange takes your word for its noise, and every answer from it says so")
    say(f"Debited:  rho {receipt['debited']['rho']}")
    say(f"Balance:  rho {receipt['balance']['rho']}")
    say(f"Block:    {receipt['block_sha256']} (SHA-256 of the noisy release)")
