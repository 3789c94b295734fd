"""Files that commands read and write: keys, and documents in YAML or JSON."""

import json
import os
from pathlib import Path
from typing import Any, Final, NoReturn
from uuid import uuid4

from adapters.cells.strict_json import JsonRefused, load_strict
from adapters.strict_yaml import YamlRefused, load_yaml
from api.cli.output import Failure
from contracts.parties import JsonObject

PRIVATE_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644
ORDINARY_MODE: Final = 0o666  # less what the umask takes


def read_file(path: Path) -> bytes:
    """Raises Failure."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Failure(f"There is no file {path}.") from None
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.") from None


def write_new(path: Path, text: str, mode: int) -> None:
    """Write a file that does not exist yet, with the rights of `mode` from its first byte. Raises Failure."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise Failure(f"{path} exists and is not overwritten.") from None
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def write_whole(path: Path, content: str | bytes, mode: int, *, replace: bool) -> None:
    """Write a file so that it is there whole or not at all, with the rights of `mode`. Raises Failure.

    replace: take the place of a file that is there.
    """
    refuse_taken(path, replace=replace)
    path = path.resolve()  # of a link the file that it names
    beside = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        refuse_taken(path, replace=replace)
        beside.replace(path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        beside.unlink(missing_ok=True)


def refuse_taken(path: Path, *, replace: bool) -> None:
    """Before any work is done for a file that could not be written. Raises Failure."""
    if path.exists() and not path.is_file():
        raise Failure(f"{path} is no file that can be written.")
    if path.exists() and not replace:
        raise Failure(f"{path} exists and is not overwritten.")
    if not path.parent.is_dir():
        raise Failure(f"{path} cannot be written: there is no folder {path.parent}.")


def read_json(path: Path, *, fractions: bool = False) -> Any:
    """Strict JSON: no name twice, no NaN. fractions: allowed, as in answers. Raises Failure."""
    try:
        return load_strict(read_file(path), fractions=fractions)
    except JsonRefused as refused:
        raise Failure(f"{path}: {refused}") from None


def read_document(path: Path) -> JsonObject:
    """An object from a .json file, or from YAML under any other name. Raises Failure.

    In YAML only true, false, null and whole numbers are not text: a date or a decimal without quotes stays as
    it is written, and `no` is no boolean.
    """
    document = read_json(path) if path.suffix == ".json" else _read_yaml(path)
    if not isinstance(document, dict):
        raise Failure(f"{path} holds no object: a document is a set of names with their values.")
    try:
        as_json: JsonObject = json.loads(json.dumps(document, allow_nan=False, default=_refuse))
    except (ValueError, TypeError, RecursionError):
        message = "holds a value that a document cannot have; decimals and dates are written as text, in quotes"
        raise Failure(f"{path} {message}.") from None
    return as_json


def _read_yaml(path: Path) -> Any:
    try:
        return load_yaml(read_file(path))
    except YamlRefused as refused:
        place = f", line {refused.line}:" if refused.line else ""
        raise Failure(f"{path}{place} {refused}.") from None


def _refuse(_: object) -> NoReturn:
    raise TypeError
