"""Exact aggregates never touch a disk or a log: a real server is watched while it takes, refuses and loses them."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import pytest

from contracts.parties import JsonObject
from tests.support.marked_contract import is_marked_and_noised, marked, marked_contract, released, values_in
from tests.support.markers import LONG, SHORT, files_below, find_markers, leaks
from tests.support.sending import Sender
from tests.support.small_exchange import SmallExchange
from tests.support.submission_story import Story, multipart, tell_story
from tests.support.watching import WatchedServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="watches the server through /proc"),
]

AS_TABLES = ("CSV", "Parquet", "Arrow")
ACCEPTED = ("rows", "columns", "chunked", "one row", "a large body", "gzip", *AS_TABLES, "resumed", "after the crash")
REPLAYED = ("a replay", "a replay with other cells")
REQUEST_LINE = {
    "address",
    "client",
    "event",
    "level",
    "method",
    "organisation",
    "request_id",
    "route",
    "status",
    "timestamp",
}


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> tuple[Path, JsonObject]:
    """A database with the marked contract in force, and a payer's client key."""
    database = tmp_path_factory.mktemp("database") / "parley.db"
    copyfile(sqlite_template, database)
    small = SmallExchange(f"sqlite:///{database}")
    small.agree(marked_contract())
    small.wiring.database.close()
    return database, small.client_keys["blueridge"]


@pytest.fixture(scope="module")
def story(agreed: tuple[Path, JsonObject], tmp_path_factory: pytest.TempPathFactory) -> Story:
    return tell_story(*agreed, tmp_path_factory.mktemp("server"))


def test_each_submission_of_the_story_got_the_answer_it_should(story: Story) -> None:
    statuses = {why: answer.status_code for why, answer in story.answers.items()}
    refused = {why: answer for why, answer in story.answers.items() if why not in ACCEPTED + REPLAYED}

    assert {statuses[why] for why in ACCEPTED} == {201}
    assert {statuses[why] for why in REPLAYED} == {200}
    assert story.answers["resumed"].json()["attempts"] == 2
    assert len(refused) > 40
    assert {statuses[why] for why in refused} == {400, 401, 404, 409, 413, 415, 422, 500}
    for why, answer in refused.items():
        assert answer.json()["type"].startswith("urn:parley:problem:"), why


def test_what_is_no_http_is_answered_with_a_problem_that_quotes_nothing(story: Story) -> None:
    assert len(story.raw_answers) > 6
    for why, answer in story.raw_answers.items():
        heads = re.findall(rb"HTTP/1.1 (\d+)[^\r]*\r\n(.*?)\r\n\r\n", answer, re.DOTALL)
        assert heads, why
        for status, head in heads:
            assert int(status) in (400, 413, 415, 422), why
            assert b"Content-Type: application/problem+json" in head, why


def test_no_file_but_the_database_is_opened_for_writing(story: Story) -> None:
    assert [opening for opening in story.openings if not opening.is_expected(story.database)] == []
    assert any(opening.event == "sqlite3.connect" for opening in story.openings)


def test_no_file_but_the_database_is_held_open_while_cells_are_in_memory(story: Story) -> None:
    assert story.held_open == {f"{story.database}{suffix}" for suffix in ("", "-wal", "-shm")}


def test_nothing_is_left_in_home_temp_or_working_folder(story: Story) -> None:
    assert story.left_behind == {}


def test_no_marker_is_in_database_log_or_answer(story: Story) -> None:
    assert leaks(story.evidence) == {}


def test_the_search_went_through_database_log_and_answers(story: Story) -> None:
    release = story.answers["rows"].json()["release_id"].encode()
    request = story.answers["rows"].headers["X-Request-Id"].encode()

    def holding(text: bytes) -> set[str]:
        return {place for place, content in story.evidence.items() if text in content}

    assert holding(release) >= {f"{story.database}-wal", "releases.id", "second run, answer: rows"}
    assert holding(request) == {"second run, stderr", "second run, answer: rows"}
    assert any("parley.db-wal" in place for place in story.evidence if place.startswith("first run"))
    assert len(story.evidence["releases.block"]) > 5000


