"""Of all checks that a question fails the first refuses, in the order of the reference, and whatever the cells are."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from werkzeug.test import TestResponse

from contracts.parties import JsonObject
from tests.http.answers import FILLS, answer, fills_rows, post, support_rows
from tests.http.terms import contract, grant, resolve
from tests.http.test_authorization_details import detail, narrowed
from tests.http.test_bad_input import assert_problem
from tests.http.test_bad_questions import BAD
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    PAYERS,
    NoNoise,
    SmallExchange,
    fills,
)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "order-of-refusals.md"
WAITING = "dsc-waiting"


@pytest.fixture
def exact(migrated_sqlite_url: str) -> SmallExchange:
    return SmallExchange(migrated_sqlite_url, noise=NoNoise())


# --- the order


@dataclass
class Asked:
    """A question that is answered, but for what a check's breaker does to it."""

    caller: str = "blueridge"
    token: bool = True
    scope: str | None = None
    details: list[JsonObject] | None = None
    contract_id: str = CONTRACT
    statistic: str = "counts"
    by: list[str] = field(default_factory=list)
    query: dict[str, str] = field(default_factory=lambda: {"feed": "fills", "periods": "2025-01"})
    accept: str = "*/*"

    def send(self, small: SmallExchange) -> TestResponse:
        headers = self.headers(small) | {"Accept": self.accept}
        query = self.query | ({"by": ",".join(self.by)} if self.by else {})
        path = f"/v1/contracts/{self.contract_id}/statistics/{self.statistic}"
        return small.app.test_client().get(path, headers=headers, query_string=query)

    def headers(self, small: SmallExchange) -> dict[str, str]:
        if not self.token:
            return {}
        if self.details is None:
            return small.headers(self.caller, self.scope)
        return narrowed(small, self.caller, *self.details, scope=self.scope or "statistics.read")


def put(**parts: Any) -> Callable[[Asked], None]:
    def change(asked: Asked) -> None:
        for name, value in parts.items():
            setattr(asked, name, value)

    return change


def say(**query: str) -> Callable[[Asked], None]:
    return lambda asked: asked.query.update(query)


BREAKS: dict[str, Callable[[Asked], None]] = {
    "token": put(token=False),
    "scope": put(scope="contracts.read"),
    "form": say(groupby="region"),
    "form of the answer": put(accept="application/xml"),
    "party": put(caller="foreigner"),
    "authorization_details": put(details=[detail("dsc-other", "statistics.read")]),
    "status": put(contract_id=WAITING),
    "version": say(version="9"),
    "purpose prohibited": say(purpose="underwriting"),
    "purpose granted": say(purpose="curiosity"),
    "statistic known": put(statistic="mood"),
    "statistic granted": put(statistic="trend"),
    "statistic answered": put(statistic="threshold_assessment"),  # of a contract that settles on nothing
    "dimensions": lambda asked: asked.by.append("sex"),
    "number of dimensions": lambda asked: asked.by.extend(["region", "month", "quarter"]),
    "periods": say(periods="2025"),
    "feeds": say(feed="support"),
    "fit": say(confidence="2"),
    "reciprocity": put(caller="lakeshore"),
    "pool": say(periods="2025-02"),
}


def order() -> dict[str, tuple[int, list[str], list[str]]]:
    """The table of questions as the reference has it: status, problems and terms of each check."""
    section = PAGE.read_text().split("## A question")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ") and "---" not in line][1:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {
        row[0]: (int(row[1]), re.findall(r"`([^`]+)`", row[2]), re.findall(r"`([^`]+)`", row[3].replace("|", "")))
        for row in cells
    }


ORDER = order()


