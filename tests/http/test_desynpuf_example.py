"""The DE-SynPUF example posts real-layout claims over HTTP and gets adherence back, near the exact values."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from examples.desynpuf.run import results_text

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
SECONDS_ALLOWED = 180


def run_example(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "examples.desynpuf.run", str(folder), *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=SECONDS_ALLOWED,
        check=False,
    )


@pytest.fixture(scope="module")
def results(shared_data: Path) -> dict[str, Any]:
    folder = shared_data / "desynpuf"
    if not folder.is_dir():
        pytest.skip("needs the folder desynpuf of the reference data")
    done = run_example(folder, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_both_years_are_posted_by_one_payer(results: dict[str, Any]) -> None:
    assert [(receipt["feed"], receipt["period"]) for receipt in results["receipts"]] == [
        ("adherence", "2008"),
        ("adherence", "2009"),
    ]


def test_adherence_overall_and_by_sex_comes_back_beside_the_exact_values(results: dict[str, Any]) -> None:
    rows = [row for answer in results["answers"].values() for row in answer["rows"]]
    assert [row["key"] for row in rows] == [{}, {"sex": "F"}, {"sex": "M"}]
    assert [round(row["exact"], 4) for row in rows] == [0.6609, 0.6618, 0.6594]  # 228/345, 137/207, 91/138
    for row in rows:
        assert row["interval"]["lower"] < row["value"] < row["interval"]["upper"]


def test_the_budget_makes_the_answer_useful_for_a_few_hundred_persons(results: dict[str, Any]) -> None:
    (overall,) = results["answers"]["overall"]["rows"]
    assert overall["interval"]["upper"] - overall["interval"]["lower"] < 0.2
    assert 490_000_000 < results["loss"]["rho_nano"] <= 500_000_000
    assert results["approval"]["reason"]


def test_the_example_says_what_its_budget_means(results: dict[str, Any]) -> None:
    lines = results_text(results)
    told = " ".join(" ".join(lines).split())
    assert "five times the default ceiling" in told
    assert results["approval"]["name"] in told
    assert all(len(line) <= 100 for line in lines)


def test_a_folder_without_claims_is_refused_plainly(tmp_path: Path) -> None:
    done = run_example(tmp_path)
    assert done.returncode == 2
    assert "has no bene.csv and no pde.csv" in done.stderr
    assert "Traceback" not in done.stderr
