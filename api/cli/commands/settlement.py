"""`parley settlement`."""

import json
from pathlib import Path

import click

from adapters.client.exchange import ExchangeClient
from api.cli.answer_table import in_words
from api.cli.calling import as_client, chosen_contract, contract_argument
from api.cli.files import PRIVATE_MODE, refuse_taken, write_new
from api.cli.output import say, say_json, say_paragraph, tell
from api.cli.receipts import say_settlement

EPILOG = """\b
Examples:
  parley settlement dsc-helixor-adherence
  parley settlement dsc-helixor-adherence --out settlement.json"""


@click.command(epilog=EPILOG)
@contract_argument
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A new file for the signed statement, which `parley receipt verify` verifies without asking anybody.",
)
@click.option("--purpose", help="What it is for; by default the only one granted, or else the contract's own.")
@click.option("--json", "as_json", is_flag=True, help="Print the signed statement as JSON.")
@as_client
def settlement(
    client: ExchangeClient, contract_id: str | None, out: Path | None, purpose: str | None, as_json: bool
) -> None:
    """What an outcomes-based contract comes to: met, not met, or undecided. Signed by the exchange.

    It is made of the final releases of every payer over the period that the contract settles on, so it is the same
    whoever asks, and whenever.
    """
    if out is not None:
        refuse_taken(out, replace=False)
    statement = client.settlement(chosen_contract(contract_id), purpose)
    if out is not None:
        write_new(out, json.dumps(statement, indent=2) + "\n", PRIVATE_MODE)
        tell(f"The signed statement is in {out}; it proves itself: parley receipt verify {out}")
    if as_json:
        say_json(statement)
        return
    say_settlement(statement)
    if statement["labels"]:
        say_paragraph(f"Labels: {', '.join(map(in_words, statement['labels']))}")
    say(f"Contract: {statement['contract_id']}, version {statement['contract_version']}")
