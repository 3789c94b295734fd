"""The files of a folder of claims: which belong to a layout, what their columns are called, and what ails CSV."""

import csv
import difflib
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, TextIO

from adapters.claims.faults import ClaimsUnreadable
from adapters.claims.layouts.layout import RawFile

_DELIMITERS: Final = (",", "\t", ";", "|")
_NAMES_SHOWN: Final = 30
# A person's data may stand where a header is missing: nothing of a first line is repeated unless most of the columns
# that are looked for are in it, and what is no name of a column never is.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")


class FileKind(StrEnum):
    CSV = ".csv"
    CSV_GZIPPED = ".csv.gz"
    PARQUET = ".parquet"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """label: as reports say it, within the folder."""

    path: Path
    label: str
    kind: FileKind


def find_files(folder: Path, raw: RawFile) -> tuple[FoundFile, ...]:
    """Those of one raw relation, in order of name. Empty: there is none."""
    if raw.file_names:
        found = [_named(folder, name) for name in raw.file_names]
    else:
        whole = [each for each in _listed(folder, folder) if _stem(each) == raw.name.lower()]
        parts = [each for each in _listed(folder, folder) if _is_part(_stem(each), raw.name.lower())]
        inside = _listed(folder / raw.name, folder) if (folder / raw.name).is_dir() else []
        if len(whole) > 1 or sum(map(bool, (whole, parts, inside))) > 1:
            labels = ", ".join(each.label for each in (*whole, *parts, *inside)[:5])
            raise ClaimsUnreadable(
                f"{raw.name} is there more than once ({labels}): leave it as one file or in parts, not both"
            )
        found = whole or parts or inside
    for each in found:
        _check_readable(each)
    return tuple(found)


def check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ClaimsUnreadable("the folder of claims does not exist or is no folder")


