"""The real server: what its log says of itself and of what it cannot read, and what no header may change."""

import json
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import copyfile
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from api.cli import main
from api.server import try_out
from api.settings import SettingsInvalid
from contracts.parties import JsonObject
from tests.support.live_server import LiveServer, live_server, wait_until
from tests.support.small_exchange import SmallExchange, server_keys

LINE_BYTES_MAX = 8190


@pytest.fixture(scope="module")
def live(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("serving")
    copyfile(sqlite_template, folder / "parley.db")
    small = SmallExchange(f"sqlite:///{folder / 'parley.db'}", settings_changes=server_keys())
    with live_server(small, folder / "log", PARLEY_LOG_LEVEL="info") as live:
        yield live
    small.wiring.database.close()


def events(live: LiveServer, name: str) -> list[JsonObject]:
    """Lines of the log, without their time."""
    lines = [json.loads(line) for line in live.log.splitlines() if line.startswith("{")]
    return [
        {key: value for key, value in line.items() if key != "timestamp"} for line in lines if line["event"] == name
    ]


def over_the_wire(live: LiveServer, request: bytes) -> bytes:
    """All that is answered."""
    where = urlsplit(live.address)
    with socket.create_connection((where.hostname, where.port), 10) as connection:
        connection.sendall(request)
        return b"".join(iter(partial(connection.recv, 65536), b""))


@pytest.mark.parametrize(
    "header",
    [
        "SCRIPT_NAME: /healthz",
        "Script_Name: /other",
        "PATH_INFO: /readyz",
        "X-Forwarded-Protocol: ssl\r\nX-Forwarded-Proto: http",
        "X-Forwarded-Prefix: /healthz",
    ],
)
def test_no_header_changes_which_address_was_asked_for(live: LiveServer, header: str) -> None:
    request = f"GET /healthz HTTP/1.1\r\nHost: a\r\n{header}\r\nConnection: close\r\n\r\n"

    answered = over_the_wire(live, request.encode())

    assert answered.startswith(b"HTTP/1.1 200 ")
    assert b'"ok"' in answered


def test_of_the_rest_of_a_body_the_log_tells_neither_what_nor_how_long_it_was(live: LiveServer) -> None:
    before = len(events(live, "unreadable"))
    form = b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    answers = [
        over_the_wire(live, form + b"Content-Length: 2\r\n\r\nab" + b"1" * more + b"\r\n\r\n")
        for more in (10, LINE_BYTES_MAX + 10)
    ]

    assert [answer.rpartition(b"HTTP/1.1 ")[2][:3] for answer in answers] == [b"400", b"414"]
    short, long = events(live, "unreadable")[before:]
    assert short == long == {"event": "unreadable", "level": "warning"}


def test_the_log_says_which_process_signals_are_for_and_which_keys_were_taken(live: LiveServer) -> None:
    assert events(live, "serving") == [{"event": "serving", "level": "info", "pid": live.process.pid}]
    published = {
        name: [key["kid"] for key in live.get(f"/.well-known/{path}").json()["keys"]]
        for name, path in {"token_keys": "jwks.json", "receipt_keys": "parley-receipt-keys.json"}.items()
    }

    live.signal(signal.SIGHUP)

    wait_until(lambda: bool(events(live, "settings taken")))
    assert events(live, "settings taken") == [{"event": "settings taken", "level": "info", **published}]
    assert len(events(live, "serving")) == 1


def test_an_exchange_whose_witness_has_no_folder_does_not_start(migrated_sqlite_url: str, tmp_path: Path) -> None:
    small = SmallExchange(migrated_sqlite_url)
    witness = tmp_path / "not-mounted" / "witness"

    with pytest.raises(SettingsInvalid, match="PARLEY_WITNESS: the folder of this file is not there"):
        try_out(replace(small.settings, witness=str(witness)))

    refused = CliRunner().invoke(main, ["serve"], env={**small.environ, "PARLEY_WITNESS": str(witness)})
    assert refused.exit_code == 1
    assert "PARLEY_WITNESS: the folder of this file is not there" in refused.stderr
    witness.parent.mkdir()
    assert set(try_out(replace(small.settings, witness=str(witness)))) == {"token_keys", "receipt_keys"}
