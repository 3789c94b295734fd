"""Settings and secrets: are they there, do they parse, is each another, and who may read them?"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from api.auth.jose import KeyUnsuitable
from api.auth.keys import KeyRing, ReceiptKeys, TokenKeys
from api.auth.metadata import check_issuer
from api.doctor.findings import Finding, ok, problem, warning
from api.settings import SettingsInvalid, read_secret, read_settings, truthy
from api.wiring import rate_limits, trusted_issuers

_SECRETS: Final = "secrets"
_SETTINGS: Final = "settings"
_DEBUG: Final = "debug"
_KINDS: Final[dict[str, type[KeyRing]]] = {"PARLEY_TOKEN_KEY": TokenKeys, "PARLEY_RECEIPT_KEY": ReceiptKeys}
_OTHERS: Final = 0o077


def check_settings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """All that `parley serve` reads before it starts; keys and database have checks of their own."""
    try:
        settings = read_settings(environ)
        check_issuer(settings.issuer)
        trusted_issuers(settings)
        rate_limits(settings)
    except (SettingsInvalid, ValueError) as invalid:
        yield problem(_SETTINGS, str(invalid), "Set it right; see docs/reference/configuration.md.")
        return
    if settings.production:
        yield ok(_SETTINGS, "those of production, and complete")
        if not settings.trusted_proxies:
            yield warning(
                _SETTINGS,
                "PARLEY_TRUSTED_PROXIES is 0: behind a proxy, all clients share its address and the limit of that",
                "Set it to the number of proxies in front (1); without one, leave it.",
            )
    else:
        yield warning(_SETTINGS, "those of development", "In production set PARLEY_ENVIRONMENT=production.")


def check_debug(environ: Mapping[str, str]) -> Iterator[Finding]:
    on = [name for name in ("PARLEY_DEBUG", "FLASK_DEBUG") if truthy(environ.get(name))]
    if on:
        yield problem(_DEBUG, f"{' and '.join(on)} is on: tracebacks could show exact cells", f"Unset {', '.join(on)}.")
    else:
        yield ok(_DEBUG, "off")


def check_secrets(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Each key ring, then what holds between them."""
    thumbprints: list[frozenset[str]] = []
    for name, kind in _KINDS.items():
        try:
            text = read_secret(environ, name)
            if text:
                thumbprints.append(kind.from_json(text).thumbprints())
        except (SettingsInvalid, KeyUnsuitable) as unusable:
            make = "parley keys new --use " + kind.noun
            yield problem(_SECRETS, f"{name}: {str(unusable).rstrip('.')}", f"Make a new one: {make}.")
            continue
        yield _present(environ, name) if text else _absent(environ, name)
    if len(thumbprints) == len(_KINDS):
        yield _distinct(*thumbprints)


def _present(environ: Mapping[str, str], name: str) -> Finding:
    if name in environ:
        return ok(_SECRETS, f"{name} is there, and sound")
    file = Path(environ[f"{name}_FILE"])
    mode = file.stat().st_mode & 0o777
    if mode & _OTHERS:
        return problem(_SECRETS, f"{name}_FILE can be read by others (mode {mode:o})", f"chmod 600 {file}")
    return ok(_SECRETS, f"{name}_FILE is there, sound, and its owner's alone")


def _absent(environ: Mapping[str, str], name: str) -> Finding:
    what_to_do = f"Set {name}_FILE: parley keys new --use {_KINDS[name].noun}."
    if environ.get("PARLEY_ENVIRONMENT") == "production":
        return problem(_SECRETS, f"{name} is missing", what_to_do)
    return warning(_SECRETS, f"{name} is missing: each start makes a new one", what_to_do)


def _distinct(tokens: frozenset[str], receipts: frozenset[str]) -> Finding:
    if tokens & receipts:
        return problem(_SECRETS, "tokens and receipts are signed with one key", "parley keys new --use receipt.")
    return ok(_SECRETS, "tokens and receipts have keys of their own")
