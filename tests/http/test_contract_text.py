"""A contract in plain words, and what differs between its versions, over HTTP and on the command line."""

import json
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from api.cli import main
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange, TurnableClock, small_contract

TEXT = f"/v1/contracts/{CONTRACT}/text"
DIFFERENCES = f"/v1/contracts/{CONTRACT}/differences"


@pytest.fixture(scope="module")
def small(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """In force, with a second version drafted by the brand."""
    path = tmp_path_factory.mktemp("texts") / "parley.db"
    copyfile(sqlite_template, path)
    exchange = SmallExchange(f"sqlite:///{path}")
    agreed = exchange.agree()
    amendment = small_contract(version=2, previous_digest=agreed["digest"], title="Another <b>title</b>")
    amendment["rules"]["min_payers"] = 2
    drafted = exchange.post(BRAND, f"/v1/contracts/{CONTRACT}/versions", amendment)
    assert drafted.status_code == 201, drafted.get_json()
    yield exchange
    exchange.wiring.database.close()


def read(small: SmallExchange, name: str, accept: str | None = None, **query: Any) -> TestResponse:
    headers = small.headers(name) | ({"Accept": accept} if accept else {})
    return small.app.test_client().get(TEXT, headers=headers, query_string=query)


# --- the text


@pytest.mark.parametrize("accept", [None, "*/*", "text/*", "text/markdown", "text/html;q=0.1, text/markdown"])
def test_markdown_is_what_is_answered_unless_something_else_is_asked_for(
    small: SmallExchange, accept: str | None
) -> None:
    answered = read(small, "sierra", accept)

    assert answered.status_code == 200
    assert answered.content_type == "text/markdown; charset=utf-8"
    assert answered.headers["Vary"] == "Accept, Accept-Encoding"
    assert answered.headers["Cache-Control"] == "no-store"
    text = answered.get_data(as_text=True)
    assert text.startswith("# A small contract\n")
    assert "| status | in force |" in text
    assert "Ann of sierra" in text


@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"])
def test_a_browser_gets_a_page_that_may_load_nothing_but_its_own_style(small: SmallExchange, accept: str) -> None:
    answered = read(small, "sierra", accept)

    assert answered.content_type == "text/html; charset=utf-8"
    assert answered.get_data(as_text=True).startswith("<!DOCTYPE html>")
    policy = answered.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert answered.headers["X-Content-Type-Options"] == "nosniff"


def test_another_media_type_is_not_acceptable(small: SmallExchange) -> None:
    assert_problem(read(small, "sierra", "application/json"), 406, "not-acceptable")


def test_every_version_is_seen_by_those_who_may_see_it(small: SmallExchange) -> None:
    assert "Another &lt;b&gt;title" in read(small, BRAND, version="2").get_data(as_text=True)
    assert "Another &lt;b&gt;title" in read(small, BRAND, "text/html", version="2").get_data(as_text=True)
    assert read(small, BRAND, version="1").get_data(as_text=True).startswith("# A small contract\n")
    assert_problem(read(small, "sierra", version="2"), 404, "contract-not-found")
    assert_problem(read(small, BRAND, version="3"), 404, "contract-not-found")
    assert_problem(read(small, "foreigner"), 404, "contract-not-found")
    for wrong in ("0", "one", "1.5"):
        assert_problem(read(small, BRAND, version=wrong), 422, "input-invalid")


def test_the_text_holds_the_digest_that_was_signed(small: SmallExchange) -> None:
    digest = small.get("sierra", f"/v1/contracts/{CONTRACT}").get_json()["digest"]

    assert digest in read(small, "sierra").get_data(as_text=True)


# --- differences


def differences(small: SmallExchange, name: str, **query: Any) -> TestResponse:
    return small.get(name, DIFFERENCES, **query)


def test_versions_are_compared_term_by_term(small: SmallExchange) -> None:
    answered = differences(small, BRAND, **{"from": "1", "to": "2"}).get_json()

    assert [answered[name]["version"] for name in ("older", "newer")] == [1, 2]
    told = {each["new_pointer"]: each for each in answered["differences"]}
    assert told["/title"]["words"] == "title: Another <b>title</b> instead of A small contract"
    assert (told["/rules/min_payers"]["old"], told["/rules/min_payers"]["new"]) == (3, 2)
    assert told["/rules/min_payers"]["group"] == "access"
    assert told["/version"]["group"] == "computed"
    assert any("fills, adherence, support" in said for said in answered["consequences"])


def test_the_newest_version_and_the_one_before_are_compared_unless_others_are_named(small: SmallExchange) -> None:
    assert differences(small, BRAND).get_json() == differences(small, BRAND, **{"from": "1", "to": "2"}).get_json()
    assert differences(small, "sierra").get_json()["differences"] == []
    backwards = differences(small, BRAND, **{"from": "2", "to": "1"}).get_json()
    assert {each["new"] for each in backwards["differences"] if each["old_pointer"] == "/rules/min_payers"} == {3}


def test_a_version_that_one_may_not_see_is_compared_with_nothing(small: SmallExchange) -> None:
    assert_problem(differences(small, "sierra", **{"from": "1", "to": "2"}), 404, "contract-not-found")
    assert_problem(differences(small, "sierra", **{"from": "2"}), 404, "contract-not-found")
    assert_problem(differences(small, "foreigner"), 404, "contract-not-found")
    assert_problem(differences(small, BRAND, **{"from": "x"}), 422, "input-invalid")


# --- the command line, over HTTP


@pytest.fixture(scope="module")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Runs `parley contract ...` as the brand, against a server of two versions."""
    folder = tmp_path_factory.mktemp("served")
    copyfile(sqlite_template, folder / "parley.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    clock = TurnableClock(datetime.now(UTC))
    exchange = SmallExchange(f"sqlite:///{folder / 'parley.db'}", clock=clock, settings_changes={"PARLEY_ISSUER": url})
    agreed = exchange.agree(small_contract(expires="2099-12-31"))
    amendment = small_contract(expires="2099-12-31", version=2, previous_digest=agreed["digest"], title="Another")
    assert exchange.post(BRAND, f"/v1/contracts/{CONTRACT}/versions", amendment).status_code == 201
    (folder / "key.json").write_text(json.dumps(exchange.client_keys[BRAND]))
    server = make_server("127.0.0.1", port, exchange.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    client = {"PARLEY_URL": url, "PARLEY_CLIENT_ID": f"{BRAND}-client"}
    client["PARLEY_CLIENT_KEY_FILE"] = str(folder / "key.json")
    yield lambda *words: CliRunner().invoke(main, ["contract", *map(str, words)], env=client)
    server.shutdown()
    thread.join()
    server.server_close()
    exchange.wiring.database.close()


@pytest.mark.parametrize(("form", "first"), [("markdown", "# A small contract"), ("html", "<!DOCTYPE html>")])
def test_show_prints_the_whole_contract_in_words(served: Callable[..., Any], form: str, first: str) -> None:
    shown = served("show", CONTRACT, "--format", form)

    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith(first)
    assert "Ann of sierra" in shown.stdout


def test_what_show_prints_is_what_render_makes_of_the_download(served: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "contract.json").write_text(served("show", CONTRACT, "--json").stdout)

    assert (
        served("render", tmp_path / "contract.json").stdout == served("show", CONTRACT, "--format", "markdown").stdout
    )


def test_versions_are_compared_by_their_numbers(served: Callable[..., Any]) -> None:
    compared = served("diff", CONTRACT, "--from", 1, "--to", 2)

    assert compared.exit_code == 0, compared.output
    assert "  title: Another instead of A small contract  [/title]" in compared.stdout
    assert served("diff", CONTRACT, "--from", 1, "--to", 9).exit_code == 1
