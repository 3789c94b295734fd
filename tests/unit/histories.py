"""Small claims of a few persons in the engine, and what the SQL texts of the preparation say of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

from adapters.preparation.asked import EPOCH, create_months
from adapters.preparation.engine import Engine
from adapters.preparation.groups import Cohort, MeasureGroup

Row = Sequence[int | str | None]

# The columns of the canonical tables, and of what is made of them, that the texts under test read.
COLUMNS: Final = {
    "members": ("member VARCHAR",),
    "class_fills": ("member VARCHAR", "drug VARCHAR", "product VARCHAR", "fill_day INTEGER", "days_supply BIGINT"),
    "enrolled_spans": ("member VARCHAR", "first_day INTEGER", "last_day INTEGER"),
    "present": ("member VARCHAR",),
    "fills": ("member VARCHAR", "fill_day INTEGER", "allowed_cents BIGINT"),
    "stays": (
        "member VARCHAR", "admission_day INTEGER", "discharge_day INTEGER", "type VARCHAR", "allowed_cents BIGINT",
    ),
    "visits": ("member VARCHAR", "visit_day INTEGER", "type VARCHAR", "allowed_cents BIGINT"),
}  # fmt: skip
ASKED: Final = {
    "first_day": 0,
    "last_day": 364,
    "feed_first_day": 0,
    "known_after_months": None,
    "last_month": None,
    "gap_days": 30,
    "washout_days": 180,
    "switch_ends_episode": 0,
    "emergency_admissions_left_out": 0,
}
EVER: Final = 2932896


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


class Histories:
    """Claims in an engine, replaced as a whole for each case."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._views: set[str] = set()
        create_months(engine, date(1969, 1, 1), date(1973, 1, 1))

    def replace(self, asked: dict[str, int] | None = None, **tables: Sequence[Row]) -> None:
        """Tables that are not given are empty; `asked` is by default the first 365 days of 1970."""
        for name, columns in COLUMNS.items():
            self._engine.create_values(name, columns, tables.get(name, ()))
        self.ask(**(asked or {}))

    def repeat(self, table: str, row: Row, times: int) -> None:
        """The same row very many times."""
        columns = [column.split()[0] for column in COLUMNS[table]]
        values = ", ".join(f"? AS {column}" for column in columns)
        self._engine.connection.execute(f"INSERT INTO {table} SELECT {values} FROM range({times})", list(row))

    def ask(self, **asked: int) -> None:
        """Another question of the same claims."""
        values = ASKED | asked
        self._engine.create_values("asked", [f"{name} INTEGER" for name in values], [list(values.values())])

    def rows(self, made: MeasureGroup | Cohort) -> dict[str, dict[str, Any]]:
        """What its text says, by member, without the members themselves."""
        return {row.pop("member"): row for row in self.select(*made.tables, *made.views, made.name)}

    def select(self, *texts: str) -> list[dict[str, Any]]:
        """What the last of these texts says, each of which stands on those before it."""
        for text in texts:
            if text not in self._views:
                self._engine.create_views(text)
                self._views.add(text)
        result = self._engine.connection.execute(f"SELECT * FROM {texts[-1]} ORDER BY ALL")
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@contextmanager
def opened_histories() -> Iterator[Histories]:
    with Engine.opened(threads=1) as engine:
        yield Histories(engine)
