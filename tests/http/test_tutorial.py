"""The README's tutorial runs as it stands: its commands, in one shell, against the server that they start."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SECONDS_AT_MOST = 120
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def transcript(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the tutorial's commands print, in a copy of what they need, on a port that is free."""
    folder = tmp_path_factory.mktemp("tutorial")
    shutil.copytree(REPOSITORY / "examples" / "tutorial", folder / "examples" / "tutorial")
    commands = "\n".join(tutorial_blocks()).replace("make setup\n", "")
    script = f"set -euo pipefail\n{commands}"
    port = str(free_port())
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PARLEY_PORT": port,
        "PYTHONPATH": str(REPOSITORY),
    }
    done = subprocess.run(
        ["bash", "-c", script.replace(":8000", f":{port}")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_AT_MOST,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tutorial_blocks() -> list[str]:
    text = (REPOSITORY / "README.md").read_text()
    tutorial = text.split("## Tutorial")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", tutorial, re.DOTALL)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def json_objects(text: str) -> list[dict[str, object]]:
    """The JSON objects that curl printed between the lines of other commands."""
    decoder, found, start = json.JSONDecoder(), [], text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
            found.append(value)
        except ValueError:
            end = start + 1
        start = text.find("{", end)
    return [value for value in found if isinstance(value, dict)]


def test_the_payers_cells_come_back_as_a_receipt(transcript: str) -> None:
    (receipt,) = [found for found in json_objects(transcript) if "release_id" in found]

    assert receipt["submission_id"] == "6f0f0b0a-9a55-4c0c-8f4e-2f1d3a5b7c90"
    assert receipt["replayed"] is False


def test_the_brand_reads_rates_near_the_true_ones(transcript: str) -> None:
    (answer,) = [found for found in json_objects(transcript) if found.get("statistic") == "adherence_rate"]
    rates = {row["key"]["region"]: row["value"] for row in answer["rows"]}  # type: ignore[attr-defined]

    # Three cells of sigma 3.2 over 5,000 and 4,000 persons: 0.02 is more than fifteen standard deviations.
    assert abs(rates["north"] - 0.63) < 0.02
    assert abs(rates["south"] - 0.45) < 0.02


def test_the_ledger_shows_what_the_period_cost(transcript: str) -> None:
    assert "acme-members" in transcript
    assert "adherence" in transcript.split("acme-members")[-1]
