"""What a client proves itself with, a key or the URL of its keys, and who else was ever registered with the same.

A key of a revoked client may be in anybody's hands, also one that it had rotated away before. A key of two
organisations would let each in as the other.
"""

import re
from ipaddress import ip_address
from typing import Final

from contracts.parties import Client, JsonObject, SigningKey
from contracts.ports import Stores
from contracts.public_keys import invalid, not_apart, split_url
from contracts.refusals import ClientRevoked
from contracts.signing import find_thumbprint, thumbprint

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]")
_PORTS: Final = {"https": 443, "http": 80}


def proofs_of(client: Client) -> frozenset[str]:
    """What it proves itself with now, each as one text: a key by its RFC 7638 thumbprint, a URL in its normal form."""
    keys = (find_thumbprint(key) for key in client.public_keys)
    urls = () if client.jwks_url is None else (normal_url(client.jwks_url),)
    return frozenset(proof for proof in (*keys, *urls) if proof is not None)


def normal_url(url: str) -> str:
    """The same for all spellings that lead to one place (RFC 3986 sections 6.2.2 and 6.2.3). Raises ValueError."""
    parts = split_url(url)
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    path = _without_dots(_unescaped(parts.path)) or "/"
    query = f"?{_unescaped(parts.query)}" if parts.query else ""
    return f"{parts.scheme}://{normal_host(parts.hostname or '')}{port}{path}{query}"


def normal_host(host: str) -> str:
    """A name is the same in capitals and with the dot of the root; an address of IPv6 has one shortest form."""
    try:
        address = ip_address(host)
    except ValueError:
        return host.lower().removesuffix(".")
    return f"[{address}]" if address.version == 6 else str(address)


def _unescaped(text: str) -> str:
    def plain(escape: re.Match[str]) -> str:
        character = chr(int(escape[1], 16))
        return character if _UNRESERVED.fullmatch(character) else escape[0].upper()

    return _ESCAPE.sub(plain, text)


def _without_dots(path: str) -> str:
    """RFC 3986 section 5.2.4, for a path that is absolute."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "".join(f"/{segment}" for segment in kept)


def require_free_proofs(stores: Stores, client: Client) -> None:
    """Clients of one organisation may share a key or a URL. Raises RegistrationInvalid, ClientRevoked."""
    for i, key in enumerate(client.public_keys):
        if stores.parties.find_key_by_thumbprint(thumbprint(key)) is not None:
            raise not_apart(f"/public_keys/{i}")
        _require_free_key(stores, key, client.organisation, f"/public_keys/{i}")
    if client.jwks_url is not None:
        _require_free_url(stores, client.jwks_url, client.organisation)


def require_no_client_key(stores: Stores, key: SigningKey) -> None:
    """Raises RegistrationInvalid, ClientRevoked."""
    holders = stores.parties.list_holders(thumbprint(key.public_key))
    if any(holder.organisation == key.organisation for holder in holders):
        raise not_apart("/public_key")
    _require_free_key(stores, key.public_key, key.organisation, "/public_key")


def _require_free_key(stores: Stores, key: JsonObject, organisation: str, pointer: str) -> None:
    holders = stores.parties.list_holders(thumbprint(key))
    if any(holder.revoked for holder in holders):
        raise ClientRevoked("This key is one of a revoked client, which is final; make a new pair.")
    if any(holder.organisation != organisation for holder in holders):
        message = "a client of another organisation has or had this key; make a pair of your own"
        raise invalid(pointer, "key_taken", message)


def _require_free_url(stores: Stores, url: str, organisation: str) -> None:
    holders = stores.parties.list_holders(normal_url(url))
    if any(holder.revoked for holder in holders):
        raise ClientRevoked("A revoked client published its keys at this URL, which is final; take another.")
    if any(holder.organisation != organisation for holder in holders):
        message = "a client of another organisation has or had its keys at this URL; take one of your own"
        raise invalid("/jwks_url", "url_taken", message)


def may_prove(stores: Stores, client: Client, key: JsonObject) -> bool:
    """Whether a key that is registered for the client, or is at its URL, still proves who it is.

    What is found at a URL was never looked at before: it must be no signing key of the client's organisation, and no
    key of another organisation's client. Another's signing key does not matter: nobody is locked out by registering
    a key that he has seen published.
    """
    key_proof = thumbprint(key)
    holders = stores.parties.list_holders(key_proof)
    if client.jwks_url is None:
        return not any(holder.revoked for holder in holders)
    holders += stores.parties.list_holders(normal_url(client.jwks_url))
    signing = stores.parties.find_key_by_thumbprint(key_proof)
    if signing is not None and signing.organisation == client.organisation:
        return False
    return not any(holder.revoked or holder.organisation != client.organisation for holder in holders)
