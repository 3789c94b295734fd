"""The register: a file on the payer's premises of who was in which period of which feed.

A person is in at most k periods of a feed. Whether there is room for one more depends on that person's own entries
alone, and entries are written before any cell leaves: what is prepared and never posted uses room up, and that errs on
the safe side. Preparing a period again, or restating it, adds those who were not in it. Entries are never taken away.

Persons stand in it as keyed hashes, with a key made with the register; who holds the file and the payer's member ids
can tell who was in which feed. So it is readable by its owner alone, and stays where the claims are.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from adapters.preparation.engine import Engine
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
)


class RegisterRefused(Exception):
    """The register cannot be used; says why, and what to do."""


class RegisterMissing(RegisterRefused):
    """There is none, and persons may be in earlier periods that only a register knows of."""


class RegisterExists(RegisterRefused):
    """A new one was asked for where there is one."""


class RegisterForeign(RegisterRefused):
    """It is of another population, and knows none of these persons."""


class RegisterUnreadable(RegisterRefused):
    """The file is no register, or not one that this version of Parley reads."""


class RegisterInUse(RegisterRefused):
    """Another preparation holds it."""


@dataclass(frozen=True, slots=True)
class Register:
    """One feed's part of an open register. schema: where the engine has its `entries` and `prepared`."""

    engine: Engine
    id: str
    key: str
    feed: FeedTerms
    feed_key: str
    schema: str

    @classmethod
    @contextmanager
    def opened(
        cls,
        engine: Engine,
        path: Path,
        feed: FeedTerms,
        first: Period,
        *,
        contract_id: str,
        population: str,
        new: bool = False,
        rehearsal: bool = False,
        wait_seconds: float = WAIT_SECONDS,
    ) -> Iterator["Register"]:
        """first: the first period to be prepared. new: make one although persons may be in earlier periods, which the
        payer then vouches for. rehearsal: read it, and keep what would be written in memory. Raises RegisterRefused."""
        schema = "rehearsal" if rehearsal else "register"
        with ExitStack() as stack:
            if rehearsal:
                stack.enter_context(_attached(engine, ":memory:", schema))
            if rehearsal and not path.exists():
                _create_tables(engine, schema, population)
            else:
                stack.enter_context(_locked(path, wait_seconds))
                if not path.exists():
                    _make(path, population, required=_is_required(feed, first) and not new)
                elif new:
                    raise RegisterExists(f"{path} is a register: leave out that it is new, or name another file")
                stack.enter_context(_attached_file(engine, path))
                _read_about(engine, "register", path, population)
                if rehearsal:
                    _copy_to_memory(engine)
            yield cls(engine, *_read_about(engine, schema, path, population), feed, feed_key(contract_id, feed), schema)

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
        when this returns."""
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
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

    def not_noted_before(self, period: Period) -> tuple[Period, ...]:
        """Earlier periods of the feed that this register never saw: if they were posted, persons may be in more than k.
        None where k is every period, since then nobody can be."""
        if not _is_required(self.feed, period):
            return ()
        select = f"SELECT period FROM {self.schema}.prepared WHERE feed = '{self.feed_key}'"  # noqa: S608
        noted = {index for (index,) in self.engine.rows(select)}
        return tuple(each for each in self.feed.periods if each < period and each.index not in noted)


def feed_key(contract_id: str, feed: FeedTerms) -> str:
    """Of all that a generation of the feed rests on but its plan, which says how noise is drawn and not who is in it.
    So a draft and the contract proposed of it are one."""
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


def _is_required(feed: FeedTerms, first: Period) -> bool:
    """Whether somebody may have used up k periods before this one."""
    return feed.k < len(feed.periods) and feed.periods.first < first


def _make(path: Path, population: str, *, required: bool) -> None:
    """There whole or not at all."""
    if required:
        raise RegisterMissing(
            f"there is no register at {path}, and persons may be in earlier periods of the feed already: name the file "
            "that the earlier periods were prepared with, or say that it is new if none of them was ever posted"
        )
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


def _copy_to_memory(engine: Engine) -> None:
    for name in ("about", "prepared", "entries"):
        engine.connection.execute(f"CREATE TABLE rehearsal.{name} AS FROM register.{name}")


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
def _attached_file(engine: Engine, path: Path) -> Iterator[None]:
    path.chmod(_OWNER_ONLY)
    with ExitStack() as stack:
        try:
            stack.enter_context(_attached(engine, str(path), "register"))
        except duckdb.Error:
            raise RegisterUnreadable(f"{path} is no register of Parley, or is damaged") from None
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
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
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
