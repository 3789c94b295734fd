"""The two kinds of transaction, and how a connection is told which one to begin."""

from enum import StrEnum

import sqlalchemy as sa


class Transaction(StrEnum):
    """What a transaction may do."""

    READING = "reading"
    WRITING = "writing"


_OPTION = "parley_transaction"


def begin(connection: sa.Connection, kind: Transaction) -> None:
    """Begin now, rather than at the first statement, so that a writer holds what it needs from the start."""
    connection.execution_options(**{_OPTION: kind}).begin()


def kind_of(connection: sa.Connection) -> Transaction:
    """For the listeners that each database hangs on the beginning of a transaction."""
    return Transaction(connection.get_execution_options()[_OPTION])
