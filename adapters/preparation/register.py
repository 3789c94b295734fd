"""The register: a file on the payer's premises of who was in which period of which feed.

A person is in at most k periods of a feed. Whether there is room for one more depends on that person's own entries
alone, and entries are written before any cell leaves: what is prepared and never posted uses room up, and that errs on
the safe side. Preparing a period again, or restating it, adds those who were not in it. Entries are never taken away.

What another register holds, or one that was lost, this one does not know. So nothing is prepared while periods that may
have been posted are unseen here, feed by feed, unless the payer says of each that it was never posted.

Persons stand in it as keyed hashes, with a key made with the register; who holds the file and the payer's member ids
can tell who was in which feed. So it is readable by its owner alone, and stays where the claims are.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import duckdb

from adapters.preparation.engine import Engine
from adapters.preparation.unseen import as_ranges, unseen_periods
from contracts.canonical import digest_of
from contracts.periods import Period
from contracts.terms import FeedTerms

VERSION: Final = 1
WAIT_SECONDS: Final = 60.0
BEYOND_K: Final = "periods_beyond_k"
_OWNER_ONLY: Final = 0o600
_TABLES: Final = (
    # id: names this register in manifests; key: goes into the hashes, and stays here.
    "about (version INTEGER NOT NULL, id VARCHAR NOT NULL, population VARCHAR NOT NULL, key VARCHAR NOT NULL)",
    # What bounds a person's part, by digest: contract, feed, schema, bounds and k.
    "prepared (feed VARCHAR NOT NULL, period INTEGER NOT NULL)",
    "entries (feed VARCHAR NOT NULL, period INTEGER NOT NULL, person UUID NOT NULL)",
    # Periods that this register never saw, and nobody ever posted: the payer said so.
    "never_posted (feed VARCHAR NOT NULL, period INTEGER NOT NULL)",
)
_DATABASE: Final = slice(8, 12), b"DUCK"  # of every file of the engine


class RegisterRefused(Exception):
    """The register cannot be used; says why, and what to do."""


class PeriodsUnseen(RegisterRefused):
    """Persons may be in periods of the feed that only another register knows of."""


class RegisterForeign(RegisterRefused):
    """It is of another population, and knows none of these persons."""


class RegisterUnreadable(RegisterRefused):
    """The file is no register, or not one that this version of Parley reads."""


class RegisterInUse(RegisterRefused):
    """Another preparation holds it."""


@dataclass(frozen=True, slots=True)
class Register:
    """One feed's part of an open register. schema: where the engine has its tables. begun: it held a period of the feed
    before. never_posted: what the payer says now. unseen: see `unseen_periods`; in a rehearsal alone there are any."""

    engine: Engine
    id: str
    key: str
    feed: FeedTerms
    feed_key: str
    schema: str
    begun: bool = False
    never_posted: tuple[Period, ...] = ()
    unseen: tuple[Period, ...] = ()

    @classmethod
    @contextmanager
    def opened(
        cls,
        engine: Engine,
        path: Path,
        feed: FeedTerms,
        periods: Sequence[Period],
        *,
        contract_id: str,
        population: str,
        today: date,
        restated: bool = False,
        never_posted: Sequence[Period] = (),
        rehearsal: bool = False,
        wait_seconds: float = WAIT_SECONDS,
    ) -> Iterator["Register"]:
        """periods: which are to be prepared. restated: they were before. never_posted: by nobody, from nowhere, as the
        payer says. rehearsal: read it, and keep what would be written in memory. Raises RegisterRefused."""
        key = feed_key(contract_id, feed)
        schema = "rehearsal" if rehearsal else "register"
        path = _checked(path)
        with ExitStack() as stack:
            if rehearsal:
                stack.enter_context(_attached(engine, ":memory:", schema))
                _rehearse(engine, path, population, key, wait_seconds)
            else:
                stack.enter_context(_locked(path, wait_seconds))
                if not path.exists():
                    _require_seen(path, feed, unseen_periods(feed, periods, today, (), never_posted, restated=restated))
                    _make(path, population)
                stack.enter_context(_attached_file(engine, path, population))
            about = _read_about(engine, schema, path, population)
            seen = _indexes(engine, schema, "prepared", key)
            said = _indexes(engine, schema, "never_posted", key)
            unseen = unseen_periods(feed, periods, today, seen | said, never_posted, restated=restated)
            if not rehearsal:
                _require_seen(path, feed, unseen)
            yield cls(engine, *about, feed, key, schema, bool(seen), tuple(never_posted), unseen)

    @property
    def is_needed(self) -> bool:
        """Whether anybody can be in more than k periods at all."""
        return self.feed.k < len(self.feed.periods)

    def person(self, member: str) -> str:
        """SQL: 128 bits of SHA-256 over key and member id, so that no two persons ever share an entry."""
        return f"CAST(substr(sha256('{self.key}' || {member}), 1, 32) AS UUID)"

    def create_beyond(self, period: Period) -> None:
        """The table `beyond`: persons of the relation `candidates` who are in k other periods of this feed."""
        full = (
            f"SELECT person FROM {self.schema}.entries "  # noqa: S608
            f"WHERE feed = '{self.feed_key}' AND period <> {period.index} "
            f"GROUP BY person HAVING count(*) >= {self.feed.k}"
        )
        self.engine.create_table("beyond", f"SELECT person FROM candidates SEMI JOIN ({full}) USING (person)")  # noqa: S608

    def record(self, period: Period) -> None:
        """Writes down that the persons of `candidates` that are not in `beyond` are in this period, for good: committed
        when this returns. With it, that earlier periods were never posted: of later ones that will not stay true."""
        earlier = ", ".join(f"('{self.feed_key}', {each.index})" for each in self.never_posted if each < period)
        here = f"feed = '{self.feed_key}' AND period = {period.index}"
        connection = self.engine.connection
        with _private_files():
            connection.execute("BEGIN")
            try:
                connection.execute(
                    f"INSERT INTO {self.schema}.entries SELECT DISTINCT '{self.feed_key}', {period.index}, person "  # noqa: S608
                    "FROM (FROM candidates ANTI JOIN beyond USING (person)) "
                    f"ANTI JOIN (SELECT person FROM {self.schema}.entries WHERE {here}) USING (person)"
                )
                connection.execute(
                    f"INSERT INTO {self.schema}.prepared SELECT '{self.feed_key}', {period.index} "  # noqa: S608
                    f"WHERE NOT EXISTS (SELECT 1 FROM {self.schema}.prepared WHERE {here})"
                )
                if earlier:
                    connection.execute(f"INSERT INTO {self.schema}.never_posted VALUES {earlier}")  # noqa: S608
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise


def feed_key(contract_id: str, feed: FeedTerms) -> str:
    """Of all that a generation of the feed rests on but its plan, which says how noise is drawn, and not who is in
    it."""
    return digest_of(
        {
            "contract": contract_id,
            "feed": feed.name,
            "grain": feed.grain,
            "k": feed.k,
            "vocabularies": [[name, list(values)] for name, values in feed.vocabularies.items()],
            "bounds": feed.bounds,
        }
    )


def _require_seen(path: Path, feed: FeedTerms, unseen: Sequence[Period]) -> None:
    """Raises PeriodsUnseen."""
    if not unseen:
        return
    named = as_ranges(unseen)
    state = f"the register {path} never saw {named} of {feed.name}" if path.exists() else f"there is no register {path}"
    raise PeriodsUnseen(
        f"{state}, and one person may be in at most {feed.k} periods: if any of {named} was posted, name the register "
        f"that it was prepared with (--register FILE); if none ever was, say so: --never-posted {named}"
    )


def _checked(path: Path) -> Path:
    """Where the file itself is, so that two links to it have one lock. What is no register is left as it is."""
    if path.is_symlink() and not path.exists():
        raise RegisterUnreadable(f"{path} is a link that leads nowhere")
    if path.exists():
        place, magic = _DATABASE
        if not path.is_file() or _start_of(path)[place] != magic:
            raise RegisterUnreadable(f"{path} is no register of Parley")
    return path.resolve()


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _make(path: Path, population: str) -> None:
    """There whole or not at all."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with _private_files(), duckdb.connect(str(beside)) as connection:
            _create_tables(Engine(connection), "main", population)
        os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _create_tables(engine: Engine, schema: str, population: str) -> None:
    for table in _TABLES:
        engine.connection.execute(f"CREATE OR REPLACE TABLE {schema}.{table}")
    about = [VERSION, secrets.token_hex(16), population, secrets.token_hex(16)]
    engine.connection.execute(f"INSERT INTO {schema}.about VALUES (?, ?, ?, ?)", about)  # noqa: S608


