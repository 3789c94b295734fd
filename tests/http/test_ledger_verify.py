"""`parley ledger verify` finds every field of the ledger, and of what it rests on, that somebody has changed.

The history is made over HTTP; then somebody with the database's own rights changes one value past triggers,
references and our code.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from adapters.database.tables import (
    contract_parties,
    contracts,
    ledger_entries,
    releases,
    signatures,
    signing_keys,
    submissions,
)
from api.auth.keys import new_private_jwk
from api.cli import main
from contracts.canonical import canonical_bytes
from contracts.ledger.entries import Account, Entry
from contracts.ledger.reading import read_entries
from contracts.ledger.recomputing import Difference, recompute
from contracts.ledger.verifying import VerifiedRows, verify_ledgers
from contracts.ledger.witnessing import entry_line, restored
from contracts.parties import JsonObject
from contracts.refusals import PopulationNotFound
from contracts.signing import sign
from contracts.terms import Terms, read_terms
from privacy.mechanism import DiscreteGaussian
from tests.http.test_restatements import DUE, FIRST_DAY, july, restating_contract
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    FailingNoise,
    SmallExchange,
    fills,
    public,
    small_contract,
)

OURS = "blueridge-members"
# The places of the entries that are tampered with: a released first measurement, and a restatement.
FIRST, RESTATED = 2, 5


@dataclass
class Vandal:
    """Whoever has the rights of the database's owner. On SQLite references are not even on unless asked for."""

    engine: sa.Engine

    def __post_init__(self) -> None:
        if self.engine.dialect.name == "sqlite":
            with self.engine.begin() as connection:
                for name in connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                    connection.execute(sa.text(f"DROP TRIGGER {name[0]}"))

    @contextmanager
    def changing(self, table: sa.Table, where: Mapping[str, Any], change: Mapping[str, Any]) -> Iterator[None]:
        """One row is another for as long as the block lasts."""
        (row,) = self._read(table, where)
        self._write(table, where, change)
        yield
        self._write(table, {**where, **{name: change[name] for name in change if name in where}}, row)

    @contextmanager
    def adding(self, *rows: tuple[sa.Table, Mapping[str, Any]]) -> Iterator[None]:
        """There are these rows for as long as the block lasts."""
        for table, row in rows:
            self._execute(sa.insert(table).values(**row))
        yield
        for table, row in reversed(rows):
            self._execute(sa.delete(table).filter_by(id=row["id"]))

    def read_one(self, table: sa.Table, **where: Any) -> dict[str, Any]:
        (row,) = self._read(table, where)
        return row

    def _read(self, table: sa.Table, where: Mapping[str, Any]) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(table).filter_by(**where)).mappings()]

    def _write(self, table: sa.Table, where: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        self._execute(sa.update(table).filter_by(**where).values(**change))

    def _execute(self, statement: sa.Update | sa.Insert | sa.Delete) -> None:
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
            assert connection.execute(statement).rowcount  # -1 where it is not counted


@pytest.fixture
def history(migrated_url: str) -> Iterator[SmallExchange]:
    """A grant, July, August after a crash, July anew, and a year of another feed; somebody else's period too."""
    noise = FailingNoise(DiscreteGaussian())
    noise.failing = False
    small = SmallExchange(migrated_url, noise=noise)
    small.agree(restating_contract())
    small.clock.instant = FIRST_DAY
    assert small.submit("blueridge", july()).status_code == 201
    assert small.submit("lakeshore", july()).status_code == 201
    small.clock.instant = DUE[1]
    august = fills("2026-08")
    noise.failing = True
    assert small.submit("blueridge", august).status_code == 503
    noise.failing = False
    small.clock.go_on(minutes=10)
    assert small.submit("blueridge", august).status_code == 201
    assert small.submit("blueridge", july(1)).status_code == 201
    assert small.submit("blueridge", fills("2025", [], feed="adherence")).status_code == 201
    small.wiring.registering.grant(OURS, "0.05", "amendment 2, signed")
    yield small
    small.wiring.database.close()


@pytest.fixture
def vandal(history: SmallExchange) -> Iterator[Vandal]:
    engine = sa.create_engine(history.url)
    yield Vandal(engine)
    engine.dispose()


def differences(small: SmallExchange) -> list[Difference]:
    return list(verify_ledgers(small.wiring.database, OURS).differences)


def entries_of(small: SmallExchange) -> list[Entry]:
    with small.wiring.database.reading() as stores:
        return list(stores.ledger.entries(OURS))


def terms_of_contract(small: SmallExchange) -> dict[tuple[str, int], Terms]:
    document = small.get("blueridge", f"/v1/contracts/{CONTRACT}").get_json()["document"]
    return {(CONTRACT, 1): read_terms(document)}


def test_a_ledger_of_all_that_can_happen_follows_from_its_events(history: SmallExchange) -> None:
    verification = verify_ledgers(history.wiring.database)

    verified = {found.population: found for found in verification.populations}
    assert (verification.differences, verification.rows) == ((), VerifiedRows(1, 5, 5, ()))
    assert (verified[OURS].entries, verified[OURS].releases, verified[OURS].unreleased) == (7, 4, 0)
    assert verified[OURS].loss_nano == history.ledger("blueridge")["lifetime"]["rho_nano"] > 0
    assert verified["lakeshore-members"].entries == 2
    assert verified["foreigner-members"].loss_nano == 0


def test_a_submission_that_crashed_is_no_difference_and_is_counted(history: SmallExchange) -> None:
    assert isinstance(history.noise, FailingNoise)
    history.noise.failing = True
    history.submit("sierra", july())

    verification = verify_ledgers(history.wiring.database, "sierra-members")

    (verified,) = verification.populations
    assert verification.differences == ()
    assert (verified.entries, verified.releases, verified.unreleased, verified.differences) == (2, 0, 1, ())


@pytest.mark.slow
def test_every_field_of_a_debit_that_is_changed_is_named(history: SmallExchange, vandal: Vandal) -> None:
    changes: dict[str, Any] = {
        "id": "another",
        "population": "foreigner-members",
        "sequence": 99,
        "kind": "grant",
        "charge_nano": 1,
        "increment_nano": 0,
        "granted_nano": 10**9,
        "spent_nano": 1,
        "contract_id": "dsc-other",
        "contract_version": 2,
        "feed": "adherence",
        "period": "2026-09",
        "generation": "00" * 32,
        "restatement": 2,
        "submission_id": "another",
        "attempt": 2,
        "recorded_at": datetime(2026, 7, 31, tzinfo=UTC),
        "event": {},
    }
    assert set(changes) == set(ledger_entries.c.keys())
    named_as = {
        "id": "debit_id",
        "population": "sequence",
        "kind": "event",
        "contract_id": "contract",
        "contract_version": "contract",
    }
    for name, value in changes.items():
        for sequence in (FIRST, RESTATED):
            with vandal.changing(ledger_entries, {"population": OURS, "sequence": sequence}, {name: value}):
                found = differences(history)
            told = {difference.what.split()[-1] for difference in found}
            assert named_as.get(name, name) in told, (name, sequence, found)
    assert differences(history) == []


@pytest.mark.slow
def test_every_member_of_an_event_that_is_changed_is_named(history: SmallExchange, vandal: Vandal) -> None:
    event = entries_of(history)[FIRST - 1].event
    other: JsonObject = {
        "mechanism": "laplace",
        "relation": "change_one",
        "measured": "source",
        "generation": "00" * 32,
        "k": 5,
        "first": False,
        "charge_nano": 1,
        "increment_nano": 1,
    }
    draw = {"measure": "other", "margin": ["other"], "sigma": "31.5", "l2_squared": 4, "charge_nano": 1}
    assert set(event) == {*other, "draws"}
    assert set(event["draws"][0]) == set(draw)
    changes = [(f"event.{name}", {**event, name: value}) for name, value in other.items()]
    for name, value in draw.items():
        changed = deepcopy(event)
        changed["draws"][0][name] = value
        changes.append((f"event.draws[0].{name}", changed))
    changes.append(("number of draws", {**event, "draws": event["draws"][:-1]}))
    changes += [("event", {name: value for name, value in event.items() if name != "draws"})]
    # What Python takes for equal, and what nobody asked for.
    changes += [("event.first", {**event, "first": 1}), ("event.note", {**event, "note": "more"})]
    changes.append(
        ("event.draws[0].cells", {**event, "draws": [{**event["draws"][0], "cells": 1}, *event["draws"][1:]]})
    )
    for named, value in changes:
        with vandal.changing(ledger_entries, {"population": OURS, "sequence": FIRST}, {"event": value}):
            found = differences(history)
        assert (FIRST, named) in {(difference.sequence, difference.what) for difference in found}, (named, found)


@pytest.mark.slow
def test_every_field_of_a_grant_that_is_changed_is_named(history: SmallExchange, vandal: Vandal) -> None:
    """But for the words of its reason, its id and its time, which nothing else depends on."""
    changes: dict[str, Any] = {
        "kind": "debit",
        "charge_nano": 1,
        "increment_nano": 1,
        "granted_nano": 10**9,
        "spent_nano": 1,
        "contract_id": CONTRACT,
        "contract_version": 1,
        "feed": "fills",
        "period": "2026-09",
        "generation": "00",
        "restatement": 1,
        "submission_id": "another",
        "attempt": 1,
        "event": {"granted_nano": 10**9, "reason": "a gift"},
    }
    named_as = {"kind": "event", "event": "granted_nano"}
    for name, value in changes.items():
        with vandal.changing(ledger_entries, {"population": OURS, "sequence": 1}, {name: value}):
            found = differences(history)
        assert (1, named_as.get(name, name)) in {(d.sequence, d.what) for d in found}, (name, found)
    granted = entries_of(history)[0].event["granted_nano"]
    for named, event in (
        ("event.reason", {"granted_nano": granted}),
        ("event.note", {"granted_nano": granted, "reason": "registered", "note": "more"}),
        ("event.granted_nano", {"granted_nano": -1, "reason": "registered"}),
        ("event", {"granted_nano": str(granted), "reason": "registered"}),
    ):
        with vandal.changing(ledger_entries, {"population": OURS, "sequence": 1}, {"event": event}):
            found, statement = differences(history), history.ledger("blueridge")
        assert (1, named) in {(d.sequence, d.what) for d in found}, (named, found)
        assert "raises what the population may lose by rho 0.1" in statement["entries"][0]["explanation"]


def test_an_entry_that_was_taken_out_or_put_in_is_noticed(history: SmallExchange) -> None:
    entries, terms = entries_of(history), terms_of_contract(history)
    assert recompute(OURS, entries, terms).differences == ()
    without = [entry for entry in entries if entry.sequence != FIRST]
    twice = [*entries[:FIRST], replace(entries[FIRST - 1], id="another"), *entries[FIRST:]]
    for changed in (without, twice):
        named = {difference.what for difference in recompute(OURS, changed, terms).differences}
        assert {"sequence", "spent_nano"} <= named


@pytest.mark.slow
def test_every_field_of_a_release_that_is_changed_is_named(history: SmallExchange, vandal: Vandal) -> None:
    """But for its own id, which nothing else depends on."""
    with history.wiring.database.reading() as stores:
        release = next(release for release in stores.releases.list_for_contract(CONTRACT) if release.population == OURS)
    changes: dict[str, Any] = {
        "submission_id": "another",
        "debit_id": "another",
        "feed": "adherence",
        "provider": "lakeshore",
        "population": "lakeshore-members",
        "period": "2026-08",
        "restatement": 1,
        "measured": "source",
        "block_sha256": "00" * 32,
        "block": b"another",
        "provisional": False,
        "released_at": release.released_at - timedelta(seconds=1),
    }
    of_no_matter = {"id", "position", "contract_id", "contract_version"}
    assert set(changes) == set(releases.c.keys()) - of_no_matter
    for name, value in changes.items():
        with vandal.changing(releases, {"id": release.id}, {name: value}):
            found = differences(history)
        assert any(d.what.startswith(f"release {release.id}") for d in found), (name, found)
    for name, value in {"attempt": 2, "period": "2026-09", "restatement": 2, "feed": "adherence"}.items():
        with vandal.changing(submissions, {"id": release.submission_id}, {name: value}):
            found = differences(history)
        assert any(d.what.endswith(name) for d in found), (name, found)


def test_a_restatement_of_what_was_never_released_is_noticed(history: SmallExchange, vandal: Vandal) -> None:
    with history.wiring.database.reading() as stores:
        first = next(r for r in stores.releases.list_for_contract(CONTRACT) if r.population == OURS)
    # As good as taken out: July's first release is in no contract that anybody knows.
    with vandal.changing(releases, {"id": first.id}, {"contract_version": 2}):
        found = differences(history)
    assert (RESTATED, "release of restatement 0 of 2026-07") in {(d.sequence, d.what) for d in found}


def test_a_contract_that_is_not_the_signed_one_is_noticed(history: SmallExchange, vandal: Vandal) -> None:
    with history.wiring.database.reading() as stores:
        record = stores.contracts.find_history(CONTRACT).versions[-1]
    assert record is not None
    generous = deepcopy(record.document)
    generous["privacy"]["ceilings"][OURS] = "0.5"
    with vandal.changing(contracts, {"id": CONTRACT, "version": 1}, {"document": generous}):
        found = differences(history)
    assert any(d.what == f"contract {CONTRACT} version 1: digest" for d in found)
    assert any(d.what == f"contract {CONTRACT} version 1: signature of helix" for d in found)
    with vandal.changing(contracts, {"id": CONTRACT, "version": 1}, {"document": {"id": CONTRACT, "parties": []}}):
        assert differences(history)
    with vandal.changing(signatures, {"organisation": "sierra"}, {"organisation": "nobody"}):
        assert any(d.what.endswith("signature of sierra") for d in differences(history))


def test_a_signature_counts_only_with_a_key_that_is_registered_for_its_organisation(
    history: SmallExchange, vandal: Vandal
) -> None:
    document = history.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()["document"]
    made_up = new_private_jwk("ES384")
    forged = {
        "kid": made_up["kid"],
        "public_key": public(made_up),
        "jws": sign(document, made_up, "Ann of sierra", "Privacy Officer"),
    }
    helix = vandal.read_one(signatures, organisation=BRAND)
    relabelled = {name: helix[name] for name in ("kid", "public_key", "jws", "signer_name", "signer_title")}
    named = f"contract {CONTRACT} version 1: signature of sierra"

    for change, what in (
        (forged, named),
        ({"public_key": public(made_up)}, f"{named}: public key"),
        (relabelled, named),
        ({"signer_name": "Mallory"}, f"{named}: signer_name"),
        ({"jws": "a..b"}, named),
    ):
        with vandal.changing(signatures, {"organisation": "sierra"}, change):
            assert what in {d.what for d in differences(history)}
    theirs = {name: helix[name] for name in ("kid", "public_key")}
    with (
        vandal.changing(signing_keys, {"organisation": "sierra"}, theirs),
        vandal.changing(signatures, {"organisation": "sierra"}, relabelled),
    ):
        assert {d.what: d.recorded for d in differences(history)} == {
            f"{named}: key": f"that of {BRAND} too",
            f"contract {CONTRACT} version 1: signature of {BRAND}: key": "that of sierra too",
        }


def test_a_release_that_nobody_paid_for_is_noticed_under_whatever_population_it_hides(
    history: SmallExchange, vandal: Vandal
) -> None:
    """Answers take every release of a contract, whatever else the row says."""
    release = vandal.read_one(releases, population=OURS, period="2026-08")
    submission = vandal.read_one(submissions, id=release["submission_id"])
    grant = vandal.read_one(ledger_entries, population="foreigner-members", sequence=1)
    period = {"period": "2026-09"}
    hidden = {
        **{name: value for name, value in release.items() if name != "position"},
        **period,
        "id": "extra",
        "submission_id": "ghost",
        "debit_id": grant["id"],
        "population": "foreigner-members",
    }

    with vandal.adding((submissions, {**submission, **period, "id": "ghost"}), (releases, hidden)):
        everybody = {(d.population, d.what) for d in verify_ledgers(history.wiring.database).differences}
        lakeshore = verify_ledgers(history.wiring.database, "lakeshore-members")

    assert {(d.population, d.what) for d in lakeshore.differences} == everybody
    assert lakeshore.rows is not None
    assert (lakeshore.rows.submissions, lakeshore.rows.releases) == (6, 6)
    assert everybody >= {
        (OURS, "submission ghost: attempt"),
        ("foreigner-members", "release extra: debit_id"),
        ("foreigner-members", "release extra: population"),
    }


def test_a_release_of_a_contract_that_nobody_can_list_is_noticed(history: SmallExchange, vandal: Vandal) -> None:
    with vandal.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(contract_parties)).scalar_one() == 4
    with vandal.changing(contract_parties, {"organisation": "blueridge"}, {"organisation": "nobody"}):
        release = vandal.read_one(releases, population=OURS, period="2026-08")
        with vandal.changing(releases, {"id": release["id"]}, {"debit_id": "another"}):
            assert f"release {release['id']}: debit_id" in {d.what for d in differences(history)}


