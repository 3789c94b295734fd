"""What nobody sends by mistake: members that are not the sender's to set, ids that look like others, nests of JSON.

Every route that takes a body is tried, so a new one is tried too.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any, Final
from urllib.parse import quote

import pytest

from contracts.parties import JsonObject, Role, Scope
from tests.http.test_bad_input import assert_problem
from tests.http.test_who_gets_in import BODIES, GUARDED, OPERATOR, Route
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange, fills, small_contract

# What the exchange itself decides or knows of what is posted: never for a client to say.
NOT_THE_SENDERS: Final[dict[str, Any]] = {
    "status": "in_force",
    "stage": "proposed",
    "digest": "0" * 64,
    "drafted_by": "sierra",
    "organisation": "sierra",
    "organisation_id": "sierra",
    "provider": "sierra",
    "population": "sierra-members",
    "client": "sierra-client",
    "scopes": ["org.admin"],
    "role": "operator",
    "signatures": [],
    "signed_at": "2026-01-01T00:00:00Z",
    "events": [],
    "kind": "resumed",
    "generation": "0" * 64,
    "attempt": 7,
    "charge_nano": 0,
    "granted_nano": 10**9,
    "caller": "sierra",
    "revoked_at": None,
}
TAKES_A_BODY: Final = [route for route in GUARDED if route.rule in BODIES and route.method in ("POST", "PUT")]


@pytest.fixture(scope="module")
def small(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    path = tmp_path_factory.mktemp("hostile") / "parley.db"
    copyfile(sqlite_template, path)
    exchange = SmallExchange(f"sqlite:///{path}")
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    exchange.agree()
    yield exchange
    exchange.wiring.database.close()


def send(small: SmallExchange, route: Route, body: str) -> Any:
    who = OPERATOR if route.scope is Scope.ORG_ADMIN else BRAND
    headers = small.headers(who) | {"If-Match": '"none"'}
    options: dict[str, Any] = {"data": body, "content_type": "application/json", "headers": headers}
    return small.app.test_client().open(route.path(), method=route.method, **options)


@pytest.mark.parametrize("route", TAKES_A_BODY, ids=str)
def test_no_member_is_taken_that_is_not_the_senders_to_set(small: SmallExchange, route: Route) -> None:
    right = BODIES[route.rule]
    tried = {name: value for name, value in NOT_THE_SENDERS.items() if name not in right}
    # The name of a population is what its registration sets; of a client, its scopes.
    assert len(tried) > len(NOT_THE_SENDERS) - 4
    before = small.traces()

    for name, value in tried.items():
        refused = send(small, route, json.dumps(right | {name: value}))
        assert_problem(refused, 422, "input-invalid")
        assert f"/{name}" in {error["pointer"] for error in refused.get_json()["errors"]}

    assert small.traces() == before


@pytest.mark.parametrize("at", ["feeds/0", "parties/0", "privacy", "rules", "grants/0"])
def test_nor_inside_a_contract(small: SmallExchange, at: str) -> None:
    for name in ("plan", "generation", "signatures", "status", "spent_nano"):
        document = small_contract(id="dsc-inside")
        inside: Any = document
        for part in at.split("/"):
            inside = inside[int(part)] if part.isdecimal() else inside[part]
        inside[name] = {"draws": []}
        refused = small.post(BRAND, "/v1/contracts", document)
        assert_problem(refused, 422, "input-invalid")
        assert [error["pointer"] for error in refused.get_json()["errors"]] == [f"/{at}/{name}"]


@pytest.mark.parametrize("route", TAKES_A_BODY, ids=str)
@pytest.mark.parametrize(
    "nest",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "[" * 90_000 + "]" * 90_000,
        '{"a":' * 60_000 + "1" + "}" * 60_000,
    ],
    ids=["open lists", "open objects", "lists", "objects"],
)
def test_a_nest_of_json_is_refused(small: SmallExchange, route: Route, nest: str) -> None:
    answered = send(small, route, nest)
    assert answered.status_code in (400, 422)
    assert answered.content_type == "application/problem+json"


@pytest.mark.parametrize("depth", [50, 500, 900])
@pytest.mark.parametrize("name", ["vocabularies", "feeds", "grants", "privacy"])
def test_a_nest_inside_a_contract_is_refused_as_a_form(small: SmallExchange, name: str, depth: int) -> None:
    nested: Any = "deep"
    for _ in range(depth):
        nested = [nested]
    for value in (nested, {"region": nested}, [nested]):
        answered = small.post(BRAND, "/v1/contracts", small_contract(id="dsc-nested") | {name: value})
        assert answered.status_code in (400, 422)
        assert answered.content_type == "application/problem+json"


# Letters that look like ours, ours with something that is not seen, and forms that Unicode holds equal.
LOOKALIKES: Final = {
    "cyrillic": "dsc-sm\u0430ll",
    "fullwidth": "\uff44\uff53\uff43-small",
    "zero width": "dsc-\u200bsmall",
    "combining": "dsc-sma\u0301ll",
    "right to left": "\u202edsc-small",
    "soft hyphen": "dsc\u00ad-small",
    "long s": "d\u017fc-small",
    "kelvin": "\u212a-small",
    "non-breaking hyphen": "dsc\u2011small",
    "trailing newline": "dsc-small\n",
    "nul": "dsc-small\u0000",
    "tag letters": "dsc-small\U000e0041",
    "arabic digits": "dsc-\u0661",
    "emoji": "dsc-\U0001f600",
}


@pytest.mark.parametrize("lookalike", LOOKALIKES.values(), ids=LOOKALIKES)
def test_an_id_that_looks_like_another_is_none(small: SmallExchange, lookalike: str) -> None:
    """Neither drafted, nor registered, nor found: an id is plain ASCII, whatever Unicode holds equal."""
    assert_problem(small.post(BRAND, "/v1/contracts", small_contract(id=lookalike)), 422, "input-invalid")
    for path, body in (
        ("/v1/organisations", {"id": lookalike, "name": "Name", "role": "payer"}),
        ("/v1/organisations/sierra/populations", {"id": lookalike, "attestation": "no person is in both"}),
        ("/v1/organisations/sierra/clients", {"id": lookalike, "scopes": ["contracts.read"], "public_keys": [{}]}),
    ):
        assert_problem(small.post(OPERATOR, path, body), 422, "input-invalid")
    assert_problem(small.submit("sierra", fills(feed=lookalike)), 422, "input-invalid")
    assert_problem(small.submit("sierra", fills(submission_id=lookalike)), 422, "input-invalid")

    client, headers = small.app.test_client(), small.headers("sierra")
    found = client.get(f"/v1/contracts/{quote(lookalike)}", headers=headers)
    assert (found.status_code, found.content_type) == (404, "application/problem+json")
    suspended = client.post(
        f"/v1/populations/{quote(lookalike)}/suspension", headers=small.headers(BRAND), json={"reason": "a leak"}
    )
    assert (suspended.status_code, suspended.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize("lookalike", LOOKALIKES.values(), ids=LOOKALIKES)
def test_a_party_named_by_a_lookalike_is_unknown(small: SmallExchange, lookalike: str) -> None:
    """In every place of a document that names somebody or something else of it."""
    for pointer, change in (
        ("/parties/0/organisation", lambda d: d["parties"][0].update(organisation=lookalike)),
        ("/parties/0/population", lambda d: d["parties"][0].update(population=lookalike)),
        ("/feeds/0/name", lambda d: d["feeds"][0].update(name=lookalike)),
        ("/feeds/0/dimensions/0", lambda d: d["feeds"][0].update(dimensions=[lookalike, "sex"])),
        ("/vocabularies/region/0", lambda d: d["vocabularies"].update(region=[lookalike, "south"])),
        ("/purpose", lambda d: d.update(purpose=lookalike)),
    ):
        document: JsonObject = json.loads(json.dumps(small_contract(id="dsc-looks")))
        change(document)
        refused = small.post(BRAND, "/v1/contracts", document)
        assert_problem(refused, 422, "input-invalid")
        assert pointer in {error["pointer"] for error in refused.get_json()["errors"]}


def test_a_contract_of_another_case_is_another_contract(small: SmallExchange) -> None:
    assert small.get("sierra", f"/v1/contracts/{CONTRACT}").status_code == 200
    assert_problem(small.get("sierra", f"/v1/contracts/{CONTRACT.upper()}"), 404, "contract-not-found")


@pytest.mark.parametrize("owner", ["sierra-members", f"{BRAND}-members"])
def test_a_population_of_another_is_like_one_that_is_not_there(small: SmallExchange, owner: str) -> None:
    for step in ("suspension", "resumption"):
        there = small.post("lakeshore", f"/v1/populations/{owner}/{step}", {"reason": "a leak"})
        absent = small.post("lakeshore", f"/v1/populations/nobodys/{step}", {"reason": "a leak"})
        assert_problem(there, 404, "population-not-found")
        assert there.get_data() == absent.get_data()
