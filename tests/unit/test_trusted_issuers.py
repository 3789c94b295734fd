"""The file of trusted issuers: what it may leave out, and that every fault is said with where it stands."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.app import create_app
from api.auth.issuers import IssuersInvalid, TrustedIssuer, read_issuers
from api.settings import SettingsInvalid, read_settings
from contracts.parties import JsonObject

ISSUER = "https://parley.example"


def write(folder: Path, document: Any) -> Path:
    path = folder / "issuers.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def entry(**changed: Any) -> JsonObject:
    """An issuer without a shape, but for what a test changes; None leaves out."""
    right = {
        "issuer": "https://login.sierra.example",
        "jwks_uri": "https://login.sierra.example/keys",
        "audience": "https://parley.example",
        "client_claim": "client_id",
        "scopes_claim": "scope",
    }
    return {name: value for name, value in {**right, **changed}.items() if value is not None}


def read(folder: Path, *entries: JsonObject) -> tuple[TrustedIssuer, ...]:
    return read_issuers(write(folder, {"issuers": [*entries]}), ISSUER)


def test_without_a_shape_the_tokens_are_as_rfc_9068_has_them(tmp_path: Path) -> None:
    (trusted,) = read(tmp_path, entry())
    assert (trusted.algorithms, trusted.types) == (("RS256",), ("at+jwt", "application/at+jwt"))
    assert (trusted.untyped, trusted.max_lifetime_seconds) == (False, 7200)
    assert (trusted.require, trusted.forbid, trusted.details_claim) == ({}, frozenset(), "authorization_details")


def test_what_the_file_says_goes_before_its_shape_and_adds_to_what_that_requires(tmp_path: Path) -> None:
    changed = {"types": ["at+jwt"], "algorithms": ["ES256", "PS256"], "client_claim": "azp"}
    (trusted,) = read(tmp_path, entry(shape="keycloak", scopes_claim=None, require={"acr": ["1", "2"]}, **changed))
    assert (trusted.types, trusted.algorithms, trusted.client_claim) == (("at+jwt",), ("ES256", "PS256"), "azp")
    assert (trusted.scopes_claim, trusted.require) == ("scope", {"typ": ("Bearer",), "acr": ("1", "2")})


def test_the_tenant_of_entra_is_required_as_tid(tmp_path: Path) -> None:
    (trusted,) = read(tmp_path, entry(shape="entra", issuer="https://login.microsoftonline.com/some-tenant/v2.0"))
    assert trusted.require["tid"] == ("some-tenant",)


def test_scopes_may_have_a_prefix_or_other_names_at_the_issuer(tmp_path: Path) -> None:
    names = {"Ask": ["statistics.read", "contracts.read"], "parley:ledger.read": []}
    (trusted,) = read(tmp_path, entry(scope_prefix="parley:", scope_names=names))
    assert trusted.scopes_of(["Ask"]) == {"statistics.read", "contracts.read"}
    assert trusted.scopes_of(["parley:audit.read", "audit.write", "parley:ledger.read"]) == {"audit.read"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"audiences": ["x"]}, "/issuers/0/audiences is not a field here; audience is"),
        ({"issuer": None}, "/issuers/0/issuer is required"),
        ({"issuer": "http://login.sierra.example"}, "/issuers/0/issuer an https URL, as in `iss`"),
        ({"issuer": "https://user@login.sierra.example"}, "/issuers/0/issuer an https URL"),
        ({"issuer": "https://login.sierra.example?x"}, "/issuers/0/issuer an https URL"),
        ({"issuer": "https://l\u043egin.sierra.example"}, "/issuers/0/issuer an https URL"),
        ({"issuer": 7}, "/issuers/0/issuer a text"),
        ({"issuer": ISSUER}, "/issuers/0/issuer is this exchange, or named before"),
        ({"jwks_uri": "http://login.sierra.example/keys"}, "/issuers/0/jwks_uri an https URL"),
        ({"jwks_uri": "file:///etc/passwd"}, "/issuers/0/jwks_uri an https URL"),
        ({"jwks_uri": "https://[::1"}, "/issuers/0/jwks_uri an https URL"),
        ({"audience": None}, "/issuers/0/audience is required"),
        ({"audience": ""}, "/issuers/0/audience a text of 1 to 255"),
        ({"algorithms": ["HS256"]}, "/issuers/0/algorithms/0 one of RS256"),
        ({"algorithms": ["none"]}, "/issuers/0/algorithms/0 one of RS256"),
        ({"algorithms": []}, "/issuers/0/algorithms"),
        ({"types": []}, "/issuers/0/types needs at least one, unless untyped is true"),
        ({"untyped": "yes"}, "/issuers/0/untyped true or false"),
        ({"shape": "auth0"}, "/issuers/0/shape one of entra, okta, keycloak"),
        ({"shape": ["okta"]}, "/issuers/0/shape a text"),
        ({"client_claim": None}, "/issuers/0/client_claim is required"),
        ({"details_claim": ""}, "/issuers/0/details_claim a text of 1 to 255"),
        ({"scope_names": {"Ask": ["everything"]}}, "/issuers/0/scope_names/Ask/0 one of contracts.read"),
        ({"require": {"ver": None}}, "/issuers/0/require/ver"),
        ({"require": {"ver": []}}, "/issuers/0/require/ver a text, a whole number"),
        ({"require": {"ver": {"a": "b"}}}, "/issuers/0/require/ver a text, a whole number"),
        ({"require": ["ver"]}, "/issuers/0/require an object"),
        ({"shape": "okta", "require": ["ver"]}, "/issuers/0/require an object"),
        ({"max_lifetime_seconds": 100_000}, "/issuers/0/max_lifetime_seconds a whole number from 60 to 86400"),
        ({"max_lifetime_seconds": True}, "/issuers/0/max_lifetime_seconds a whole number"),
    ],
    ids=str,
)
def test_a_fault_of_the_file_is_said_with_where_it_stands(tmp_path: Path, changed: JsonObject, said: str) -> None:
    with pytest.raises(IssuersInvalid, match=re.escape(said)):
        read(tmp_path, entry(**changed))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("issuers: [", "issuers.yaml, line 1"),
        ("issuers: []\nissuers: []", "a key stands twice"),
        ("- issuers", "holds no object"),
        ("issuers: []", "/issuers"),
        ("{}", "/issuers is required"),
        ("issuers: [7]", "/issuers/0 an object"),
        ("trusted: []", "/trusted is not a field here"),
    ],
)
def test_a_file_that_is_no_list_of_issuers_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(IssuersInvalid, match=re.escape(said)):
        read_issuers(write(tmp_path, text), ISSUER)


def test_all_faults_are_said_at_once_and_no_issuer_is_named_twice(tmp_path: Path) -> None:
    with pytest.raises(IssuersInvalid, match=r"/issuers/0/audience .*; /issuers/1/jwks_uri "):
        read(tmp_path, entry(audience=""), entry(jwks_uri="x"))
    with pytest.raises(IssuersInvalid, match=r"^/issuers/1/issuer is this exchange, or named before$"):
        read(tmp_path, entry(), entry(audience="another"))


def test_an_exchange_starts_with_the_file_and_not_with_a_faulty_one(migrated_sqlite_url: str, tmp_path: Path) -> None:
    environ = {"PARLEY_DATABASE_URL": migrated_sqlite_url, "PARLEY_ISSUER": ISSUER}
    path = write(tmp_path, {"issuers": [entry()]})
    started = create_app(read_settings({**environ, "PARLEY_ISSUERS_FILE": str(path)}))
    assert [trusted.issuer for trusted in started.extensions["parley"].trusted_issuers] == [entry()["issuer"]]
    for path in (write(tmp_path, {"issuers": [entry(audience=None)]}), tmp_path / "absent.yaml"):
        with pytest.raises(SettingsInvalid, match=r"^PARLEY_ISSUERS_FILE: "):
            create_app(read_settings({**environ, "PARLEY_ISSUERS_FILE": str(path)}))
