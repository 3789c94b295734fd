"""`parley contract preview` works with no exchange at all, and its pictures and the page about them are current."""

import importlib.metadata
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from api.cli import main

REPOSITORY = Path(__file__).parents[2]
BUDGET = "examples/budget/contract.yaml"
TUTORIAL = "examples/tutorial/contract.yaml"
PAGE = REPOSITORY / "docs" / "explain" / "accuracy.md"
PICTURES = {"budget": BUDGET, "tutorial": TUTORIAL}


@pytest.fixture(autouse=True)
def no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the repository's root, with no setting, and a database that nobody could open."""
    monkeypatch.chdir(REPOSITORY)
    for name in ("PARLEY_URL", "PARLEY_CLIENT_ID", "PARLEY_CLIENT_KEY_FILE", "PARLEY_MAX_CELLS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PARLEY_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")


def run(*words: object) -> Any:
    return CliRunner().invoke(main, ["contract", "preview", *map(str, words)])


def done(*words: object) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def refused(*words: object, exit_code: int = 1) -> str:
    result = run(*words)
    assert result.exit_code == exit_code, result.output
    assert isinstance(result.exception, SystemExit)
    return str(result.stderr)


def test_a_preview_says_what_every_table_gives_and_what_a_person_loses() -> None:
    printed = done(TUTORIAL)

    assert "adherence: 2 years of 1 payer, a person in at most 2" in printed
    assert re.search(r"^members +region x adherence_band +6 +\d", printed, re.M)
    assert re.search(r"^adherence_rate +region +2 +0\.\d+ \(total 1\.\d+\) pp", printed, re.M)
    learned = "at most 92.1% sure except with probability 0.000001, 58.9% right guesses\n"
    assert f"acme-members: rho 0.1 (epsilon 2.15 at delta 0.000001); {learned}" in printed
    assert "Plan:" not in printed
    assert "Plan: Each release costs rho " in done(TUTORIAL, "--plans")


def test_a_preview_warns_of_what_nobody_should_sign(tmp_path: Path) -> None:
    document = yaml.safe_load((REPOSITORY / TUTORIAL).read_text())
    document["grants"] = [{"role": "payer", "statistics": ["counts", "persistence_curve"], "by_at_most": 2}]
    document["privacy"] |= {
        "ceilings": {"acme-members": "7"},
        "approvals": {"acme-members": {"name": "Ann", "reason": "None"}},
    }
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(document))

    printed = done(path)

    assert "granted, but its feeds cannot answer: persistence_curve\n" in printed
    assert "a loss this large protects nobody" in printed
    assert "Note: payers never see the pool of their own feeds" in printed
    assert not re.search("protects nobody|cannot answer|never see the pool", done(TUTORIAL))
    assert json.loads(done(path, "--json"))["unanswered"] == ["persistence_curve"]


def test_a_preview_names_the_statistics_of_which_it_says_no_width(tmp_path: Path) -> None:
    document = yaml.safe_load((REPOSITORY / TUTORIAL).read_text())
    granted = ["adherence_rate", "counts", "pdc_distribution", "persistence_curve", "trend"]
    document["grants"] = [{"role": "brand", "statistics": granted, "by_at_most": 2}]
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(document))

    printed = done(path)

    assert "No width is predicted, though their answers have intervals: pdc_distribution, trend\n" in printed
    assert json.loads(done(path, "--json"))["without_widths"] == ["pdc_distribution", "trend"]
    assert "No width is predicted" not in done(TUTORIAL)


