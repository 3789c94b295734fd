"""Exchanges to begin from: what an embedded database held once its parties were registered, or had agreed.

Making keys, registering five organisations and signing a contract takes longer than most of what tests then do with
them. Each process does it once, for real, and copies.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from contracts.parties import JsonObject


@dataclass(frozen=True)
class Template:
    """All that an exchange left: its database, its witness, and the private keys of its parties."""

    database: sqlite3.Connection
    witness: bytes
    client_keys: dict[str, JsonObject]
    signing_keys: dict[str, JsonObject]


TEMPLATES: dict[str, Template] = {}


def keep(name: str, database: Path, client_keys: dict[str, JsonObject], signing_keys: dict[str, JsonObject]) -> None:
    """Keep what the exchange on this database is now."""
    content = sqlite3.connect(":memory:", check_same_thread=False)
    with closing(sqlite3.connect(database)) as source:
        source.backup(content)
    witness = _witness(database).read_bytes()
    TEMPLATES[name] = Template(content, witness, dict(client_keys), dict(signing_keys))


def put(template: Template, database: Path) -> None:
    """Put it in place of an empty, migrated database that nobody has opened yet."""
    with closing(sqlite3.connect(database)) as target:
        assert target.execute("SELECT count(*) FROM organisations").fetchone() == (0,)
        template.database.backup(target)
    _witness(database).write_bytes(template.witness)


def _witness(database: Path) -> Path:
    return database.with_name(f"{database.name}.witness")
