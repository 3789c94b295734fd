"""The books of the audit over HTTP: what is recorded, who reads it, and that nothing of cells is ever in it."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from adapters.database.tables import audit_heads, audit_records
from contracts.audit.records import AuditRecord
from contracts.audit.verifying import EXPORT_FORMAT, verify_books, verify_export
from contracts.canonical import canonical_bytes
from contracts.parties import JsonObject, Role, Scope
from tests.http.answers import FILLS, SUPPORT, post
from tests.http.test_bad_input import assert_problem
from tests.support.markers import LONG, SHORT, leaks
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, SmallExchange, fills, fills_row, public

BOOK = f"/v1/contracts/{CONTRACT}/audit"
JANUARY = {key: rows for key, rows in FILLS.items() if key[1] == "2025-01"}


def book(small: SmallExchange, name: str, path: str = BOOK, **query: str) -> JsonObject:
    answered = small.get(name, path, **{"limit": "1000", **query})
    assert answered.status_code == 200, answered.get_json()
    found = dict(answered.get_json())
    if "after" not in query:
        assert verify_export({"format": EXPORT_FORMAT, **found}).broken == ()
    return found


def acts(small: SmallExchange, name: str, path: str = BOOK) -> list[JsonObject]:
    """What is disclosed to this party."""
    return [record["act"] for record in book(small, name, path)["records"] if record["act"] is not None]


def last(small: SmallExchange, name: str, path: str = BOOK) -> JsonObject:
    return acts(small, name, path)[-1]


def own(small: SmallExchange, name: str) -> list[JsonObject]:
    return acts(small, name, "/v1/audit")


# --- what is recorded


def test_what_happens_to_a_contract_is_in_its_book_for_all_parties(agreed: SmallExchange) -> None:
    document = agreed.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()

    found = {name: acts(agreed, name) for name in (*PAYERS, BRAND)}

    assert found[BRAND] == found["blueridge"] == found["sierra"] == found["lakeshore"]
    assert [act["action"] for act in found[BRAND]] == ["contract_proposed"] + ["contract_signed"] * 4
    assert [act["organisation"] for act in found[BRAND]] == [BRAND, *PAYERS, BRAND]
    assert [act["client"] for act in found[BRAND]] == [f"{name}-client" for name in (BRAND, *PAYERS, BRAND)]
    assert {act["subject"]["contract_digest"] for act in found[BRAND]} == {document["digest"]}
    assert {(act["contract_id"], act["contract_version"]) for act in found[BRAND]} == {(CONTRACT, 1)}


def test_a_signature_is_bound_by_its_key_and_its_digest(agreed: SmallExchange) -> None:
    with agreed.wiring.database.reading() as stores:
        signatures = {s.organisation: s for s in stores.contracts.find_history(CONTRACT).versions[-1].signatures}

    for act in acts(agreed, BRAND)[1:]:
        signature = signatures[act["organisation"]]
        assert act["subject"]["kid"] == signature.kid
        assert act["subject"]["jws_sha256"] == hashlib.sha256(signature.jws.encode()).hexdigest()


def test_a_draft_is_in_the_book_of_its_drafter_alone(agreed: SmallExchange) -> None:
    drafted = [act for act in own(agreed, BRAND) if act["action"] == "contract_drafted"]

    assert [(act["contract_id"], act["contract_version"]) for act in drafted] == [(CONTRACT, 1)]
    assert "contract_drafted" not in str([own(agreed, name) for name in PAYERS] + acts(agreed, BRAND))


def test_an_accepted_submission_names_release_digest_and_debit(agreed: SmallExchange) -> None:
    receipt = agreed.submit("sierra", fills()).get_json()
    (debit,) = [entry for entry in agreed.ledger("sierra")["entries"] if entry["kind"] == "debit"]

    act = last(agreed, "sierra")

    assert (act["action"], act["organisation"], act["client"]) == ("submission_accepted", "sierra", "sierra-client")
    assert act["subject"] == {
        "submission_id": receipt["submission_id"],
        "release_id": receipt["release_id"],
        "block_sha256": receipt["block_sha256"],
        "feed": "fills",
        "period": "2025-01",
        "restatement": 0,
        "contract_digest": receipt["contract_digest"],
        "debit_id": debit["id"],
    }


def test_a_replay_is_no_second_record(agreed: SmallExchange) -> None:
    body = fills()
    for _ in range(3):
        agreed.submit("sierra", body)

    assert [act["action"] for act in acts(agreed, "sierra")].count("submission_accepted") == 1
    assert book(agreed, "sierra")["head"]["sequence"] == 6


def test_an_answer_names_question_releases_and_its_own_digest(agreed: SmallExchange) -> None:
    post(agreed, "fills", JANUARY)
    answer = agreed.ask(BRAND, "counts", by="region", where="sex:F", periods="2025-01", feed="fills").get_json()

    act = last(agreed, BRAND)

    assert (act["action"], act["organisation"], act["client"]) == ("answer_given", BRAND, f"{BRAND}-client")
    assert (act["contract_id"], act["contract_version"]) == (CONTRACT, 1)
    subject = act["subject"]
    assert subject["answer_sha256"] == hashlib.sha256(canonical_bytes(answer)).hexdigest()
    assert subject["release_ids"] == answer["releases"]
    assert subject["contract_digest"] == answer["contract_digest"]
    assert subject["purpose"] == "outcomes_research"
    assert subject["statistic"] == "counts"
    assert {name: value for name, value in subject["question"].items() if value} == {
        "by": ["region"],
        "periods": "2025-01",
        "where": {"sex": ["F"]},
        "confidence": 0.95,
        "feeds": ["fills"],
        "as_of": "latest",
    }


def test_a_question_that_is_refused_gave_no_answer(agreed: SmallExchange) -> None:
    before = book(agreed, BRAND)["head"]

    assert_problem(agreed.ask(BRAND, "counts", feed="fills"), 409, "nothing-released")
    assert_problem(agreed.ask(BRAND, "counts"), 422, "question-invalid")
    assert_problem(agreed.ask(BRAND, "median"), 404, "statistic-not-found")

    assert book(agreed, BRAND)["head"] == before


@pytest.mark.slow
def test_there_is_no_answer_without_its_record(agreed: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database gives out after the answer was reckoned, and before it is on record."""
    post(agreed, "fills", JANUARY)
    before = book(agreed, BRAND)["head"]
    engine = sa.create_engine(agreed.url)
    with engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        monkeypatch.setattr("adapters.database.engine.RETRY_WAITS_SECONDS", (0.01,))
        monkeypatch.setattr("adapters.database.sqlite.BUSY_TIMEOUT_SECONDS", 0.01)
        agreed.wiring.database.close()
        answered = agreed.ask(BRAND, "counts", feed="fills")
    engine.dispose()

    assert_problem(answered, 503, "database-unavailable")
    assert "rows" not in answered.get_json()
    assert book(agreed, BRAND)["head"] == before


