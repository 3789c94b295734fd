"""Two things done to a contract at the same moment: one comes first, and the other sees it. On both databases."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from werkzeug.test import TestResponse

from contracts.parties import Role, Scope
from contracts.signing import sign
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
from tests.support.small_exchange import BRAND, PAYERS, SmallExchange, fills

OPERATOR = "overseer"
ROUNDS = 3

Work = Callable[[], TestResponse]


@pytest.fixture
def small(migrated_url: str) -> Iterator[SmallExchange]:
    """The small contract in force, on each database in turn."""
    exchange = SmallExchange(migrated_url)
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    exchange.agree()
    for name in (*PAYERS, BRAND, OPERATOR):
        exchange.token(name)
    yield exchange
    exchange.wiring.database.close()


def at_once(*work: Work) -> list[TestResponse]:
    start = Barrier(len(work))

    def run(each: Work) -> TestResponse:
        start.wait(timeout=30)
        return each()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))


def codes(*answers: TestResponse) -> list[str]:
    """What became of each: the problem's code, or ok."""
    return [str(a.get_json()["type"]).rpartition(":")[2] if a.status_code >= 400 else "ok" for a in answers]


def assert_events_without_gaps(small: SmallExchange) -> None:
    with small.wiring.database.reading() as stores:
        history = stores.contracts.find_history("dsc-small")
    assert history is not None
    assert [each.sequence for each in history.events] == [*range(1, len(history.events) + 1)]


def test_of_many_amendments_at_once_one_is_drafted(small: SmallExchange) -> None:
    drafts = [following(small, title=f"By {name}") for name in (*PAYERS, BRAND)]
    work = [
        (lambda name=name, draft=draft: small.post(name, f"{PATH}/versions", draft))
        for name, draft in zip((*PAYERS, BRAND), drafts, strict=True)
    ]

    assert Counter(codes(*at_once(*work))) == {"ok": 1, "already-exists": 3}


def test_a_draft_is_proposed_once(small: SmallExchange) -> None:
    done(small.post(BRAND, f"{PATH}/versions", following(small)))

    answers = at_once(*[lambda: small.post(BRAND, f"{PATH}/proposal")] * 3)

    assert Counter(codes(*answers)) == {"ok": 1, "contract-not-a-draft": 2}


def test_what_is_proposed_is_the_draft_of_before_or_after_an_edit(small: SmallExchange) -> None:
    first, second = following(small, title="First words"), following(small, title="Second words")
    drafted = small.post(BRAND, f"{PATH}/versions", first)
    tag = drafted.headers["ETag"]

    edited, proposed = at_once(
        lambda: send(small, BRAND, "PUT", f"{PATH}/draft", second, tag),
        lambda: send(small, BRAND, "POST", f"{PATH}/proposal", if_match=tag),
    )

    title = read(small, version=2)["document"]["title"]
    told = (*codes(edited, proposed), title)
    assert told in {("ok", "draft-changed", "Second words"), ("contract-not-a-draft", "ok", "First words")}


def test_a_last_signature_and_a_newer_proposal_come_in_some_order(small: SmallExchange) -> None:
    view = propose_next(small, following(small, title="Second"))
    for name in view["waiting_for"][:-1]:
        done(sign_version(small, name, 2))
    last = view["waiting_for"][-1]
    done(small.post("sierra", f"{PATH}/versions", following(small, version=2, title="Third")))
    jws = sign(read(small, last, 2)["document"], small.signing_keys[last], "Ann", "Officer")

    signed, proposed = at_once(
        lambda: small.post(last, f"{PATH}/signatures", {"jws": jws}), lambda: small.post("sierra", f"{PATH}/proposal")
    )

    assert codes(proposed) == ["ok"]
    if codes(signed) == ["ok"]:
        assert standing(small) == {1: "superseded", 2: "in_force", 3: "proposed"}
    else:
        assert codes(signed) == ["signature-invalid"]
        assert standing(small) == {1: "in_force", 2: "superseded", 3: "proposed"}


