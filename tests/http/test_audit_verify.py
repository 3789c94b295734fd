"""`parley audit verify` finds whatever somebody with the database's own rights did to a book, or to what it tells of.

And a party's export is verified on its own machine, with nobody's help.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.serving import make_server

from adapters.database.tables import (
    audit_heads,
    audit_records,
    clients,
    contract_events,
    contracts,
    ledger_entries,
    organisations,
    population_events,
    releases,
    signatures,
    signing_keys,
)
from api.auth.keys import new_private_jwk
from contracts.audit.chain import Broken, empty, next_record
from contracts.audit.records import AuditRecord, Head
from contracts.audit.verifying import verify_books
from contracts.parties import JsonObject
from contracts.suspending import OPERATOR
from tests.http.answers import FILLS, post
from tests.http.test_cli import Console
from tests.http.test_ledger_verify import Vandal
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    SmallExchange,
    TurnableClock,
    fills,
    public,
    small_contract,
)

BOOK = f"contract:{CONTRACT}"
OWN = "organisation:sierra"
YESTERDAY = datetime(2020, 1, 1, tzinfo=UTC)
JANUARY = {key: rows for key, rows in FILLS.items() if key[1] == "2025-01"}


def keep_busy(small: SmallExchange, document: JsonObject | None = None) -> None:
    """Something of every kind."""
    small.agree(document)
    post(small, "fills", JANUARY)
    assert small.ask(BRAND, "counts", feed="fills").status_code == 200
    assert small.submit("sierra", fills("1999-01")).status_code == 422
    registering, suspending = small.wiring.registering, small.wiring.suspending
    registering.grant("sierra-members", "0.05", "a further study")
    registering.add_signing_key("sierra", public(new_private_jwk("ES384")))
    suspending.suspend_as_operator(OPERATOR, CONTRACT, "an incident")
    suspending.resume_as_operator(OPERATOR, CONTRACT, "it is over")
    suspending.suspend_population(OPERATOR, "sierra-members", "another one")
    suspending.resume_population(OPERATOR, "sierra-members", "over too")


@pytest.fixture
def busy(migrated_url: str) -> Iterator[SmallExchange]:
    small = SmallExchange(migrated_url)
    keep_busy(small)
    yield small
    small.wiring.database.close()


@pytest.fixture
def vandal(busy: SmallExchange) -> Iterator[Vandal]:
    engine = sa.create_engine(busy.url)
    yield Vandal(engine)
    engine.dispose()


def broken(small: SmallExchange) -> tuple[Broken, ...]:
    return verify_books(small.wiring.database).broken


def records(small: SmallExchange, book: str = BOOK) -> list[AuditRecord]:
    with small.wiring.database.reading() as stores:
        return list(stores.audit.records(book, 0, 1000))


def test_a_busy_exchange_has_a_whole_audit(busy: SmallExchange) -> None:
    found = verify_books(busy.wiring.database)

    assert found.broken == ()
    assert [record.act.action for record in records(busy)] == [
        "contract_proposed",
        *["contract_signed"] * 4,
        *["submission_accepted"] * 3,
        "answer_given",
        "contract_suspended",
        "contract_resumed",
        "population_suspended",
        "population_resumed",
    ]


CHANGES: dict[str, Any] = {
    "recorded_at": datetime(2020, 1, 1, tzinfo=UTC),
    "organisation": "foreigner",
    "client": "foreigner-client",
    "action": "contract_drafted",
    "contract_id": "dsc-other",
    "contract_version": 2,
    "subject": {"more": 1},
    "nonce": "ab" * 32,
    "previous_hash": "ab" * 32,
    "hash": "ab" * 32,
    "sequence": 99,
    "book": "organisation:other",
}


@pytest.mark.slow
def test_any_column_of_any_record_that_is_changed_is_found(busy: SmallExchange, vandal: Vandal) -> None:
    assert set(CHANGES) == set(audit_records.c.keys())
    for record in (records(busy)[0], records(busy)[6], records(busy)[-1]):
        for name, value in CHANGES.items():
            where = {"book": BOOK, "sequence": record.sequence}
            with vandal.changing(audit_records, where, {name: value}):
                assert broken(busy), (record.sequence, name)
    assert broken(busy) == ()


@pytest.mark.slow
def test_any_record_that_is_taken_out_is_found(busy: SmallExchange, vandal: Vandal) -> None:
    for book in (BOOK, OWN):
        for record in records(busy, book):
            where = {"book": book, "sequence": record.sequence}
            row = vandal.read_one(audit_records, **where)
            vandal._execute(sa.delete(audit_records).filter_by(**where))
            assert broken(busy), (book, record.sequence)
            vandal._execute(sa.insert(audit_records).values(**row))
    assert broken(busy) == ()


def test_two_records_that_change_places_are_found(busy: SmallExchange, vandal: Vandal) -> None:
    def swap(first: tuple[str, int], second: tuple[str, int]) -> None:
        spare = (first[0], 99)
        for source, target in ((first, spare), (second, first), (spare, second)):
            where = dict(zip(("book", "sequence"), source, strict=True))
            moved = dict(zip(("book", "sequence"), target, strict=True))
            vandal._write(audit_records, where, moved)

    for one, other in (((BOOK, 2), (BOOK, 3)), ((BOOK, 6), (BOOK, 7)), ((BOOK, 1), (OWN, 1))):
        swap(one, other)
        assert broken(busy), (one, other)
        swap(one, other)
    assert broken(busy) == ()


@pytest.mark.parametrize("change", [{"sequence": 5}, {"hash": "ab" * 32}])
def test_a_head_that_is_changed_is_found(busy: SmallExchange, vandal: Vandal, change: JsonObject) -> None:
    with vandal.changing(audit_heads, {"book": BOOK}, change):
        assert [found.sequence for found in broken(busy)] == [None]


def rewrite(vandal: Vandal, kept: list[AuditRecord]) -> None:
    """The whole book anew, hashes, head and all: whoever has the database can."""
    book = kept[0].act.book
    vandal._execute(sa.delete(audit_records).filter_by(book=book))
    head = empty(book)
    for old in kept:
        record = next_record(head, old.act, old.recorded_at, old.nonce)
        row = {name: getattr(record.act, name) for name in record.act.__slots__}
        row |= {name: getattr(record, name) for name in record.__slots__ if name != "act"}
        vandal._execute(sa.insert(audit_records).values(**row))
        head = Head(book, record.sequence, record.hash)
    vandal._write(audit_heads, {"book": book}, {"sequence": head.sequence, "hash": head.hash})


TOLD = {
    "contract_proposed",
    "contract_signed",
    "submission_accepted",
    "contract_suspended",
    "contract_resumed",
    "organisation_registered",
    "population_registered",
    "population_suspended",
    "budget_granted",
    "client_registered",
    "signing_key_registered",
}


def test_a_record_left_out_of_a_book_written_anew_is_found_where_another_table_tells_of_it(
    busy: SmallExchange, vandal: Vandal
) -> None:
    seen = set()
    for book in (BOOK, OWN):
        whole = records(busy, book)
        for left_out in whole:
            action = left_out.act.action
            if action not in TOLD or action in seen or (book, action) == (BOOK, "population_suspended"):
                continue
            seen.add(action)
            rewrite(vandal, [record for record in whole if record != left_out])
            assert any("is not on record as it is stored" in found.what for found in broken(busy)), action
        rewrite(vandal, whole)
    assert seen == TOLD
    assert broken(busy) == ()


def test_a_record_of_what_never_was_is_found_in_a_book_written_anew(busy: SmallExchange, vandal: Vandal) -> None:
    whole = records(busy)
    forged = replace(whole[6], act=replace(whole[6].act, subject={**whole[6].act.subject, "release_id": "r-0"}))

    rewrite(vandal, [*whole, forged])

    assert [(found.sequence, found.what) for found in broken(busy)] == [
        (len(whole) + 1, "says submission accepted, and no other table bears that out")
    ]


def test_an_answer_from_a_release_that_is_not_stored_is_found(busy: SmallExchange, vandal: Vandal) -> None:
    whole = records(busy)
    answer = next(record for record in whole if record.act.action == "answer_given")
    forged = replace(answer, act=replace(answer.act, subject={**answer.act.subject, "release_ids": ["r-0"]}))

    rewrite(vandal, [forged if record == answer else record for record in whole])

    assert [found.what for found in broken(busy)] == ["names a release that is not stored"]


@pytest.mark.slow
def test_what_is_changed_in_the_tables_that_a_book_tells_of_is_found(busy: SmallExchange, vandal: Vandal) -> None:
    with vandal.engine.connect() as connection:
        release = connection.execute(sa.select(releases.c.id)).scalars().first()
        grant = connection.execute(sa.select(ledger_entries.c.id).where(ledger_entries.c.kind == "grant")).scalars()
        entry = grant.first()
    kid = busy.signing_keys["sierra"]["kid"]
    changes = [
        (releases, {"id": release}, {"block_sha256": "ab" * 32}),
        (releases, {"id": release}, {"period": "2025-02"}),
        (contracts, {"id": CONTRACT}, {"digest": "ab" * 32}),
        (signatures, {"contract_id": CONTRACT, "organisation": "sierra"}, {"jws": "a..b"}),
        (signatures, {"contract_id": CONTRACT, "organisation": "sierra"}, {"kid": "other"}),
        (ledger_entries, {"id": entry}, {"event": {"granted_nano": 10**9, "reason": "more"}}),
        (clients, {"id": "sierra-client"}, {"scopes": ["org.admin"]}),
        (clients, {"id": "sierra-client"}, {"public_keys": []}),
        (signing_keys, {"kid": kid}, {"public_key": {"kty": "EC"}}),
        (signing_keys, {"kid": kid}, {"endorsed_by": "nobody"}),
        (signing_keys, {"kid": kid}, {"revoked_at": datetime(2026, 7, 1, tzinfo=UTC), "revocation_reason": "none"}),
        (signatures, {"contract_id": CONTRACT, "organisation": "sierra"}, {"signed_at": YESTERDAY}),
        (organisations, {"id": "sierra"}, {"created_at": YESTERDAY}),
        (clients, {"id": "sierra-client"}, {"created_at": YESTERDAY}),
        (clients, {"id": "sierra-client"}, {"revoked_at": YESTERDAY, "revocation_reason": "none"}),
        (contracts, {"id": CONTRACT}, {"proposed_at": YESTERDAY}),
        (releases, {"id": release}, {"released_at": YESTERDAY}),
        (contract_events, {"sequence": 1}, {"organisation": "lakeshore"}),
        (contract_events, {"sequence": 1}, {"client": "lakeshore-client"}),
        (contract_events, {"sequence": 1}, {"recorded_at": YESTERDAY}),
        (population_events, {"sequence": 1}, {"client": "lakeshore-client"}),
        (population_events, {"sequence": 1}, {"recorded_at": YESTERDAY}),
        (contract_events, {"sequence": 1}, {"reason": "none"}),
        (contract_events, {"sequence": 2}, {"kind": "suspended"}),
        (population_events, {"sequence": 1}, {"reason": "none"}),
    ]
    for table, where, change in changes:
        with vandal.changing(table, where, change):
            assert broken(busy), (table.name, change)
    assert broken(busy) == ()


def test_a_revocation_is_on_record_and_its_last_word_counts(busy: SmallExchange, vandal: Vandal) -> None:
    kid = busy.signing_keys["sierra"]["kid"]
    for compromised in (False, True):
        body = {"reason": "the officer left", "compromised": compromised}
        assert busy.post("sierra", f"/v1/signing-keys/{kid}/revocation", body).status_code == 200

    told = [record.act.subject for record in records(busy, OWN) if record.act.action == "signing_key_revoked"]
    assert [subject["compromised"] for subject in told] == [False, True]
    assert broken(busy) == ()
    with vandal.changing(signing_keys, {"kid": kid}, {"compromised": False}):
        assert [found.what for found in broken(busy)] == [
            f"the revocation of signing key {kid} is not on record as it is stored"
        ]


def test_a_suspended_population_that_was_cut_off_a_contracts_book_is_missed(
    busy: SmallExchange, vandal: Vandal
) -> None:
    *rest, resumed = records(busy)
    assert resumed.act.action == "population_resumed"

    rewrite(vandal, rest)
    assert [(found.book, found.what) for found in broken(busy)] == [
        (BOOK, "event 2 of sierra-members is not on record as it is stored")
    ]
    invented = replace(resumed, act=replace(resumed.act, subject={**resumed.act.subject, "event": 3}))
    rewrite(vandal, [*rest, resumed, invented])
    assert [found.what for found in broken(busy)] == ["says population resumed, and no other table bears that out"]


def test_a_revoked_client_is_on_record_and_taking_it_back_is_found(busy: SmallExchange, vandal: Vandal) -> None:
    busy.wiring.registering.revoke_client("sierra-client", "its key was stolen")

    assert broken(busy) == ()
    for change in ({"revoked_at": None, "revocation_reason": None}, {"revoked_at": YESTERDAY}):
        with vandal.changing(clients, {"id": "sierra-client"}, change):
            assert broken(busy)
    assert broken(busy) == ()


def test_a_record_that_cannot_be_read_hides_no_other(busy: SmallExchange, vandal: Vandal) -> None:
    statement = sa.text("UPDATE audit_records SET subject = '{' WHERE book = :book AND sequence = 2")
    with vandal.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(statement, {"book": BOOK})

    found = {what.what for what in broken(busy)}

    assert f"record 2 of {BOOK} cannot be read" in found
    assert "stands where record 2 belongs" in found


# --- from a party's side, by the command line


@pytest.fixture(scope="module")
def console(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A busy exchange that is up, and its parties' commands."""
    folder = tmp_path_factory.mktemp("audit")
    copyfile(sqlite_template, folder / "parley.db")
    server = make_server("127.0.0.1", 0, lambda environ, start: app(environ, start), threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    clock = TurnableClock(datetime.now(UTC))
    small = SmallExchange(f"sqlite:///{folder / 'parley.db'}", clock=clock, settings_changes={"PARLEY_ISSUER": url})
    app = small.app.wsgi_app
    keep_busy(small, small_contract(expires="2199-12-31"))
    for name, key in small.client_keys.items():
        (folder / f"{name}-client.json").write_text(json.dumps(key))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Console(folder, {"PARLEY_DATABASE_URL": small.url, "PARLEY_URL": url, "PARLEY_LOG_LEVEL": "error"})
    server.shutdown()
    thread.join()
    server.server_close()
    small.wiring.database.close()


@pytest.fixture
def exported(console: Console, tmp_path: Path) -> Path:
    """Sierra's export of the contract's book."""
    console.of("sierra").done("audit", "export", CONTRACT, "--out", tmp_path / "audit.json")
    return tmp_path / "audit.json"


def altered(exported: Path, **changes: Any) -> Path:
    other = exported.parent / "altered.json"
    other.write_text(json.dumps(json.loads(exported.read_text()) | changes))
    return other


def test_a_book_is_shown_line_by_line(console: Console) -> None:
    shown = console.of("sierra").done("audit", "show", CONTRACT)

    assert f"Book {BOOK}, up to record 13" in shown
    lines = shown.splitlines()
    assert sum("contract signed" in line for line in lines) == 4
    assert sum("submission accepted" in line for line in lines) == 1
    assert sum("not disclosed to you" in line for line in lines) == 3
    assert "lakeshore-client" not in "".join(line for line in lines if "signed" not in line)
    own = console.of("sierra").done("audit", "show", "--own")
    assert "submission refused" in own
    assert "problem period-outside-contract" in own
    whole = json.loads(console.of("sierra").done("audit", "show", CONTRACT, "--json"))
    assert len(whole["records"]) == 13


def test_an_export_is_verified_without_any_exchange(console: Console, exported: Path) -> None:
    alone = replace(console, environment={})
    head = json.loads(exported.read_text())["head"]["hash"]

    said = alone.done("audit", "verify", exported)

    assert f"{BOOK}: whole up to record 13 ({head})" in said
    assert "disclosed in 10 of them" in said
    assert exported.stat().st_mode & 0o077 == 0


def test_an_export_goes_on_from_a_head_that_was_kept(console: Console, exported: Path) -> None:
    early = json.loads(exported.read_text())["records"][4]["hash"]

    assert "goes on from the head that you kept" in console.done("audit", "verify", exported, "--since", early)
    said = console.refused("audit", "verify", exported, "--since", "ab" * 32)
    assert "does not go on from the head that you kept" in said


def test_an_export_that_was_tampered_with_is_named_record_by_record(console: Console, exported: Path) -> None:
    kept = json.loads(exported.read_text())["records"]
    kept[1]["act"]["organisation"] = "lakeshore"

    said = console.refused("audit", "verify", altered(exported, records=kept))

    assert "does not hold" in said
    assert f"{BOOK}, record 2: says something else than it committed to" in said


def test_the_exchange_signs_the_head_of_an_export(console: Console, exported: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    console.done("receipt", "keys", "--out", keys)
    whole = json.loads(exported.read_text())
    own = tmp_path / "own.json"
    console.of("sierra").done("audit", "export", "--own", "--out", own)
    cut, before = whole["records"][:-1], whole["records"][-2]
    shorter = {"records": cut, "head": {"sequence": before["sequence"], "hash": before["hash"]}}

    assert "The exchange signed its head." in console.done("audit", "verify", exported, "--keys", keys)
    assert "whole up to record 12" in console.done("audit", "verify", altered(exported, **shorter))
    said = console.refused("audit", "verify", altered(exported, **shorter), "--keys", keys)
    assert "signed another head" in said
    swapped = altered(exported, signed_receipt=json.loads(own.read_text())["signed_receipt"])
    assert "signed another head" in console.refused("audit", "verify", swapped, "--keys", keys)
    forged = whole["signed_receipt"][:-8] + "AAAAAAAA"
    assert "not genuine" in console.refused("audit", "verify", altered(exported, signed_receipt=forged), "--keys", keys)
    without = altered(exported, signed_receipt=None)
    assert "has no signed_receipt" in console.refused("audit", "verify", without, "--keys", keys)


def test_what_is_no_export_is_said_in_one_line(console: Console, tmp_path: Path) -> None:
    for text in ("{}", "[]", '{"format": "parley-audit-1"}', "not JSON"):
        (tmp_path / "other.json").write_text(text)
        said = console.refused("audit", "verify", tmp_path / "other.json")
        assert len(said.splitlines()) == 1
    assert "There is no file" in console.refused("audit", "verify", tmp_path / "absent.json")
    assert "--since" in console.refused("audit", "verify", "--since", "ab" * 32, exit_code=2)
    assert "--since" in console.refused("audit", "verify", tmp_path / "other.json", "--since", "ab", exit_code=2)
    sierra = console.of("sierra")
    for words in (("show",), ("export",)):
        assert "Name it first, or --own, or in your profile" in sierra.refused("audit", *words, exit_code=2)
    assert "Name a contract, or --own." in sierra.refused("audit", "show", CONTRACT, "--own", exit_code=2)
    assert "contract-not-found" in console.of("foreigner").refused("audit", "show", CONTRACT)


def test_the_operator_verifies_all_books(console: Console) -> None:
    said = console.done("audit", "verify")

    assert "6 books: all whole" in said
    assert "Not to be seen from here" in said


def test_the_operator_is_told_what_is_wrong(console: Console, tmp_path: Path) -> None:
    copyfile(console.folder / "parley.db", tmp_path / "copy.db")
    wal = console.folder / "parley.db-wal"
    if wal.exists():
        copyfile(wal, tmp_path / "copy.db-wal")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'copy.db'}")
    vandal = Vandal(engine)
    vandal._write(audit_records, {"book": BOOK, "sequence": 2}, {"organisation": "lakeshore"})
    engine.dispose()

    other = replace(console, environment={"PARLEY_DATABASE_URL": f"sqlite:///{tmp_path / 'copy.db'}"})
    said = other.refused("audit", "verify")

    assert "The audit does not hold." in said
    assert f"{BOOK}, record 2: is not what was hashed" in said
