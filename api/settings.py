"""Configuration by environment. Secrets come from a variable or a file, never from the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_WITNESS: Final = "PARLEY_WITNESS, a file on another disk than the database, for the witness of its ledger"


class SettingsInvalid(Exception):
    """The environment does not describe an exchange that may start. The text says what to set."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this exchange runs.

    witness: path of the file, outside the database, that the ledger is witnessed in.
    issuer: its public URL, and the `iss` of its tokens. audience: the `aud` that its tokens carry.
    token_key, receipt_key: private JWK or JWK set (JSON text) that signs access tokens, and receipts; None makes a new
    one at each start, which development allows.
    max_cells: of one period of a feed, over all its measures. lease_seconds: how long a
    running submission is taken to be alive.
    """

    production: bool
    database_url: str = field(repr=False)
    witness: str
    issuer: str
    audience: str
    token_key: str | None = field(repr=False)
    receipt_key: str | None = field(repr=False)
    max_body_bytes: int
    max_cells: int
    lease_seconds: int
    host: str
    port: int
    workers: int
    threads: int
    log_level: str


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read PARLEY_* variables. Raises SettingsInvalid with everything that is wrong at once."""
    production = environ.get("PARLEY_ENVIRONMENT", "development") == "production"
    port = _number(environ, "PARLEY_PORT", 8000)
    database_url = environ.get("PARLEY_DATABASE_URL", "" if production else "sqlite:///parley.sqlite")
    issuer = environ.get("PARLEY_ISSUER", f"http://127.0.0.1:{port}").rstrip("/")
    settings = Settings(
        production=production,
        database_url=database_url,
        witness=environ.get("PARLEY_WITNESS", "" if production else witness_beside(database_url)),
        issuer=issuer,
        audience=environ.get("PARLEY_AUDIENCE", issuer),
        token_key=read_secret(environ, "PARLEY_TOKEN_KEY"),
        receipt_key=read_secret(environ, "PARLEY_RECEIPT_KEY"),
        max_body_bytes=_number(environ, "PARLEY_MAX_BODY_BYTES", 16 * 1024 * 1024),
        max_cells=_number(environ, "PARLEY_MAX_CELLS", 1_000_000),
        lease_seconds=_number(environ, "PARLEY_LEASE_SECONDS", 120),
        host=environ.get("PARLEY_HOST", "127.0.0.1"),
        port=port,
        workers=_number(environ, "PARLEY_WORKERS", 1),
        threads=_number(environ, "PARLEY_THREADS", 8),
        log_level=environ.get("PARLEY_LOG_LEVEL", "info"),
    )
    faults = [*_environment_faults(environ), *_faults(settings)]
    if production:
        faults += _production_faults(settings, environ)
    if faults:
        raise SettingsInvalid("; ".join(faults))
    return settings


def witness_beside(database_url: str) -> str:
    """The default in development: the guarantee that a restored backup refills no budget holds there too. Empty for
    a database that is no file."""
    prefix, _, path = database_url.partition(":///")
    return f"{path.partition('?')[0]}.witness" if prefix.startswith("sqlite") and path else ""


def _environment_faults(environ: Mapping[str, str]) -> list[str]:
    name = environ.get("PARLEY_ENVIRONMENT", "development")
    known = ("development", "production")
    return [] if name in known else [f"PARLEY_ENVIRONMENT is one of {', '.join(known)}"]


def _faults(settings: Settings) -> list[str]:
    faults = []
    if urlsplit(settings.issuer).scheme not in ("http", "https"):
        faults.append("PARLEY_ISSUER is the exchange's public http(s) URL")
    if settings.workers > 1 and settings.database_url.startswith("sqlite"):
        faults.append("PARLEY_WORKERS above 1 needs PostgreSQL: SQLite has one writer")
    if settings.workers > 1:
        faults += [f"PARLEY_WORKERS above 1 needs {name}: all must sign alike" for name in _keys_missing(settings)]
    if not settings.witness and not settings.production and settings.database_url:
        faults.append(f"a database that is no file needs {_WITNESS}")
    if settings.log_level.lower() not in ("debug", "info", "warning", "error"):
        faults.append("PARLEY_LOG_LEVEL is debug, info, warning or error")
    return faults


def _keys_missing(settings: Settings) -> list[str]:
    keys = {"PARLEY_TOKEN_KEY": settings.token_key, "PARLEY_RECEIPT_KEY": settings.receipt_key}
    return [f"{name} or {name}_FILE" for name, key in keys.items() if not key]


def _production_faults(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    faults = []
    if not settings.database_url:
        faults.append("production needs PARLEY_DATABASE_URL")
    faults += [f"production needs {name}" for name in _keys_missing(settings)]
    if not settings.witness:
        faults.append(f"production needs {_WITNESS}")
    if urlsplit(settings.issuer).scheme != "https":
        faults.append("production needs PARLEY_ISSUER, an https URL")
    if truthy(environ.get("PARLEY_DEBUG")) or truthy(environ.get("FLASK_DEBUG")):
        faults.append("production refuses to run with debug on; unset PARLEY_DEBUG and FLASK_DEBUG")
    return faults


def truthy(text: str | None) -> bool:
    """Whether a variable turns something on."""
    return (text or "").lower() not in ("", "0", "false", "no")


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, str(default))
    if not text.isdecimal() or len(text) > 12 or int(text) < 1:
        raise SettingsInvalid(f"{name} is a whole number above 0")
    return int(text)


def read_secret(environ: Mapping[str, str], name: str) -> str | None:
    """From the variable, or the file that `<name>_FILE` names. Raises SettingsInvalid."""
    if name in environ:
        return environ[name]
    path = environ.get(f"{name}_FILE")
    if path is None:
        return None
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError):
        raise SettingsInvalid(f"{name}_FILE names a file that cannot be read") from None
