"""`parley contract diff`."""

from itertools import groupby
from pathlib import Path

import click

from adapters.client.exchange import ExchangeClient
from api.cli.calling import WHO_CALLS, calling, client_options
from api.cli.output import say, say_json, say_paragraph
from api.cli.pages import Found, answered_contract, making_sense, read_contract
from api.schemas.differences import differences_json
from contracts.differences.comparing import Differences, compare
from contracts.differences.meaning import GROUP_TEXTS


@click.command(
    epilog="\b\nExamples:\n  parley contract diff helixor.yaml helixor-2.yaml\n"
    "  parley contract diff dsc-helixor-adherence helixor-2.yaml\n"
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

    CONTRACT is a file, as `render` takes it, or else the id of a contract on an exchange: beside FILE the version in
    force, or the newest where none is; without FILE those of --from and --to. Compared on this machine.
    """
    if (other is None, older is None, newer is None) not in ((False, True, True), (True, False, False)):
        raise click.UsageError("Name a FILE to compare with, or versions with --from and --to.")
    if other is not None and Path(contract).exists():
        before, after = read_contract(Path(contract)), read_contract(Path(other))
    elif client_id is None or client_key is None:
        why = "" if other is None else f"There is no file {contract}, so it is a contract on an exchange. "
        raise click.UsageError(f"{why}{WHO_CALLS}")
    else:
        with calling(url, client_id, client_key) as client:
            before = _version(client, contract, older)
            after = _version(client, contract, newer) if other is None else read_contract(Path(other))
    with making_sense("The contract"):
        found = compare(before[0], after[0])
    if as_json:
        say_json(differences_json(found, before[0], after[0]))
    else:
        _say(found)


def _version(client: ExchangeClient, contract_id: str, version: int | None) -> Found:
    return answered_contract(client.get_contract(contract_id, version))


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
    for omitted in found.omitted:
        say_paragraph(f"Not listed: {omitted.count:,} more differences in {omitted.pointer}.")