def test_a_release_that_was_dated_or_placed_anew_is_noticed(history: SmallExchange, vandal: Vandal) -> None:
    first = vandal.read_one(releases, population=OURS, period="2026-07", restatement=0)
    later = {"released_at": first["released_at"] + timedelta(days=300)}
    with vandal.changing(releases, {"id": first["id"]}, later):
        assert (RESTATED, "release of restatement 0 of 2026-07") in {(d.sequence, d.what) for d in differences(history)}
    with vandal.changing(releases, {"id": first["id"]}, {"position": 1000}):
        assert [d.what for d in differences(history)] == [f"release {first['id']}: released_at"]


def test_a_row_that_cannot_be_read_is_named_and_hides_nothing_else(history: SmallExchange, vandal: Vandal) -> None:
    with history.wiring.database.reading() as stores:
        record = stores.contracts.find_history(CONTRACT).versions[-1]
    assert record is not None
    text = canonical_bytes(record.document).decode()
    ours, theirs = (
        vandal.read_one(releases, population=name, period="2026-07", restatement=0)["id"]
        for name in (OURS, "lakeshore-members")
    )
    sqlite = vandal.engine.dialect.name == "sqlite"
    no_instant = sa.literal("x", sa.Text) if sqlite else sa.text("'infinity'::timestamptz")
    contract = f"contract {CONTRACT} version 1"
    entry = (ledger_entries, {"population": OURS, "sequence": FIRST})
    release = (releases, {"id": ours})
    document = (contracts, {"id": CONTRACT, "version": 1})
    signature = (signatures, {"organisation": BRAND})

    def altered(old: str, new: str) -> dict[str, Any]:
        return {"document": sa.literal(re.sub(old, new, text), sa.Text)}

    unreadable: list[tuple[tuple[sa.Table, dict[str, Any]], dict[str, Any], str]] = [
        (entry, {"event": sa.literal("{", sa.Text)}, f"entry {FIRST} of {OURS}"),
        (entry, {"event": sa.literal("[" * 100_000, sa.Text)}, f"entry {FIRST} of {OURS}"),
        (entry, {"event": sa.literal("[]", sa.Text)}, "event"),
        (entry, {"recorded_at": no_instant}, f"entry {FIRST} of {OURS}"),
        (release, {"released_at": no_instant}, f"release {ours}"),
        (document, altered(".+", "{"), contract),
        (document, altered(".+", "[]"), contract),
        (document, altered('"0.05"', "NaN"), contract),
        (document, altered('"run_out_days":[0-9]+', '"run_out_days":9999999999'), f"{contract}: digest"),
        (document, altered('"run_out_days":[0-9]+', '"run_out_days":"x"'), f"release {ours}"),
        (signature, {"public_key": sa.literal("[]", sa.Text)}, f"{contract}: signature of {BRAND}: public key"),
    ]
    with vandal.changing(releases, {"id": theirs}, {"block": b"another"}):
        for (table, where), change, named in unreadable:
            with vandal.changing(table, where, change):
                told = {d.what for d in verify_ledgers(history.wiring.database).differences}
            assert {named, f"release {theirs}: block_sha256"} <= told, (named, told)
    assert differences(history) == []


