"""Who gets in, whole: every route that names a contract or population x every kind of caller x every status.

What each route asks of a contract's status is written here by hand, from docs/explain/contracts.md, and not taken from
the code. In such a table a forgotten route fails, and so does one that opens too early or stays open too long.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from shutil import copyfile
from typing import Any, Final

import pytest
from werkzeug.test import TestResponse

from contracts.parties import JsonObject, Role, Scope
from tests.http.test_who_gets_in import BODIES, GUARDED, Route
from tests.support.small_exchange import BRAND, PAYERS, SmallExchange, fills, small_contract

OPERATOR = "overseer"
PROPOSED = {"proposed", "signed", "in_force", "suspended", "population", "expired", "terminated", "superseded"}
EVER_BOUND = PROPOSED - {"proposed", "signed"}
ALWAYS = PROPOSED | {"draft"}
AMENDABLE = {"proposed", "signed", "in_force", "suspended", "population", "superseded"}
# In these a contract of this table has a version in force, be it a later one.
LIVE = {"in_force", "superseded"}


@dataclass(frozen=True)
class Rule:
    """What a party meets at a route: `open_in` these statuses, and else this problem."""

    open_in: set[str]
    problem: str = ""
    parties: tuple[str, ...] = (BRAND, PAYERS[0])


TABLE: Final[dict[str, Rule]] = {
    "GET /v1/contracts/<string:contract_id>": Rule(ALWAYS),
    "GET /v1/contracts/<string:contract_id>/text": Rule(ALWAYS),
    "GET /v1/contracts/<string:contract_id>/differences": Rule({"superseded"}, "contract-not-found"),
    "GET /v1/contracts/<string:contract_id>/feeds/<string:feed_name>/schema": Rule(ALWAYS),
    "GET /v1/contracts/<string:contract_id>/audit": Rule(ALWAYS),
    "GET /v1/contracts/<string:contract_id>/ledger": Rule(EVER_BOUND, "contract-not-in-force"),
    "GET /v1/contracts/<string:contract_id>/releases": Rule(LIVE, "contract-not-in-force"),
    "GET /v1/contracts/<string:contract_id>/statistics": Rule(LIVE, "contract-not-in-force"),
    "GET /v1/contracts/<string:contract_id>/statistics/<string:name>": Rule(LIVE, "contract-not-in-force"),
    "GET /v1/contracts/<string:contract_id>/settlement": Rule(LIVE, "contract-not-in-force"),
    "POST /v1/contracts/<string:contract_id>/submissions": Rule(LIVE, "contract-not-in-force", PAYERS[:1]),
    "POST /v1/contracts/<string:contract_id>/versions": Rule(AMENDABLE, "transition-illegal"),
    "PUT /v1/contracts/<string:contract_id>/draft": Rule({"draft"}, "contract-not-a-draft", (BRAND,)),
    "DELETE /v1/contracts/<string:contract_id>/draft": Rule({"draft"}, "contract-not-a-draft", (BRAND,)),
    "POST /v1/contracts/<string:contract_id>/proposal": Rule({"draft"}, "contract-not-a-draft", (BRAND,)),
    "POST /v1/contracts/<string:contract_id>/signatures": Rule({"proposed"}, "", (BRAND, PAYERS[0])),
    "POST /v1/contracts/<string:contract_id>/suspension": Rule(
        {"signed", "in_force", "suspended", "population", "superseded"}, "transition-illegal"
    ),
    "POST /v1/contracts/<string:contract_id>/resumption": Rule({"suspended"}, "transition-illegal"),
    "POST /v1/contracts/<string:contract_id>/termination": Rule(AMENDABLE, "transition-illegal"),
}


class World(SmallExchange):
    """One contract in every status; a leaver is in the first version of the superseded one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
        self.register("quiet", Role.PAYER)

    @cached_property
    def contracts(self) -> dict[str, str]:
        """The id by status."""
        # Only this contract draws on the population that is to be suspended.
        makers: dict[str, Callable[[JsonObject], None]] = {
            "draft": self._draft,
            "proposed": self._propose,
            "signed": self._sign,
            "in_force": self._sign,
            "suspended": self._suspend,
            "population": self._sign,
            "expired": self._sign,
            "terminated": self._terminate,
            "superseded": self._supersede,
        }
        for status, make in makers.items():
            make(self._document(status))
        reason = {"reason": "a leak"}
        assert self.post("quiet", "/v1/populations/quiet-members/suspension", reason).status_code == 201
        self.clock.go_on(days=31)
        return {status: f"dsc-{status.replace('_', '-')}" for status in makers}

    def _document(self, status: str) -> JsonObject:
        granted = ["counts", "threshold_assessment"]
        grants = [{"role": role, "statistics": granted, "by_at_most": 3} for role in ("brand", "payer")]
        changes: JsonObject = {"id": f"dsc-{status.replace('_', '-')}", "grants": grants}
        if status == "signed":
            changes["effective"] = "2026-10-01"
        if status == "expired":
            changes["expires"] = "2026-07-20"
        if status == "population":
            base = small_contract()
            changes["parties"] = [
                *base["parties"],
                {"organisation": "quiet", "role": "payer", "population": "quiet-members"},
            ]
            ceilings = base["privacy"]["ceilings"] | {"quiet-members": "0.1"}
            changes["privacy"] = base["privacy"] | {"ceilings": ceilings}
        return small_contract(**changes)

    def _draft(self, document: JsonObject) -> None:
        assert self.post(BRAND, "/v1/contracts", document).status_code == 201

    def _propose(self, document: JsonObject) -> None:
        self._draft(document)
        assert self.post(BRAND, f"/v1/contracts/{document['id']}/proposal").status_code == 200

    def _sign(self, document: JsonObject) -> None:
        self.agree(document)

    def _suspend(self, document: JsonObject) -> None:
        self.agree(document)
        assert self.post("sierra", f"/v1/contracts/{document['id']}/suspension", {"reason": "why"}).status_code == 201

    def _terminate(self, document: JsonObject) -> None:
        self.agree(document)
        for name in (*PAYERS, BRAND):
            path = f"/v1/contracts/{document['id']}/termination"
            assert self.post(name, path, {"reason": "the study is over"}).status_code == 201

    def _supersede(self, document: JsonObject) -> None:
        first = self.agree(document)
        path = f"/v1/contracts/{document['id']}"
        amended = {**document, "version": 2, "previous_digest": first["digest"], "title": "Amended"}
        assert self.post(BRAND, f"{path}/versions", amended).status_code == 201
        assert self.post(BRAND, f"{path}/proposal").status_code == 200
        for name in (*PAYERS, BRAND):
            assert self.sign(name, document["id"], version="2").status_code == 201


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path = tmp_path_factory.mktemp("matrix") / "parley.db"
    copyfile(sqlite_template, path)
    world = World(f"sqlite:///{path}")
    assert world.contracts
    yield world
    world.wiring.database.close()


