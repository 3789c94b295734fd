"""docs/how-to/generate-a-python-client.md: its commands and its code, as they stand there, do the whole main job."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.live import PAGE_URL, REPOSITORY, Page, exchange_with_operator, put_in_place

pytestmark = pytest.mark.slow
PAGE = Page.read("generate-a-python-client.md")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the generated client in it, and the token helper."""
    folder = tmp_path_factory.mktemp("python-client")
    (command,) = PAGE.blocks("sh", "Generate")
    from_file = command.replace("--url", "--path").replace(PAGE_URL, str(REPOSITORY))
    # It formats what it writes with ruff, which it looks for in the path.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", from_file],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    (helper,) = PAGE.blocks("python", "Get tokens")
    (folder / "parley_token.py").write_text(helper)
    return folder


@pytest.fixture(scope="module")
def printed(folder: Path, sqlite_template: Path) -> dict[str, str]:
    """What each part of the page printed, in the order in which a new exchange needs them."""
    told = {}
    with exchange_with_operator(sqlite_template, folder) as address:
        for heading in ("Register", "Agree", "Post", "Ask"):
            code = "\n".join(PAGE.blocks("python", heading))
            told[heading] = run(folder, put_in_place(code, address))
    return told


def run(folder: Path, code: str) -> str:
    """In a Python that finds the generated client and nothing of Parley."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "parley")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_operation_of_the_description_is_generated(folder: Path) -> None:
    described = re.findall(r"operationId: (\w+)", (REPOSITORY / "openapi.yaml").read_text())
    generated = {path.stem.replace("_", "") for path in (folder / "parley" / "parley_client" / "api").glob("*/*.py")}

    assert len(described) > 40
    assert {name.lower() for name in described} <= generated


def test_all_parties_sign_and_the_contract_is_in_force(printed: dict[str, str]) -> None:
    assert printed["Agree"] == "in_force []\n"


def test_each_payer_gets_a_receipt_and_reads_what_its_ledger_has_left(printed: dict[str, str]) -> None:
    lines = [line.split() for line in printed["Post"].splitlines()]

    assert len({release for release, *_ in lines}) == len(lines) == 3
    assert all(0.09 < float(debited) <= 0.1 and float(balance) < 0.01 for _, debited, balance, _ in lines)


def test_the_analyst_reads_rates_near_the_true_ones(printed: dict[str, str]) -> None:
    read = re.findall(r"'region': '(\w+)'} adherence_rate ([0-9.]+) \(", printed["Ask"])
    rates = {region: float(rate) for region, rate in read}

    # Cells of sigma about 3 over 15,000 and 12,000 persons.
    assert abs(rates["north"] - 0.63) < 0.01
    assert abs(rates["south"] - 0.45) < 0.01


def test_a_refusal_is_a_typed_problem(printed: dict[str, str]) -> None:
    assert "422 urn:parley:problem:question-invalid" in printed["Ask"]
    assert "'/by'" in printed["Ask"]
