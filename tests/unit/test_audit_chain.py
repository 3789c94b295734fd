"""A book of the audit: any single edit, deletion, exchange or insertion is found, and what is sealed stays sealed."""

import hashlib
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.audit.chain import (
    Link,
    check_chain,
    concerns,
    contract_book,
    disclosed,
    empty,
    first_hash,
    link_of,
    next_record,
    organisation_book,
    read_links,
)
from contracts.audit.records import Act, Action, AuditRecord, Head
from contracts.audit.verifying import EXPORT_FORMAT, ExportUnreadable, verify_export
from contracts.parties import JsonObject

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
BOOK = contract_book("dsc-helixor")
SIGNED = Act(BOOK, Action.CONTRACT_SIGNED, "sierra", "sierra-app", "dsc-helixor", 1, {"kid": "officer"})
POSTED = Act(BOOK, Action.SUBMISSION_ACCEPTED, "sierra", "sierra-app", "dsc-helixor", 1, {"release_id": "r-1"})
ASKED = Act(BOOK, Action.ANSWER_GIVEN, "helix", "helix-app", "dsc-helixor", 1, {"statistic": "counts"})


def chain(acts: list[Act], book: str = BOOK) -> tuple[list[AuditRecord], Head]:
    head, records, draw = empty(book), [], Random(len(acts))
    for number, act in enumerate(acts):
        record = next_record(head, replace(act, book=book), NOW + timedelta(seconds=number), draw.randbytes(32).hex())
        records.append(record)
        head = Head(book, record.sequence, record.hash)
    return records, head


def export(acts: list[Act], reader: str | None = None, book: str = BOOK) -> JsonObject:
    """What a reader's `parley audit export` writes."""
    records, head = chain(acts, book)
    return {
        "format": EXPORT_FORMAT,
        "book": book,
        "head": {"sequence": head.sequence, "hash": head.hash},
        "records": [
            asdict(link_of(record, shown=reader is None or concerns(record.act, reader, {1}))) for record in records
        ],
    }


def broken(exported: JsonObject, since: str | None = None) -> list[str]:
    return [found.what for found in verify_export(json.loads(json.dumps(exported)), since).broken]


# --- a chain that holds


@pytest.mark.parametrize("length", [0, 1, 5])
def test_an_untouched_book_holds_for_whoever_reads_it(length: int) -> None:
    acts = [SIGNED, POSTED, ASKED, POSTED, SIGNED][:length]

    assert all(broken(export(acts, reader)) == [] for reader in (None, "sierra", "helix", "lakeshore"))


def test_what_is_hashed_is_what_the_how_to_says() -> None:
    """Reckoned here without any of our code, but for RFC 8785 of plain text, which is sorted JSON without spaces."""
    record = export([SIGNED])["records"][0]

    def sha256(document: JsonObject) -> str:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    assert record["previous_hash"] == sha256({"book": BOOK})
    assert record["commitment"] == sha256(record["act"])
    linked = {name: record[name] for name in ("sequence", "previous_hash", "commitment")}
    assert record["hash"] == sha256({"book": BOOK, **linked})
    assert record["act"]["recorded_at"] == "2026-03-01T12:30:15.123456+00:00"


def test_the_first_record_is_bound_to_the_name_of_its_book() -> None:
    names = [BOOK, contract_book("dsc-other"), organisation_book("dsc-helixor")]

    assert len({first_hash(name) for name in names}) == 3


# --- what is sealed


def test_a_submission_and_a_question_are_disclosed_to_whom_they_concern() -> None:
    acts = [SIGNED, POSTED, ASKED]

    def seen(reader: str) -> list[str | None]:
        return [record["act"] and record["act"]["action"] for record in export(acts, reader)["records"]]

    assert seen("sierra") == ["contract_signed", "submission_accepted", None]
    assert seen("helix") == ["contract_signed", None, "answer_given"]
    assert seen("lakeshore") == ["contract_signed", None, None]


def test_what_was_done_to_a_version_is_disclosed_to_who_can_see_the_version() -> None:
    assert concerns(SIGNED, "lakeshore", {1, 2})
    assert not concerns(SIGNED, "lakeshore", {2})
    assert concerns(SIGNED, "sierra", {2})


