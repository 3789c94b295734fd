"""Exact aggregates never touch a disk or a log: a real server is watched while it takes, refuses and loses them.

Two runs of one database. In the first, a draw fails with exact numbers in its error, another never ends, and the
server is killed. In the second everything else happens, and the worker is killed in the middle of a body.
"""

import gzip
import json
import re
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import pytest

from adapters.tokens import TokenSource
from contracts.parties import JsonObject
from tests.support.markers import LONG, SHORT, files_below, find_markers, leaks
from tests.support.marked_contract import (
    is_marked_and_noised,
    marked,
    marked_as_columns,
    marked_contract,
    marked_rows,
    released,
    values_in,
)
from tests.support.small_exchange import CONTRACT, SmallExchange
from tests.support.watching import Opening, WatchedServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SUBMISSIONS = f"/v1/contracts/{CONTRACT}/submissions"
LARGEST_BODY = 2_000_000
ALL_MARKERS = set(LONG) | set(SHORT)


@dataclass
class Sender:
    """A payer's client, which keeps every answer."""

    server: WatchedServer
    key: JsonObject
    name: str = "blueridge"
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    raw_answers: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_request_each = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=self.server.url, timeout=30, limits=one_request_each)
        self.tokens = TokenSource(self.http, f"{self.server.url}/oauth/token", f"{self.name}-client", self.key)

    def send(
        self, why: str, content: Any, media_type: str = "application/json", path: str = SUBMISSIONS, **headers: str
    ) -> httpx.Response:
        """content: bytes, or an iterator of them for a chunked body, or what is to be written as JSON."""
        if isinstance(content, dict | list):
            content = json.dumps(content).encode()
        headers = {"Content-Type": media_type, **headers}
        answer = self.http.post(path, content=content, headers=headers, auth=self.tokens)
        self.answers[why] = answer
        return answer

    def send_raw(self, why: str, body: bytes, *headers: str, hang_up: bool = False) -> bytes:
        """A request written by hand, and all that comes back; or half a request, and gone."""
        with self.half(body, *headers) as connection:
            if not hang_up:
                connection.shutdown(socket.SHUT_WR)
                self.raw_answers[why] = b"".join(iter(lambda: connection.recv(65536), b""))
        return self.raw_answers.get(why, b"")

    def half(self, body: bytes, *headers: str) -> socket.socket:
        """A connection on which so much of a request has been sent."""
        lines = [
            f"POST {SUBMISSIONS} HTTP/1.1",
            "Host: parley.example",
            f"Authorization: Bearer {self.tokens.token()}",
            *headers,
        ]
        connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=30)
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return connection

    def evidence(self) -> dict[str, bytes]:
        """Every answer, headers and all."""
        told = {why: f"{a.headers}".encode() + a.content for why, a in self.answers.items()}
        return {f"answer: {why}": answer for why, answer in (told | self.raw_answers).items()}


@dataclass
class Story:
    """What is left when all has happened."""

    evidence: dict[str, bytes] = field(default_factory=dict)
    unexpected: list[Opening] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    held_open: set[str] = field(default_factory=set)
    left_behind: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    raw_answers: dict[str, bytes] = field(default_factory=dict)
    log: bytes = b""
    limits: list[str] = field(default_factory=list)
    database: Path = Path()
    interrupted: JsonObject = field(default_factory=dict)


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
    database, key = agreed
    told = Story(database=database, interrupted=marked("2025-02"))
    folder = tmp_path_factory.mktemp("server")
    first = WatchedServer(database, folder, "broken-then-blocked", settings={"PARLEY_LEASE_SECONDS": "1"})
    try:
        sender = Sender(first, key)
        sender.send("a draw that fails", marked("2025-01"))
        Thread(target=send_in_vain, args=(sender, told.interrupted), daemon=True).start()
        first.wait_for_draw()
        told.held_open |= first.held_open()
        told.limits = core_limits(first)
    finally:
        first.kill()
    keep(told, "first run", first, sender)

    settings = {"PARLEY_LEASE_SECONDS": "1", "PARLEY_MAX_BODY_BYTES": str(LARGEST_BODY)}
    second = WatchedServer(database, folder, settings=settings)
    try:
        sender = Sender(second, key)
        accept(sender, told.interrupted)
        refuse(sender)
        break_off(sender, second)
        told.held_open |= second.held_open()
        told.evidence |= files_below(database.parent)  # with the write-ahead log, which a clean end empties
    finally:
        second.stop()
    keep(told, "second run", second, sender)
    told.evidence |= values_in(database)
    return told


