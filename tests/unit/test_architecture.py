"""What must hold of the source as a whole: one module draws noise, nothing private is printed, problems are listed."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from api import problems
from api.auth.assertions import ClientRefused
from api.auth.client_endpoint import DESCRIPTIONS
from api.auth.client_keys import KeysAwaited
from api.auth.details import DetailsRefused
from api.auth.token_requests import FormRefused
from contracts.refusals import Refusal

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("privacy", "contracts", "adapters", "api")
PAGE: Final = ROOT / "docs" / "reference" / "problems.md"

# The only things that a log line may say (api/logs.py); a body, its length or its duration is none of them.
LOGGED: Final = {"request_id", "method", "route", "status", "organisation", "kind", "endpoint", "frames"}
LOGGED |= {"message", "reason"}  # of the server's processes and settings, in fixed words
LOGGED |= {"client", "issuer"}  # whose published keys cannot be had
LOGGED |= {"address"}  # of a refused request for a token, with the client that it claims
LOGGED |= {"pid", "token_keys", "receipt_keys"}  # of the server: its process, and the kids of its keys


def modules(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))


# --- noise


def test_one_module_imports_opendp() -> None:
    importing = {
        name_of(path) for path in modules(*PACKAGES) if any(name.split(".")[0] == "opendp" for name in imports(path))
    }

    assert importing == {"privacy/mechanism.py"}


def test_nothing_but_the_demo_makes_random_numbers() -> None:
    """Noise comes from OpenDP, which seeds itself; a generator beside it could end up in its place."""
    found = [
        (name_of(path), name)
        for path in modules(*PACKAGES)
        if not name_of(path).startswith("api/demo/")
        for name in (*imports(path), *(called(call) for call in calls(path)))
        if name.split(".")[0] == "random" or ".random" in f".{name}" or "default_rng" in name
    ]

    assert found == []


def test_no_call_and_no_parameter_is_named_seed_outside_the_demo() -> None:
    found = []
    for path in modules(*PACKAGES):
        names = {node.arg for node in ast.walk(tree_of(path)) if isinstance(node, ast.arg | ast.keyword)}
        if "seed" in names and not name_of(path).startswith(("api/demo/", "api/cli/")):
            found.append(name_of(path))

    assert found == []


# --- what is written where


def test_only_commands_print() -> None:
    printing = {name_of(path) for path in modules(*PACKAGES) for call in calls(path) if called(call) == "print"}

    served = {name for name in printing if not name.startswith(("api/cli/", "api/demo/"))}
    assert served <= {"adapters/database/describe.py"}  # writes docs/reference/data-model.md


def test_one_module_logs() -> None:
    importing = {
        name_of(path)
        for path in modules(*PACKAGES)
        if any(name.split(".")[0] in ("logging", "structlog") for name in imports(path))
    }

    assert importing <= {"api/logs.py"}


def test_log_lines_say_only_what_is_listed_here() -> None:
    said: set[str | None] = set()
    for path in modules(*PACKAGES):
        for call in calls(path):
            if re.fullmatch(r"_?log(ger)?\.(debug|info|warning|error|critical|exception)", called(call)):
                said |= {keyword.arg for keyword in call.keywords}
                assert all(isinstance(argument, ast.Constant) for argument in call.args), name_of(path)

    assert said == LOGGED


def test_errors_of_the_domain_are_written_without_format_of_a_cell() -> None:
    """`exact`, `table` and `counts` hold what nobody may see; no message is made of them."""
    private = {"exact", "tables", "table", "counts", "vectors", "vector", "cells"}
    found = []
    for path in modules("privacy", "contracts"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Raise) and node.exc is not None:
                names = {
                    inner.id
                    for part in ast.walk(node.exc)
                    if isinstance(part, ast.FormattedValue)
                    for inner in ast.walk(part)
                    if isinstance(inner, ast.Name)
                }
                found += [(name_of(path), node.lineno, name) for name in names & private]

    assert found == []


def test_modules_stay_below_350_lines() -> None:
    long = {name_of(path): len(path.read_text().splitlines()) for path in modules(*PACKAGES)}

    assert {name: lines for name, lines in long.items() if lines > 350 and "/versions/" not in name} == {}


# --- the list of problems


def everything_imported() -> None:
    for path in modules(*PACKAGES):
        name = name_of(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        if not name.endswith(("__main__", "migrations.env")):
            importlib.import_module(name)


def kinds(base: type[Refusal]) -> Iterator[type[Refusal]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    named = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    return named or (call.args[position] if len(call.args) > position else None)


def texts(node: ast.expr | None) -> set[str]:
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def problem_codes() -> set[str]:
    """Of refusals, of problems made at the door, of the token endpoint, and of the framework's errors."""
    everything_imported()
    codes = {kind.code for kind in kinds(Refusal) if "code" in vars(kind)}
    codes |= {code for code, _ in problems._HTTP.values()} | {"request-refused"}
    refused = (ClientRefused, KeysAwaited, DetailsRefused, FormRefused, *kinds(FormRefused))
    token_errors = {*DESCRIPTIONS, *(kind.error for kind in refused)}
    codes |= {str(code).replace("_", "-") for code in token_errors}
    for path in modules("api"):
        for call in calls(path):
            if called(call).split(".")[-1] in ("ApiProblem", "problem_response"):
                codes |= texts(argument(call, 0, "code"))
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and node.name.startswith("Token"):
                codes |= {
                    text
                    for line in node.body
                    if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code"
                    for text in texts(line.value)
                }
    return codes


