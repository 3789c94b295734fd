"""A payer that only prepares, measures and submits installs no server: `pip install '.[prepare]'`."""

import ast
import json
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support.claims_folder import fill, write_claims
from tests.support.small_exchange import adherence_feed, small_contract

SERVER = ("flask", "flask_smorest", "marshmallow", "sqlalchemy", "authlib", "alembic", "gunicorn", "jinja2", "psycopg")
# Commands one after the other, as on a machine where some packages are not installed.
PROGRAM = """
import json, sys
from importlib.abc import MetaPathFinder

absent, *commands = map(json.loads, sys.argv[1:])

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from api.cli import main
for words in commands:
    try:
        main(words, prog_name="parley")
    except SystemExit as ended:
        print("exit code", ended.code, flush=True)
"""


def parley_without(absent: tuple[str, ...], *commands: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(json.dumps, (absent, *commands))],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_what_a_party_calls_needs_no_server(tmp_path: Path) -> None:
    names = ["prepare", "submit", "measure", "ask", "coverage", "token", "profile", "keys", "ledger show"]
    names += ["audit show", "receipt verify", *(f"contract {name}" for name in ("show", "draft", "sign", "verify"))]
    claims = write_claims(
        tmp_path / "claims",
        members=[{"member": "a", "birth_date": "1950-01-01", "region": "north"}],
        fills=[fill("a", day, "ndc|00093505698", 90) for day in ("2024-01-01", "2024-04-01")],
    )
    (tmp_path / "contract.json").write_text(json.dumps(small_contract(feeds=[adherence_feed()])))
    paths = {"contract": "contract.json", "claims": claims.name, "out": "cells.parquet", "register": "register.duckdb"}
    options = {"feed": "adherence", "periods": "2024", "layout": "canonical", "organisation": "sierra"}
    options |= {name: str(tmp_path / path) for name, path in paths.items()}
    prepare = ["prepare", *(part for name, value in options.items() for part in (f"--{name}", value))]

    done = parley_without(SERVER, *([*name.split(), "--help"] for name in names), prepare)

    assert "not installed" not in done.stderr
    assert done.stdout.count("exit code 0") == len(names) + 1
    assert (tmp_path / "cells.parquet").exists()


@pytest.mark.parametrize(
    ("absent", "command", "part"), [(SERVER, "serve", "server"), (("duckdb",), "prepare", "prepare")]
)
def test_a_command_whose_part_is_not_installed_says_which(absent: tuple[str, ...], command: str, part: str) -> None:
    done = parley_without(absent, [command])

    assert done.stdout == "exit code 1\n"
    assert done.stderr == (
        "Error: This command needs a part of Parley that is not installed. In a checkout of Parley: "
        f"pip install -c constraints.txt '.[{part}]'\n"
    )


def test_the_base_names_no_package_of_the_server() -> None:
    setup = ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    base = setup["options"]["install_requires"].lower().replace("-", "_")
    assert "opendp" in base
    assert not [name for name in SERVER if name in base]


EVERY_PART = ("server", "prepare", "plot", "redis")
# Parts of what is named: of flask, of flask-smorest; and what only a type checker reads.
COME_ALONG = {"werkzeug", "webargs", "_typeshed"}


def imported_by(package: str) -> set[str]:
    """Names of packages that are neither Python's nor ours."""
    own = {"api", "adapters", "contracts", "privacy"}
    found = set[str]()
    for path in (REPOSITORY / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - own - set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("package", "parts"),
    [("privacy", ()), ("contracts", ()), ("adapters", EVERY_PART), ("api", EVERY_PART)],
)
def test_whatever_a_package_imports_is_installed_with_it(package: str, parts: tuple[str, ...]) -> None:
    """And not with the tests, which bring more."""
    setup = ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    lines = setup["options"]["install_requires"] + "".join(setup["options.extras_require"][part] for part in parts)
    required = set(re.findall(r"(?m)^([A-Za-z0-9_-]+)", lines.replace("-", "_").lower()))
    called = {"pyyaml": "yaml", "swagger_ui_py": "swagger_ui"}
    installed = {called.get(name, name) for name in required}

    assert "numpy" in installed
    assert imported_by(package) <= installed | COME_ALONG
