"""What can be wrong with the database itself. Texts are ours and hold no part of an address but its kind."""


class DatabaseUrlUnusable(ValueError):
    """The address names no database that this program can keep a ledger in."""


class DatabaseUnavailable(Exception):
    """No transaction could be begun: the database is unreachable, or other writers held it too long.

    Nothing was done, so the same request may be sent again.
    """


class SchemaStale(Exception):
    """The tables are not those that this version of the program works on."""
