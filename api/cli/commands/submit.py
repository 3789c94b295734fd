"""`parley submit`."""

from pathlib import Path
from uuid import UUID, uuid4

import click

from adapters.exchange import ExchangeClient
from api.cli.calling import as_client
from api.cli.cells import read_cells
from api.cli.output import Failure, say, say_json, tell
from contracts.parties import JsonObject
from contracts.terms import FeedTerms, read_terms

EPILOG = """\b
FILE is one of
  {"rows": [{"region": "south", "members": 12}, ...]}             .json
  {"columns": {"region": ["south", ...], "members": [12, ...]}}   .json
  a header of dimensions and measures, one line a stratum         .csv
Strata that are absent are zero. Post the true counts: the exchange adds the noise that protects them.

\b
Example:
  parley submit dsc-helixor-adherence --feed fills --period 2025-01 fills-2025-01.csv"""


@click.command(epilog=EPILOG)
@click.argument("contract_id", metavar="CONTRACT")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--feed", required=True, help="Which feed of the contract.")
@click.option("--period", required=True, help="Which period of it: 2025-03, 2025-Q1 or 2025.")
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
    contract_id: str,
    file: Path,
    feed: str,
    period: str,
    submission_id: UUID | None,
    empty: bool,
    as_json: bool,
) -> None:
    """Post one whole period of a feed: it is debited, noised once and stored; exact numbers are forgotten.

    The cells are checked here first, against the contract; faulty ones are not sent. Needs the scopes
    contracts.read and submissions.write.
    """
    terms = _get_feed(client, contract_id, feed)
    columns = read_cells(file, terms)
    strata = len(next(iter(columns.values())))
    if not strata and not empty:
        raise Failure(f"{file} has no stratum. If the whole period really is zero, repeat with --empty: it is final.")
    tell(f"{strata} of {terms.cells_per_measure} strata are in {file.name}; the others are zero.")
    submission = str(submission_id or uuid4())
    tell(f"Submission id: {submission} (if no answer comes, repeat with --submission-id)")
    receipt = client.submit(contract_id, feed, period, columns, submission)
    if as_json:
        say_json(receipt)
    else:
        _say_receipt(receipt)


def _get_feed(client: ExchangeClient, contract_id: str, name: str) -> FeedTerms:
    terms = read_terms(client.get_contract(contract_id)["document"])
    found = terms.find_feed(name)
    if found is None:
        known = ", ".join(feed.name for feed in terms.feeds)
        raise Failure(f"The contract has no feed of this name; it has {known}.")
    return found


def _say_receipt(receipt: JsonObject) -> None:
    again = ", as before: nothing was debited again" if receipt["replayed"] else ""
    provisional = " (provisional)" if receipt["provisional"] else ""
    say(f"Release:  {receipt['release_id']}{again}")
    say(f"Period:   {receipt['feed']} {receipt['period']}{provisional}, population {receipt['population']}")
    say(f"Debited:  rho {receipt['debited']['rho']}")
    say(f"Balance:  rho {receipt['balance']['rho']}")
    say(f"Block:    {receipt['block_sha256']} (SHA-256 of the noisy release)")
