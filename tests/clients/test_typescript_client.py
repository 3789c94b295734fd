"""docs/how-to/generate-a-typescript-client.md: its code, as it stands there, compiles and asks a live exchange."""

import json
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
    """What the page installs, in the versions that are locked, with its settings, generated types and token helper."""
    folder = tmp_path_factory.mktemp("typescript-client")
    init, set_type, *_, generate = page_commands()
    for command in (init, set_type):
        run(folder, *command)
    assert json.loads((folder / "package.json").read_text())["type"] == "module"
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(LOCKED / name, folder / name)
    run(folder, *set_type)
    run(folder, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
    run(folder, *generate)
    (settings,) = PAGE.blocks("json", "Generate")
    (folder / "tsconfig.json").write_text(settings)
    (helper,) = PAGE.blocks("ts", "Get tokens")
    (folder / "parley.ts").write_text(helper)
    return folder


def page_commands() -> list[list[str]]:
    (commands,) = PAGE.blocks("sh", "Generate")
    return [line.replace(PAGE_URL, str(REPOSITORY)).split() for line in commands.splitlines()]


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
        (command,) = PAGE.blocks("sh", "Ask")
        printed = run(folder, "bash", "-c", command)

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


def test_what_the_page_installs_is_what_is_locked() -> None:
    installed = {word for command in page_commands() if command[1] == "install" for word in command[2:]}
    locked = json.loads((LOCKED / "package.json").read_text())

    assert installed - {"--save-dev"} == {*locked["dependencies"], *locked["devDependencies"]}
    assert "type" not in locked


def test_the_lock_names_no_registry() -> None:
    lock = (LOCKED / "package-lock.json").read_text()

    assert '"resolved"' not in lock
    assert not re.search(r"https?://[^/\"]*(regist|npmjs|artifact|nexus)", lock)
    assert '"integrity"' in lock
