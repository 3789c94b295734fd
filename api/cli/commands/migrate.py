"""`parley migrate`."""

import os
from typing import Final

import click

from adapters.database import migrate as migrate_database
from api.cli.commands.reconcile import say_begun
from api.cli.operating import OWNER_ONLY, database_url, reconciling, said_plainly, witness_file
from api.cli.output import say

# The schema since which ledgers have a witness.
_FIRST_WITNESSED: Final = "0006"
_REASON: Final = "the witness of this ledger was begun when the exchange was upgraded to the first version that has one"


@click.command(epilog="\b\nExample:\n  PARLEY_DATABASE_URL=sqlite:///parley.sqlite parley migrate")
def migrate() -> None:
    """Bring the database of PARLEY_DATABASE_URL to the schema of this version.

    Makes an embedded database where there is none, and changes nothing in one that is up to date.
    """
    os.umask(OWNER_ONLY)
    with said_plainly():
        migrate_and_begin_witness()
    say("The database has the schema of this version.")


def migrate_and_begin_witness() -> None:
    """Only an upgrade begins the witness of a ledger with entries: one that is missing later has been lost, and what it
    knew may be more than the database does."""
    before = migrate_database(database_url())
    if before is None or before >= _FIRST_WITNESSED:
        return
    text = witness_file().read()
    if not text.lines and text.whole:
        with reconciling() as operator:
            say_begun(operator, _REASON)
