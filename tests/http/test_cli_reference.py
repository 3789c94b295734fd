"""What the command line says of itself, what it makes of files, and the server that it starts."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner

from api.cli import main
from api.cli.answer_text import say_answer
from api.cli.files import read_document
from api.cli.output import say, say_table
from tests.support.answered import asked

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def commands(group: click.Group = main, path: str = "parley") -> Iterator[tuple[str, click.Command]]:
    """Every command of the tree that does something itself, by the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands())


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_says_what_it_does_and_shows_an_example(words: str) -> None:
    answer = CliRunner().invoke(main, [*words.split()[1:], "--help"])
    assert answer.exit_code == 0
    assert COMMANDS[words].help
    assert words in re.split(r"Examples?:\n", answer.output)[1]
    described = [p for p in COMMANDS[words].params if isinstance(p, click.Option)]
    assert all(option.help for option in described)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_and_option_stands_in_the_reference(words: str) -> None:
    text = REFERENCE.read_text()
    assert f"### `{words}" in text
    section = text.split(f"### `{words}", 1)[1].split("\n### ", 1)[0]
    shared = text.split("## As a party", 1)[1].split("\n### ", 1)[0]
    for parameter in COMMANDS[words].params:
        if isinstance(parameter, click.Option):
            (name,) = parameter.opts
            assert f"`{name}" in section or f"- `{name}`" in shared, name
        else:
            metavar = parameter.make_metavar(click.Context(main)).strip("[]")
            assert metavar in section.splitlines()[0]


def test_the_reference_describes_no_command_that_is_not_there() -> None:
    described = re.findall(r"^### `(parley(?: [a-z]+)+)", REFERENCE.read_text(), re.MULTILINE)
    assert set(described) == set(COMMANDS)


def test_help_comes_without_loading_the_exchange() -> None:
    check = (
        "import sys; from api.cli import main; main(['--help'], standalone_mode=False); "
        "print(sorted({'flask', 'opendp', 'pyarrow', 'sqlalchemy', 'httpx', 'numpy'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout
    assert printed.endswith("[]\n")


def test_a_missing_option_is_an_error_of_usage() -> None:
    answer = CliRunner().invoke(main, ["org", "add", "sierra"])
    assert answer.exit_code == 2
    assert "Missing option '--name'" in answer.stderr


def test_dates_and_decimals_in_yaml_stay_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text(
        "effective: 2025-01-01\nrho: 0.10\nregion: [no, off, 1e3, 0x10, 18-44]\nk: 24\nlast: null\non: true"
    )
    assert read_document(path) == {
        "effective": "2025-01-01",
        "rho": "0.10",
        "region": ["no", "off", "1e3", "0x10", "18-44"],
        "k": 24,
        "last": None,
        "on": True,
    }


def test_a_fraction_in_a_json_document_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contract.json"
    path.write_text('{"rho": 0.05}')
    with pytest.raises(click.ClickException, match="written as text"):
        read_document(path)


def test_texts_of_other_parties_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("Title\x1b[2K\rHarmless \u202egnp")
    say_table(("title",), [("a\nb",)])
    printed = capsys.readouterr().out
    assert not {"\x1b", "\r", "\u202e"} & set(printed)
    assert len(printed.splitlines()) == 3


def test_zero_suppressed_and_missing_look_different(capsys: pytest.CaptureFixture[str]) -> None:
    say_answer(
        answer(
            row("north", "shown", -0.2, (-3.0, 2.6)),
            row("south", "suppressed"),
            row("east", "missing", flags=["partial_periods"]),
            row("west", "shown", None, (None, 12.0), flags=["upper_limit_only"]),
        )
    )
    heading, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0:3] for line in lines[:4]] == [
        ["north", "members", "0"],
        ["south", "members", "suppressed"],
        ["east", "members", "missing"],
        ["west", "members", "not"],
    ]
    assert "-3 to 3" in lines[0]
    assert lines[2].endswith("partial periods")
    assert "at most 12" in lines[3]
    assert lines[0].index("persons once a month") == heading.index("unit")


def test_the_point_of_a_rate_that_may_be_anything_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    lost = row("north", "shown", -0.46, (0.0, 1.0), flags=["whole_range"]) | {"unit": "share"}
    say_answer(answer(lost))

    text = capsys.readouterr().out
    line = " ".join(text.splitlines()[1].split())
    assert line == "north members not identified 0.00 to 1.00 share whole range"
    assert "0.460" not in text
    assert "Note:" not in text


