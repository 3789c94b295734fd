"""What `parley ask` writes, and where: tables for people, CSV for programs, files that are whole or not there."""

import csv
import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import pytest

from adapters.answers.csv_answers import answer_csv
from adapters.answers.lines import NAMES
from api.cli.answer_columns import say_side_by_side
from api.cli.answer_csv import answer_csv_text
from api.cli.answer_table import say_rows
from contracts.parties import JsonObject
from tests.http.test_cli import Console
from tests.support.answered import asked
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, fills, fills_row, small_contract
from tests.support.small_server import small_server

ROWS = [
    fills_row(members=4000, days_covered=30_000, treatment_days=60_000),
    fills_row("south", "M", members=3, days_covered=20, treatment_days=40),
]
COUNTS = ("ask", CONTRACT, "counts", "--feed", "fills", "--by", "region,month", "--periods", "2025-01..2025-02")


@pytest.fixture(scope="module")
def console(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The brand's, of a contract with a small-cell rule under which a month of fills is posted; the south is small."""
    rules = {"min_payers": 3, "small_cells": {"mask_below": 11}}
    document = small_contract(effective="2026-01-01", expires="2099-12-31", rules=rules)
    posted = [(payer, fills(rows=ROWS)) for payer in PAYERS]
    support = [{"coverage": "in_network", "region": "north", "enrolled": 40, "contacts": 80}]
    posted.append((BRAND, fills(feed="support", rows=support)))
    with small_server(sqlite_template, tmp_path_factory.mktemp("ask"), document, posted) as served:
        yield served.of(BRAND)


def lines_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- CSV


def test_a_csv_has_the_numbers_of_the_answer_to_the_last_digit_under_the_same_columns(console: Console) -> None:
    rate = ("ask", CONTRACT, "pdc_pooled", "--by", "region", "--periods", "2025-01")
    text = console.done(*rate, "--format", "csv")
    answer = json.loads(console.done(*rate, "--format", "json"))

    assert text.splitlines()[0].split(",") == ["region", *NAMES]
    north = lines_of(text)[0]
    (told,) = [row for row in answer["rows"] if row["key"] == {"region": "north"}]
    assert float(north["value"]) == told["value"] == 0.5
    assert float(north["interval_lower"]) == told["interval"]["lower"]
    assert float(north["interval_upper"]) == told["interval"]["upper"]
    assert len(north["interval_upper"]) > 10
    assert [
        north[name] for name in ("total_interval_lower", "statistic", "contract_id", "contract_version", "as_of")
    ] == [
        "",
        "pdc_pooled",
        CONTRACT,
        "1",
        "latest",
    ]
    assert (north["labels"], north["confidence"]) == ("associational", "0.95")


def test_what_has_no_value_is_a_line_with_empty_numbers_and_a_state(console: Console) -> None:
    lines = lines_of(console.done(*COUNTS, "--measures", "members", "--format", "csv"))

    states = {(line["region"], line["month"]): (line["state"], line["value"]) for line in lines}
    assert states == {
        ("north", "2025-01"): ("shown", "12000.0"),
        ("south", "2025-01"): ("suppressed", ""),
        ("north", "2025-02"): ("missing", ""),
        ("south", "2025-02"): ("missing", ""),
    }
    assert all(line["interval_lower"] == line["interval_upper"] == "" for line in lines if line["state"] != "shown")


def test_a_joint_table_is_long_and_pandas_reads_it_without_help(console: Console) -> None:
    words = ("ask", CONTRACT, "joint_table", "--by", "region", "--periods", "2025-01", "--format", "csv")
    frame = pd.read_csv(io.StringIO(console.done(*words)))

    assert set(frame["figure"]) == {"pdc_pooled", "enrolled", "contacts"}
    shown = frame[frame["state"] == "shown"].set_index(["region", "figure"])["value"]
    assert shown["north", "enrolled"] == 40
    assert frame.loc[frame["state"] != "shown", "value"].isna().all()
    assert frame["contract_version"].tolist() == [1] * len(frame)


def test_notes_go_before_the_rows_or_to_standard_error_and_never_among_them(console: Console) -> None:
    words = ("ask", CONTRACT, "joint_table", "--by", "region", "--periods", "2025-01", "--format", "csv")
    plain, noted = console.run(*words), console.run(*words, "--with-notes")

    assert "Labels: ecological" in plain.stderr
    assert "Note: The two sides are joined by stratum" in plain.stderr
    assert not noted.stderr
    notes = [line for line in noted.stdout.splitlines() if line.startswith("# ")]
    assert noted.stdout == "".join(f"{line}\n" for line in notes) + plain.stdout
    told = "\n".join(notes)
    for part in (
        "interval: ",
        "coverage: fills, 1 of 1 periods",
        "releases: ",
        "joined by stratum",
        "contract_digest: ",
    ):
        assert part in told
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(noted.stdout), comment="#"), pd.read_csv(io.StringIO(plain.stdout))
    )