STATUSES: Final = sorted(ALWAYS)
OF_CONTRACTS: Final = [r for r in GUARDED if "<string:contract_id>" in r.rule and "/operator/" not in r.rule]
OF_OPERATORS: Final = [r for r in GUARDED if "/operator/" in r.rule]


def knock(world: World, route: Route, contract_id: str, who: str, scope: str | None = None) -> TestResponse:
    """Call with what is right in form and always comes too late or too early to change anything: each status stays."""
    headers: dict[str, Any] = world.headers(who, scope)
    if route.rule.endswith(("/draft", "/proposal")):
        headers["If-Match"] = '"another draft"'
    query = {"from": "1", "to": "2"} if route.rule.endswith("/differences") else {}
    body = body_for(route, contract_id)
    options = {} if body is None else {"json": body}
    client = world.app.test_client()
    return client.open(route.path(contract_id), method=route.method, headers=headers, query_string=query, **options)


def body_for(route: Route, contract_id: str) -> JsonObject | None:
    if route.method == "GET" or route.method == "DELETE" or route.rule.endswith("/proposal"):
        return None
    if route.rule.endswith(("/versions", "/draft")):
        return small_contract(id=contract_id, version=9)
    if route.rule.endswith(("/suspension", "/resumption", "/termination")):
        return {"reason": "a leak"}
    if route.rule.endswith("/submissions"):
        return fills("1999-01")
    return BODIES[route.rule]


