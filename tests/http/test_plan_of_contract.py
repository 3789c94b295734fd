"""A stored plan that its own contract does not bear out draws nothing, whoever signed it."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from contracts.canonical import digest_of
from contracts.parties import JsonObject
from contracts.records import ContractRecord, Stage
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import BRAND, PAYERS, SmallExchange, fills, small_contract


@pytest.fixture
def small(migrated_sqlite_url: str) -> SmallExchange:
    return SmallExchange(migrated_sqlite_url)


def proposed(small: SmallExchange, document: JsonObject) -> JsonObject:
    assert small.post(BRAND, "/v1/contracts", document).status_code == 201
    return dict(small.post(BRAND, f"/v1/contracts/{document['id']}/proposal").get_json()["document"])


ALTERED_PLANS: dict[str, Callable[[JsonObject], object]] = {
    "another charge": lambda plan: plan["draws"][0].update(charge_nano=plan["draws"][0]["charge_nano"] - 1),
    "too little noise": lambda plan: plan["draws"][0].update(sigma="0.5"),
    "no noise": lambda plan: plan["draws"][0].update(sigma="0"),
    "another sensitivity": lambda plan: plan["draws"][0].update(l2_squared=0),
    "a measure of another feed": lambda plan: plan["draws"][0].update(measure="enrolled"),
    "a dimension of another feed": lambda plan: plan["draws"][0].update(margin=["coverage"]),
    "a forgotten measure": lambda plan: plan["draws"].clear(),
    "a margin twice": lambda plan: plan["draws"].append(plan["draws"][-1]),
}


def with_altered_plan(small: SmallExchange, change: Callable[[JsonObject], object]) -> str:
    """A contract in force whose plan for fills is another than this exchange would have made: its id."""
    document = proposed(small, small_contract()) | {"id": "dsc-altered"}
    change(document["feeds"][0]["plan"])
    now = small.clock.now()
    record = ContractRecord("dsc-altered", 1, Stage.PROPOSED, document, digest_of(document), BRAND, now, now)
    with small.wiring.database.writing() as stores:
        stores.contracts.add(record)
    for party in document["parties"]:
        assert small.sign(party["organisation"], "dsc-altered").status_code == 201
    return "dsc-altered"


@pytest.mark.slow
@pytest.mark.parametrize("name", ALTERED_PLANS)
def test_nothing_is_drawn_by_a_plan_that_is_not_its_contracts_whoever_signed_it(
    small: SmallExchange, name: str
) -> None:
    contract_id = with_altered_plan(small, ALTERED_PLANS[name])
    before = small.traces()

    answered = small.submit("blueridge", fills(), contract_id)

    assert_problem(answered, 409, "plan-not-of-contract")
    assert "fills does not belong to its contract" in answered.get_json()["detail"]
    assert small.traces() == before


def test_nothing_is_drawn_by_a_plan_that_costs_more_than_its_feeds_ceiling_pays_for(small: SmallExchange) -> None:
    def of_another_ceiling(plan: JsonObject) -> None:
        dear = deepcopy(small_contract(id="dsc-dear"))
        dear["feeds"][0]["rho"] = "0.0501"
        dear["feeds"] = dear["feeds"][:1]
        dear["privacy"]["ceilings"] = {f"{name}-members": "0.1" for name in PAYERS}
        plan |= proposed(small, dear)["feeds"][0]["plan"]

    contract_id = with_altered_plan(small, of_another_ceiling)

    answered = small.submit("blueridge", fills(), contract_id)

    assert_problem(answered, 409, "plan-not-of-contract")
    assert "costs more than the ceiling pays for" in answered.get_json()["detail"]