def test_what_noise_does_to_counts_is_not_said_of_rates(capsys: pytest.CaptureFixture[str]) -> None:
    def notes(value: float, unit: str, figure: str = "members") -> list[str]:
        say_answer(answer(row("north", "shown", value, (0.0, 1.0)) | {"unit": unit, "figure": figure}))
        said = " ".join(capsys.readouterr().out.split())
        return re.findall(r"Note: [^:]*?\.", said)

    (of_counts,) = notes(-2.0, "persons")
    (of_rates,) = notes(-0.02, "share")
    assert "not clipped, so that sums stay right" in of_counts
    assert "rate out of 0 to 1" in of_rates
    assert notes(1.02, "share") == [of_rates]
    assert notes(0.5, "share") == notes(7.0, "persons") == []
    assert notes(-0.2, "share", "adherence_rate_change") == notes(-9.0, "persons", "members_change") == []
    assert notes(-0.2, "share", "adherence_rate_difference") == notes(-0.2, "share", "change_inside") == []


@pytest.mark.parametrize(("columns", "most"), [("60", 60), ("300", 100)])
def test_the_text_below_an_answer_keeps_to_the_width_of_the_terminal(
    columns: str, most: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    said = answer(row("north", "shown", 7.0, (0.0, 9.0))) | {"estimand": "word " * 99 + "\x1b[2K"}
    say_answer(said)

    text = capsys.readouterr().out
    below = text.partition("\n\n")[2].splitlines()
    assert most - 10 < max(map(len, below)) <= most
    assert "\x1b" not in text


def row(region: str, state: str, value: float | None = None, ends: Any = None, flags: Any = ()) -> dict[str, Any]:
    return {
        "key": {"region": region},
        "figure": "members",
        "unit": "persons once a month",
        "state": state,
        "value": value,
        "interval": None if ends is None else dict(zip(("lower", "upper"), ends, strict=True)),
        "total_interval": None,
        "flags": list(flags),
    }


def answer(*rows: dict[str, Any]) -> dict[str, Any]:
    loss = {"rho": "0.1", "rho_nano": 100_000_000, "epsilon": 2.451, "delta": "0.000001"}
    return {
        "statistic": "counts",
        "question": asked(),
        "estimand": "A sum.",
        "as_of": "latest",
        "confidence": 0.95,
        "interval_covers": "privacy noise only",
        "total_interval_covers": None,
        "labels": [],
        "notes": [],
        "coverage": [],
        "releases": [],
        "contract_digest": "00",
        "rows": list(rows),
        "privacy": {
            "guarantee": "Noisy.",
            "unit": "one person",
            "ceilings": {"sierra-members": loss},
            "providers_at_most": 1,
            "unit_ceiling": loss,
            "one_person_in_everything": loss,
            "several_providers": "It adds up.",
        },
    }


@pytest.mark.slow
def test_openapi_is_written_and_then_current_until_it_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    openapi = tmp_path / "openapi.yaml"

    def check() -> tuple[int, str]:
        checked = CliRunner().invoke(main, ["openapi", "--check"])
        return checked.exit_code, checked.output

    assert check() == (1, "Error: There is no file openapi.yaml.\n")
    assert CliRunner().invoke(main, ["openapi"]).exit_code == 0
    assert check() == (0, "openapi.yaml is current.\n")
    openapi.write_text(openapi.read_text() + "\n")
    assert check() == (1, "Error: openapi.yaml says the same in another form: run `parley openapi`.\n")
    openapi.write_text(openapi.read_text().replace("title: Parley", "title: Other"))
    assert check() == (1, "Error: openapi.yaml is stale: run `parley openapi`.\n")


@pytest.mark.slow
def test_serve_migrates_if_told_and_says_where_it_is_and_that_its_key_is_ephemeral(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    url = f"sqlite:///{tmp_path / 'parley.sqlite'}"
    server = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "serve", "--migrate"],
        env={**own, "PARLEY_DATABASE_URL": url, "PARLEY_PORT": str(port), "PARLEY_LOG_LEVEL": "error"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert ready(f"http://127.0.0.1:{port}/readyz")
    finally:
        server.send_signal(signal.SIGTERM)
        printed, _ = server.communicate(timeout=30)
    assert f"Parley serves http://127.0.0.1:{port} on 127.0.0.1:{port}" in printed
    assert "PARLEY_TOKEN_KEY is not set: an ephemeral one is made" in printed
    assert server.returncode == 0


def ready(url: str) -> bool:
    give_up_at = time.monotonic() + 45
    while time.monotonic() < give_up_at:
        try:
            return httpx.get(url, trust_env=False).status_code == 200
        except httpx.TransportError:
            time.sleep(0.1)
    return False
