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
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from adapters.preparation.cells import PreparedCells, make_cells
from adapters.preparation.engine import Engine
from adapters.preparation.register import (
    BEYOND_K,
    PeriodsUnseen,
    Register,
    RegisterForeign,
    RegisterInUse,
    RegisterUnreadable,
)
from contracts.periods import Grain, Period
from contracts.terms import FeedTerms
from tests.support.facts import TREATED, a_feed, create_facts_by_hand

FEED = a_feed({"sex": ["F", "M"]}, k=2)
YEARS = [Period.parse(str(year), Grain.YEAR) for year in range(2008, 2012)]
FIRST_IS_OVER = date(2009, 1, 1)
WHO: dict[str, Any] = {"contract_id": "dsc-1", "population": "blueridge-members", "today": FIRST_IS_OVER}


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
        who = WHO | {"contract_id": contract_id}
        with Register.opened(engine, path, feed, [period], **who) as register:
            found.append(prepare(engine, register, period, members).counts.kept)
    return found


def test_a_person_in_k_other_periods_is_out_of_any_further_one(engine: Engine, path: Path) -> None:
    runs = [(YEARS[0], "ab"), (YEARS[1], "a"), (YEARS[2], "abc"), (YEARS[3], "abc")]
    assert kept(engine, path, runs) == [2, 1, 2, 1]


def test_who_is_left_out_for_k_is_counted_last(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[:1], **WHO) as register:
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


def test_a_new_plan_gives_nobody_more_room(engine: Engine, path: Path) -> None:
    assert kept(engine, path, [(YEARS[0], "a"), (YEARS[1], "a")]) == [1, 1]
    assert kept(engine, path, [(YEARS[2], "a")], replace(FEED, generation="0" * 64)) == [0]


def test_the_register_is_readable_by_its_owner_alone_and_holds_no_member_id(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[:1], **WHO) as register:
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
        with Register.opened(engine, tmp_path / name, FEED, YEARS[:1], **WHO) as register:
            prepare(engine, register, YEARS[0], "a")
            hashes |= {str(person) for (person,) in engine.rows("SELECT person FROM register.entries")}
    assert len(hashes) == 2


def over(last: Period) -> dict[str, Any]:
    """On the day after this period."""
    return WHO | {"today": last.last_day + timedelta(days=1)}


def run(
    engine: Engine, path: Path, periods: Sequence[Period], today: Period, feed: FeedTerms = FEED, **said: Any
) -> list[int]:
    """Persons kept in each period, of one and the same person."""
    with Register.opened(engine, path, feed, periods, **over(today), **said) as register:
        return [prepare(engine, register, period, "a").counts.kept for period in periods]


K1, Y = replace(FEED, k=1), YEARS


def test_one_who_was_in_an_earlier_period_by_a_register_that_is_lost_gets_no_room_by_another_feed(
    engine: Engine, path: Path
) -> None:
    """The other feed makes the register anew, and says nothing of who was in this one."""
    other = replace(FEED, name="other", k=4)
    assert run(engine, path, Y[:1], Y[0], K1) == [1]
    path.unlink()
    assert run(engine, path, Y[:2], Y[1], other) == [1, 1]
    with pytest.raises(PeriodsUnseen, match=r"never saw 2008\.\.2009 of adherence"):
        run(engine, path, Y[1:2], Y[1], K1)


def test_one_who_was_in_a_later_period_by_a_register_that_is_lost_gets_no_room_in_the_first(
    engine: Engine, path: Path
) -> None:
    assert run(engine, path, Y[1:2], Y[1], K1, never_posted=Y[:2]) == [1]
    path.unlink()
    with pytest.raises(PeriodsUnseen, match=r"there is no register .*--never-posted 2008\.\.2009"):
        run(engine, path, Y[:1], Y[1], K1)
    assert not path.exists()


def test_of_a_feed_that_is_new_to_a_register_every_period_that_is_over_is_vouched_for(
    engine: Engine, path: Path
) -> None:
    """Not for those to be prepared alone: whichever was posted, persons may be in it."""
    for said in ([], Y[:1], Y[1:2]):
        with pytest.raises(PeriodsUnseen):
            run(engine, path, Y[:2], Y[1], never_posted=said)
    assert run(engine, path, Y[:2], Y[1], never_posted=Y[:2]) == [1, 1]


def test_nothing_is_asked_where_nothing_else_can_have_been_posted(engine: Engine, path: Path) -> None:
    for number, year in enumerate(Y):
        assert run(engine, path, [year], year) == [1 if number < 2 else 0]


def test_where_k_is_every_period_nothing_is_asked(engine: Engine, path: Path) -> None:
    assert run(engine, path, Y[3:], Y[3], replace(FEED, k=4)) == [1]


def test_what_the_payer_vouches_for_is_asked_once(engine: Engine, path: Path) -> None:
    assert run(engine, path, Y[:1], Y[0]) == [1]
    with pytest.raises(PeriodsUnseen, match="never saw 2009 of adherence"):
        run(engine, path, Y[2:3], Y[2])
    assert run(engine, path, Y[2:3], Y[2], never_posted=Y[1:2]) == [1]
    assert run(engine, path, Y[3:], Y[3]) == [0]


def test_periods_that_are_caught_up_with_need_no_word(engine: Engine, path: Path) -> None:
    """All four are over: said once of a feed that is new, then one after the other, or several at once."""
    assert run(engine, path, Y[:1], Y[3], never_posted=Y) == [1]
    assert run(engine, path, Y[1:2], Y[3]) == [1]
    assert run(engine, path, Y[2:], Y[3]) == [0, 0]


