"""A load balancer learns whether the exchange can serve, and nothing else."""

import psycopg
import pytest
import yaml

from tests.http.test_bad_input import assert_problem
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


def test_the_description_is_served_to_everybody(small: SmallExchange) -> None:
    answered = small.app.test_client().get("/openapi.yaml")

    assert answered.status_code == 200
    assert yaml.safe_load(answered.get_data())["openapi"].startswith("3.1")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/contracts/", "/healthz/", "/admin", "/static/x"])
def test_what_is_not_there_is_a_problem_document(small: SmallExchange, path: str) -> None:
    assert_problem(small.app.test_client().get(path), 404, "route-not-found")
