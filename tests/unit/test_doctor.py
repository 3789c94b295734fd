"""Each check of `parley doctor` finds what it is for, and is content where nothing is wrong."""

import json
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from adapters.database import migrate, open_database
from adapters.database.inspecting import APPEND_ONLY, find_data_folder, inspect_database
from adapters.witness import FileWitness
from api.auth.jose import public_members
from api.auth.keys import new_private_jwk
from api.doctor.clock import check_against_database, check_synchronised, kernel_state
from api.doctor.database import check_append_only, check_database, check_durable
from api.doctor.findings import Finding, Status, carried_out, ok
from api.doctor.machine import check_core_dumps, check_spooling, check_swap
from api.doctor.noise import check_draws, check_library, check_two_processes
from api.doctor.secrets import check_debug, check_secrets, check_settings
from api.doctor.witness import check_lasting, check_own, check_place, check_witness, check_writable, database_file
from contracts.ledger.entries import Account
from contracts.ledger.witnessing import entry_line
from privacy.arrays import Vector
from privacy.mechanism import LIBRARY_VERSION, DiscreteGaussian, DrawFailed, library_version

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
HEADER = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


def statuses(findings: Iterable[Finding]) -> list[Status]:
    found = [*findings]
    assert all(finding.why and "\n" not in finding.why for finding in found)
    assert all(finding.what_to_do for finding in found if finding.status in (Status.WARNING, Status.PROBLEM))
    return [finding.status for finding in found]


# --- the machine


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", Status.OK),
        ("/swapfile file 8388604 0 -2\n", Status.PROBLEM),
        ("/dev/sda3 partition 8388604 0 -2\n", Status.PROBLEM),
        ("/dev/dm-1 partition 8388604 0 -2\n", Status.OK),
        ("/dev/dm-2 partition 8388604 0 -2\n", Status.PROBLEM),
        ("/dev/zram0 partition 8388604 0 100\n", Status.WARNING),
    ],
)
def test_swap_that_is_not_encrypted_is_a_problem(tmp_path: Path, lines: str, expected: Status) -> None:
    swaps = tmp_path / "swaps"
    swaps.write_text(HEADER + lines)
    for name, uuid in (("dm-1", "CRYPT-PLAIN-swap"), ("dm-2", "LVM-abcdef")):
        (tmp_path / name / "dm").mkdir(parents=True)
        (tmp_path / name / "dm" / "uuid").write_text(f"{uuid}\n")

    assert statuses(check_swap(swaps, tmp_path)) == [expected]


def test_every_swap_is_looked_at(tmp_path: Path) -> None:
    swaps = tmp_path / "swaps"
    swaps.write_text(f"{HEADER}/dev/zram0 partition 1 0 100\n/swapfile file 1 0 -2\n")

    assert statuses(check_swap(swaps, tmp_path)) == [Status.WARNING, Status.PROBLEM]


def test_where_the_system_does_not_tell_swap_is_not_checked(tmp_path: Path) -> None:
    assert statuses(check_swap(tmp_path / "none")) == [Status.NOT_CHECKED]


@pytest.mark.parametrize(
    ("limits", "pattern", "expected"),
    [
        ((0, 0), "core", Status.OK),
        ((0, -1), "core", Status.OK),
        ((-1, -1), "core", Status.WARNING),
        ((4096, -1), "/var/cores/%p", Status.WARNING),
        ((0, 0), "|/usr/lib/systemd/systemd-coredump %P", Status.WARNING),
    ],
)
def test_core_dumps_that_could_be_written_are_a_warning(
    tmp_path: Path, limits: tuple[int, int], pattern: str, expected: Status
) -> None:
    file = tmp_path / "core_pattern"
    file.write_text(f"{pattern}\n")

    assert statuses(check_core_dumps(limits, file)) == [expected]


def test_a_large_upload_is_refused_before_it_is_spooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert statuses(check_spooling(tmp_path)) == [Status.OK]

    assert statuses(check_spooling(tmp_path / "none")) == [Status.OK, Status.WARNING]
    from werkzeug import Request

    from api.doctor import machine

    monkeypatch.setattr(machine, "MemoryRequest", Request)
    assert statuses(check_spooling(tmp_path)) == [Status.PROBLEM]


