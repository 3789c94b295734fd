"""Life tables: starts and exits are posted as increments, at risk is derived, and each person pays once for each."""

from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from contracts.parties import JsonObject
from contracts.terms import FeedTerms, read_terms
from privacy.release import draw_release
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import BRAND, CONTRACT, NoNoise, SmallExchange, small_contract

PAYER = "blueridge"
REGIONS = ("north", "south")
PERIODS = ("2025-01", "2025-02", "2025-03", "2025-04")
MONTHS = ("0", "1", "2", "3+")
CODES = ("life_table", "cohort_reposted", "months_not_consecutive")


def life_feed(name: str, **changes: Any) -> JsonObject:
    return {
        "name": name,
        "provider": "payer",
        "life_table": name,
        "grain": "month",
        "first_period": PERIODS[0],
        "last_period": PERIODS[-1],
        "k": 1,
        "run_out_days": 0,
        "dimensions": ["region"] if name == "starts" else ["region", "months_since_start"],
        "measures": {"members": {"unit": "persons", "bound": 1}},
        "rho": "0.05",
        **changes,
    }


def life_contract() -> JsonObject:
    """One payer that posts both feeds, and the brand that reads them."""
    return deepcopy(
        small_contract(
            parties=[
                {"organisation": PAYER, "role": "payer", "population": "blueridge-members"},
                {"organisation": BRAND, "role": "brand", "population": "helix-members"},
            ],
            vocabularies={"region": list(REGIONS), "months_since_start": list(MONTHS), "reason": ["stopped", "other"]},
            feeds=[life_feed("starts"), life_feed("exits")],
            privacy=small_contract()["privacy"] | {"ceilings": {"blueridge-members": "0.1"}},
            rules={"min_payers": 1, "small_cells": None},
        )
    )


@pytest.fixture
def exact(migrated_sqlite_url: str) -> Iterator[SmallExchange]:
    """An exchange that adds no noise, with the contract in force."""
    exchange = SmallExchange(migrated_sqlite_url, noise=NoNoise())
    exchange.agree(life_contract())
    yield exchange
    exchange.wiring.database.close()


@dataclass(frozen=True)
class Person:
    """start, exit: places in PERIODS. exit None: still on the drug when the posting ends."""

    region: str
    start: int
    exit: int | None

    @property
    def months(self) -> str:
        return MONTHS[(self.exit or 0) - self.start]


def some_people() -> list[Person]:
    """Every possible history, each a different number of times, so that no two figures agree by chance."""
    histories = [
        Person(region, start, exit_)
        for region, start in product(REGIONS, range(len(PERIODS)))
        for exit_ in (None, *range(start, len(PERIODS)))
    ]
    return [person for place, person in enumerate(histories) for _ in range(11 + place * place)]


def rows(keys: Counter[tuple[str, ...]], *names: str) -> list[JsonObject]:
    return [dict(zip(names, key, strict=True)) | {"members": count} for key, count in keys.items()]


def post(small: SmallExchange, feed: str, period: str, posted: list[JsonObject]) -> JsonObject:
    body = {"submission_id": str(uuid4()), "feed": feed, "period": period, "rows": posted}
    answered = small.submit(PAYER, body)
    assert answered.status_code == 201, answered.get_json()
    return dict(answered.get_json())


def post_month(small: SmallExchange, people: list[Person], place: int) -> None:
    """Who started in this month, and whose exit became known in it."""
    starts = Counter((person.region,) for person in people if person.start == place)
    exits = Counter((person.region, person.months) for person in people if person.exit == place)
    post(small, "starts", PERIODS[place], rows(starts, "region"))
    post(small, "exits", PERIODS[place], rows(exits, "region", "months_since_start"))


def test_each_person_counts_once_and_the_unit_says_so(exact: SmallExchange) -> None:
    for place in range(len(PERIODS)):
        post_month(exact, some_people(), place)

    for feed in ("starts", "exits"):
        rows = exact.ask(BRAND, "counts", feed=feed).get_json()["rows"]
        assert [row["unit"] for row in rows] == ["persons"]


def counted(small: SmallExchange, feed: str, *by: str) -> dict[tuple[str, ...], float]:
    answered = small.ask(BRAND, "counts", feed=feed, by=",".join(by))
    assert answered.status_code == 200, answered.get_json()
    return {tuple(row["key"][name] for name in by): row["value"] for row in answered.get_json()["rows"]}


def test_at_risk_is_starts_less_exits_month_by_month(exact: SmallExchange) -> None:
    people = some_people()
    for place in range(len(PERIODS)):
        post_month(exact, people, place)

    starts, exits = (counted(exact, feed, "region", "month") for feed in ("starts", "exits"))

    for region, place in product(REGIONS, range(len(PERIODS))):
        passed = PERIODS[: place + 1]
        derived = sum(starts[region, month] - exits[region, month] for month in passed)
        truth = sum(
            person.region == region and person.start <= place and (person.exit is None or person.exit > place)
            for person in people
        )
        assert derived == pytest.approx(truth)


