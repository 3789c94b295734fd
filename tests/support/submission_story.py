"""What happens to submissions in a day: taken, refused, replayed, broken off, killed half-way. On a watched server.

Two runs of one database. In the first, a draw fails with exact numbers in its text, another never ends, and the
server is killed. In the second everything else happens, and the worker is killed in the middle of a body.
"""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, Final

import httpx

from contracts.parties import JsonObject
from tests.support.marked_contract import marked, marked_as_columns, marked_rows, values_in
from tests.support.markers import LONG, SHORT, files_below
from tests.support.sending import SUBMISSIONS, Sender
from tests.support.table_bodies import ARROW, CSV, PARQUET, TABLES, faulty_tables, posted_to, zstd
from tests.support.watching import Opening, WatchedServer

LARGEST_BODY: Final = 2_000_000
JSON: Final = "Content-Type: application/json"
GZIP: Final = {"Content-Encoding": "gzip"}
ZSTD: Final = {"Content-Encoding": "zstd"}


@dataclass
class Story:
    """What is left when all has happened. evidence: all bytes that could hold a cell, by where they were found."""

    database: Path
    evidence: dict[str, bytes] = field(default_factory=dict)
    openings: list[Opening] = field(default_factory=list)
    held_open: set[str] = field(default_factory=set)
    left_behind: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    raw_answers: dict[str, bytes] = field(default_factory=dict)
    printed: dict[str, bytes] = field(default_factory=lambda: {"stdout": b"", "stderr": b""})
    core_limits: list[tuple[str, str]] = field(default_factory=list)


def tell_story(database: Path, key: JsonObject, folder: Path) -> Story:
    """database: with the marked contract in force. key: of a payer's client. folder: for the server to live in."""
    told, interrupted = Story(database), marked("2025-02")
    first = WatchedServer(database, folder, "broken-then-blocked", settings={"PARLEY_LEASE_SECONDS": "1"})
    try:
        sender = Sender(first, key)
        sender.send("a draw that fails", marked("2025-01"))
        Thread(target=send_in_vain, args=(sender, interrupted), daemon=True).start()
        first.wait_for_draw()
        told.held_open |= first.held_open()
        told.core_limits = [core_limits(pid) for pid in first.workers]
    finally:
        first.kill()
    keep(told, "first run", first, sender)

    settings = {"PARLEY_LEASE_SECONDS": "1", "PARLEY_MAX_BODY_BYTES": str(LARGEST_BODY)}
    second = WatchedServer(database, folder, settings=settings)
    try:
        sender = Sender(second, key)
        accept(sender, interrupted)
        refuse(sender)
        break_off(sender)
        with half_a_body(sender):
            told.held_open |= second.held_open()
            second.kill_worker()
        sender.start_anew()
        sender.send("after the crash", marked("2025-09"))
        sender.send("CSV", TABLES[CSV](marked_as_columns("2025-08")["columns"]), CSV, posted_to(marked("2025-08")))
        told.evidence |= files_below(database.parent)  # with the write-ahead log, which a clean end empties
    finally:
        second.stop()
    keep(told, "second run", second, sender)
    told.evidence |= values_in(f"sqlite:///{database}")
    return told


def keep(told: Story, run: str, server: WatchedServer, sender: Sender) -> None:
    """All that this run could have said or left."""
    left = files_below(*server.folders)
    told.left_behind |= left
    found = files_below(server.database.parent) | left | server.printed | sender.evidence()
    told.evidence |= {f"{run}, {place}": content for place, content in found.items()}
    told.openings += server.openings
    told.answers |= sender.answers
    told.raw_answers |= sender.raw_answers
    told.printed = {name: told.printed[name] + content for name, content in server.printed.items()}


def send_in_vain(sender: Sender, body: JsonObject) -> None:
    try:
        sender.send("a draw that never ends", TABLES[PARQUET](columns_of(body)), PARQUET, posted_to(body))
    except httpx.HTTPError:
        return


def columns_of(body: JsonObject) -> dict[str, list[Any]]:
    return {name: [row[name] for row in body["rows"]] for name in body["rows"][0]}


def core_limits(pid: int) -> tuple[str, str]:
    """How large a core dump may become, and what of the memory it would hold."""
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    size = next(line.split()[4] for line in limits if line.startswith("Max core file size"))
    return size, Path(f"/proc/{pid}/coredump_filter").read_text().strip()


def in_pieces(body: JsonObject) -> Iterator[bytes]:
    text = json.dumps(body).encode()
    yield from (text[at : at + 500] for at in range(0, len(text), 500))


def accept(sender: Sender, interrupted: JsonObject) -> None:
    """As rows, as columns, in chunks, compressed, as tables, again, and again after the first run was killed: then as a
    table, and now as rows."""
    rows = marked("2025-03")
    sender.send("rows", rows)
    sender.send("a replay", rows)
    sender.send("a replay with other cells", {**rows, "rows": marked_rows(units=0)})
    sender.send("columns", marked_as_columns("2025-04"))
    sender.send("chunked", in_pieces(marked("2025-05")))
    sender.send("one row", marked("2025-06", rows=marked_rows()[:1]))
    sender.send("a large body", padded("2025-07"))
    sender.send("gzip", gzip.compress(json.dumps(marked("2025-10")).encode()), **GZIP)
    cells = marked_as_columns("2025-11")["columns"]
    sender.send("Parquet", zstd(TABLES[PARQUET](cells)), PARQUET, posted_to(marked("2025-11")), **ZSTD)
    sender.send("Arrow", gzip.compress(TABLES[ARROW](cells)), ARROW, posted_to(marked("2025-12")), **GZIP)
    time.sleep(1.1)  # until the lease of the killed attempt is over
    sender.send("resumed", interrupted)
    sender.send("a period twice", marked("2025-03"))