# --- the clock


@pytest.mark.parametrize(
    ("state", "expected"),
    [(0, Status.OK), (1, Status.OK), (5, Status.WARNING), (-1, Status.NOT_CHECKED), (None, Status.NOT_CHECKED)],
)
def test_a_clock_that_nobody_keeps_right_is_a_warning(state: int | None, expected: Status) -> None:
    assert statuses(check_synchronised(lambda: state)) == [expected]


def test_the_kernel_of_this_machine_can_be_asked() -> None:
    assert kernel_state() in (None, *range(-1, 6))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, Status.OK), (0.9, Status.OK), (-3, Status.WARNING), (9, Status.WARNING), (11, Status.PROBLEM)],
)
def test_a_clock_far_from_the_database_servers_is_told(seconds: float, expected: Status) -> None:
    for there in (NOW + timedelta(seconds=seconds), NOW - timedelta(seconds=seconds)):
        assert statuses(check_against_database(NOW, there)) == [expected]


# --- settings and secrets


def keys(tmp_path: Path) -> dict[str, str]:
    """Both, each in a file of its own for its owner alone."""
    environ = {}
    for name in ("PARLEY_TOKEN_KEY", "PARLEY_RECEIPT_KEY"):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(new_private_jwk("ES256")))
        file.chmod(0o600)
        environ[f"{name}_FILE"] = str(file)
    return environ


def test_two_sound_keys_for_their_owner_alone_are_fine(tmp_path: Path) -> None:
    assert statuses(check_secrets(keys(tmp_path))) == [Status.OK] * 3


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_read_is_a_problem(tmp_path: Path, mode: int) -> None:
    environ = keys(tmp_path)
    Path(environ["PARLEY_RECEIPT_KEY_FILE"]).chmod(mode)

    assert statuses(check_secrets(environ)) == [Status.OK, Status.PROBLEM, Status.OK]


def test_one_key_for_tokens_and_receipts_is_a_problem(tmp_path: Path) -> None:
    environ = keys(tmp_path)
    environ["PARLEY_RECEIPT_KEY_FILE"] = environ["PARLEY_TOKEN_KEY_FILE"]

    assert statuses(check_secrets(environ))[-1] is Status.PROBLEM


@pytest.mark.parametrize(("environment", "expected"), [("production", Status.PROBLEM), ("development", Status.WARNING)])
def test_a_missing_key_is_a_problem_in_production(environment: str, expected: Status) -> None:
    assert statuses(check_secrets({"PARLEY_ENVIRONMENT": environment})) == [expected] * 2


def test_keys_that_cannot_sign_are_a_problem_and_never_quoted(tmp_path: Path) -> None:
    secret = "hunter2-secret-material"
    public_key = json.dumps(public_members(new_private_jwk("ES256")) | {"kid": secret})
    for text in (secret, public_key, json.dumps({"kty": "EC", "crv": "P-256", "d": secret})):
        findings = [*check_secrets({"PARLEY_TOKEN_KEY": text, "PARLEY_RECEIPT_KEY": text})]
        assert statuses(findings) == [Status.PROBLEM] * 2
        assert secret not in str(findings)
    assert statuses(check_secrets({"PARLEY_TOKEN_KEY_FILE": str(tmp_path / "none")}))[0] is Status.PROBLEM


def test_incomplete_settings_are_a_problem_that_names_what_is_missing() -> None:
    (finding,) = check_settings({"PARLEY_ENVIRONMENT": "production"})

    assert finding.status is Status.PROBLEM
    assert "PARLEY_DATABASE_URL" in finding.why
    assert statuses(check_settings({})) == [Status.WARNING]


def test_settings_that_the_exchange_would_refuse_at_its_start_are_a_problem(tmp_path: Path) -> None:
    issuers = tmp_path / "issuers.yaml"
    issuers.write_text("issuers: [")
    wrong = {
        "PARLEY_ISSUERS_FILE": str(issuers),
        "PARLEY_RATE_LIMIT_STORAGE": "memcached://127.0.0.1",
        "PARLEY_ISSUER": "https://parley.example/path",
    }
    for name, value in wrong.items():
        (finding,) = check_settings({name: value})
        assert finding.status is Status.PROBLEM
        assert name in finding.why


