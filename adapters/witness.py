"""The ledger's witness: an append-only file outside the database, so that restoring a backup cannot rewind both.

One JSON object a line, each with the hash of the line before. `hash` is the SHA-256 of the line's own bytes up to
`,"hash":`, closed by `}`; so any program can check the file. All processes of an exchange share one file, and lock
it (flock) while they read its end or write to it. Nothing is read twice but at the start of a process.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

from contracts.ledger.witnessing import is_line
from contracts.parties import JsonObject
from contracts.ports import WitnessDamaged, WitnessText
from contracts.refusals import WitnessMovedOn, WitnessUnavailable

_HASH: Final = b',"hash":"'
_HASH_LENGTH: Final = len(_HASH) + 64 + len(b'"}')
_OWNER_ONLY: Final = 0o600
_CHUNK_BYTES: Final = 1 << 20
_START: Final = b'{"what":"'
_ENDED: Final = re.compile(rb'.*,"hash":"[0-9a-f]{64}"\}', re.DOTALL)


class _NoWitness(Exception):
    """There is no file of this name."""


class FileWitness:
    """Implements `contracts.ports.Witness`. The file is made when first written to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = Lock()
        self._identity = (0, 0)
        self._forget()

    def find_last(self, population: str) -> JsonObject | None:
        try:
            with self._guard, self._locked() as file:
                self._follow(file)
                return self._last.get(population)
        except _NoWitness:
            return None

    def append(self, population: str, lines: Sequence[JsonObject], *, after: JsonObject | None) -> JsonObject:
        with self._guard, self._locked(create=True) as file:
            self._follow(file)
            if self._last.get(population) != after:
                raise WitnessMovedOn("Somebody else wrote of this population meanwhile; ask again.")
            written = self._write(file, [{**line, "population": population} for line in lines])
            copy = os.dup(file)
        # Not under the lock: one flush takes along what others wrote meanwhile.
        _flush(copy)
        return written

    def read(self) -> WitnessText:
        try:
            with self._guard, self._locked() as file:
                return _read_all(file)
        except _NoWitness:
            return WitnessText((), 0, True)

    def mend(self, note: JsonObject, populations: Iterable[str], *, aside: str) -> None:
        """Under one lock, so that nothing is written between. Whoever waits for it finds another file of this name."""
        with self._guard, self._locked(create=True) as damaged, _said_plainly():
            text = _read_all(damaged)
            if text.whole:
                return
            names = dict.fromkeys([*populations, *(line["population"] for line in text.lines)])
            lines = [*text.lines, *({**note, "population": name} for name in names)]
            real = self._real()
            new = real.with_name(f"{real.name}.new")
            new.unlink(missing_ok=True)
            anew = FileWitness(new)
            with anew._locked(create=True) as file:
                anew._write(file, lines)
                _flush(os.dup(file))
            os.link(real, real.with_name(f"{real.name}.{aside}"))
            os.replace(new, real)
            _flush_folder(real)

    def _real(self) -> Path:
        """Where the file lies, if its name is a symbolic link."""
        return Path(os.path.realpath(self._path))

    def _forget(self) -> None:
        self._offset = 0
        self._hash = ""
        self._last: dict[str, JsonObject] = {}

    @contextmanager
    def _locked(self, *, create: bool = False) -> Iterator[int]:
        """The file, locked against other processes. Raises _NoWitness where there is none."""
        file = self._open(create)
        try:
            identity = os.fstat(file)
            if (identity.st_dev, identity.st_ino) != self._identity:
                self._forget()
                self._identity = identity.st_dev, identity.st_ino
            yield file
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    def _open(self, create: bool) -> int:
        """The file that bears the name now: another may have been put in its place while we waited for the lock."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        with _said_plainly():
            while True:
                try:
                    file = os.open(self._path, flags, _OWNER_ONLY)
                except FileNotFoundError:
                    if create:
                        raise
                    raise _NoWitness from None
                fcntl.flock(file, fcntl.LOCK_EX)
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(file), os.stat(self._path)):
                        return file
                os.close(file)

    def _follow(self, file: int) -> None:
        """Read what is new, or all when the end that we knew is there no more. Raises WitnessDamaged.

        A last line that is whole and lacks only its end was flushed: many a tool drops the last newline of a file.
        """
        with _said_plainly():
            known_end = _HASH + self._hash.encode() + b'"}\n' if self._hash else b""
            if os.pread(file, len(known_end), self._offset - len(known_end)) != known_end:
                self._forget()
        for text in _lines(file, self._offset):
            self._take_next(text)
        rest = self._rest(file)
        if rest and _is_whole(rest):
            self._take_next(rest)
            with _said_plainly():
                _write_all(file, b"\n")
        elif rest and not (self._offset and _is_cut_off(rest)):
            raise WitnessDamaged

    def _take_next(self, text: bytes) -> None:
        line = _parse(text)
        if line["previous"] != self._hash:
            raise WitnessDamaged
        self._take(line, len(text) + 1)

    def _rest(self, file: int) -> bytes:
        """What follows the last whole line that was taken."""
        with _said_plainly():
            return _read_from(file, self._offset)

    def _take(self, line: JsonObject, length: int) -> None:
        self._last[line["population"]] = line
        self._hash = line["hash"]
        self._offset += length

    def _write(self, file: int, lines: Sequence[JsonObject]) -> JsonObject:
        """A partial line at the end is of a writer that died: its entry was never committed, so it is cut off, and
        kept in a file beside."""
        previous, texts = self._hash, []
        for line in lines:
            body = json.dumps({**_unchained(line), "previous": previous}, separators=(",", ":")).encode()
            previous = hashlib.sha256(body).hexdigest()
            texts.append(body[:-1] + _HASH + previous.encode() + b'"}')
        with _said_plainly():
            is_new = self._offset == 0
            if rest := self._rest(file):
                self._keep_aside(rest)
                os.ftruncate(file, self._offset)
            try:
                _write_all(file, b"".join(text + b"\n" for text in texts))
            except OSError:
                os.ftruncate(file, self._offset)  # nothing was witnessed, so nothing may look so
                raise
            if is_new:
                _flush_folder(self._real())
        for text in texts:
            self._take(_parse(text), len(text) + 1)
        return _parse(texts[-1])

    def _keep_aside(self, rest: bytes) -> None:
        real = self._real()
        aside = os.open(
            real.with_name(f"{real.name}.cut-off"), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY
        )
        try:
            _write_all(aside, rest + b"\n")
        finally:
            os.close(aside)


def _read_all(file: int) -> WitnessText:
    texts = [*_lines(file, 0)]
    rest = _read_from(file, sum(len(text) + 1 for text in texts))
    if rest and not (texts and _is_cut_off(rest)):
        texts.append(rest)
    lines = [line for text in texts for line in _readable(text)]
    unreadable = sum(not _is_whole(text) for text in texts)
    expected = ["", *(line["hash"] for line in lines)]
    in_order = [line["previous"] for line in lines] == expected[:-1]
    return WitnessText(tuple(lines), unreadable, in_order and not unreadable)


def _unchained(line: JsonObject) -> JsonObject:
    return {name: value for name, value in line.items() if name not in ("previous", "hash")}


def _lines(file: int, offset: int) -> Iterator[bytes]:
    """Whole lines from there on, without their ends."""
    rest = b""
    with _said_plainly():
        while chunk := os.pread(file, _CHUNK_BYTES, offset):
            offset += len(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole


def _read_from(file: int, offset: int) -> bytes:
    chunks = []
    with _said_plainly():
        while chunk := os.pread(file, _CHUNK_BYTES, offset):
            offset += len(chunk)
            chunks.append(chunk)
    return b"".join(chunks)


def _is_cut_off(rest: bytes) -> bool:
    """Whether a writer that died may have left this: the beginning of one line, and nothing but what lines are of."""
    begins = rest.startswith(_START) or _START.startswith(rest)
    return begins and rest.isascii() and rest.decode().isprintable() and not _ENDED.match(rest)


def _is_whole(text: bytes) -> bool:
    try:
        _parse(text)
    except WitnessDamaged:
        return False
    return True


def _readable(text: bytes) -> list[JsonObject]:
    """The lines in a text that is one, or in which they ran together or got something before or behind them."""
    if _is_whole(text):
        return [_parse(text)]
    ended = (_ENDED.match(_START + part) for part in text.split(_START)[1:])
    return [_parse(found.group()) for found in ended if found and _is_whole(found.group())]


def _parse(text: bytes) -> JsonObject:
    """Raises WitnessDamaged unless the line is the one that was written."""
    body = text[:-_HASH_LENGTH] + b"}"
    if text[-_HASH_LENGTH:] != _HASH + hashlib.sha256(body).hexdigest().encode() + b'"}':
        raise WitnessDamaged
    try:
        line: Any = json.loads(text)
        found: JsonObject = {**line, "population": str(line["population"]), "previous": str(line["previous"])}
    except (ValueError, TypeError, LookupError, RecursionError):
        raise WitnessDamaged from None
    if not is_line(found):
        raise WitnessDamaged
    return found


def _write_all(file: int, text: bytes) -> None:
    while text:
        text = text[os.write(file, text) :]


def _flush(file: int) -> None:
    """To the disk, and close."""
    with _said_plainly():
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _flush_folder(path: Path) -> None:
    """The name of a new file is safe only once its folder is."""
    _flush(os.open(path.parent, os.O_RDONLY))


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WitnessUnavailable(
            "The ledger's witness cannot be read or written, so nothing was debited. The operator has to see to it."
        ) from error
