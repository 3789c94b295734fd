"""What Parley refuses, shown live: a submission twice, a caller that is no party, more than the budget."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from adapters.client.exchange import ExchangeClient, ProblemAnswered
from api.demo.contract import follow_up_contract
from api.demo.promises import promise
from api.demo.registrar import Participant
from contracts.parties import JsonObject

NO_SUCH_CONTRACT: Final = "dsc-there-is-none"

Columns = Mapping[str, list[Any]]


def show_replay(payer: Participant, receipt: JsonObject, columns: Columns) -> JsonObject:
    """Post again what `receipt` is for, under the same submission id."""
    contract_id = receipt["contract_id"]
    before = payer.client.ledger(contract_id)
    again = payer.client.submit(contract_id, receipt["feed"], receipt["period"], columns, receipt["submission_id"])
    after = payer.client.ledger(contract_id)
    promise(again == {**receipt, "replayed": True}, "a replayed submission returns the same receipt")
    promise(after == before, "a replayed submission debits nothing")
    return {
        "submission_id": again["submission_id"],
        "first_receipt": receipt,
        "second_receipt": again,
        "ledger_entries_before": len(before["entries"]),
        "ledger_entries_after": len(after["entries"]),
    }


def show_foreign_caller(stranger: ExchangeClient, contract_id: str, columns: Columns) -> JsonObject:
    """Let an organisation that is registered, but no party, try everything."""

    def try_all(contract_id: str) -> dict[str, JsonObject]:
        return {
            "read the contract": _refused(lambda: stranger.get_contract(contract_id)),
            "ask a statistic": _refused(lambda: stranger.ask(contract_id, "adherence_rate")),
            "read a ledger": _refused(lambda: stranger.ledger(contract_id)),
            "post a period": _refused(lambda: stranger.submit(contract_id, "fills", "2025-01", columns)),
        }

    problems = try_all(contract_id)
    promise(all(problem["status"] == 404 for problem in problems.values()), "a foreign caller gets 404")
    same = problems == try_all(NO_SUCH_CONTRACT)
    promise(same, "a foreign caller cannot tell this contract from one that does not exist")
    return {"problems": problems, "same_as_for_a_contract_that_does_not_exist": same}


def show_exhausted_budget(brand: Participant, payer: Participant, first: JsonObject, period: str) -> JsonObject:
    """Sign a second contract about a population whose budget is spent, and post under it."""
    follow_up = follow_up_contract(first, payer.organisation)
    contract_id = brand.client.draft(follow_up)["id"]
    brand.client.propose(contract_id)
    brand.sign(contract_id)
    status = payer.sign(contract_id)["status"]
    promise(status == "in_force", "the second contract is in force")
    before = payer.client.ledger(contract_id)
    columns: Columns = {"region": ["south"], "new_starts": [0]}
    problem = _refused(lambda: payer.client.submit(contract_id, "starts", period, columns))
    after = payer.client.ledger(contract_id)
    stored = [own for part in payer.client.coverage(contract_id)["feeds"] for own in part["own_releases"]]
    promise(problem["status"] == 409, "a submission beyond the budget gets 409")
    promise(after == before and not stored, "a submission beyond the budget stores and debits nothing")
    return {
        "contract": contract_id,
        "problem": problem,
        "releases_stored": len(stored),
        "ledger_entries_before": len(before["entries"]),
        "ledger_entries_after": len(after["entries"]),
    }


def _refused(call: Callable[[], JsonObject]) -> JsonObject:
    """The problem document of a call that must fail."""
    try:
        call()
    except ProblemAnswered as answered:
        return answered.problem
    return {"status": 200, "detail": "It was not refused."}
