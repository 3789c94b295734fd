"""The database: is it there and current, does a commit reach the disk, and do its tables only grow?"""

from collections.abc import Iterator, Mapping
from typing import Final

from adapters.database import DatabaseUnavailable, DatabaseUrlUnusable, SchemaStale, check_schema
from adapters.database.inspecting import APPEND_ONLY, DatabaseFacts, inspect_database
from api.doctor.clock import check_against_database
from api.doctor.findings import Finding, ok, problem, warning

_DATABASE: Final = "database"
_SCHEMA: Final = "schema"
_SQLITE_FULL: Final = ("2", "3")  # FULL and EXTRA


def check_database(url: str) -> Iterator[Finding]:
    """Reachable first; the rest is asked of one that is."""
    try:
        facts = inspect_database(url)
    except (DatabaseUnavailable, DatabaseUrlUnusable) as unusable:
        yield problem(_DATABASE, str(unusable), "Check PARLEY_DATABASE_URL; for a new database: parley migrate.")
        return
    yield ok(_DATABASE, f"{facts.backend} answers")
    yield from check_current(url)
    yield from check_durable(facts.backend, facts.settings)
    yield from check_append_only(facts)
    if facts.now is not None and facts.asked_at is not None:
        yield from check_against_database(facts.asked_at, facts.now)


def check_current(url: str) -> Iterator[Finding]:
    try:
        check_schema(url)
    except SchemaStale as stale:
        yield problem(_SCHEMA, str(stale).partition(":")[0], "parley migrate, with the version that is to be served.")
    else:
        yield ok(_SCHEMA, "that of this version")


def check_durable(backend: str, settings: Mapping[str, str]) -> Iterator[Finding]:
    """A debit must have reached the disk before noise is drawn, and must still be there after a crash."""
    if backend == "sqlite":
        if settings["journal_mode"] == "wal" and settings["synchronous"] in _SQLITE_FULL:
            yield ok(_DATABASE, "a commit has reached the disk when it returns")
        else:
            yield problem(
                _DATABASE,
                f"journal_mode {settings['journal_mode']}, synchronous {settings['synchronous']}: commits may be lost",
                "Put the file on a local disk, which write-ahead logging needs.",
            )
        return
    off = [name for name in ("fsync", "full_page_writes") if settings[name] != "on"]
    if off:
        yield problem(_DATABASE, f"{' and '.join(off)} off: a crash loses debits", "Turn it on in postgresql.conf.")
    elif settings["synchronous_commit"] == "off":
        yield warning(
            _DATABASE,
            "synchronous_commit is off by default; the exchange sets it in each of its writing transactions",
            "Leave it on: other programs and your own hands would commit without it.",
        )
    else:
        yield ok(_DATABASE, "a commit has reached the disk when it returns")


def check_append_only(facts: DatabaseFacts, expected: frozenset[str] = APPEND_ONLY) -> Iterator[Finding]:
    missing = sorted(expected - facts.protected)
    if missing:
        yield problem(
            _DATABASE,
            f"nothing refuses changes of {', '.join(missing)}",
            "Somebody dropped or disabled the triggers; find out who, and compare with `parley ledger verify`.",
        )
    else:
        yield ok(_DATABASE, "ledger, releases, signatures, events and audit refuse every change")
