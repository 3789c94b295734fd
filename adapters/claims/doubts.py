"""Whether the claims are others than was thought: then nothing is prepared, since what came of them would be wrong.

A small folder may hinge on one person here. The refusal is seen on the provider's premises alone and nothing is posted.
"""

from typing import Final

from adapters.claims.checks import Counted
from adapters.claims.faults import ClaimsUnreadable, Effect, FaultCount, Reason
from adapters.claims.layouts.canonical import column_in_files
from adapters.claims.layouts.layout import Layout
from adapters.claims.model import ClaimsColumn, ClaimsTable, ColumnType
from adapters.preparation.engine import Engine

MANY_MEMBERS: Final = 10

# Of all rows, these say that the files are others than was thought.
_DOUBTING: Final = (Reason.MISSING, Reason.UNREADABLE, Reason.MEMBER_NOT_IN_MEMBERS)


def check_columns_are_readable(engine: Engine, layout: Layout, table: ClaimsTable, counted: Counted) -> None:
    """A column of which no value can be read is written in another way than was thought; unless it has values of a few
    members only, who must not decide whether there are cells: theirs are counted, and told aloud."""
    columns = {column.name: column for column in table.columns}
    for check, count in zip(counted.found, counted.counts, strict=True):
        if check.reason is not Reason.UNREADABLE or check.column is None:
            continue
        column = columns[check.column]
        if _is_doubtful(engine, counted.relation, column):
            raise ClaimsUnreadable(_unreadable_text(layout, column, count))


def check_some_are_sound(engine: Engine, layout: Layout, table: ClaimsTable, counted: Counted) -> None:
    """That a layout does not fit, or ids of one file are not those of another, shows in that no row is sound."""
    dropping = [count for count in counted.counts if count.reason in _DOUBTING and count.effect is Effect.DROPPED]
    if sum(count.rows for count in dropping) < max(counted.rows, 1):
        return
    most = max(count.rows for count in dropping)
    ((rows,),) = engine.rows(f"SELECT count(*) FROM {counted.relation} WHERE {counted.sound}")  # noqa: S608
    if not rows:
        reasons = "; ".join(str(count) for count in dropping if count.rows == most)
        raise ClaimsUnreadable(
            f"not one of {counted.rows} rows of {table.name} can be used: {reasons}. See whether {layout.name} is the "
            "right layout for these files"
        )


def _is_doubtful(engine: Engine, relation: str, column: ClaimsColumn) -> bool:
    """Whether no value could be read, of many members or of a column without which no row can be used."""
    written = f"SELECT member FROM {relation} WHERE NOT blank_{column.name}"  # noqa: S608
    if engine.rows(f"{written} AND {column.name} IS NOT NULL LIMIT 1"):
        return False
    of_many = engine.rows(f"SELECT DISTINCT member FROM ({written}) LIMIT {MANY_MEMBERS}")  # noqa: S608
    return column.required or len(of_many) == MANY_MEMBERS


def _unreadable_text(layout: Layout, column: ClaimsColumn, count: FaultCount) -> str:
    places = ", ".join(f"{each.file} row {each.row}" for each in count.examples if each.row is not None)
    name = f"{count.table}.{column_in_files(column.name)}"
    return f"not one value of {name} can be read ({places or f'{count.rows} rows'}): {_hint(layout, column, count)}"


def _hint(layout: Layout, column: ClaimsColumn, count: FaultCount) -> str:
    if column.type is ColumnType.DAY:
        formats = layout.date_formats.get(f"{count.table}.{column.name}", ("2008-02-29", "20080229"))
        return f"dates were tried as {', '.join(formats)}; say how they are written with `date_formats` of a mapping"
    if column.type is ColumnType.FLAG:
        return "it is yes or no, true or false, 1 or 0; say what other words mean with `values` of a mapping"
    if column.type is ColumnType.WHOLE:
        return (
            "write numbers without signs of currency or thousands, or say which sign is which with `decimal_mark` of a "
            "mapping"
        )
    return f"see whether {layout.name} is the right layout for these files"
