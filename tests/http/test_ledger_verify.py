"""`parley ledger verify` finds every field of the ledger, and of what it rests on, that somebody has changed.

The history is made over HTTP; then somebody with the database's own rights changes one value past triggers,
references and our code.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from adapters.database.tables import contracts, ledger_entries, releases, signatures, submissions
from api.cli import main
from api.schemas.ledger import read_entries
from contracts.ledger import Entry
from contracts.parties import JsonObject
from contracts.recomputing import Difference, recompute
from contracts.refusals import PopulationNotFound
from contracts.terms import Terms, read_terms
from contracts.verifying import verify_ledgers
from privacy.mechanism import DiscreteGaussian
from tests.http.test_restatements import DUE, FIRST_DAY, july, restating_contract
from tests.support.small_exchange import (
    CONTRACT,
    FailingNoise,
    SmallExchange,
    fills,
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

    def _read(self, table: sa.Table, where: Mapping[str, Any]) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(table).filter_by(**where)).mappings()]

    def _write(self, table: sa.Table, where: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
            assert connection.execute(sa.update(table).filter_by(**where).values(**change)).rowcount == 1


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
    (verified,) = verify_ledgers(small.wiring.database, OURS)
    return list(verified.differences)


def entries_of(small: SmallExchange) -> list[Entry]:
    with small.wiring.database.reading() as stores:
        return list(stores.ledger.entries(OURS))


def terms_of_contract(small: SmallExchange) -> dict[tuple[str, int], Terms]:
    document = small.get("blueridge", f"/v1/contracts/{CONTRACT}").get_json()["document"]
    return {(CONTRACT, 1): read_terms(document)}


def test_a_ledger_of_all_that_can_happen_follows_from_its_events(history: SmallExchange) -> None:
    verified = {found.population: found for found in verify_ledgers(history.wiring.database)}

    assert [difference for found in verified.values() for difference in found.differences] == []
    assert (verified[OURS].entries, verified[OURS].releases, verified[OURS].unreleased) == (7, 4, 0)
    assert verified[OURS].loss_nano == history.ledger("blueridge")["lifetime"]["rho_nano"] > 0
    assert verified["lakeshore-members"].entries == 2
    assert verified["foreigner-members"].loss_nano == 0


def test_a_submission_that_crashed_is_no_difference_and_is_counted(history: SmallExchange) -> None:
    assert isinstance(history.noise, FailingNoise)
    history.noise.failing = True
    history.submit("sierra", july())

    (verified,) = verify_ledgers(history.wiring.database, "sierra-members")

    assert (verified.entries, verified.releases, verified.unreleased, verified.differences) == (2, 0, 1, ())


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
    for named, value in changes:
        with vandal.changing(ledger_entries, {"population": OURS, "sequence": FIRST}, {"event": value}):
            found = differences(history)
        assert (FIRST, named) in {(difference.sequence, difference.what) for difference in found}, (named, found)


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


def test_an_entry_that_was_taken_out_or_put_in_is_noticed(history: SmallExchange) -> None:
    entries, terms = entries_of(history), terms_of_contract(history)
    assert recompute(OURS, entries, terms).differences == ()
    without = [entry for entry in entries if entry.sequence != FIRST]
    twice = [*entries[:FIRST], replace(entries[FIRST - 1], id="another"), *entries[FIRST:]]
    for changed in (without, twice):
        named = {difference.what for difference in recompute(OURS, changed, terms).differences}
        assert {"sequence", "spent_nano"} <= named


def test_every_field_of_a_release_that_is_changed_is_named(history: SmallExchange, vandal: Vandal) -> None:
    """But for its own id, which nothing else depends on."""
    with history.wiring.database.reading() as stores:
        release = next(
            release for release in stores.releases.list_for_contract(CONTRACT, 1) if release.population == OURS
        )
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
        first = next(r for r in stores.releases.list_for_contract(CONTRACT, 1) if r.population == OURS)
    # As good as taken out: July's first release is in no contract that anybody knows.
    with vandal.changing(releases, {"id": first.id}, {"contract_version": 2}):
        found = differences(history)
    assert (RESTATED, "release of restatement 0 of 2026-07") in {(d.sequence, d.what) for d in found}


def test_a_contract_that_is_not_the_signed_one_is_noticed(history: SmallExchange, vandal: Vandal) -> None:
    with history.wiring.database.reading() as stores:
        record = stores.contracts.find(CONTRACT)
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
    one = run(history.url, "--population", "lakeshore-members", "--json")
    (told,) = json.loads(one.stdout)["populations"]
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
    for words in (("--contract", CONTRACT), ("--contract", CONTRACT, "--population", OURS)):
        told = run(small.url, *words)
        assert told.exit_code == 2
        assert "--contract goes with --client-id" in told.stderr