def test_suspensions_and_resumptions_leave_events_without_gaps(small: SmallExchange) -> None:
    for _ in range(ROUNDS):
        answers = at_once(
            lambda: act(small, "sierra", "suspension"),
            lambda: act(small, "blueridge", "suspension"),
            lambda: act(small, OPERATOR, "resumption", "/v1/operator/contracts/dsc-small"),
            lambda: act(small, BRAND, "resumption"),
        )
        assert codes(*answers[:2]) == ["ok", "ok"]
        assert set(codes(*answers)) <= {"ok", "transition-illegal", "already-agreed"}
        kinds = [each["kind"] for each in read(small)["events"]]
        last = [kind for kind in kinds if kind in ("suspended", "resumed")][-1]
        assert read(small)["status"] == {"suspended": "suspended", "resumed": "in_force"}[last]
        assert_events_without_gaps(small)
        if last == "suspended":  # who holds a contract suspended does not suspend it again
            done(act(small, OPERATOR, "resumption", "/v1/operator/contracts/dsc-small"))


def test_a_contract_ends_once_when_the_last_two_agree_at_once(small: SmallExchange) -> None:
    for name in PAYERS[:2]:
        done(act(small, name, "termination"))

    answers = at_once(*[lambda name=name: act(small, name, "termination") for name in (PAYERS[2], BRAND, BRAND)])

    told = Counter(codes(*answers))
    assert told["ok"] == 2
    assert told["already-agreed"] + told["transition-illegal"] == 1
    kinds = Counter(each["kind"] for each in read(small)["events"])
    assert kinds == {"termination_agreed": 4, "terminated": 1}
    assert_events_without_gaps(small)


@pytest.mark.slow
@pytest.mark.parametrize("path", [PATH, "/v1/populations/lakeshore-members"])
def test_nothing_is_debited_after_a_suspension_committed(small: SmallExchange, path: str) -> None:
    """Either it was before it, or it is refused; and no debit has a later place in time than the suspension."""
    for month in range(1, 5):
        submitted, suspended = at_once(
            lambda month=month: small.submit("sierra", fills(f"2025-{month:02}")),
            lambda: act(small, "lakeshore", "suspension", path),
        )
        assert codes(suspended) == ["ok"]
        assert set(codes(submitted)) <= {"ok", "contract-not-in-force"}
        entries = len(small.ledger("sierra")["entries"])
        assert codes(small.submit("sierra", fills("2025-12"))) == ["contract-not-in-force"]
        assert len(small.ledger("sierra")["entries"]) == entries
        if path == PATH:
            done(act(small, OPERATOR, "resumption", "/v1/operator/contracts/dsc-small"))
        else:
            done(act(small, "lakeshore", "resumption", path))
    assert_ledgers_verify(small)


def test_a_submission_whose_feed_is_amended_while_its_cells_are_read_is_not_drawn_by_the_old_plan(
    small: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cells were checked under the first version; when they are to be paid for, the second is in force."""
    document = following(small)
    feeds = [
        f | ({"tables": [{"by": ["region"], "weight": 9}]} if f["name"] == "fills" else {}) for f in document["feeds"]
    ]
    submitting = small.wiring.submitting
    checked = type(submitting)._checked

    def amended_meanwhile(self: object, *arguments: object) -> object:
        found = checked(self, *arguments)  # type: ignore[arg-type]
        amend(small, document | {"feeds": feeds})
        return found

    monkeypatch.setattr(type(submitting), "_checked", amended_meanwhile)
    before = small.traces()

    refused = small.submit("sierra", fills())

    assert codes(refused) == ["contract-version-other"]
    assert small.traces() == before


@pytest.mark.slow
def test_a_suspension_waits_for_the_debit_that_came_first(
    small: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the decision and the debit nobody can suspend: the suspension comes right after the debit."""
    submitting = small.wiring.submitting
    claim = type(submitting)._claim
    with ThreadPoolExecutor(1) as pool:
        pending = []

        def suspended_meanwhile(self: object, *arguments: object) -> object:
            pending.append(pool.submit(act, small, "lakeshore", "suspension"))
            with pytest.raises(TimeoutError):
                pending[0].result(timeout=0.5)
            return claim(self, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(type(submitting), "_claim", suspended_meanwhile)
        done(small.submit("sierra", fills()))
        done(pending[0].result())
    debited = small.ledger("sierra")["entries"][-1]
    suspended = read(small)["events"][-1]
    assert (debited["kind"], suspended["kind"]) == ("debit", "suspended")
    assert read(small)["status"] == "suspended"
