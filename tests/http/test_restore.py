"""A backup is restored, and no budget refills: the ledger is sealed until it is reconciled with its witness.

The database is backed up, the exchange goes on, the backup is restored under it, and everybody tries to go on as if
nothing had happened.
"""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from click.testing import CliRunner, Result

from adapters.database import schema
from adapters.database.tables import audit_records, ledger_entries, organisations, populations
from adapters.database.transactions import Transaction
from api.auth.keys import new_private_jwk
from api.cli import main
from contracts.ledger.entries import Entry, EntryKind
from contracts.ledger.reconciling import Reconciling
from contracts.ledger.verifying import verify_ledgers
from contracts.parties import JsonObject, Role
from contracts.refusals import LedgerSealed, PopulationNotFound
from tests.support.backups import back_up
from tests.support.doomed import killed_after
from tests.support.processes import Stand
from tests.support.racing import race
from tests.support.small_exchange import SmallExchange, fills, fills_feed, small_contract

NAME, POPULATION = "blueridge", "blueridge-members"
REASON = "the backup of this morning was restored after a disk failure"
MONTHS = [f"2025-{month:02}" for month in range(1, 13)]
FEED = fills_feed(rho="0.012")


@pytest.fixture
def agreed(request: pytest.FixtureRequest, database_url: str) -> Iterator[SmallExchange]:
    """The small contract in force on a database of the test's own, which may be dropped and made anew."""
    assert CliRunner().invoke(main, ["migrate"], env=environ_of(database_url, request)).exit_code == 0
    changes = {"PARLEY_TOKEN_KEY": json.dumps(new_private_jwk("ES256"))}
    small = SmallExchange(database_url, settings_changes=changes)
    small.agree(small_contract(feeds=[FEED, *small_contract()["feeds"][1:]]))
    yield small
    small.wiring.database.close()


def environ_of(url: str, request: pytest.FixtureRequest) -> dict[str, str]:
    folder: Path = request.getfixturevalue("tmp_path")
    return {"PARLEY_DATABASE_URL": url, "PARLEY_WITNESS": str(folder / "witness-of-migrate")}


def operator_of(small: SmallExchange) -> Reconciling:
    return Reconciling(small.wiring.database, small.wiring.witness, small.clock)


def entries_of(small: SmallExchange, population: str = POPULATION) -> list[Entry]:
    with small.wiring.database.reading() as stores:
        return list(stores.ledger.entries(population))


def spent_nano(small: SmallExchange) -> int:
    return int(small.ledger(NAME)["lifetime"]["rho_nano"])


def post(small: SmallExchange, *months: str) -> list[JsonObject]:
    """Receipts of what was posted."""
    answers = [small.submit(NAME, fills(month)) for month in months]
    assert {answered.status_code for answered in answers} == {201}, [answered.get_json() for answered in answers]
    return [answered.get_json() for answered in answers]


def code_of(small: SmallExchange, body: JsonObject) -> str:
    return str(small.submit(NAME, body).get_json().get("type", "released")).rpartition(":")[2]


def cli(small: SmallExchange, *words: str) -> Result:
    kept = ("PARLEY_DATABASE_URL", "PARLEY_WITNESS")
    return CliRunner().invoke(main, ["ledger", *words], env={name: small.environ[name] for name in kept})


