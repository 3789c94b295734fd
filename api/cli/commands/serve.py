"""`parley serve`."""

import os
from functools import partial

import click

from api.cli.commands.migrate import migrate_and_begin_witness
from api.cli.operating import OWNER_ONLY, exchange_settings, said_plainly
from api.cli.output import Failure, say
from api.server import serve as serve_until_stopped
from api.server import try_out
from api.settings import Settings, SettingsInvalid

EPILOG = """\b
What to set, all of it in docs/reference/configuration.md:
  PARLEY_DATABASE_URL    where everything is kept; in development sqlite:///parley.sqlite
  PARLEY_ISSUER          the public URL; in development http://127.0.0.1:8000
  PARLEY_TOKEN_KEY_FILE  the private JWK that signs access tokens (parley keys new --use token)
  PARLEY_RECEIPT_KEY_FILE  the one that signs receipts (parley keys new --use receipt)
  PARLEY_ENVIRONMENT     production: refuses to start without these four, or with debug on

\b
Example:
  parley serve --migrate"""


@click.command(epilog=EPILOG)
@click.option("--migrate", "migrate_first", is_flag=True, help="In development: run `parley migrate` first.")
def serve(migrate_first: bool) -> None:
    """Keep an exchange up, until Ctrl-C. The environment configures it."""
    settings = exchange_settings()
    if migrate_first and settings.production:
        raise click.UsageError("In production, run `parley migrate` as a step of its own.")
    os.umask(OWNER_ONLY)
    with said_plainly():
        if migrate_first:
            migrate_and_begin_witness()
        _require_startable(settings)
    if settings.token_key is None:
        say("PARLEY_TOKEN_KEY is not set: an ephemeral one is made, and access tokens end with this process.")
    if settings.receipt_key is None:
        say("PARLEY_RECEIPT_KEY is not set: an ephemeral one is made; save its public half with `parley receipt keys`.")
    try:
        serve_until_stopped(settings, partial(_say_ready, settings))
    except OSError:
        raise Failure(f"Metrics cannot be served on {settings.metrics_host}:{settings.metrics_port}.") from None


def _say_ready(settings: Settings) -> None:
    say(f"Parley serves {settings.issuer} on {settings.host}:{settings.port}; Ctrl-C stops it.")


def _require_startable(settings: Settings) -> None:
    """Say what is wrong before any worker could, which would say it in the log."""
    try:
        try_out(settings)
    except SettingsInvalid as invalid:
        raise Failure(str(invalid)) from None