def test_a_rate_that_is_lost_in_noise_is_said_to_be_anything(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text((REPOSITORY / TUTORIAL).read_text().replace("members: 9000", "members: 3"))

    assert re.search(r"adherence_rate +region +2 +whole range", done(path))


def test_json_holds_the_whole_preview() -> None:
    preview = json.loads(done(BUDGET, "--json", "--accuracy", "adherence_rate:region=1.0pp"))

    assert [feed["feed"] for feed in preview["feeds"]] == ["fills", "adherence"]
    assert len(preview["feeds"][0]["curve"]) > 10
    assert preview["budgets"][0]["smallest"]["rho_nano"] > 0


def test_a_faulty_contract_is_refused_with_pointers_into_it(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text((REPOSITORY / TUTORIAL).read_text().replace("k: 2", "k: 3"))
    assert "/feeds/0/k: " in refused(path)
    path.write_text((REPOSITORY / TUTORIAL).read_text().replace("k: 2", "k: two"))
    assert "/feeds/0/k: " in refused(path)


def test_a_bad_accuracy_is_refused_with_what_would_do() -> None:
    said = refused(TUTORIAL, "--accuracy", "adherence_rate:colour=1pp", "--accuracy", "nonsense",
                   "--accuracy", "adherence_rate:region=200pp")  # fmt: skip

    assert "(accuracy-invalid)" in said
    assert "/accuracy/0: adherence goes by region, adherence_band" in said
    assert "/accuracy/1: an accuracy above zero reads like" in said
    assert "/accuracy/2: a rate lies between 0 and 100%: want less than 100pp" in said


# --- pictures

needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="the extra `plot` is not installed"
)


@pytest.mark.slow
@needs_matplotlib
@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_picture_is_drawn_and_comes_out_the_same_again(tmp_path: Path, suffix: str) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    result = run(TUTORIAL, "--plot", first)
    assert result.exit_code == 0, result.output
    assert result.stderr == f"Drawn: {first}\n"
    done(TUTORIAL, "--plot", second)

    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(b"<?xml" if suffix == ".svg" else b"\x89PNG")


@needs_matplotlib
def test_a_picture_names_its_tables_its_axes_and_the_budget(tmp_path: Path) -> None:
    done(BUDGET, "--plot", tmp_path / "picture.svg")

    drawn = (tmp_path / "picture.svg").read_text()
    for words in ("rho of the feed fills over the term", "rho of the feed adherence", "epsilon at delta 0.000001",
                  "half-width, percentage points", "region", "3 payers pooled"):  # fmt: skip
        assert words in drawn
    assert str(tmp_path) not in drawn
    assert not re.search(r"\d{4}-\d\d-\d\dT", drawn)


@needs_matplotlib
@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_of_the_page_are_current(name: str, tmp_path: Path) -> None:
    """Byte for byte where the pinned matplotlib draws them; another version may place a letter elsewhere."""
    pinned = re.search(r"^matplotlib==(.+)$", (REPOSITORY / "constraints.txt").read_text(), re.M)
    assert pinned is not None
    if importlib.metadata.version("matplotlib") != pinned[1]:
        pytest.skip("another version of matplotlib than the pinned one")
    done(PICTURES[name], "--plot", tmp_path / "now.svg")

    committed = PAGE.parent / "pictures" / f"{name}.svg"
    assert committed.read_bytes() == (tmp_path / "now.svg").read_bytes(), "run `make pictures`"


def test_without_matplotlib_the_command_says_which_extra_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    assert "pip install -c constraints.txt '.[plot]'" in refused(TUTORIAL, "--plot", tmp_path / "a.svg")
    assert not (tmp_path / "a.svg").exists()


def test_a_picture_of_another_kind_or_in_no_folder_is_refused(tmp_path: Path) -> None:
    assert ".svg or .png" in refused(TUTORIAL, "--plot", tmp_path / "a.jpg", exit_code=2)
    if importlib.util.find_spec("matplotlib"):
        assert "cannot be written" in refused(TUTORIAL, "--plot", tmp_path / "absent" / "a.svg")


# --- the page


def console_blocks() -> list[tuple[str, list[str]]]:
    """The commands that the page shows, each with the lines that it shows of their output; ... leaves lines out."""
    found = re.findall(r"```console\n\$ parley contract preview (.+?)\n(.+?)```", PAGE.read_text(), re.S)
    return [(command, [line for line in shown.splitlines() if line != "..."]) for command, shown in found]


@pytest.mark.parametrize(("command", "shown"), console_blocks())
def test_what_the_page_shows_is_what_the_command_prints(command: str, shown: list[str]) -> None:
    printed = iter(done(*command.split()).splitlines())

    # `in` takes from the iterator, so that the order counts.
    assert [line for line in shown if line not in printed] == []


def test_the_page_shows_both_ways_round() -> None:
    assert ["--accuracy" in command for command, _ in console_blocks()] == [False, True]
