"""`parley doctor` on a real server: it tells a proxy that collects bodies from one that passes them on."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from api.auth.keys import new_private_jwk
from api.cli import main
from api.demo.server_process import running_server
from api.doctor.buffering import check_buffering, no_address
from api.doctor.findings import Finding, Status
from api.doctor.witness import check_lasting

Handler = Callable[[socket.socket, int], None]
PATIENCE_SECONDS = 2.0


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copyfile(sqlite_template, folder / "parley.db")
    with running_server(f"sqlite:///{folder / 'parley.db'}", folder / "log") as address:
        yield address


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes until it ends."""
    try:
        while part := source.recv(65536):
            sink.sendall(part)
    except OSError:
        pass


def passing_on(client: socket.socket, port: int) -> None:
    """A proxy that streams."""
    with socket.create_connection(("127.0.0.1", port)) as upstream:
        upwards = Thread(target=pump, args=(client, upstream), daemon=True)
        upwards.start()
        pump(upstream, client)
        client.shutdown(socket.SHUT_RDWR)
        upwards.join()


def collecting(client: socket.socket, port: int) -> None:
    """A proxy that waits for the whole body, as nginx does unless told otherwise."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    (length,) = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while len(body) < length:
        body += client.recv(65536)
    with socket.create_connection(("127.0.0.1", port)) as upstream:
        upwards = Thread(target=upstream.sendall, args=(head + b"\r\n\r\n" + body,), daemon=True)
        upwards.start()
        pump(upstream, client)


def refusing(client: socket.socket, _: int) -> None:
    """Something else, which refuses in its own words."""
    client.recv(65536)
    client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def silent(client: socket.socket, _: int) -> None:
    """Reads and never answers."""
    while client.recv(65536):
        pass


@contextmanager
def in_front_of(address: str, handle: Handler) -> Iterator[str]:
    """The address of a proxy before the server."""
    port = urlsplit(address).port
    assert port is not None
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    try:
                        handle(client, port)
                    except OSError:
                        continue

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def checked(url: str) -> Finding:
    (finding,) = check_buffering(url, patience_seconds=PATIENCE_SECONDS)
    return finding


def test_the_server_itself_answers_before_a_body_is_there(server: str) -> None:
    assert checked(server).status is Status.OK


def test_a_proxy_that_streams_is_fine(server: str) -> None:
    with in_front_of(server, passing_on) as url:
        assert checked(url).status is Status.OK


@pytest.mark.slow
def test_a_proxy_that_collects_bodies_is_a_problem(server: str) -> None:
    with in_front_of(server, collecting) as url:
        found = checked(url)

    assert found.status is Status.PROBLEM
    assert "proxy_request_buffering off" in found.what_to_do


@pytest.mark.parametrize("handle", [refusing, silent], ids=["another", "silent"])
def test_what_is_not_the_exchange_is_not_checked(server: str, handle: Handler) -> None:
    with in_front_of(server, handle) as url:
        assert checked(url).status is Status.NOT_CHECKED


def test_a_password_in_the_address_is_neither_shown_nor_sent(server: str) -> None:
    received = []

    def listening(client: socket.socket, _: int) -> None:
        received.append(client.recv(65536))

    with in_front_of(server, listening) as url:
        shown = [checked(url.replace("//", "//user:hunter2@")), checked("//user:hunter2@127.0.0.1:1")]
    shown.append(checked(server.replace("//", "//user:hunter2@")))

    assert shown[2].status is Status.OK
    assert received
    assert "hunter2" not in f"{shown}{received}"


def test_without_an_exchange_nothing_is_checked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "https://127.0.0.1:1", "http://", "x"):
        assert checked(url).status is Status.NOT_CHECKED
    assert [finding.status for finding in no_address()] == [Status.NOT_CHECKED]


# --- the command


@pytest.fixture
def environ(migrated_sqlite_url: str, tmp_path: Path) -> dict[str, str | None]:
    """Settings of production, but for what a test changes; no address, so that nobody is called."""
    found: dict[str, str | None] = {
        "PARLEY_ENVIRONMENT": "production",
        "PARLEY_DATABASE_URL": migrated_sqlite_url,
        "PARLEY_WITNESS": str(tmp_path / "elsewhere" / "witness"),
        "PARLEY_ISSUER": "https://127.0.0.1:1",
    }
    (tmp_path / "elsewhere").mkdir()
    for use in ("token", "receipt"):
        out = tmp_path / f"{use}.json"
        assert CliRunner().invoke(main, ["keys", "new", "--use", use, "--out", str(out)]).exit_code == 0
        found[f"PARLEY_{use.upper()}_KEY_FILE"] = str(out)
    return found


def test_the_command_tells_every_family_of_checks_and_ends_as_it_found(environ: dict[str, str | None]) -> None:
    answered = CliRunner().invoke(main, ["doctor", "--json"], env=environ)

    told = json.loads(answered.stdout)
    families = {finding["check"] for finding in told["findings"]}
    assert families >= {"swap", "core dumps", "body buffering", "clock", "schema", "secrets", "noise", "witness"}
    # What this very machine is like decides on swap alone, and on whether the test's own folder is in memory.
    problems = {finding["check"] for finding in told["findings"] if finding["status"] == "problem"}
    assert problems <= {"swap", *(finding.check for finding in check_lasting(Path(str(environ["PARLEY_WITNESS"]))))}
    assert told["healthy"] is (not problems)
    assert answered.exit_code == (1 if problems else 0)


def test_a_problem_ends_the_command_with_1_and_says_what_to_do(environ: dict[str, str | None]) -> None:
    answered = CliRunner().invoke(main, ["doctor"], env=environ | {"FLASK_DEBUG": "1"})

    assert answered.exit_code == 1
    assert "problem      debug: FLASK_DEBUG is on" in answered.stdout
    assert "Unset FLASK_DEBUG." in answered.stdout
    assert "found." in answered.stderr


@pytest.mark.slow
def test_no_secret_is_ever_shown(environ: dict[str, str | None]) -> None:
    key = new_private_jwk("ES256")
    secrets = {"PARLEY_TOKEN_KEY": json.dumps(key), "PARLEY_RECEIPT_KEY": json.dumps(key)}
    url = "postgresql+psycopg://parley:hunter2-password@127.0.0.1:1/parley"

    answered = CliRunner().invoke(main, ["doctor", "--json"], env=environ | secrets | {"PARLEY_DATABASE_URL": url})

    assert answered.exit_code == 1
    assert key["d"] not in answered.output
    assert "hunter2" not in answered.output
    assert "are signed with one key" in answered.stdout