def test_after_a_restore_nothing_is_debited_until_it_is_reconciled_and_then_every_draw_is_paid(
    agreed: SmallExchange, tmp_path: Path
) -> None:
    kept = post(agreed, *MONTHS[:3])
    restore = back_up(agreed.url, tmp_path)
    lost = post(agreed, *MONTHS[3:6])
    agreed.wiring.registering.grant(POPULATION, "0.01", "amendment 2, signed")
    true_loss = spent_nano(agreed)
    restore()
    answered_before = agreed.ask("helix", "counts").get_json()

    # Sealed: nothing is debited or granted, here, in another process, or after a restart.
    body = fills(MONTHS[3], submission_id=lost[0]["submission_id"])
    before = agreed.ledger(NAME)
    assert (before["sealed"], before["lifetime"]["rho_nano"]) == (True, 3 * kept[0]["debited"]["rho_nano"])
    stand = Stand.of(agreed, NAME)
    restarted = stand.make_app()
    for answered in (agreed.submit(NAME, body).get_json(), stand.post(restarted, body)[1]):
        assert (answered["type"], answered["status"]) == ("urn:parley:problem:ledger-sealed", 409)
        assert f"parley ledger reconcile --population {POPULATION}" in answered["detail"]
    restarted.extensions["parley"].database.close()
    assert not killed_after(30, stand, body)  # a process of its own, which was answered
    with pytest.raises(LedgerSealed):
        agreed.wiring.registering.grant(POPULATION, "0.01", "to get round it")
    assert agreed.ledger(NAME) == before

    # Reads and answers work, and so does everybody whose ledger lost nothing.
    assert agreed.ask("helix", "counts").get_json() == answered_before
    replayed = agreed.submit(NAME, fills(MONTHS[0], submission_id=kept[0]["submission_id"]))
    assert replayed.get_json() == kept[0] | {"replayed": True}
    assert agreed.submit("lakeshore", fills(MONTHS[0])).status_code == 201

    # Shown, then done, with the reason in the ledger.
    shown = cli(agreed, "reconcile")
    assert shown.exit_code == 0, shown.output
    assert shown.output.count("lost: a debit of rho") == 3
    assert "lost: a grant of rho 0.01" in shown.output
    assert agreed.ledger(NAME) == before
    assert cli(agreed, "witness").exit_code == 1
    done = cli(agreed, "reconcile", "--yes", "--reason", REASON)
    assert f"{POPULATION} is reconciled by entries 5 to 8" in done.output, done.output
    assert cli(agreed, "witness").exit_code == 0

    after = agreed.ledger(NAME)
    assert (after["sealed"], after["lifetime"]["rho_nano"]) == (False, true_loss)
    assert after["granted"]["rho_nano"] == 110_000_000
    assert sum(subtotal["loss"]["rho_nano"] for subtotal in after["derivation"]) == true_loss
    corrections = [entry for entry in after["entries"] if entry["kind"] == "correction"]
    assert {entry["event"]["reason"] for entry in corrections} == {REASON}
    assert [entry["period"] for entry in corrections] == [*MONTHS[3:6], None]

    # A month whose first measurement was lost is posted again, under its old id or a new one, and paid in full.
    again = agreed.submit(NAME, body).get_json()
    assert again["debited"] == again["charged"]
    assert spent_nano(agreed) == true_loss + again["charged"]["rho_nano"]
    verification = verify_ledgers(agreed.wiring.database)
    assert verification.differences == ()


def test_a_budget_is_exhausted_exactly_where_it_would_have_been(agreed: SmallExchange, tmp_path: Path) -> None:
    post(agreed, *MONTHS[:2])
    restore = back_up(agreed.url, tmp_path)
    lost = post(agreed, *MONTHS[2:6])
    restore()
    assert len(operator_of(agreed).reconcile(POPULATION, REASON)) == 4

    # Twelve months were planned. Six were drawn, so there is room for six more, whichever they are.
    room = [*MONTHS[6:11], MONTHS[2]]
    assert [code_of(agreed, fills(month)) for month in room] == ["released"] * 6
    assert code_of(agreed, fills(MONTHS[11])) == "budget-exhausted"
    assert code_of(agreed, fills(MONTHS[3], submission_id=lost[1]["submission_id"])) == "budget-exhausted"
    assert len(entries_of(agreed)) == 1 + 2 + 4 + 6
    assert spent_nano(agreed) == 12 * lost[0]["charged"]["rho_nano"]


def test_restored_again_and_again_every_draw_is_charged_once_and_for_all(agreed: SmallExchange, tmp_path: Path) -> None:
    charge = post(agreed, MONTHS[0])[0]["charged"]["rho_nano"]
    first = back_up(agreed.url, tmp_path)
    post(agreed, MONTHS[1])
    second = back_up(agreed.url, tmp_path)
    post(agreed, MONTHS[2])
    operator = operator_of(agreed)

    first()
    operator.reconcile(POPULATION, "first")
    post(agreed, MONTHS[3])
    assert spent_nano(agreed) == 4 * charge
    # Another backup, of before the first restore, that has what a correction restored since.
    second()
    assert code_of(agreed, fills(MONTHS[4])) == "ledger-sealed"
    operator.reconcile(POPULATION, "second")
    assert spent_nano(agreed) == 4 * charge
    first()
    operator.reconcile(POPULATION, "first once more")
    assert operator.reconcile(POPULATION, "nothing left to do") == []
    post(agreed, MONTHS[4])
    assert spent_nano(agreed) == 5 * charge
    assert verify_ledgers(agreed.wiring.database).differences == ()


