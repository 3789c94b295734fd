"""`parley token`."""

import click

from adapters.client.exchange import ExchangeClient
from api.cli.calling import as_client
from api.cli.output import say


@click.command(
    epilog="\b\nExamples:\n"
    '  curl -H "Authorization: Bearer $(parley token)" $PARLEY_URL/v1/contracts\n'
    "  parley token --only-scope statistics.read --only-contract dsc-helixor-adherence\n"
    "  parley token --revoke eyJhbGciOi..."
)
@click.option("--only-scope", multiple=True, help="Ask for this scope alone; repeat it for several.")
@click.option(
    "--only-contract",
    multiple=True,
    metavar="CONTRACT",
    help="Ask for a token for this contract alone; repeat it for several. Goes with --only-scope.",
)
@click.option("--revoke", metavar="TOKEN", help="Take back a token of this client, from now on, instead.")
@as_client
def token(
    client: ExchangeClient, only_scope: tuple[str, ...], only_contract: tuple[str, ...], revoke: str | None
) -> None:
    """Print an access token of the client, good for five minutes, for curl and other tools.

    Whoever has it can act as the client until it expires, or is revoked.
    """
    if only_contract and not only_scope:
        raise click.UsageError("--only-contract goes with --only-scope, which says what may be done on it.")
    if revoke is None:
        say(client.token(only_scope, only_contract))
    else:
        client.revoke_token(revoke)
        say("The token opens nothing any more, if it is one of this client's.")