@pytest.fixture(scope="module")
def ordered(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """One payer has posted all year, and the others January alone. A second contract waits for signatures."""
    path = tmp_path_factory.mktemp("order") / "parley.db"
    copyfile(sqlite_template, path)
    small = SmallExchange(f"sqlite:///{path}", noise=NoNoise())
    narrow = {
        "by_at_most": 2,
        "dimensions": ["region", "month", "quarter"],
        "feeds": ["fills"],
        "periods": {"first": "2025-01", "last": "2025-06-30"},
    }
    rules = {"min_payers": 2, "small_cells": None, "reciprocity": {"within_days": 0}}
    document = contract(grant(), grant("payer", **narrow), rules=rules, prohibited=["underwriting"])
    small.agree(document)
    assert small.post(BRAND, "/v1/contracts", document | {"id": WAITING}).status_code == 201
    assert small.post(BRAND, f"/v1/contracts/{WAITING}/proposal").status_code == 200
    post(small, "fills", {key: rows for key, rows in FILLS.items() if key[0] == "blueridge"})
    post(small, "fills", {(name, "2025-01"): fills_rows(1, 0) for name in PAYERS[1:]})
    yield small
    small.wiring.database.close()


def assert_refused_by(check: str, answered: TestResponse, document: JsonObject) -> None:
    status, problems, terms = ORDER[check]
    body = answered.get_json()
    assert (answered.status_code, body["type"].removeprefix("urn:parley:problem:") in problems) == (status, True), body
    if not terms:
        assert "term" not in body
        return
    assert re.sub(r"^/(grants|feeds)/\d+", lambda m: f"/{m[1]}/{m[1][0].upper().replace('G', 'N')}", body["term"]) in [
        term.replace("/feeds/M", "/feeds/F") for term in terms
    ]
    resolve(document, body["term"])


def test_the_reference_lists_the_checks_of_a_question() -> None:
    assert list(ORDER) == list(BREAKS)


@pytest.fixture(scope="module")
def document(ordered: SmallExchange) -> JsonObject:
    return dict(ordered.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()["document"])


def test_a_question_that_passes_every_check_is_answered(ordered: SmallExchange) -> None:
    assert Asked().send(ordered).status_code == 200


@pytest.mark.parametrize("check", BREAKS)
def test_a_question_that_fails_one_check_is_refused_by_it(
    ordered: SmallExchange, document: JsonObject, check: str
) -> None:
    asked = Asked()
    BREAKS[check](asked)

    assert_refused_by(check, asked.send(ordered), document)


@pytest.mark.parametrize(("earlier", "later"), list(zip(BREAKS, list(BREAKS)[1:], strict=False)))
def test_of_two_checks_that_fail_the_earlier_one_refuses(
    ordered: SmallExchange, document: JsonObject, earlier: str, later: str
) -> None:
    asked = Asked()
    BREAKS[later](asked)
    BREAKS[earlier](asked)

    assert_refused_by(earlier, asked.send(ordered), document)


def test_a_submission_for_another_version_is_refused_before_anything_of_it_is_looked_at(
    ordered: SmallExchange,
) -> None:
    for body in (fills(), fills(feed="nothing"), fills(period="2031-01"), fills(rows=[{"region": "x"}])):
        refused = ordered.submit("lakeshore", body | {"contract_version": 2})
        assert_problem(refused, 409, "contract-version-other")
        assert refused.get_json()["contract_version"] == 1
    assert_problem(ordered.submit("lakeshore", fills(feed="nothing")), 404, "feed-not-found")
    assert_problem(ordered.submit("foreigner", fills() | {"contract_version": 2}), 404, "contract-not-found")
    waiting = ordered.submit("lakeshore", fills() | {"contract_version": 2}, WAITING)
    assert_problem(waiting, 409, "contract-not-in-force")


def test_a_submission_and_a_question_for_the_version_in_force_are_taken(exact: SmallExchange) -> None:
    exact.agree(contract(grant()))
    for name in PAYERS:
        assert exact.submit(name, fills() | {"contract_version": 1}).status_code == 201

    assert answer(exact, "pdc_pooled", version="1")["contract_version"] == 1
    assert_problem(exact.ask(BRAND, "pdc_pooled", version="2"), 409, "contract-version-other")
    for wrong in ("0", "one", "-1", "1.5", ""):
        assert_problem(exact.ask(BRAND, "pdc_pooled", version=wrong), 422, "input-invalid", "/version")


# --- refusals and data


def twins(template: Path, folder: Path) -> Iterator[SmallExchange]:
    """Two exchanges in which the same was agreed and posted, by the same providers for the same periods: all cells of
    the second are others."""
    for times in (1, 7):
        path = folder / f"{times}.db"
        copyfile(template, path)
        small = SmallExchange(f"sqlite:///{path}", noise=NoNoise())
        narrow = {"dimensions": ["region", "month"], "by_at_most": 2, "periods": {"first": "2025", "last": "2025-Q2"}}
        rules = {"min_payers": 2, "small_cells": {"mask_below": 11}, "reciprocity": {"within_days": 0}}
        small.agree(contract(grant(), grant("payer", **narrow), rules=rules, prohibited=["underwriting"]))
        mine = {key: rows for key, rows in FILLS.items() if key[0] == "blueridge"}
        theirs = {(name, "2025-01"): fills_rows(1, 0) for name in PAYERS[1:]}
        posted = {"fills": mine | theirs, "support": {(BRAND, "2025-01"): support_rows(0)}}
        for feed, cells in posted.items():
            post(small, feed, {key: [scaled(row, times) for row in rows] for key, rows in cells.items()})
        yield small


def scaled(row: JsonObject, times: int) -> JsonObject:
    return {name: value * times if isinstance(value, int) else value for name, value in row.items()}


@pytest.mark.slow
def test_refusals_are_the_same_to_the_byte_whatever_the_cells_are(sqlite_template: Path, tmp_path: Path) -> None:
    one, other = twins(sqlite_template, tmp_path)
    questions = [(name, bad.statistic, bad.query) for bad in BAD.values() for name in (BRAND, "blueridge", "sierra")]
    for check, change in BREAKS.items():
        asked = Asked()
        change(asked)
        if check not in ("token", "scope", "status"):
            query = asked.query | ({"by": ",".join(asked.by)} if asked.by else {})
            questions.append((asked.caller, asked.statistic, query))
    refusals = 0
    for name, statistic, query in questions:
        first, second = (small.ask(name, statistic, **query) for small in (one, other))
        assert first.status_code == second.status_code
        if first.status_code != 200:
            refusals += 1
            assert first.get_data() == second.get_data()
    assert refusals > 100
    # The cells do differ: what is answered shows it.
    figures = [
        [row["value"] for row in answer(small, "counts", "blueridge", feed="fills", periods="2025-01")["rows"]]
        for small in (one, other)
    ]
    assert figures[0] != figures[1]
