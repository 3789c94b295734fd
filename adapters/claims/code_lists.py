"""Code lists from files: one code a line, or CSV with a column `code` and, if it likes, `system`.

A code without a system, or of a system that codes.py does not know, is meant in any system; `system|code` names it in
place of a column. Other columns are not read: codes that a list gives with dates are meant at any time. Codes are
compared whole: a category does not stand for the codes below it, so what is no whole code is refused, not passed over.
"""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from adapters.claims.codes import ANY_SYSTEM, normal_code
from contracts.canonical import digest_of
from contracts.preparation.definitions import CodeList

CODE: Final = "code"
SYSTEM: Final = "system"

_CODE: Final = re.compile(r"[0-9A-Z][0-9A-Z-]*")


class CodeListUnreadable(Exception):
    """A file of codes that is no list of codes. The text names the file and what is wrong, never a line of it."""


def read_code_list(path: Path) -> CodeList:
    """The digest is of the file's bytes, so that both sides of a contract can compare theirs."""
    try:
        content = path.read_bytes()
        codes = frozenset(_codes(content.decode("utf-8-sig")))
    except OSError as error:
        raise CodeListUnreadable(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CodeListUnreadable(f"{path}: byte {error.start} is not UTF-8; save the list as UTF-8") from None
    except (LookupError, csv.Error) as error:
        raise CodeListUnreadable(f"{path}: {error.args[0]}") from None
    if not codes:
        raise CodeListUnreadable(f"{path}: there is no code in it")
    return CodeList(codes, hashlib.sha256(content).hexdigest())


def inline_code_list(codes: Sequence[str]) -> CodeList:
    """Of codes that stand in another document; `system|code` names a system. The digest is of their canonical JSON."""
    found = [normal_code(*_parted(code)) for code in codes]
    for i, normal in enumerate(found, start=1):
        if normal is None or not _CODE.fullmatch(normal.partition("|")[2]):
            raise CodeListUnreadable(f"number {i} is no single whole code")
    return CodeList(frozenset(code for code in found if code), digest_of({"codes": list(codes)}))


def systems_not_used(codes: CodeList, systems_of_claims: Collection[str]) -> Mapping[str, int]:
    """How many codes of a list are of systems that the claims do not use, by system: these can find nothing.

    SNOMED and ICD-10 codes are not translated into ICD-9 or back: no such map is exact, and a list whose author meant
    older claims too names their codes. Whoever prepares must hear of it, since such a list protects less than it seems.
    """
    if ANY_SYSTEM in systems_of_claims:
        return {}
    counts = Counter(code.partition("|")[0] for code in codes.codes)
    return {
        system: count
        for system, count in sorted(counts.items())
        if system != ANY_SYSTEM and system not in systems_of_claims
    }


def _codes(text: str) -> Iterator[str]:
    for line, system, code in _rows(text):
        normal = normal_code(system, code)
        if normal is None:
            continue
        if not _CODE.fullmatch(normal.partition("|")[2]):
            raise LookupError(f"what stands in line {line} is no single whole code")
        yield normal


def _rows(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, system, code). A first line of several names, or that is `code` alone, names the columns."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names = [name.strip().lower() for name in next(reader, [])]
    if len(names) <= 1 and names != [CODE]:
        yield from ((number, *_parted(line)) for number, line in enumerate(text.splitlines(), start=1))
        return
    if names.count(CODE) != 1 or names.count(SYSTEM) > 1:
        raise LookupError("the first line names several columns, and not one of them code, or one of them twice")
    for row in reader:
        values = dict(zip(names, row, strict=False))
        system, code = _parted(values.get(CODE, ""))
        yield reader.line_num, system or values.get(SYSTEM, ""), code


def _parted(code: str) -> tuple[str, str]:
    system, _, bare = code.rpartition("|")
    return system, bare