def test_a_ceiling_that_was_passed_is_noticed_even_where_every_total_fits(history: SmallExchange) -> None:
    entries, ((key, terms),) = entries_of(history), terms_of_contract(history).items()
    charge = terms.feeds[0].get_plan().charge_nano
    low_feed = replace(terms, feeds=(replace(terms.feeds[0], rho_nano=3 * charge - 1), *terms.feeds[1:]))
    low_contract = replace(
        terms, privacy=replace(terms.privacy, ceilings_nano={OURS: entries[RESTATED].spent_nano - 1})
    )
    for lower, sequence, named in (
        (low_feed, RESTATED, "planned releases of the feed"),
        (low_contract, RESTATED + 1, "spent under the contract"),
    ):
        found = recompute(OURS, entries, {key: lower}).differences
        assert [(difference.sequence, difference.what) for difference in found] == [(sequence, named)]


def test_entries_of_before_generations_were_recorded_follow_from_what_they_do_record(history: SmallExchange) -> None:
    recorded = ("mechanism", "relation", "draws")
    old = [
        replace(entry, generation=None, restatement=None, event={name: entry.event[name] for name in recorded})
        for entry in entries_of(history)[1 : RESTATED - 1]
    ]
    entries, terms = [entries_of(history)[0], *old], terms_of_contract(history)
    assert recompute(OURS, entries, terms).differences == ()
    dearer = replace(old[-1], charge_nano=1)
    (difference,) = recompute(OURS, [*entries[:-1], dearer], terms).differences
    assert (difference.sequence, difference.what) == (RESTATED - 1, "charge_nano")