def test_what_was_filtered_stands_below_a_table_before_a_csv_and_in_json(console: Console) -> None:
    words = (
        "ask",
        CONTRACT,
        "counts",
        "--feed",
        "fills",
        "--where",
        "region:south,region:north,sex:F",
        "--periods",
        "2025-01",
    )
    only = "Only: region south or north; sex F; 2025-01"

    assert only in console.done(*words).splitlines()
    assert f"# {only}" in console.done(*words, "--format", "csv", "--with-notes").splitlines()
    said = json.loads(console.done(*words, "--json"))["question"]
    assert said == {
        "by": [],
        "where": {"region": ["south", "north"], "sex": ["F"]},
        "periods": "2025-01",
        "feeds": ["fills"],
        "measures": [],
        "compare": None,
        "of": None,
        "standard": None,
    }
    assert "Only:" not in console.done("ask", CONTRACT, "counts", "--feed", "fills")


def test_a_value_that_noise_took_out_of_its_interval_is_noted_in_front_of_a_csv() -> None:
    told = {"estimand": "A rate.", "interval_covers": "noise", "total_interval_covers": None, "notes": ["Said before."]}
    told |= {"coverage": [], "purpose": "safety", "contract_digest": "00", "releases": [], "question": asked()}

    def noted(value: float) -> str:
        return answer_csv_text({**answer(row(value=value)), **told}, with_notes=True).partition("by_")[0]

    assert "# noise can take a rate out of 0 to 1; its interval is what the data tell.\n" in noted(1.001)
    assert "# Said before.\n" in noted(1.001)
    assert "noise can take" not in noted(0.999)


def test_what_a_contract_grants_is_csv_too(console: Console) -> None:
    lines = lines_of(console.done("ask", CONTRACT, "--format", "csv"))
    assert {line["statistic"]: line["by_at_most"] for line in lines}["counts"] == "3"


def test_what_a_contract_grants_is_told_feed_by_feed_in_lines_that_can_be_read(console: Console) -> None:
    text = console.done("ask", CONTRACT)
    listed = json.loads(console.done("ask", CONTRACT, "--json"))

    assert max(map(len, text.splitlines())) <= 100
    joined = " ".join(text.split())
    assert "Feed fills (of the payer, by month, 2025-01 to 2025-12): by region, sex, month" in joined
    assert "By at most 3 at once" in joined
    (fills_feed,) = (feed for feed in listed["feeds"] if feed["name"] == "fills")
    assert set(fills_feed["measures"]) == {"members", "days_covered", "treatment_days"}
    assert (listed["standards"], listed["settlement"]) == ([], None)


def row(**changes: Any) -> JsonObject:
    return {
        "key": {"region": "north"},
        "figure": "rate",
        "unit": "share",
        "state": "shown",
        "value": 0.25,
        "interval": {"lower": 0.125, "upper": 0.5},
        "total_interval": None,
        "flags": [],
        **changes,
    }


def answer(*rows: JsonObject) -> JsonObject:
    whole = {"labels": [], "statistic": "rate", "contract_id": CONTRACT, "contract_version": 1, "as_of": "latest"}
    return {**whole, "confidence": 0.95, "rows": list(rows)}


def test_what_is_not_identified_keeps_its_limits_and_has_no_value() -> None:
    anything = row(value=-3.5, interval={"lower": 0.0, "upper": 1.0}, flags=["whole_range", "partial_pool"])
    limited = row(value=None, interval={"lower": None, "upper": 12.0}, unit="persons", flags=["upper_limit_only"])
    lines = lines_of(answer_csv(answer(anything, limited)))

    assert [(line["state"], line["value"]) for line in lines] == [("not_identified", "")] * 2
    assert [(line["interval_lower"], line["interval_upper"]) for line in lines] == [("0.0", "1.0"), ("", "12.0")]
    assert lines[0]["flags"] == "whole_range partial_pool"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"])
def test_no_text_is_run_as_a_formula_and_negative_numbers_stay_numbers(text: str) -> None:
    (line,) = lines_of(answer_csv(answer(row(key={text: text}, value=-3.5, figure=text))))

    assert line["figure"] == line[f"'{text}"] == f"'{text}"
    assert line["value"] == "-3.5"