def test_a_witness_that_was_lost_or_rewound_seals_the_ledger_until_it_is_told_again(
    agreed: SmallExchange, tmp_path: Path
) -> None:
    file = Path(agreed.settings.witness)
    post(agreed, MONTHS[0])
    shutil.copyfile(file, tmp_path / "old witness")
    charge = post(agreed, MONTHS[1])[0]["charged"]["rho_nano"]
    loss = spent_nano(agreed)
    for spoil in (
        lambda: file.unlink(),
        lambda: shutil.copyfile(tmp_path / "old witness", file),
        lambda: file.write_bytes(b""),
    ):
        before = len(entries_of(agreed))
        spoil()
        assert code_of(agreed, fills(MONTHS[2])) == "ledger-sealed"
        assert len(entries_of(agreed)) == before
        (note,) = operator_of(agreed).reconcile(POPULATION, REASON)
        assert (note.kind, note.increment_nano, note.restores) == (EntryKind.CORRECTION, 0, None)
        assert "changes nothing. Reason: the backup" in agreed.ledger(NAME)["entries"][-1]["explanation"]
        assert spent_nano(agreed) == loss
    post(agreed, MONTHS[2])
    assert spent_nano(agreed) == 3 * charge
    assert verify_ledgers(agreed.wiring.database).differences == ()


def test_a_damaged_witness_seals_everybody_and_what_can_be_read_of_it_is_kept(
    agreed: SmallExchange, tmp_path: Path
) -> None:
    file = Path(agreed.settings.witness)
    restore = back_up(agreed.url, tmp_path)
    charge = post(agreed, *MONTHS[:2])[0]["charged"]["rho_nano"]
    restore()
    text = file.read_text()
    damaged = text.replace('"first":true', '"first":null', 1)  # the line of the first month
    file.write_text(damaged)

    assert code_of(agreed, fills(MONTHS[0])) == "ledger-sealed"
    # Whoever had read it before knows how it ended; whoever starts now cannot.
    stand = Stand.of(agreed, "lakeshore")
    restarted = stand.make_app()
    assert stand.post(restarted, fills(MONTHS[0]))[1]["type"].endswith("ledger-sealed")
    restarted.extensions["parley"].database.close()
    assert "1 of its lines cannot be read" in cli(agreed, "reconcile").output
    done = cli(agreed, "reconcile", "--yes", "--reason", REASON)
    assert done.exit_code == 0, done.output

    assert [aside.read_text() for aside in file.parent.glob(f"{file.name}.damaged-*")] == [damaged]
    assert spent_nano(agreed) == charge  # of the month that could be read
    post(agreed, MONTHS[2])
    assert agreed.submit("lakeshore", fills(MONTHS[0])).status_code == 201
    assert cli(agreed, "witness").exit_code == 0


def test_a_population_that_the_database_lost_altogether_is_registered_again_with_its_loss(
    agreed: SmallExchange, tmp_path: Path
) -> None:
    agreed.wiring.registering.add_organisation("harbor", "Harbor", Role.PAYER)
    restore = back_up(agreed.url, tmp_path)
    agreed.wiring.registering.add_population("harbor", "harbor-members", "0.1")
    restore()

    with pytest.raises(LedgerSealed):
        agreed.wiring.registering.add_population("harbor", "harbor-members", "0.1")
    refused = cli(agreed, "reconcile", "--yes", "--reason", REASON)
    assert "Say whose it is with --organisation" in refused.output
    words = ("--population", "harbor-members", "--organisation", "harbor")
    done = cli(agreed, "reconcile", *words, "--yes", "--reason", REASON)
    assert done.exit_code == 0, done.output
    (entry,) = entries_of(agreed, "harbor-members")
    assert (entry.kind, entry.granted_nano, entry.spent_nano) == (EntryKind.CORRECTION, 100_000_000, 0)


def test_migrating_does_not_begin_a_witness_that_was_lost(agreed: SmallExchange) -> None:
    """A lost witness is not begun by the next deployment, which migrates too."""
    file = Path(agreed.settings.witness)
    post(agreed, MONTHS[0])
    file.unlink()
    env = {name: agreed.environ[name] for name in ("PARLEY_DATABASE_URL", "PARLEY_WITNESS")}
    migrated = CliRunner().invoke(main, ["migrate"], env=env)
    assert (migrated.exit_code, file.exists()) == (0, False)
    assert agreed.ledger(NAME)["sealed"]

    refused = cli(agreed, "witness", "--begin")
    assert (refused.exit_code, file.exists()) == (1, False)
    assert "A witness that was lost may have known of more" in refused.output
    assert agreed.ledger(NAME)["sealed"]


