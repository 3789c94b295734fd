"""Names and texts of other people as SQL: quoted, so that a file's name or header is never anything but data."""

from collections.abc import Iterable
from typing import Final

# DuckDB's own quotes for globbing: a character in brackets is itself.
_GLOB_SIGNS: Final = {sign: f"[{sign}]" for sign in "*?["}


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    """A list of SQL."""
    return "[" + ", ".join(literal(text) for text in texts) + "]"


def path_literal(path: str) -> str:
    """The very file, whatever signs its name has."""
    return literal("".join(_GLOB_SIGNS.get(sign, sign) for sign in path))