def test_a_dimension_with_the_name_of_a_column_gets_one_of_its_own_and_no_line_is_broken() -> None:
    text = answer_csv(answer(row(key={"unit": 'a "b", c\nd'}), row(key={})))

    assert text.splitlines()[0].split(",")[:3] == ["by_unit", "figure", "unit"]
    assert [line["by_unit"] for line in lines_of(text)] == ['a "b", c\N{REPLACEMENT CHARACTER}d', ""]
    assert len(text.splitlines()) == 3


# --- tables


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def joint(region: str, *rows_of_one: JsonObject) -> list[JsonObject]:
    return [{**each, "key": {"region": region}} for each in rows_of_one]


def test_figures_of_a_joint_table_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    pdc = row(figure="pdc_pooled")
    enrolled = row(figure="enrolled", unit="persons", value=40.0, interval={"lower": 30.5, "upper": 50.5})
    hidden = {"state": "suppressed", "value": None, "interval": None}
    rows = joint("north", pdc, enrolled) + joint("south", {**pdc, "flags": ["partial_pool"]}, {**enrolled, **hidden})

    say_side_by_side(rows)

    heading, north, south, below = (" ".join(line.split()) for line in capsys.readouterr().out.splitlines())
    assert heading == "region pdc_pooled enrolled flags"
    assert north == "north 0.25 (0.12 to 0.50) 40 (30 to 51)"
    assert south == "south 0.25 (0.12 to 0.50) suppressed partial pool (pdc_pooled)"
    assert below == "In brackets: the interval. Units: pdc_pooled share, enrolled persons."


def test_what_is_not_alike_or_too_wide_has_a_line_a_figure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = joint("north", row(), row(figure="other")) + joint("south", row())
    say_side_by_side(rows)
    assert len(capsys.readouterr().out.splitlines()) == 1 + 3

    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    say_side_by_side(rows[:2])
    assert "value" in terminal.getvalue()


