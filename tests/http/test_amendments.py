"""Amendments from end to end: what goes on under a new version, what begins anew, who leaves and who joins."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from adapters.cells.rows import from_rows
from contracts.canonical import canonical_bytes
from contracts.differences.comparing import compare
from contracts.parties import JsonObject
from contracts.submissions.measuring import draw_at_source, get_due_period
from contracts.terms import document as terms
from privacy.mechanism import DiscreteGaussian
from tests.http.answers import FILLS, answer, post
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
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    PAYERS,
    FailingNoise,
    SmallExchange,
    adherence_feed,
    fills,
    fills_feed,
    fills_row,
    public,
    small_contract,
    support_feed,
)

JANUARY = {key: rows for key, rows in FILLS.items() if key[1] == "2025-01"}


@pytest.fixture
def small(migrated_url: str) -> Iterator[SmallExchange]:
    """The small contract in force on each database in turn, with noise that can be made to fail."""
    noise = FailingNoise(DiscreteGaussian())
    noise.failing = False
    exchange = SmallExchange(migrated_url, noise=noise)
    exchange.agree()
    yield exchange
    exchange.wiring.database.close()


def counts(small: SmallExchange, name: str = BRAND, **query: str) -> JsonObject:
    return answer(small, "counts", name, feed="fills", measures="members", **query)


def lifetime(small: SmallExchange, name: str = "sierra") -> int:
    return int(small.ledger(name)["lifetime"]["rho_nano"])


def with_fills(small: SmallExchange, version: int = 1, **changes: Any) -> JsonObject:
    """The next version, in which the feed of fills differs."""
    document = following(small, version=version)
    feeds = [feed | (changes if feed["name"] == "fills" else {}) for feed in document["feeds"]]
    return document | {"feeds": feeds}


def without(small: SmallExchange, name: str, version: int = 1) -> JsonObject:
    """The next version, without this party."""
    document = following(small, version=version)
    parties = [party for party in document["parties"] if party["organisation"] != name]
    ceilings = {party["population"]: "0.1" for party in parties}
    rules = document["rules"] | {"min_payers": 2}
    return document | {"parties": parties, "privacy": document["privacy"] | {"ceilings": ceilings}, "rules": rules}


# --- the old stays in force until the new one is


def test_the_old_version_is_in_force_until_the_last_signature_on_the_new_one(small: SmallExchange) -> None:
    before = read(small)
    proposed = propose_next(small, following(small, title="Second"))

    assert proposed["document"]["previous_digest"] == before["digest"]
    assert proposed["waiting_for"] == [*PAYERS, BRAND]
    for name in (*PAYERS, BRAND):
        assert standing(small) == {1: "in_force", 2: "proposed"}
        assert read(small) == {**before, "versions": read(small)["versions"]}
        small.clock.go_on(seconds=1)
        done(sign_version(small, name, 2))

    assert standing(small) == {1: "superseded", 2: "in_force"}
    assert read(small)["document"]["title"] == "Second"
    assert read(small, version=1)["signatures"] == before["signatures"]
    late = sign_version(small, "sierra", 1)
    assert_problem(late, 409, "already-exists")
    assert_ledgers_verify(small)


def test_a_signed_amendment_waits_for_its_effective_date(small: SmallExchange) -> None:
    amend(small, following(small, title="Second", effective="2026-07-10"))
    done(small.submit("sierra", fills("2025-01")))
    small.clock.instant = datetime(2026, 7, 9, 23, 59, 59, 999999, UTC)
    assert standing(small) == {1: "in_force", 2: "signed"}
    assert done(small.submit("sierra", fills("2025-02")))["contract_version"] == 1

    small.clock.go_on(microseconds=1)

    assert standing(small) == {1: "superseded", 2: "in_force"}
    assert done(small.submit("sierra", fills("2025-03")))["contract_version"] == 2
    assert_ledgers_verify(small)


def test_what_is_meant_for_the_old_version_is_refused_under_the_new(small: SmallExchange) -> None:
    amend(small, following(small))

    refused = small.submit("sierra", fills(contract_version=1))

    assert_problem(refused, 409, "contract-version-other")
    assert refused.get_json()["contract_version"] == 2


# --- a feed that is left alone


def test_a_feed_that_is_left_alone_goes_on(small: SmallExchange) -> None:
    """Releases, pools, answers, periods, receipts and the account: all as if nothing had happened."""
    post(small, "fills", {key: rows for key, rows in JANUARY.items() if key[0] != "sierra"})
    body = fills("2025-01")
    receipt = done(small.submit("sierra", body))
    loss, answered = lifetime(small), counts(small, by="region")

    amend(small, with_fills(small, run_out_days=60, restatements=0))

    now = {"contract_version": 2, "contract_digest": read(small)["digest"]}
    assert counts(small, by="region") == answered | now
    assert counts(small, as_of="first")["releases"] == answered["releases"]
    again = done(small.submit("sierra", body), 200)
    assert again == receipt | {"replayed": True}
    taken = small.submit("sierra", fills("2025-01"))
    assert_problem(taken, 409, "period-taken")
    assert taken.get_json()["submission_id"] == body["submission_id"]
    reused = small.submit("sierra", body | {"period": "2025-02"})
    assert_problem(reused, 409, "submission-id-reused")
    assert lifetime(small) == loss
    done(small.submit("sierra", fills("2025-02")))
    entries = small.ledger("sierra")["entries"]
    assert len({entry["generation"] for entry in entries[1:]}) == 1
    assert [entry["contract_version"] for entry in entries[1:]] == [1, 2]
    assert len(small.ledger("sierra")["derivation"]) == 1
    own = small.get("sierra", f"{PATH}/releases").get_json()["feeds"][0]["own_releases"]
    assert [release["period"] for release in own] == ["2025-01", "2025-02"]
    assert_ledgers_verify(small)


def test_a_submission_that_crashed_resumes_under_the_new_version(small: SmallExchange) -> None:
    assert isinstance(small.noise, FailingNoise)
    body = fills("2025-01")
    small.noise.failing = True
    assert_problem(small.submit("sierra", body), 503, "noise-unavailable")
    small.noise.failing = False
    amend(small, following(small, expires="2029-12-31"))
    small.clock.instant = datetime(2028, 6, 1, tzinfo=UTC)  # after the first version's last day

    receipt = done(small.submit("sierra", body))

    assert (receipt["contract_version"], receipt["attempts"]) == (2, 2)
    assert receipt["contract_digest"] == read(small)["digest"]
    first, second = small.ledger("sierra")["entries"][1:]
    assert first["increment"] == second["increment"]
    assert [first["contract_version"], second["contract_version"]] == [1, 2]
    assert done(small.submit("sierra", body), 200) == receipt | {"replayed": True}
    assert_ledgers_verify(small)


def test_a_restatement_follows_a_first_measurement_under_the_version_before(migrated_url: str) -> None:
    small = SmallExchange(migrated_url)
    feeds = [
        fills_feed(first_period="2026-01", last_period="2026-12", restatements=1),
        adherence_feed(),
        support_feed(),
    ]
    small.agree(small_contract(feeds=feeds))
    post(small, "fills", {(name, "2026-05"): rows for (name, _), rows in JANUARY.items()})
    first = counts(small, periods="2026-05")
    amend(small, following(small, title="Second"))
    small.clock.instant = datetime(2026, 9, 5, tzinfo=UTC)

    for name in PAYERS:
        rows = [fills_row()]
        receipt = done(small.submit(name, fills("2026-05", rows, restatement=1)))
        assert (receipt["contract_version"], receipt["restatement"]) == (2, 1)

    assert counts(small, periods="2026-05", as_of="first")["releases"] == first["releases"]
    assert set(counts(small, periods="2026-05")["releases"]).isdisjoint(first["releases"])
    assert_problem(small.submit("sierra", fills("2026-06", restatement=1)), 409, "restatement-not-due")
    assert_ledgers_verify(small)
    small.wiring.database.close()


def test_a_release_drawn_under_the_old_version_is_taken_under_the_new(migrated_url: str) -> None:
    small = SmallExchange(migrated_url)
    small.agree(small_contract(feeds=[fills_feed(measured="source"), adherence_feed(), support_feed()]))
    contract, own_key = read(small, "sierra"), public(small.signing_keys["sierra"])
    due = get_due_period(contract, "fills", "2025-01", trusted=own_key, now=small.clock.now())
    body = draw_at_source(due, from_rows([fills_row()], due.feed), str(uuid4()), noise=DiscreteGaussian())
    amend(small, following(small, title="Second"))
    assert body["release"]["contract_digest"] == contract["digest"]

    taken = small.submit("sierra", {name: value for name, value in body.items() if name != "contract_version"})

    assert done(taken)["contract_version"] == 2
    refused = small.submit("sierra", fills("2025-02"))
    assert_problem(refused, 422, "measured-at-source")
    strange = body | {"submission_id": str(uuid4()), "period": "2025-02"}
    strange["release"] = body["release"] | {"contract_digest": "00" * 32}
    assert_problem(small.submit("sierra", strange), 422, "release-invalid", "/release/contract_digest")
    assert_ledgers_verify(small)
    small.wiring.database.close()


# --- a feed that changes


CHANGED = {
    "a plan": {"tables": [{"by": ["region"], "weight": 5}]},
    "a bound": {
        "measures": {
            "members": {"unit": "persons", "bound": 1},
            "days_covered": {"unit": "days", "bound": 30},
            "treatment_days": {"unit": "days", "bound": 31},
        },
    },
    "k": {"k": 6},
}


@pytest.mark.slow
@pytest.mark.parametrize("changes", CHANGED.values(), ids=CHANGED)
def test_a_feed_that_changes_begins_empty_and_adds_to_the_loss(
    migrated_sqlite_url: str, changes: dict[str, Any]
) -> None:
    small = SmallExchange(migrated_sqlite_url)
    small.agree(small_contract(feeds=[fills_feed(rho="0.02"), adherence_feed(), support_feed()]))
    post(small, "fills", JANUARY)
    body = fills("2025-02")
    done(small.submit("sierra", body))
    old, loss = counts(small)["releases"], lifetime(small)

    amend(small, with_fills(small, **changes))

    assert_problem(small.ask(BRAND, "counts", feed="fills"), 409, "nothing-released")
    own = small.get("sierra", f"{PATH}/releases").get_json()["feeds"][0]
    assert own["own_releases"] == []
    assert_problem(small.submit("sierra", body), 409, "submission-id-reused")
    post(small, "fills", JANUARY)
    assert set(counts(small)["releases"]).isdisjoint(old)
    statement = small.ledger("sierra")
    assert statement["lifetime"]["rho_nano"] > loss
    assert statement["under_contract"]["rho_nano"] == statement["lifetime"]["rho_nano"]
    assert len(statement["derivation"]) == 2
    assert_ledgers_verify(small)

    # Back to the words of before: what was measured by them is there again, and so is its account.
    amend(
        small, with_fills(small, 2, **{name: read(small, version=1)["document"]["feeds"][0][name] for name in changes})
    )
    assert counts(small, periods="2025-01")["releases"] == old
    assert_problem(small.submit("sierra", fills("2025-02")), 409, "period-taken")
    assert_ledgers_verify(small)
    small.wiring.database.close()


# --- who leaves


def test_who_is_left_out_has_to_sign_and_then_reads_what_bound_it_and_no_more(small: SmallExchange) -> None:
    post(small, "fills", JANUARY)
    pooled = counts(small)["releases"]
    proposed = propose_next(small, without(small, "sierra"))
    assert proposed["waiting_for"] == ["blueridge", "lakeshore", BRAND, "sierra"]
    for name in ("blueridge", "lakeshore", BRAND):
        done(sign_version(small, name, 2))
    assert standing(small) == {1: "in_force", 2: "proposed"}
    done(small.submit("sierra", fills("2025-02")))

    done(sign_version(small, "sierra", 2))
    loss = lifetime(small)

    # It reads its version, the one that it signed itself out by, and its ledger.
    assert read(small, "sierra")["version"] == 1
    assert standing(small, "sierra") == {1: "superseded", 2: "in_force"}
    assert loss > 0
    for answered in (
        small.submit("sierra", fills("2025-03")),
        small.ask("sierra", "counts", feed="fills"),
        small.get("sierra", f"{PATH}/releases"),
        small.get("sierra", f"{PATH}/statistics"),
    ):
        assert_problem(answered, 404, "contract-not-found")
    for what in ("suspension", "resumption", "termination"):
        refused = act(small, "sierra", what)
        assert_problem(refused, 409, "transition-illegal")
        assert refused.get_json()["legal_now"] == []
    assert_problem(small.post("sierra", f"{PATH}/versions", following(small, version=2)), 409, "transition-illegal")

    # Its releases are used no longer, nor are those beside them, which would tell it apart. What happens from now on is
    # not told it.
    assert_problem(small.ask(BRAND, "counts", feed="fills"), 409, "nothing-released")
    post(small, "fills", {(name, "2025-04"): JANUARY[name, "2025-01"] for name in PAYERS[:2]})
    after = counts(small)
    assert len(after["releases"]) == 2
    assert set(after["releases"]).isdisjoint(pooled)
    done(act(small, BRAND, "suspension"))
    assert read(small, "sierra")["events"] == []
    assert [each["kind"] for each in read(small, "lakeshore")["events"]] == ["suspended"]
    done(act(small, "lakeshore", "suspension", "/v1/populations/lakeshore-members"))
    assert read(small, "sierra")["suspended_populations"] == []
    amend(small, following(small, version=2, title="Third"))
    assert standing(small, "sierra") == {1: "superseded", 2: "superseded"}
    assert_problem(small.get("sierra", PATH, version="3"), 404, "contract-not-found")
    assert lifetime(small) == loss
    assert_ledgers_verify(small)


def test_a_population_that_left_no_longer_suspends(small: SmallExchange) -> None:
    amend(small, without(small, "sierra"))
    done(act(small, "sierra", "suspension", "/v1/populations/sierra-members"))
    assert standing(small) == {1: "superseded", 2: "in_force"}


def test_who_comes_back_brings_its_releases_of_the_same_population(small: SmallExchange) -> None:
    post(small, "fills", JANUARY)
    pooled = counts(small)["releases"]
    amend(small, without(small, "sierra"))
    small.wiring.registering.add_population("sierra", "sierra-others", "0.1", "nobody is in both")
    back = following(small, version=2, parties=read(small, version=1)["document"]["parties"])
    privacy, parties = read(small, version=1)["document"]["privacy"], back["parties"]
    back |= {"privacy": privacy, "rules": back["rules"] | {"min_payers": 3}}
    others = [
        party | {"population": "sierra-others"} if party["organisation"] == "sierra" else party for party in parties
    ]
    ceilings = {party["population"]: "0.1" for party in others}
    moved = back | {"parties": others, "privacy": privacy | {"ceilings": ceilings}}

    refused = small.post(BRAND, f"{PATH}/versions", moved)
    amend(small, back)

    assert_problem(refused, 422, "contract-invalid", "/parties/2/population", "population_differs")
    assert counts(small)["releases"] == pooled
    assert_ledgers_verify(small)


@pytest.mark.parametrize("term", ["role", "population"])
def test_a_party_keeps_its_role_and_population(small: SmallExchange, term: str) -> None:
    document = following(small)
    other = {"role": "brand", "population": "lakeshore-members"}[term]
    document["parties"] = [document["parties"][0] | {term: other}, *document["parties"][1:]]

    refused = small.post(BRAND, f"{PATH}/versions", document)

    assert_problem(refused, 422, "contract-invalid", f"/parties/0/{term}", f"{term}_differs")


# --- who joins


def test_who_joins_signs_posts_and_asks(small: SmallExchange) -> None:
    post(small, "fills", JANUARY)
    document = following(small)
    joining = {"organisation": "foreigner", "role": "payer", "population": "foreigner-members"}
    ceilings = document["privacy"]["ceilings"] | {"foreigner-members": "0.1"}
    document |= {
        "parties": [*document["parties"], joining],
        "privacy": document["privacy"] | {"ceilings": ceilings},
    }
    done(act(small, "sierra", "suspension"))
    done(act(small, "sierra", "resumption"))
    assert_problem(small.get("foreigner", PATH), 404, "contract-not-found")
    propose_next(small, document)

    assert read(small, "foreigner")["version"] == 2
    assert standing(small, "foreigner") == {2: "proposed"}
    assert_problem(small.get("foreigner", PATH, version="1"), 404, "contract-not-found")
    assert_problem(small.submit("foreigner", fills()), 404, "contract-not-found")
    for name in (*PAYERS, BRAND, "foreigner"):
        done(sign_version(small, name, 2))
    done(act(small, BRAND, "suspension", reason="still looking"))

    view = read(small, "foreigner")
    assert view["status"] == "suspended"
    assert view["resume_agreed"] == []
    assert [each["reason"] for each in view["events"]] == ["still looking"]
    for name in (*PAYERS, BRAND, "foreigner"):
        done(act(small, name, "resumption"))
    done(small.submit("foreigner", fills("2025-01")))
    assert len(counts(small)["releases"]) == 3
    assert len(counts(small, "foreigner")["releases"]) == 4
    post(small, "fills", {(name, "2025-02"): JANUARY["sierra", "2025-01"] for name in (*PAYERS, "foreigner")})
    assert len(counts(small, periods="2025-02")["releases"]) == 4
    assert_ledgers_verify(small)


def test_who_joins_a_suspended_contract_reads_who_suspended_it(small: SmallExchange) -> None:
    done(act(small, "sierra", "suspension", reason="an incident"))
    amend(small, following(small, title="Second"))

    assert standing(small) == {1: "superseded", 2: "suspended"}
    assert [each["reason"] for each in read(small, "sierra")["events"]] == ["an incident"]
    assert_problem(small.submit("sierra", fills()), 409, "contract-not-in-force")


def test_another_contract_is_not_touched(small: SmallExchange) -> None:
    small.agree(small_contract(id="dsc-second"))
    amend(small, following(small, title="Second"))
    done(act(small, BRAND, "suspension"))

    other = read(small, contract_id="dsc-second")
    assert (other["version"], other["status"], other["events"]) == (1, "in_force", [])
    assert [each["version"] for each in other["versions"]] == [1]
    assert CONTRACT not in str(other["events"])


# --- who may amend, and how often


def joining(small: SmallExchange, version: int = 1, population: str = "foreigner-members") -> JsonObject:
    """The next version, with the foreigner."""
    document = following(small, version=version)
    party = {"organisation": "foreigner", "role": "payer", "population": population}
    parties = [each for each in document["parties"] if each["organisation"] != "foreigner"]
    ceilings = {each["population"]: "0.1" for each in (*parties, party)}
    return document | {"parties": [*parties, party], "privacy": document["privacy"] | {"ceilings": ceilings}}


def test_who_is_only_invited_can_draft_and_propose_nothing(small: SmallExchange) -> None:
    propose_next(small, joining(small))

    refused = small.post("foreigner", f"{PATH}/versions", following(small, "foreigner", version=2, title="Mine"))

    assert_problem(refused, 409, "transition-illegal")
    assert refused.get_json()["legal_now"] == ["sign"]
    amend(small, following(small, version=2, title="Without it", parties=read(small)["document"]["parties"],
                           privacy=read(small)["document"]["privacy"]))  # fmt: skip
    assert standing(small) == {1: "superseded", 2: "superseded", 3: "in_force"}


def test_who_left_proposes_no_draft_of_before(small: SmallExchange) -> None:
    propose_next(small, without(small, "sierra"))
    done(small.post("sierra", f"{PATH}/versions", following(small, version=2) | keeps_all(small)))
    for name in (*PAYERS, BRAND):
        done(sign_version(small, name, 2))

    refused = small.post("sierra", f"{PATH}/proposal")

    assert_problem(refused, 409, "transition-illegal")
    assert refused.get_json()["legal_now"] == ["edit", "discard"]
    assert send(small, "sierra", "DELETE", f"{PATH}/draft", if_match="*").status_code == 204


def keeps_all(small: SmallExchange) -> JsonObject:
    """The parties of the first version, and what goes with them."""
    first = read(small, version=1)["document"]
    return {name: first[name] for name in ("parties", "privacy", "rules")}


def test_a_draft_lapses_after_thirty_days_and_another_party_takes_its_place(small: SmallExchange) -> None:
    done(small.post("sierra", f"{PATH}/versions", following(small, title="Of sierra")))
    small.clock.go_on(days=29, hours=23, minutes=59)
    document = following(small, title="Of the brand")
    early = small.post(BRAND, f"{PATH}/versions", document)
    assert_problem(early, 409, "already-exists")
    assert "From 2026-07-31T12:00:00+00:00 on" in early.get_json()["detail"]
    small.clock.go_on(minutes=1)
    assert_problem(small.post("sierra", f"{PATH}/versions", document), 409, "already-exists")

    done(small.post(BRAND, f"{PATH}/versions", document))

    assert_problem(small.get("sierra", PATH, version="2"), 404, "contract-not-found")
    assert read(small, version=2)["document"]["title"] == "Of the brand"
    last = small.get("sierra", "/v1/audit").get_json()["records"][-1]["act"]
    assert (last["action"], last["organisation"], last["contract_version"]) == ("draft_deleted", BRAND, 2)


def test_one_party_alone_uses_up_ten_versions_at_most(small: SmallExchange) -> None:
    for number in range(1, 11):
        propose_next(small, following(small, version=number, title=f"{number}"), "sierra")

    assert_problem(small.post("sierra", f"{PATH}/versions", following(small, version=11)), 409, "proposals-too-many")
    amend(small, following(small, version=11, title="Agreed"))
    propose_next(small, following(small, version=12, title="Another"), "sierra")


def test_a_contract_has_so_many_versions_and_no_more(small: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.drafting.document.MAX_VERSIONS", 2)
    amend(small, following(small, title="Second"))

    refused = small.post(BRAND, f"{PATH}/versions", following(small, version=2))

    assert_problem(refused, 422, "contract-invalid", "/version", "versions_too_many")
    assert_problem(
        small.post(BRAND, f"{PATH}/versions", following(small, version=2) | {"version": 101}),
        422, "input-invalid", "/version",
    )  # fmt: skip


def test_what_others_propose_fixes_nobodys_population(small: SmallExchange) -> None:
    small.wiring.registering.add_population("foreigner", "foreigner-others", "0.1", "nobody is in both")
    propose_next(small, joining(small, population="foreigner-others"))

    amend(small, joining(small, version=2))

    assert read(small, "foreigner")["status"] == "in_force"
    assert_problem(
        small.post(BRAND, f"{PATH}/versions", joining(small, version=3, population="foreigner-others")),
        422, "contract-invalid", "/parties/4/population", "population_differs",
    )  # fmt: skip


def test_who_is_only_invited_reads_no_audit_until_all_have_signed(small: SmallExchange) -> None:
    propose_next(small, joining(small))
    for name in (*PAYERS, BRAND, "foreigner"):
        assert_problem(small.get("foreigner", f"{PATH}/audit"), 404, "contract-not-found")
        done(sign_version(small, name, 2))

    found = small.get("foreigner", f"{PATH}/audit").get_json()
    assert {each["act"]["contract_version"] for each in found["records"] if each["act"]} == {2}


def test_the_versions_of_a_whole_history_are_read_once(small: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 6):
        propose_next(small, following(small, version=number, title=f"{number}"))
    size = len(canonical_bytes(read(small)["document"]))
    monkeypatch.setattr(terms, "_READ", terms.ReadTerms(8 * size))
    read_anew: list[str] = []
    reading = terms.read_terms
    monkeypatch.setattr(terms, "read_terms", lambda document: read_anew.append(document["title"]) or reading(document))

    for _ in range(3):
        read(small)

    assert sorted(read_anew) == ["1", "2", "3", "4", "5", "A small contract"]


def test_the_terms_read_least_recently_make_room() -> None:
    kept, one = terms.ReadTerms(10), terms.read_terms(small_contract(feeds=[]))
    for digest in "abc":
        kept.keep(digest, one, 5)
        kept.find("a")

    assert [kept.find(digest) is None for digest in "abc"] == [False, True, False]


# --- what an amendment must not undo


def test_a_smaller_min_payers_opens_nothing_that_was_released_before(small: SmallExchange) -> None:
    post(small, "fills", {("sierra", "2025-01"): JANUARY["sierra", "2025-01"]})
    document = following(small)
    amend(small, document | {"rules": document["rules"] | {"min_payers": 1}})

    refused = small.ask(BRAND, "counts", feed="fills", periods="2025-01")

    assert_problem(refused, 409, "nothing-released")
    assert refused.get_json()["term"] == "/rules/min_payers"
    told = compare(read(small, version=1)["document"], read(small, version=2)["document"]).consequences
    assert any("min_payers falls from 3 to 1" in line for line in told)


def test_coverage_and_answers_leave_out_what_an_amendment_took_out_of_a_feed(small: SmallExchange) -> None:
    post(small, "fills", JANUARY)
    post(small, "fills", {(name, "2025-02"): rows for (name, _), rows in JANUARY.items()})
    amend(small, with_fills(small, first_period="2025-02", last_period="2026-01"))

    shown = small.get(BRAND, f"{PATH}/releases")

    assert shown.status_code == 200
    assert shown.get_json()["feeds"][0]["covered"] == ["2025-02"]
    assert len(counts(small)["releases"]) == 3


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"measures": "claims"}, "/feeds/0/measures/members/unit", "unit_differs"),
        ({"life_table": "starts"}, "/feeds/0/life_table", "life_table_differs"),
    ],
)
def test_a_feed_that_goes_on_counts_what_its_releases_count(
    small: SmallExchange, changes: dict[str, Any], pointer: str, code: str
) -> None:
    fills_before = following(small)["feeds"][0]
    if "measures" in changes:
        changes = {"measures": fills_before["measures"] | {"members": {"unit": "claims", "bound": 1}}}

    refused = small.post(BRAND, f"{PATH}/versions", with_fills(small, **changes))

    assert_problem(refused, 422, "contract-invalid", pointer, code)
