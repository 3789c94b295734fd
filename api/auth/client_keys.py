"""Which key a client's assertion is to be verified by, and whether that key still proves who the client is."""

from functools import cache, lru_cache
from typing import Final, TypeGuard

from authlib.oauth2 import OAuth2Error
from flask import json
from joserfc.jwk import GuestProtocol, Key

from adapters.identity.jwks import KeysBusy, KeysUnreachable, PublishedKeys
from api.auth.jose import KeyUnsuitable, TokenUnreadable, import_sound_key
from api.auth.keys import new_private_jwk
from api.logs import log_keys_unreachable
from contracts.parties import Client, JsonObject
from contracts.ports import Database
from contracts.proofs import may_prove
from contracts.signing import plain_key

# RS384 and ES384 are what SMART Backend Services asks for; never HS*, which a public key could forge. By each, the kind
# of key that it takes: RSA, or the curve.
KINDS: Final = {"RS384": "RSA", "ES384": "P-384", "ES256": "P-256", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}
RETRY_AFTER_SECONDS: Final = 5
TEXT_LENGTH_MAX: Final = 255
_PARSED_MAX: Final = 1000


class KeysAwaited(OAuth2Error):
    """The client's keys are being fetched, or soon can be: no refusal. `description` is ours."""

    error = "temporarily_unavailable"
    status_code = 503

    def __init__(self) -> None:
        super().__init__(description="The keys of the client are still to be fetched; try again.")


class ClientKey:
    """Finds the key for one assertion when whoever verifies the signature asks for it, and remembers which it was."""

    def __init__(self, client: Client | None, published_keys: PublishedKeys) -> None:
        self._client = client
        self._published_keys = published_keys
        self._found: JsonObject | None = None

    def __call__(self, signature: GuestProtocol) -> Key:
        """The client's key that fits `kid` and `alg`; else a key of nobody's, for which the signature cannot hold, so
        that strangers are refused as late as clients are. Raises TokenUnreadable, KeysAwaited."""
        header = signature.headers()
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in KINDS:
            raise TokenUnreadable
        for jwk in () if self._client is None else self._keys_of(self._client, header):
            if _fits(jwk, algorithm):
                try:
                    key = _parsed(json.dumps(jwk, sort_keys=True))
                except KeyUnsuitable:
                    break
                self._found = jwk
                return key
        return _key_of_nobody(algorithm)

    def still_proves(self, database: Database) -> bool:
        """To be asked once the signature holds: it takes longer the more there is to look up, which is no stranger's
        to see or to cause."""
        if self._client is None or self._found is None:
            return False
        with database.reading() as stores:
            return may_prove(stores, self._client, self._found)

    def _keys_of(self, client: Client, header: JsonObject) -> list[JsonObject]:
        """Those that the header's `kid` names; only a single registered key goes without. A `jku` says again what is
        registered (SMART App Launch 2.2, Backend Services); it never says anything else."""
        kid = header.get("kid")
        if "jku" in header and header["jku"] != client.jwks_url:
            return []
        if client.jwks_url is not None:
            return self._published(client, client.jwks_url, kid)
        if kid is None:
            return [*client.public_keys] if len(client.public_keys) == 1 else []
        return [jwk for jwk in client.public_keys if jwk.get("kid") == kid]

    def _published(self, client: Client, url: str, kid: object) -> list[JsonObject]:
        if not is_plain_text(kid):
            return []
        try:
            return self._published_keys.find_keys(url, kid)
        except KeysUnreachable as unreachable:
            log_keys_unreachable(client.id, str(unreachable))
            if isinstance(unreachable, KeysBusy):
                raise KeysAwaited from None
            return []


def is_plain_text(value: object) -> TypeGuard[str]:
    """Short and printable: what a database stores as it is, with no NUL and no lone surrogate."""
    return isinstance(value, str) and 0 < len(value) <= TEXT_LENGTH_MAX and value.isprintable()


def _fits(jwk: JsonObject, algorithm: str) -> bool:
    """By the type of the key, and by what it says of its algorithm where it says anything."""
    kind = KINDS[algorithm]
    return jwk.get("crv", jwk.get("kty")) == kind and KINDS.get(str(jwk.get("alg", algorithm))) == kind


@lru_cache(_PARSED_MAX)
def _parsed(jwk: str) -> Key:
    """Parsing takes longer than verifying, and would tell who is a client."""
    return import_sound_key(plain_key(json.loads(jwk)))


@cache
def _key_of_nobody(algorithm: str) -> Key:
    return import_sound_key(plain_key(new_private_jwk("Ed25519" if algorithm == "EdDSA" else algorithm)))
