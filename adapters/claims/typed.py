"""From values as a file has them to the types of the canonical model, as expressions of SQL.

Each is NULL where a value cannot be read; money becomes whole cents, the nearest ones, half a cent away from zero.
"""

from typing import Final

from adapters.claims.model import ClaimsColumn, ColumnType

# No claim was made before, and none has been made after; ends of enrolment and deaths of later years mean "not yet".
FIRST_DAY: Final = -25_567  # 1900-01-01
LAST_DAY: Final = 47_481  # 2099-12-31
# Far above any real supply (a century), and far below what could overflow a sum of days.
MAX_DAYS_SUPPLY: Final = 36_500

_TRUE: Final = "('true', 't', 'yes', 'y', '1')"
_FALSE: Final = "('false', 'f', 'no', 'n', '0')"
# What CSV may have around a value.
BLANKS: Final = " \t\u00a0"
_FLOAT_TYPES: Final = ("FLOAT", "DOUBLE")
_WHOLE_TYPES: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


def value_sql(column: ClaimsColumn, raw: str, raw_type: str) -> str:
    """raw: the column's expression; raw_type: its type as the engine describes it."""
    match column.type:
        case ColumnType.DAY:
            return _day(raw, raw_type)
        case ColumnType.WHOLE if column.name.endswith("_cents"):
            return _cents(raw, raw_type)
        case ColumnType.WHOLE:
            return _whole(raw, raw_type)
        case ColumnType.FLAG:
            return _flag(raw, raw_type)
        case ColumnType.CODES:
            return _codes(raw, raw_type)
        case ColumnType.TEXT:
            return _text(column, raw, raw_type)


def blank_sql(raw: str, raw_type: str) -> str:
    """Whether there is no value at all, which is another fault than one that cannot be read."""
    if raw_type in _FLOAT_TYPES:
        return f"({raw} IS NULL OR isnan({raw}))"
    return f"({raw} IS NULL OR {raw} = '')" if raw_type == "VARCHAR" else f"{raw} IS NULL"


def text_sql(raw: str, raw_type: str) -> str:
    """The same text whatever kind of file a value stands in: without blanks around it, NULL where nothing is left. A
    number without a fraction is written without one, so that an id that became a float (7.0) stays the id it was."""
    text = f"CAST({raw} AS VARCHAR)"
    if raw_type not in _FLOAT_TYPES and not raw_type.startswith("DECIMAL"):
        return f"nullif(trim({raw if raw_type == 'VARCHAR' else text}, '{BLANKS}'), '')"
    whole = f"CASE WHEN {raw} = trunc({raw}) THEN CAST(TRY_CAST({raw} AS BIGINT) AS VARCHAR) END"
    return f"CASE WHEN {blank_sql(raw, raw_type)} THEN NULL ELSE coalesce({whole}, {text}) END"


def _day(raw: str, raw_type: str) -> str:
    if raw_type == "DATE":
        date = raw
    elif raw_type.startswith("TIMESTAMP"):
        date = f"CAST({raw} AS DATE)"
    else:
        text = _trimmed(raw)
        date = f"""CASE WHEN regexp_full_match({text}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ].*)?')
            THEN TRY_CAST(left({text}, 10) AS DATE)
            WHEN regexp_full_match({text}, '[0-9]{{8}}') THEN CAST(try_strptime({text}, '%Y%m%d') AS DATE) END"""
    return f"CAST(({date}) - DATE '1970-01-01' AS INTEGER)"


def _whole(raw: str, raw_type: str) -> str:
    if raw_type in _WHOLE_TYPES:
        return f"TRY_CAST({raw} AS BIGINT)"
    text = _trimmed(raw)
    return f"""CASE WHEN regexp_full_match({text}, '[+-]?[0-9]{{1,18}}([.]0*)?')
        THEN TRY_CAST(split_part({text}, '.', 1) AS BIGINT) END"""


def _cents(raw: str, raw_type: str) -> str:
    if raw_type in _WHOLE_TYPES or raw_type.startswith("DECIMAL"):
        return f"CAST(TRY_CAST({raw} AS DECIMAL(15, 2)) * 100 AS BIGINT)"
    text = _trimmed(raw)
    return f"""CASE WHEN regexp_full_match({text}, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)')
        THEN CAST(TRY_CAST({text} AS DECIMAL(15, 2)) * 100 AS BIGINT) END"""


def _flag(raw: str, raw_type: str) -> str:
    if raw_type == "BOOLEAN":
        return raw
    text = f"lower({_trimmed(raw)})"
    return f"CASE WHEN {text} IN {_TRUE} THEN true WHEN {text} IN {_FALSE} THEN false END"


def _codes(raw: str, raw_type: str) -> str:
    listed = f"string_split_regex(trim({raw}), '[\\s,;]+')" if raw_type == "VARCHAR" else f"CAST({raw} AS VARCHAR[])"
    standard = f"list_transform({listed}, lambda code: standard_code(code))"
    return f"list_filter({standard}, lambda code: code IS NOT NULL)"


def _text(column: ClaimsColumn, raw: str, raw_type: str) -> str:
    text = raw if raw_type == "VARCHAR" else text_sql(raw, raw_type)
    if column.name == "sex":
        return (
            f"CASE WHEN upper({text}) IN ('F', 'FEMALE') THEN 'F' WHEN upper({text}) IN ('M', 'MALE') THEN 'M' "
            f"ELSE nullif({text}, '') END"
        )
    if column.name == "type":
        return f"lower(nullif({text}, ''))"
    if column.name == "drug":
        return f"standard_code({text})"
    return text if column.required else f"nullif({text}, '')"


def _trimmed(raw: str) -> str:
    return f"trim(CAST({raw} AS VARCHAR))"
