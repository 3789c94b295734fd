"""Measured at source: the provider draws by the signed plan and posts the release; the exchange never sees a cell."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import jsonschema
import pytest
from werkzeug.serving import make_server

from adapters.blocks import ArrowBlockFormat
from adapters.cells.rows import from_rows
from api.auth.keys import new_private_jwk
from contracts.drafting.plans import MAX_DRAWS
from contracts.parties import JsonObject
from contracts.submissions.measuring import draw_at_source, get_due_period
from contracts.submissions.source_releases import MAX_NOISY
from privacy.arrays import Vector
from privacy.mechanism import DiscreteGaussian, NoiseSource
from tests.http.answers import FILLS, answer, fills_rows, table, totals, values
from tests.http.test_bad_input import assert_problem
from tests.http.test_cli import Console, csv_text
from tests.support.markers import LONG, files_below, find_markers, leaks
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    PAYERS,
    NoNoise,
    SmallExchange,
    TurnableClock,
    adherence_feed,
    fills,
    fills_feed,
    fills_row,
    public,
    small_contract,
    support_feed,
)

ROWS = fills_rows(0, 0)


def source_contract(**changes: Any) -> JsonObject:
    """The small contract, in which the payers draw the noise of their fills themselves."""
    return small_contract(feeds=[fills_feed(measured="source"), adherence_feed(), support_feed()], **changes)


@pytest.fixture
def agreed(migrated_url: str) -> Iterator[SmallExchange]:
    """It is in force, on each database in turn."""
    small = SmallExchange(migrated_url)
    small.agree(source_contract())
    yield small
    small.wiring.database.close()


def drawn(
    small: SmallExchange,
    name: str = "blueridge",
    rows: list[Any] = ROWS,
    period: str = "2025-01",
    noise: NoiseSource | None = None,
) -> JsonObject:
    """What a payer draws on its premises from the contract as it downloads it."""
    contract = dict(small.get(name, f"/v1/contracts/{CONTRACT}").get_json())
    own_key = public(small.signing_keys[name])
    due = get_due_period(contract, "fills", period, trusted=own_key, now=small.clock.now())
    return draw_at_source(due, from_rows(rows, due.feed), str(uuid4()), noise=noise or DiscreteGaussian())


def noisy(body: JsonObject) -> dict[str, list[int]]:
    draws = body["release"]["draws"]
    return {f"{draw['measure']}@{','.join(draw['margin'])}": draw["noisy"] for draw in draws}


def stored(small: SmallExchange, release_id: str) -> dict[str, Vector]:
    with small.wiring.database.reading() as stores:
        return ArrowBlockFormat().decode(stores.releases.get_blocks([release_id])[release_id])


def test_a_release_is_debited_by_its_plan_and_stored_as_it_was_drawn(agreed: SmallExchange) -> None:
    body = drawn(agreed)

    answered = agreed.submit("blueridge", body)

    receipt = answered.get_json()
    plan = agreed.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()["document"]["feeds"][0]["plan"]
    assert answered.status_code == 201
    assert (receipt["measured"], receipt["attempts"], receipt["replayed"]) == ("source", 1, False)
    assert receipt["debited"]["rho_nano"] == receipt["charged"]["rho_nano"] == plan["charge_nano"]
    assert {name: list(vector) for name, vector in stored(agreed, receipt["release_id"]).items()} == noisy(body)
    entry = agreed.ledger("blueridge")["entries"][-1]
    assert entry["submission_id"] == body["submission_id"]
    assert entry["event"]["draws"] == plan["draws"]
    assert entry["event"]["measured"] == "source"


@pytest.mark.slow
def test_it_costs_what_a_feed_costs_that_the_exchange_measures(agreed: SmallExchange) -> None:
    agreed.agree(small_contract(id="dsc-exchange"))
    months = [f"2025-{month:02}" for month in range(1, 13)]
    for month in months:
        assert agreed.submit("blueridge", drawn(agreed, period=month)).status_code == 201
    for month in months:
        assert agreed.submit("blueridge", fills(month), "dsc-exchange").status_code == 201

    debits = [entry for entry in agreed.ledger("blueridge")["entries"] if entry["kind"] == "debit"]

    here, there = ([e for e in debits if e["contract_id"] == name] for name in (CONTRACT, "dsc-exchange"))
    assert [entry["increment"] for entry in here] == [entry["increment"] for entry in there]
    assert {entry["event"]["measured"] for entry in here} == {"source"}
    assert {entry["event"]["measured"] for entry in there} == {"exchange"}
    assert len(here) == len(there) == 12


@pytest.mark.slow
def test_answers_from_it_are_right_and_say_that_it_was_measured_at_source(agreed: SmallExchange) -> None:
    for (name, month), rows in FILLS.items():
        body = drawn(agreed, name, rows, month, noise=NoNoise())
        assert agreed.submit(name, body).status_code == 201

    by_region = answer(agreed, "counts", feed="fills", by="region,month", measures="members")
    rate = answer(agreed, "pdc_pooled", by="sex")

    expected = totals(FILLS, "members", by=("region", "month"))
    assert values(by_region) == pytest.approx(expected, abs=1e-6)
    assert all(row["interval"]["lower"] < row["value"] < row["interval"]["upper"] for row in by_region["rows"])
    covered, treated = (totals(FILLS, measure, by=("sex",)) for measure in ("days_covered", "treatment_days"))
    assert values(rate) == pytest.approx({key: covered[key] / treated[key] for key in covered}, abs=1e-6)
    for answered in (by_region, rate):
        assert "measured_at_source" in answered["labels"]


def test_real_noise_stays_within_what_the_plan_says(agreed: SmallExchange) -> None:
    for name in PAYERS:
        assert agreed.submit(name, drawn(agreed, name)).status_code == 201

    counted = answer(agreed, "counts", feed="fills", by="region", measures="members", periods="2025-01")

    exact = totals({(name, "2025-01"): ROWS for name in PAYERS}, "members", by=("region",))
    for key, row in table(counted).items():
        half = (row["interval"]["upper"] - max(row["interval"]["lower"], 0)) / 2
        # Half-widths of 95% are 1.96 sd: beyond seven of them lies less than 1e-40.
        assert abs(row["value"] - exact[key]) < 7 * half


def test_answers_from_feeds_that_the_exchange_measures_do_not_say_so(agreed: SmallExchange) -> None:
    for name in PAYERS:
        assert agreed.submit(name, fills("2025", [], feed="adherence")).status_code == 201

    assert "measured_at_source" not in answer(agreed, "counts", feed="adherence")["labels"]


# --- cells and releases, each in their place


@pytest.mark.parametrize(
    "cells",
    [{"rows": ROWS}, {"rows": []}, {"rows": ["nonsense"]}, {"columns": {"members": [1.5]}}],
    ids=["good rows", "no rows", "nonsense", "columns"],
)
def test_exact_cells_are_refused_without_a_look_and_leave_nothing_behind(
    agreed: SmallExchange, cells: JsonObject
) -> None:
    before = agreed.traces()

    body = {"submission_id": str(uuid4()), "feed": "fills", "period": "2025-01", **cells}
    answered = agreed.submit("blueridge", body)

    assert_problem(answered, 422, "measured-at-source")
    assert "errors" not in answered.get_json()
    assert "parley measure" in answered.get_json()["detail"]
    assert agreed.traces() == before
    assert agreed.submit("blueridge", drawn(agreed)).status_code == 201


def test_no_file_of_the_exchange_holds_a_cell_that_was_posted_by_mistake(
    migrated_sqlite_url: str, tmp_path: Path
) -> None:
    small = SmallExchange(migrated_sqlite_url)
    small.agree(source_contract())

    answered = small.submit("blueridge", fills(rows=[fills_row(members=LONG[0], days_covered=LONG[1])]))

    assert_problem(answered, 422, "measured-at-source")
    small.wiring.database.close()
    assert leaks(files_below(tmp_path) | {"answer": answered.data}) == {}


def test_a_release_is_refused_where_the_contract_trusts_the_exchange_alone(agreed: SmallExchange) -> None:
    before = agreed.traces()

    answered = agreed.submit("blueridge", drawn(agreed) | {"feed": "adherence", "period": "2025"})

    assert_problem(answered, 422, "measured-in-exchange")
    assert agreed.traces() == before


@pytest.mark.parametrize("form", ["rows", "columns"])
def test_cells_and_a_release_together_are_refused(agreed: SmallExchange, form: str) -> None:
    answered = agreed.submit("blueridge", drawn(agreed) | {form: [] if form == "rows" else {}})

    assert_problem(answered, 422, "input-invalid", "", "field_invalid")


# --- what a release must be like

Change = Callable[[JsonObject], object]


def first(**members: Any) -> Change:
    return lambda release: release["draws"][0].update(members)


def entry(value: Any) -> Change:
    def change(release: JsonObject) -> None:
        release["draws"][1]["noisy"][0] = value

    return change


FAULTY: dict[str, tuple[Change, str, str]] = {
    "another contract": (lambda r: r.update(contract_digest="0" * 64), "/contract_digest", "contract_differs"),
    "another generation": (lambda r: r.update(generation="0" * 64), "/generation", "generation_differs"),
    "another measure": (first(measure="stays"), "/draws/0/measure", "plan_differs"),
    "another margin": (first(margin=["sex"]), "/draws/0/margin", "plan_differs"),
    "a smaller sigma": (first(sigma="0.5"), "/draws/0/sigma", "plan_differs"),
    "sigma written in another way": (lambda r: r["draws"][0].update(sigma=r["draws"][0]["sigma"] + "0"),
                                     "/draws/0/sigma", "plan_differs"),
    "a smaller sensitivity": (first(l2_squared=0), "/draws/0/l2_squared", "plan_differs"),
    "a smaller charge": (first(charge_nano=1), "/draws/0/charge_nano", "plan_differs"),
    "draws in another order": (lambda r: r["draws"].reverse(), "/draws/0/measure", "plan_differs"),
    "no draws": (lambda r: r["draws"].clear(), "/draws", "draw_missing"),
    "a draw left out at the end": (lambda r: r["draws"].pop(), "/draws", "draw_missing"),
    "a draw too many": (lambda r: r["draws"].append(r["draws"][0]), "/draws/{draws}", "draw_unknown"),
    "a vector too short": (lambda r: r["draws"][0]["noisy"].pop(), "/draws/0/noisy", "vector_length"),
    "a vector too long": (lambda r: r["draws"][0]["noisy"].append(0), "/draws/0/noisy", "vector_length"),
    "a number for a vector": (first(noisy=4), "/draws/0/noisy", "vector_length"),
    "a fraction": (entry(1.5), "/draws/1/noisy/0", "not_an_integer"),
    "a whole number as a fraction": (entry(1.0), "/draws/1/noisy/0", "not_an_integer"),
    "a boolean": (entry(True), "/draws/1/noisy/0", "not_an_integer"),
    "a text": (entry("1"), "/draws/1/noisy/0", "not_an_integer"),
    "null": (entry(None), "/draws/1/noisy/0", "not_an_integer"),
    "a list": (entry([1]), "/draws/1/noisy/0", "not_an_integer"),
    "too large a number": (entry(MAX_NOISY + 1), "/draws/1/noisy/0", "entry_too_large"),
    "too small a number": (entry(-MAX_NOISY - 1), "/draws/1/noisy/0", "entry_too_large"),
    "more than 64 bits": (entry(2**63), "/draws/1/noisy/0", "entry_too_large"),
}  # fmt: skip
UNREADABLE: dict[str, tuple[Change, str]] = {
    "no digest": (lambda r: r.pop("contract_digest"), "/contract_digest"),
    "no draws": (lambda r: r.pop("draws"), "/draws"),
    "an exact table beside it": (lambda r: r.update(exact=[1]), "/exact"),
    "no sigma": (lambda r: r["draws"][0].pop("sigma"), "/draws/0/sigma"),
    "no vector": (lambda r: r["draws"][0].pop("noisy"), "/draws/0/noisy"),
    "null for a vector": (first(noisy=None), "/draws/0/noisy"),
    "more draws than any plan has": (lambda r: r.update(draws=[{}] * (MAX_DRAWS + 1)), "/draws"),
    "an exact vector beside it": (first(exact=[1]), "/draws/0/exact"),
    "a charge that is true": (first(charge_nano=True), "/draws/0/charge_nano"),
    "a margin as a text": (first(margin="region"), "/draws/0/margin"),
}


def test_each_thing_wrong_with_a_release_is_named_and_nothing_is_debited(agreed: SmallExchange) -> None:
    right, before = drawn(agreed), agreed.traces()
    for what, (change, pointer, fault) in FAULTY.items():
        body = deepcopy(right)
        change(body["release"])
        place = f"/release{pointer}".format(draws=len(right["release"]["draws"]))
        assert_problem(agreed.submit("blueridge", body), 422, "release-invalid", place, fault)
        assert agreed.traces() == before, what

    assert agreed.submit("blueridge", right).status_code == 201


def test_a_release_of_another_form_is_refused_at_the_door(agreed: SmallExchange) -> None:
    right, before = drawn(agreed), agreed.traces()
    for what, (change, pointer) in UNREADABLE.items():
        body = deepcopy(right)
        change(body["release"])
        answered = agreed.submit("blueridge", body)
        assert_problem(answered, 422, "input-invalid", f"/release{pointer}", "field_invalid")
        assert agreed.traces() == before, what
    assert_problem(agreed.submit("blueridge", right | {"release": None}), 422, "input-invalid", "/release")


def test_the_schema_of_the_feed_is_that_of_its_releases(agreed: SmallExchange) -> None:
    schema = agreed.get("blueridge", f"/v1/contracts/{CONTRACT}/feeds/fills/schema").get_json()
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    right = drawn(agreed)

    validator.validate(right)
    assert not validator.is_valid(fills())
    for what, (change, pointer, _) in FAULTY.items():
        body = deepcopy(right)
        change(body["release"])
        # JSON Schema takes 1.0 for a whole number, and the digest is no part of it.
        assert validator.is_valid(body) == (what == "a whole number as a fraction" or pointer == "/contract_digest"), (
            what
        )


def test_the_largest_entries_are_taken(agreed: SmallExchange) -> None:
    body = drawn(agreed)
    body["release"]["draws"][0]["noisy"][:2] = [MAX_NOISY, -MAX_NOISY]

    assert agreed.submit("blueridge", body).status_code == 201


def test_the_same_things_are_asked_of_who_posts_a_release_as_of_who_posts_cells(agreed: SmallExchange) -> None:
    body = drawn(agreed)

    assert_problem(agreed.submit(BRAND, body), 403, "not-the-provider")
    assert_problem(agreed.submit("foreigner", body), 404, "contract-not-found")
    assert_problem(agreed.submit("blueridge", body | {"period": "2026-01"}), 422, "period-outside-contract")
    assert_problem(agreed.submit("blueridge", body | {"restatement": 1}), 422, "restatement-not-planned")


# --- replay and resume


def test_a_replay_returns_the_first_receipt_whatever_was_drawn_since(agreed: SmallExchange) -> None:
    body = drawn(agreed)
    receipt = agreed.submit("blueridge", body).get_json()
    before = agreed.traces()

    for again in (body, body | {"release": drawn(agreed)["release"]}):
        answered = agreed.submit("blueridge", again)
        assert answered.status_code == 200
        assert answered.get_json() == receipt | {"replayed": True}

    assert {name: list(v) for name, v in stored(agreed, receipt["release_id"]).items()} == noisy(body)
    assert agreed.traces() == before
    assert_problem(agreed.submit("blueridge", drawn(agreed)), 409, "period-taken")


def test_a_resume_pays_again_though_the_same_release_is_posted(
    agreed: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = drawn(agreed)
    with monkeypatch.context() as broken:
        broken.setattr(ArrowBlockFormat, "encode", lambda *_: 1 / 0)  # dies between debit and release
        assert agreed.submit("blueridge", body).status_code == 500
    charge = agreed.ledger("blueridge")["lifetime"]["rho_nano"]
    assert charge > 0
    assert_problem(agreed.submit("blueridge", body), 409, "submission-in-progress")

    agreed.clock.go_on(minutes=10)
    resumed = agreed.submit("blueridge", body)

    assert resumed.status_code == 201
    assert resumed.get_json()["attempts"] == 2
    assert resumed.get_json()["debited"]["rho_nano"] == agreed.ledger("blueridge")["lifetime"]["rho_nano"] == 2 * charge
    assert {name: list(v) for name, v in stored(agreed, resumed.get_json()["release_id"]).items()} == noisy(body)


def test_the_program_of_the_how_to_draws_what_the_exchange_takes(
    small: SmallExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.agree(source_contract())
    (tmp_path / "contract.json").write_bytes(small.get("sierra", f"/v1/contracts/{CONTRACT}").data)
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[2] / "docs" / "how-to" / "measure-at-source.md"
    (program,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    (tmp_path / "sierra-signing.pub.json").write_text(json.dumps(public(small.signing_keys["sierra"])))
    names: dict[str, Any] = {"rows": ROWS}

    exec(program, names)

    assert small.submit("sierra", names["body"]).status_code == 201


# --- the command line


@pytest.fixture
def console(migrated_sqlite_url: str, tmp_path: Path) -> Iterator[Console]:
    """Sierra's machine: a folder with its client key and its cells, and an exchange to call."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    small = SmallExchange(
        migrated_sqlite_url, clock=TurnableClock(datetime.now(UTC)), settings_changes={"PARLEY_ISSUER": url}
    )
    small.agree(source_contract(expires="2099-12-31"))
    server = make_server("127.0.0.1", port, small.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    folder = tmp_path / "sierra"
    folder.mkdir()
    found = Console(folder, {"PARLEY_URL": url})
    found.write("sierra-client.json", small.client_keys["sierra"])
    found.write("sierra-signing.pub.json", public(small.signing_keys["sierra"]))
    found.write("cells.csv", csv_text([fills_row(members=LONG[0]), fills_row("south", "M", members=LONG[1])]))
    yield found.of("sierra")
    server.shutdown()
    thread.join()
    server.server_close()
    small.wiring.database.close()


def measure(
    console: Console,
    cells: Path | None = None,
    contract: Path | None = None,
    feed: str = "fills",
    month: str = "2025-01",
) -> tuple[object, ...]:
    folder = console.folder
    pinned = ("--signed-with", folder / "sierra-signing.pub.json")
    return ("measure", contract or folder / "contract.json", feed, month, cells or folder / "cells.csv", *pinned)


def test_a_provider_measures_on_its_own_machine_and_posts_the_release(console: Console) -> None:
    out = console.folder / "release.json"
    console.write("contract.json", console.done("contract", "show", CONTRACT, "--json"))
    offline = Console(console.folder, {})  # no exchange, no client, no key

    said = offline.done(*measure(console), "--out", out)
    receipt = console.done("submit", CONTRACT, out)
    again = json.loads(console.done("submit", CONTRACT, out, "--json"))

    body = json.loads(out.read_text())
    contract = json.loads((console.folder / "contract.json").read_text())
    assert out.stat().st_mode & 0o777 == 0o600
    assert contract["digest"] in said
    assert f"parley submit {CONTRACT} {out}" in said
    assert "Measured: at source" in receipt
    assert (again["replayed"], again["measured"], again["submission_id"]) == (True, "source", body["submission_id"])
    assert find_markers("".join((*console.printed, *offline.printed)).encode()) == set()


def test_a_release_is_never_drawn_over(console: Console) -> None:
    console.write("contract.json", console.done("contract", "show", CONTRACT, "--json"))
    out = console.write("release.json", "what was drawn before")

    said = console.refused(*measure(console), "--out", out)

    assert "exists and is not overwritten" in said
    assert "second loss" in said
    assert out.read_text() == "what was drawn before"


def test_cells_of_a_feed_measured_at_source_are_not_sent(console: Console) -> None:
    words = ("submit", CONTRACT, console.folder / "cells.csv", "--feed", "fills", "--period", "2025-01")

    assert "measured at source: its cells stay on this machine" in console.refused(*words)


def test_what_cannot_be_measured_is_said_in_one_sentence_and_writes_nothing(console: Console) -> None:
    contract = console.write("contract.json", console.done("contract", "show", CONTRACT, "--json"))
    out = console.folder / "release.json"
    bad = console.write("bad.json", {"rows": [fills_row(members="<11"), fills_row("south", members=LONG[2])]})
    broken = console.write("broken.json", {"rows": [fills_row(members=LONG[3], days_covered=LONG[4])]})
    empty = console.write("empty.json", {"rows": []})
    altered = json.loads(contract.read_text())
    altered["document"]["feeds"][0]["plan"]["draws"][0]["sigma"] = "0.001"
    other = console.write("altered.json", altered)

    assert "post the true count" in console.refused(*measure(console, bad), "--out", out)
    assert "breaks the contribution bound" in console.refused(*measure(console, broken), "--out", out)
    assert "repeat with --empty" in console.refused(*measure(console, empty), "--out", out)
    assert "or was altered" in console.refused(*measure(console, contract=other), "--out", out)
    assert "(feed-not-found)" in console.refused(*measure(console, feed="pills"), "--out", out)
    assert "run from 2025-01" in console.refused(*measure(console, month="2024-01"), "--out", out)
    assert "(measured-in-exchange)" in console.refused(*measure(console, feed="adherence", month="2025"), "--out", out)
    assert not out.exists()
    console.done(*measure(console, empty), "--out", out, "--empty")
    assert out.exists()
    assert find_markers("".join(console.printed).encode()) == set()


def test_a_contract_is_measured_by_only_if_the_provider_knows_it_to_be_signed(console: Console) -> None:
    contract = console.write("contract.json", console.done("contract", "show", CONTRACT, "--json"))
    shown = console.done("contract", "show", CONTRACT)
    digest = json.loads(contract.read_text())["digest"]
    out, key = console.folder / "release.json", console.folder / "sierra-signing.pub.json"
    words = ("measure", contract, "fills", "2025-01", console.folder / "cells.csv", "--out", out)
    private = console.write("private.json", new_private_jwk("ES384"))
    other = console.write("other.pub.json", public(new_private_jwk("ES384")))

    for unpinned in (words, (*words, "--digest", digest, "--signed-with", key)):
        said = console.refused(*unpinned, exit_code=2)
        assert "--digest HEX" in said
        assert "--signed-with KEY.pub.json" in said
    assert "not the one that you signed" in console.refused(*words, "--digest", "00" * 32)
    assert "none of its signatures was made with your key" in console.refused(*words, "--signed-with", other)
    assert "holds a private key" in console.refused(*words, "--signed-with", private)
    assert not out.exists()
    assert digest in shown
    assert digest in console.done(*words, "--digest", digest)
    assert out.exists()


def test_a_release_file_says_itself_what_it_is_of(console: Console) -> None:
    console.write("contract.json", console.done("contract", "show", CONTRACT, "--json"))
    out, submission_id = console.folder / "release.json", str(uuid4())
    console.done(*measure(console), "--out", out, "--submission-id", submission_id)

    for option in (("--feed", "fills"), ("--period", "2025-01"), ("--restatement", "0"), ("--empty",)):
        assert f"leave {option[0]} out" in console.refused("submit", CONTRACT, out, *option, exit_code=2)
    assert json.loads(out.read_text())["submission_id"] == submission_id
    spoiled = json.loads(out.read_text()) | {"restatement": 0.5}
    said = console.refused("submit", CONTRACT, console.write("spoiled.json", spoiled))
    assert "a release holds whole numbers only" in said
    words = ("submit", CONTRACT, console.folder / "cells.csv", "--period", "2025-01")
    assert "Missing option '--feed'" in console.refused(*words, exit_code=2)
