"""What every answer says: an id, headers that keep browsers and caches at bay, and what is on its way out."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from shutil import copyfile
from typing import Any
from uuid import UUID

import pytest
import yaml
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from api.app import describe_app
from api.description.document import openapi_yaml
from api.description.page import POLICY
from api.logs import configure_logs
from api.versions import DEPRECATED, Deprecation, mark_deprecated, register_deprecations
from contracts.parties import Role, Scope
from tests.http.test_bad_input import assert_problem
from tests.http.test_who_gets_in import BODIES, OPERATOR, ROUTES, Route
from tests.support.small_exchange import CONTRACT, SmallExchange

NOTHING = "default-src 'none'; frame-ancestors 'none'"


@pytest.fixture(scope="module")
def small(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    path = tmp_path_factory.mktemp("manners") / "parley.db"
    copyfile(sqlite_template, path)
    exchange = SmallExchange(f"sqlite:///{path}")
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    exchange.agree()
    yield exchange
    exchange.wiring.database.close()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What is logged in this test, of every request."""
    with monkeypatch.context() as patch, StringIO() as log:
        patch.setattr("sys.stderr", log)
        configure_logs("info")
        yield log
    configure_logs("error")


def ask_health(small: SmallExchange, **headers: str) -> TestResponse:
    return small.app.test_client().get("/healthz", headers=headers)


# --- request ids


@pytest.mark.parametrize("given", ["a", "0b6c7e4e-req.1_A", "x" * 64])
def test_the_id_that_a_client_gives_its_request_is_kept_and_logged(
    small: SmallExchange, said: StringIO, given: str
) -> None:
    answered = ask_health(small, **{"X-Request-Id": given})

    assert answered.headers["X-Request-Id"] == given
    assert logged(said)[-1]["request_id"] == given


@pytest.mark.parametrize(
    "given", ["", "x" * 65, "a b", "a\tb", 'a"b', "a,b", "\x1b[31mred", "i\u0307d", "\u202eid", "a%0ab", "a;b"]
)
def test_another_gets_an_id_of_ours(small: SmallExchange, said: StringIO, given: str) -> None:
    environ = {"HTTP_X_REQUEST_ID": given.encode().decode("latin-1")}
    answered = small.app.test_client().get("/healthz", environ_overrides=environ)

    own = answered.headers["X-Request-Id"]
    assert UUID(own).version == 4
    assert logged(said)[-1]["request_id"] == own


def test_every_answer_has_an_id_even_one_given_before_a_route_is_looked_at(small: SmallExchange) -> None:
    http = small.app.test_client()
    answers = [
        http.get("/nowhere"),
        http.get("/v1/contracts/a%00b"),
        http.delete("/healthz"),
        http.post("/v1/contracts", data="a,b", content_type="text/csv"),
        http.post("/v1/contracts", data="{}", content_type="application/json"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 405, 415, 401]
    ids = {answer.headers["X-Request-Id"] for answer in answers}
    assert len(ids) == len(answers)
    assert all(UUID(each) for each in ids)


def test_a_problem_does_not_hold_the_id_so_that_equal_refusals_are_equal(small: SmallExchange) -> None:
    first, second = (small.get("foreigner", f"/v1/contracts/{CONTRACT}") for _ in range(2))

    assert first.get_data() == second.get_data()
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


HOSTILE = (
    '\n{"event": "forged"}',
    "\r\nforged: yes",
    "\x1b]0;forged\x07",
    "\u2028forged",
    "\x00forged",
    "${jndi:forged}",
)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_nothing_that_a_request_says_gets_into_a_log_line(small: SmallExchange, said: StringIO, text: str) -> None:
    latin = text.encode().decode("latin-1")
    environ = {"HTTP_X_REQUEST_ID": latin, "HTTP_USER_AGENT": latin, "HTTP_X_FORWARDED_FOR": latin, "HTTP_HOST": "a"}
    http = small.app.test_client()
    for path in (f"/v1/contracts/{text}", f"/{text}", f"/docs/{text}", f"/healthz?{text}"):
        http.get(path, environ_overrides=environ)
    http.get("/v1/contracts", environ_overrides=environ | {"HTTP_AUTHORIZATION": f"Bearer {latin}"})
    http.open("/healthz", method="FORGED")

    lines = said.getvalue().splitlines()
    assert len([json.loads(line) for line in lines]) == 6
    assert "orged" not in "".join(lines).replace('"method": "FORGED"', "")
    assert all(line.isascii() and line.isprintable() for line in lines)


def logged(said: StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in said.getvalue().splitlines()]


# --- headers that keep browsers and caches at bay


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_every_route_answers_with_the_headers_that_keep_browsers_at_bay(small: SmallExchange, route: Route) -> None:
    options = {"json": BODIES[route.rule]} if route.rule in BODIES else {}
    answers = [small.app.test_client().open(route.path(), method=route.method, **options)]
    if route.scope is not None:
        headers = small.headers(OPERATOR if route.scope is Scope.ORG_ADMIN else "sierra") | {"If-Match": '"none"'}
        answers.append(small.app.test_client().open(route.path(), method=route.method, headers=headers, **options))

    for answered in answers:
        assert_kept_at_bay(answered)
        policy = answered.headers["Content-Security-Policy"]
        assert policy == (POLICY if route.rule == "/docs" else NOTHING) or route.rule.endswith("/text")
        assert "unsafe" not in policy
        if route.scope is not None and "/statistics/" not in route.rule:
            assert answered.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "TRACE", "MADE-UP"])
