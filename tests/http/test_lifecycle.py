"""The life of a contract over HTTP: each step where it is legal and where it is not, suspensions, and drafts."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import TestResponse

from contracts.lifecycle import LEGAL, Status
from contracts.parties import JsonObject, Role, Scope
from tests.http.test_bad_input import assert_problem
from tests.support.amending import (
    PATH,
    act,
    amend,
    assert_ledgers_verify,
    done,
    following,
    propose_next,
    read,
    send,
    sign_version,
    standing,
)
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, SmallExchange, fills, small_contract

OPERATOR = "overseer"
OPERATED = f"/v1/operator/contracts/{CONTRACT}"
EVERYBODY = (*PAYERS, BRAND)


@pytest.fixture
def small(migrated_url: str) -> Iterator[SmallExchange]:
    """A whole exchange with an operator on each database in turn, and no contract yet."""
    exchange = SmallExchange(migrated_url)
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    yield exchange
    exchange.wiring.database.close()


def status(small: SmallExchange, contract_id: str = CONTRACT) -> str:
    return str(read(small, contract_id=contract_id)["status"])


def stand(small: SmallExchange, wanted: Status) -> None:
    """Bring the small contract to where it is wanted."""
    if wanted is Status.DRAFT:
        done(small.post(BRAND, "/v1/contracts", small_contract()))
        return
    if wanted is Status.PROPOSED:
        stand(small, Status.DRAFT)
        done(small.post(BRAND, f"{PATH}/proposal"), 200)
        return
    small.agree(small_contract(effective="2026-08-01") if wanted is Status.SIGNED else None)
    if wanted is Status.SUSPENDED:
        done(act(small, "sierra", "suspension"))
    if wanted is Status.TERMINATED:
        done(act(small, OPERATOR, "termination", OPERATED))
    if wanted is Status.EXPIRED:
        small.clock.instant = datetime(2028, 1, 1, tzinfo=UTC)


def attempts(small: SmallExchange) -> dict[str, TestResponse]:
    """Every step but the signature, in an order in which none makes the next one legal."""
    return {
        "resume": act(small, BRAND, "resumption"),
        "amend": small.post(BRAND, f"{PATH}/versions", small_contract(id="dsc-wrong")),
        "suspend": act(small, BRAND, "suspension"),
        "terminate": act(small, BRAND, "termination"),
        "edit": send(small, BRAND, "PUT", f"{PATH}/draft", small_contract(title="Other"), "*"),
        "propose": small.post(BRAND, f"{PATH}/proposal"),
    }


@pytest.mark.parametrize("wanted", [each for each in Status if each is not Status.SUPERSEDED])
def test_each_step_is_taken_where_it_is_legal_and_a_conflict_elsewhere(
    migrated_sqlite_url: str, wanted: Status
) -> None:
    small = SmallExchange(migrated_sqlite_url)
    small.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    stand(small, wanted)
    assert status(small) == wanted
    legal = {step.value for step in LEGAL[wanted]}

    for step, answered in attempts(small).items():
        if step == "suspend" and step in legal:
            legal |= {"resume"} if wanted is Status.SUSPENDED else set()
        if step == "amend" and step in legal:
            assert_problem(answered, 422, "contract-invalid", "/id", "id_differs")
        elif step in legal:
            assert answered.status_code in (200, 201), (step, answered.get_json())
        elif step in ("edit", "propose"):
            assert_problem(answered, 409, "contract-not-a-draft")
        else:
            assert_problem(answered, 409, "transition-illegal")
            problem = answered.get_json()
            assert set(problem["legal_now"]) == {each.value for each in LEGAL[Status(problem["contract_status"])]}
            assert problem["contract_status"] == wanted
    small.wiring.database.close()


# --- suspension of a contract


def test_a_suspension_bites_in_the_middle_of_a_tokens_life(small: SmallExchange) -> None:
    small.agree()
    token = {"Authorization": f"Bearer {small.token('sierra')}"}

    def post(body: JsonObject) -> TestResponse:
        return small.app.test_client().post(f"{PATH}/submissions", json=body, headers=token)

    assert post(fills("2025-01")).status_code == 201
    before = small.traces()
    stands = done(act(small, "lakeshore", "suspension", reason="an incident"))
    assert (stands["status"], stands["waiting_for"]) == ("suspended", [])

    refused = post(fills("2025-02"))
    assert_problem(refused, 409, "contract-not-in-force")
    assert refused.get_json()["contract_status"] == "suspended"
    assert "lakeshore" in refused.get_json()["detail"]
    for path in ("statistics/counts", "releases"):
        assert_problem(small.get(BRAND, f"{PATH}/{path}"), 409, "contract-not-in-force")
    assert small.traces() == before
    assert small.ledger("sierra")["entries"]

    for number, name in enumerate(EVERYBODY, start=1):
        stands = done(act(small, name, "resumption", reason="all is well"))
        assert stands["status"] == ("in_force" if number == len(EVERYBODY) else "suspended")
        assert stands["waiting_for"] == ([] if number == len(EVERYBODY) else list(EVERYBODY[number:]))

    assert post(fills("2025-02")).status_code == 201
    events = read(small)["events"]
    kinds = ["suspended", *["resume_agreed"] * 4, "resumed"]
    assert [each["kind"] for each in events] == kinds
    assert [each["organisation"] for each in events] == ["lakeshore", *EVERYBODY, BRAND]
    assert (events[0]["reason"], events[1]["reason"]) == ("an incident", "all is well")
    assert_ledgers_verify(small)


def test_nobody_agrees_twice_and_a_new_suspension_withdraws_what_was_agreed(small: SmallExchange) -> None:
    small.agree()
    done(act(small, "sierra", "suspension"))
    done(act(small, "sierra", "resumption"))
    again = act(small, "sierra", "resumption")
    assert_problem(again, 409, "already-agreed")
    assert "blueridge, lakeshore, helix" in again.get_json()["detail"]
    assert read(small)["resume_agreed"] == ["sierra"]

    done(act(small, BRAND, "suspension"))

    assert read(small)["resume_agreed"] == []
    for name in EVERYBODY:
        done(act(small, name, "resumption"))
    assert status(small) == "in_force"


def test_nobody_suspends_twice_what_it_holds_suspended_unless_something_was_agreed_since(small: SmallExchange) -> None:
    small.agree()
    for name, path in (("sierra", PATH), (OPERATOR, OPERATED), (BRAND, PATH)):
        done(act(small, name, "suspension", path))
        again = act(small, name, "suspension", path)
        assert_problem(again, 409, "transition-illegal")
        assert again.get_json()["legal_now"] == ["amend", "resume", "terminate"]
    assert len(read(small)["events"]) == 3
    for agreement in ("resumption", "termination"):
        done(act(small, "lakeshore", agreement))
        done(act(small, "sierra", "suspension"))
    assert_problem(act(small, "sierra", "suspension"), 409, "transition-illegal")

    for name in EVERYBODY:
        done(act(small, name, "resumption"))
    assert done(act(small, "sierra", "suspension"))["status"] == "suspended"


def test_the_operator_resumes_alone_with_a_reason_that_all_read(small: SmallExchange) -> None:
    small.agree()
    done(act(small, "sierra", "suspension"))
    assert_problem(small.post(OPERATOR, f"{OPERATED}/resumption", {}), 422, "input-invalid", "/reason")
    assert_problem(act(small, OPERATOR, "resumption", OPERATED, reason=""), 422, "input-invalid", "/reason")

    stands = done(act(small, OPERATOR, "resumption", OPERATED, reason="the regulator's order"))

    assert stands["status"] == "in_force"
    last = read(small, "sierra")["events"][-1]
    assert (last["kind"], last["organisation"], last["reason"]) == ("resumed", None, "the regulator's order")


def test_all_end_a_contract_together_and_the_operator_alone(small: SmallExchange) -> None:
    small.agree()
    small.agree(small_contract(id="dsc-second"))
    for name in EVERYBODY[:-1]:
        assert done(act(small, name, "termination"))["status"] == "in_force"
    assert read(small)["termination_agreed"] == list(EVERYBODY[:-1])
    assert done(act(small, BRAND, "termination"))["status"] == "terminated"
    assert done(act(small, OPERATOR, "termination", "/v1/operator/contracts/dsc-second"))["status"] == "terminated"

    for contract_id in (CONTRACT, "dsc-second"):
        assert status(small, contract_id) == "terminated"
        assert_problem(small.submit("sierra", fills(), contract_id), 409, "contract-not-in-force")
        again = act(small, BRAND, "termination", f"/v1/contracts/{contract_id}")
        assert_problem(again, 409, "transition-illegal")
        assert again.get_json()["legal_now"] == []
    assert small.ledger("sierra")["entries"]
    assert_ledgers_verify(small)


def test_a_terminated_contract_is_not_continued_by_a_draft_of_before(small: SmallExchange) -> None:
    small.agree()
    done(small.post(BRAND, f"{PATH}/versions", following(small)))
    done(act(small, OPERATOR, "termination", OPERATED))

    assert_problem(small.post(BRAND, f"{PATH}/proposal"), 409, "transition-illegal")
    assert send(small, BRAND, "DELETE", f"{PATH}/draft", if_match="*").status_code == 204


def test_what_all_signed_can_be_suspended_before_its_date_also_while_another_is_proposed(small: SmallExchange) -> None:
    small.agree(small_contract(effective="2026-07-10"))
    propose_next(small, following(small, title="Another"))

    assert done(act(small, "sierra", "suspension"))["version"] == 1
    small.clock.go_on(days=10)

    assert status(small) == "suspended"
    done(act(small, OPERATOR, "resumption", OPERATED))
    assert status(small) == "in_force"


def test_who_is_named_in_a_proposal_only_ends_nothing(small: SmallExchange) -> None:
    """Lakeshore is left out by the proposal and has not agreed to anything."""
    small.agree()
    parties = [party for party in small_contract()["parties"] if party["organisation"] != "lakeshore"]
    joining = {"organisation": "foreigner", "role": "payer", "population": "foreigner-members"}
    propose_next(small, with_parties(small, [*parties, joining]))
    for name in ("blueridge", "sierra", BRAND):
        done(act(small, name, "termination"))

    refused = act(small, "foreigner", "termination")

    assert_problem(refused, 409, "transition-illegal")
    assert refused.get_json()["legal_now"] == ["sign"]
    assert standing(small) == {1: "in_force", 2: "proposed"}
    assert read(small, "foreigner")["events"] == []


def with_parties(small: SmallExchange, parties: list[JsonObject], version: int = 1) -> JsonObject:
    document = following(small, version=version, parties=parties)
    privacy = document["privacy"] | {"ceilings": {party["population"]: "0.1" for party in parties}}
    return document | {"privacy": privacy, "rules": document["rules"] | {"min_payers": 1}}


# --- suspension of a population


def test_a_population_is_suspended_under_every_contract_that_draws_on_it_and_only_those(small: SmallExchange) -> None:
    small.agree()
    small.agree(small_contract(id="dsc-second"))
    two = [party for party in small_contract()["parties"] if party["organisation"] in (BRAND, "lakeshore")]
    apart = small_contract(id="dsc-apart", parties=two, rules={"min_payers": 1})
    small.agree(apart | {"privacy": apart["privacy"] | {"ceilings": {f"{p['population']}": "0.1" for p in two}}})

    stands = done(act(small, "sierra", "suspension", "/v1/populations/sierra-members"))

    assert stands == {"population": "sierra-members", "suspended_by": ["sierra"]}
    assert [status(small, name) for name in (CONTRACT, "dsc-second", "dsc-apart")] == [*["suspended"] * 2, "in_force"]
    for name in ("sierra", "lakeshore"):  # nothing flows under such a contract, whoever posts it
        for contract_id in (CONTRACT, "dsc-second"):
            assert_problem(small.submit(name, fills(), contract_id), 409, "contract-not-in-force")
    assert small.submit("lakeshore", fills(), "dsc-apart").status_code == 201
    assert read(small, "lakeshore")["suspended_populations"] == ["sierra-members"]
    assert read(small, "lakeshore", contract_id="dsc-apart")["suspended_populations"] == []
    refused = act(small, "lakeshore", "resumption")
    assert_problem(refused, 409, "transition-illegal")
    assert "resume" not in refused.get_json()["legal_now"]

    done(act(small, "sierra", "resumption", "/v1/populations/sierra-members"))
    assert [status(small, name) for name in (CONTRACT, "dsc-second")] == ["in_force"] * 2
    assert_ledgers_verify(small)


def test_why_a_population_was_suspended_is_told_under_the_version_that_binds(small: SmallExchange) -> None:
    """And so neither kept from those who leave by a proposal, nor told to those who join by it."""
    small.agree()
    parties = [party for party in small_contract()["parties"] if party["organisation"] != "lakeshore"]
    joining = {"organisation": "foreigner", "role": "payer", "population": "foreigner-members"}
    propose_next(small, with_parties(small, [*parties, joining]))

    done(act(small, "sierra", "suspension", "/v1/populations/sierra-members"))

    told = small.get("lakeshore", f"/v1/contracts/{CONTRACT}/audit").get_json()["records"][-1]["act"]
    assert (told["action"], told["contract_version"]) == ("population_suspended", 1)


def test_owner_and_operator_each_lift_their_own_suspension_of_a_population(small: SmallExchange) -> None:
    small.agree()
    owned, operated = "/v1/populations/sierra-members", "/v1/operator/populations/sierra-members"
    assert_problem(act(small, OPERATOR, "resumption", operated), 409, "transition-illegal")
    done(act(small, "sierra", "suspension", owned))
    assert act(small, "sierra", "suspension", owned).get_json()["legal_now"] == ["resume"]
    assert_problem(act(small, OPERATOR, "resumption", operated), 409, "transition-illegal")
    assert done(act(small, OPERATOR, "suspension", operated))["suspended_by"] == ["operator", "sierra"]

    assert done(act(small, "sierra", "resumption", owned))["suspended_by"] == ["operator"]
    assert status(small) == "suspended"
    assert done(act(small, OPERATOR, "resumption", operated))["suspended_by"] == []
    assert status(small) == "in_force"


@pytest.mark.parametrize("population", ["sierra-members", "nobody-members"])
def test_a_population_of_others_is_like_one_that_is_not_there(small: SmallExchange, population: str) -> None:
    small.agree()
    for what in ("suspension", "resumption"):
        refused = act(small, "lakeshore", what, f"/v1/populations/{population}")
        assert_problem(refused, 404, "population-not-found")
        assert population not in refused.get_data(as_text=True)
    assert status(small) == "in_force"


def test_a_contract_suspended_twice_over_needs_both_lifted(small: SmallExchange) -> None:
    small.agree()
    done(act(small, "sierra", "suspension"))
    done(act(small, "sierra", "suspension", "/v1/populations/sierra-members"))

    assert done(act(small, OPERATOR, "resumption", OPERATED))["status"] == "suspended"
    done(act(small, "sierra", "resumption", "/v1/populations/sierra-members"))

    assert status(small) == "in_force"


# --- drafts


def tag(answered: TestResponse) -> str:
    etag = answered.headers["ETag"]
    assert etag.startswith('"')
    return etag


@pytest.mark.parametrize("number", [1, 2])
def test_a_draft_is_edited_and_discarded_by_the_tag_with_which_it_was_read(small: SmallExchange, number: int) -> None:
    if number == 1:
        document = small_contract()
        drafted = small.post(BRAND, "/v1/contracts", document)
    else:
        small.agree()
        document = following(small)
        drafted = small.post(BRAND, f"{PATH}/versions", document)
    assert drafted.status_code == 201
    first, draft = tag(drafted), f"{PATH}/draft"
    assert tag(small.get(BRAND, PATH, version=str(number))) == first
    changed = document | {"title": "Better words"}

    assert_problem(send(small, BRAND, "PUT", draft, changed), 428, "if-match-missing")
    assert_problem(send(small, BRAND, "DELETE", draft), 428, "if-match-missing")
    for stale in ('"stale"', f"W/{first}", "nonsense", ""):
        assert_problem(send(small, BRAND, "PUT", draft, changed, stale), 412, "draft-changed")
    edited = send(small, BRAND, "PUT", draft, changed, f'"other", {first}')
    assert edited.status_code == 200, edited.get_json()
    assert edited.get_json()["document"]["title"] == "Better words"
    assert tag(edited) != first
    assert_problem(send(small, BRAND, "PUT", draft, document, first), 412, "draft-changed")
    assert_problem(send(small, BRAND, "DELETE", draft, if_match=first), 412, "draft-changed")
    assert_problem(send(small, BRAND, "POST", f"{PATH}/proposal", if_match=first), 412, "draft-changed")
    assert send(small, BRAND, "PUT", draft, changed | {"title": "Best"}, "*").status_code == 200
    assert read(small, version=number)["document"]["title"] == "Best"
    last = tag(small.get(BRAND, PATH, version=str(number)))
    assert send(small, BRAND, "DELETE", draft, if_match=last).status_code == 204

    assert_problem(small.get(BRAND, PATH, version=str(number)), 404, "contract-not-found")
    assert [c["version"] for c in small.get(BRAND, "/v1/contracts").get_json()["contracts"]] == [1][: number - 1]


def test_a_proposal_is_of_the_very_draft_that_is_named_and_has_no_tag(small: SmallExchange) -> None:
    first = tag(small.post(BRAND, "/v1/contracts", small_contract()))

    proposed = send(small, BRAND, "POST", f"{PATH}/proposal", if_match=first)

    assert proposed.status_code == 200
    assert "ETag" not in proposed.headers
    assert "ETag" not in small.get(BRAND, PATH).headers
    assert_problem(send(small, BRAND, "PUT", f"{PATH}/draft", small_contract(), first), 409, "contract-not-a-draft")


def test_a_discarded_id_can_be_drafted_anew_by_anybody(small: SmallExchange) -> None:
    done(small.post(BRAND, "/v1/contracts", small_contract()))
    assert send(small, BRAND, "DELETE", f"{PATH}/draft", if_match="*").status_code == 204

    done(small.post("sierra", "/v1/contracts", small_contract(title="Of sierra")))

    assert read(small, "sierra")["drafted_by"] == "sierra"
    assert_problem(small.get(BRAND, PATH), 404, "contract-not-found")
    assert small.get(BRAND, "/v1/contracts").get_json()["contracts"] == []


def test_the_draft_of_another_is_like_one_that_is_not_there(small: SmallExchange) -> None:
    for name in ("sierra", "foreigner"):
        absent = send(small, name, "PUT", f"{PATH}/draft", small_contract(), "*").get_json()
        assert absent["status"] == 404
    small.post(BRAND, "/v1/contracts", small_contract())
    for name in ("sierra", "foreigner"):
        for method, body in (("PUT", small_contract()), ("DELETE", None)):
            assert send(small, name, method, f"{PATH}/draft", body, "*").get_json() == absent
    send(small, BRAND, "DELETE", f"{PATH}/draft", if_match="*")
    small.agree()

    def others() -> list[JsonObject]:
        """What is answered to parties about a draft that is not theirs."""
        puts = [send(small, name, "PUT", f"{PATH}/draft", following(small), "*") for name in ("lakeshore", BRAND)]
        return [dict(answered.get_json()) for answered in puts]

    without = others()
    done(small.post("sierra", f"{PATH}/versions", following(small)))

    assert others() == without
    assert {problem["status"] for problem in without} <= {403, 409}
    assert_problem(small.get(BRAND, PATH, version="2"), 404, "contract-not-found")
    assert standing(small) == {1: "in_force"}
    assert standing(small, "sierra") == {1: "in_force", 2: "draft"}
    assert_problem(small.post(BRAND, f"{PATH}/versions", following(small)), 409, "already-exists")


def test_the_list_shows_every_version_that_one_may_see(small: SmallExchange) -> None:
    small.agree()
    small.clock.go_on(minutes=1)
    propose_next(small, following(small, title="Second"))
    done(small.post("sierra", f"{PATH}/versions", following(small, version=2, title="Third")))

    def listed(name: str) -> list[tuple[Any, ...]]:
        found = small.get(name, "/v1/contracts").get_json()["contracts"]
        return [(c["id"], c["version"], c["title"], c["status"]) for c in found]

    both = [(CONTRACT, 1, "A small contract", "in_force"), (CONTRACT, 2, "Second", "proposed")]
    assert listed(BRAND) == listed("lakeshore") == both
    assert listed("sierra") == [*both, (CONTRACT, 3, "Third", "draft")]
    assert listed("foreigner") == listed(OPERATOR) == []


def test_an_unsigned_proposal_that_a_newer_one_overtook_cannot_be_signed(small: SmallExchange) -> None:
    small.agree()
    propose_next(small, following(small, title="Second"))
    done(sign_version(small, "sierra", 2))
    propose_next(small, following(small, version=2, title="Third"), "sierra")

    late = sign_version(small, "blueridge", 2)

    assert_problem(late, 422, "signature-invalid")
    assert standing(small) == {1: "in_force", 2: "superseded", 3: "proposed"}
    assert read(small, version=2)["waiting_for"] == ["blueridge", "lakeshore", BRAND]
    amend(small, following(small, version=3, title="Fourth"))
    assert standing(small) == {1: "superseded", 2: "superseded", 3: "superseded", 4: "in_force"}
    assert_ledgers_verify(small)


CHANGES = {
    "version_differs": ("/version", {"version": 3}),
    "previous_digest_differs": ("/previous_digest", {"previous_digest": "00" * 32}),
    "previous_digest_missing": ("/previous_digest", {"previous_digest": None}),
    "id_differs": ("/id", {"id": "dsc-other"}),
}


@pytest.mark.parametrize(("code", "pointer", "change"), [(code, *told) for code, told in CHANGES.items()])
def test_a_version_follows_the_one_before(
    migrated_sqlite_url: str, code: str, pointer: str, change: dict[str, Any]
) -> None:
    small = SmallExchange(migrated_sqlite_url)
    small.agree()

    right = following(small)
    refused = small.post(BRAND, f"{PATH}/versions", right | change)
    done(small.post(BRAND, f"{PATH}/versions", right))
    edited = send(small, BRAND, "PUT", f"{PATH}/draft", right | change, "*")

    for answered in (refused, edited):
        assert_problem(answered, 422, "contract-invalid", pointer, code.replace("missing", "differs"))
    small.wiring.database.close()


def test_a_first_version_follows_none(small: SmallExchange) -> None:
    for change, pointer in (({"version": 2}, "/version"), ({"previous_digest": "00" * 32}, "/previous_digest")):
        refused = small.post(BRAND, "/v1/contracts", small_contract(**change))
        assert_problem(refused, 422, "contract-invalid", pointer, f"{pointer[1:]}_differs")
