"""The canonical claims model: five tables, with days as whole numbers since 1970-01-01.

Every measure is one SQL text over these tables. Whole numbers instead of dates keep those texts the same on every
engine; layouts turn dates into days when they read.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ColumnType(StrEnum):
    """SQL types that every engine has."""

    TEXT = "VARCHAR"
    DAY = "INTEGER"
    WHOLE = "BIGINT"
    FLAG = "BOOLEAN"
    CODES = "VARCHAR[]"


@dataclass(frozen=True, slots=True)
class ClaimsColumn:
    """required: a row without a value is faulty."""

    name: str
    type: ColumnType
    meaning: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class ClaimsTable:
    """optional: a layout may do without; what then follows is said in `meaning`."""

    name: str
    meaning: str
    columns: tuple[ClaimsColumn, ...]
    optional: bool = True


_MEMBER: Final = ClaimsColumn("member", ColumnType.TEXT, "whose; the payer's own id of a person", required=True)
_ALLOWED: Final = ClaimsColumn("allowed_cents", ColumnType.WHOLE, "allowed amount, in cents")
_CODES: Final = ClaimsColumn(
    "codes", ColumnType.CODES, "every diagnosis and procedure on the claim, as system|code (see codes.py)"
)
_CLAIM: Final = ClaimsColumn("claim", ColumnType.TEXT, "the claim's own id, by which repeated rows are known")
_REGION: Final = ClaimsColumn(
    "region", ColumnType.TEXT, "where the member lives: a state's postal code, or the payer's own word"
)
_LINE: Final = ClaimsColumn(
    "line_of_business", ColumnType.TEXT, "commercial, medicare_advantage, ..., in the payer's words"
)

MEMBERS: Final = ClaimsTable(
    "members",
    "one row a person; where a layout has none, everybody with a claim, of whom nothing else is known",
    (
        _MEMBER,
        ClaimsColumn("birth_day", ColumnType.DAY, "date of birth"),
        ClaimsColumn("sex", ColumnType.TEXT, "F or M, or the payer's own word"),
        _REGION,
        _LINE,
        ClaimsColumn("death_day", ColumnType.DAY, "date of death"),
    ),
)
ENROLMENT: Final = ClaimsTable(
    "enrolment",
    "spans of days, both ends included, with the residence and line of business in them, which come before those of "
    "members; where a layout has none, everybody is enrolled always",
    (
        _MEMBER,
        ClaimsColumn("first_day", ColumnType.DAY, "first day of the span", required=True),
        ClaimsColumn("last_day", ColumnType.DAY, "last day of the span; none: still enrolled"),
        _REGION,
        _LINE,
    ),
)
FILLS: Final = ClaimsTable(
    "fills",
    "one row a dispensed prescription",
    (
        _MEMBER,
        ClaimsColumn("fill_day", ColumnType.DAY, "date of the fill", required=True),
        ClaimsColumn("drug", ColumnType.TEXT, "code of the drug, as system|code", required=True),
        ClaimsColumn("days_supply", ColumnType.WHOLE, "days that the supply lasts", required=True),
        ClaimsColumn("quantity", ColumnType.TEXT, "units dispensed, kept as written: no measure uses it"),
        _ALLOWED,
        ClaimsColumn("reversed", ColumnType.FLAG, "true: this fill was taken back"),
        _CLAIM,
    ),
    optional=False,
)
STAYS: Final = ClaimsTable(
    "stays",
    "one row a claim of an inpatient or skilled-nursing stay",
    (
        _MEMBER,
        ClaimsColumn("admission_day", ColumnType.DAY, "date of admission", required=True),
        ClaimsColumn("discharge_day", ColumnType.DAY, "date of discharge", required=True),
        ClaimsColumn("type", ColumnType.TEXT, "inpatient or snf"),
        _CODES,
        _ALLOWED,
        _CLAIM,
    ),
)
VISITS: Final = ClaimsTable(
    "visits",
    "one row a claim of a visit without a stay",
    (
        _MEMBER,
        ClaimsColumn("visit_day", ColumnType.DAY, "date of the visit", required=True),
        ClaimsColumn("type", ColumnType.TEXT, "ed, or another word"),
        _CODES,
        _ALLOWED,
        _CLAIM,
    ),
)
TABLES: Final = (MEMBERS, ENROLMENT, FILLS, STAYS, VISITS)