def test_an_event_of_nonsense_is_named_and_nothing_breaks(history: SmallExchange) -> None:
    entries, terms = entries_of(history), terms_of_contract(history)
    draw = entries[FIRST - 1].event["draws"][0]
    for nonsense in (
        {},
        {"draws": None},
        {"draws": [None]},
        {"draws": [draw | {"sigma": "NaN"}]},
        {"draws": [draw | {"sigma": "0"}]},
        {"draws": [draw | {"sigma": None}]},
        {"draws": [draw | {"l2_squared": 10**700}]},
        {"draws": [draw | {"l2_squared": -1}]},
    ):
        changed = replace(entries[FIRST - 1], event=nonsense)
        found = recompute(OURS, [entries[0], changed, *entries[FIRST:]], terms).differences
        assert (FIRST, "event") in {(difference.sequence, difference.what) for difference in found}


def test_a_correction_says_all_of_what_it_restores_and_charges_what_was_planned(history: SmallExchange) -> None:
    entries, terms = entries_of(history), terms_of_contract(history)
    debit = restored(entry_line(entries[FIRST - 1])) or {}
    grant = {"entry_id": "lost", "kind": "grant", "recorded_at": "2026-07-01", "grant_nano": 7}

    def named(restores: JsonObject) -> set[str]:
        """What differs when the first debit was lost, and this is what a correction restores."""
        kept = [entries[0]]
        found = Account(OURS, kept).correct(restores, "restored", entries[-1].recorded_at)
        return {difference.what for difference in recompute(OURS, [*kept, found], terms).differences}

    assert (named(debit), named(grant)) == (set(), set())
    for whole in (debit, grant):
        for name in whole.keys() - {"k", "first", "kind", "charge_nano", "contract_id", "feed"}:
            less = {key: value for key, value in whole.items() if key != name}
            assert f"event.restores.{name}" in named(less), name
    assert "event.restores.charge_nano" in named(debit | {"charge_nano": 0, "contract_id": "unknown"})
    assert "event.restores.charge_nano" in named(debit | {"charge_nano": debit["charge_nano"] - 1})
    assert "event.restores.kind" in named({"entry_id": debit["entry_id"]})
    assert "event.restores.kind" in named(grant | {"kind": "correction"})
    assert "event.restores.charge_nano" in named(grant | {"charge_nano": 0})


