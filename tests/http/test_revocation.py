"""POST /oauth/revoke: a token of one's own stops at once, everywhere, and nothing is told of any other."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copyfile
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from adapters.client.tokens import ASSERTION_TYPE, make_client_assertion
from api.app import create_app
from api.auth.metadata import METADATA_PATH, REVOCATION_PATH
from contracts.parties import JsonObject
from tests.http.exchange import assert_not_authenticated, assert_refused, opened, signed
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import ISSUER, SmallExchange, server_keys

REVOCATION_URL = ISSUER + REVOCATION_PATH
EXTERNAL = "https://login.sierra.example"
USES_MAX = 5000


@pytest.fixture
def small(migrated_url: str) -> Iterator[SmallExchange]:
    """On each database in turn, with keys that a second worker shares."""
    exchange = SmallExchange(migrated_url, settings_changes=server_keys())
    yield exchange
    exchange.wiring.database.close()


@pytest.fixture(scope="module")
def lite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """One for all tests that leave the clock alone and need no particular database."""
    path = tmp_path_factory.mktemp("revocation") / "parley.db"
    copyfile(sqlite_template, path)
    trusted = {"issuer": EXTERNAL, "jwks_uri": f"{EXTERNAL}/keys", "audience": ISSUER}
    issuers = path.with_name("issuers.json")
    issuers.write_text(json.dumps({"issuers": [trusted | {"client_claim": "client_id", "scopes_claim": "scope"}]}))
    changes = server_keys() | {"PARLEY_ISSUERS_FILE": str(issuers)}
    exchange = SmallExchange(f"sqlite:///{path}", settings_changes=changes)
    yield exchange
    exchange.wiring.database.close()


def ask(small: SmallExchange, name: str, path: str, audience: str, **form: str | None) -> TestResponse:
    """A form with a right assertion; a value of None leaves the parameter out."""
    assertion = make_client_assertion(f"{name}-client", small.client_keys[name], audience, small.clock.now())
    asked = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, **form}
    data = {parameter: value for parameter, value in asked.items() if value is not None}
    return small.app.test_client().post(path, data=data)


def revoke(small: SmallExchange, name: str, token: str | None, audience: str = REVOCATION_URL, **form: Any) -> Any:
    return ask(small, name, REVOCATION_PATH, audience, token=token, **form)


def new_token(small: SmallExchange, name: str = "sierra") -> str:
    granted = ask(small, name, "/oauth/token", f"{ISSUER}/oauth/token", grant_type="client_credentials")
    return str(granted.get_json()["access_token"])


def use(app: Flask, token: str) -> TestResponse:
    return app.test_client().get("/v1/contracts", headers={"Authorization": f"Bearer {token}"})


def assert_revoked(answer: TestResponse) -> None:
    assert (answer.status_code, answer.get_data()) == (200, b"")
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_revoked_token_opens_nothing_from_the_next_request_on_in_any_worker(small: SmallExchange) -> None:
    other_worker = create_app(small.settings, clock=small.clock)
    token, kept = new_token(small), new_token(small)
    for app in (small.app, other_worker):
        assert use(app, token).status_code == 200

    assert_revoked(revoke(small, "sierra", token))

    for app in (small.app, other_worker):
        refused = use(app, token)
        assert_problem(refused, 401, "token-revoked")
        assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
        assert use(app, kept).status_code == 200
    assert_revoked(revoke(small, "sierra", token))  # twice is as good as once
    other_worker.extensions["parley"].database.close()


def test_a_token_that_is_used_while_it_is_revoked_is_never_good_again_after_the_answer(small: SmallExchange) -> None:
    token, revoked = new_token(small), Event()

    def keep_using(_: int) -> list[bool]:
        """Of each use that was good, whether the revocation had been answered before it."""
        good = list[bool]()
        while len(good) < USES_MAX:
            was_revoked = revoked.is_set()
            if use(small.app, token).status_code == 401:
                break
            good.append(was_revoked)
        return good

    with ThreadPoolExecutor(5) as pool:
        uses = pool.map(keep_using, range(4))
        assert_revoked(pool.submit(revoke, small, "sierra", token).result())
        revoked.set()
        good = [was_revoked for each in uses for was_revoked in each]

    assert good
    assert not any(good)
    assert use(small.app, token).status_code == 401


def test_a_token_is_forgotten_only_after_it_has_expired_by_itself(small: SmallExchange) -> None:
    token = new_token(small)
    assert_revoked(revoke(small, "sierra", token))
    small.clock.go_on(seconds=299)
    assert_revoked(revoke(small, "sierra", new_token(small)))
    assert_problem(use(small.app, token), 401, "token-revoked")
    small.clock.go_on(hours=2)
    assert_revoked(revoke(small, "sierra", new_token(small)))
    with small.wiring.database.reading() as stores:
        assert not stores.tokens.is_revoked(opened(token)[1]["jti"])
    assert_problem(use(small.app, token), 401, "token-expired")


# --- whose token


def test_a_foreign_token_is_left_alone_and_nothing_is_told_of_it(lite: SmallExchange) -> None:
    token = new_token(lite, "blueridge")
    answers = [revoke(lite, "sierra", each) for each in (token, "nonsense", "a.b.c", "\u00e9\r\nSet-Cookie: a=b")]
    for answer in answers:
        assert_revoked(answer)
        assert "Set-Cookie" not in answer.headers
    assert use(lite.app, token).status_code == 200


def forged(small: SmallExchange, header: JsonObject, **changes: Any) -> str:
    """Signed with the exchange's own key of tokens: right but for what a test changes."""
    now = int(small.clock.now().timestamp())
    right = {
        "iss": ISSUER,
        "aud": small.settings.audience,
        "sub": "sierra-client",
        "client_id": "sierra-client",
        "organisation": "sierra",
        "scope": "contracts.read",
        "iat": now,
        "exp": now + 300,
        "jti": str(uuid4()),
    }
    published = small.wiring.token_keys.public_jwks()["keys"][0]
    standard = {"alg": published["alg"], "kid": published["kid"], "typ": "at+jwt"}
    return signed(json.loads(small.settings.token_key or ""), standard | header, right | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": "soon"},
        {"exp": 1e300},
        {"exp": float("inf")},
        {"exp": []},
        {"exp": 1},
        {"jti": None},
        {"iss": None},
        {"iss": "https://other.example"},
        {"client_id": None},
        {"client_id": ["sierra-client"]},
    ],
    ids=str,
)
def test_what_is_no_token_of_the_clients_own_is_answered_alike_and_not_stored(
    lite: SmallExchange, changes: JsonObject
) -> None:
    jti = str(uuid4())
    assert_revoked(revoke(lite, "sierra", forged(lite, {}, **{"jti": jti, **changes})))
    with lite.wiring.database.reading() as stores:
        assert not stores.tokens.is_revoked(jti)


