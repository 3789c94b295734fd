"""What the log says of who asks for tokens: enough for an operator to find a client that is refused, and no more."""

import json
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from adapters.client.tokens import ASSERTION_TYPE, make_client_assertion
from api.app import create_app
from api.logs import configure_logs
from api.settings import read_settings
from contracts.parties import JsonObject
from tests.support.small_exchange import SmallExchange

REFUSED: dict[str, Any] = {
    "a client that is nobody's": ({"client_id": "nobody-client"}, "nobody-client"),
    "an assertion that nobody signed": (None, "sierra-client"),
    "no client at all": ({}, None),
    "what is no id": ({"client_id": 'Bad "id"\n'}, None),
    "two ids": ({"client_id": ["a-client", "b-client"]}, "a-client"),
    "no assertion": ({"client_assertion": "x.y.z"}, None),
    "claims that are no object": ({"client_assertion": "e30.W10.AA"}, None),
}


@dataclass
class Asking:
    """Behind a proxy, and what is logged of the last request."""

    client: FlaskClient
    line: JsonObject = field(default_factory=dict)

    def post(self, path: str, address: str, **options: Any) -> int:
        written = StringIO()
        with redirect_stderr(written):
            configure_logs("info")
            answered = self.client.post(path, headers={"X-Forwarded-For": address}, **options)
        configure_logs("error")
        self.line = json.loads(written.getvalue().splitlines()[-1])
        assert self.line["route"] == path
        return answered.status_code


@pytest.fixture
def asking(small: SmallExchange) -> Iterator[Asking]:
    app = create_app(read_settings({**small.environ, "PARLEY_TRUSTED_PROXIES": "1"}), clock=small.clock)
    yield Asking(app.test_client())
    app.extensions["parley"].database.close()


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
def test_a_refused_request_is_logged_with_its_address_and_whom_it_claims_to_be(
    small: SmallExchange, asking: Asking, path: str, case: str
) -> None:
    form, expected = REFUSED[case]
    if form is None:
        form = {"client_assertion": assertion(small, key="lakeshore"), "client_assertion_type": ASSERTION_TYPE}

    status = asking.post(path, "203.0.113.9:81", data={"grant_type": "client_credentials", **form})

    assert 400 <= status < 500
    assert (asking.line["client"], asking.line["address"]) == (expected, "203.0.113.9")


def test_a_body_that_is_not_read_names_nobody(asking: Asking) -> None:
    form = {"client_id": "sierra-client", "more": "x" * 20_000}
    for options in ({"data": form}, {"json": form}):
        assert asking.post("/oauth/token", "nonsense", **options) in (413, 415)
        assert (asking.line["client"], asking.line["address"]) == (None, "unknown")


def test_whoever_gets_a_token_is_logged_without_an_address(small: SmallExchange, asking: Asking) -> None:
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    proof = assertion(small, key="sierra")

    assert asking.post("/oauth/token", "203.0.113.9", data={**form, "client_assertion": proof}) == 200

    assert asking.line["client"] == "sierra-client"
    assert asking.line["address"] is None
    assert proof not in str(asking.line)


def assertion(small: SmallExchange, key: str) -> str:
    """Of sierra's client."""
    url = f"{small.settings.issuer}/oauth/token"
    return make_client_assertion("sierra-client", small.client_keys[key], url, small.clock.now())