def _rehearse(engine: Engine, path: Path, population: str, key: str, wait_seconds: float) -> None:
    """This feed's part in memory; the file is let go again."""
    if not path.exists():
        _create_tables(engine, "rehearsal", population)
        return
    with _locked(path, wait_seconds), _attached_file(engine, path, population):
        engine.connection.execute("CREATE TABLE rehearsal.about AS FROM register.about")
        for name in ("prepared", "entries", "never_posted"):
            engine.connection.execute(f"CREATE TABLE rehearsal.{name} AS FROM register.{name} WHERE feed = ?", [key])


def _indexes(engine: Engine, schema: str, table: str, key: str) -> frozenset[int]:
    rows = engine.rows(f"SELECT period FROM {schema}.{table} WHERE feed = '{key}'")  # noqa: S608
    return frozenset(index for (index,) in rows)


def _read_about(engine: Engine, schema: str, path: Path, population: str) -> tuple[str, str]:
    """Its id and its key."""
    try:
        ((version, name, whose, key),) = engine.rows(f"SELECT version, id, population, key FROM {schema}.about")  # noqa: S608
    except (duckdb.Error, ValueError):
        raise RegisterUnreadable(f"{path} is no register of Parley") from None
    if version != VERSION:
        raise RegisterUnreadable(f"{path} was written by another version of Parley (its form is {version})")
    if whose != population:
        raise RegisterForeign(f"{path} is the register of {whose}, and not of {population}")
    return str(name), str(key)


@contextmanager
def _attached_file(engine: Engine, path: Path, population: str) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(_attached(engine, str(path), "register"))
        except duckdb.Error:
            raise RegisterUnreadable(f"{path} is no register of Parley, or is damaged") from None
        _read_about(engine, "register", path, population)
        path.chmod(_OWNER_ONLY)
        yield


@contextmanager
def _attached(engine: Engine, file: str, schema: str) -> Iterator[None]:
    quoted = file.replace("'", "''")
    engine.connection.execute(f"ATTACH '{quoted}' AS {schema}")
    try:
        yield
    finally:
        engine.connection.execute(f"DETACH {schema}")


@contextmanager
def _locked(path: Path, wait_seconds: float) -> Iterator[None]:
    """Against other preparations: two at once would each see room for a person's last period."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
    except OSError as error:
        raise RegisterUnreadable(
            f"the register {path} cannot be opened or made: {error.strerror}; name another place with --register"
        ) from None
    give_up = time.monotonic() + wait_seconds
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    raise RegisterInUse(f"another preparation holds {path}: wait until it has ended") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(file)


@contextmanager
def _private_files() -> Iterator[None]:
    """Files that the engine makes meanwhile, its write-ahead log too, are readable by their owner alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
