"""docs/how-to/generate-a-typescript-client.md: its code, as it stands there, compiles and asks a live exchange."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.live import PAGE_URL, REPOSITORY, Page, agree_and_post, exchange_with_operator, put_in_place

LOCKED = Path(__file__).parent / "typescript"
PAGE = Page.read("generate-a-typescript-client.md")
NEEDS_NODE = "node and npm are not installed: Debian has both (apt-get install nodejs npm), or see nodejs.org"
needs_node = pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason=NEEDS_NODE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is locked, installed, with the generated types and the token helper."""
    folder = tmp_path_factory.mktemp("typescript-client") / "client"
    shutil.copytree(LOCKED, folder, ignore=shutil.ignore_patterns("node_modules"))
    run(folder, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
    (commands,) = PAGE.blocks("sh", "Generate")
    generate = commands.splitlines()[-1].replace(PAGE_URL, str(REPOSITORY))
    run(folder, *generate.split())
    (helper,) = PAGE.blocks("ts", "Get tokens")
    (folder / "parley.ts").write_text(helper)
    return folder


def run(folder: Path, *command: str, fails: bool = False) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout


@needs_node
@pytest.mark.slow
def test_the_page_compiles_and_reads_rates_near_the_true_ones(folder: Path, sqlite_template: Path) -> None:
    with exchange_with_operator(sqlite_template, folder) as address:
        agree_and_post(address, folder)
        asking = "\n".join(PAGE.blocks("ts", "Ask"))
        (folder / "ask.ts").write_text(put_in_place(asking, address))
        run(folder, "npx", "tsc", "--outDir", "built")
        shutil.copyfile(folder / "package.json", folder / "built" / "package.json")
        printed = run(folder, "node", "built/ask.js")

    rates = {region: float(rate) for region, rate in re.findall(r"^(\w+) adherence_rate ([0-9.]+) ", printed, re.M)}
    assert abs(rates["north"] - 0.63) < 0.01
    assert abs(rates["south"] - 0.45) < 0.01
    assert "urn:parley:problem:question-invalid /by" in printed


@needs_node
@pytest.mark.slow
def test_what_is_not_described_does_not_compile(folder: Path) -> None:
    asking = "\n".join(PAGE.blocks("ts", "Ask"))
    wrong = {
        "member.ts": asking.replace("row.value", "row.valeu"),
        "parameter.ts": asking.replace('by: "region"', "by: 5"),
        "path.ts": asking.replace("}/statistics", "}/statistic"),
    }
    for name, text in wrong.items():
        (folder / name).write_text(text)

    said = run(folder, "npx", "tsc", "--noEmit", fails=True)

    assert set(re.findall(r"^(\w+\.ts)\(", said, re.M)) == set(wrong), said


def test_the_lock_names_no_registry() -> None:
    lock = (LOCKED / "package-lock.json").read_text()

    assert '"resolved"' not in lock
    assert not re.search(r"https?://[^/\"]*(regist|npmjs|artifact|nexus)", lock)
    assert '"integrity"' in lock
