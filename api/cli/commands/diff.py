"""`parley contract diff`."""

from itertools import groupby
from pathlib import Path

import click

from adapters.exchange import ExchangeClient
from api.cli.calling import calling, client_options
from api.cli.output import say, say_json, say_paragraph
from api.cli.pages import Found, answered_contract, making_sense, read_contract
from api.schemas.differences import differences_json
from contracts.differences.comparing import Differences, compare
from contracts.differences.meaning import GROUP_TEXTS


@click.command(
    epilog="\b\nExamples:\n  parley contract diff helixor.yaml helixor-2.yaml\n"
    "  parley contract diff dsc-helixor-adherence --from 1 --to 2"
)
@click.argument("contract", metavar="CONTRACT")
@click.argument("other", metavar="FILE", required=False)
@click.option("--from", "older", type=click.IntRange(min=1), metavar="VERSION", help="Of a contract on an exchange.")
@click.option("--to", "newer", type=click.IntRange(min=1), metavar="VERSION", help="Of a contract on an exchange.")
@click.option("--json", "as_json", is_flag=True, help="Print every difference with pointers and values, as JSON.")
@client_options(required=False)
def diff(
    contract: str,
    other: str | None,
    older: int | None,
    newer: int | None,
    as_json: bool,
    url: str,
    client_id: str | None,
    client_key: Path | None,
) -> None:
    """Say what differs between two contracts, term by term, what bears on privacy first.

    Either two files, CONTRACT and FILE, as `render` takes them; or the id of a CONTRACT on an exchange, with --from and
    --to. Compared on this machine.
    """
    if other is not None and older is None and newer is None:
        before, after = read_contract(Path(contract)), read_contract(Path(other))
    elif other is not None or older is None or newer is None or client_id is None or client_key is None:
        raise click.UsageError("Name two files; or a contract with --from, --to, --client-id and --client-key.")
    else:
        with calling(url, client_id, client_key) as client:
            before, after = (_version(client, contract, version) for version in (older, newer))
    with making_sense("The contract"):
        found = compare(before[0], after[0])
    if as_json:
        say_json(differences_json(found, before[0], after[0]))
    else:
        _say(found)


def _version(client: ExchangeClient, contract_id: str, version: int) -> Found:
    return answered_contract(client.request("GET", f"/v1/contracts/{contract_id}", params={"version": version}))


def _say(found: Differences) -> None:
    if not found.differences:
        say("Nothing differs.")
        return
    for consequence in found.consequences:
        say_paragraph(consequence)
    for group, differences in groupby(found.differences, key=lambda each: each.group):
        say()
        say(f"{GROUP_TEXTS[group]}:")
        for difference in differences:
            say_paragraph(f"{difference.words}  [{difference.new_pointer or difference.old_pointer}]", indent="  ")