def padded(period: str) -> bytes:
    """A million bytes more than it needs."""
    return json.dumps(marked(period)).encode() + b" " * (LARGEST_BODY // 2)


def refuse(sender: Sender) -> None:
    """Markers beside, or inside, everything that is refused."""
    changes: dict[str, dict[str, Any]] = {
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
    }
    for why, change in changes.items():
        sender.send(why, marked("2025-08", rows=marked_rows(**change)))
    for member in ("submission_id", "feed", "period", "rows", "columns", "surprise"):
        sender.send(f"a number for {member}", {**marked("2025-08"), member: LONG[0]})
        sender.send(f"a text for {member}", {**marked("2025-08"), member: str(LONG[0])})
    refuse_tables(sender)
    text = json.dumps(marked("2025-08")).encode()
    sender.send("another period", marked("2024-01"))
    sender.send("another contract", text, path="/v1/contracts/dsc-other/submissions")
    sender.send("another address", text, path="/v1/nowhere")
    sender.send("another token", text, Authorization="Bearer e30.e30.e30")
    sender.send("malformed JSON", text[:-1])
    sender.send("a name twice", text.replace(b'"units"', b'"paid_cents"', 1))
    sender.send("no UTF-8", text + b"\xff")
    sender.send("a list of numbers", LONG)
    sender.send("another media type", text, "text/html")
    sender.send("a form", text, "application/x-www-form-urlencoded")
    sender.send("a form at the token endpoint", b"a=" + text, "application/x-www-form-urlencoded", "/oauth/token")
    for path in (SUBMISSIONS, "/oauth/token"):
        sender.send(f"a large file at {path}", *multipart(text), path=path)
    sender.send("another encoding", text, **{"Content-Encoding": "br"})
    sender.send("gzip that is none", text, **GZIP)
    sender.send("gzip that ends too soon", gzip.compress(text)[:-9], **GZIP)
    sender.send("gzip of too much", gzip.compress(text + b" " * LARGEST_BODY), **GZIP)
    sender.send("too large", text + b" " * LARGEST_BODY)
    sender.send("too large, in chunks", iter([text, *[b" " * 100_000] * 30]))


def refuse_tables(sender: Sender) -> None:
    """Every format with markers in what is wrong with it, whole and cut off, and by zstd that ends too soon."""
    cells, address = marked_as_columns("2025-08")["columns"], posted_to(marked("2025-08"))
    for media_type, write in TABLES.items():
        for why, changed in faulty_tables(cells, LONG[0]).items():
            sender.send(f"{why} in {media_type}", write(changed), media_type, address)
        table = write(cells)
        sender.send(f"half of {media_type}", table[: len(table) // 2] + b'"', media_type, address)
        sender.send(f"half of {media_type} by zstd", zstd(table)[:-9], media_type, address, **ZSTD)
        sender.send(f"a number in the query of {media_type}", table, media_type, f"{address}&surprise={LONG[0]}")
        sender.send(f"{media_type} as another", table, PARQUET if media_type == CSV else CSV, address)


def multipart(text: bytes) -> tuple[bytes, str]:
    """A file part of a megabyte, which Werkzeug would spool."""
    head = b'--x\r\nContent-Disposition: form-data; name="cells"; filename="cells.json"\r\n\r\n'
    return head + text + b" " * 1_000_000 + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"


def break_off(sender: Sender) -> None:
    """Bodies that end too soon, or go on too long, and what is no HTTP at all."""
    text = json.dumps(marked("2025-08")).encode()
    length, chunked = f"Content-Length: {len(text)}", "Transfer-Encoding: chunked"
    half_a_body(sender).close()
    sender.send_raw("a body that ends too soon", text[: len(text) // 2], JSON, length)
    sender.send_raw("a length understated", b"{}" + text, JSON, "Content-Length: 2")
    sender.send_raw("no chunks", text + b"\r\n", JSON, chunked)
    sender.send_raw("no chunks, unread", text + b"\r\n", "Content-Type: text/html", chunked)
    sender.send_raw("a header of cells", b"", JSON, f"Cells{LONG[0]}(: {LONG[1]}")
    for header in ("Content-Length", "Transfer-Encoding", "Expect"):
        sender.send_raw(f"{header} of cells", b"", JSON, f"{header}: {LONG[0]}")


def half_a_body(sender: Sender) -> socket.socket:
    """A connection on which the rest of a body is awaited."""
    text = json.dumps(marked("2025-08")).encode()
    connection = sender.open_raw(text[: len(text) // 2], JSON, f"Content-Length: {len(text)}")
    time.sleep(0.2)  # until the server waits for more
    return connection