def test_registrations_are_in_the_book_of_whom_they_concern(small: SmallExchange) -> None:
    found = own(small, "sierra")

    assert [act["action"] for act in found] == [
        "organisation_registered",
        "population_registered",
        "budget_granted",
        "client_registered",
        "signing_key_registered",
    ]
    assert {(act["organisation"], act["client"]) for act in found} == {(None, None)}
    assert found[2]["subject"]["event"]["reason"] == "population registered"
    assert found[3]["subject"]["client"] == "sierra-client"
    assert found[4]["subject"]["kid"] == small.signing_keys["sierra"]["kid"]
    assert not any(name in str(found) for name in ("lakeshore", "blueridge", BRAND))


def test_an_operator_who_registers_over_http_is_named(small: SmallExchange) -> None:
    small.register("overseer", Role.OPERATOR, frozenset(Scope))
    body = {"id": "second-client", "scopes": ["audit.read"], "public_keys": [public(small.client_keys["sierra"])]}
    assert small.post("overseer", "/v1/organisations/sierra/clients", body).status_code == 201

    act = own(small, "sierra")[-1]

    assert (act["action"], act["organisation"], act["client"]) == ("client_registered", "overseer", "overseer-client")


# --- refused submissions


@pytest.fixture(scope="module")
def refusing(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """The small contract in force, for what leaves nothing behind but refusals."""
    path = tmp_path_factory.mktemp("refusing") / "parley.db"
    copyfile(sqlite_template, path)
    small = SmallExchange(f"sqlite:///{path}")
    small.agree()
    yield small
    small.wiring.database.close()


CELLS_ELSEWHERE = fills_row(members=LONG[0])


@pytest.mark.parametrize(
    ("change", "problem", "missing"),
    [
        ({"feed": "stays"}, "feed-not-found", set()),
        ({"feed": "support"}, "not-the-provider", set()),
        ({"period": "1999-01"}, "period-outside-contract", set()),
        ({"period": str(LONG[0])}, "period-outside-contract", {"period"}),
        ({"rows": [fills_row(members=1, days_covered=LONG[0])]}, "cells-invalid", set()),
        ({"rows": [{**fills_row(), f"x{LONG[0]}": 1}]}, "cells-invalid", set()),
        ({"rows": LONG[0]}, "input-invalid", set()),
        ({"feed": LONG[0]}, "input-invalid", {"feed"}),
        ({"feed": CELLS_ELSEWHERE}, "input-invalid", {"feed"}),
        ({"feed": f"{LONG[0]}"}, "input-invalid", {"feed"}),
        ({"submission_id": LONG[0]}, "input-invalid", {"submission_id"}),
        ({"restatement": LONG[0]}, "input-invalid", {"restatement"}),
        ({"restatement": True}, "input-invalid", {"restatement"}),
        ({f"x{LONG[0]}": LONG[0]}, "input-invalid", set()),
    ],
    ids=str,
)
def test_a_refused_submission_is_in_its_providers_book_by_what_was_asked(
    refusing: SmallExchange, change: JsonObject, problem: str, missing: set[str]
) -> None:
    before = book(refusing, BRAND)["head"]
    body = {**fills(restatement=0), **change}
    assert refusing.submit("sierra", body).get_json()["type"].endswith(f":{problem}")

    act = own(refusing, "sierra")[-1]

    expected = {name: body[name] for name in ("submission_id", "feed", "period", "restatement") if name not in missing}
    assert act["action"] == "submission_refused"
    assert act["subject"] == {"problem": problem, **expected}
    assert (act["contract_id"], act["contract_version"]) == (CONTRACT, None)
    assert book(refusing, BRAND)["head"] == before
    assert leaks(dump(refusing)) == {}


@pytest.mark.parametrize("body", ["{", "[]", "5", "", '{"feed": "fills"', '{"a": 1, "a": 2}'])
def test_what_cannot_be_read_is_recorded_without_a_name(refusing: SmallExchange, body: str) -> None:
    assert refusing.submit("sierra", body).status_code in (400, 422)

    act = own(refusing, "sierra")[-1]
    assert act["action"] == "submission_refused"
    assert set(act["subject"]) == {"problem"}


def test_a_body_too_large_or_too_slow_is_recorded_as_any_that_cannot_be_read(
    refusing: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them it was would tell of its length."""
    monkeypatch.setitem(refusing.app.config, "MAX_CONTENT_LENGTH", 1000)
    headers = {**refusing.headers("sierra"), "Content-Type": "application/json", "Content-Encoding": "gzip"}
    client = refusing.app.test_client()
    path = f"/v1/contracts/{CONTRACT}/submissions"

    assert_problem(client.post(path, data=gzip.compress(b" " * 2000), headers=headers), 413, "body-too-large")
    assert_problem(client.post(path, data=gzip.compress(b" " * 100)[:-1], headers=headers), 400, "request-malformed")
    monkeypatch.setattr("werkzeug.wrappers.Request.get_data", too_slow)
    assert_problem(client.post(path, data=gzip.compress(b" " * 100), headers=headers), 408, "request-timeout")
    monkeypatch.undo()

    assert [act["subject"] for act in own(refusing, "sierra")[-3:]] == [{"problem": "request-malformed"}] * 3


def too_slow(*_: Any, **__: Any) -> bytes:
    raise BlockingIOError


@pytest.mark.parametrize("contract_id", ["dsc-absent", str(LONG[0]), f"{LONG[0]}-{SHORT[0]}", "%F0%9F%98%80"])
def test_a_submission_under_no_contract_is_recorded_too(refusing: SmallExchange, contract_id: str) -> None:
    assert_problem(refusing.submit("foreigner", fills(), contract_id), 404, "contract-not-found")

    act = own(refusing, "foreigner")[-1]

    assert act["subject"]["problem"] == "contract-not-found"
    assert act["contract_id"] == ("dsc-absent" if contract_id == "dsc-absent" else None)
    assert leaks(dump(refusing)) == {}


def test_no_marker_cell_is_in_any_table_of_the_audit(agreed: SmallExchange) -> None:
    """Cells that are accepted, refused by every kind of fault, replayed with others, and resumed."""
    marked = [fills_row(members=LONG[i], days_covered=LONG[i], treatment_days=LONG[i]) for i in (0,)]
    body = fills(rows=marked)
    answers = [
        agreed.submit("sierra", body).status_code,
        agreed.submit("sierra", body | {"rows": [fills_row(members=LONG[3])]}).status_code,
        agreed.submit("sierra", fills("2025-02", rows=[fills_row(days_covered=LONG[4])])).status_code,
        agreed.submit("sierra", fills("2025-02", rows=[fills_row(region=str(LONG[5]))])).status_code,
        agreed.submit("sierra", json.dumps(fills("2025-02", rows=marked))[:-1]).status_code,
        agreed.submit("lakeshore", {**fills(), "submission_id": body["submission_id"]}).status_code,
        agreed.ask(BRAND, "counts", where=f"sex:{LONG[6]}").status_code,
    ]

    assert answers == [201, 200, 422, 422, 400, 409, 422]
    evidence = dump(agreed)
    assert leaks(evidence) == {}
    assert body["submission_id"].encode() in evidence["audit_records"]


def dump(small: SmallExchange) -> dict[str, bytes]:
    """All that the audit's tables hold."""
    engine = sa.create_engine(small.url)
    with engine.connect() as connection:
        found = {
            table.name: repr([tuple(row) for row in connection.execute(sa.select(table))]).encode()
            for table in (audit_heads, audit_records)
        }
    engine.dispose()
    return found


# --- who reads it


def test_what_another_party_posts_or_asks_is_a_commitment_and_no_more(agreed: SmallExchange) -> None:
    post(agreed, "fills", JANUARY)
    agreed.ask(BRAND, "counts", feed="fills")
    support = {(BRAND, "2025-01"): SUPPORT[BRAND, "2025-01"]}
    post(agreed, "support", support)
    assert agreed.ask("sierra", "counts", feed="support").status_code == 200

    def disclosed(name: str) -> list[tuple[str, str]]:
        done = [(act["action"], act["organisation"]) for act in acts(agreed, name)]
        return [act for act in done if act[0] in ("submission_accepted", "answer_given")]

    assert disclosed("sierra") == [("submission_accepted", "sierra"), ("answer_given", "sierra")]
    assert disclosed("lakeshore") == [("submission_accepted", "lakeshore")]
    assert disclosed(BRAND) == [("answer_given", BRAND), ("submission_accepted", BRAND)]
    links = [[{**record, "act": None} for record in book(agreed, name)["records"]] for name in (BRAND, "sierra")]
    assert links[0] == links[1]
    sealed = [record for record in book(agreed, BRAND)["records"] if record["act"] is None]
    assert len(sealed) == 4  # three submissions of payers, and the answer to one of them
    assert all(set(record) == {"sequence", "previous_hash", "commitment", "hash", "act"} for record in sealed)


def test_ones_own_book_is_ones_own(agreed: SmallExchange) -> None:
    for name in (*PAYERS, BRAND, "foreigner"):
        found = book(agreed, name, "/v1/audit")
        assert found["book"] == f"organisation:{name}"


def test_a_contracts_book_is_for_its_parties(agreed: SmallExchange) -> None:
    assert_problem(agreed.get("foreigner", BOOK), 404, "contract-not-found")
    assert_problem(agreed.get("foreigner", "/v1/contracts/dsc-absent/audit"), 404, "contract-not-found")


def test_a_book_can_be_read_when_the_contract_has_expired(agreed: SmallExchange) -> None:
    agreed.submit("sierra", fills())
    before = book(agreed, "sierra")
    agreed.clock.go_on(days=3000)

    after = book(agreed, "sierra")

    assert {**after, "signed_receipt": None} == {**before, "signed_receipt": None}
    assert agreed.get("sierra", f"/v1/contracts/{CONTRACT}").get_json()["status"] == "expired"


def test_a_book_is_read_page_by_page(agreed: SmallExchange) -> None:
    whole = book(agreed, BRAND)["records"]
    pages = [book(agreed, BRAND, after=str(after), limit="2") for after in (0, 2, 4, 5, 2**31 - 1)]

    assert [len(page["records"]) for page in pages] == [2, 2, 1, 0, 0]
    assert [record for page in pages for record in page["records"]] == whole
    assert {page["head"]["sequence"] for page in pages} == {5}


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"after": "-1"}, "/after"),
        ({"after": "x"}, "/after"),
        ({"after": str(2**31)}, "/after"),
        ({"after": "1.5"}, "/after"),
        ({"limit": "0"}, "/limit"),
        ({"limit": "1001"}, "/limit"),
        ({"book": "organisation:sierra"}, "/book"),
    ],
)
def test_a_wrong_page_is_refused(refusing: SmallExchange, query: dict[str, str], pointer: str) -> None:
    for path in (BOOK, "/v1/audit"):
        answered = refusing.get(BRAND, path, **query)
        assert_problem(answered, 422, "input-invalid")
        assert [fault["pointer"] for fault in answered.get_json()["errors"]] == [pointer]