def test_at_risk_by_months_since_start_needs_no_cohort_to_be_posted_again(exact: SmallExchange) -> None:
    """Who is still at risk at the end of the posting is censored: derived from the start, never posted."""
    people = some_people()
    for place in range(len(PERIODS)):
        post_month(exact, people, place)

    starts = counted(exact, "starts", "region", "month")
    exits = counted(exact, "exits", "region", "month", "months_since_start")

    for region, cohort in product(REGIONS, range(len(PERIODS))):
        at_risk = starts[region, PERIODS[cohort]]
        for months in range(len(PERIODS) - cohort):
            members = [person for person in people if (person.region, person.start) == (region, cohort)]
            truth = sum(person.exit is None or person.exit - cohort >= months for person in members)
            assert at_risk == pytest.approx(truth)
            at_risk -= exits[region, PERIODS[cohort + months], MONTHS[months]]


def test_a_persons_loss_is_one_charge_of_each_feed_however_many_months_are_posted(exact: SmallExchange) -> None:
    people, lost = some_people(), []
    for place in range(len(PERIODS)):
        post_month(exact, people, place)
        lost.append(exact.ledger(PAYER)["under_contract"]["rho_nano"])

    debits = [entry for entry in exact.ledger(PAYER)["entries"] if entry["kind"] == "debit"]
    charges = {entry["feed"]: entry["charge"]["rho_nano"] for entry in debits}
    assert lost == [charges["starts"] + charges["exits"]] * len(PERIODS)
    assert len(debits) == 2 * len(PERIODS)
    # Each release may cost the whole ceiling of its feed: nothing is kept back for months in which nobody is twice.
    assert all(49_900_000 < charge <= 50_000_000 for charge in charges.values())


# --- brute force: the ledger against every history that one person can have


def loss_of(feed: FeedTerms, cells: list[tuple[str, ...]], periods: list[int]) -> float:
    """Rho that one person's cells cost over all releases: squared change over two variances, draw by draw."""
    rho = 0.0
    for period in set(periods):
        table = np.zeros(feed.shape, dtype=np.int64)
        for cell, place in zip(cells, periods, strict=True):
            if place == period:
                table[tuple(v.index(c) for v, c in zip(feed.vocabularies.values(), cell, strict=True))] += 1
        change = draw_release(feed.get_plan(), feed.dimensions, {"members": table}, NoNoise())
        for draw in feed.get_plan().draws:
            rho += float((change[draw.name] ** 2).sum()) / (2 * float(draw.sigma) ** 2)
    return rho


def test_the_ledgers_loss_is_that_of_the_worst_history_and_of_no_better_one(exact: SmallExchange) -> None:
    people = some_people()
    for place in range(len(PERIODS)):
        post_month(exact, people, place)
    terms = read_terms(exact.get(BRAND, f"/v1/contracts/{CONTRACT}").get_json()["document"])
    starts, exits = terms.feeds

    losses = [
        loss_of(starts, [(person.region,)], [person.start])
        + (0 if person.exit is None else loss_of(exits, [(person.region, person.months)], [person.exit]))
        for person in set(people)
    ]

    lost = exact.ledger(PAYER)["under_contract"]["rho_nano"]
    draws = len(starts.get_plan().draws) + len(exits.get_plan().draws)
    assert max(losses) * 1e9 <= lost <= ceil(max(losses) * 1e9) + draws  # each draw is rounded up by itself
    # And it holds only since nobody exits twice: posted again in the next month, an exit would cost more than that.
    twice = loss_of(starts, [("north",)], [0]) + loss_of(exits, [("north", "1"), ("north", "2")], [1, 2])
    assert twice * 1e9 > lost + 40_000_000


# --- what is refused


def test_posting_a_cohort_again_is_refused_with_the_reason(exact: SmallExchange) -> None:
    people = some_people()
    post_month(exact, people, 0)
    before = exact.traces()

    again = {"submission_id": str(uuid4()), "feed": "exits", "period": PERIODS[0], "rows": []}
    answered = exact.submit(PAYER, again)
    restated = exact.submit(PAYER, again | {"restatement": 1})

    for refused in (answered, restated):
        assert refused.get_json()["type"] == "urn:parley:problem:cohort-reposted"
        assert "increments" in refused.get_json()["detail"]
    assert exact.traces() == before


def change_feed(place: int, **changes: Any) -> Callable[[JsonObject], None]:
    return lambda document: document["feeds"][place].update(changes)


def months(*values: str) -> Callable[[JsonObject], None]:
    return lambda document: document["vocabularies"].update(months_since_start=list(values))


def without(place: int) -> Callable[[JsonObject], object]:
    return lambda document: document["feeds"].pop(place)


def second(name: str, kind: str) -> Callable[[JsonObject], None]:
    def add(document: JsonObject) -> None:
        document["feeds"] = [feed | {"rho": "0.03"} for feed in (*document["feeds"], life_feed(kind) | {"name": name})]

    return add


