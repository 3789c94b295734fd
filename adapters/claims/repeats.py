"""Claims that are in the files twice, and fills that were taken back.

Both are decided within one member's own rows, by what they say and never by their order in the files. Only rows that
are repeated or taken back are ever sorted.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from adapters.claims.faults import MAX_EXAMPLES, Effect, Example, FaultCount, Reason
from adapters.preparation.engine import Engine

# The relation of the rows that stay, and what was counted.
Standing: TypeAlias = tuple[str, tuple[FaultCount, ...]]


def create_unique(
    engine: Engine, table: str, relation: str, columns: Sequence[str], *, equal_rows_dropped: bool
) -> Standing:
    """Of the rows of one member and claim id, one stays; of those that differ the greatest, compared column by column.

    Rows without a claim id that are equal in every column are counted, and stay: nothing says whether one claim was
    written twice or two packs were dispensed (AdhereR's example has such fills, and its references count both).
    equal_rows_dropped: the payer knows that they are one.
    """
    if _ids_differ(engine, relation, columns):
        return relation, ()
    keyed, repeated, ranked = f"keyed_{table}", f"repeated_{table}", f"ranked_{table}"
    _create_keyed(engine, keyed, relation, columns)
    engine.create_table(
        repeated,
        f"SELECT {_SAME}, count(*) AS times FROM {keyed} GROUP BY ALL HAVING count(*) > 1",  # noqa: S608
    )
    counts = _count_repeated(engine, keyed, repeated, table, equal_rows_dropped)
    if not any(count.effect is Effect.DROPPED for count in counts):
        return relation, counts
    dropping = "true" if equal_rows_dropped else "has_id"
    order = ", ".join(f"{column} DESC NULLS LAST" for column in columns)
    engine.create_table(
        ranked,
        f"""SELECT *, row_number() OVER (PARTITION BY {_SAME} ORDER BY {order}, source_file, source_row) AS place
        FROM {keyed} SEMI JOIN (FROM {repeated} WHERE {dropping}) USING ({_SAME})""",  # noqa: S608
    )
    engine.create_view(
        f"unique_{table}",
        f"""SELECT * EXCLUDE ({_SAME_ADDED}) FROM {keyed} ANTI JOIN (FROM {repeated} WHERE {dropping}) USING ({_SAME})
        UNION ALL SELECT * EXCLUDE ({_SAME_ADDED}, place) FROM {ranked} WHERE place = 1""",  # noqa: S608
    )
    return f"unique_{table}", counts


# By what rows are the same, and what of it is added to a table's own columns.
_SAME_ADDED: Final = "row_key, has_id"
_SAME: Final = f"member, {_SAME_ADDED}"


def _ids_differ(engine: Engine, relation: str, columns: Sequence[str]) -> bool:
    """Whether every row has a claim id of its own, as is usual; by numbers in place of ids, which is the cheapest way.
    Two ids may share a number: then the answer is no, and the ids themselves are compared."""
    if "claim" not in columns:
        return False
    ((rows, without_id),) = engine.rows(f"SELECT count(*), count(*) - count(claim) FROM {relation}")  # noqa: S608
    if without_id:
        return False
    ((numbers,),) = engine.rows(f"SELECT count(*) FROM (SELECT DISTINCT hash(member, claim) FROM {relation})")  # noqa: S608
    return bool(numbers == rows)


def _create_keyed(engine: Engine, keyed: str, relation: str, columns: Sequence[str]) -> None:
    parts = ", ".join(f"coalesce(CAST({column} AS VARCHAR), '')" for column in columns)
    whole_row = f"concat_ws(chr(31), {parts})"
    key = f"coalesce(claim, {whole_row})" if "claim" in columns else whole_row
    has_id = "claim IS NOT NULL" if "claim" in columns else "false"
    engine.create_view(
        keyed,
        f"SELECT *, {key} AS row_key, {has_id} AS has_id FROM {relation}",  # noqa: S608
    )


def _count_repeated(
    engine: Engine, keyed: str, repeated: str, table: str, equal_rows_dropped: bool
) -> tuple[FaultCount, ...]:
    kinds = (
        ("has_id", Reason.REPEATED, Effect.DROPPED),
        ("NOT has_id", Reason.EQUAL_ROWS, Effect.DROPPED if equal_rows_dropped else Effect.KEPT),
    )
    counts = []
    for condition, reason, effect in kinds:
        ((rows,),) = engine.rows(f"SELECT coalesce(sum(times - 1), 0) FROM {repeated} WHERE {condition}")  # noqa: S608
        if rows:
            same = f"SEMI JOIN (FROM {repeated} WHERE {condition}) USING ({_SAME})"
            place = f"row_number() OVER (PARTITION BY {_SAME} ORDER BY source_file, source_row)"
            examples = _examples(engine, f"FROM (SELECT *, {place} AS place FROM {keyed} {same}) WHERE place > 1")  # noqa: S608
            counts.append(FaultCount(table, None, reason, effect, int(rows), examples))
    return tuple(counts)


_REVERSAL_KEY: Final = """
    CASE WHEN claim IS NULL THEN concat_ws('|', 'row', fill_day, abs(days_supply), drug) ELSE 'id|' || claim END"""


def create_standing(engine: Engine, relation: str, columns: Sequence[str]) -> Standing:
    """The fills that were not taken back. Each reversal takes one fill of its own claim id with it; one without an id,
    one fill without an id of the same day, drug and days of supply. Which come first does not matter, so a claim that
    was taken back and billed again stands once; of several fills the greatest stand, compared column by column."""
    engine.create_view("reversible", f"SELECT *, {_REVERSAL_KEY} AS reversal_key FROM {relation}")  # noqa: S608
    engine.create_table(
        "reversals", "SELECT member, reversal_key, count(*) AS times FROM reversible WHERE reversed GROUP BY ALL"
    )
    ((reversals,),) = engine.rows("SELECT coalesce(sum(times), 0) FROM reversals")
    if not reversals:
        return relation, ()
    order = ", ".join(f"{column} NULLS FIRST" for column in columns)
    engine.create_table(
        "matched",
        f"""SELECT *, row_number() OVER (PARTITION BY member, reversal_key ORDER BY {order}, source_file, source_row)
          AS place
        FROM reversible JOIN reversals USING (member, reversal_key) WHERE reversed IS NOT TRUE""",  # noqa: S608
    )
    engine.create_view(
        "standing_fills",
        """SELECT * EXCLUDE (reversal_key) FROM reversible ANTI JOIN reversals USING (member, reversal_key)
        UNION ALL SELECT * EXCLUDE (reversal_key, times, place) FROM matched WHERE place > times""",
    )
    return "standing_fills", _count_reversals(engine, int(reversals))


def _count_reversals(engine: Engine, reversals: int) -> tuple[FaultCount, ...]:
    ((fills,),) = engine.rows("SELECT count(*) FROM matched WHERE place <= times")
    counts = (
        FaultCount("fills", None, Reason.REVERSED, Effect.EXPECTED, 2 * fills),
        FaultCount(
            "fills",
            None,
            Reason.REVERSAL_WITHOUT_FILL,
            Effect.DROPPED,
            reversals - fills,
            _examples(
                engine,
                """FROM reversible JOIN reversals USING (member, reversal_key)
                LEFT JOIN (SELECT member, reversal_key, max(place) AS fills FROM matched GROUP BY ALL)
                  USING (member, reversal_key)
                WHERE reversed AND times > coalesce(fills, 0)""",
            ),
        ),
    )
    return tuple(count for count in counts if count.rows)


def _examples(engine: Engine, source: str) -> tuple[Example, ...]:
    rows = engine.rows(f"SELECT source_file, source_row {source} ORDER BY ALL LIMIT {MAX_EXAMPLES}")
    return tuple(Example(file, row) for file, row in rows if file is not None)
