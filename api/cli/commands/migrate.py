"""`parley migrate`."""

import os

import click

from adapters.database import migrate as migrate_database
from api.cli.operating import OWNER_ONLY, database_url, said_plainly
from api.cli.output import say


@click.command(epilog="\b\nExample:\n  PARLEY_DATABASE_URL=sqlite:///parley.sqlite parley migrate")
def migrate() -> None:
    """Bring the database of PARLEY_DATABASE_URL to the schema of this version.

    Makes an embedded database where there is none, and changes nothing in one that is up to date.
    """
    os.umask(OWNER_ONLY)
    with said_plainly():
        migrate_database(database_url())
    say("The database has the schema of this version.")