# --- and it holds


def test_every_book_of_a_busy_exchange_holds(agreed: SmallExchange) -> None:
    post(agreed, "fills", JANUARY)
    agreed.ask(BRAND, "counts", feed="fills", by="region", explain="true")
    agreed.submit("sierra", fills("2025-01"))
    agreed.wiring.registering.grant("sierra-members", "0.05", "a further study")

    found = verify_books(agreed.wiring.database)

    assert found.broken == ()
    assert found.books == 6
    with agreed.wiring.database.reading() as stores:
        records = [record for record in stores.stored.audit_records() if isinstance(record, AuditRecord)]
    assert found.records == len(records)


def test_the_digest_of_an_answer_can_be_made_from_what_a_client_reads(agreed: SmallExchange) -> None:
    """Through text and back: no float, no order and no space makes it another."""
    post(agreed, "fills", JANUARY)
    text = agreed.ask(BRAND, "pdc_pooled", by="region,sex", feed="fills", explain="true").get_data(as_text=True)
    again: Any = json.loads(text)

    assert last(agreed, BRAND)["subject"]["answer_sha256"] == hashlib.sha256(canonical_bytes(again)).hexdigest()
    assert last(agreed, BRAND)["subject"]["question"]["explain"] is True


def test_a_submission_that_failed_and_resumed_is_refused_once_and_accepted_once(small: SmallExchange) -> None:
    small.agree()
    body = {**fills(), "submission_id": str(uuid4())}
    small.submit("sierra", body | {"rows": [{}]})
    small.submit("sierra", body)

    refused = [act["subject"]["submission_id"] for act in own(small, "sierra") if act["action"] == "submission_refused"]
    accepted = [act["subject"]["submission_id"] for act in acts(small, "sierra")[-1:]]
    assert refused == accepted == [body["submission_id"]]
