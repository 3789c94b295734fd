"""Access tokens from the client's side: sign an assertion, get a token, keep it until near its end."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final
from urllib.parse import urljoin
from uuid import uuid4

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, import_key

from contracts.parties import JsonObject

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME_SECONDS: Final = 120
RENEW_BEFORE_SECONDS: Final = 30
# What a key signs with at a Parley token endpoint, by curve or key type.
ALGORITHMS: Final = {"P-256": "ES256", "P-384": "ES384", "Ed25519": "Ed25519", "RSA": "RS384"}


class TokenNotGranted(Exception):
    """The token endpoint said no. The message is its own."""


def make_client_assertion(client_id: str, private_jwk: JsonObject, token_url: str, now: datetime) -> str:
    """A client assertion (RFC 7523) of two minutes, good for one request. `now` must be timezone-aware.

    Raises `joserfc.errors.JoseError` or ValueError when the key cannot sign.
    """
    key = import_key(private_jwk)
    algorithm = _algorithm_of(key)
    issued_at = int(now.timestamp())
    token_claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": token_url,
        "iat": issued_at,
        "exp": issued_at + ASSERTION_LIFETIME_SECONDS,
        "jti": str(uuid4()),
    }
    header = {"alg": algorithm, "kid": key.kid or key.thumbprint()}
    return jwt.encode(header, token_claims, key, algorithms=[algorithm])


class TokenSource(httpx.Auth):
    """Tokens of one client, for `httpx.Client(auth=...)` or by `.token()`. Threads may share it."""

    def __init__(
        self,
        http: httpx.Client,
        token_url: str,
        client_id: str,
        private_jwk: JsonObject,
        *,
        scope: str | None = None,
        authorization_details: Sequence[JsonObject] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = http
        self._token_url = token_url
        self._client_id = client_id
        self._private_jwk = private_jwk
        self._narrowed = {"scope": scope} if scope else {}
        if authorization_details:
            self._narrowed["authorization_details"] = json.dumps(list(authorization_details))
        self._now = now
        self._lock = Lock()
        self._token = ""
        self._renew_at = datetime.min.replace(tzinfo=UTC)

    def token(self) -> str:
        """A token that is good for a while yet. Raises `TokenNotGranted`, or httpx's errors of transport."""
        with self._lock:
            if self._now() >= self._renew_at:
                self._fetch()
            return self._token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self.token()}"
        yield request

    def revoke(self, token: str) -> None:
        """Take back a token of this client (RFC 7009). Raises `TokenNotGranted`, as it is not authenticated then."""
        self._send(self._now(), urljoin(self._token_url, "revoke"), {"token": token})

    def _fetch(self) -> None:
        now = self._now()
        granted = self._send(now, self._token_url, {"grant_type": "client_credentials", **self._narrowed}).json()
        self._token = granted["access_token"]
        self._renew_at = now + timedelta(seconds=granted["expires_in"] - RENEW_BEFORE_SECONDS)

    def _send(self, now: datetime, url: str, form: dict[str, str]) -> httpx.Response:
        assertion = make_client_assertion(self._client_id, self._private_jwk, self._token_url, now)
        proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        # Not through the client's own auth, which may be this very object.
        response = self._http.post(url, data=form | proof, auth=lambda request: request)
        if response.status_code != httpx.codes.OK:
            raise TokenNotGranted(_reason(response))
        return response


def _algorithm_of(key: Key) -> str:
    name = key.curve_name if isinstance(key, ECKey | OKPKey) else key.key_type
    if name not in ALGORITHMS:
        raise ValueError("A client key is RSA, or EC on P-256 or P-384, or Ed25519.")
    return ALGORITHMS[name]


def _reason(response: httpx.Response) -> str:
    """The endpoint's own words when it has any (RFC 6749 5.2)."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, Mapping) and "error" in body:
        return f"{body['error']}: {body.get('error_description', '')}"
    return f"The token endpoint answered with status {response.status_code}."