def test_a_receipt_or_assertion_is_no_token(lite: SmallExchange) -> None:
    jti = str(uuid4())
    assert_revoked(revoke(lite, "sierra", forged(lite, {"typ": "parley-receipt+jwt"}, jti=jti)))
    with lite.wiring.database.reading() as stores:
        assert not stores.tokens.is_revoked(jti)


def test_a_token_of_an_external_issuer_is_not_said_to_be_revoked(lite: SmallExchange) -> None:
    """RFC 7009 2.2.1: here it would go on opening what it opens. Who is no client learns nothing."""
    for written in ("{}", " {}\n"):
        token = written.format(forged(lite, {"kid": "theirs"}, iss=EXTERNAL))
        assert_refused(revoke(lite, "sierra", token), "unsupported_token_type")
        assert_not_authenticated(revoke(lite, "sierra", token, client_assertion="a.b.c"))


# --- the request


def test_blanks_around_a_token_are_ignored_where_it_is_revoked_as_where_it_is_used(lite: SmallExchange) -> None:
    for written in (" {}\n", "{}\r\n", "\t{}", "{}\u00a0"):
        token = new_token(lite)
        assert use(lite.app, f"  {token} ").status_code == 200
        assert_revoked(revoke(lite, "sierra", written.format(token)))
        assert_problem(use(lite.app, token), 401, "token-revoked")


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "", "urn:x\r\nSet-Cookie: a=b", "\u00e9" * 300])
def test_a_hint_is_not_needed_and_never_wrong(lite: SmallExchange, hint: str) -> None:
    token = new_token(lite)
    answer = revoke(lite, "sierra", token, token_type_hint=hint)
    assert_revoked(answer)
    assert "Set-Cookie" not in answer.headers
    assert_problem(use(lite.app, token), 401, "token-revoked")


