"""Clients that come with tokens of an external issuer: what it is called, and what it calls them."""

import re
from typing import Final
from urllib.parse import urlsplit

from contracts.parties import Client
from contracts.ports import Stores
from contracts.public_keys import invalid
from contracts.refusals import AlreadyExists, ClientRevoked

_URL: Final = re.compile(r"[!-~]{1,255}")
_SUBJECT_LENGTH_MAX: Final = 255


def is_https_url(url: str) -> bool:
    """Printable ASCII, so that nothing that only looks alike is another; nobody's name and no fragment in it."""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return bool(_URL.fullmatch(url)) and named and parts.scheme == "https" and "@" not in url and "#" not in url


def is_issuer(url: str) -> bool:
    """An issuer identifier (RFC 8414 section 2). It is compared as it stands: a slash at its end is part of it."""
    return is_https_url(url) and url.startswith("https://") and "?" not in url


def is_subject(name: str) -> bool:
    """Short and printable: what a database compares as it is, with no NUL and no lone surrogate."""
    return 0 < len(name) <= _SUBJECT_LENGTH_MAX and name.isprintable()


def require_sound_name(client: Client) -> None:
    """Whether such a token could exist. Whom to trust is the server's to say, at each token, and not known here.

    Raises RegistrationInvalid.
    """
    if client.issuer is None or not is_issuer(client.issuer):
        raise invalid(
            "/issuer", "issuer_not_usable", "the https URL that the issuer's tokens have as iss, to the letter"
        )
    if client.subject is None or not is_subject(client.subject):
        raise invalid(
            "/subject", "subject_not_usable", "what the issuer calls the client, up to 255 printable characters"
        )


def require_free_name(stores: Stores, client: Client) -> None:
    """One name of an issuer is one client, for ever. Raises AlreadyExists, ClientRevoked."""
    if client.issuer is None or client.subject is None:
        return
    same = stores.parties.find_client_of_issuer(client.issuer, client.subject)
    if same is not None and same.revoked_at is not None:
        raise ClientRevoked("The client that this issuer calls so was revoked, which is final.")
    if same is not None:
        raise AlreadyExists(f"The client that this issuer calls so is registered already, as {same.id}.")
