"""What is installed here: versions, and a digest of our own code, to tell two installations apart."""

import hashlib
import platform
import sqlite3
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from contracts.evidence.given import Installation

_DISTRIBUTIONS: Final = {
    "parley": "parley-exchange",
    "opendp": "opendp",
    "numpy": "numpy",
    "scipy": "scipy",
    "sqlalchemy": "sqlalchemy",
    "psycopg (for PostgreSQL)": "psycopg",
}
_PACKAGES: Final = ("api", "adapters", "contracts", "privacy")
_ROOT: Final = Path(__file__).parents[1]


def installation() -> Installation:
    return Installation(versions(), source_sha256())


def versions() -> dict[str, str]:
    """By name."""
    return {
        "python": platform.python_version(),
        **{name: version_of(distribution) for name, distribution in _DISTRIBUTIONS.items()},
        "sqlite": sqlite3.sqlite_version,
    }


def version_of(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def source_sha256() -> str:
    """Over the names and contents of all files of the four packages, in order of their names."""
    digest = hashlib.sha256()
    for path in sorted(_source_files()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{content}  {path.relative_to(_ROOT).as_posix()}\n".encode())
    return digest.hexdigest()


def _source_files() -> Iterator[Path]:
    for package in _PACKAGES:
        for path in (_ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
