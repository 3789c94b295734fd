"""A changing POST under an Idempotency-Key is done once or not at all, whatever is lost, repeated, raced or killed."""

import io
import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from shutil import copyfile
from threading import Barrier
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from adapters.client.exchange import ExchangeClient, ProblemAnswered
from adapters.database import DatabaseUnavailable
from adapters.database.stores.idempotency import SqlIdempotencyStore
from adapters.database.transactions import Transaction, kind_of
from api.app import create_app
from api.auth.jose import public_members
from api.auth.keys import new_private_jwk
from api.idempotency import KEPT, LEASE, WITHOUT_KEY, takes_key
from api.settings import read_settings
from contracts.canonical import canonical_bytes, digest_of, sha256
from contracts.parties import JsonObject, Role, Scope
from contracts.signing import sign
from tests.http.test_authorization_details import detail, narrowed
from tests.http.test_bad_input import assert_problem
from tests.http.test_who_gets_in import GUARDED, PUBLIC, ROUTES, Route
from tests.support.amending import following
from tests.support.processes import PROCESSES, Stand, end_of
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    ISSUER,
    PAYERS,
    START,
    SmallExchange,
    TurnableClock,
    fills,
    server_keys,
    small_contract,
)

OPERATOR = "overseer"
POSTS = [route for route in ROUTES if route.method == "POST"]
THREADS = 16
OF_RECEIPTS = "PARLEY_RECEIPT_KEY"


@pytest.fixture
def everywhere(migrated_url: str) -> Iterator[SmallExchange]:
    """Registered parties and no contract yet, on each database in turn."""
    exchange = SmallExchange(migrated_url, settings_changes=server_keys())
    yield exchange
    exchange.wiring.database.close()


