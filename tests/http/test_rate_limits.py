"""How often an organisation may ask: its clients together, and whatever others do. Time here is the machine's own."""

import time
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.limits import Counted, LimitsInvalid, RateLimits, address_key, parse_limit
from api.settings import SettingsInvalid, read_settings
from contracts.parties import Scope
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import CONTRACT, SmallExchange, fills, public

FREE = {"PARLEY_RATE_LIMIT": "off", "PARLEY_ADDRESS_RATE_LIMIT": "off"}
CONTRACTS = "/v1/contracts"


def exchange(template: Path, folder: Path, **settings: str) -> SmallExchange:
    copyfile(template, folder / "parley.db")
    return SmallExchange(f"sqlite:///{folder / 'parley.db'}", settings_changes=FREE | settings)


def from_address(small: SmallExchange, path: str, address: str, **headers: str) -> TestResponse:
    return small.app.test_client().get(path, headers=headers, environ_base={"REMOTE_ADDR": address})


def test_an_organisation_that_asks_too_often_waits_and_no_other_does(sqlite_template: Path, tmp_path: Path) -> None:
    small = exchange(sqlite_template, tmp_path, PARLEY_RATE_LIMIT="3 per minute")

    answers = [small.get("sierra", CONTRACTS) for _ in range(3)]
    refused = small.get("sierra", CONTRACTS)

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.headers["RateLimit"].split(";t=")[0] for answer in answers] == [
        f'"organisation";r={left}' for left in (2, 1, 0)
    ]
    assert {answer.headers["RateLimit-Policy"] for answer in (*answers, refused)} == {'"organisation";q=3;w=60'}
    assert_problem(refused, 429, "rate-limited")
    wait = int(refused.headers["Retry-After"])
    assert 0 < wait <= 60
    assert refused.headers["RateLimit"] == f'"organisation";r=0;t={wait}'
    assert refused.headers["Cache-Control"] == "no-store"
    assert small.get("lakeshore", CONTRACTS).headers["RateLimit"].startswith('"organisation";r=2;')


def test_the_clients_of_an_organisation_share_its_limit(sqlite_template: Path, tmp_path: Path) -> None:
    small = exchange(sqlite_template, tmp_path, PARLEY_RATE_LIMIT="2 per minute")
    scopes = frozenset({Scope.CONTRACTS_READ})
    key = public(small.client_keys["sierra"])
    small.wiring.registering.add_client("sierra", "twin-client", scopes, (key,))
    small.client_keys["twin"] = small.client_keys["sierra"]

    statuses = [small.get(name, CONTRACTS).status_code for name in ("sierra", "twin", "sierra", "twin")]

    assert statuses == [200, 200, 429, 429]


def test_a_refusal_counts_too_and_is_counted_before_the_body_is_read(sqlite_template: Path, tmp_path: Path) -> None:
    small = exchange(sqlite_template, tmp_path, PARLEY_RATE_LIMIT="2 per minute")
    assert_problem(small.get("foreigner", f"{CONTRACTS}/{CONTRACT}"), 404, "contract-not-found")
    headers = small.headers("foreigner", "contracts.read")
    assert_problem(small.app.test_client().post(CONTRACTS, headers=headers, json={}), 403, "scope-missing")
    before = small.traces()

    assert_problem(small.submit("foreigner", "no JSON"), 429, "rate-limited")
    assert_problem(small.submit("foreigner", fills()), 429, "rate-limited")
    assert small.traces() == before


def test_whoever_waits_as_told_gets_in(sqlite_template: Path, tmp_path: Path) -> None:
    small = exchange(sqlite_template, tmp_path, PARLEY_RATE_LIMIT="1 per second")
    assert small.get("sierra", CONTRACTS).status_code == 200
    refused = small.get("sierra", CONTRACTS)
    assert_problem(refused, 429, "rate-limited")

    time.sleep(int(refused.headers["Retry-After"]))

    assert small.get("sierra", CONTRACTS).status_code == 200


