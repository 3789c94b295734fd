"""Configuration is checked at the start: what is wrong is named by its variable, and no secret is ever shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.auth.keys import new_private_jwk
from api.settings import Settings, SettingsInvalid, read_settings

SECRET = "hunter2-secret-material"
PRODUCTION = {
    "PARLEY_ENVIRONMENT": "production",
    "PARLEY_DATABASE_URL": "postgresql+psycopg://parley@db/parley",
    "PARLEY_WITNESS": "/var/lib/parley/witness",
    "PARLEY_ISSUER": "https://parley.example",
    "PARLEY_TOKEN_KEY": SECRET,
    "PARLEY_RECEIPT_KEY": SECRET,
}


def refused(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsInvalid) as error:
        read_settings(environ)
    assert SECRET not in str(error.value)
    return str(error.value)


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in PRODUCTION.items() if key != name}


def test_development_starts_without_any_setting() -> None:
    settings = read_settings({})

    assert not settings.production
    assert settings.database_url.startswith("sqlite:")
    assert settings.issuer == settings.audience == "http://127.0.0.1:8000"
    assert settings.token_key is None
    assert settings.host == "127.0.0.1"


def test_production_starts_with_everything_set() -> None:
    settings = read_settings(PRODUCTION)

    assert settings.production
    assert settings.token_key == SECRET


@pytest.mark.parametrize(
    "name", ["PARLEY_DATABASE_URL", "PARLEY_WITNESS", "PARLEY_TOKEN_KEY", "PARLEY_RECEIPT_KEY", "PARLEY_ISSUER"]
)
@pytest.mark.parametrize("value", [None, ""])
def test_production_refuses_to_start_without(name: str, value: str | None) -> None:
    environ = without(name) if value is None else PRODUCTION | {name: value}

    assert name in refused(environ)


@pytest.mark.parametrize("name", ["PARLEY_DEBUG", "FLASK_DEBUG"])
@pytest.mark.parametrize("value", ["1", "true", "True", "yes", "on"])
def test_production_refuses_debug(name: str, value: str) -> None:
    assert name in refused(PRODUCTION | {name: value})


@pytest.mark.parametrize("value", ["", "0", "false", "no"])
def test_debug_that_is_off_is_no_fault(value: str) -> None:
    assert read_settings(PRODUCTION | {"FLASK_DEBUG": value}).production


@pytest.mark.parametrize("issuer", ["http://parley.example", "ftp://parley.example", "parley.example"])
def test_production_refuses_an_issuer_that_is_not_https(issuer: str) -> None:
    assert "PARLEY_ISSUER" in refused(PRODUCTION | {"PARLEY_ISSUER": issuer})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    said = refused({"PARLEY_ENVIRONMENT": "production", "FLASK_DEBUG": "1", "PARLEY_LOG_LEVEL": "loud"})

    for name in ("PARLEY_DATABASE_URL", "PARLEY_TOKEN_KEY", "PARLEY_ISSUER", "FLASK_DEBUG", "PARLEY_LOG_LEVEL"):
        assert name in said


def test_an_unknown_environment_is_refused_and_never_taken_for_development() -> None:
    for name in ("prod", "Production", "staging", ""):
        assert "PARLEY_ENVIRONMENT" in refused({"PARLEY_ENVIRONMENT": name})


def test_a_missing_key_is_said_once() -> None:
    said = refused(without("PARLEY_TOKEN_KEY") | {"PARLEY_WORKERS": "2"})

    assert said.count("PARLEY_TOKEN_KEY or") == 1
    assert "PARLEY_TOKEN_KEY or" in refused({"PARLEY_DATABASE_URL": "postgresql://db/parley", "PARLEY_WORKERS": "2"})


def test_an_empty_issuer_is_unset() -> None:
    assert read_settings({"PARLEY_ISSUER": "", "PARLEY_PORT": "8001"}).issuer == "http://127.0.0.1:8001"


def test_several_workers_need_postgresql() -> None:
    sqlite = {"PARLEY_DATABASE_URL": "sqlite:///parley.sqlite", "PARLEY_WORKERS": "2"}
    assert "PARLEY_WORKERS" in refused(sqlite)

    assert read_settings(PRODUCTION | {"PARLEY_WORKERS": "4"}).workers == 4
    assert read_settings(sqlite | {"PARLEY_WORKERS": "1"}).workers == 1


@pytest.mark.parametrize(
    "name",
    [
        "PARLEY_PORT",
        "PARLEY_WORKERS",
        "PARLEY_THREADS",
        "PARLEY_MAX_BODY_BYTES",
        "PARLEY_MAX_CELLS",
        "PARLEY_LEASE_SECONDS",
    ],
)
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "", " 8", "1e3", "²"])
def test_a_number_is_whole_and_above_zero(name: str, value: str) -> None:
    assert name in refused({name: value})


# --- secrets


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token-key"
    file.write_text(SECRET)

    environ = without("PARLEY_TOKEN_KEY") | {"PARLEY_TOKEN_KEY_FILE": str(file)}

    assert read_settings(environ).token_key == SECRET


def test_a_secret_file_that_is_not_there_is_named_by_its_variable(tmp_path: Path) -> None:
    environ = without("PARLEY_TOKEN_KEY") | {"PARLEY_TOKEN_KEY_FILE": str(tmp_path / "none")}

    assert "PARLEY_TOKEN_KEY_FILE" in refused(environ)


def test_a_secret_file_that_is_no_text_is_named_by_its_variable(tmp_path: Path) -> None:
    file = tmp_path / "token-key"
    file.write_bytes(b"\xff\xfe" + SECRET.encode())

    assert "PARLEY_TOKEN_KEY_FILE" in refused(without("PARLEY_TOKEN_KEY") | {"PARLEY_TOKEN_KEY_FILE": str(file)})


def test_an_empty_secret_file_is_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "token-key"
    file.write_text("")

    assert "PARLEY_TOKEN_KEY" in refused(without("PARLEY_TOKEN_KEY") | {"PARLEY_TOKEN_KEY_FILE": str(file)})


def test_settings_that_are_printed_show_no_secret() -> None:
    environ = PRODUCTION | {"PARLEY_DATABASE_URL": f"postgresql+psycopg://parley:{SECRET}@db/parley"}
    settings = read_settings(environ)

    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)


UNUSABLE_KEYS: dict[str, Any] = {
    "no JSON": SECRET,
    "half a JWK": json.dumps({"kty": "EC", "crv": "P-256", "d": SECRET}),
    "a symmetric key": json.dumps({"kty": "oct", "k": SECRET}),
    "a public key": json.dumps({n: v for n, v in new_private_jwk("ES256").items() if n != "d"} | {"kid": SECRET}),
    "a number": "7",
    "an empty set": json.dumps({"keys": []}),
}


def started(url: str, **changes: str) -> Settings:
    settings = read_settings({"PARLEY_DATABASE_URL": url, "PARLEY_ISSUER": "https://parley.example", **changes})
    create_app(settings)
    return settings


@pytest.mark.parametrize("kind", UNUSABLE_KEYS)
def test_a_token_key_that_cannot_sign_stops_the_start_and_is_not_quoted(migrated_sqlite_url: str, kind: str) -> None:
    with pytest.raises((SettingsInvalid, ValueError)) as error:
        started(migrated_sqlite_url, PARLEY_TOKEN_KEY=UNUSABLE_KEYS[kind])

    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None


def test_a_token_key_of_ones_own_signs(migrated_sqlite_url: str) -> None:
    key = json.dumps(new_private_jwk("ES256"))

    assert started(migrated_sqlite_url, PARLEY_TOKEN_KEY=key).token_key == key


@pytest.mark.parametrize(
    "issuer", ["https://parley.example/path", "https://parley.example?x=1", "http://parley.example"]
)
def test_an_issuer_that_tokens_cannot_name_stops_the_start(migrated_sqlite_url: str, issuer: str) -> None:
    with pytest.raises(SettingsInvalid):
        started(migrated_sqlite_url, PARLEY_ISSUER=issuer)
