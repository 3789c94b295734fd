"""A whole exchange in one process, small enough to reckon by hand: the real app, database, keys and tokens.

Only time and, where a test says so, noise are brought by the test, through the arguments of the app factory that
nothing else can pass.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from uuid import uuid4
from weakref import finalize

import numpy as np
from werkzeug.test import TestResponse

from adapters.client.tokens import ASSERTION_TYPE, make_client_assertion
from api.app import create_app
from api.auth.keys import new_private_jwk
from api.settings import Settings, read_settings, witness_beside
from contracts.parties import JsonObject, Role, Scope
from contracts.signing import sign
from privacy.arrays import Vector
from privacy.mechanism import DrawFailed, NoiseSource
from tests.support.templates import TEMPLATES, keep, put

START = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
PAYERS = ("blueridge", "lakeshore", "sierra")
BRAND = "helix"
ISSUER = "https://parley.example"
EVERY_SCOPE = frozenset(Scope) - {Scope.ORG_ADMIN}
CONTRACT = "dsc-small"


class NoNoise:
    """Releases exact numbers: for oracles only."""

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return np.array(exact)


class FailingNoise:
    """Fails while told to, then draws for real: a crash between debit and release."""

    def __init__(self, real: NoiseSource) -> None:
        self.real = real
        self.failing = True

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        if self.failing:
            raise DrawFailed
        return self.real.add_noise(exact, sigma)


@dataclass
class TurnableClock:
    """Stands still until it is told to go on."""

    instant: datetime = START

    def now(self) -> datetime:
        return self.instant

    def go_on(self, **duration: float) -> None:
        self.instant += timedelta(**duration)


@dataclass
class SmallExchange:
    """Three payers, a brand and a foreigner, each with a client of every scope but the operator's.

    template: `registered`, or `agreed` with the small contract in force.
    """

    url: str
    noise: NoiseSource | None = None
    clock: TurnableClock = field(default_factory=TurnableClock)
    settings_changes: Mapping[str, str] = field(default_factory=dict)
    template: str = "registered"

    def __post_init__(self) -> None:
        self._witness = witness_beside(self.url)
        if not self._witness:
            folder = mkdtemp(prefix="parley-witness-")
            finalize(self, rmtree, folder, ignore_errors=True)
            self._witness = f"{folder}/witness"
        self.client_keys: dict[str, JsonObject] = {}
        self.signing_keys: dict[str, JsonObject] = {}
        self._tokens: dict[tuple[str, str | None], tuple[datetime, str]] = {}
        begun = self._begin_from_template()
        self.app = create_app(self.settings, clock=self.clock, noise=self.noise)
        self.wiring = self.app.extensions["parley"]
        if not begun:
            self._register_all()

    def _begin_from_template(self) -> bool:
        """False when there is no such template yet, and for databases that are no file."""
        self._database = Path(self._witness.removesuffix(".witness")) if witness_beside(self.url) else None
        found = TEMPLATES.get(self.template)
        if found is None or self._database is None or self.clock.instant != START or not self._is_empty():
            return False
        put(found, self._database)
        self.client_keys |= found.client_keys
        self.signing_keys |= found.signing_keys
        return True

    def _is_empty(self) -> bool:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("SELECT count(*) = 0 FROM organisations").fetchone()[0])

    def _register_all(self) -> None:
        for name in PAYERS:
            self.register(name, Role.PAYER)
        self.register(BRAND, Role.BRAND)
        self.register("foreigner", Role.PAYER)
        if self.template == "agreed":
            self.agree()
        if self._database is not None and self.clock.instant == START:
            keep(self.template, self._database, self.client_keys, self.signing_keys)

    @property
    def environ(self) -> dict[str, str]:
        """The variables that make its settings."""
        return {
            "PARLEY_DATABASE_URL": self.url,
            "PARLEY_WITNESS": self._witness,
            "PARLEY_ISSUER": ISSUER,
            "PARLEY_LOG_LEVEL": "error",
            "PARLEY_RATE_LIMIT": "off",
            "PARLEY_ADDRESS_RATE_LIMIT": "off",
            **self.settings_changes,
        }

    @property
    def settings(self) -> Settings:
        return read_settings(self.environ)

    def register(self, name: str, role: Role, scopes: frozenset[Scope] = EVERY_SCOPE, rho: str = "0.1") -> None:
        registering = self.wiring.registering
        registering.add_organisation(name, name.title(), role)
        registering.add_population(name, f"{name}-members", rho)
        self.client_keys[name] = new_private_jwk("ES256")
        registering.add_client(name, f"{name}-client", scopes, (public(self.client_keys[name]),))
        self.signing_keys[name] = new_private_jwk("ES384")
        registering.add_signing_key(name, public(self.signing_keys[name]))

    def token(self, name: str, scope: str | None = None) -> str:
        """A real token, asked for at the token endpoint and kept for four minutes."""
        until, token = self._tokens.get((name, scope), (START - timedelta(days=1), ""))
        now = self.clock.now()
        if now >= until:
            url = f"{self.settings.issuer}/oauth/token"
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": make_client_assertion(f"{name}-client", self.client_keys[name], url, now),
            } | ({"scope": scope} if scope else {})
            token = self.app.test_client().post("/oauth/token", data=form).get_json()["access_token"]
            self._tokens[name, scope] = (now + timedelta(minutes=4), token)
        return token

    def headers(self, name: str, scope: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(name, scope)}"}

    def get(self, name: str, path: str, **query: str) -> TestResponse:
        return self.app.test_client().get(path, headers=self.headers(name), query_string=query)

    def post(self, name: str, path: str, body: Any = None) -> TestResponse:
        """body: JSON text or bytes as they are, or what is to be written as JSON."""
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        options = {} if body is None else {"data": text, "content_type": "application/json"}
        return self.app.test_client().post(path, headers=self.headers(name), **options)

    def agree(self, document: JsonObject | None = None) -> JsonObject:
        """Draft, propose and sign by all: the contract in force."""
        document = document or small_contract()
        path = f"/v1/contracts/{document['id']}"
        drafted = self.post(BRAND, "/v1/contracts", document)
        assert drafted.status_code == 201, drafted.get_json()
        assert self.post(BRAND, f"{path}/proposal").status_code == 200
        for party in document["parties"]:
            assert self.sign(party["organisation"], document["id"]).status_code == 201
        return dict(self.get(BRAND, path).get_json())

    def sign(self, name: str, contract_id: str = CONTRACT, **query: str) -> TestResponse:
        """query: `version`, where it is not the one that is read by default."""
        document = self.get(name, f"/v1/contracts/{contract_id}", **query).get_json()["document"]
        jws = sign(document, self.signing_keys[name], f"Ann of {name}", "Privacy Officer")
        return self.post(name, f"/v1/contracts/{contract_id}/signatures", {"jws": jws})

    def submit(self, name: str, body: Any, contract_id: str = CONTRACT) -> TestResponse:
        return self.post(name, f"/v1/contracts/{contract_id}/submissions", body)

    def ask(self, name: str, statistic: str, contract_id: str = CONTRACT, **query: str) -> TestResponse:
        return self.get(name, f"/v1/contracts/{contract_id}/statistics/{statistic}", **query)

    def ledger(self, name: str, contract_id: str = CONTRACT) -> JsonObject:
        answered = self.get(name, f"/v1/contracts/{contract_id}/ledger")
        assert answered.status_code == 200, answered.get_json()
        return dict(answered.get_json())

    def traces(self) -> dict[str, int]:
        """How many rows a submission could have left behind, by table."""
        with self.wiring.database.reading() as stores:
            populations = [f"{name}-members" for name in (*PAYERS, BRAND)]
            entries = sum(len(stores.ledger.entries(population)) for population in populations)
            releases = len(stores.releases.list_for_contract(CONTRACT))
        return {"entries": entries, "releases": releases}


def server_keys() -> dict[str, str]:
    """New keys of an exchange, for settings that several processes share."""
    return {name: json.dumps(new_private_jwk("ES256")) for name in ("PARLEY_TOKEN_KEY", "PARLEY_RECEIPT_KEY")}


def public(jwk: JsonObject) -> JsonObject:
    return {name: value for name, value in jwk.items() if name in ("kty", "crv", "x", "y", "n", "e", "kid")}


def small_contract(**changes: Any) -> JsonObject:
    """A contract small enough to reckon by hand. changes: top-level terms to replace."""
    document: JsonObject = {
        "id": CONTRACT,
        "version": 1,
        "title": "A small contract",
        "purpose": "outcomes_research",
        "effective": "2026-01-01",
        "expires": "2027-12-31",
        "parties": [{"organisation": name, "role": "payer", "population": f"{name}-members"} for name in PAYERS]
        + [{"organisation": BRAND, "role": "brand", "population": f"{BRAND}-members"}],
        "vocabularies": {
            "region": ["north", "south"],
            "sex": ["F", "M"],
            "adherence_band": ["p00_40", "p40_80", "p80_100"],
            "coverage": ["in_network", "other"],
        },
        "rollups": {"period": {"quarter": "month", "year": "month"}},
        "feeds": [fills_feed(), adherence_feed(), support_feed()],
        "privacy": {
            "definition": "zCDP",
            "relation": "add_or_remove",
            "unit": "person_within_provider",
            "delta": "0.000001",
            "ceilings": {f"{name}-members": "0.1" for name in (*PAYERS, BRAND)},
        },
        "grants": [
            {
                "role": role,
                "statistics": ["counts", "adherence_rate", "pdc_pooled", "joint_table", "psp_penetration"],
                "by_at_most": 3,
            }
            for role in ("brand", "payer")
        ],
        "rules": {"min_payers": 3, "small_cells": None},
    }
    return {**document, **changes}


def fills_feed(**changes: Any) -> JsonObject:
    return {
        "name": "fills",
        "provider": "payer",
        "grain": "month",
        "first_period": "2025-01",
        "last_period": "2025-12",
        "k": 12,
        "run_out_days": 90,
        "dimensions": ["region", "sex"],
        "measures": {
            "members": {"unit": "persons", "bound": 1},
            "days_covered": {"unit": "days", "bound": 31},
            "treatment_days": {"unit": "days", "bound": 31},
        },
        "invariants": ["days_covered <= treatment_days", "treatment_days <= 31 * members"],
        "rho": "0.05",
        **changes,
    }


def adherence_feed(**changes: Any) -> JsonObject:
    return {
        "name": "adherence",
        "provider": "payer",
        "grain": "year",
        "first_period": "2024",
        "last_period": "2025",
        "k": 2,
        "run_out_days": 90,
        "dimensions": ["region", "adherence_band"],
        "measures": {"members": {"unit": "persons", "bound": 1}},
        "invariants": [],
        "rho": "0.05",
        **changes,
    }


def support_feed(**changes: Any) -> JsonObject:
    return {
        "name": "support",
        "provider": "brand",
        "grain": "month",
        "first_period": "2025-01",
        "last_period": "2025-12",
        "k": 12,
        "run_out_days": 30,
        "dimensions": ["coverage", "region"],
        "measures": {
            "enrolled": {"unit": "persons", "bound": 1},
            "contacts": {"unit": "contacts", "bound": 5},
        },
        "invariants": ["contacts <= 5 * enrolled"],
        "rho": "0.1",
        **changes,
    }


def fills_row(region: str = "north", sex: str = "F", **counts: Any) -> JsonObject:
    return {"region": region, "sex": sex, "members": 100, "days_covered": 900, "treatment_days": 1800, **counts}


def fills(period: str = "2025-01", rows: list[Any] | None = None, **changes: Any) -> JsonObject:
    """A submission of fills, right but for what a test changes; a change to None leaves the member out."""
    body = {
        "submission_id": str(uuid4()),
        "feed": "fills",
        "period": period,
        "rows": [fills_row(), fills_row("south", "M", members=60)] if rows is None else rows,
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


Build = Callable[..., SmallExchange]
