"""What was wrong with claims: rows counted by reason, and the states in which nothing can be read at all.

No text here ever quotes a value of a row: an example is a file, a row and a column.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_EXAMPLES: Final = 3


class Effect(StrEnum):
    """What became of a row at fault."""

    DROPPED = "dropped"  # the row is left out
    UNKNOWN = "unknown"  # the value is left out, the row stays
    KEPT = "kept"  # the row stays as it is
    EXPECTED = "expected"  # left out or merged by rule: nothing is at fault, not even by --strict


class Reason(StrEnum):
    """Why rows are counted; docs/reference/claims.md lists what each does."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    DATE_IMPOSSIBLE = "date_impossible"
    DAYS_SUPPLY_NEGATIVE = "days_supply_negative"
    DAYS_SUPPLY_IMPOSSIBLE = "days_supply_impossible"
    DAYS_SUPPLY_ZERO = "days_supply_zero"
    SEX_UNKNOWN = "sex_unknown"
    DEATH_BEFORE_BIRTH = "death_before_birth"
    ENDS_BEFORE_IT_BEGINS = "ends_before_it_begins"
    BEFORE_BIRTH = "before_birth"
    AFTER_DEATH = "after_death"
    MEMBER_NOT_IN_MEMBERS = "member_not_in_members"
    MEMBER_WITHOUT_ENROLMENT = "member_without_enrolment"
    REPEATED = "repeated"
    EQUAL_ROWS = "equal_rows"
    REVERSED = "reversed"
    REVERSAL_WITHOUT_FILL = "reversal_without_fill"
    MERGED = "merged"
    OFF_LIMITS = "off_limits"


@dataclass(frozen=True, slots=True)
class Example:
    """row: of the data, as a spreadsheet counts: in a CSV file the header is row 1. None: the layout does not say."""

    file: str
    row: int | None


@dataclass(frozen=True, slots=True)
class FaultCount:
    """column: of the canonical model; None where the row as a whole is meant."""

    table: str
    column: str | None
    reason: Reason
    effect: Effect
    rows: int
    examples: tuple[Example, ...] = ()

    def __str__(self) -> str:
        where = self.table if self.column is None else f"{self.table}.{self.column}"
        examples = ", ".join(f"{each.file} row {each.row}" for each in self.examples if each.row is not None)
        rows = f"{self.rows:,} row{'s' if self.rows != 1 else ''} {_EFFECT_WORDS[self.effect]}"
        return f"{where}: {self.reason} ({rows}{'; ' + examples if examples else ''})"

    @property
    def is_fault(self) -> bool:
        """What `strict` does not let pass. A fill of 0 days is no fault: a rule says what it means."""
        return self.effect is not Effect.EXPECTED and self.reason is not Reason.DAYS_SUPPLY_ZERO


_EFFECT_WORDS: Final = {
    Effect.DROPPED: "dropped",
    Effect.UNKNOWN: "with the value unknown",
    Effect.KEPT: "kept",
    Effect.EXPECTED: "dropped by rule",
}


class ClaimsUnreadable(Exception):
    """The claims cannot be read, or what came of them would be wrong. The text says which file and what to do."""


class ClaimsFaulty(ClaimsUnreadable):
    """Something is wrong with single rows, and every fault was to be fatal."""

    def __init__(self, faults: Sequence[FaultCount]) -> None:
        super().__init__("rows are at fault, and --strict lets none pass: " + "; ".join(map(str, faults)))
        self.faults = tuple(faults)