def test_what_is_sealed_tells_neither_who_nor_what_nor_when() -> None:
    text = json.dumps(export([POSTED], "helix"))

    assert not any(word in text for word in ("sierra", "submission", "release", "2026", "r-1"))


def test_a_commitment_cannot_be_guessed_for_equal_acts_differ() -> None:
    records, _ = chain([POSTED, POSTED])
    same_instant = [replace(record, recorded_at=NOW) for record in records]

    first, second = (link_of(record).commitment for record in same_instant)

    assert first != second
    assert all(len(record.nonce) == 64 for record in records)


# --- whatever is done to one is found

ACTS = st.lists(st.sampled_from([SIGNED, POSTED, ASKED]), min_size=1, max_size=8)
READERS = st.sampled_from([None, "sierra", "helix", "lakeshore"])
DIGEST = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")


@given(acts=ACTS, reader=READERS, data=st.data())
def test_any_edit_of_a_record_is_found(acts: list[Act], reader: str | None, data: st.DataObject) -> None:
    exported = export(acts, reader)
    record = data.draw(st.sampled_from(exported["records"]))
    name = data.draw(st.sampled_from(["sequence", "previous_hash", "commitment", "hash"]))
    other = data.draw(
        (st.integers(1, 20) if name == "sequence" else DIGEST).filter(lambda value: value != record[name])
    )

    assert broken(exported | {"records": [*edited(exported, record, {name: other})]})


@given(acts=ACTS, data=st.data())
def test_any_edit_of_what_was_done_is_found(acts: list[Act], data: st.DataObject) -> None:
    exported = export(acts)
    record = data.draw(st.sampled_from(exported["records"]))
    name = data.draw(st.sampled_from([*record["act"], "a further one"]))
    value = data.draw(st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.just({})))
    act = record["act"] | {name: value}
    changed = exported | {"records": [*edited(exported, record, {"act": act})]}

    assert broken(changed) or act == record["act"]


@given(acts=ACTS, reader=READERS, data=st.data())
def test_any_deletion_is_found(acts: list[Act], reader: str | None, data: st.DataObject) -> None:
    exported = export(acts, reader)
    records = exported["records"]
    gone = data.draw(st.integers(0, len(records) - 1))

    assert broken(exported | {"records": records[:gone] + records[gone + 1 :]})


@given(acts=st.lists(st.sampled_from([SIGNED, POSTED, ASKED]), min_size=2, max_size=8), data=st.data())
def test_any_reordering_is_found(acts: list[Act], data: st.DataObject) -> None:
    exported = export(acts)
    order = data.draw(st.permutations(range(len(acts))).filter(lambda order: order != [*range(len(acts))]))

    assert broken(exported | {"records": [exported["records"][place] for place in order]})


@given(acts=ACTS, forged=st.sampled_from([SIGNED, POSTED, ASKED]), data=st.data())
def test_any_insertion_is_found(acts: list[Act], forged: Act, data: st.DataObject) -> None:
    """Even of a record that follows from the one before it, hash and all: the next one, or the head, does not."""
    records, head = chain(acts)
    place = data.draw(st.integers(0, len(acts)))
    before = Head(BOOK, records[place - 1].sequence, records[place - 1].hash) if place else empty(BOOK)
    inserted = [*records[:place], next_record(before, forged, NOW, "ab" * 32), *records[place:]]

    assert [*check_chain(BOOK, [link_of(record) for record in inserted], head)]


@given(acts=ACTS, data=st.data())
def test_a_record_forged_in_place_of_another_is_found(acts: list[Act], data: st.DataObject) -> None:
    """It has the right place and follows from the one before; the one after, or the head, does not follow from it."""
    records, head = chain(acts)
    place = data.draw(st.integers(0, len(acts) - 1))
    before = Head(BOOK, records[place - 1].sequence, records[place - 1].hash) if place else empty(BOOK)
    records[place] = next_record(before, acts[place], NOW, "ab" * 32)

    assert [*check_chain(BOOK, [link_of(record) for record in records], head)]


def test_a_chain_made_with_a_gap_is_found() -> None:
    first = next_record(empty(BOOK), SIGNED, NOW, "ab" * 32)
    third = next_record(Head(BOOK, 2, first.hash), POSTED, NOW, "cd" * 32)

    found = [*check_chain(BOOK, [link_of(first), link_of(third)], Head(BOOK, 3, third.hash))]

    assert [(what.sequence, what.what) for what in found] == [(3, "stands where record 2 belongs")]