@pytest.mark.parametrize("audience", [REVOCATION_URL, f"{ISSUER}/oauth/token", ISSUER])
def test_the_assertion_may_be_for_either_endpoint_or_the_issuer(lite: SmallExchange, audience: str) -> None:
    assert_revoked(revoke(lite, "sierra", new_token(lite), audience))


def test_an_assertion_for_the_revocation_endpoint_gets_no_token(lite: SmallExchange) -> None:
    asked = ask(lite, "sierra", "/oauth/token", REVOCATION_URL, grant_type="client_credentials")
    assert_not_authenticated(asked)


def test_a_client_that_does_not_prove_itself_revokes_nothing(lite: SmallExchange) -> None:
    token = new_token(lite)
    for form in ({"client_assertion": None}, {"client_assertion": "a.b.c"}, {"client_secret": "x"}):
        assert_not_authenticated(revoke(lite, "sierra", token, **form))
    assert_not_authenticated(revoke(lite, "sierra", token, "https://other.example"))
    bearer = {"Authorization": f"Bearer {token}"}
    answer = lite.app.test_client().post(REVOCATION_PATH, data={"token": token}, headers=bearer)
    assert_not_authenticated(answer)
    assert use(lite.app, token).status_code == 200


def test_an_assertion_is_good_for_one_revocation(lite: SmallExchange) -> None:
    now, key = lite.clock.now(), lite.client_keys["sierra"]
    assertion = make_client_assertion("sierra-client", key, REVOCATION_URL, now)
    first, second = new_token(lite), new_token(lite)
    assert_revoked(revoke(lite, "sierra", first, client_assertion=assertion))
    assert_not_authenticated(revoke(lite, "sierra", second, client_assertion=assertion))
    assert use(lite.app, second).status_code == 200


def test_a_request_without_a_token_or_with_two_is_malformed(lite: SmallExchange) -> None:
    assert_refused(revoke(lite, "sierra", None), "invalid_request", "token is missing.")
    twice = lite.app.test_client().post(REVOCATION_PATH, data={"token": ["a", "b"]})
    assert_refused(twice, "invalid_request", "No parameter may appear more than once.")
    assert_refused(revoke(lite, "sierra", "a" * 20_000), "invalid_request", status=413)


def test_no_body_but_a_form_is_read(lite: SmallExchange) -> None:
    answer = lite.app.test_client().post(REVOCATION_PATH, json={"token": "x"})
    assert_problem(answer, 415, "media-type-unsupported")


def test_the_endpoint_is_published(lite: SmallExchange) -> None:
    published = lite.app.test_client().get(METADATA_PATH).get_json()
    assert published["revocation_endpoint"] == REVOCATION_URL
    for what in ("auth_methods_supported", "auth_signing_alg_values_supported"):
        assert published[f"revocation_endpoint_{what}"] == published[f"token_endpoint_{what}"]
    assert published["authorization_details_types_supported"] == ["data_sharing_contract"]
