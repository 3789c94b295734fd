"""A load balancer learns whether the exchange can serve, and nothing else."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import yaml
from sqlalchemy import event

from api import readiness
from api.app import create_app
from api.settings import read_settings
from tests.http.test_bad_input import assert_problem
from tests.support.live_server import wait_until
from tests.support.small_exchange import SmallExchange


def test_a_living_process_answers(small: SmallExchange) -> None:
    answered = small.app.test_client().get("/healthz")

    assert (answered.status_code, answered.get_json()) == (200, {"status": "ok"})


def test_an_exchange_on_a_current_schema_is_ready(small: SmallExchange) -> None:
    answered = small.app.test_client().get("/readyz")

    assert (answered.status_code, answered.get_json()) == (200, {"status": "ready"})


def test_an_exchange_on_another_schema_is_not_ready(migrated_postgresql_url: str) -> None:
    small = SmallExchange(migrated_postgresql_url)
    with psycopg.connect(migrated_postgresql_url.replace("+psycopg", ""), autocommit=True) as connection:
        (current,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
        connection.execute("UPDATE alembic_version SET version_num = 'other'")
        try:
            answered = small.app.test_client().get("/readyz")
        finally:
            connection.execute("UPDATE alembic_version SET version_num = %s", (current,))
    small.wiring.database.close()

    assert_problem(answered, 503, "not-ready")


def test_an_exchange_without_its_witness_is_not_ready_and_says_no_more(small: SmallExchange) -> None:
    witness = Path(small.settings.witness)
    witness.unlink(missing_ok=True)
    witness.mkdir()

    answered = small.app.test_client().get("/readyz")

    assert_problem(answered, 503, "not-ready")
    assert answered.get_json()["detail"] == "The ledger's witness cannot be used."


def test_an_exchange_whose_witness_was_lost_is_not_ready(small: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "KEPT_SECONDS", 0.0)
    witness = Path(small.settings.witness)
    client = small.app.test_client()
    assert client.get("/readyz").status_code == 200
    text = witness.read_bytes()

    witness.unlink()
    assert_problem(client.get("/readyz"), 503, "not-ready")
    witness.touch()
    answered = client.get("/readyz")
    assert_problem(answered, 503, "not-ready")
    assert answered.get_json()["detail"] == "The ledger's witness cannot be used."

    witness.write_bytes(text)
    assert client.get("/readyz").status_code == 200


def test_a_new_exchange_is_ready_without_a_witness_and_not_without_its_folder(
    migrated_sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "KEPT_SECONDS", 0.0)
    witness = tmp_path / "disk" / "witness"
    settings = {"PARLEY_DATABASE_URL": migrated_sqlite_url, "PARLEY_WITNESS": str(witness)}
    app = create_app(read_settings(settings))

    assert_problem(app.test_client().get("/readyz"), 503, "not-ready")
    witness.parent.mkdir()

    assert app.test_client().get("/readyz").status_code == 200
    app.extensions["parley"].database.close()


@pytest.mark.slow
def test_a_database_that_hangs_is_found_out_in_two_seconds_and_then_at_once(migrated_postgresql_url: str) -> None:
    small = SmallExchange(migrated_postgresql_url)
    client = small.app.test_client()
    with psycopg.connect(migrated_postgresql_url.replace("+psycopg", "")) as connection:
        connection.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        times = [time.monotonic()]
        for _ in range(4):
            answered = client.get("/readyz")
            assert_problem(answered, 503, "not-ready")
            times.append(time.monotonic())
        connection.rollback()
    wait_until(lambda: client.get("/readyz").status_code == 200)
    small.wiring.database.close()

    assert answered.get_json()["detail"] == "The database or the ledger's witness does not answer."
    assert 1.9 < times[1] - times[0] < 4
    assert times[-1] - times[1] < 1


def test_readiness_asked_at_once_by_many_is_looked_for_once_a_second(small: SmallExchange) -> None:
    begun: list[object] = []
    engine = small.wiring.database.engine
    event.listen(engine, "begin", begun.append)

    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda _: small.app.test_client().get("/readyz").status_code, range(40)))

    assert statuses == {200}
    assert len(begun) < 10


def test_a_stopping_exchange_is_not_ready(small: SmallExchange) -> None:
    small.wiring.readiness.is_stopping = lambda: True

    answered = small.app.test_client().get("/readyz")

    assert_problem(answered, 503, "not-ready")
    assert answered.get_json()["detail"] == "The exchange is stopping."


def test_the_description_is_served_to_everybody(small: SmallExchange) -> None:
    answered = small.app.test_client().get("/openapi.yaml")

    assert answered.status_code == 200
    assert yaml.safe_load(answered.get_data())["openapi"].startswith("3.1")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/contracts/", "/healthz/", "/admin", "/static/x"])
def test_what_is_not_there_is_a_problem_document(small: SmallExchange, path: str) -> None:
    assert_problem(small.app.test_client().get(path), 404, "route-not-found")
