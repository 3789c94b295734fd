"""The register keeps everybody within k periods of a feed, through crashes, repetitions and two runs at once."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from adapters.preparation.cells import PreparedCells, make_cells
from adapters.preparation.engine import Engine
from adapters.preparation.register import (
    BEYOND_K,
    Register,
    RegisterExists,
    RegisterForeign,
    RegisterInUse,
    RegisterMissing,
    RegisterUnreadable,
)
from contracts.periods import Grain, Period
from contracts.terms import FeedTerms
from tests.support.facts import TREATED, a_feed, create_facts_by_hand

FEED = a_feed({"sex": ["F", "M"]}, k=2)
YEARS = [Period.parse(str(year), Grain.YEAR) for year in range(2008, 2012)]
WHO = {"contract_id": "dsc-1", "population": "blueridge-members"}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.opened(threads=1) as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "payer" / "register"


def prepare(engine: Engine, register: Register, period: Period, members: Iterable[str]) -> PreparedCells:
    create_facts_by_hand(engine, [{"member": member, "sex": "F"} for member in members])
    return make_cells(engine, register.feed, TREATED, period, register)


def kept(
    engine: Engine, path: Path, runs: Sequence[tuple[Period, str]], feed: FeedTerms = FEED, contract_id: str = "dsc-1"
) -> list[int]:
    """How many persons were kept in each run: a period, and a letter a member. Each run opens the register anew."""
    found = []
    for period, members in runs:
        with Register.opened(engine, path, feed, YEARS[0], contract_id=contract_id, population="p") as register:
            found.append(prepare(engine, register, period, members).counts.kept)
    return found


def test_a_person_in_k_other_periods_is_out_of_any_further_one(engine: Engine, path: Path) -> None:
    runs = [(YEARS[0], "ab"), (YEARS[1], "a"), (YEARS[2], "abc"), (YEARS[3], "abc")]
    assert kept(engine, path, runs) == [2, 1, 2, 1]


def test_who_is_left_out_for_k_is_counted_last(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[0], **WHO) as register:
        for period in YEARS[:2]:
            prepare(engine, register, period, "ab")
        cells = prepare(engine, register, YEARS[2], "abc")
    assert (cells.counts.members, cells.counts.kept, cells.counts.excluded) == (3, 1, {BEYOND_K: 2})
    assert cells.columns == {"sex": ["F"], "members": [1]}


def test_preparing_a_period_again_takes_no_more_room(engine: Engine, path: Path) -> None:
    assert kept(engine, path, [(YEARS[0], "a"), (YEARS[0], "a"), (YEARS[1], "a"), (YEARS[0], "a")]) == [1, 1, 1, 1]


def test_a_restatement_holds_whoever_was_in_the_period_and_whoever_has_room(engine: Engine, path: Path) -> None:
    runs = [(YEARS[0], "a"), (YEARS[1], "ab"), (YEARS[2], "b"), (YEARS[0], "abc")]
    assert kept(engine, path, runs) == [1, 2, 1, 2]


def test_who_was_in_a_first_preparation_and_not_in_the_second_stays_in_the_register(engine: Engine, path: Path) -> None:
    runs = [(YEARS[0], "a"), (YEARS[0], ""), (YEARS[1], "a"), (YEARS[2], "a")]
    assert kept(engine, path, runs) == [1, 0, 1, 0]


def test_periods_of_another_feed_contract_or_bound_take_no_room(engine: Engine, path: Path) -> None:
    full = [(YEARS[0], "a"), (YEARS[1], "a")]
    others = [replace(FEED, name="other"), a_feed({"sex": ["F"]}, k=2)]
    assert kept(engine, path, full) == [1, 1]
    assert kept(engine, path, full, contract_id="dsc-2") == [1, 1]
    assert [kept(engine, path, full, feed) for feed in others] == [[1, 1], [1, 1]]
    assert kept(engine, path, [(YEARS[2], "a")]) == [0]


def test_a_draft_and_what_is_proposed_of_it_share_their_room(engine: Engine, path: Path) -> None:
    assert kept(engine, path, [(YEARS[0], "a"), (YEARS[1], "a")]) == [1, 1]
    assert kept(engine, path, [(YEARS[2], "a")], replace(FEED, generation="0" * 64)) == [0]


def test_the_register_is_readable_by_its_owner_alone_and_holds_no_member_id(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[0], **WHO) as register:
        prepare(engine, register, YEARS[0], ["member-4711"])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert set(modes.values()) == {0o600}
        assert len(modes) == 3  # the register, its write-ahead log, and the lock
        content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"4711" not in content
    assert b"4711" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_register_left_open_to_others_is_closed_to_them(engine: Engine, path: Path) -> None:
    kept(engine, path, [(YEARS[0], "a")])
    path.chmod(0o644)
    kept(engine, path, [(YEARS[0], "a")])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_registers_have_hashes_of_their_own(engine: Engine, tmp_path: Path) -> None:
    hashes = set()
    for name in ("one", "two"):
        with Register.opened(engine, tmp_path / name, FEED, YEARS[0], **WHO) as register:
            prepare(engine, register, YEARS[0], "a")
            hashes |= {str(person) for (person,) in engine.rows("SELECT person FROM register.entries")}
    assert len(hashes) == 2


def test_without_a_register_later_periods_are_refused_unless_it_is_said_to_be_new(engine: Engine, path: Path) -> None:
    with pytest.raises(RegisterMissing, match="name the file"), Register.opened(engine, path, FEED, YEARS[1], **WHO):
        pass
    assert not path.exists()
    with Register.opened(engine, path, FEED, YEARS[1], **WHO, new=True) as register:
        assert register.not_noted_before(YEARS[1]) == (YEARS[0],)


@pytest.mark.parametrize(("k", "first"), [(2, YEARS[0]), (4, YEARS[3])])
def test_a_register_is_made_unasked_where_nobody_can_be_in_k_periods_yet(
    engine: Engine, path: Path, k: int, first: Period
) -> None:
    with Register.opened(engine, path, replace(FEED, k=k), first, **WHO) as register:
        assert register.not_noted_before(first) == ()
    assert path.exists()


def test_periods_that_the_register_never_saw_are_named(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[0], **WHO) as register:
        prepare(engine, register, YEARS[0], "a")
        assert prepare(engine, register, YEARS[1], "a").not_noted == ()
        assert prepare(engine, register, YEARS[3], "a").not_noted == (YEARS[2],)


def test_a_new_register_never_takes_the_place_of_one_that_is_there(engine: Engine, path: Path) -> None:
    kept(engine, path, [(YEARS[0], "a")])
    before = path.read_bytes()
    with pytest.raises(RegisterExists), Register.opened(engine, path, FEED, YEARS[0], **WHO, new=True):
        pass
    assert path.read_bytes() == before


def test_a_register_of_another_population_is_refused(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[0], **WHO):
        pass
    foreign = Register.opened(engine, path, FEED, YEARS[0], contract_id="dsc-1", population="lakeshore-members")
    with pytest.raises(RegisterForeign, match="of blueridge-members, and not of lakeshore-members"), foreign:
        pass


@pytest.mark.parametrize("content", [b"", b"no register\n" * 1000])
def test_a_file_that_is_no_register_is_refused_and_left_alone(engine: Engine, path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(RegisterUnreadable), Register.opened(engine, path, FEED, YEARS[0], **WHO):
        pass
    assert path.read_bytes() == content


def test_another_database_is_no_register(engine: Engine, path: Path) -> None:
    path.parent.mkdir()
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE claims (member VARCHAR)")
    with pytest.raises(RegisterUnreadable), Register.opened(engine, path, FEED, YEARS[0], **WHO):
        pass
    with pytest.raises(duckdb.Error):  # nothing stays attached
        engine.rows("FROM register.claims")


def test_a_register_of_a_later_version_is_refused(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[0], **WHO):
        engine.connection.execute("UPDATE register.about SET version = 2")
    with (
        pytest.raises(RegisterUnreadable, match="another version"),
        Register.opened(engine, path, FEED, YEARS[0], **WHO),
    ):
        pass


def test_a_second_preparation_says_that_the_first_holds_the_register(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[0], **WHO), Engine.opened(threads=1) as other:
        begun = time.monotonic()
        with (
            pytest.raises(RegisterInUse),
            Register.opened(other, path, FEED, YEARS[0], **WHO, wait_seconds=0.2),
        ):
            pass
        assert time.monotonic() - begun >= 0.2


# Says when it holds the register, and lets go when its input ends; or, told to record, dies right after two periods.
HOLDER = """
import os, sys
from pathlib import Path
from tests.unit.test_register import *
with Engine.opened(threads=1) as engine:
    with Register.opened(engine, Path(sys.argv[1]), FEED, YEARS[0], **WHO) as register:
        if sys.argv[2] == "record":
            prepare(engine, register, YEARS[0], "a")
            prepare(engine, register, YEARS[1], "a")
            os.kill(os.getpid(), signal.SIGKILL)
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.mark.slow
def test_a_second_process_waits_until_the_first_has_ended(engine: Engine, path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(path), "hold"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.stdin.close()
        with Register.opened(engine, path, FEED, YEARS[0], **WHO, wait_seconds=30) as register:
            assert prepare(engine, register, YEARS[0], "a").counts.kept == 1


@pytest.mark.slow
def test_what_was_recorded_outlives_a_process_that_is_killed_right_after(engine: Engine, path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", HOLDER, str(path), "record"], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    with Register.opened(engine, path, FEED, YEARS[0], **WHO) as register:
        assert prepare(engine, register, YEARS[2], "a").counts.kept == 0


def test_a_rehearsal_leaves_no_trace_and_counts_as_if_it_were_real(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[0], **WHO, rehearsal=True) as register:
        assert [prepare(engine, register, year, "a").counts.kept for year in YEARS[:3]] == [1, 1, 0]
    assert not path.parent.exists()
    with Register.opened(engine, path, FEED, YEARS[0], **WHO) as register:
        prepare(engine, register, YEARS[0], "a")
    before = path.read_bytes()
    with Register.opened(engine, path, FEED, YEARS[0], **WHO, rehearsal=True) as register:
        assert [prepare(engine, register, year, "a").counts.kept for year in YEARS[1:]] == [1, 0, 0]
    assert path.read_bytes() == before


def test_nothing_half_made_is_left_where_a_register_cannot_be_made(
    engine: Engine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="No space"), Register.opened(engine, path, FEED, YEARS[0], **WHO):
        pass
    assert [file.name for file in path.parent.iterdir()] == ["register.lock"]


def test_a_register_put_back_from_a_copy_is_noticed_by_the_periods_it_lacks(engine: Engine, path: Path) -> None:
    kept(engine, path, [(YEARS[0], "a")])
    copy = shutil.copy(path, path.with_name("copy"))
    kept(engine, path, [(YEARS[1], "a")])
    shutil.copy(copy, path)
    with Register.opened(engine, path, FEED, YEARS[2], contract_id="dsc-1", population="p") as register:
        assert prepare(engine, register, YEARS[2], "a").not_noted == (YEARS[1],)
