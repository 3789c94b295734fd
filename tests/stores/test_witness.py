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
from contracts.ports import WitnessDamaged, WitnessText
from contracts.refusals import WitnessMovedOn, WitnessUnavailable

OURS, OTHERS = "blueridge-members", "lakeshore-members"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "witness"


def line_of(number: int) -> JsonObject:
    """That of a grant."""
    named = {"entry_id": f"entry {number}", "kind": "grant", "recorded_at": "2026-07-01", "grant_nano": 1}
    return {"what": "entry", "number": number, "sequence": number, "granted_nano": 1, "spent_nano": 0, **named}


def write(witness: FileWitness, number: int, population: str = OURS) -> JsonObject:
    return witness.append(population, [line_of(number)], after=witness.find_last(population))


NOTE: JsonObject = {"what": "mended", "head": None, "reason": "a test"}


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
    for length in (1, len(line) // 2, len(line) - 2):
        file.write_bytes(kept + line[:length])
        witness = FileWitness(file)
        assert numbers(witness) == [1]
        assert witness.read().whole
        write(witness, 3)
        assert numbers(FileWitness(file)) == [1, 3]
        assert FileWitness(file).read().whole
        assert file.with_name("witness.cut-off").read_bytes().endswith(line[:length] + b"\n")


def test_a_last_line_that_lacks_only_its_end_is_a_line(file: Path) -> None:
    """Many a tool drops the last newline of what it copies."""
    for number in (1, 2):
        write(FileWitness(file), number)
    before = FileWitness(file)
    before.find_last(OURS)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert numbers(FileWitness(file)) == [1, 2]
    assert file.read_bytes() == whole[:-1]  # who only reads changes nothing
    for witness in (FileWitness(file), before):
        file.write_bytes(whole[:-1])
        assert (witness.find_last(OURS) or {})["number"] == 2
        write(witness, 3)
        assert numbers(FileWitness(file)) == [1, 2, 3]
        assert FileWitness(file).read().whole


@pytest.mark.parametrize(
    "end", [b"\0" * 400, b"no line", b'{"what":"entry","reason":"\xff'], ids=["zeros", "other text", "not ASCII"]
)
def test_what_no_writer_of_ours_left_at_the_end_is_damage_and_is_not_cut_off(file: Path, end: bytes) -> None:
    write(FileWitness(file), 1)
    text = file.read_bytes() + end
    file.write_bytes(text)
    with pytest.raises(WitnessDamaged):
        write(FileWitness(file), 2)
    assert not FileWitness(file).read().whole
    assert (file.read_bytes(), numbers(FileWitness(file))) == (text, [1])


@pytest.mark.parametrize(
    ("spoil", "kept"),
    [
        (lambda text: text.replace(b"\n", b""), [0, 1, 2]),
        (lambda text: text.replace(b"\n", b"\r\n"), [0, 1, 2]),
        (lambda text: text.replace(b"\n", b" "), [0, 1, 2]),
        (lambda text: text.replace(b'"number":1', b'"number":8').replace(b"\n", b""), [0, 2]),
        (lambda text: text[:20], []),
        (lambda text: b"lost", []),
    ],
    ids=["no ends", "other ends", "spaces", "no ends and altered", "beginning of one", "something else"],
)
def test_a_file_without_a_line_of_ours_is_damaged_and_lines_that_ran_together_are_read(
    file: Path, spoil: Callable[[bytes], bytes], kept: list[int]
) -> None:
    for number in range(3):
        write(FileWitness(file), number)
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(WitnessDamaged):
        FileWitness(file).find_last(OURS)
    assert not FileWitness(file).read().whole
    assert numbers(FileWitness(file)) == kept


@pytest.mark.parametrize(
    "change",
    [
        *({name: None} for name in ("what", "sequence", "entry_id", "granted_nano", "spent_nano", "kind")),
        {"sequence": "1"},
        {"grant_nano": None},
        {"kind": "debit"},
        {"kind": "correction"},
        {"kind": "correction", "restores": {"entry_id": "lost"}},
        {"what": "void"},
        {"what": "void", "head": 5},
        {"what": "void", "head": {}},
        {"what": "mended", "head": {}},
    ],
    ids=str,
)
def test_a_line_of_another_shape_is_damage_however_well_it_is_chained(file: Path, change: JsonObject) -> None:
    line = {name: value for name, value in (line_of(1) | change).items() if value is not None}
    line |= {"population": OURS, "previous": ""}
    body = json.dumps(line, separators=(",", ":")).encode()
    file.write_bytes(body[:-1] + b',"hash":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n')

    with pytest.raises(WitnessDamaged):
        FileWitness(file).find_last(OURS)
    assert FileWitness(file).read().unreadable == 1


def test_mending_replaces_what_a_link_points_to_and_is_seen_by_whoever_had_read_it(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "another disk"
    folder.mkdir()
    file.symlink_to(folder / "real")
    other = FileWitness(file)
    for number in (1, 2):
        write(other, number)
    file.write_bytes(file.read_bytes().replace(b'"number":1', b'"number":7'))
    stale = other.find_last(OURS)  # read before the damage

    FileWitness(file).mend(NOTE, [OTHERS], aside="damaged")

    assert file.is_symlink()
    assert sorted(path.name for path in folder.iterdir()) == ["real", "real.damaged"]
    with pytest.raises(WitnessMovedOn):
        other.append(OURS, [line_of(3)], after=stale)
    for population in (OURS, OTHERS):
        assert (other.find_last(population) or {})["what"] == "mended"
    text = file.read_bytes()
    other.mend(NOTE, [OTHERS], aside="damaged again")  # it is whole by now
    assert file.read_bytes() == text


def test_what_is_written_while_a_witness_is_mended_is_kept(file: Path) -> None:
    """The population that another process, which had read past the damage, writes of is known to nobody else."""
    other = FileWitness(file)
    write(other, 1)
    write(other, 2)
    file.write_bytes(file.read_bytes().replace(b'"number":1', b'"number":7'))

    class Slow(FileWitness):
        def read(self) -> WitnessText:
            text = super().read()
            write(other, 3, OTHERS)
            return text

    slow = Slow(file)
    assert not slow.read().whole
    slow.mend(NOTE, [OURS], aside="damaged")
    kept = [(line["population"], line["what"]) for line in FileWitness(file).read().lines]
    assert kept == [(OURS, "entry"), (OTHERS, "entry"), (OURS, "mended"), (OTHERS, "mended")]


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

    witness.mend(NOTE, [], aside="damaged")
    assert FileWitness(file).read().whole
    mended = [line for line in witness.read().lines if line["what"] == "entry"]
    assert [line["number"] for line in mended] == [line["number"] for line in text.lines]
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