def test_every_release_holds_the_markers_under_noise_and_none_of_them_bare(story: Story) -> None:
    releases = released(f"sqlite:///{story.database}")

    assert [is_marked_and_noised(vectors) for vectors in releases].count(True) == len(ACCEPTED) - 1
    assert len(releases) == len(ACCEPTED)  # the one row of "one row" leaves 63 strata without a marker


def test_a_draw_that_fails_with_numbers_in_its_text_tells_nobody(story: Story) -> None:
    answer = story.answers["a draw that fails"]

    assert (answer.status_code, answer.json()["type"]) == (500, "urn:parley:problem:internal")
    assert b'"kind": "RuntimeError"' in story.printed["stderr"]
    assert b"no noise for" not in story.printed["stderr"] + answer.content


def test_a_worker_cannot_dump_its_core(story: Story) -> None:
    assert story.core_limits == [("0", "00000000")]


def test_log_lines_say_nothing_that_depends_on_a_body(story: Story) -> None:
    lines = [json.loads(line) for line in story.printed["stderr"].splitlines() if line.startswith(b"{")]
    requests = [line for line in lines if line["event"] == "request"]
    others = {tuple(sorted(line)) for line in lines if line["event"] != "request"}

    assert {frozenset(line) for line in requests} == {frozenset(REQUEST_LINE)}
    assert others == {
        ("endpoint", "event", "frames", "kind", "level", "request_id", "timestamp"),  # an error: which, and where
        ("event", "level", "message", "timestamp"),  # gunicorn's, of its processes
        ("event", "level", "pid", "timestamp"),  # its master's start
        ("event", "level", "timestamp"),  # what is no HTTP
        ("event", "level", "request_id", "timestamp"),  # the same of a body that an app was reading
    }
    submitted = [line for line in requests if line["status"] == 201]
    assert len(submitted) == len(ACCEPTED)
    assert len({json.dumps({**line, "request_id": "", "timestamp": ""}) for line in submitted}) == 1


def test_what_gunicorn_prints_is_of_workers_not_of_requests(story: Story) -> None:
    lines = [json.loads(line) for line in story.printed["stderr"].splitlines()]
    messages = [line["message"] for line in lines if line["event"] == "server"]

    assert messages
    assert [text for text in messages if not re.match(r"Worker \(pid:\d+\) was sent SIGKILL!", text)] == []
    assert story.printed["stdout"] == b""


@pytest.fixture(scope="module")
def leaking(agreed: tuple[Path, JsonObject], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    """A server that spools bodies on purpose."""
    server = WatchedServer(agreed[0], tmp_path_factory.mktemp("leaking"), "leaking")
    yield Sender(server, agreed[1])
    server.kill()


def test_the_watch_sees_a_body_that_is_spooled(leaking: Sender) -> None:
    server, text = leaking.server, json.dumps(marked("2025-10")).encode()
    temp = server.folders[1]

    def unexpected() -> list[Path]:
        return [Path(o.args[0]) for o in server.openings if not o.is_expected(server.database)]

    assert unexpected() == []
    leaking.send("spooled by Python", text, "text/html")
    server.wait_until(lambda: bool(unexpected()))
    opened_by_python = len(server.openings)
    leaking.send("spooled by Werkzeug", *multipart(text))
    server.wait_until(lambda: len(server.openings) > opened_by_python)
    leaking.send("spooled by a library", text, "application/octet-stream")

    assert str(temp / "spooled") in server.held_open()
    server.kill()
    assert all(temp in (path, path.parent) for path in unexpected())
    assert leaks(files_below(*server.folders)) == {str(temp / "spooled"): set(LONG + SHORT)}


def test_no_value_of_any_table_is_a_marker(migrated_url: str) -> None:
    small = SmallExchange(migrated_url)
    small.agree(marked_contract())

    assert small.submit("blueridge", marked("2025-01")).status_code == 201
    assert small.submit("lakeshore", marked("2025-01", rows=[])).status_code == 201
    small.wiring.database.close()

    values = values_in(migrated_url)
    assert len(values["releases.block"]) > 2000
    assert {place for place, content in values.items() if find_markers(content)} == set()
    assert [is_marked_and_noised(vectors) for vectors in released(migrated_url)].count(True) == 1