@pytest.fixture(scope="module")
def shared(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """The small contract in force, and each test under keys of its own."""
    path = tmp_path_factory.mktemp("idempotency") / "parley.db"
    copyfile(sqlite_template, path)
    exchange = SmallExchange(f"sqlite:///{path}", template="agreed")
    yield exchange
    exchange.wiring.database.close()


def send(
    exchange: SmallExchange,
    name: str,
    path: str,
    body: Any = None,
    key: str | None = "key-1",
    *,
    headers: Mapping[str, str] | None = None,
    scope: str | None = None,
) -> TestResponse:
    options = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
    sent = exchange.headers(name, scope) | ({} if key is None else {"Idempotency-Key": key}) | dict(headers or {})
    return exchange.app.test_client().post(path, headers=sent, **options)


def draft(
    exchange: SmallExchange, key: str | None = "key-1", *, headers: Mapping[str, str] | None = None, **changes: Any
) -> TestResponse:
    return send(exchange, BRAND, "/v1/contracts", small_contract(**changes), key, headers=headers)


def contracts_of(exchange: SmallExchange) -> list[str]:
    return [line["id"] for line in exchange.get(BRAND, "/v1/contracts").get_json()["contracts"]]


def acts(exchange: SmallExchange, action: str, name: str = BRAND) -> int:
    """How often it is on record in the organisation's own book."""
    records = exchange.get(name, "/v1/audit", limit="1000").get_json()["records"]
    return sum(record["act"]["action"] == action for record in records)


def rows(exchange: SmallExchange) -> list[Any]:
    with sqlite3.connect(exchange.url.removeprefix("sqlite:///")) as connection:
        return connection.execute("SELECT * FROM idempotent_requests").fetchall()


def assert_replayed(answered: TestResponse, first: TestResponse) -> None:
    assert answered.status_code == first.status_code
    assert answered.get_data() == first.get_data()
    for name in ("Content-Type", "ETag", "Location"):
        assert answered.headers.get(name) == first.headers.get(name)
    assert answered.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers


# --- which requests take a key


def test_every_post_takes_a_key_or_is_known_for_why_not(small: SmallExchange) -> None:
    """A new route needs nothing for it; where a key would mean nothing, WITHOUT_KEY says why."""
    small.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    assert {route.rule for route in POSTS if route.scope is None} <= PUBLIC
    assert set(WITHOUT_KEY) <= {route.rule for route in POSTS}
    assert all(WITHOUT_KEY.values())

    def refuses_a_bad_key(route: Route) -> bool:
        answered = send(small, OPERATOR, route.path(), key='"')
        return bool(answered.get_json()["type"] == "urn:parley:problem:idempotency-key-malformed")

    guarded = [route for route in POSTS if route.scope is not None]
    assert {route.rule for route in guarded if not refuses_a_bad_key(route)} == set(WITHOUT_KEY)
    assert len(guarded) - len(WITHOUT_KEY) >= 18


def test_the_description_has_the_key_on_just_those_operations() -> None:
    document = yaml.load((Path(__file__).parents[2] / "openapi.yaml").read_text(), Loader=yaml.CSafeLoader)
    described = {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
        and any(each.get("name") == "Idempotency-Key" for each in operation.get("parameters", []))
        and {"400", "409", "422"} <= set(operation["responses"])
    }
    taking = {
        (route.method, route.rule.replace("<string:", "{").replace(">", "}"))
        for route in GUARDED
        if takes_key(route.method, route.rule)
    }
    assert described == taking


@pytest.mark.parametrize(
    "key", ["", '"', '""', '"a', 'a"', "a b", "a,b", '"a", "b"', '"a";b=1', "ä", '"\t"', r'"\a"', r"a\b", "x" * 256]
)
def test_a_malformed_key_is_refused(shared: SmallExchange, key: str) -> None:
    assert_problem(draft(shared, key, id="dsc-malformed"), 400, "idempotency-key-malformed")
    assert "dsc-malformed" not in contracts_of(shared)


@pytest.mark.parametrize(
    ("first", "second"), [("key-1", '"key-1"'), (r'"a \"b\" \\c"', r'"a \"b\" \\c"'), ("x" * 255,) * 2]
)
def test_a_key_is_a_string_of_http_or_bare(shared: SmallExchange, first: str, second: str) -> None:
    drafted = {"id": f"dsc-{sha256(first.encode())[:8]}"}
    one = draft(shared, first, **drafted)
    assert one.status_code == 201
    assert_replayed(draft(shared, second, **drafted), one)


@pytest.mark.parametrize(("key", "periods"), [("key-1", ("2025-01", "2025-02")), ('"', ("2025-03", "2025-04"))])
def test_a_key_on_a_submission_or_a_preview_is_ignored(
    shared: SmallExchange, key: str, periods: tuple[str, str]
) -> None:
    """A submission has its submission_id; of its body nothing is kept, not even a digest."""
    before = rows(shared)
    path = f"/v1/contracts/{CONTRACT}/submissions"
    for period in periods:
        assert send(shared, "sierra", path, fills(period), key).status_code == 201
    previewed = send(shared, BRAND, "/v1/contract-previews", {"document": small_contract()}, key)
    assert previewed.status_code == 200
    assert rows(shared) == before


def test_a_request_without_a_key_leaves_nothing_behind(small: SmallExchange) -> None:
    assert draft(small, None).status_code == 201
    assert_problem(draft(small, None), 409, "already-exists")
    assert rows(small) == []


# --- what a repetition is answered


def test_a_repetition_is_answered_as_the_first_and_does_nothing(everywhere: SmallExchange) -> None:
    first = draft(everywhere)
    assert first.status_code == 201
    assert first.headers["ETag"]
    assert first.headers["Location"] == f"{ISSUER}/v1/contracts/{CONTRACT}?version=1"

    for _ in range(2):
        assert_replayed(draft(everywhere), first)
    assert contracts_of(everywhere) == [CONTRACT]
    assert acts(everywhere, "contract_drafted") == 1


def test_the_whole_life_of_a_contract_goes_twice_at_every_step(small: SmallExchange) -> None:
    path = f"/v1/contracts/{CONTRACT}"

    def twice(name: str, path: str, body: Any = None) -> JsonObject:
        key = str(uuid4())
        first = send(small, name, path, body, key)
        assert first.status_code in (200, 201), first.get_json()
        assert_replayed(send(small, name, path, body, key), first)
        return dict(first.get_json())

    twice(BRAND, "/v1/contracts", small_contract())
    document = twice(BRAND, f"{path}/proposal")["document"]
    for name in (*PAYERS, BRAND):
        jws = sign(document, small.signing_keys[name], f"Ann of {name}", "Privacy Officer")
        twice(name, f"{path}/signatures", {"jws": jws})
    twice("sierra", f"{path}/suspension", {"reason": "an incident"})
    for name in (*PAYERS, BRAND):
        twice(name, f"{path}/resumption", {"reason": "resolved"})
    twice("sierra", "/v1/populations/sierra-members/suspension", {"reason": "a breach"})
    twice("sierra", "/v1/populations/sierra-members/resumption", {"reason": "mended"})
    for name in (*PAYERS, BRAND):
        twice(name, f"{path}/termination", {"reason": "done with"})

    events = small.get(BRAND, path).get_json()["events"]
    kinds = [event["kind"] for event in events]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "suspended": 1,
        "resume_agreed": 4,
        "resumed": 1,
        "termination_agreed": 4,
        "terminated": 1,
    }


