"""A small exchange for tests of the door: a real app and database, a clock, and clients that cheat."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from flask import Flask, jsonify
from flask.testing import FlaskClient
from flask_smorest import Api
from joserfc import jws
from joserfc.jwk import import_key

from adapters.client.tokens import ASSERTION_TYPE
from adapters.database import open_database
from adapters.identity.jwks import PublishedKeys
from api.auth.access_tokens import AccessTokens, OwnTokens
from api.auth.guards import public, requires
from api.auth.jose import named_algorithms, public_members
from api.auth.keys import TokenKeys, new_private_jwk
from api.auth.metadata import security_schemes, token_endpoint_url
from api.auth.routes import blueprint
from api.limits import RateLimits
from api.problems import register_problems
from contracts.parties import Caller, Client, JsonObject, Organisation, Role, Scope

ISSUER = "https://parley.example"
AUDIENCE = "https://parley.example/v1"
TOKEN_URL = token_endpoint_url(ISSUER)
START = datetime(2026, 3, 1, 12, 0, 0, 400_000, tzinfo=UTC)
NOW = int(START.timestamp())
SCOPES = frozenset({Scope.CONTRACTS_READ, Scope.SUBMISSIONS_WRITE})
SIGNING = named_algorithms("ES256", "ES384", "ES512", "RS256", "RS384", "PS256", "EdDSA", "Ed25519")


@dataclass
class TurnableClock:
    """Stands still until it is told to go on."""

    instant: datetime = START

    def now(self) -> datetime:
        return self.instant

    def go_on(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


class DoorWiring(SimpleNamespace):
    """What the door needs of a wiring. Tests change its keys, so what holds them is made anew each time."""

    @property
    def access_tokens(self) -> AccessTokens:
        own = OwnTokens(self.token_keys, self.settings.issuer, self.settings.audience, self.clock)
        return AccessTokens([own, *self.external])


class Exchange:
    """Two organisations, `blueridge` and `helix`, with a client and an ES384 key each."""

    def __init__(self, url: str) -> None:
        self.database = open_database(url)
        self.clock = TurnableClock()
        self.token_jwk = new_private_jwk("ES256")
        self.keys = {name: new_private_jwk("ES384") for name in ("blueridge", "helix")}
        for name, role in (("blueridge", Role.PAYER), ("helix", Role.BRAND)):
            with self.database.writing() as stores:
                stores.parties.add_organisation(Organisation(name, name.title(), role, START))
            self.add_client(name, public_members(self.keys[name]), client=f"{name}-client")
        self.wiring = DoorWiring(
            database=self.database,
            clock=self.clock,
            settings=SimpleNamespace(issuer=ISSUER, audience=AUDIENCE),
            token_keys=TokenKeys([self.token_jwk]),
            external=(),
            trusted_issuers=(),
            published_keys=PublishedKeys(),
            rate_limits=RateLimits("off", "off", "memory://"),
        )
        self.app = self._app()

    def reset(self) -> None:
        self.clock.instant = START
        self.wiring.token_keys = TokenKeys([self.token_jwk])

    def close(self) -> None:
        self.database.close()

    def add_client(
        self,
        organisation: str,
        *public_keys: JsonObject,
        scopes: frozenset[Scope] = SCOPES,
        client: str | None = None,
    ) -> str:
        """Register a client, under a name of its own unless one is given."""
        client = client or f"client-{uuid4()}"
        with self.database.writing() as stores:
            stores.parties.add_client(Client(client, organisation, scopes, public_keys, START))
        return client

    def http(self) -> FlaskClient:
        return self.app.test_client()

    def ask(self, assertion: str, **form: str | None) -> Any:
        """Post a token request; a form value of None leaves the parameter out."""
        complete = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
            **form,
        }
        data = {name: value for name, value in complete.items() if value is not None}
        return self.http().post("/oauth/token", data=data)

    def access_token(self, **form: str) -> str:
        return str(self.ask(self.assertion(), **form).get_json()["access_token"])

    def assertion(
        self,
        key: JsonObject | None = None,
        header: JsonObject | None = None,
        *,
        client: str = "blueridge-client",
        **token_claims: Any,
    ) -> str:
        """An assertion that is right but for what a test changes; None leaves out."""
        key = self.keys["blueridge"] if key is None else key
        now = int(self.clock.now().timestamp())
        right = {
            "iss": client,
            "sub": client,
            "aud": TOKEN_URL,
            "iat": now,
            "exp": now + 120,
            "jti": str(uuid4()),
        }
        return signed(key, {"alg": key["alg"], "kid": key["kid"], **(header or {})}, {**right, **token_claims})

    def forged_access_token(
        self, key: JsonObject | None = None, header: JsonObject | None = None, **token_claims: Any
    ) -> str:
        """An access token signed with the exchange's own key, right but for what a test changes."""
        key = self.token_jwk if key is None else key
        right = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "blueridge-client",
            "client_id": "blueridge-client",
            "organisation": "blueridge",
            "scope": "contracts.read submissions.write",
            "iat": NOW,
            "exp": NOW + 300,
            "jti": str(uuid4()),
        }
        standard = {"alg": key["alg"], "kid": key["kid"], "typ": "at+jwt"}
        return signed(key, {**standard, **(header or {})}, {**right, **token_claims})

    def call(self, token: str | None, path: str = "/contracts") -> Any:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.http().get(path, headers=headers)

    def _app(self) -> Flask:
        app = Flask("exchange", static_folder=None)
        app.config.update(API_TITLE="Exchange", API_VERSION="1", OPENAPI_VERSION="3.1.0")
        app.extensions["parley"] = self.wiring
        api = Api(app, spec_kwargs={"components": {"securitySchemes": security_schemes()}})
        api.register_blueprint(blueprint)
        self.api = api

        register_problems(app)

        @app.get("/contracts")
        @requires(Scope.CONTRACTS_READ)
        def contracts(caller: Caller) -> Any:
            return jsonify(
                client=caller.client,
                organisation=caller.organisation,
                role=caller.role,
                scopes=sorted(caller.scopes),
            )

        @app.get("/ledger")
        @requires(Scope.LEDGER_READ)
        def ledger(caller: Caller) -> Any:
            return jsonify(client=caller.client)

        @app.get("/open")
        @public("There is nothing to protect.")
        def open_to_all() -> Any:
            return jsonify(welcome=True)

        return app


