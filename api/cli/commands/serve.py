"""`parley serve`."""

import click

from adapters.database import migrate
from api.app import create_app
from api.auth.jose import KeyUnsuitable
from api.cli.operating import exchange_settings, said_plainly
from api.cli.output import Failure, say
from api.server import serve as serve_until_stopped
from api.settings import Settings, SettingsInvalid

EPILOG = """\b
The environment, with its defaults in development:
  PARLEY_ENVIRONMENT    development, or production
  PARLEY_DATABASE_URL   sqlite:///parley.sqlite
  PARLEY_ISSUER         http://127.0.0.1:8000, the public URL
  PARLEY_AUDIENCE       the issuer
  PARLEY_TOKEN_KEY      a private JWK, or PARLEY_TOKEN_KEY_FILE, a file that holds one
  PARLEY_HOST           127.0.0.1
  PARLEY_PORT           8000
  PARLEY_WORKERS        1; more need PostgreSQL
  PARLEY_THREADS        8
  PARLEY_LEASE_SECONDS  120, how long a running submission is taken to be alive
  PARLEY_MAX_BODY_BYTES 67108864
  PARLEY_LOG_LEVEL      info
Production needs the database, the token key and an https issuer, and refuses debug.

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
    with said_plainly():
        if migrate_first:
            migrate(settings.database_url)
        _require_startable(settings)
    say(f"Parley serves {settings.issuer} on {settings.host}:{settings.port}; Ctrl-C stops it.")
    if settings.token_key is None:
        say("PARLEY_TOKEN_KEY is not set: an ephemeral one is made, and access tokens end with this process.")
    serve_until_stopped(settings)


def _require_startable(settings: Settings) -> None:
    """Make the app once before any worker does, which could say what is wrong only by a traceback."""
    try:
        app = create_app(settings)
    except SettingsInvalid as invalid:
        raise Failure(str(invalid)) from None
    except KeyUnsuitable as unsuitable:
        raise Failure(f"PARLEY_TOKEN_KEY: {unsuitable}") from None
    app.extensions["parley"].database.close()