def test_an_operators_registrations_go_twice_too(small: SmallExchange) -> None:
    small.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    newcomer = {"id": "newcomer", "name": "Newcomer", "role": "payer"}
    for path, body in (
        ("/v1/organisations", newcomer),
        ("/v1/organisations/newcomer/populations", {"id": "newcomer-members"}),
        ("/v1/organisations/sierra/clients/sierra-client/revocation", {"reason": "stolen"}),
    ):
        key = str(uuid4())
        first = send(small, OPERATOR, path, body, key)
        assert first.status_code in (200, 201), first.get_json()
        assert_replayed(send(small, OPERATOR, path, body, key), first)


def test_a_key_is_for_one_request(small: SmallExchange) -> None:
    first = draft(small)
    path = f"/v1/contracts/{CONTRACT}/proposal"

    for other in (
        draft(small, title="Another title"),
        send(small, BRAND, "/v1/contracts?again=1", small_contract()),
        send(small, BRAND, path),
        send(small, BRAND, "/v1/contracts", small_contract(), headers={"If-Match": '"other"'}),
    ):
        assert_problem(other, 422, "idempotency-key-reused")
    assert_replayed(draft(small), first)
    assert send(small, BRAND, path, key="key-2").status_code == 200


def test_a_key_is_each_clients_own(small: SmallExchange) -> None:
    assert draft(small).status_code == 201
    others = send(small, "sierra", "/v1/contracts", small_contract())
    assert_problem(others, 409, "already-exists")
    assert send(small, "sierra", "/v1/contracts", small_contract(id="dsc-other")).status_code == 201


def test_a_refusal_changed_nothing_so_its_key_may_try_again(small: SmallExchange) -> None:
    assert_problem(draft(small, title=""), 422, "input-invalid")
    first = draft(small)
    assert first.status_code == 201
    assert_replayed(draft(small), first)