class UncheckedRegistry(jws.JWSRegistry):
    """Signs under any header, as whoever cheats would."""

    def check_header(self, header: JsonObject) -> None:
        """Whatever it says."""


def signed(key: JsonObject, header: JsonObject, token_claims: JsonObject) -> str:
    """A JWS over the token claims, under any header; members and claims that are None are left out."""
    protected = {name: value for name, value in header.items() if value is not None}
    payload = json.dumps({name: value for name, value in token_claims.items() if value is not None})
    signing_key = {name: value for name, value in key.items() if name not in ("alg", "use", "kid")}
    registry = UncheckedRegistry(algorithms=[algorithm.name for algorithm in SIGNING])
    registry.algorithms = {algorithm.name: algorithm for algorithm in SIGNING}
    return jws.serialize_compact(protected, payload, import_key(signing_key), registry=registry)


def segment(content: bytes | JsonObject) -> str:
    """One part of a compact JWS."""
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def opened(token: str) -> tuple[JsonObject, JsonObject]:
    """Header and payload of a token, unverified."""
    header, payload = (json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in token.split(".")[:2])
    return header, payload


def assert_refused(answer: Any, error: str, description: str | None = None, status: int = 400) -> None:
    """An OAuth error and a problem document in one body, and nothing of the library's own words."""
    body = answer.get_json()
    assert (answer.status_code, body["error"]) == (status, error), body
    assert "access_token" not in body
    assert body["type"] == f"urn:parley:problem:{error.replace('_', '-')}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"] == body["error_description"]
    if description is not None:
        assert body["error_description"] == description
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def assert_not_authenticated(answer: Any, description: str | None = None) -> None:
    assert_refused(answer, "invalid_client", description, 401)