def test_an_overdrawn_population_is_noticed(history: SmallExchange) -> None:
    entries, terms = entries_of(history), terms_of_contract(history)
    poor = replace(entries[0], event={"granted_nano": 1, "reason": "population registered"})
    named = {(d.sequence, d.what) for d in recompute(OURS, [poor, *entries[1:]], terms).differences}
    assert (FIRST, "recomputed loss") in named


def test_a_statement_read_back_is_the_ledger_so_that_a_party_can_reckon_it_up_itself(history: SmallExchange) -> None:
    statement = history.ledger("blueridge")

    entries = read_entries(json.loads(json.dumps(statement)))

    assert entries == entries_of(history)
    recomputed = recompute(OURS, entries, terms_of_contract(history))
    assert (recomputed.loss_nano, recomputed.differences) == (statement["lifetime"]["rho_nano"], ())
    cheaper = deepcopy(statement)
    cheaper["entries"][FIRST - 1]["increment"]["rho_nano"] -= 1
    (difference,) = recompute(OURS, read_entries(cheaper), terms_of_contract(history)).differences
    assert (difference.sequence, difference.what) == (FIRST, "increment_nano")


def run(url: str, *words: str) -> Any:
    return CliRunner().invoke(main, ["ledger", "verify", *words], env={"PARLEY_DATABASE_URL": url})