@given(acts=ACTS, book=st.sampled_from([contract_book("dsc-other"), organisation_book("dsc-helixor")]))
def test_no_book_passes_for_another(acts: list[Act], book: str) -> None:
    assert broken(export(acts) | {"book": book})


def test_an_end_that_was_cut_off_with_its_head_is_found_by_who_kept_a_later_head() -> None:
    whole, cut = export([SIGNED, POSTED, ASKED]), export([SIGNED, POSTED])

    assert broken(cut) == []
    assert broken(cut, since=whole["head"]["hash"]) == ["it does not go on from the head that you kept"]


def test_a_book_written_anew_is_found_by_who_kept_a_head() -> None:
    """The operator holds all there is to make a chain: only a head outside tells."""
    kept = export([SIGNED, POSTED])["head"]["hash"]
    gone_on, anew = export([SIGNED, POSTED, ASKED]), export([SIGNED, ASKED, ASKED])

    # The nonces of this test depend on the length alone, those of an exchange on nothing.
    records, head = chain([SIGNED, POSTED])
    follows = next_record(head, ASKED, NOW, "cd" * 32)
    links = [asdict(link_of(record)) for record in (*records, follows)]
    same = gone_on | {"records": links, "head": {"sequence": 3, "hash": follows.hash}}

    assert broken(same, since=kept) == []
    assert broken(anew) == []
    assert broken(anew, since=kept) == ["it does not go on from the head that you kept"]
    assert broken(same, since=first_hash(BOOK)) == []


def test_leaving_out_what_was_done_breaks_nothing_for_that_is_how_it_is_shown_to_others() -> None:
    exported = export([SIGNED, POSTED])
    records = [*edited(exported, exported["records"][1], {"act": None})]

    assert broken(exported | {"records": records}) == []


# --- what is no export


@pytest.mark.parametrize(
    "change",
    [
        {"format": "parley-audit-2"},
        {"format": None},
        {"book": None},
        {"head": None},
        {"head": {"sequence": True, "hash": "ab" * 32}},
        {"head": {"sequence": 1, "hash": "AB" * 32}},
        {"records": None},
        {"records": [None]},
        {"records": [{}]},
    ],
)
def test_what_is_no_export_says_so(change: JsonObject) -> None:
    with pytest.raises(ExportUnreadable):
        verify_export(export([SIGNED]) | change)


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 0},
        {"sequence": True},
        {"sequence": 2**53},
        {"sequence": "1"},
        {"hash": "ab"},
        {"hash": None},
        {"previous_hash": "g" * 64},
        {"commitment": 5},
        {"act": []},
        {"more": 1},
    ],
)
def test_what_is_no_record_says_so(change: JsonObject) -> None:
    with pytest.raises(ValueError, match=r"a record has|the act of a record"):
        read_links([export([SIGNED])["records"][0] | change])


@pytest.mark.parametrize("document", [None, [], "text", 5])
def test_what_is_no_object_says_so(document: Any) -> None:
    with pytest.raises(ExportUnreadable):
        verify_export(document)


@pytest.mark.parametrize("act", [{"subject": 2**60}, {"subject": float("nan")}, {"subject": "\ud800"}])
def test_an_act_without_a_canonical_form_was_never_committed_to(act: JsonObject) -> None:
    exported = export([SIGNED])
    links = [Link(**{**exported["records"][0], "act": act})]

    found = [*check_chain(BOOK, links, Head(BOOK, 1, links[0].hash))]

    assert [what.what for what in found] == ["says something else than it committed to"]


def test_instants_are_the_same_in_every_zone() -> None:
    tokyo = NOW.astimezone(tz=(datetime.fromisoformat("2026-03-01T00:00:00+09:00")).tzinfo)

    assert disclosed(SIGNED, NOW, "ab" * 32) == disclosed(SIGNED, tokyo, "ab" * 32)


def edited(exported: JsonObject, record: JsonObject, change: JsonObject) -> list[JsonObject]:
    return [other | change if other is record else other for other in exported["records"]]