def problem(answered: TestResponse) -> str:
    if answered.content_type != "application/problem+json":
        return ""
    return str(answered.get_json()["type"]).rpartition(":")[2]


def is_transition(route: Route) -> bool:
    return route.rule.endswith(("/suspension", "/resumption", "/termination"))


# What a request meets that got in, here: an answer, or a fault of what it asked. Never a refusal of who or when.
PAST_THE_GATE: Final = {"", "contract-invalid", "period-outside-contract", "question-invalid", "draft-changed"}
PAST_THE_GATE |= {"settlement-not-agreed"}


def test_the_table_knows_every_route_of_a_contract() -> None:
    assert {str(route) for route in OF_CONTRACTS} == set(TABLE)


@pytest.mark.parametrize("route", OF_CONTRACTS, ids=str)
def test_who_is_no_party_or_lacks_the_scope_gets_nowhere_in_any_status(world: World, route: Route) -> None:
    assert route.scope is not None
    other = next(scope for scope in Scope if scope not in (route.scope, Scope.ORG_ADMIN))
    for status, who in product(STATUSES, ("foreigner", OPERATOR)):
        contract_id = world.contracts[status]
        assert problem(knock(world, route, contract_id, who)) == "contract-not-found", (status, who)
        assert problem(knock(world, route, contract_id, who, other.value)) == "scope-missing", (status, who)
    for status, who in product(STATUSES, (*TABLE[str(route)].parties, "lakeshore")):
        assert problem(knock(world, route, world.contracts[status], who, other.value)) == "scope-missing", (status, who)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("route", [r for r in OF_CONTRACTS if not is_transition(r)], ids=str)
def test_a_party_gets_in_where_the_status_allows_it_and_nowhere_else(world: World, route: Route, status: str) -> None:
    rule = TABLE[str(route)]
    for who in rule.parties:
        met = problem(knock(world, route, world.contracts[status], who))
        if status == "draft" and who != BRAND:
            assert met == "contract-not-found"
        elif route.rule.endswith("/signatures"):
            expected = {"draft": "contract-not-proposed", "proposed": "signature-invalid"}
            assert met == expected.get(status, "already-exists")
        elif status in rule.open_in:
            assert met in PAST_THE_GATE, (who, met)
        else:
            assert met == rule.problem, (who, met)


@pytest.mark.parametrize("route", [r for r in OF_CONTRACTS if is_transition(r)], ids=str)
def test_a_transition_is_a_conflict_wherever_the_table_does_not_allow_it(world: World, route: Route) -> None:
    """Where it is allowed, test_lifecycle.py makes it."""
    for status in sorted(ALWAYS - TABLE[str(route)].open_in):
        answered = knock(world, route, world.contracts[status], BRAND)
        assert problem(answered) == "transition-illegal", status
        assert route.rule.rpartition("/")[2] not in answered.get_json()["legal_now"]


@pytest.mark.parametrize("route", OF_OPERATORS, ids=str)
@pytest.mark.parametrize("who", [BRAND, "sierra", "quiet", "foreigner"])
def test_what_is_the_operators_is_closed_to_every_party(world: World, route: Route, who: str) -> None:
    assert problem(knock(world, route, world.contracts["in_force"], who)) == "scope-missing"
