"""Configuration by environment. Secrets come from a variable or a file, never from the database."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from api.limits import LimitsInvalid, parse_limit
from contracts.drafting.feeds import MAX_CELLS_DEFAULT

_HOST: Final = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
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
    max_expanded_bytes: of a table. max_cells: of one period of a feed, over all its measures. lease_seconds: how long a
    running submission is taken to be alive.
    issuers_file: of the external issuers whose tokens are accepted too.
    private_key_hosts: `host` or `host:port` of published keys that may have private addresses.
    rate_limit, address_rate_limit: like `1200 per minute`, or `off`. trusted_proxies: of how many the word is taken
    for the address of a client.
    metrics_host, metrics_port: where metrics are served; nowhere without a port.
    """

    production: bool
    database_url: str = field(repr=False)
    witness: str
    issuer: str
    audience: str
    token_key: str | None = field(repr=False)
    receipt_key: str | None = field(repr=False)
    issuers_file: str | None
    private_key_hosts: frozenset[str]
    max_body_bytes: int
    max_expanded_bytes: int
    max_cells: int
    lease_seconds: int
    host: str
    port: int
    workers: int
    threads: int
    metrics_host: str
    metrics_port: int | None
    log_level: str
    rate_limit: str
    address_rate_limit: str
    rate_limit_storage: str = field(repr=False)
    trusted_proxies: int


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read PARLEY_* variables. Raises SettingsInvalid with everything that is wrong at once."""
    production = environ.get("PARLEY_ENVIRONMENT", "development") == "production"
    port = _number(environ, "PARLEY_PORT", 8000)
    database_url = environ.get("PARLEY_DATABASE_URL", "" if production else "sqlite:///parley.sqlite")
    # Empty is unset, as of Compose and of many a shell script.
    issuer = (environ.get("PARLEY_ISSUER") or f"http://127.0.0.1:{port}").rstrip("/")
    settings = Settings(
        production=production,
        database_url=database_url,
        witness=environ.get("PARLEY_WITNESS", "" if production else witness_beside(database_url)),
        issuer=issuer,
        audience=environ.get("PARLEY_AUDIENCE", issuer),
        token_key=read_secret(environ, "PARLEY_TOKEN_KEY"),
        receipt_key=read_secret(environ, "PARLEY_RECEIPT_KEY"),
        issuers_file=environ.get("PARLEY_ISSUERS_FILE"),
        private_key_hosts=_hosts(environ, "PARLEY_PRIVATE_KEY_HOSTS"),
        max_body_bytes=(max_body_bytes := _number(environ, "PARLEY_MAX_BODY_BYTES", 16 * 1024 * 1024)),
        max_expanded_bytes=_number(environ, "PARLEY_MAX_EXPANDED_BYTES", 4 * max_body_bytes),
        max_cells=_number(environ, "PARLEY_MAX_CELLS", MAX_CELLS_DEFAULT),
        lease_seconds=_number(environ, "PARLEY_LEASE_SECONDS", 120),
        host=environ.get("PARLEY_HOST", "127.0.0.1"),
        port=port,
        workers=_number(environ, "PARLEY_WORKERS", 1),
        threads=_number(environ, "PARLEY_THREADS", 8),
        metrics_host=environ.get("PARLEY_METRICS_HOST", "127.0.0.1"),
        metrics_port=_number(environ, "PARLEY_METRICS_PORT", 1) if "PARLEY_METRICS_PORT" in environ else None,
        log_level=environ.get("PARLEY_LOG_LEVEL", "info"),
        rate_limit=environ.get("PARLEY_RATE_LIMIT", "1200 per minute"),
        address_rate_limit=environ.get("PARLEY_ADDRESS_RATE_LIMIT", "300 per minute"),
        rate_limit_storage=read_secret(environ, "PARLEY_RATE_LIMIT_STORAGE") or "memory://",
        trusted_proxies=_number(environ, "PARLEY_TRUSTED_PROXIES", 0, least=0),
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
    if settings.workers > 1 and not settings.production:
        faults += [f"PARLEY_WORKERS above 1 needs {name}: all must sign alike" for name in _keys_missing(settings)]
    if not settings.witness and not settings.production and settings.database_url:
        faults.append(f"a database that is no file needs {_WITNESS}")
    if settings.log_level.lower() not in ("debug", "info", "warning", "error"):
        faults.append("PARLEY_LOG_LEVEL is debug, info, warning or error")
    return [*faults, *_limit_faults(settings)]


def _limit_faults(settings: Settings) -> Iterator[str]:
    limits = {"PARLEY_RATE_LIMIT": settings.rate_limit, "PARLEY_ADDRESS_RATE_LIMIT": settings.address_rate_limit}
    for name, text in limits.items():
        try:
            parse_limit(text)
        except LimitsInvalid as invalid:
            yield f"{name} {invalid}"


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


def _number(environ: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    text = environ.get(name, str(default))
    if not text.isdecimal() or len(text) > 12 or int(text) < least:
        raise SettingsInvalid(f"{name} is a whole number above {least - 1}" if least else f"{name} is a whole number")
    return int(text)


def _hosts(environ: Mapping[str, str], name: str) -> frozenset[str]:
    hosts = [host.strip().lower() for host in environ.get(name, "").split(",") if host.strip()]
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise SettingsInvalid(f"{name} is a list, by commas, of hosts with or without port: idp.internal:8443")
    return frozenset(hosts)


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