@pytest.mark.parametrize(
    ("columns", "first", "last"),
    [
        ("80", "region  figure  value      interval  unit   flags", "north   rate     0.25  0.12 to 0.50  share"),
        ("40", "region  value      interval", "In every row: figure rate, unit share."),
        ("20", "region    north", "In every row: figure rate, unit share."),
    ],
)
def test_a_table_fits_the_terminal_that_it_is_read_on(
    columns: str, first: str, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", Terminal())
    say_rows([row(), row()])
    lines = sys.stdout.getvalue().splitlines()  # type: ignore[attr-defined]

    assert (lines[0], lines[-1]) == (first, last)
    assert all(len(line) <= max(int(columns), 40) for line in lines)
    assert "0.12 to 0.50" in "\n".join(lines)


def test_a_pipe_gets_whole_lines_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    say_rows([row(), row()])
    assert capsys.readouterr().out.splitlines()[1] == "north   rate     0.25  0.12 to 0.50  share"


# --- files


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_file_has_what_would_have_been_printed(console: Console, form: str, tmp_path: Path) -> None:
    printed = console.done(*COUNTS, "--format", form)
    assert console.done(*COUNTS, "--format", form, "--out", tmp_path / "answer") == ""
    assert (tmp_path / "answer").read_text() == printed
    assert left_in(tmp_path) == ["answer"]


def test_a_file_that_is_there_is_refused_before_anybody_is_asked_unless_forced(
    console: Console, tmp_path: Path
) -> None:
    path = tmp_path / "answer.csv"
    path.write_text("mine")
    words = (*COUNTS, "--format", "csv", "--out", path)

    refused = console.refused(*words, PARLEY_URL="http://127.0.0.1:9")
    assert refused == f"Error: {path} exists and is not overwritten.\n"
    assert path.read_text() == "mine"
    with path.open() as reader:  # whoever has the old file open reads on in it, whole
        console.done(*words, "--force")
        assert reader.read() == "mine"
    assert path.read_text().startswith("region,month,figure")


def test_an_error_leaves_no_file_and_a_forced_one_as_it_was(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    wrong = ("ask", CONTRACT, "counts", "--feed", "fills", "--by", "wat", "--out", kept, "--force")
    assert "/by: fills can be asked by" in console.refused(*wrong)
    assert "there is no folder" in console.refused(*COUNTS, "--out", tmp_path / "none" / "new.csv")
    assert "is no file" in console.refused(*COUNTS, "--out", tmp_path, "--force")

    def full(_: int) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for name in ("kept.csv", "new.csv"):
        said = console.refused(*COUNTS, "--out", tmp_path / name, "--force")
        assert said == f"Error: {tmp_path / name} cannot be written: No space left on device.\n"
    assert (left_in(tmp_path), kept.read_text()) == (["kept.csv"], "mine")


def test_a_receipt_that_could_not_be_kept_is_not_asked_for(console: Console, tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text("mine")
    said = console.refused(*COUNTS, "--receipt", tmp_path / "answer.json", PARLEY_URL="http://127.0.0.1:9")
    assert "exists and is not overwritten" in said


# --- words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--json", "--format", "csv"), "does not go with --format csv"),
        (("--with-notes",), "--with-notes goes with --format csv"),
        (("--force",), "--force goes with --out or --plot"),
        (("--format", "parquet"), "--format parquet goes with --out"),
        (("--plot", "picture.jpg"), "a picture's name ends in .svg or .png"),
        (("--explain", "--format", "csv"), "--explain goes with a table or JSON"),
        (("--format", "xml"), "'table', 'csv', 'parquet', 'json'"),
        (("--contract", "dsc-other"), "Name the contract once"),
    ],
)
def test_options_that_do_not_go_together_are_an_error_of_usage(
    console: Console, words: tuple[str, ...], said: str
) -> None:
    assert said in console.refused(*COUNTS, *words, exit_code=2)


@pytest.mark.parametrize(
    ("words", "of"), [((), ""), (("adherence_rate",), " of adherence_rate"), (("counts",), " of counts")]
)
def test_a_contract_that_nobody_names_is_asked_for(console: Console, words: tuple[str, ...], of: str) -> None:
    assert f"Which contract{of}? Name it first, or with --contract" in console.refused("ask", *words, exit_code=2)


def test_a_contract_may_be_named_by_an_option(console: Console) -> None:
    assert console.done("ask", "--contract", CONTRACT) == console.done("ask", CONTRACT)
    named = console.done("ask", "counts", "--contract", CONTRACT, *COUNTS[3:])
    assert named == console.done(*COUNTS)


def process(console: Console, *words: str, **options: Any) -> subprocess.Popen[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli", *words],
        env={**own, **console.environment, **options.pop("environment", {})},
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_pipe_that_is_closed_early_is_no_error_to_tell_of(console: Console) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with process(console, *COUNTS, "--json", stdout=writing) as asking:
        os.close(writing)
        _, said = asking.communicate(timeout=60)
    assert said == ""
    assert asking.returncode == 1


@pytest.mark.slow
def test_ctrl_c_ends_it_quietly_and_leaves_no_file(console: Console, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asking = process(
            console,
            *COUNTS,
            "--out",
            str(tmp_path / "answer"),
            environment={"PARLEY_URL": url},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        connection, _ = silent.accept()  # it waits for an answer now
        with connection, asking:
            asking.send_signal(signal.SIGINT)
            _, said = asking.communicate(timeout=60)
    assert (said.strip(), asking.returncode) == ("Aborted!", 1)
    assert left_in(tmp_path) == []


# --- Parquet and pictures


RATE = ("ask", CONTRACT, "pdc_pooled", "--by", "region", "--periods", "2025-01")


def test_a_parquet_file_is_the_csv_with_types(console: Console, tmp_path: Path) -> None:
    written, out = tmp_path / "rates.csv", tmp_path / "rates.parquet"
    console.done(*RATE, "--format", "csv", "--out", written)
    console.done(*RATE, "--explain", "--format", "parquet", "--out", out)

    frame = pd.read_parquet(out)
    plain = pd.read_csv(written)
    assert frame["value"].tolist()[0] == plain["value"].tolist()[0] == 0.5
    assert frame.columns.tolist() == plain.columns.tolist()
    assert "--format parquet goes with a statistic" in console.refused(
        "ask", CONTRACT, "--format", "parquet", "--out", tmp_path / "none.parquet", exit_code=2
    )
    assert left_in(tmp_path) == ["rates.csv", "rates.parquet"]


def test_an_answer_is_drawn_beside_being_printed_and_no_picture_is_replaced_unasked(
    console: Console, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib, the extra `plot`, is not installed")
    picture = tmp_path / "rates.svg"
    asked = console.run(*RATE, "--plot", picture)
    svg = picture.read_text()

    assert asked.stdout == console.done(*RATE)
    assert f"Drawn: {picture}" in asked.stderr
    assert "suppressed" in svg
    assert "north" in svg
    assert "exists and is not overwritten" in console.refused(*RATE, "--plot", picture)
    console.done(*RATE, "--plot", picture, "--force")
    assert picture.read_text() == svg
