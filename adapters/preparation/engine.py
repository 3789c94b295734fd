"""The engine of a preparation: DuckDB in this process, with a bound on its memory and a folder of its own to spill to.

Measures are SQL texts (`sql/*.sql`, one SELECT each) over named relations. Each text becomes a temporary view, so that
the engine sees the whole question at once; the texts keep to what Spark, PostgreSQL and SQLite have too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb

MEMORY_DEFAULT: Final = "3GB"


class Engine:
    """One connection to a database in memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    @classmethod
    @contextmanager
    def opened(
        cls, spill_folder: Path | None = None, memory: str = MEMORY_DEFAULT, threads: int | None = None
    ) -> Iterator["Engine"]:
        """spill_folder: what does not fit into memory goes to a folder made there, removed at the end."""
        with (
            TemporaryDirectory(prefix="parley-spill-", dir=spill_folder) as spill,
            duckdb.connect(":memory:") as connection,
        ):
            connection.execute("SET temp_directory = $folder", {"folder": spill})
            connection.execute("SET memory_limit = $memory", {"memory": memory})
            connection.execute("SET preserve_insertion_order = false")
            # The day of a time with a zone is that of UTC, on whatever machine.
            connection.execute("SET TimeZone = 'UTC'")
            if threads is not None:
                connection.execute(f"SET threads = {threads:d}")
            yield cls(connection)

    def create_view(self, name: str, select: str) -> None:
        """A temporary view of one SELECT, in place of an earlier one of this name."""
        self.connection.execute(f"CREATE OR REPLACE TEMPORARY VIEW {name} AS {select}")

    def create_views(self, *names: str) -> None:
        """Of the texts of these names, in this order."""
        for name in names:
            self.create_view(name, sql_text(name))

    def create_table(self, name: str, select: str) -> None:
        """Kept, spilled where it must be, instead of reckoned anew at each reading."""
        self.connection.execute(f"CREATE OR REPLACE TEMPORARY TABLE {name} AS {select}")

    def rows(self, select: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(select).fetchall()

    def create_values(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[int | str | None]]) -> None:
        """A small table of values; columns are written `name TYPE`."""
        self.connection.execute(f"CREATE OR REPLACE TEMPORARY TABLE {name} ({', '.join(columns)})")
        if rows:
            # A list for each column in one statement: row by row takes a millisecond each.
            lists = ", ".join(f"unnest(CAST(? AS {column.split(maxsplit=1)[1]}[]))" for column in columns)
            values = [list(each) for each in zip(*rows, strict=True)]
            self.connection.execute(f"INSERT INTO {name} SELECT {lists}", values)


def sql_text(name: str) -> str:
    """The SELECT of `sql/<name>.sql`."""
    return resources.files("adapters.preparation.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")