def fault_codes() -> set[str]:
    """The second argument of every Fault, also where the domain hands it on as `code` or returns it first. Those of
    reading claims and of preparing cells are never answered by the exchange: see test_preparation_catalogue.py."""
    codes: set[str] = set()
    shared = functions_of(ROOT / "contracts" / "public_keys.py")
    for path in modules("contracts", "adapters", "api"):
        if "/preparation/" in name_of(path) or "/claims/" in name_of(path):
            continue
        functions = {"invalid": shared["invalid"], **functions_of(path)}
        for call in calls(path):
            name = called(call).split(".")[-1]
            if name == "Fault":
                codes |= texts(argument(call, 1, "code"))
                for part in call.args:
                    if isinstance(part, ast.Starred) and isinstance(part.value, ast.Call):
                        codes |= first_returned(functions[called(part.value)])
            elif (
                not name_of(path).startswith("api/")
                and name in functions
                and "code" in (names := [a.arg for a in functions[name].args.args])
            ):
                codes |= texts(argument(call, names.index("code"), "code"))
    return codes


def functions_of(path: Path) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef)}


def first_returned(function: ast.FunctionDef) -> set[str]:
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return {text for value in returned if isinstance(value, ast.Tuple) for text in texts(value.elts[0])}


def listed(heading: str) -> list[str]:
    """The codes in the first column of the tables below a heading of the page."""
    section = re.split(r"^## ", PAGE.read_text(), flags=re.M)
    (body,) = [part for part in section if part.startswith(heading)]
    return re.findall(r"^\| `([a-z0-9_-]+)`", body, flags=re.M)


def test_the_reference_lists_exactly_the_problems_there_are() -> None:
    assert sorted(listed("Problems")) == sorted(problem_codes())


def test_the_reference_lists_exactly_the_faults_there_are() -> None:
    assert sorted(set(listed("Faults"))) == sorted(fault_codes())


def statuses() -> dict[str, int]:
    codes = {}
    for kind in kinds(Refusal):
        if "code" in vars(kind):
            status = next(number for base, number in problems._STATUS.items() if issubclass(kind, base))
            codes[kind.code] = status
    return codes


@pytest.mark.parametrize("code", sorted(statuses()))
def test_the_reference_gives_the_status_that_a_refusal_has(code: str) -> None:
    (line,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{code}` ")]

    assert line.split("|")[2].strip() == str(statuses()[code])
