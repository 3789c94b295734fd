"""Lists that grow come in pages, of which nothing is missing and nothing is there twice."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from shutil import copyfile
from typing import Any

import httpx
import pytest
from werkzeug.test import TestResponse

from adapters.client.exchange import ExchangeClient
from api.schemas.paging import write_cursor
from contracts.ledger.reading import read_entries
from contracts.parties import Client, JsonObject, Organisation, Role, Scope, SigningKey
from contracts.records import ContractRecord, Stage
from tests.http.test_bad_input import assert_problem
from tests.support.amending import following, propose_next
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    ISSUER,
    PAYERS,
    START,
    SmallExchange,
    TurnableClock,
    fills,
    small_contract,
)

OPERATOR = "overseer"
LEDGER, RELEASES = f"/v1/contracts/{CONTRACT}/ledger", f"/v1/contracts/{CONTRACT}/releases"
# Path, the member that holds the lines, and what tells one line from another.
LISTS = {
    "contracts": ("/v1/contracts", "contracts", ("id", "version")),
    "organisations": ("/v1/organisations", "organisations", ("id",)),
    "clients": (f"/v1/organisations/{BRAND}/clients", "clients", ("id",)),
    "signing keys": ("/v1/signing-keys", "signing_keys", ("kid",)),
    "ledger entries": (LEDGER, "entries", ("sequence",)),
}
PATHS = [*(path for path, _, _ in LISTS.values()), RELEASES]


@pytest.fixture
def everywhere(migrated_url: str) -> Iterator[SmallExchange]:
    exchange = SmallExchange(migrated_url)
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    yield exchange
    exchange.wiring.database.close()


@pytest.fixture(scope="module")
def shared(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """The small contract in force, with a dozen releases of one payer. For tests that only read."""
    path = tmp_path_factory.mktemp("paging") / "parley.db"
    copyfile(sqlite_template, path)
    exchange = SmallExchange(f"sqlite:///{path}", clock=TurnableClock(datetime.now(UTC)))
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    exchange.agree()
    for month in range(1, 13):
        assert exchange.submit("sierra", fills(f"2025-{month:02}")).status_code == 201
    yield exchange
    exchange.wiring.database.close()


def pages(exchange: SmallExchange, name: str, path: str, **query: str) -> Iterator[TestResponse]:
    """Page by page, by the cursor; the link must say the same."""
    following: str | None = ""
    while following is not None:
        cursor = {"cursor": following} if following else {}
        answered = exchange.get(name, path, **query, **cursor)
        assert answered.status_code == 200, answered.get_json()
        yield answered
        following = answered.get_json()["next_cursor"]
        link = re.fullmatch(r'<(.*)>; rel="next"', answered.headers.get("Link", ""))
        assert (link is None) is (following is None)
        if link is not None:
            assert link[1].startswith(f"{ISSUER}{path}?")
            assert dict(httpx.URL(link[1]).params) == {**query, "cursor": following}


def walk(exchange: SmallExchange, name: str, kind: str, **query: str) -> list[tuple[Any, ...]]:
    path, member, key = LISTS[kind]
    lines = [line for page in pages(exchange, name, path, **query) for line in page.get_json()[member]]
    return [tuple(line[part] for part in key) for line in lines]


def drafts(number: int, first: datetime = START, by: str = BRAND) -> list[ContractRecord]:
    """Drafts of which many are of one instant, with ids that locales sort in orders of their own."""
    document = small_contract()
    found = []
    for i in range(number):
        contract_id = f"{'a-b' if i % 2 else 'ab'}{'-' if i % 3 else ''}{i}"
        record = ContractRecord(contract_id, 1, Stage.DRAFT, document, None, by, first + timedelta(seconds=i // 50))
        found.append(replace(record, document=document | {"id": contract_id}))
    return found


def add(exchange: SmallExchange, *records: ContractRecord) -> None:
    with exchange.wiring.database.writing() as stores:
        for record in records:
            stores.contracts.add(record)


def fill(exchange: SmallExchange, number: int) -> None:
    """Many lines in every list that is kept in SQL, in an order of their own."""
    made = drafts(number)
    hidden = [replace(each, id=f"hidden-{each.id}", drafted_by="sierra") for each in drafts(number // 2)]
    add(exchange, *Random(5).sample(made + hidden, len(made + hidden)))
    key = {"kty": "OKP", "crv": "Ed25519"}
    with exchange.wiring.database.writing() as stores:
        for i in Random(6).sample(range(number), number):
            stores.parties.add_organisation(
                Organisation(f"{'o-p' if i % 2 else 'op'}-{i}", "One of many", Role.PAYER, START)
            )
            jwk = key | {"x": base64.urlsafe_b64encode(i.to_bytes(32)).decode().rstrip("=")}
            client_id = f"{'c-d' if i % 2 else 'cd'}-{i}"
            stores.parties.add_client(Client(client_id, BRAND, frozenset({Scope.LEDGER_READ}), (), START))
            registered_at = START + timedelta(microseconds=i // 40)
            stores.parties.add_signing_key(SigningKey(f"{'K' if i % 2 else 'k'}-{i}", BRAND, jwk, registered_at))


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["200", "23"])
def test_page_by_page_every_line_is_there_once_in_one_order(everywhere: SmallExchange, limit: str) -> None:
    fill(everywhere, 250)
    expected = {
        "contracts": [(each.id, 1) for each in sorted(drafts(250), key=lambda each: (each.drafted_at, each.id))],
        "organisations": sorted(
            [(f"{'o-p' if i % 2 else 'op'}-{i}",) for i in range(250)]
            + [(name,) for name in (*PAYERS, BRAND, "foreigner", OPERATOR)]
        ),
        "clients": sorted([(f"{'c-d' if i % 2 else 'cd'}-{i}",) for i in range(250)] + [(f"{BRAND}-client",)]),
    }
    callers = {"contracts": BRAND, "organisations": OPERATOR, "clients": OPERATOR, "signing keys": BRAND}
    for kind, name in callers.items():
        walked = walk(everywhere, name, kind, limit=limit)
        assert len(walked) == len(set(walked)) >= 250
        assert walked == expected.get(kind, walked)
        path, member, _ = LISTS[kind]
        first = everywhere.get(name, path).get_json()
        assert len(first[member]) == 100
        assert first["next_cursor"]


@pytest.mark.slow
def test_what_comes_and_goes_meanwhile_neither_skips_nor_repeats_another_line(everywhere: SmallExchange) -> None:
    made = drafts(60)
    add(everywhere, *made)
    walked = []
    gone = set()
    for number, page in enumerate(pages(everywhere, BRAND, "/v1/contracts", limit="7")):
        lines = [line["id"] for line in page.get_json()["contracts"]]
        walked += lines
        with everywhere.wiring.database.writing() as stores:
            stores.contracts.discard_draft(lines[-1], 1)  # the very one that the cursor names
        gone.add(lines[-1])
        before, among, last = (
            replace(made[0], id=f"{word}-{number}", drafted_at=made[0].drafted_at + timedelta(seconds=seconds))
            for word, seconds in (("earlier", -1), ("a-among", 0), ("later", 9))
        )
        add(everywhere, before, among, *([last] if number < 5 else []))

    there_throughout = {record.id for record in made} - gone
    assert len(walked) == len(set(walked))
    assert there_throughout <= set(walked)
    assert not [name for name in walked if name.startswith("earlier")]
    assert len([name for name in walked if name.startswith("later")]) == 5


def test_versions_of_one_contract_are_parted_between_pages(agreed: SmallExchange) -> None:
    for version in range(1, 6):
        propose_next(agreed, following(agreed, version=version))
    add(agreed, *drafts(3))

    whole = walk(agreed, BRAND, "contracts")

    assert whole == [("a-b-1", 1), ("ab-2", 1), ("ab0", 1)] + [(CONTRACT, version) for version in range(1, 7)]
    assert walk(agreed, BRAND, "contracts", limit="4") == whole


def test_a_ledger_is_read_in_pages_with_the_totals_of_all_entries(shared: SmallExchange) -> None:
    answers = [page.get_json() for page in pages(shared, "sierra", LEDGER, limit="5")]

    assert [len(page["entries"]) for page in answers] == [5, 5, 3]
    assert walk(shared, "sierra", "ledger entries", limit="5") == [(number,) for number in range(1, 14)]
    totals = [{name: page[name] for name in page if name not in ("entries", "next_cursor")} for page in answers]
    assert totals[0] == totals[1] == totals[2]
    assert totals[0]["balance"] == answers[-1]["entries"][-1]["balance"]


def test_own_releases_are_read_in_pages_with_the_whole_coverage(shared: SmallExchange) -> None:
    whole = shared.get("sierra", RELEASES).get_json()
    answers = [page.get_json() for page in pages(shared, "sierra", RELEASES, limit="5")]

    own = [[r["release_id"] for feed in page["feeds"] for r in feed["own_releases"]] for page in answers]
    assert [len(ids) for ids in own] == [5, 5, 2]
    assert [name for ids in own for name in ids] == [r["release_id"] for f in whole["feeds"] for r in f["own_releases"]]
    for page in answers:
        assert [feed["covered"] for feed in page["feeds"]] == [feed["covered"] for feed in whole["feeds"]]


# --- cursors


def encoded(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


CURSORS = {
    "empty": "",
    "no base64": "!!!",
    "no JSON": base64.urlsafe_b64encode(b"nonsense").decode().rstrip("="),
    "no UTF-8": base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="),
    "no list": base64.urlsafe_b64encode(b"5").decode(),
    "deep": base64.urlsafe_b64encode(b"[" * 700).decode().rstrip("="),
    "of another version": encoded(2, "contracts", 0, "a", 1),
    "of a list that is none": encoded(1, "statistics", "a"),
    "long": "A" * 1001,
    "padded": base64.urlsafe_b64encode(b'[1,"organisations","ab"]').decode() + "=",
    "spaced": base64.urlsafe_b64encode(b'[1, "organisations", "ab"]').decode().rstrip("="),
    "too short": encoded(1, "contracts", 0, "a"),
    "too long": encoded(1, "organisations", "a", "b"),
    "of another type": encoded(1, "ledger_entries", "1"),
    "true": encoded(1, "ledger_entries", True),
    "negative": encoded(1, "ledger_entries", -1),
    "fractional": encoded(1, "ledger_entries", 1.5),
    "too large": encoded(1, "ledger_entries", 2**31),
    "beyond time": encoded(1, "signing_keys", 2**62, "kid"),
    "NUL": encoded(1, "organisations", "a\x00"),
    "surrogate": base64.urlsafe_b64encode(b'[1,"organisations","\\ud800"]').decode().rstrip("="),
    "a release of nobody": encoded(1, "own_releases", "rel-1"),
}


@pytest.mark.parametrize("cursor", CURSORS.values(), ids=CURSORS)
@pytest.mark.parametrize("path", PATHS)
def test_a_cursor_that_is_none_is_refused(shared: SmallExchange, path: str, cursor: str) -> None:
    name = OPERATOR if path.startswith("/v1/organisations") else "sierra"
    assert_problem(shared.get(name, path, cursor=cursor), 422, "input-invalid", "/cursor")


@pytest.mark.parametrize("limit", ["0", "-1", "201", "many", "", "1.5"])
@pytest.mark.parametrize("path", PATHS)
def test_a_limit_beyond_what_a_page_holds_is_refused(shared: SmallExchange, path: str, limit: str) -> None:
    name = OPERATOR if path.startswith("/v1/organisations") else "sierra"
    assert_problem(shared.get(name, path, limit=limit), 422, "input-invalid", "/limit")


def test_a_cursor_is_a_position_in_ones_own_list_and_nothing_more(shared: SmallExchange) -> None:
    forged = write_cursor("contracts", (START - timedelta(days=9), "anything", 7))
    assert shared.get("foreigner", "/v1/contracts", cursor=forged).get_json()["contracts"] == []
    assert len(shared.get("sierra", "/v1/contracts", cursor=forged).get_json()["contracts"]) == 1
    release = shared.get("sierra", RELEASES).get_json()["feeds"][0]["own_releases"][0]["release_id"]
    others = shared.get("lakeshore", RELEASES, cursor=write_cursor("own_releases", (release,)))
    assert_problem(others, 422, "input-invalid", "/cursor")


def test_the_link_leads_to_the_exchange_whatever_the_host_header_says(shared: SmallExchange) -> None:
    headers = shared.headers("sierra") | {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answered = shared.app.test_client().get(LEDGER, headers=headers, query_string={"limit": "1"})
    assert answered.headers["Link"].startswith(f"<{ISSUER}{LEDGER}?limit=1&cursor=")


# --- our own client


@pytest.fixture
def client(shared: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExchangeClient]:
    """Asks for a few lines at a time."""
    over_this_line = httpx.Client(base_url=ISSUER, transport=httpx.WSGITransport(shared.app))
    monkeypatch.setattr("adapters.client.exchange._http_client", lambda *_: over_this_line)
    monkeypatch.setattr("adapters.client.exchange._PAGE_LINES", 5)
    with ExchangeClient(ISSUER, "sierra-client", shared.client_keys["sierra"]) as opened:
        yield opened


def test_our_client_reads_all_pages(shared: SmallExchange, client: ExchangeClient) -> None:
    def whole(path: str) -> JsonObject:
        return dict(shared.get("sierra", path, limit="200").get_json())

    statement = client.ledger(CONTRACT)
    assert statement == whole(LEDGER)
    assert [entry.sequence for entry in read_entries(statement)] == list(range(1, 14))
    assert client.coverage(CONTRACT) == whole(RELEASES)
    assert client.list_contracts() == whole("/v1/contracts")
    assert client.list_signing_keys() == whole("/v1/signing-keys")
