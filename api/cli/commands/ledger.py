"""`parley ledger`."""

from collections.abc import Sequence

import click

from adapters.exchange import ExchangeClient
from api.cli.calling import as_client
from api.cli.output import loss_text, say, say_json, say_table
from contracts.parties import JsonObject
from privacy.units import rho_text


@click.group()
def ledger() -> None:
    """Read what your population was granted, has spent and has left, as a client of an exchange."""


@ledger.command(epilog="\b\nExample:\n  parley ledger show dsc-helixor-adherence")
@click.argument("contract_id", metavar="CONTRACT")
@click.option("--json", "as_json", is_flag=True, help="Print the whole statement, with the event of every entry.")
@as_client
def show(client: ExchangeClient, contract_id: str, as_json: bool) -> None:
    """Show the entries of your own population, over all its contracts, and what they add up to."""
    statement = client.ledger(contract_id)
    (say_json if as_json else _say_statement)(statement)


def _say_statement(statement: JsonObject) -> None:
    say(f"Population {statement['population']}: {statement['unit']}")
    say()
    headings = ("entry", "recorded", "kind", "contract", "feed", "period", "attempt", "rho", "balance")
    rows = [_entry(entry) for entry in statement["entries"]]
    say_table(headings, rows, right=("entry", "attempt", "rho", "balance"))
    say()
    say(f"Granted:                  {loss_text(statement['granted'])}")
    say(f"Lost so far, for ever:    {loss_text(statement['lifetime'])}")
    say(f"  under this contract:    {loss_text(statement['under_contract'])}")
    say(f"Ceiling of this contract: {loss_text(statement['contract_ceiling'])}")
    say(f"Balance:                  rho {statement['balance']['rho']}")
    say(f"One person in everything: {loss_text(statement['one_person_in_everything'])}")
    say(statement["several_providers"])


def _entry(entry: JsonObject) -> Sequence[str]:
    """A grant raises the balance, a debit lowers it by the increment."""
    granted = entry["event"].get("granted_nano")
    change = f"+{rho_text(granted)}" if granted is not None else f"-{entry['increment']['rho']}"
    words = [str(entry[name] or "") for name in ("contract_id", "feed", "period", "attempt")]
    recorded = entry["recorded_at"][:19].replace("T", " ")
    return (str(entry["sequence"]), recorded, entry["kind"], *words, change, entry["balance"]["rho"])