@pytest.mark.parametrize("error", [RuntimeError, DatabaseUnavailable])
def test_after_an_error_of_the_exchange_it_is_not_tried_again_since_it_may_have_been_done(
    small: SmallExchange, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr("api.routes.contracts.contract_json", fail)  # once the draft is there
        assert draft(small).status_code in (500, 503)
    assert contracts_of(small) == [CONTRACT]
    discarded = small.app.test_client().delete(
        f"/v1/contracts/{CONTRACT}/draft", headers=small.headers(BRAND) | {"If-Match": "*"}
    )
    assert discarded.status_code == 204

    assert_problem(draft(small), 409, "idempotency-key-in-flight")
    small.clock.instant += LEASE + timedelta(seconds=1)
    assert_problem(draft(small), 409, "idempotency-key-unresolved")
    assert acts(small, "contract_drafted") == 1


def test_a_key_is_forgotten_after_a_day(small: SmallExchange) -> None:
    first = draft(small)
    small.clock.instant += KEPT
    assert_replayed(draft(small), first)
    small.clock.go_on(seconds=1)
    assert_problem(draft(small), 409, "already-exists")


def test_a_request_whose_answer_could_not_be_kept_is_not_done_again(
    agreed: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Suspended, resumed by all, and asked again under the same key: that would suspend twice."""
    path = f"/v1/contracts/{CONTRACT}"

    def lose(*_: object) -> None:
        raise DatabaseUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(SqlIdempotencyStore, "answer", lose)
        assert send(agreed, BRAND, f"{path}/suspension", {"reason": "one"}).status_code == 201
    for name in (*PAYERS, BRAND):
        assert agreed.post(name, f"{path}/resumption", {"reason": "two"}).status_code == 201
    agreed.clock.instant += LEASE + timedelta(seconds=1)

    again = send(agreed, BRAND, f"{path}/suspension", {"reason": "one"})
    assert_problem(again, 409, "idempotency-key-unresolved")
    assert "Retry-After" not in again.headers
    assert "new key" in again.get_json()["detail"]
    assert agreed.get(BRAND, path).get_json()["status"] == "in_force"
    assert send(agreed, BRAND, f"{path}/suspension", {"reason": "one"}, "key-2").status_code == 201


def test_the_lease_begins_once_the_body_is_there_however_slowly_it_came(agreed: SmallExchange) -> None:
    class Slow(io.BytesIO):
        def readinto(self, buffer: Any, /) -> int:
            agreed.clock.instant += LEASE
            return super().readinto(buffer)

    body = json.dumps({"reason": "an incident"}).encode()
    answered = agreed.app.test_client().post(
        f"/v1/contracts/{CONTRACT}/suspension",
        headers=agreed.headers(BRAND) | {"Idempotency-Key": "key-1", "Content-Type": "application/json"},
        input_stream=Slow(body),
        content_length=len(body),
    )

    assert answered.status_code == 201
    with sqlite3.connect(agreed.url.removeprefix("sqlite:///")) as connection:
        [(lease_until,)] = connection.execute("SELECT lease_until FROM idempotent_requests")
    now = agreed.clock.now()
    assert now >= START + LEASE
    assert datetime.fromisoformat(lease_until).replace(tzinfo=UTC) == now + LEASE


def test_a_new_version_says_where_it_is_whatever_the_host_header_says(small: SmallExchange) -> None:
    small.agree()
    second = following(small, version=1)
    for _ in range(2):
        path = f"/v1/contracts/{CONTRACT}/versions"
        amended = send(small, BRAND, path, second, headers={"Host": "evil.example"})
        assert amended.status_code == 201
        assert amended.headers["Location"] == f"{ISSUER}/v1/contracts/{CONTRACT}?version=2"
    path = amended.headers["Location"].removeprefix(ISSUER)
    there = small.app.test_client().get(path, headers=small.headers(BRAND))
    assert there.get_json()["document"] == amended.get_json()["document"]
    assert there.headers["ETag"] == amended.headers["ETag"]


# --- the fingerprint


def test_a_fingerprint_is_under_a_secret_that_the_database_lacks_and_stays_good_while_that_is_replaced(
    migrated_sqlite_url: str,
) -> None:
    """Else whoever has the files of the database could guess at exact numbers that were posted to a wrong address."""
    old, new = (new_private_jwk("ES256") for _ in range(2))
    small = SmallExchange(migrated_sqlite_url, settings_changes=server_keys() | {OF_RECEIPTS: json.dumps(old)})
    first = draft(small)
    assert first.status_code == 201

    def repeated(*ring: JsonObject) -> TestResponse:
        environ = small.environ | {OF_RECEIPTS: json.dumps({"keys": ring})}
        client = create_app(read_settings(environ), clock=small.clock).test_client()
        headers = small.headers(BRAND) | {"Idempotency-Key": "key-1", "Content-Type": "application/json"}
        return client.post("/v1/contracts", data=json.dumps(small_contract()), headers=headers)

    for ring in ((old, new), (new, old)):
        assert_replayed(repeated(*ring), first)
    assert_problem(repeated(new, public_members(old)), 422, "idempotency-key-reused")


def test_a_key_is_for_one_narrowing_of_the_token(small: SmallExchange) -> None:
    """What a token allows decides what is done: a repetition with another is another request."""
    whole = draft(small)
    narrow = narrowed(small, BRAND, detail(CONTRACT, "contracts.write"))
    assert_problem(draft(small, "key-1", headers=narrow), 422, "idempotency-key-reused")
    assert_replayed(draft(small), whole)

    path = f"/v1/contracts/{CONTRACT}/proposal"
    proposed = send(small, BRAND, path, key="key-2", headers=narrow)
    assert proposed.status_code == 200
    assert_replayed(send(small, BRAND, path, key="key-2", headers=narrow), proposed)
    assert_problem(send(small, BRAND, path, key="key-2"), 422, "idempotency-key-reused")
    elsewhere = narrowed(small, BRAND, detail("dsc-other", "contracts.write"))
    assert_problem(send(small, BRAND, path, key="key-2", headers=elsewhere), 422, "idempotency-key-reused")


# --- nobody is shown by a repetition what it may not see now


def test_token_and_scope_come_before_the_key(small: SmallExchange) -> None:
    first = draft(small)
    for key in ("key-1", '"'):
        without = small.app.test_client().post("/v1/contracts", headers={"Idempotency-Key": key})
        assert_problem(without, 401, "token-missing")
        reading = send(small, BRAND, "/v1/contracts", small_contract(), key, scope="contracts.read")
        assert_problem(reading, 403, "scope-missing")
    assert_replayed(draft(small), first)

    small.wiring.registering.revoke_client(f"{BRAND}-client", "stolen")
    assert_problem(draft(small), 401, "token-invalid")


def test_a_contract_that_is_the_callers_no_more_is_not_shown_by_a_repetition(small: SmallExchange) -> None:
    """No way leads there today but the database itself: the check of the moment is made all the same."""
    draft(small)
    proposed = send(small, BRAND, f"/v1/contracts/{CONTRACT}/proposal", key="key-2")
    assert proposed.status_code == 200
    taken_out = json.loads(json.dumps(proposed.get_json()["document"]).replace(f'"{BRAND}"', '"somebody"'))
    form = canonical_bytes(taken_out).decode()
    with sqlite3.connect(small.url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE contracts SET document = ?, digest = ?", (form, digest_of(taken_out)))

    assert_problem(draft(small), 404, "contract-not-found")
    assert_problem(send(small, BRAND, f"/v1/contracts/{CONTRACT}/proposal", key="key-2"), 404, "contract-not-found")


def test_of_a_discarded_draft_no_answer_is_kept_and_its_key_is_new(small: SmallExchange) -> None:
    draft(small)
    discarded = small.app.test_client().delete(
        f"/v1/contracts/{CONTRACT}/draft", headers=small.headers(BRAND) | {"If-Match": "*"}
    )
    assert discarded.status_code == 204
    assert rows(small) == []

    again = draft(small, title="Written anew")
    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again.headers


# --- races and deaths


def test_of_many_requests_at_once_under_one_key_one_is_carried_out(everywhere: SmallExchange) -> None:
    everywhere.token(BRAND)
    start = Barrier(THREADS)

    def post(_number: int) -> TestResponse:
        start.wait(timeout=30)
        return draft(everywhere)

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(post, range(THREADS)))

    done = [each for each in answers if each.status_code == 201]
    first = [each for each in done if "Idempotent-Replayed" not in each.headers]
    assert len(first) == 1
    for each in done:
        assert each.get_data() == first[0].get_data()
    for each in answers:
        if each not in done:
            assert_problem(each, 409, "idempotency-key-in-flight")
            assert int(each.headers["Retry-After"]) >= 1
    assert acts(everywhere, "contract_drafted") == 1
    assert_replayed(draft(everywhere), first[0])


# The writing transactions of a request with a key: it claims the key, does what is asked, and keeps the answer.
BEFORE_IT_IS_DONE, BEFORE_THE_ANSWER_IS_KEPT = 2, 3


@pytest.mark.slow
@pytest.mark.parametrize("point", [BEFORE_IT_IS_DONE, BEFORE_THE_ANSWER_IS_KEPT])
def test_after_a_death_half_way_a_key_is_never_used_again(everywhere: SmallExchange, point: int) -> None:
    process = PROCESSES.Process(target=_draft_and_die, args=(Stand.of(everywhere, BRAND), point))
    process.start()
    assert end_of(process) == -signal.SIGKILL
    done_before = point is BEFORE_THE_ANSWER_IS_KEPT
    assert contracts_of(everywhere) == ([CONTRACT] if done_before else [])

    for _ in range(2):
        assert_problem(draft(everywhere), 409, "idempotency-key-in-flight")
        everywhere.clock.instant += LEASE / 2
    assert_problem(draft(everywhere, title="Another title"), 422, "idempotency-key-reused")
    everywhere.clock.go_on(seconds=1)
    for _ in range(2):
        assert_problem(draft(everywhere), 409, "idempotency-key-unresolved")
        everywhere.clock.instant += KEPT / 2
    assert acts(everywhere, "contract_drafted") == int(done_before)
    assert draft(everywhere, "key-2").status_code == (409 if done_before else 201)


def _draft_and_die(stand: Stand, point: int) -> None:
    app = stand.make_app()
    begun = count(1)

    def begin(connection: sa.Connection) -> None:
        if kind_of(connection) is Transaction.WRITING and next(begun) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(sa.Engine, "begin", begin)
    headers = dict(stand.headers) | {"Idempotency-Key": "key-1"}
    app.test_client().post("/v1/contracts", data=json.dumps(small_contract()), content_type="application/json",
                           headers=headers)  # fmt: skip


class Died(BaseException):
    """As if the process had: nothing that handles errors sees it."""


@contextmanager
def dying(point: int | None) -> Iterator[None]:
    """Of the writing transactions that begin meanwhile, the one of this number does not."""
    begun = count(1)

    def begin(connection: sa.Connection) -> None:
        if kind_of(connection) is Transaction.WRITING and next(begun) == point:
            raise Died

    sa.event.listen(sa.Engine, "begin", begin)
    try:
        with suppress(Died):
            yield
    finally:
        sa.event.remove(sa.Engine, "begin", begin)


STEPS = st.tuples(
    st.integers(0, 2),  # which key, and with it what is asked
    st.sampled_from([None, BEFORE_IT_IS_DONE, BEFORE_THE_ANSWER_IS_KEPT]),
    st.sampled_from([timedelta(0), LEASE, LEASE * 2]),
)
ASKED = ("suspension", "resumption", "suspension")


@settings(max_examples=20)
@given(steps=st.lists(STEPS, min_size=3, max_size=10))
def test_no_key_ever_has_two_effects(shared: SmallExchange, steps: list[tuple[int, int | None, timedelta]]) -> None:
    """A party stops its population and lets it go on in any order, dying at any point, and coming back at any time."""
    keys = [str(uuid4()) for _ in ASKED]
    for which, point, pause in steps:
        shared.token("foreigner")
        with dying(point):
            path = f"/v1/populations/foreigner-members/{ASKED[which]}"
            send(shared, "foreigner", path, {"reason": keys[which]}, keys[which])
        shared.clock.instant += pause

    on_record = shared.get("foreigner", "/v1/audit", limit="1000").get_data(as_text=True)
    for key in keys:
        assert on_record.count(key) <= 1


# --- our own client


class LossyLine(httpx.BaseTransport):
    """Hands requests to the exchange, and loses the answers to the next few that are not for a token."""

    def __init__(self, exchange: SmallExchange) -> None:
        self.exchange = exchange
        self._line = httpx.WSGITransport(exchange.app)
        self.lose = 0
        self.keys: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._line.handle_request(request)
        if request.url.path == "/oauth/token":
            return response
        self.keys.append(request.headers.get("Idempotency-Key"))
        if self.lose:
            self.lose -= 1
            response.read()
            raise httpx.ReadError("the line broke")
        return response


@pytest.fixture
def line(migrated_sqlite_url: str) -> LossyLine:
    return LossyLine(SmallExchange(migrated_sqlite_url, clock=TurnableClock(datetime.now(UTC))))


@pytest.fixture
def client(line: LossyLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExchangeClient]:
    over_this_line = httpx.Client(base_url=ISSUER, transport=line)
    monkeypatch.setattr("adapters.client.exchange._http_client", lambda *_: over_this_line)
    with ExchangeClient(ISSUER, f"{BRAND}-client", line.exchange.client_keys[BRAND]) as opened:
        yield opened


def test_our_client_repeats_a_changing_post_once_with_the_same_key(line: LossyLine, client: ExchangeClient) -> None:
    line.lose = 1
    drafted = client.draft(small_contract())
    assert drafted["id"] == CONTRACT
    first, second = line.keys
    assert first is not None
    assert first == second

    client.propose(CONTRACT)
    assert len(set(line.keys)) == 2

    line.lose = 2
    with pytest.raises(httpx.ReadError):
        client.draft(small_contract(id="dsc-second"))
    with pytest.raises(ProblemAnswered, match="taken"):
        client.draft(small_contract(id="dsc-second"))


def test_our_client_repeats_neither_a_submission_nor_what_changes_nothing(
    line: LossyLine, client: ExchangeClient
) -> None:
    calls: list[Callable[[], JsonObject]] = [
        lambda: client.submit(CONTRACT, "fills", "2025-01", {}),
        lambda: client.get_contract(CONTRACT),
    ]
    for call in calls:
        line.lose, line.keys = 1, []
        with pytest.raises(httpx.ReadError):
            call()
        assert line.keys == [None]