def test_a_witness_is_begun_for_a_ledger_with_entries_only_with_a_reason_that_stays_in_both_books(
    agreed: SmallExchange,
) -> None:
    post(agreed, MONTHS[0])
    loss, recorded = spent_nano(agreed), head_of_book(agreed)
    Path(agreed.settings.witness).unlink()

    assert f"begun with {POPULATION}" in cli(agreed, "witness", "--begin", "--reason", REASON).output
    (*_, note) = entries_of(agreed)
    assert (note.kind, note.increment_nano, note.event["reason"]) == (EntryKind.CORRECTION, 0, REASON)
    assert [entry.kind for entry in entries_of(agreed, "lakeshore-members")] == [EntryKind.GRANT, EntryKind.CORRECTION]
    assert (spent_nano(agreed), head_of_book(agreed)) == (loss, recorded + 1)
    assert cli(agreed, "witness").exit_code == 0
    assert "not begun anew" in cli(agreed, "witness", "--begin", "--reason", REASON).output
    post(agreed, MONTHS[1])
    assert verify_ledgers(agreed.wiring.database).differences == ()


def head_of_book(small: SmallExchange) -> int:
    return int(small.get(NAME, "/v1/audit").get_json()["head"]["sequence"])


def test_a_population_that_was_lost_keeps_its_loss_when_the_witness_was_damaged_too(
    agreed: SmallExchange, tmp_path: Path
) -> None:
    """A mended witness ends nowhere, and nowhere is where the ledger of a population ends that the database lost."""
    agreed.wiring.registering.add_organisation("harbor", "Harbor", Role.PAYER)
    restore = back_up(agreed.url, tmp_path)
    agreed.wiring.registering.add_population("harbor", "harbor-members", "0.1")
    restore()
    damage(agreed, '"population":"sierra-members"', '"population":"sierra-memberz"')

    words = ("reconcile", "--population", "harbor-members", "--organisation", "harbor", "--yes", "--reason", REASON)
    done = cli(agreed, *words)
    assert "harbor-members is reconciled by entries 1 to 1" in done.output
    (entry,) = entries_of(agreed, "harbor-members")
    assert (entry.kind, entry.granted_nano) == (EntryKind.CORRECTION, 100_000_000)
    # Everybody else waits until reconciled too.
    assert "its witness cannot tell how it ended" in cli(agreed, "witness").output
    assert code_of(agreed, fills(MONTHS[0])) == "ledger-sealed"
    assert cli(agreed, "reconcile", "--yes", "--reason", REASON).exit_code == 0
    assert cli(agreed, "witness").exit_code == 0
    post(agreed, MONTHS[0])


def damage(small: SmallExchange, old: str, new: str) -> None:
    file = Path(small.settings.witness)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_a_population_that_nobody_witnessed_is_not_registered_by_reconciling(agreed: SmallExchange) -> None:
    with pytest.raises(PopulationNotFound):
        operator_of(agreed).reconcile("nobodys-members", REASON, NAME)
    with agreed.wiring.database.reading() as stores:
        assert stores.parties.find_population("nobodys-members") is None


def test_a_witness_without_its_last_newline_has_lost_nothing(agreed: SmallExchange, tmp_path: Path) -> None:
    restore = back_up(agreed.url, tmp_path)
    (kept,) = post(agreed, MONTHS[0])
    restore()
    file = Path(agreed.settings.witness)
    file.write_bytes(file.read_bytes()[:-1])

    assert code_of(agreed, fills(MONTHS[1])) == "ledger-sealed"
    assert "lost: a debit of rho" in cli(agreed, "reconcile", "--yes", "--reason", REASON).output
    assert spent_nano(agreed) == kept["charged"]["rho_nano"]
    post(agreed, MONTHS[1])


@pytest.mark.parametrize("told", ["reconciled", "told"])
def test_what_reconciling_had_written_when_the_power_failed_unseals_nothing(
    agreed: SmallExchange, tmp_path: Path, told: str
) -> None:
    """Its first lines reached the disk, its corrections did not, and the database knows of nothing."""
    post(agreed, MONTHS[0])
    file = Path(agreed.settings.witness)
    old_witness = file.read_bytes()
    restore = back_up(agreed.url, tmp_path)
    charge = post(agreed, MONTHS[1])[0]["charged"]["rho_nano"]
    if told == "told":  # a witness that is behind, so that it is told of an entry
        file.write_bytes(old_witness)
    else:
        restore()
    kept = back_up(agreed.url, tmp_path)
    operator_of(agreed).reconcile(POPULATION, REASON)
    kept()
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))

    assert agreed.ledger(NAME)["sealed"]
    operator_of(agreed).reconcile(POPULATION, REASON)
    assert spent_nano(agreed) == 2 * charge


