"""What of a reading is hardly meant: sentences that are shown before anything else is said of the claims."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from adapters.claims.faults import Effect, FaultCount, Reason
from adapters.claims.layouts.canonical import column_in_files

# One in this many.
_MOST_AT_FAULT: Final = 100


def alarms_of(
    rows_read: Mapping[str, int],
    rows_kept: Mapping[str, int],
    counts: Sequence[FaultCount],
    unused: Mapping[str, Mapping[str, int]],
) -> tuple[str, ...]:
    """unused: by code list, how many of its codes are of a system that the claims do not use."""
    return (*_dropped(rows_read, rows_kept, counts), *_unknown(rows_read, counts), *_finding_nothing(unused))


def _dropped(rows_read: Mapping[str, int], rows_kept: Mapping[str, int], counts: Sequence[FaultCount]) -> Iterator[str]:
    for table, read in rows_read.items():
        by_rule = sum(count.rows for count in counts if count.table == table and count.effect is Effect.EXPECTED)
        at_fault = read - rows_kept.get(table, 0) - by_rule
        if at_fault * _MOST_AT_FAULT > read:
            reasons = {
                str(count.reason): None for count in counts if count.table == table and count.effect is Effect.DROPPED
            }
            yield (
                f"{at_fault:,} of {read:,} rows of {table} are at fault and were dropped ({', '.join(reasons)}): the "
                "cells lack what they say"
            )


def _unknown(rows_read: Mapping[str, int], counts: Sequence[FaultCount]) -> Iterator[str]:
    for count in counts:
        read = rows_read.get(count.table, 0)
        unknown = count.effect is Effect.UNKNOWN and count.reason in (Reason.UNREADABLE, Reason.DATE_IMPOSSIBLE)
        if unknown and count.column is not None and count.rows * _MOST_AT_FAULT > read:
            yield (
                f"in {count.rows:,} of {read:,} rows of {count.table} the value of {column_in_files(count.column)} "
                "cannot be read and counts as none"
            )


def _finding_nothing(unused: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for label, counts in unused.items():
        for system, codes in counts.items():
            some = "1 code of the list" if codes == 1 else f"{codes:,} codes of the list"
            yield f"{some} {label} {'is' if codes == 1 else 'are'} of {system}, which these claims do not use"
