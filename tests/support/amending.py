"""What a test does to the small contract after it is in force: amend, edit, suspend, resume, terminate."""

from typing import Any

from werkzeug.test import TestResponse

from contracts.ledger.verifying import verify_ledgers
from contracts.parties import JsonObject
from contracts.signing import sign
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange

PATH = f"/v1/contracts/{CONTRACT}"


def send(
    small: SmallExchange, name: str, method: str, path: str, body: Any = None, if_match: str | None = None
) -> TestResponse:
    headers = small.headers(name) | ({} if if_match is None else {"If-Match": if_match})
    options = {} if body is None else {"json": body}
    return small.app.test_client().open(path, method=method, headers=headers, **options)


def read(
    small: SmallExchange, name: str = BRAND, version: int | None = None, contract_id: str = CONTRACT
) -> JsonObject:
    query = {} if version is None else {"version": str(version)}
    answered = small.get(name, f"/v1/contracts/{contract_id}", **query)
    assert answered.status_code == 200, answered.get_json()
    return dict(answered.get_json())


def standing(small: SmallExchange, name: str = BRAND) -> dict[int, str]:
    """Where each version stands that the party may see."""
    return {each["version"]: each["status"] for each in read(small, name)["versions"]}


def following(small: SmallExchange, name: str = BRAND, version: int = 1, **changes: Any) -> JsonObject:
    """The document of the version after this one, in which nothing but what is given differs."""
    before = read(small, name, version)
    feeds = [{term: value for term, value in feed.items() if term != "plan"} for feed in before["document"]["feeds"]]
    succession = {"version": version + 1, "previous_digest": before["digest"]}
    return {**before["document"], "feeds": feeds, **succession, **changes}


def done(answered: TestResponse, status: int = 201) -> JsonObject:
    assert answered.status_code == status, answered.get_json()
    return dict(answered.get_json())


def propose_next(small: SmallExchange, document: JsonObject, name: str = BRAND) -> JsonObject:
    done(small.post(name, f"{PATH}/versions", document))
    return done(small.post(name, f"{PATH}/proposal"), 200)


def sign_version(small: SmallExchange, name: str, version: int) -> TestResponse:
    jws = sign(read(small, name, version)["document"], small.signing_keys[name], f"Ann of {name}", "Privacy Officer")
    return small.post(name, f"{PATH}/signatures", {"jws": jws})


def amend(small: SmallExchange, document: JsonObject, name: str = BRAND) -> JsonObject:
    """Drafted, proposed, and signed by all who have to."""
    view = propose_next(small, document, name)
    for signer in view["waiting_for"]:
        view = done(sign_version(small, signer, document["version"]))
    assert view["waiting_for"] == []
    return view


def act(small: SmallExchange, name: str, what: str, path: str = PATH, reason: str = "because") -> TestResponse:
    """what: suspension, resumption or termination."""
    return small.post(name, f"{path}/{what}", {"reason": reason})


def assert_ledgers_verify(small: SmallExchange) -> None:
    verification = verify_ledgers(small.wiring.database)
    assert verification.differences == ()
