"""The witness's file: what was written is there, in order, and whatever was not written by it is noticed."""

import hashlib
import json
import os
import resource
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from threading import Thread

import pytest

from adapters.witness import FileWitness
from contracts.parties import JsonObject
from contracts.ports import WitnessDamaged
from contracts.refusals import WitnessMovedOn, WitnessUnavailable

OURS, OTHERS = "blueridge-members", "lakeshore-members"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "witness"


def write(witness: FileWitness, number: int, population: str = OURS) -> JsonObject:
    after = witness.find_last(population)
    return witness.append(population, [{"what": "entry", "number": number}], after=after)


def numbers(witness: FileWitness, population: str = OURS) -> list[int]:
    return [line["number"] for line in witness.read().lines if line["population"] == population]


def test_a_line_is_found_again_by_everybody_and_each_names_the_hash_of_the_one_before(file: Path) -> None:
    ours, theirs = FileWitness(file), FileWitness(file)
    assert (ours.find_last(OURS), file.exists()) == (None, False)
    for number in range(3):
        write(ours, number)
        write(theirs, 10 + number, OTHERS)
    for witness in (ours, theirs, FileWitness(file)):
        last = witness.find_last(OURS)
        assert last is not None
        assert (last["number"], numbers(witness), numbers(witness, OTHERS)) == (2, [0, 1, 2], [10, 11, 12])
        assert witness.read().whole
    previous = ""
    for text in file.read_text().splitlines():
        line = json.loads(text)
        body, _, _ = text.rpartition(',"hash":')
        assert line["previous"] == previous
        previous = hashlib.sha256(f"{body}}}".encode()).hexdigest()
        assert line["hash"] == previous
    assert file.stat().st_mode & 0o777 == 0o600


def test_who_does_not_know_the_last_line_of_a_population_may_not_write(file: Path) -> None:
    witness = FileWitness(file)
    first = write(witness, 1)
    write(witness, 2)
    for stale in (None, first):
        with pytest.raises(WitnessMovedOn):
            witness.append(OURS, [{"what": "entry", "number": 3}], after=stale)
    assert numbers(witness) == [1, 2]


def test_a_line_that_was_cut_off_by_a_power_loss_is_passed_over_and_then_repaired(file: Path) -> None:
    whole, longer = FileWitness(file), FileWitness(file)
    write(whole, 1)
    kept = file.read_bytes()
    write(longer, 2)
    line = file.read_bytes()[len(kept) :]
    for length in (1, len(line) // 2, len(line) - 1):
        file.write_bytes(kept + line[:length])
        witness = FileWitness(file)
        assert numbers(witness) == [1]
        assert witness.read().whole
        write(witness, 3)
        assert numbers(FileWitness(file)) == [1, 3]
        assert FileWitness(file).read().whole


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [lines[0].replace(b'"number":0', b'"number":7'), *lines[1:]],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [*lines, lines[2]],
        lambda lines: lines[1:],
        lambda lines: [b"\n", *lines],
        lambda lines: [b"{}\n", *lines],
        lambda lines: [lines[0][:-2] + b"\n", *lines[1:]],
        lambda lines: [*lines, b"\0" * 400 + b"\n"],
    ],
    ids=["altered", "removed", "reordered", "doubled", "beheaded", "empty line", "no line of ours", "cut", "zeros"],
)
def test_any_other_damage_is_noticed_and_hides_no_line_that_can_be_read(
    file: Path, spoil: Callable[[list[bytes]], list[bytes]]
) -> None:
    for number in range(3):
        write(FileWitness(file), number)
    file.write_bytes(b"".join(spoil(file.read_bytes().splitlines(keepends=True))))
    witness = FileWitness(file)
    with pytest.raises(WitnessDamaged):
        witness.find_last(OURS)
    with pytest.raises(WitnessDamaged):
        write(witness, 4)
    text = witness.read()
    assert not text.whole
    assert {line["number"] for line in text.lines} >= {1, 2} - ({1} if len(text.lines) < 3 else set())

    witness.replace(text.lines, aside="damaged")
    assert FileWitness(file).read().whole
    assert [line["number"] for line in witness.read().lines] == [line["number"] for line in text.lines]
    write(witness, 5)
    assert file.with_name("witness.damaged").exists()


def test_a_file_that_was_put_back_is_read_anew_even_when_it_has_grown_since(file: Path) -> None:
    witness, other = FileWitness(file), FileWitness(file)
    write(witness, 1)
    old = file.read_bytes()
    write(witness, 2)
    file.write_bytes(old)
    assert numbers(witness) == [1]
    assert (witness.find_last(OURS) or {})["number"] == 1
    for number in (7, 8, 9):
        write(other, number)
    assert (witness.find_last(OURS) or {})["number"] == 9
    file.unlink()
    assert witness.find_last(OURS) is None


def test_a_witness_that_cannot_be_written_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(WitnessUnavailable):
        write(FileWitness(tmp_path / "no folder" / "witness"), 1)
    with pytest.raises(WitnessUnavailable):
        FileWitness(tmp_path).find_last(OURS)
    witness = FileWitness(tmp_path / "witness")
    write(witness, 1)
    size = (tmp_path / "witness").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, hard))  # as a disk that is full after 20 bytes more
    try:
        with pytest.raises(WitnessUnavailable):
            write(witness, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "witness").stat().st_size == size
    write(witness, 3)
    assert numbers(witness) == [1, 3]


def test_what_is_written_has_reached_the_disk_before_it_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[tuple[bool, int]] = []
    real = os.fsync

    def spy(number: int) -> None:
        found = os.fstat(number)
        flushed.append((os.path.isdir(f"/proc/self/fd/{number}"), found.st_size))
        real(number)

    monkeypatch.setattr(os, "fsync", spy)
    write(FileWitness(file), 1)
    assert [is_folder for is_folder, _ in flushed] == [True, False]
    assert flushed[-1][1] == file.stat().st_size
    write(FileWitness(file), 2)
    assert flushed[-1] == (False, file.stat().st_size)


WRITERS, THREADS, LINES = 2, 8, 20


def _write_in_threads(file: Path, writer: int) -> None:
    witness = FileWitness(file)

    def run(thread: int) -> None:
        for number in range(LINES):
            write(witness, number, f"population {writer}.{thread}")

    threads = [Thread(target=run, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_threads_of_many_processes_lose_no_line_and_keep_one_chain(file: Path) -> None:
    processes = [get_context("fork").Process(target=_write_in_threads, args=(file, n)) for n in range(WRITERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    witness = FileWitness(file)
    assert witness.read().whole
    for writer in range(WRITERS):
        for thread in range(THREADS):
            assert numbers(witness, f"population {writer}.{thread}") == list(range(LINES))
