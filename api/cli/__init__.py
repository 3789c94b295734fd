"""The command line, `parley`: one module a noun in `commands`, what they share beside it.

The operator's commands work straight on the database, through the same use cases as the HTTP API; those of a
party call the API. Configuration is options, PARLEY_* variables and your own profiles: no file of the folder is read
unasked.
"""

from typing import Final

import click

from api.cli.lazy import LazyGroup

_COMMANDS: Final = {
    "serve": "Keep an exchange up.",
    "demo": "Play a whole exchange, from contract to answer, on synthetic data.",
    "migrate": "Bring the database to the schema of this version.",
    "doctor": "Check that this machine keeps what the exchange promises (operator).",
    "openapi": "Write openapi.yaml, or check that it is current.",
    "org": "Register organisations (operator).",
    "population": "Register populations, grant ceilings, suspend them everywhere (operator).",
    "operator": "Suspend, resume and terminate contracts (operator).",
    "client": "Register clients of an organisation (operator).",
    "keys": "Make keys; register signing keys (operator).",
    "contract": "Preview, draft, sign, amend, suspend and read contracts.",
    "prepare": "Make cells from raw claims, where the claims are.",
    "submit": "Post one period of a feed.",
    "measure": "Draw a release on your own premises, for a feed measured at source.",
    "ask": "Ask a statistic.",
    "settlement": "See what a contract comes to, signed.",
    "codebook": "Print what columns, words and figures of answers mean.",
    "ledger": "Read your population's privacy losses.",
    "audit": "Read who did what, and verify that nothing of it was changed.",
    "coverage": "See which periods can be asked.",
    "receipt": "Save the keys of receipts, and verify receipts offline.",
    "profile": "Keep under a name which exchange you call, and as whom.",
    "token": "Print an access token, for curl.",
}


@click.command(
    cls=LazyGroup,
    package="api.cli.commands",
    summaries=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="\b\nSee it work:         parley demo\nHelp on a command:   parley COMMAND --help",
)
def main() -> None:
    """Payers and brands post aggregates, and both read joint statistics that reveal almost nothing about any person.

    The operator's commands (migrate, org, population, client, keys add) work on the database of
    PARLEY_DATABASE_URL. The commands of a party (contract, submit, ask, settlement, ledger, coverage, audit, token)
    call an exchange over HTTP, as the client that a profile describes, or PARLEY_URL, PARLEY_CLIENT_ID and
    PARLEY_CLIENT_KEY_FILE.
    """
