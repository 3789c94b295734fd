"""A definitions file: YAML, with code lists in it or in files beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters.claims.code_lists import CodeListUnreadable, inline_code_list, read_code_list
from adapters.strict_yaml import YamlRefused, load_yaml
from contracts.preparation.definitions import CodeList
from contracts.preparation.reading import CodeListRefused, DefinitionsFile, DefinitionsInvalid, read_definitions
from contracts.refusals import Fault

MAX_BYTES: Final = 2**20
# All NDCs that there are, with their names, fit into such a list.
MAX_LIST_BYTES: Final = 64 * 2**20


class FileUnreadable(ValueError):
    """The text names the file and says why."""


def read_definitions_file(path: Path) -> DefinitionsFile:
    """Raises FileUnreadable for what is no such file at all, DefinitionsInvalid with every fault in it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileUnreadable(f"{path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise FileUnreadable(f"{path}: more than {MAX_BYTES} bytes; keep long code lists in files of their own")
    try:
        document = load_yaml(content, aliases=False)
    except YamlRefused as refused:
        line = f"line {refused.line}: " if refused.line else ""
        raise DefinitionsInvalid([Fault("", "yaml_invalid", f"{line}{refused}")]) from None
    return read_definitions(document, ListsBeside(path.parent))


class ListsBeside:
    """Code lists by their path from the folder of the definitions file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of_file(self, path: str) -> CodeList:
        """Raises CodeListRefused."""
        found = self._folder / path
        try:
            fits = found.is_file() and found.stat().st_size <= MAX_LIST_BYTES
        except OSError as error:
            raise CodeListRefused(f"{found}: {error.strerror}") from None
        if not fits:
            raise CodeListRefused(f"{found} is no file of at most {MAX_LIST_BYTES} bytes")
        try:
            return read_code_list(found)
        except CodeListUnreadable as unreadable:
            raise CodeListRefused(str(unreadable)) from None

    def of_codes(self, codes: Sequence[str]) -> CodeList:
        """Raises CodeListRefused."""
        try:
            return inline_code_list(codes)
        except CodeListUnreadable as unreadable:
            raise CodeListRefused(str(unreadable)) from None
