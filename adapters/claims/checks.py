"""Conditions that rows are counted by: all of one relation in one pass, and where examples of them stand."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.claims.faults import MAX_EXAMPLES, Effect, Example, FaultCount, Reason
from adapters.preparation.engine import Engine


@dataclass(frozen=True, slots=True)
class Check:
    """condition: SQL, true for the rows that are counted."""

    column: str | None
    reason: Reason
    effect: Effect
    condition: str


@dataclass(frozen=True, slots=True)
class Counted:
    """found: the checks that some row of the relation failed."""

    relation: str
    rows: int
    found: tuple[Check, ...]
    counts: tuple[FaultCount, ...]

    @property
    def sound(self) -> str:
        """The condition of a row that stays."""
        dropping = [f"({check.condition}) IS NOT TRUE" for check in self.found if check.effect is Effect.DROPPED]
        return " AND ".join(dropping) or "true"


def count_rows(engine: Engine, table: str, relation: str, checks: Sequence[Check]) -> Counted:
    """The relation has source_file and source_row, NULL where the layout does not say."""
    filters = "".join(f", count(*) FILTER (WHERE {check.condition})" for check in checks)
    ((rows, *numbers),) = engine.rows(f"SELECT count(*){filters} FROM {relation}")  # noqa: S608
    found = [(check, number) for check, number in zip(checks, numbers, strict=True) if number]
    counts = tuple(
        FaultCount(
            table,
            check.column,
            check.reason,
            check.effect,
            number,
            _examples(engine, relation, check.condition),
        )
        for check, number in found
    )
    return Counted(relation, rows, tuple(check for check, _ in found), counts)


def _examples(engine: Engine, relation: str, condition: str) -> tuple[Example, ...]:
    rows = engine.rows(
        f"SELECT source_file, source_row FROM {relation} WHERE {condition} "  # noqa: S608
        f"ORDER BY source_file, source_row LIMIT {MAX_EXAMPLES}"
    )
    return tuple(Example(file, row) for file, row in rows if file is not None)