@contextmanager
def opened_text(file: FoundFile, encoding: str) -> Iterator[TextIO]:
    """The text of a CSV file; bytes of another encoding, or a truncated archive, fail as they are read."""
    open_file = gzip.open if file.kind is FileKind.CSV_GZIPPED else open
    with open_file(file.path, "rt", encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as text:
        yield text


def csv_header(file: FoundFile, raw: RawFile) -> tuple[str, tuple[str, ...]]:
    """The delimiter, and the names of all columns as they stand."""
    try:
        with opened_text(file, raw.encoding) as text:
            start = text.readline()
    except (UnicodeError, EOFError, OSError, zlib.error):
        raise ClaimsUnreadable(_csv_ailment(file, raw, ",", 0)) from None
    if not start.strip():
        raise ClaimsUnreadable(f"{file.label} is empty: a CSV file begins with the names of its columns")
    wanted = {name.lower() for name in raw.columns}
    delimiters = _DELIMITERS if raw.delimiter is None else (raw.delimiter,)
    headers = {delimiter: _header(start, delimiter) for delimiter in delimiters}
    best = max(
        delimiters, key=lambda each: (len(wanted & {name.lower() for name in headers[each]}), len(headers[each]))
    )
    return best, headers[best]


def csv_ailment(file: FoundFile, raw: RawFile) -> str:
    """What is wrong with a file that the engine could not read, found by reading it again, line by line."""
    delimiter, header = csv_header(file, raw)
    return _csv_ailment(file, raw, delimiter, len(header))


def column_positions(file: FoundFile, raw: RawFile, header: Sequence[str]) -> dict[str, int | None]:
    """Where each column of the layout is: its exact name, else the same in other capitals; None: not there."""
    positions = {name: _position(file, name, header) for name in (*raw.columns, *raw.optional_columns)}
    missing = [name for name in raw.columns if positions[name] is None]
    if missing:
        raise ClaimsUnreadable(_missing_text(file, raw, missing, header))
    return positions


def _missing_text(file: FoundFile, raw: RawFile, missing: Sequence[str], header: Sequence[str]) -> str:
    is_header = 2 * len(missing) < len(raw.columns)
    names = [name for name in header if is_header and _NAME.fullmatch(name)]
    near = [guess for name in missing for guess in difflib.get_close_matches(name, names, 1)]
    hint = f" (is it {', '.join(near)}?)" if near else ""
    has = f"It has {', '.join(names[:_NAMES_SHOWN])}" if names else "Perhaps its first line does not name the columns"
    return (
        f"{file.label} has no column {', '.join(missing)}{hint}. {has}. Take the layout that fits these files, or map "
        "them by a custom one"
    )


def _position(file: FoundFile, name: str, header: Sequence[str]) -> int | None:
    exact = [at for at, each in enumerate(header) if each == name]
    alike = exact or [at for at, each in enumerate(header) if each.strip().lower() == name.lower()]
    if len(alike) > 1:
        raise ClaimsUnreadable(f"{file.label} has the column {name} {len(alike)} times: rename all but one")
    return alike[0] if alike else None


def _header(line: str, delimiter: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in next(csv.reader([line], delimiter=delimiter), []))


def _csv_ailment(file: FoundFile, raw: RawFile, delimiter: str, width: int) -> str:
    line = 0
    try:
        with opened_text(file, raw.encoding) as text:
            rows = csv.reader(text, delimiter=delimiter, strict=True)
            for row in rows:
                if width and row and len(row) != width:
                    return (
                        f"{file.label} line {rows.line_num} has {len(row)} fields where the header has {width}: the "
                        "file is truncated or broken there"
                    )
                line = rows.line_num
    except UnicodeError:
        return (
            f"{file.label} is not in {raw.encoding} from line {_first_bad_line(file, raw.encoding)} on: "
            "write it in one encoding (a custom layout can say `encoding: latin-1`)"
        )
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return f"{file.label} ends before its archive does, after line {line}: the file is truncated or no gzip at all"
    except csv.Error as error:
        if "field larger" in str(error):
            return (
                f"{file.label} has a field of more than {csv.field_size_limit():,} characters in the row that follows "
                f"line {line}: is there a quote that does not close?"
            )
        return f"{file.label} has a quote that does not close, or text after one, in the row that follows line {line}"
    except OSError:
        return f"{file.label} cannot be read: look at its permissions and at the disk"
    return f"{file.label} cannot be read as CSV: its lines may end in different ways, or one is too long"


def _first_bad_line(file: FoundFile, encoding: str) -> int:
    open_file = gzip.open if file.kind is FileKind.CSV_GZIPPED else open
    with open_file(file.path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return number
    return 1


def _listed(folder: Path, root: Path) -> list[FoundFile]:
    entries = sorted(folder.iterdir(), key=lambda path: path.name)
    return [
        FoundFile(path, path.relative_to(root).as_posix(), kind)
        for path in entries
        if (kind := _find_kind(path)) is not None and not path.name.startswith((".", "_"))
    ]


def _named(folder: Path, name: str) -> FoundFile:
    path = folder / name
    kind = _find_kind(path)
    if kind is None:
        raise ClaimsUnreadable(f"{name} is no .csv, .csv.gz or .parquet file")
    if not path.is_file():
        raise ClaimsUnreadable(f"{name} is not in the folder of claims")
    return FoundFile(path, name, kind)


def _find_kind(path: Path) -> FileKind | None:
    name = path.name.lower()
    return next((kind for kind in (FileKind.CSV_GZIPPED, FileKind.CSV, FileKind.PARQUET) if name.endswith(kind)), None)


def _stem(file: FoundFile) -> str:
    return file.path.name.lower().removesuffix(file.kind)


def _is_part(stem: str, name: str) -> bool:
    return re.fullmatch(re.escape(name) + r"[-_.]?(part)?[-_.]?[0-9]+", stem) is not None


def _check_readable(file: FoundFile) -> None:
    if not file.path.is_file():
        raise ClaimsUnreadable(f"{file.label} is no file, or a link that leads nowhere")
    try:
        with file.path.open("rb"):
            pass
    except OSError:
        raise ClaimsUnreadable(f"{file.label} cannot be opened: look at its permissions") from None