def keep(told: Story, run: str, server: WatchedServer, sender: Sender) -> None:
    """All that this run could have said or left."""
    left = files_below(*server.folders)
    told.left_behind |= left
    told.evidence |= {f"{run}, {name}": data for name, data in (files_below(server.database.parent) | left).items()}
    told.evidence |= {f"{run}, {name}": content for name, content in server.printed.items()}
    told.evidence |= {f"{run}, {name}": answer for name, answer in sender.evidence().items()}
    told.unexpected += server.unexpected
    told.openings += server.openings
    told.answers |= sender.answers
    told.raw_answers |= sender.raw_answers
    told.log += server.printed["stderr"]


def send_in_vain(sender: Sender, body: JsonObject) -> None:
    try:
        sender.send("a draw that never ends", body)
    except httpx.HTTPError:
        return


def core_limits(server: WatchedServer) -> list[str]:
    limits = [Path(f"/proc/{pid}/limits").read_text() for pid in server.workers]
    return [line for text in limits for line in text.splitlines() if line.startswith("Max core file size")]


def in_pieces(body: JsonObject) -> Iterator[bytes]:
    text = json.dumps(body).encode()
    yield from (text[at : at + 500] for at in range(0, len(text), 500))


def accept(sender: Sender, interrupted: JsonObject) -> None:
    """As rows, as columns, in chunks, again, and again after the first run was killed."""
    rows = marked("2025-03")
    sender.send("rows", rows)
    sender.send("a replay", rows)
    sender.send("a replay with other cells", {**rows, "rows": marked_rows(units=0)})
    sender.send("columns", marked_as_columns("2025-04"))
    sender.send("chunked", in_pieces(marked("2025-05")))
    sender.send("one row", marked("2025-06", rows=marked_rows()[:1]))
    sender.send("a large body", padded("2025-07"))
    time.sleep(1.1)  # until the lease of the killed attempt is over
    sender.send("resumed", interrupted)
    sender.send("a period twice", marked("2025-03"))


