"""`parley token`."""

import click

from adapters.exchange import ExchangeClient
from api.cli.calling import as_client
from api.cli.output import say


@click.command(epilog='\b\nExample:\n  curl -H "Authorization: Bearer $(parley token)" $PARLEY_URL/v1/contracts')
@as_client
def token(client: ExchangeClient) -> None:
    """Print an access token of the client, good for five minutes, for curl and other tools.

    Whoever has it can act as the client until it expires.
    """
    say(client.token())