DAYS = {"members": {"unit": "days", "bound": 1}}
TWICE = {"members": {"unit": "persons", "bound": 2}}

FAULTS: dict[str, tuple[Callable[[JsonObject], object], str, str]] = {
    "k above one": (change_feed(0, k=2), "/feeds/0/k", "life_table_k"),
    "restatements": (change_feed(1, restatements=1, run_out_days=9), "/feeds/1/restatements", "cohort_reposted"),
    "a measure of days": (change_feed(0, measures=DAYS), "/feeds/0/measures/members", "life_table_measure"),
    "a person twice": (change_feed(1, measures=TWICE), "/feeds/1/measures/members", "life_table_measure"),
    "starts by months": (
        change_feed(0, dimensions=["region", "months_since_start"]),
        "/feeds/0/dimensions",
        "life_table_dimensions",
    ),
    "exits without months": (change_feed(1, dimensions=["region"]), "/feeds/1/dimensions", "life_table_dimensions"),
    "exits that say less than starts": (
        change_feed(1, dimensions=["months_since_start"]),
        "/feeds/1/dimensions",
        "life_table_dimensions",
    ),
    "months from one": (months("1", "2"), "/vocabularies/months_since_start", "months_not_consecutive"),
    "months with a gap": (months("0", "1", "3"), "/vocabularies/months_since_start", "months_not_consecutive"),
    "months out of order": (months("0", "2", "1"), "/vocabularies/months_since_start", "months_not_consecutive"),
    "open months in the middle": (months("0", "1+", "2"), "/vocabularies/months_since_start", "months_not_consecutive"),
    "months in words": (months("zero", "one"), "/vocabularies/months_since_start", "months_not_consecutive"),
    "starts without exits": (without(1), "/feeds/0/life_table", "life_table_unpaired"),
    "exits without starts": (without(0), "/feeds/0/life_table", "life_table_unpaired"),
    "exits of another provider": (change_feed(1, provider="brand"), "/feeds/0/life_table", "life_table_unpaired"),
    "two feeds of starts": (second("starts_too", "starts"), "/feeds/2/life_table", "life_table_repeated"),
    "two feeds of exits": (second("exits_too", "exits"), "/feeds/2/life_table", "life_table_repeated"),
    "exits of another grain": (
        change_feed(1, grain="quarter", first_period="2025-Q1", last_period="2025-Q2"),
        "/feeds/1/grain",
        "life_table_periods",
    ),
    "exits that begin later": (change_feed(1, first_period=PERIODS[1]), "/feeds/1/first_period", "life_table_periods"),
    "exits that end before starts": (
        change_feed(1, last_period=PERIODS[2]),
        "/feeds/1/last_period",
        "life_table_periods",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_life_table_that_nothing_can_be_derived_from_is_refused_with_a_pointer(
    migrated_sqlite_url: str, name: str
) -> None:
    change, pointer, fault = FAULTS[name]
    small, document = SmallExchange(migrated_sqlite_url), life_contract()
    if name == "exits of another provider":
        document["privacy"]["ceilings"]["helix-members"] = "0.1"
    change(document)

    answered = small.post(BRAND, "/v1/contracts", document)

    assert_problem(answered, 422, "contract-invalid", pointer, fault)
    assert all(error["code"].startswith(CODES) for error in answered.get_json()["errors"])


def test_the_refusal_of_a_restated_life_table_says_why(migrated_sqlite_url: str) -> None:
    small, document = SmallExchange(migrated_sqlite_url), life_contract()
    change_feed(0, restatements=2, run_out_days=90)(document)

    (error,) = small.post(BRAND, "/v1/contracts", document).get_json()["errors"]

    assert "increments only" in error["detail"]
    assert "each time" in error["detail"]


def test_a_preview_of_a_life_table_prices_no_restatement(migrated_sqlite_url: str) -> None:
    answered = SmallExchange(migrated_sqlite_url).post(BRAND, "/v1/contract-previews", {"document": life_contract()})

    assert [feed["restatements"] for feed in answered.get_json()["feeds"]] == [[], []]


ACCEPTED: dict[str, Callable[[JsonObject], object]] = {
    "whole months only": months("0", "1", "2", "3"),
    "exits that tell their reason": change_feed(1, dimensions=["reason", "months_since_start", "region"]),
    "exits that are posted longer": change_feed(1, last_period="2025-12"),
    "a starting order of its own": lambda document: document["feeds"].reverse(),
    "no dimension but the months": lambda document: [
        feed.update(dimensions=[name for name in feed["dimensions"] if name != "region"]) for feed in document["feeds"]
    ],
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_life_table_that_at_risk_can_be_derived_from_is_taken(migrated_sqlite_url: str, name: str) -> None:
    small, document = SmallExchange(migrated_sqlite_url), life_contract()
    ACCEPTED[name](document)

    agreed = small.agree(document)

    assert agreed["status"] == "in_force"
    assert {feed["life_table"] for feed in agreed["document"]["feeds"]} == {"starts", "exits"}