def test_a_restatement_needs_every_period_that_may_have_been_posted(engine: Engine, path: Path) -> None:
    """Of a register put back from a copy, a later period may be missing, with persons who get no more room."""
    assert run(engine, path, Y[:1], Y[0], K1) == [1]
    with pytest.raises(PeriodsUnseen, match="never saw 2009 of adherence"):
        run(engine, path, Y[:1], Y[1], K1, restated=True)
    with pytest.raises(PeriodsUnseen):
        run(engine, path.with_name("other"), Y[:1], Y[0], K1, restated=True)
    assert run(engine, path, Y[:1], Y[0], K1, restated=True) == [1]


def test_a_register_put_back_from_a_copy_lacks_periods_that_nobody_vouched_for(engine: Engine, path: Path) -> None:
    """What was said of later periods before they were prepared does not stay true."""
    assert run(engine, path, Y[:1], Y[3], never_posted=Y) == [1]
    copy = shutil.copy(path, path.with_name("copy"))
    assert run(engine, path, Y[1:2], Y[3]) == [1]
    shutil.copy(copy, path)
    with pytest.raises(PeriodsUnseen, match="never saw 2009 of adherence"):
        run(engine, path, Y[2:3], Y[3])


def test_a_register_of_another_population_is_refused(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[:1], **WHO):
        pass
    foreign = Register.opened(engine, path, FEED, YEARS[:1], **WHO | {"population": "lakeshore-members"})
    with pytest.raises(RegisterForeign, match="of blueridge-members, and not of lakeshore-members"), foreign:
        pass


@pytest.mark.parametrize("content", [b"", b"no register\n" * 1000])
def test_a_file_that_is_no_register_is_refused_and_left_alone(engine: Engine, path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o644)
    with pytest.raises(RegisterUnreadable), Register.opened(engine, path, FEED, YEARS[:1], **WHO):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == content


def test_another_database_is_no_register(engine: Engine, path: Path) -> None:
    path.parent.mkdir()
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE claims (member VARCHAR)")
    path.chmod(0o644)
    with pytest.raises(RegisterUnreadable), Register.opened(engine, path, FEED, YEARS[:1], **WHO):
        pass
    with pytest.raises(duckdb.Error):  # nothing stays attached
        engine.rows("FROM register.claims")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_link_to_nowhere_is_no_register_and_one_to_a_register_is_that_one(engine: Engine, path: Path) -> None:
    assert kept(engine, path, [(YEARS[0], "a"), (YEARS[1], "a")]) == [1, 1]
    link = path.with_name("link")
    link.symlink_to(path)
    assert kept(engine, link, [(YEARS[2], "a")]) == [0]
    path.unlink()
    with pytest.raises(RegisterUnreadable, match="link that leads nowhere"):
        kept(engine, link, [(YEARS[0], "a")])


def test_a_register_of_a_later_version_is_refused(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[:1], **WHO):
        engine.connection.execute("UPDATE register.about SET version = 2")
    with (
        pytest.raises(RegisterUnreadable, match="another version"),
        Register.opened(engine, path, FEED, YEARS[:1], **WHO),
    ):
        pass


def test_a_second_preparation_says_that_the_first_holds_the_register(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[:1], **WHO), Engine.opened(threads=1) as other:
        begun = time.monotonic()
        with (
            pytest.raises(RegisterInUse),
            Register.opened(other, path, FEED, YEARS[:1], **WHO, wait_seconds=0.2),
        ):
            pass
        assert time.monotonic() - begun >= 0.2


# Says when it holds the register, and lets go when its input ends; or, told to record, dies right after two periods.
HOLDER = """
import os, sys
from pathlib import Path
from tests.unit.test_register import *
with Engine.opened(threads=1) as engine:
    with Register.opened(engine, Path(sys.argv[1]), FEED, YEARS[:1], **WHO) as register:
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
        with Register.opened(engine, path, FEED, YEARS[:1], **WHO, wait_seconds=30) as register:
            assert prepare(engine, register, YEARS[0], "a").counts.kept == 1


@pytest.mark.slow
def test_what_was_recorded_outlives_a_process_that_is_killed_right_after(engine: Engine, path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", HOLDER, str(path), "record"], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    with Register.opened(engine, path, FEED, YEARS[:1], **WHO) as register:
        assert prepare(engine, register, YEARS[2], "a").counts.kept == 0


def test_a_rehearsal_leaves_no_trace_and_counts_as_if_it_were_real(engine: Engine, path: Path) -> None:
    with Register.opened(engine, path, FEED, YEARS[:1], **WHO, rehearsal=True) as register:
        assert [prepare(engine, register, year, "a").counts.kept for year in YEARS[:3]] == [1, 1, 0]
    assert not path.parent.exists()
    with Register.opened(engine, path, FEED, YEARS[:1], **WHO) as register:
        prepare(engine, register, YEARS[0], "a")
    before = path.read_bytes()
    with Register.opened(engine, path, FEED, YEARS[:1], **WHO, rehearsal=True) as register:
        assert [prepare(engine, register, year, "a").counts.kept for year in YEARS[1:]] == [1, 0, 0]
    assert path.read_bytes() == before


def test_nothing_half_made_is_left_where_a_register_cannot_be_made(
    engine: Engine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="No space"), Register.opened(engine, path, FEED, YEARS[:1], **WHO):
        pass
    assert [file.name for file in path.parent.iterdir()] == ["register.lock"]