def test_an_address_without_a_token_waits_and_those_with_one_do_not(sqlite_template: Path, tmp_path: Path) -> None:
    small = exchange(sqlite_template, tmp_path, PARLEY_ADDRESS_RATE_LIMIT="3 per minute")
    headers = small.headers("sierra")  # one of the three: it comes from 127.0.0.1 too
    here, there = "127.0.0.1", "198.51.100.7"
    assert_problem(from_address(small, CONTRACTS, here), 401, "token-missing")
    assert_problem(from_address(small, CONTRACTS, here, Authorization="Bearer x.y.z"), 401, "token-invalid")

    refused = small.app.test_client().post("/oauth/token", data={"grant_type": "client_credentials"})

    assert_problem(refused, 429, "rate-limited")
    assert refused.headers["RateLimit-Policy"] == '"address";q=3;w=60'
    assert_problem(from_address(small, CONTRACTS, here), 429, "rate-limited")
    assert_problem(from_address(small, "/openapi.yaml", here), 429, "rate-limited")
    assert from_address(small, CONTRACTS, here, **headers).status_code == 200
    assert_problem(from_address(small, CONTRACTS, there), 401, "token-missing")
    assert {from_address(small, "/healthz", here).status_code for _ in range(5)} == {200}
    assert {from_address(small, "/readyz", here).status_code for _ in range(5)} == {200}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "is_new"),
    [
        ("0", "203.0.113.9", False),  # anybody could say it
        ("1", "203.0.113.9", True),
        ("1", "203.0.113.9, 192.0.2.1", False),  # what stands further left is the client's own word
        ("2", "203.0.113.9, 192.0.2.1", True),
        ("2", "203.0.113.9", False),  # one proxy was gone round
    ],
)
def test_a_forwarded_address_is_believed_of_as_many_proxies_as_there_are(
    sqlite_template: Path, tmp_path: Path, proxies: str, forwarded: str, is_new: bool
) -> None:
    settings = {"PARLEY_TRUSTED_PROXIES": proxies, "PARLEY_ADDRESS_RATE_LIMIT": "1 per minute"}
    small = exchange(sqlite_template, tmp_path, **settings)
    from_address(small, CONTRACTS, "192.0.2.1")

    answered = from_address(small, CONTRACTS, "192.0.2.1", **{"X-Forwarded-For": forwarded})

    assert answered.status_code == (401 if is_new else 429)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8:1:2::3]:443", "2001:db8:1:2::"),
        ("[2001:db8:1:2::3]", "2001:db8:1:2::"),
        ("203.0.113.9:x", "unknown"),
        ("[203.0.113.9", "unknown"),
        ("nonsense\n", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_addresses_of_one_network_are_one(address: str | None, key: str) -> None:
    assert address_key(address) == key


def test_while_counts_cannot_be_kept_everybody_gets_in(
    sqlite_template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"PARLEY_RATE_LIMIT": "1 per minute", "PARLEY_RATE_LIMIT_STORAGE": "redis://:s3cret@127.0.0.1:1/0"}
    small = exchange(sqlite_template, tmp_path, **settings)

    answers = [small.get("sierra", CONTRACTS) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert "RateLimit" not in answers[0].headers
    logged = capsys.readouterr().err
    assert logged.count("rate limits lost") == 1  # then it is left alone for a while
    assert "s3cret" not in logged
    assert "s3cret" not in repr(small.settings)


@pytest.mark.parametrize(
    "text", ["", "often", "0 per minute", "-1 per minute", "1 per 2 days", "5/minute;7/hour", "OFF", "1 per year"]
)
def test_a_limit_that_is_none_is_refused_at_start(text: str) -> None:
    with pytest.raises(LimitsInvalid):
        parse_limit(text)
    for name in FREE:
        with pytest.raises(SettingsInvalid, match=f"{name} "):
            read_settings({name: text})


@pytest.mark.parametrize("storage", ["", "memory", "mongodb://127.0.0.1", "async+memory://", "redis+cluster://a:1"])
def test_a_storage_that_is_none_is_refused_at_start(storage: str) -> None:
    with pytest.raises(LimitsInvalid):
        RateLimits("off", "off", storage)


@pytest.mark.parametrize("text", ["1200 per minute", "20/second", "100 per 5 minutes", "off"])
def test_limits_are_written_as_people_would(text: str) -> None:
    item = parse_limit(text)
    assert (item is None) == (text == "off")


def test_names_of_organisations_and_addresses_are_not_confused() -> None:
    limits = RateLimits("1 per minute", "1 per minute", "memory://")
    first: Any = limits.count(Counted.ORGANISATION, "192.0.2.1")
    other: Any = limits.count(Counted.ADDRESS, "192.0.2.1")
    again: Any = limits.count(Counted.ADDRESS, "192.0.2.1")

    assert (first.allowed, other.allowed, again.allowed) == (True, True, False)