def test_production_that_says_nothing_of_a_proxy_is_a_warning(tmp_path: Path) -> None:
    environ = {
        **keys(tmp_path),
        "PARLEY_ENVIRONMENT": "production",
        "PARLEY_DATABASE_URL": "postgresql+psycopg://parley@db/parley",
        "PARLEY_WITNESS": str(tmp_path / "witness"),
        "PARLEY_ISSUER": "https://parley.example",
    }

    assert statuses(check_settings(environ)) == [Status.OK, Status.WARNING]
    assert statuses(check_settings({**environ, "PARLEY_TRUSTED_PROXIES": "1"})) == [Status.OK]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({}, Status.OK), ({"FLASK_DEBUG": "0"}, Status.OK), ({"FLASK_DEBUG": "1"}, Status.PROBLEM)],
)
def test_debug_is_a_problem_anywhere(environ: dict[str, str], expected: Status) -> None:
    assert statuses(check_debug(environ)) == [expected]


# --- the noise source


class Drawing:
    """What a broken source would draw."""

    def __init__(self, factor: float, shift: int = 0) -> None:
        self.factor, self.shift = factor, shift

    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return DiscreteGaussian().add_noise(exact, sigma * self.factor) + self.shift


class Silent:
    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        return np.array(exact)


class Failing:
    def add_noise(self, exact: Vector, sigma: float) -> Vector:
        raise DrawFailed


@pytest.mark.slow
def test_the_real_noise_source_passes_many_times() -> None:
    for _ in range(10):
        assert statuses(check_draws(DiscreteGaussian())) == [Status.OK]


@pytest.mark.parametrize(
    ("noise", "said"),
    [
        (Drawing(0.9), "variance"),
        (Drawing(1.1), "variance"),
        (Drawing(1, 10), "mean"),
        (Silent(), "zero"),
        (Failing(), "no noise"),
    ],
    ids=["too little", "too much", "shifted", "none", "failing"],
)
def test_a_noise_source_that_is_another_is_a_problem(noise: Drawing | Silent | Failing, said: str) -> None:
    (finding,) = check_draws(noise)

    assert finding.status is Status.PROBLEM
    assert said in finding.why


def test_the_version_that_is_pinned_is_the_one_that_the_code_names() -> None:
    setup = (Path(__file__).parents[2] / "setup.cfg").read_text()

    assert re.findall(r"^    opendp ==(\S+)$", setup, re.MULTILINE) == [LIBRARY_VERSION] == [library_version()]
    assert statuses(check_library()) == [Status.OK]


def test_another_version_or_more_features_are_a_problem() -> None:
    assert statuses(check_library("0.15.0", frozenset({"contrib"}))) == [Status.PROBLEM]
    more = frozenset({"contrib", "floating-point"})
    assert statuses(check_library(LIBRARY_VERSION, more)) == [Status.OK, Status.PROBLEM]


def test_two_processes_that_draw_alike_are_a_problem() -> None:
    def nobody() -> str:
        raise OSError

    assert statuses(check_two_processes()) == [Status.OK]
    assert statuses(check_two_processes(lambda: "[1, 2]")) == [Status.PROBLEM]
    assert statuses(check_two_processes(nobody)) == [Status.NOT_CHECKED]


# --- the database


def test_a_migrated_database_protects_every_table_that_only_grows(migrated_url: str) -> None:
    assert inspect_database(migrated_url).protected == APPEND_ONLY


def test_a_sound_database_is_found_so(migrated_sqlite_url: str) -> None:
    assert statuses(check_database(migrated_sqlite_url)) == [Status.OK] * 4


def test_a_real_postgresql_is_asked_for_its_settings_and_its_clock(migrated_postgresql_url: str) -> None:
    """The tests' server runs without fsync, which is just what must be found."""
    found = [*check_database(migrated_postgresql_url)]

    assert statuses(found) == [Status.OK, Status.OK, Status.PROBLEM, Status.OK, Status.OK]
    assert "fsync and full_page_writes off" in found[2].why
    assert "database server's" in found[4].why