def padded(period: str) -> bytes:
    return json.dumps(marked(period)).encode() + b" " * (LARGEST_BODY // 2)


def refuse(sender: Sender) -> None:
    """Markers beside, or inside, everything that is refused."""
    for why, change in {
        "a float": {"paid_cents": float(LONG[0])},
        "a fraction": {"paid_cents": LONG[0] + 0.5},
        "a negative count": {"paid_cents": -LONG[0]},
        "a broken invariant": {"paid_cents": SHORT[0], "units": LONG[0]},
        "a text": {"paid_cents": str(LONG[0])},
        "a list": {"paid_cents": [LONG[0]]},
        "a boolean": {"paid_cents": True},
        "a suppressed cell": {"paid_cents": f"<{LONG[0]}"},
        "a count too large": {"paid_cents": LONG[0] * 10**6},
        "an unknown value": {"region": str(LONG[0])},
        "a number for a value": {"region": LONG[0]},
        "an unknown field": {"surprise": LONG[0]},
        "a repeated stratum": {"age_band": "age_b"},
    }.items():
        sender.send(why, marked("2025-08", rows=marked_rows(**change)))
    for member in ("submission_id", "feed", "period", "rows", "columns", "surprise"):
        sender.send(f"a number for {member}", {**marked("2025-08"), member: LONG[0]})
        sender.send(f"a text for {member}", {**marked("2025-08"), member: str(LONG[0])})
    text = json.dumps(marked("2025-08")).encode()
    sender.send("another period", marked("2024-01"))
    sender.send("another contract", text, path="/v1/contracts/dsc-other/submissions")
    sender.send("another address", text, path="/v1/nowhere")
    sender.send("another token", text, Authorization="Bearer e30.e30.e30")
    sender.send("malformed JSON", text[:-1])
    sender.send("a name twice", text.replace(b'"units"', b'"paid_cents"', 1))
    sender.send("no UTF-8", text + b"\xff")
    sender.send("a list of numbers", LONG)
    sender.send("another media type", text, "text/csv")
    sender.send("a form", text, "application/x-www-form-urlencoded")
    sender.send("a form at the token endpoint", b"a=" + text, "application/x-www-form-urlencoded", "/oauth/token")
    for path in (SUBMISSIONS, "/oauth/token"):
        sender.send(f"a large file at {path}", *multipart(text), path=path)
    sender.send("gzip", gzip.compress(text), **{"Content-Encoding": "gzip"})
    sender.send("too large", text + b" " * LARGEST_BODY)
    sender.send("too large, in chunks", iter([text, *[b" " * 100_000] * 30]))


def multipart(text: bytes) -> tuple[bytes, str]:
    """A file part of a megabyte, which Werkzeug would spool."""
    head = b'--x\r\nContent-Disposition: form-data; name="cells"; filename="cells.json"\r\n\r\n'
    return head + text + b" " * 1_000_000 + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"


def break_off(sender: Sender, server: WatchedServer) -> None:
    """Bodies that end too soon, or go on too long, or are cut off; and the worker killed within one."""
    text = json.dumps(marked("2025-08")).encode()
    json_type, csv_type = "Content-Type: application/json", "Content-Type: text/csv"
    length, chunked = f"Content-Length: {len(text)}", "Transfer-Encoding: chunked"
    sender.send_raw("a client that leaves", text[: len(text) // 2], json_type, length, hang_up=True)
    sender.send_raw("a body that ends too soon", text[: len(text) // 2], json_type, length)
    sender.send_raw("a length understated", b"{}" + text, json_type, "Content-Length: 2")
    sender.send_raw("no chunks", text + b"\r\n", json_type, chunked)
    sender.send_raw("no chunks, unread", text + b"\r\n", csv_type, chunked)
    sender.send_raw("a header of cells", b"", json_type, f"Cells{LONG[0]}(: {LONG[1]}")
    for header in ("Content-Length", "Transfer-Encoding", "Expect"):
        sender.send_raw(f"{header} of cells", b"", json_type, f"{header}: {LONG[0]}")
    with sender.half(text[: len(text) // 2], json_type, length):
        time.sleep(0.2)
        server.kill_worker()
    sender.http.close()
    sender.__post_init__()  # the new worker has new keys
    sender.send("after the crash", marked("2025-09"))


def test_every_submission_got_the_answer_it_should(story: Story) -> None:
    accepted = ("rows", "columns", "chunked", "one row", "a large body", "resumed", "after the crash")
    assert {why: story.answers[why].status_code for why in accepted} == dict.fromkeys(accepted, 201)
    replayed = ("a replay", "a replay with other cells")
    assert {why: story.answers[why].status_code for why in replayed} == dict.fromkeys(replayed, 200)
    assert story.answers["resumed"].json()["attempts"] == 2
    refused = {why: a for why, a in story.answers.items() if why not in accepted + replayed}
    assert len(refused) > 40
    for why, answer in refused.items():
        assert answer.is_error, why
        assert answer.headers["content-type"].startswith("application/"), why
        assert answer.json()["type"].startswith("urn:parley:problem:"), why
    assert {answer.status_code for answer in refused.values()} == {400, 401, 404, 409, 413, 415, 422, 500}


def test_what_is_not_http_is_answered_with_a_problem_too(story: Story) -> None:
    for why, answer in story.raw_answers.items():
        heads = re.findall(rb"HTTP/1.1 (\d+)[^\r]*\r\n(.*?)\r\n\r\n", answer, re.DOTALL)
        assert heads, why
        for status, head in heads:
            assert 400 <= int(status) < 600, why
            assert b"application/problem+json" in head, (why, head)


def test_no_file_but_the_database_is_opened_for_writing(story: Story) -> None:
    assert story.unexpected == []
    assert any(opening.event == "sqlite3.connect" for opening in story.openings)


def test_no_file_but_the_database_is_open_while_a_submission_is_measured(story: Story) -> None:
    assert story.held_open == {f"{story.database}{suffix}" for suffix in ("", "-wal", "-shm")}


def test_nothing_is_left_in_home_temp_or_working_folder(story: Story) -> None:
    assert story.left_behind == {}


def test_no_marker_is_in_database_log_or_answer(story: Story) -> None:
    assert leaks(story.evidence) == {}


def test_the_search_went_through_what_it_should(story: Story) -> None:
    period, issued = b"2025-03", story.answers["rows"].json()["release_id"].encode()
    searched = {name for name, data in story.evidence.items() if period in data or issued in data}

    assert {f"{story.database}-wal", "submissions.period", "releases.id"} <= searched
    assert len(story.evidence["second run, stderr"]) > 5000
    assert len(story.evidence["blocks.content"]) > 5000 if "blocks.content" in story.evidence else True


def test_a_draw_that_fails_with_numbers_in_its_text_tells_nobody(story: Story) -> None:
    answer = story.answers["a draw that fails"]

    assert (answer.status_code, answer.json()["type"]) == (500, "urn:parley:problem:internal")
    assert b'"kind": "RuntimeError"' in story.log
    assert b"no noise for" not in story.log + answer.content


def test_a_worker_cannot_dump_its_core(story: Story) -> None:
    assert [re.findall(r"\d+|unlimited", line) for line in story.limits] == [["0", "0"]]
