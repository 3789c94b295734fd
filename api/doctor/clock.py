"""The clock: contracts begin and end, tokens expire and leases run out by it."""

import ctypes
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from api.doctor.findings import Finding, not_checked, ok, problem, warning

_CLOCK: Final = "clock"
# A client assertion is good for two minutes, a lease by default as well.
SECONDS_UNNOTICED: Final = 1.0
SECONDS_AT_MOST: Final = 10.0
_TIME_ERROR: Final = 5  # of adjtimex(2): nobody keeps the clock right
_TIMEX_BYTES: Final = 512  # more than any struct timex


def kernel_state() -> int | None:
    """What adjtimex(2) says of the clock, without changing it; None where there is none."""
    try:
        return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (OSError, AttributeError):
        return None


def check_synchronised(state: Callable[[], int | None] = kernel_state) -> Iterator[Finding]:
    found = state()
    if found is None or found < 0:
        yield not_checked(_CLOCK, "this system does not tell if its clock is synchronised", "Run NTP.")
    elif found == _TIME_ERROR:
        yield warning(_CLOCK, "the kernel says that nobody keeps it right", "Run NTP (chrony, systemd-timesyncd).")
    else:
        yield ok(_CLOCK, "synchronised")


def check_against_database(here: datetime, there: datetime) -> Iterator[Finding]:
    """here: half-way between question and answer."""
    apart = abs((here - there).total_seconds())
    said = f"{apart:.1f} s from the database server's"
    what_to_do = "Run NTP on both machines."
    if apart <= SECONDS_UNNOTICED:
        yield ok(_CLOCK, f"at most {SECONDS_UNNOTICED:g} s from the database server's")
    elif apart <= SECONDS_AT_MOST:
        yield warning(_CLOCK, f"{said}; {SECONDS_UNNOTICED:g} s would go unnoticed", what_to_do)
    else:
        yield problem(_CLOCK, f"{said}; {SECONDS_AT_MOST:g} s is the most", what_to_do)