def test_a_ledger_can_be_read_while_its_witness_cannot(agreed: SmallExchange) -> None:
    file = Path(agreed.settings.witness)
    file.unlink()
    file.mkdir()

    assert agreed.ledger(NAME)["sealed"]
    assert code_of(agreed, fills(MONTHS[0])) == "witness-unavailable"


@pytest.mark.parametrize("reason", ["\x1b[2J", "two\nlines", "x" * 401, "", "\udcff"], ids=ascii)
@pytest.mark.parametrize("words", [("reconcile", "--yes"), ("witness", "--begin")])
def test_a_reason_is_a_short_text_without_control_characters(
    agreed: SmallExchange, words: tuple[str, ...], reason: str
) -> None:
    Path(agreed.settings.witness).unlink()
    refused = cli(agreed, *words, "--reason", reason)
    assert refused.exit_code
    assert isinstance(refused.exception, SystemExit), refused.exception
    assert len(entries_of(agreed)) == 1


def test_an_upgrade_from_before_the_witness_begins_it_and_says_so_in_every_ledger(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    """A database of schema 0002 with entries, as `parley migrate` finds it."""
    migrate_to(database_url, "0002")
    with_a_ledger_of_before(database_url)
    environ = environ_of(database_url, request)

    migrated = CliRunner().invoke(main, ["migrate"], env=environ)

    assert "witness is begun with old-members" in migrated.output, migrated.output
    engine = sa.create_engine(database_url)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(ledger_entries).order_by(ledger_entries.c.sequence)).mappings().all()
        recorded = connection.execute(sa.select(audit_records.c.action)).scalars().all()
    engine.dispose()
    assert [(row["kind"], row["granted_nano"], row["spent_nano"]) for row in rows] == [
        ("grant", 50, 0),
        ("grant", 100, 0),
        ("correction", 100, 0),
    ]
    assert "upgraded to the first version" in rows[-1]["event"]["reason"]
    assert "ledger_corrected" in recorded
    before = Path(environ["PARLEY_WITNESS"]).read_bytes()
    for words in (["ledger", "witness"], ["ledger", "verify"], ["migrate"]):
        done = CliRunner().invoke(main, words, env=environ)
        assert done.exit_code == 0, done.output
    assert Path(environ["PARLEY_WITNESS"]).read_bytes() == before


def migrate_to(url: str, revision: str) -> None:
    with schema._connected(url, Transaction.WRITING) as connection:
        command.upgrade(schema._config(connection), revision)
        connection.commit()


def with_a_ledger_of_before(url: str) -> None:
    """Tables whose columns have not changed since."""
    engine, now = sa.create_engine(url), datetime(2026, 3, 1, tzinfo=UTC)
    entry = {"population": "old-members", "kind": "grant", "charge_nano": 0, "increment_nano": 0, "spent_nano": 0}
    event = {"granted_nano": 50, "reason": "population registered"}
    with engine.begin() as connection:
        connection.execute(organisations.insert().values(id="old", name="Old", role="payer", created_at=now))
        connection.execute(populations.insert().values(id="old-members", organisation="old", created_at=now))
        for number in (1, 2):
            place = {"id": f"entry {number}", "sequence": number, "granted_nano": 50 * number, "recorded_at": now}
            connection.execute(ledger_entries.insert().values(**entry, **place, event=event))
    engine.dispose()


@pytest.mark.slow
def test_sixteen_threads_of_four_processes_are_witnessed_in_the_order_of_the_ledger(agreed: SmallExchange) -> None:
    race(Stand.of(agreed, NAME), POPULATION, MONTHS, 4)

    lines = [line for line in agreed.wiring.witness.read().lines if line["population"] == POPULATION]
    assert agreed.wiring.witness.read().whole
    voided = {line["entry_id"] for line in lines if line["what"] == "void"}
    witnessed = [line["entry_id"] for line in lines if line["what"] == "entry" and line["entry_id"] not in voided]
    assert witnessed == [entry.id for entry in entries_of(agreed)]
    assert not agreed.ledger(NAME)["sealed"]