def test_the_command_says_what_was_recomputed_and_fails_loudly(history: SmallExchange, vandal: Vandal) -> None:
    agrees = run(history.url)
    assert agrees.exit_code == 0, agrees.output
    assert f"{OURS}: 7 entries, 4 releases; loss rho 0." in agrees.output
    assert "All 1 contract, 5 submissions and 5 releases of the database: as they should be" in agrees.output
    assert "Not to be seen from here: last entries of a ledger" in agrees.output
    one = run(history.url, "--population", "lakeshore-members", "--json")
    (told,) = json.loads(one.stdout)["populations"]
    counted = {"contracts": 1, "submissions": 5, "releases": 5}
    assert json.loads(one.stdout)["rows"] == {**counted, "differences": [], "warnings": []}
    assert (told["population"], told["entries"], told["differences"]) == ("lakeshore-members", 2, [])

    spent = entries_of(history)[FIRST - 1].spent_nano
    with vandal.changing(ledger_entries, {"population": OURS, "sequence": FIRST}, {"spent_nano": spent - 1}):
        differs, as_json = run(history.url), run(history.url, "--json")
    assert differs.exit_code == as_json.exit_code == 1
    assert f"{OURS}, entry 2: spent_nano is recorded as {spent - 1}, and should be {spent}" in differs.stderr
    assert "1 difference." in differs.stderr
    differing = {found["population"]: found["differences"] for found in json.loads(as_json.stdout)["populations"]}
    assert [difference["what"] for difference in differing[OURS]] == ["spent_nano"]
    assert not any(differences for name, differences in differing.items() if name != OURS)


def test_a_population_that_is_not_there_is_refused(small: SmallExchange) -> None:
    small.agree(small_contract())
    with pytest.raises(PopulationNotFound):
        verify_ledgers(small.wiring.database, "nobody-members")
    told = run(small.url, "--population", "nobody-members")
    assert (told.exit_code, told.stderr) == (1, "Error: There is no population of this name. (population-not-found)\n")


def test_a_party_names_its_client_and_no_population(small: SmallExchange) -> None:
    who = ("--contract", CONTRACT)
    for words, said in ((who, "Who calls? Give --client-id"), ((*who, "--population", OURS), "without --population")):
        told = run(small.url, *words)
        assert told.exit_code == 2
        assert said in told.stderr