@pytest.mark.parametrize("path", ["/nowhere", "/oauth/token", "/v1/contracts", "/healthz"])
def test_so_does_what_is_not_there(small: SmallExchange, path: str, method: str) -> None:
    assert_kept_at_bay(small.app.test_client().open(path, method=method))


def assert_kept_at_bay(answered: TestResponse) -> None:
    headers = answered.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "geolocation=()" in headers["Permissions-Policy"]
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert re.match(r"no-store$|(public|private), ", headers["Cache-Control"])
    assert "Set-Cookie" not in headers
    assert not [name for name, _ in headers if name.startswith("Access-Control")]


def test_an_exchange_without_tls_asks_no_browser_for_it(migrated_sqlite_url: str) -> None:
    plain = SmallExchange(migrated_sqlite_url, settings_changes={"PARLEY_ISSUER": "http://127.0.0.1:8000"})

    assert "Strict-Transport-Security" not in ask_health(plain).headers


# --- what is on its way out

OPERATION = "GET /v1/contracts/{contract_id}/releases"
LEAVING = Deprecation(
    since=datetime(2026, 7, 1, tzinfo=UTC),
    sunset=datetime(2027, 7, 1, tzinfo=UTC),
    page="/docs/releases",
    successor="/v2/releases",
)


@pytest.fixture
def leaving(migrated_sqlite_url: str) -> SmallExchange:
    exchange = SmallExchange(migrated_sqlite_url, template="agreed")
    register_deprecations(exchange.app, {OPERATION: LEAVING})
    return exchange


def test_a_deprecated_operation_says_so_and_until_when(leaving: SmallExchange) -> None:
    path = f"/v1/contracts/{CONTRACT}/releases"
    for answered in (
        leaving.get("sierra", path),
        leaving.get("foreigner", path),
        leaving.app.test_client().get(path),
        leaving.app.test_client().head(path, headers=leaving.headers("sierra")),
    ):
        assert answered.headers["Deprecation"] == "@1782864000"
        assert answered.headers["Sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
        assert answered.headers["Link"] == (
            '</docs/releases>; rel="deprecation", </v2/releases>; rel="successor-version"'
        )

    for other in (f"/v1/contracts/{CONTRACT}", "/v1/contracts", "/healthz", "/nowhere"):
        assert "Deprecation" not in leaving.get("sierra", other).headers


def test_so_does_the_description() -> None:
    app = describe_app()
    register_deprecations(app, {OPERATION: LEAVING})

    with app.app_context():
        document = yaml.load(openapi_yaml(app), Loader=yaml.CSafeLoader)

    validate(document)
    marked = [
        (path, method)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters" and operation.get("deprecated")
    ]
    assert marked == [("/v1/contracts/{contract_id}/releases", "get")]


def test_what_is_deprecated_is_there(small: SmallExchange) -> None:
    """A misspelt operation would be deprecated without anybody being told."""
    mark_deprecated(small.app, described())
    register_deprecations(small.app, {"GET /v1/elsewhere": LEAVING})
    try:
        with pytest.raises(KeyError):
            mark_deprecated(small.app, described())
    finally:
        register_deprecations(small.app, DEPRECATED)


def described() -> dict[str, Any]:
    """openapi.yaml; another test says that it is that of the code."""
    text = (Path(__file__).parents[2] / "openapi.yaml").read_text()
    return dict(yaml.load(text, Loader=yaml.CSafeLoader))


# --- the page of the description


@pytest.mark.slow
def test_the_page_shows_our_description_with_a_token_to_paste(small: SmallExchange) -> None:
    shown = small.app.test_client().get("/docs/openapi.json").get_json()
    told = described()

    assert {name: told[name] for name in ("info", "paths", "tags")} == {n: shown[n] for n in ("info", "paths", "tags")}
    assert shown["components"]["securitySchemes"]["oauth2"]["scheme"] == "bearer"
    assert "servers" not in shown
    validate(shown)


def test_the_page_loads_its_own_parts_and_no_others(small: SmallExchange) -> None:
    http = small.app.test_client()
    page = http.get("/docs").get_data(as_text=True)

    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(parts) == 6
    for part in parts:
        assert http.get(part).status_code == 200, part
    assert "<script>" not in page
    assert "style=" not in page


@pytest.mark.parametrize("name", ["index.html", "..%2f__init__.py", "__init__.py", "page.html", "swagger-ui.js", "a"])
def test_the_page_has_no_other_parts(small: SmallExchange, name: str) -> None:
    assert_problem(small.app.test_client().get(f"/docs/{name}"), 404, "route-not-found")
