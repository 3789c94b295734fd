"""External issuers in one process: their keys at a real https address, their tokens made to order."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme
from joserfc import jws
from joserfc.jwk import Key, generate_key, import_key

from api.auth.jose import public_members
from contracts.parties import JsonObject


class IdentityProvider:
    """A server of JWK sets by path, each of which a test may change, and its calls counted; it can be down."""

    def __init__(self, port: int) -> None:
        self.host = f"localhost:{port}"
        self.sets: dict[str, list[JsonObject]] = {}
        self.down = False
        self.calls = 0

    def url(self, name: str) -> str:
        return f"https://{self.host}/{name}"

    def publish(self, name: str, *keys: JsonObject) -> None:
        self.sets[name] = [public_members(key) for key in keys]


def new_key(kid: str, algorithm: str = "RS256") -> JsonObject:
    """A private JWK of any kind that an issuer signs with."""
    kinds: dict[str, tuple[Any, Any]] = {
        "ES256": ("EC", "P-256"),
        "ES384": ("EC", "P-384"),
        "Ed25519": ("OKP", "Ed25519"),
    }
    made = generate_key(*kinds.get(algorithm, ("RSA", 2048)))
    return {**made.as_dict(private=True), "kid": kid, "use": "sig", "alg": algorithm}


def signed(key: JsonObject, header: JsonObject, payload: JsonObject | str) -> str:
    """A JWS over any payload, under any header; members that are None are left out."""
    if not isinstance(payload, str):
        payload = json.dumps(_without_none(payload))
    plain = json.dumps({name: value for name, value in key.items() if name not in ("alg", "use", "kid")})
    registry = jws.JWSRegistry(algorithms=list(jws.JWSRegistry.algorithms), strict_check_header=False)
    return jws.serialize_compact(_without_none(header), payload, _imported(plain), registry=registry)


@cache
def _imported(jwk: str) -> Key:
    """Once each: OpenSSL checks the primes of a private RSA key anew each time, for a tenth of a second."""
    return import_key(json.loads(jwk))


def _without_none(members: JsonObject) -> JsonObject:
    return {name: value for name, value in members.items() if value is not None}


@contextmanager
def serving(folder: Path) -> Iterator[IdentityProvider]:
    """With a certificate for `localhost` that this process trusts meanwhile."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    provider = IdentityProvider(server.server_port)
    server.RequestHandlerClass = _handler(provider)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
            yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.calls += 1
            found = None if provider.down else provider.sets.get(self.path[1:])
            body = json.dumps({"keys": found}).encode()
            self.send_response(200 if found is not None else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler
