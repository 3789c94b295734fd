"""The small contract in force on a real server, with exact numbers posted, and a console for each of its parties."""

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from werkzeug.serving import make_server

from contracts.parties import JsonObject
from tests.http.test_cli import Console
from tests.support.small_exchange import NoNoise, SmallExchange, TurnableClock


class RunningClock(TurnableClock):
    """That of this machine, as those who call a real server have it."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@contextmanager
def small_server(
    template: Path, folder: Path, document: JsonObject, posted: list[tuple[str, JsonObject]]
) -> Iterator[Console]:
    """template: a migrated database. posted: submissions, each with its provider. No noise is added."""
    shutil.copyfile(template, folder / "parley.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    small = SmallExchange(
        f"sqlite:///{folder / 'parley.db'}",
        noise=NoNoise(),
        clock=RunningClock(),
        settings_changes={"PARLEY_ISSUER": url},
    )
    small.agree(document)
    for name, body in posted:
        answered = small.submit(name, body)
        assert answered.status_code == 201, answered.get_json()
    for name, key in small.client_keys.items():
        path = folder / f"{name}-client.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(key))
    server = make_server("127.0.0.1", port, small.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Console(folder, {"PARLEY_URL": url, "PARLEY_PROFILES_FILE": str(folder / "none.toml")})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        small.wiring.database.close()
