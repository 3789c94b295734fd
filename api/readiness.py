"""Can this exchange serve? Asked every second by load balancers, so cheap; asked most of all when something hangs, so
never for longer than a moment."""

import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from threading import Condition, Thread
from typing import Final

from adapters.database import DatabaseUnavailable, SchemaStale, SqlDatabase, check_schema_of
from contracts.ports import Witness, WitnessDamaged
from contracts.refusals import WitnessUnavailable

KEPT_SECONDS: Final = 1.0
LIMIT_SECONDS: Final = 2.0


class Readiness(StrEnum):
    """What stands in the way, in the words that a client may read; READY when nothing does."""

    READY = "The exchange can serve."
    STOPPING = "The exchange is stopping."
    NO_DATABASE = "The database cannot be reached."
    SLOW_DATABASE = "The database or the ledger's witness does not answer."
    OTHER_SCHEMA = "The database schema is not that of this version."
    NO_WITNESS = "The ledger's witness cannot be used."


class ReadinessProbe:
    """Looks at what the exchange needs. One look at a time, by a thread of its own: when the database hangs, that one
    hangs, and nobody else."""

    def __init__(self, database: SqlDatabase, witness: Witness, file: Path) -> None:
        """file: of the witness."""
        self.is_stopping: Callable[[], object] = bool  # False, until the server says otherwise
        self.tell: Callable[[Readiness], object] = bool  # what was found; for metrics
        self._database = database
        self._witness = witness
        self._file = file
        self._condition = Condition()
        self._found = Readiness.SLOW_DATABASE
        self._found_at = self._began_at = -KEPT_SECONDS
        self._looking = False

    def ask(self) -> Readiness:
        """What was found within the last second. Takes no longer than LIMIT_SECONDS."""
        return Readiness.STOPPING if self.is_stopping() else self._look()

    def _look(self) -> Readiness:
        with self._condition:
            if not self._looking and time.monotonic() - self._found_at >= KEPT_SECONDS:
                self._looking, self._began_at = True, time.monotonic()
                Thread(target=self._find, daemon=True).start()
            left_seconds = self._began_at + LIMIT_SECONDS - time.monotonic()
            self._condition.wait_for(lambda: not self._looking, timeout=max(0, left_seconds))
            found = Readiness.SLOW_DATABASE if self._looking else self._found
        self.tell(found)
        return found

    def _find(self) -> None:
        found = self._examine()
        with self._condition:
            self._found, self._found_at, self._looking = found, time.monotonic(), False
            self._condition.notify_all()

    def _examine(self) -> Readiness:
        try:
            check_schema_of(self._database)
        except SchemaStale:
            return Readiness.OTHER_SCHEMA
        except Exception:  # whatever it is, it cannot be used; the text could name the address
            return Readiness.NO_DATABASE
        try:
            self._witness.find_last("")  # opens it for writing, and locks it, as a debit does
            missing = self._is_witness_missing()
        except DatabaseUnavailable:
            return Readiness.NO_DATABASE
        except (WitnessUnavailable, WitnessDamaged, OSError):
            return Readiness.NO_WITNESS
        return Readiness.NO_WITNESS if missing else Readiness.READY

    def _is_witness_missing(self) -> bool:
        """A new exchange has none until its first entry, but the folder for it. Afterwards, one that is not there or
        empty was lost, or its disk is not mounted."""
        if not self._file.parent.is_dir():
            return True
        if self._file.exists() and self._file.stat().st_size:
            return False
        with self._database.reading() as stores:
            return stores.ledger.has_entries()
