"""Claims with faults and runs that are stopped: what `parley prepare` says, and that nothing half-written stays."""

import gzip
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import REPOSITORY
from tests.http.test_cli import Console
from tests.support.payer_machine import contract_terms, some_claims, words


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """Claims and a draft of a contract: no exchange, no client, no key."""
    folder = tmp_path_factory.mktemp("payer")
    some_claims(folder / "claims")
    found = Console(folder, {"XDG_STATE_HOME": str(folder / "state")})
    found.write("contract.json", contract_terms())
    return found


MEMBER, DAY = "secret-member-7", "2024-02-29"


def with_row(folder: Path, row: str) -> None:
    with (folder / "fills.csv").open("a") as file:
        file.write(row + "\n")


BAD_ROWS = {
    "unreadable": f"{MEMBER},29.Feb.2024,ndc|00093505698,30",
    "missing": f"{MEMBER},{DAY},,30",
    "days_supply_negative": f"{MEMBER},{DAY},ndc|00093505698,-30",
    "days_supply_zero": f"{MEMBER},{DAY},ndc|00093505698,0",
    "before_birth": f"{MEMBER},1931-01-01,ndc|00093505698,30",
    "after_death": f"{MEMBER},2025-12-30,ndc|00093505698,30",
    "member_not_in_members": f"x{MEMBER},{DAY},ndc|00093505698,30",
}


FAULTS = [
    reason if reason == "unreadable" else pytest.param(reason, marks=pytest.mark.slow)  # one is enough for every day
    for reason in BAD_ROWS
]


@pytest.mark.parametrize("reason", FAULTS)
def test_a_faulty_row_is_counted_by_reason_and_not_quoted(machine: Console, tmp_path: Path, reason: str) -> None:
    claims = some_claims(tmp_path / "claims")
    with (claims / "members.csv").open("a") as file:
        file.write(f"{MEMBER},1940-01-01,F\n")
    members = (claims / "members.csv").read_text().splitlines()
    deaths = ["death_date", *("2025-06-01" if line.startswith(MEMBER) else "" for line in members[1:])]
    (claims / "members.csv").write_text(
        "\n".join(f"{line},{death}" for line, death in zip(members, deaths, strict=True)) + "\n"
    )
    with_row(claims, f"{MEMBER},2024-01-05,ndc|00093505698,30")
    with_row(claims, BAD_ROWS[reason])
    out = tmp_path / "cells.parquet"

    result = machine.run(*words(machine, claims=claims), "--out", out)
    strictly = machine.run(*words(machine, claims=claims), "--out", tmp_path / "strict.parquet", "--strict")

    assert result.exit_code == 0, result.output
    line = next(line for line in result.stdout.splitlines() if reason in line)
    assert "fills.csv row" in line
    assert out.exists()
    is_fault = reason != "days_supply_zero"  # claims have them, and a rule says what they mean
    assert (reason in strictly.stderr) == is_fault
    assert not (tmp_path / "strict.parquet").exists()  # the member is not enrolled: that is a fault in any case
    for text in (result.output, strictly.output):
        assert MEMBER not in text
        assert not [part for part in BAD_ROWS[reason].split(",")[1:2] if part in text]


