"""What is wrong with single rows of each table of the canonical model, as conditions over its parsed relation."""

from collections.abc import Iterator
from typing import Final

from adapters.claims.checks import Check
from adapters.claims.faults import Effect, Reason
from adapters.claims.model import ClaimsColumn, ClaimsTable, ColumnType
from adapters.claims.typed import FIRST_DAY, LAST_DAY, MAX_DAYS_SUPPLY

# The day by which a claim is compared with birth and death.
DAY_OF_CLAIM: Final = {"fills": "fill_day", "stays": "admission_day", "visits": "visit_day"}
# A year such as 9999 here says "not yet".
_OPEN_ENDED: Final = ("last_day", "death_day")
# Where a value that cannot be read must not pass for none: a fill taken back would count, a span would never end.
_TELLING: Final = ("reversed", "last_day")
# A reversal repeats the numbers of its fill in whatever sign the payer writes them, and takes back the fill of its
# claim id whatever else it says or does not say.
_NO_REVERSAL: Final = "reversed IS NOT TRUE"
_NO_REVERSAL_BY_ID: Final = "(reversed IS NOT TRUE OR claim IS NULL)"
_EXEMPT: Final = {"fill_day": _NO_REVERSAL_BY_ID, "drug": _NO_REVERSAL_BY_ID, "days_supply": _NO_REVERSAL}


def row_checks(table: ClaimsTable, given: frozenset[str]) -> list[Check]:
    checks = [check for column in table.columns if column.name in given for check in _column_checks(table, column)]
    return [*checks, *_further_checks(table, given)]


def day_in_range(column: ClaimsColumn) -> str:
    """The day as it stays: unknown outside the days that can be; a span that began before them began with them."""
    name = column.name
    if name == "first_day":
        return f"CASE WHEN {name} < {FIRST_DAY} THEN {FIRST_DAY} ELSE {name} END AS {name}"
    if column.required:
        return name
    return f"CASE WHEN {name} BETWEEN {FIRST_DAY} AND {LAST_DAY} THEN {name} END AS {name}"


def _column_checks(table: ClaimsTable, column: ClaimsColumn) -> Iterator[Check]:
    name = column.name
    exempt = f" AND {_EXEMPT[name]}" if name in _EXEMPT else ""
    effect = Effect.DROPPED if column.required or name in _TELLING else Effect.UNKNOWN
    if column.required:
        yield Check(name, Reason.MISSING, Effect.DROPPED, f"blank_{name}{exempt}")
    if column.type is not ColumnType.TEXT or name == "drug":
        yield Check(name, Reason.UNREADABLE, effect, f"NOT blank_{name} AND {name} IS NULL{exempt}")
    if column.type is ColumnType.DAY:
        far_off = [f"{name} < {FIRST_DAY}"] if name != "first_day" else []
        far_off += [f"{name} > {LAST_DAY}"] if name not in _OPEN_ENDED else []
        yield Check(name, Reason.DATE_IMPOSSIBLE, effect, f"({' OR '.join(far_off)}){exempt}")


def _further_checks(table: ClaimsTable, given: frozenset[str]) -> Iterator[Check]:
    match table.name:
        case "enrolment" if "last_day" in given:
            yield Check("last_day", Reason.ENDS_BEFORE_IT_BEGINS, Effect.DROPPED, "last_day < first_day")
        case "stays":
            yield Check("discharge_day", Reason.ENDS_BEFORE_IT_BEGINS, Effect.DROPPED, "discharge_day < admission_day")
        case "fills":
            column = "days_supply"
            yield Check(column, Reason.DAYS_SUPPLY_NEGATIVE, Effect.DROPPED, f"days_supply < 0 AND {_NO_REVERSAL}")
            yield Check(
                column,
                Reason.DAYS_SUPPLY_IMPOSSIBLE,
                Effect.DROPPED,
                f"days_supply > {MAX_DAYS_SUPPLY} AND {_NO_REVERSAL}",
            )
            yield Check(column, Reason.DAYS_SUPPLY_ZERO, Effect.KEPT, f"days_supply = 0 AND {_NO_REVERSAL}")
