"""What `parley prepare` says of a preparation: what is probably not meant, exact numbers, and what comes next."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.http.test_cli import Console
from tests.support.payer_machine import CONTRACT, PAYER, contract_terms, some_claims, words
from tests.support.small_server import small_server


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """Claims and a draft of a contract, whose bound of days cuts whoever is treated all the time."""
    folder = tmp_path_factory.mktemp("payer")
    some_claims(folder / "claims")
    found = Console(folder, {"XDG_STATE_HOME": str(folder / "state")})
    found.write("contract.json", contract_terms())
    return found


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_dry_run_warns_first_and_shows_what_the_bounds_cut(machine: Console) -> None:
    """w1 and m1 are covered nearly always, w3 301 days of 2025."""
    result = machine.run(*words(machine, "2024,2025", feed="covered"), "--dry-run")

    assert result.exit_code == 0, result.output
    assert "/feeds/covered/measures/days_covered: whoever has more than the bound 300 is cut to it" in result.stderr
    assert "Reading" not in result.output  # progress is for terminals
    assert result.output.index("Probably not meant") < result.output.index("Exact numbers")
    said = lines(result.stdout)
    assert said[0] == "Definitions: the defaults of this version of Parley"
    assert said.count("strata with anything in them, of 2 2") == 2
    assert said.count("members cut to 1 0") == 2
    assert [line for line in said if line.startswith("days_covered cut to 300")] == [
        "days_covered cut to 300 2",
        "days_covered cut to 300 3",
    ]


@pytest.mark.slow
def test_a_dry_run_counts_who_is_in_k_periods_already_and_names_the_definitions(
    machine: Console, tmp_path: Path
) -> None:
    terms = contract_terms()
    terms["feeds"][0]["k"] = 1
    contract = machine.write("once.json", terms)
    definitions = machine.write("definitions.yaml", "feeds: {adherence: {gap_days: 45}}\n")
    options = words(machine, "2024,2025", contract=contract, definitions=definitions, register=tmp_path / "register")

    done = json.loads(machine.done(*options, "--dry-run", "--json"))
    shown = machine.done(*options, "--dry-run")

    first, second = (period["summary"] for period in done["periods"])
    assert first["excluded"].get("periods_beyond_k", 0) == 0
    assert second["excluded"]["periods_beyond_k"] == 3  # w1, w2 and m1 are treated in both
    assert "not counted: in 1 other period already 3" in lines(shown)
    assert len(done["definitions_sha256"]) == 64
    assert f"Definitions: SHA-256 {done['definitions_sha256']}" in shown


def test_a_period_without_anybody_is_said_loudly(machine: Console, tmp_path: Path) -> None:
    result = machine.run(*words(machine, "2023"), "--out", tmp_path / "cells.parquet", "--json")

    assert result.exit_code == 0, result.output
    alarm = "NOBODY is in the cells of adherence 2023: no_fill_of_the_class left out 7 of 7."
    assert f"WARNING: {alarm}\n" in result.stderr
    assert json.loads(result.stdout)["periods"][0]["summary"]["alarms"] == [alarm]


@pytest.mark.slow
def test_on_a_terminal_each_step_is_named_by_its_file_or_period(machine: Console) -> None:
    terminal, as_stderr = pty.openpty()
    ran = subprocess.run(
        [sys.executable, "-m", "api.cli", *map(str, words(machine, "2024,2025")), "--dry-run"],
        cwd=REPOSITORY,
        env={**os.environ, **machine.environment, "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=as_stderr,
        check=False,
    )
    os.close(as_stderr)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)

    assert ran.returncode == 0, shown
    for step in ("Reading fills.csv", "Checking fills", "Preparing 2024 (1 of 2)", "Preparing 2025 (2 of 2)"):
        assert step in shown


@pytest.mark.slow
def test_warnings_are_in_json_too(machine: Console) -> None:
    done = json.loads(machine.done(*words(machine, feed="covered"), "--dry-run", "--json"))

    assert [warning["code"] for warning in done["warnings"]] == ["bound_cuts"]
    assert done["alarms"] == []


@pytest.mark.slow
def test_of_several_periods_one_command_comes_next(machine: Console, tmp_path: Path) -> None:
    said = machine.done(*words(machine, "2023..2025"), "--out", tmp_path / "cells")

    assert said.count("Next: ") == 1
    assert said.count("Cells: ") == 3


@pytest.mark.slow
def test_a_folder_of_periods_is_posted_by_one_command_that_can_be_repeated(
    sqlite_template: Path, tmp_path: Path
) -> None:
    some_claims(tmp_path / "claims")
    cells = tmp_path / "cells"
    with small_server(sqlite_template, tmp_path, contract_terms(), []) as console:
        console.environment["XDG_STATE_HOME"] = str(tmp_path / "state")
        payer = console.of(PAYER)
        payer.write("contract.json", payer.done("contract", "show", CONTRACT, "--json"))
        said = payer.done(*words(payer, "2023..2025"), "--out", cells)
        stopped = payer.refused("submit", cells)  # in 2023 there is nobody
        payer.done("submit", cells / "adherence-2023.parquet", "--empty")
        (cells / "adherence-2023.parquet").unlink()
        first = json.loads(payer.done("submit", cells, "--json"))["receipts"]
        again = json.loads(payer.done("submit", *sorted(cells.glob("*.parquet"), reverse=True), "--json"))["receipts"]
        named = payer.refused("submit", cells, "--period", "2024", exit_code=2)

    assert f"parley submit {' '.join(str(cells / f'adherence-{year}.parquet') for year in (2023, 2024, 2025))}" in said
    assert "Posted: nothing. Not posted: adherence 2023" in stopped
    assert [(receipt["period"], receipt["replayed"]) for receipt in first] == [("2024", False), ("2025", False)]
    assert [(receipt["period"], receipt["replayed"]) for receipt in again] == [("2024", True), ("2025", True)]
    assert "leave --period out" in named