def truncated(claims: Path) -> None:
    packed = gzip.compress((claims / "fills.csv").read_bytes() * 50)
    (claims / "fills.csv").unlink()
    (claims / "fills.csv.gz").write_bytes(packed[: len(packed) // 2])


def without_a_column(claims: Path) -> None:
    text = (claims / "fills.csv").read_text()
    (claims / "fills.csv").write_text(text.replace("days_supply", "tage", 1))


def in_another_encoding(claims: Path) -> None:
    with (claims / "fills.csv").open("ab") as file:
        file.write(f"Jos\xe9-{MEMBER},{DAY},ndc|00093505698,30\n".encode("latin-1"))


def of_another_layout(claims: Path) -> None:
    (claims / "fills.csv").unlink()
    (claims / "pde.csv").write_text("DESYNPUF_ID\nsecret-member-7\n")


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [truncated, without_a_column, in_another_encoding, of_another_layout])
def test_claims_that_cannot_be_read_to_their_end_give_no_cells(machine: Console, tmp_path: Path, spoil: Any) -> None:
    claims = some_claims(tmp_path / "claims")
    spoil(claims)

    said = machine.refused(*words(machine, claims=claims), "--out", tmp_path / "cells.parquet")

    assert "fills" in said
    assert MEMBER not in said
    assert [path.name for path in tmp_path.iterdir()] == ["claims"]


@pytest.mark.slow
def test_repeated_and_reversed_claims_and_members_without_enrolment_change_nothing(
    machine: Console, tmp_path: Path
) -> None:
    """Each claim twice, one taken back, a member never enrolled: the cells are those of the claims alone."""
    plain, more = some_claims(tmp_path / "plain"), some_claims(tmp_path / "more")
    header, *rows = (more / "fills.csv").read_text().splitlines()
    lines = [f"{header},claim,reversed", *(f"{row},{number},false" for number, row in [*enumerate(rows)] * 2)]
    taken_back = "w4,2024-06-06,ndc|00093505698,90"
    lines += [f"{taken_back},a,false", f"{taken_back},a,true", f"{MEMBER},{DAY},ndc|00093505698,30,c,false"]
    (more / "fills.csv").write_text("\n".join(lines) + "\n")
    with (more / "members.csv").open("a") as file:
        file.write(f"{MEMBER},1940-01-01,F\n")

    cells = []
    for claims in (plain, more):
        out = tmp_path / f"{claims.name}.csv"
        said = machine.done(*words(machine, claims=claims), "--out", out)
        cells.append(out.read_text())

    assert cells[0] == cells[1]
    assert "repeated" in said
    assert "reversed" in said
    assert MEMBER not in said


@pytest.mark.slow
def test_a_disk_that_is_full_leaves_nothing_half_written(machine: Console, tmp_path: Path) -> None:
    out = tmp_path / "cells"
    out.mkdir()
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
    program = limited + "from api.cli import main; main(prog_name='parley')"
    done = run_program(program, machine, tmp_path, *words(machine), "--out", out / "cells.parquet").communicate(
        timeout=60
    )

    assert "Traceback" not in done[1]
    assert "\nError: " in f"\n{done[1]}"
    assert list(out.iterdir()) == []
    assert spilled(tmp_path) == []


def run_program(program: str, machine: Console, tmp_path: Path, *options: object) -> subprocess.Popen[str]:
    spill = tmp_path / "spill"
    spill.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, options), "--spill", str(spill)],
        cwd=REPOSITORY,
        env={**os.environ, **machine.environment, "XDG_STATE_HOME": str(tmp_path / "state")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def spilled(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "spill").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_half_written(
    machine: Console, tmp_path: Path, number: signal.Signals
) -> None:
    """Killed at many moments of its life: its cells are there whole with their manifest, or not at all."""
    program = "from api.cli import main; main(prog_name='parley')"
    begun = time.monotonic()
    undisturbed = run_program(program, machine, tmp_path, *words(machine, "2024,2025"), "--out", tmp_path / "whole")
    undisturbed.communicate(timeout=60)
    lasted = time.monotonic() - begun
    whole = {path.name for path in (tmp_path / "whole").iterdir()}
    for twentieth in range(4, 20, 2):
        out = tmp_path / f"cells-{twentieth}"
        running = run_program(program, machine, tmp_path, *words(machine, "2024,2025"), "--out", out)
        time.sleep(lasted * twentieth / 20)
        running.send_signal(number)
        _, stderr = running.communicate(timeout=60)
        found = {path.name for path in out.iterdir()} if out.exists() else set()
        assert found <= whole
        assert all(f"{name}.manifest.json" in found for name in found if name.endswith(".parquet"))
        assert all(pq.read_table(out / name).num_rows for name in found if name.endswith(".parquet"))
        assert "duckdb" not in stderr
        assert spilled(tmp_path) == []
