"""The demo keeps what it promises: it is run once as a stranger would, and judged by its JSON."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from api.demo.contract import RUN_OUT_DAYS, demo_contract
from api.demo.exact import put_exact_beside
from api.demo.printing import results_text
from api.demo.promises import PromiseBroken

REPOSITORY = Path(__file__).parents[2]
SECONDS_ALLOWED = 120  # before a demo that hangs is given up; it takes a quarter of that or less
REGIONS = ["northeast", "midwest", "south", "west"]
POPULATIONS = ["blueridge-members", "lakeshore-members", "sierra-members", "helix-patients"]


class Demo(NamedTuple):
    """A finished run."""

    results: dict[str, Any]
    story: str
    left_behind: list[str]


def demo_process(folder: Path) -> subprocess.Popen[str]:
    """`parley demo --json`, whose temporary files land in `folder`."""
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli", "demo", "--json"],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in its background lets them ignore Ctrl-C; a person's shell does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo")
    with demo_process(folder) as process:
        output, story = process.communicate(timeout=3 * SECONDS_ALLOWED)
    assert process.returncode == 0, story
    return Demo(json.loads(output), story, [path.name for path in folder.iterdir()])


def rows_of(demo: Demo, statistic: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = demo.results["answers"][statistic]["rows"]
    return rows


@pytest.mark.slow
def test_the_demo_leaves_nothing_behind(demo: Demo) -> None:
    assert demo.left_behind == []


@pytest.mark.slow
def test_the_demo_tells_its_story_line_by_line(demo: Demo) -> None:
    for step in ("registered", "drafted", "Proposed", "in force", "posted", "asked", "ledger", "404", "409"):
        assert step in demo.story, step
    assert all(len(line) <= 100 for line in demo.story.splitlines())


@pytest.mark.slow
def test_the_results_are_readable_without_json(demo: Demo) -> None:
    lines = results_text(demo.results)
    told = " ".join(" ".join(lines).split())
    for needed in ("only a demo can show it", "one person in everything", "last 4 of 8 quarters", "marked as replayed"):
        assert needed in told
    assert all(len(line) <= 100 for line in lines)
    assert sum(line.startswith("  midwest    20") for line in lines) == 4


@pytest.mark.slow
def test_four_parties_signed_a_contract_whose_plan_is_frozen(demo: Demo) -> None:
    contract = demo.results["contract"]
    assert contract["status"] == "in_force"
    assert len(contract["signatures"]) == 4
    assert all(feed["plan"]["draws"] for feed in contract["document"]["feeds"])


@pytest.mark.slow
def test_every_provider_posted_all_its_periods(demo: Demo) -> None:
    payer = {"fills": 24, "adherence": 2}
    expected = {"blueridge": payer, "lakeshore": payer, "sierra": payer, "helix": {"support": 24}}
    assert demo.results["receipts"] == expected


@pytest.mark.slow
def test_the_analyst_reads_adherence_and_penetration_by_region(demo: Demo) -> None:
    for statistic in ("adherence_rate", "psp_penetration"):
        rows = rows_of(demo, statistic)
        assert [row["key"] for row in rows] == [{"region": region} for region in REGIONS]
        for row in rows:
            assert row["interval"]["lower"] < row["value"] < row["interval"]["upper"]
            assert row["interval"]["upper"] - row["interval"]["lower"] < 0.04


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statistic", "title"), [("adherence_rate", "Adherence rate"), ("psp_penetration", "Programme")]
)
def test_the_sample_in_the_readme_is_as_wide_as_the_demo(demo: Demo, statistic: str, title: str) -> None:
    sample = (REPOSITORY / "README.md").read_text().split(f"\n{title}")[1].split("The interval covers")[0]
    told = {
        region: (float(low), float(high)) for region, low, high in re.findall(r"(\w+) .*? ([\d.]+)-([\d.]+)%", sample)
    }
    assert list(told) == REGIONS
    for row in rows_of(demo, statistic):
        low, high = told[row["key"]["region"]]
        width = 100 * (row["interval"]["upper"] - row["interval"]["lower"])
        # Both ends are printed to a tenth of a percent.
        assert high - low == pytest.approx(width, rel=0.2, abs=0.11), row["key"]


@pytest.mark.slow
def test_the_joint_table_holds_both_sides_of_each_region_and_quarter(demo: Demo) -> None:
    figures: dict[tuple[str, str], list[str]] = {}
    for row in rows_of(demo, "joint_table"):
        figures.setdefault((row["key"]["region"], row["key"]["quarter"]), []).append(row["figure"])
    assert len(figures) == 4 * 8
    assert all(found == ["pdc_pooled", "enrolled", "contacts"] for found in figures.values())


@pytest.mark.slow
def test_estimates_are_near_the_exact_values_and_never_all_equal_to_them(demo: Demo) -> None:
    rows = [row for statistic in demo.results["answers"] for row in rows_of(demo, statistic)]
    shown = [row for row in rows if row["state"] == "shown"]
    inside = [row for row in shown if row["interval"]["lower"] <= row["exact"] <= row["interval"]["upper"]]
    # 95% are expected; below 80% of a hundred by bad luck happens once in a hundred million demos.
    assert len(inside) > 0.8 * len(shown)
    assert any(row["value"] != row["exact"] for row in shown if row["figure"] == "contacts")


@pytest.mark.slow
def test_each_population_has_lost_no_more_than_was_signed(demo: Demo) -> None:
    loss = demo.results["loss"]
    assert list(loss["populations"]) == POPULATIONS
    for population in loss["populations"].values():
        assert 99_000_000 < population["spent"]["rho_nano"] <= 100_000_000
        assert population["spent"]["rho_nano"] + population["balance"]["rho_nano"] == 100_000_000
        assert 2.1 < population["spent"]["epsilon"] < 2.2
        assert population["spent"]["delta"] == "0.000001"
    assert loss["one_person_in_everything"]["rho_nano"] == 400_000_000
    assert 4.5 < loss["one_person_in_everything"]["epsilon"] < 4.7  # less than four times 2.14


@pytest.mark.slow
def test_a_replayed_submission_returns_the_same_receipt_and_debits_nothing(demo: Demo) -> None:
    replay = demo.results["refusals"]["replay"]
    assert replay["second_receipt"] == {**replay["first_receipt"], "replayed": True}
    assert replay["first_receipt"]["replayed"] is False
    assert replay["ledger_entries_before"] == replay["ledger_entries_after"] == 27


@pytest.mark.slow
def test_a_foreign_caller_gets_404_whatever_it_wants(demo: Demo) -> None:
    foreign = demo.results["refusals"]["foreign_caller"]
    assert len(foreign["problems"]) == 4
    for problem in foreign["problems"].values():
        assert (problem["status"], problem["type"]) == (404, "urn:parley:problem:contract-not-found")
    assert foreign["same_as_for_a_contract_that_does_not_exist"] is True


@pytest.mark.slow
def test_a_submission_beyond_the_budget_gets_409_and_is_not_stored(demo: Demo) -> None:
    beyond = demo.results["refusals"]["beyond_budget"]
    problem = beyond["problem"]
    assert (problem["status"], problem["type"]) == (409, "urn:parley:problem:budget-exhausted")
    assert problem["ceiling"] == "population"
    assert beyond["releases_stored"] == 0
    assert beyond["ledger_entries_before"] == beyond["ledger_entries_after"] == 27


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_takes_its_server_and_its_folder_with_it(tmp_path: Path, stop: signal.Signals) -> None:
    with demo_process(tmp_path) as process:
        assert process.stderr is not None
        address = next(line.split("gunicorn at ")[1].split(",")[0] for line in process.stderr if "gunicorn" in line)
        process.send_signal(stop)
        process.communicate(timeout=SECONDS_ALLOWED)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/healthz", trust_env=False)


@pytest.mark.parametrize(("exact", "holds"), [(1000.0, True), (1078.0, True), (1090.0, False), (912.0, False)])
def test_an_estimate_that_cannot_be_one_of_its_exact_value_breaks_the_demo(exact: float, holds: bool) -> None:
    row = {"key": {"region": "west"}, "figure": "enrolled", "state": "shown", "value": 1000.0}
    answer = {
        "statistic": "joint_table",
        "confidence": 0.95,
        "rows": [row | {"interval": {"lower": 980.0, "upper": 1020.0}}],  # a standard deviation of 10.2
    }
    if holds:
        assert put_exact_beside(answer, {("enrolled", ("west",)): exact})["rows"][0]["exact"] == exact
        return
    with pytest.raises(PromiseBroken, match="enrolled of west"):
        put_exact_beside(answer, {("enrolled", ("west",)): exact})


@pytest.mark.parametrize(
    ("today", "years"),
    [
        ("2026-11-21", ("2024", "2025")),
        ("2027-03-31", ("2024", "2025")),
        ("2027-04-01", ("2025", "2026")),
        ("2028-02-29", ("2025", "2026")),
    ],
)
def test_the_contract_is_about_the_last_two_years_that_are_final(today: str, years: tuple[str, str]) -> None:
    document = demo_contract(date.fromisoformat(today))
    found = {
        feed["name"]: (feed["first_period"], feed["last_period"], feed["run_out_days"]) for feed in document["feeds"]
    }
    assert {name: (first[:4], last[:4]) for name, (first, last, _) in found.items()} == dict.fromkeys(found, years)
    assert max(days for *_, days in found.values()) == RUN_OUT_DAYS
    assert date(int(years[1]), 12, 31) + timedelta(days=RUN_OUT_DAYS) < date.fromisoformat(today)
    assert document["effective"] == today
    assert document["expires"] == ("2030-02-28" if today.endswith("02-29") else f"{int(today[:4]) + 2}{today[4:]}")
