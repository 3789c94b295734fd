"""`parley coverage`."""

import click

from adapters.answers.words import coverage_text
from adapters.client.exchange import ExchangeClient
from api.cli.calling import as_client, chosen_contract, contract_argument
from api.cli.output import say, say_json
from contracts.parties import JsonObject


@click.command(epilog="\b\nExample:\n  parley coverage dsc-helixor-adherence")
@contract_argument
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer, with every release of your own.")
@as_client
def coverage(client: ExchangeClient, contract_id: str | None, as_json: bool) -> None:
    """For each feed: the periods that are open to you, and those that you posted yourself."""
    found = client.coverage(chosen_contract(contract_id))
    if as_json:
        say_json(found)
        return
    for feed in found["feeds"]:
        say(coverage_text(feed))
        posted = [_posted(release) for release in feed["own_releases"]]
        if posted:
            say(f"  posted by you: {', '.join(posted)}")


def _posted(release: JsonObject) -> str:
    restated = f" (restatement {release['restatement']})" if release["restatement"] else ""
    return f"{release['period']}{restated}"
