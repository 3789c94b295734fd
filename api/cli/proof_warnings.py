"""What is registered and will not work as things stand: said at once, and not only by a client that gets no token.

They are warnings and no refusals. The exchange may run with another environment than this console, and tomorrow with
another than today.
"""

import os
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from adapters.identity.fetching import Reach, Unreachable
from api.auth.issuers import IssuersInvalid, read_issuers
from api.cli.output import tell
from api.settings import SettingsInvalid, read_settings


def warn_of_proof(jwks_url: str | None, issuer: str | None) -> None:
    """Of what a client proves itself with."""
    for warning in (*_of_address(jwks_url), *_of_issuer(issuer)):
        tell(f"Warning: {warning}")


def _of_address(url: str | None) -> Iterator[str]:
    """Of addresses as such; what a name stands for is the exchange's affair, whenever it asks."""
    if url is None:
        return
    try:
        hosts = {name: os.environ[name] for name in ("PARLEY_PRIVATE_KEY_HOSTS",) if name in os.environ}
        private_hosts = read_settings(hosts).private_key_hosts
    except SettingsInvalid:
        return
    reach = Reach(private_hosts, plain_http=os.environ.get("PARLEY_ENVIRONMENT") != "production", resolver=_as_written)
    try:
        parts = reach.address(url)
        if _is_address(str(parts.hostname)):
            port = parts.port or (443 if parts.scheme == "https" else 80)
            reach.checked_addresses(str(parts.hostname), port, loopback_only=parts.scheme == "http")
    except Unreachable as unreachable:
        yield f"no keys are fetched from {url} with the PARLEY_PRIVATE_KEY_HOSTS of this environment: {unreachable}."


def _of_issuer(issuer: str | None) -> Iterator[str]:
    """Where this environment says which issuers are trusted."""
    path = os.environ.get("PARLEY_ISSUERS_FILE")
    if issuer is None or not path:
        return
    try:
        trusted = [each.issuer for each in read_issuers(Path(path), "")]
    except IssuersInvalid:
        return
    if issuer not in trusted:
        yield f"{path} names no issuer {issuer}, so its tokens get nobody in; it names {', '.join(trusted)}."


def _as_written(host: str, port: int) -> list[str]:
    return ["127.0.0.1" if host == "localhost" else host]


def _is_address(host: str) -> bool:
    try:
        return host == "localhost" or bool(ip_address(host))
    except ValueError:
        return False