def test_a_trigger_that_was_dropped_or_disabled_is_a_problem(database_url: str) -> None:
    migrate(database_url)
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(sa.text("DROP TRIGGER ledger_entries_refuse_delete"))
        else:
            connection.execute(sa.text("ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_refuse_change"))
    engine.dispose()

    (finding,) = check_append_only(inspect_database(database_url))

    assert finding.status is Status.PROBLEM
    assert "ledger_entries" in finding.why


HARMLESS = {
    "another function": ("UPDATE OR DELETE OR TRUNCATE", "ledger_entries", "", "nothing"),
    "other events": ("DELETE", "ledger_entries", "", "refuse_change"),
    "some columns": ("UPDATE OF kind OR DELETE OR TRUNCATE", "ledger_entries", "", "refuse_change"),
    "never": ("UPDATE OR DELETE OR TRUNCATE", "ledger_entries", "WHEN (false)", "refuse_change"),
    "another table": ("UPDATE OR DELETE OR TRUNCATE", "clients", "", "refuse_change"),
}


def test_on_postgresql_a_trigger_of_the_right_name_must_refuse(postgresql_url: str) -> None:
    migrate(postgresql_url)
    body = "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
    engine = sa.create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE FUNCTION nothing() {body}"))
        table = "ledger_entries"
        for what, (events, on, when, function) in HARMLESS.items():
            connection.execute(sa.text(f"DROP TRIGGER {table}_refuse_change ON {table}"))
            made = f"CREATE TRIGGER ledger_entries_refuse_change BEFORE {events} ON {on}"
            connection.execute(sa.text(f"{made} FOR EACH STATEMENT {when} EXECUTE FUNCTION {function}()"))
            table = on
            found = inspect_database(postgresql_url).protected
            assert found & APPEND_ONLY == APPEND_ONLY - {"ledger_entries"}, what
        connection.execute(sa.text(f"CREATE OR REPLACE FUNCTION refuse_change() {body}"))
    engine.dispose()
    assert not inspect_database(postgresql_url).protected & APPEND_ONLY


def test_on_sqlite_too_a_trigger_of_the_right_name_must_refuse(migrated_sqlite_url: str) -> None:
    engine = sa.create_engine(migrated_sqlite_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER releases_refuse_update"))
        name = "CREATE TRIGGER releases_refuse_update BEFORE UPDATE ON releases"
        connection.execute(sa.text(f"{name} BEGIN SELECT 1; END"))
    engine.dispose()

    assert inspect_database(migrated_sqlite_url).protected == APPEND_ONLY - {"releases"}


def test_a_database_that_is_not_there_is_a_problem_and_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.db"

    assert statuses(check_database(f"sqlite:///{path}")) == [Status.PROBLEM]
    assert statuses(check_database("mysql://x")) == [Status.PROBLEM]
    assert not path.exists()


def test_a_schema_of_yesterday_is_a_problem(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "parley.db").touch()

    assert Status.PROBLEM in statuses(check_database(sqlite_url))


@pytest.mark.parametrize(
    ("backend", "settings", "expected"),
    [
        ("sqlite", {"journal_mode": "wal", "synchronous": "2"}, Status.OK),
        ("sqlite", {"journal_mode": "wal", "synchronous": "1"}, Status.PROBLEM),
        ("sqlite", {"journal_mode": "delete", "synchronous": "2"}, Status.PROBLEM),
        ("postgresql", {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}, Status.OK),
        ("postgresql", {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "off"}, Status.WARNING),
        ("postgresql", {"fsync": "off", "full_page_writes": "on", "synchronous_commit": "on"}, Status.PROBLEM),
        ("postgresql", {"fsync": "on", "full_page_writes": "off", "synchronous_commit": "on"}, Status.PROBLEM),
    ],
)
def test_commits_that_may_be_lost_are_told(backend: str, settings: dict[str, str], expected: Status) -> None:
    assert statuses(check_durable(backend, settings)) == [expected]


# --- the witness


def test_a_witness_in_the_folder_or_on_the_disk_of_the_database_is_a_warning(tmp_path: Path) -> None:
    database = tmp_path / "parley.db"
    database.touch()
    (tmp_path / "elsewhere").mkdir()

    assert statuses(check_place(tmp_path / "witness", database)) == [Status.WARNING]
    assert statuses(check_place(tmp_path / "elsewhere" / "witness", database)) == [Status.WARNING]
    assert statuses(check_place(Path("/proc/self/witness"), database)) == [Status.OK]
    assert statuses(check_place(tmp_path / "witness", None)) == [Status.NOT_CHECKED]
    server = tmp_path / "PG_VERSION"
    server.touch()
    assert statuses(check_place(tmp_path / "base" / "witness", server)) == [Status.WARNING]


def test_a_database_server_on_this_machine_tells_where_its_files_are(migrated_postgresql_url: str) -> None:
    folder = find_data_folder(migrated_postgresql_url)
    assert folder is not None
    database = database_file(migrated_postgresql_url)

    assert statuses(check_place(folder / "base" / "witness", database)) == [Status.WARNING]
    assert find_data_folder("postgresql+psycopg://parley@db.example/parley") is None


def test_a_witness_in_memory_is_a_problem(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    line = "36 35 {}:{} / / rw,noatime shared:1 - {} none rw\n"
    for kind, expected in (("tmpfs", [Status.PROBLEM]), ("ramfs", [Status.PROBLEM]), ("ext4", [])):
        mounts.write_text(line.format(os.major(device), os.minor(device), kind))
        assert statuses(check_lasting(tmp_path / "witness", mounts)) == expected
    assert statuses(check_lasting(tmp_path / "witness", tmp_path / "none")) == []
    memory = Path("/dev/shm")
    if memory.is_mount():
        assert statuses(check_lasting(memory / "witness")) == [Status.PROBLEM]


def test_a_witness_that_others_may_write_is_a_problem(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    assert statuses(check_own(witness)) == []
    witness.touch()
    for mode, expected in ((0o600, []), (0o644, []), (0o660, [Status.PROBLEM]), (0o602, [Status.PROBLEM])):
        witness.chmod(mode)
        assert statuses(check_own(witness)) == expected


def test_a_folder_is_no_witness(migrated_sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert statuses(check_witness(str(tmp_path / "folder"), migrated_sqlite_url)) == [Status.PROBLEM]


def test_a_witness_that_cannot_be_written_is_a_problem_and_leaves_nothing_behind(tmp_path: Path) -> None:
    assert statuses(check_writable(tmp_path / "witness")) == [Status.OK]
    assert statuses(check_writable(tmp_path / "none" / "witness")) == [Status.PROBLEM]
    assert [*tmp_path.iterdir()] == []


def test_a_witness_that_knows_more_than_the_ledger_is_a_problem(migrated_sqlite_url: str, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    assert statuses(check_witness(str(witness), migrated_sqlite_url))[-1] is Status.OK

    grant = Account("sierra-members", []).grant(100, "a grant that the database lost", NOW)
    FileWitness(witness).append("sierra-members", [entry_line(grant)], after=None)

    assert statuses(check_witness(str(witness), migrated_sqlite_url))[-1] is Status.PROBLEM


def test_a_witness_is_not_compared_with_a_database_that_is_not_there(tmp_path: Path) -> None:
    found = statuses(check_witness(str(tmp_path / "w" / "witness"), f"sqlite:///{tmp_path / 'none.db'}"))

    assert found[-1] is Status.NOT_CHECKED
    assert not (tmp_path / "none.db").exists()
    assert statuses(check_witness("", "sqlite:///parley.db")) == [Status.PROBLEM]


# --- all of them


def test_a_check_that_fails_itself_is_told_without_the_words_of_its_error() -> None:
    def broken() -> Iterable[Finding]:
        yield ok("first", "fine")
        raise RuntimeError("hunter2")

    found = [*carried_out([("first", broken), ("second", lambda: [ok("second", "fine")])])]

    assert statuses(found) == [Status.OK, Status.NOT_CHECKED, Status.OK]
    assert "RuntimeError" in found[1].why
    assert "hunter2" not in str(found)


def test_checks_leave_the_ledger_alone(migrated_sqlite_url: str, tmp_path: Path) -> None:
    before = (tmp_path / "parley.db").read_bytes()

    list(check_database(migrated_sqlite_url))
    list(check_witness(str(tmp_path / "witness"), migrated_sqlite_url))

    database = open_database(migrated_sqlite_url)
    with database.reading() as stores:
        assert [*stores.stored.entries()] == []
    database.close()
    assert (tmp_path / "parley.db").read_bytes() == before
