"""Every way in which a draft can make no sense gets a fault with a pointer; nothing of such a draft is kept."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from contracts.parties import JsonObject, Role
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange, small_contract

Change = Callable[[JsonObject], object]
ABSENT = object()


@pytest.fixture(scope="module")
def small(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """One exchange for all bad drafts, since none of them may leave anything."""
    path = tmp_path_factory.mktemp("drafting") / "parley.db"
    copyfile(sqlite_template, path)
    exchange = SmallExchange(f"sqlite:///{path}")
    exchange.register("overseer", Role.OPERATOR)
    yield exchange
    exchange.wiring.database.close()


def put(pointer: str, value: Any) -> Change:
    """Put a value where a JSON pointer says; ABSENT takes it away, and - appends to a list."""
    *path, last = pointer[1:].split("/")

    def change(document: JsonObject) -> None:
        inside: Any = document
        for step in path:
            inside = inside[int(step)] if isinstance(inside, list) else inside[step]
        if value is ABSENT:
            del inside[int(last) if isinstance(inside, list) else last]
        elif last == "-":
            inside.append(deepcopy(value))
        else:
            inside[int(last) if isinstance(inside, list) else last] = deepcopy(value)

    return change


def all_of(*changes: Change) -> Change:
    return lambda document: [change(document) for change in changes]


def many_values(count: int) -> list[str]:
    return [f"v{i}" for i in range(count)]


def huge(document: JsonObject) -> None:
    for name in ("one", "two", "three"):
        document["vocabularies"][name] = many_values(100)
        document["feeds"][0]["dimensions"].append(name)


FAULTS: dict[str, tuple[Change, str, str]] = {
    # parties
    "a party twice": (
        put("/parties/-", {"organisation": "sierra", "role": "payer", "population": "sierra-members"}),
        "/parties",
        "party_repeated",
    ),
    "without its drafter": (put("/parties/3", ABSENT), "/parties", "drafter_not_a_party"),
    "an unknown party": (put("/parties/0/organisation", "nobody"), "/parties/0/organisation", "party_unknown"),
    "a party in another role": (put("/parties/3/role", "payer"), "/parties/3/organisation", "party_unknown"),
    "an unknown population": (put("/parties/1/population", "x-people"), "/parties/1/population", "population_unknown"),
    "a population of another organisation": (
        put("/parties/1/population", "sierra-members"),
        "/parties/1/population",
        "population_unknown",
    ),
    # dates
    "an effective date that is none": (put("/effective", "2026-02-30"), "/effective", "date_invalid"),
    "an expiry date that is none": (put("/expires", "2027-13-01"), "/expires", "date_invalid"),
    "year zero": (put("/effective", "0000-01-01"), "/effective", "date_invalid"),
    "dates reversed": (put("/effective", "2028-01-01"), "/expires", "dates_reversed"),
    "a term of no day": (put("/effective", "2027-12-31"), "/expires", "dates_reversed"),
    "expired already": (
        all_of(put("/effective", "2025-01-01"), put("/expires", "2026-06-30")),
        "/expires",
        "already_expired",
    ),
    # vocabularies
    **{
        f"a dimension called {name}": (put(f"/vocabularies/{name}", ["a"]), f"/vocabularies/{name}", "name_reserved")
        for name in ("period", "month", "quarter", "year", "payer", "feed")
    },
    "a value twice": (put("/vocabularies/sex/-", "F"), "/vocabularies/sex", "value_repeated"),
    # feeds
    "a feed twice": (put("/feeds/1/name", "fills"), "/feeds", "feed_repeated"),
    "restatements": (put("/feeds/0/restatements", 1), "/feeds/0/restatements", "not_offered"),
    "a linked feed": (put("/feeds/0/link", "linked"), "/feeds/0/link", "not_offered"),
    "measured at source": (put("/feeds/0/measured", "source"), "/feeds/0/measured", "not_offered"),
    "an unknown dimension": (put("/feeds/0/dimensions/0", "planet"), "/feeds/0/dimensions/0", "dimension_unknown"),
    "a dimension listed twice": (put("/feeds/0/dimensions/-", "region"), "/feeds/0/dimensions", "dimension_repeated"),
    "a key space too large": (huge, "/feeds/0/dimensions", "key_space_too_large"),
    "a table by another feed's dimension": (
        put("/feeds/0/tables", [{"by": ["region"]}, {"by": ["coverage"]}]),
        "/feeds/0/tables/1/by",
        "dimension_unknown",
    ),
    "a measure called like a dimension": (
        put("/feeds/0/measures/region", {"unit": "persons", "bound": 1}),
        "/feeds/0/measures/region",
        "name_taken",
    ),
    "a measure called like a word of the exchange": (
        put("/feeds/0/measures/period", {"unit": "persons", "bound": 1}),
        "/feeds/0/measures/period",
        "name_taken",
    ),
    "an expected size of nothing": (
        put("/feeds/0/expected", {"stays": 1}),
        "/feeds/0/expected/stays",
        "measure_unknown",
    ),
    **{
        f"the invariant {text}": (put("/feeds/0/invariants", [text]), "/feeds/0/invariants/0", "invariant_invalid")
        for text in (
            "members",
            "members < days_covered",
            "members <= stays",
            "members <= days_covered <= treatment_days",
            "members <= 1.5 * days_covered",
            "members <= -1 * days_covered",
            "members <= 31",
            "members <= 99999 * days_covered",
            "members * 2 <= days_covered",
            "members <= __import__('os')",
        )
    },
    "a first period of another grain": (
        put("/feeds/0/first_period", "2025"),
        "/feeds/0/first_period",
        "period_invalid",
    ),
    "a last period that is none": (put("/feeds/0/last_period", "2025-13"), "/feeds/0/last_period", "period_invalid"),
    "periods reversed": (put("/feeds/0/last_period", "2024-12"), "/feeds/0/last_period", "periods_reversed"),
    "k above the term": (put("/feeds/0/k", 13), "/feeds/0/k", "k_too_large"),
    "a budget of zero": (put("/feeds/0/rho", "0"), "/feeds/0/rho", "budget_invalid"),
    "a budget below one nano-rho": (put("/feeds/0/rho", "0.0000000001"), "/feeds/0/rho", "budget_invalid"),
    "an absurd budget": (put("/feeds/0/rho", "9999"), "/feeds/0/rho", "budget_invalid"),
    "a budget that pays for nothing": (put("/feeds/0/rho", "0.000000001"), "/feeds/0/rho", "budget_too_small"),
    "a budget for fewer measures": (put("/feeds/0/rho", "0.000000035"), "/feeds/0/rho", "budget_too_small"),
    # privacy
    "delta zero": (put("/privacy/delta", "0"), "/privacy/delta", "delta_invalid"),
    "a delta too large": (put("/privacy/delta", "0.0011"), "/privacy/delta", "delta_invalid"),
    "a population without a ceiling": (
        put("/privacy/ceilings/sierra-members", ABSENT),
        "/privacy/ceilings",
        "ceilings_incomplete",
    ),
    "a ceiling of a stranger": (
        put("/privacy/ceilings/foreigner-members", "0.1"),
        "/privacy/ceilings",
        "ceilings_incomplete",
    ),
    "a ceiling of zero": (
        put("/privacy/ceilings/sierra-members", "0.0"),
        "/privacy/ceilings/sierra-members",
        "budget_invalid",
    ),
    "an absurd ceiling": (
        put("/privacy/ceilings/sierra-members", "1001"),
        "/privacy/ceilings/sierra-members",
        "budget_invalid",
    ),
    "a ceiling too low": (
        put("/privacy/ceilings/sierra-members", "0.0999"),
        "/privacy/ceilings/sierra-members",
        "ceiling_too_low",
    ),
    "a ceiling above the default": (
        put("/privacy/ceilings/sierra-members", "0.100000001"),
        "/privacy/ceilings/sierra-members",
        "approval_missing",
    ),
    "an approval for another": (
        all_of(
            put("/privacy/ceilings/sierra-members", "0.2"),
            put("/privacy/approvals", {"helix-members": {"name": "Ann", "reason": "a study"}}),
        ),
        "/privacy/ceilings/sierra-members",
        "approval_missing",
    ),
    # grants and rules
    "two grants of a role": (put("/grants/0/role", "payer"), "/grants", "grant_repeated"),
    "an unknown statistic": (put("/grants/1/statistics/2", "median"), "/grants/1/statistics/2", "statistic_unknown"),
    "a pool that never opens": (put("/rules/min_payers", 4), "/rules/min_payers", "pool_never_opens"),
    "answers by payer": (put("/rules/payer_dimension", True), "/rules/payer_dimension", "not_offered"),
}

MALFORMED: dict[str, tuple[Change, str]] = {
    "an unknown term": (put("/surprise", 1), "/surprise"),
    "a plan of its own": (put("/feeds/0/plan", {"draws": []}), "/feeds/0/plan"),
    "a status": (put("/status", "in_force"), "/status"),
    "a stage": (put("/stage", "proposed"), "/stage"),
    "a digest": (put("/digest", "0" * 64), "/digest"),
    "signatures": (put("/signatures", []), "/signatures"),
    "a drafter": (put("/drafted_by", "sierra"), "/drafted_by"),
    "a party with scopes": (put("/parties/0/scopes", ["org.admin"]), "/parties/0/scopes"),
    "a second version": (put("/version", 2), "/version"),
    "version true": (put("/version", True), "/version"),
    "a previous version": (put("/previous_digest", "0" * 64), "/previous_digest"),
    "no id": (put("/id", ABSENT), "/id"),
    "an id with a slash": (put("/id", "dsc/small"), "/id"),
    "an id that ends in a new line": (put("/id", "dsc-small\n"), "/id"),
    "an id in capitals": (put("/id", "DSC"), "/id"),
    "no parties": (put("/parties", []), "/parties"),
    "parties that are none": (put("/parties", "all"), "/parties"),
    "an operator as a party": (put("/parties/0/role", "operator"), "/parties/0/role"),
    "an empty vocabulary": (put("/vocabularies/region", []), "/vocabularies/region"),
    "a value with a comma": (put("/vocabularies/region/0", "a,b"), "/vocabularies/region/0"),
    "a value with a colon": (put("/vocabularies/region/0", "a:b"), "/vocabularies/region/0"),
    "a value that is a number": (put("/vocabularies/region/0", 1), "/vocabularies/region/0"),
    "a dimension with a dot": (put("/vocabularies/a.b", ["x"]), "/vocabularies/a.b"),
    "no feeds": (put("/feeds", []), "/feeds"),
    "a week as grain": (put("/feeds/0/grain", "week"), "/feeds/0/grain"),
    "no k": (put("/feeds/0/k", ABSENT), "/feeds/0/k"),
    "k zero": (put("/feeds/0/k", 0), "/feeds/0/k"),
    "k in a text": (put("/feeds/0/k", "12"), "/feeds/0/k"),
    "k of a fraction": (put("/feeds/0/k", 1.5), "/feeds/0/k"),
    "no measures": (put("/feeds/0/measures", {}), "/feeds/0/measures"),
    "a bound of zero": (put("/feeds/0/measures/members/bound", 0), "/feeds/0/measures/members/bound"),
    "a negative bound": (put("/feeds/0/measures/members/bound", -1), "/feeds/0/measures/members/bound"),
    "a negative budget": (put("/feeds/0/rho", "-0.05"), "/feeds/0/rho"),
    "a budget that is a number": (put("/feeds/0/rho", 1), "/feeds/0/rho"),
    "a budget with an exponent": (put("/feeds/0/rho", "5e-2"), "/feeds/0/rho"),
    "a budget without end": (put("/feeds/0/rho", "Infinity"), "/feeds/0/rho"),
    "a budget that is no number": (put("/feeds/0/rho", "NaN"), "/feeds/0/rho"),
    "a budget in other digits": (put("/feeds/0/rho", "\u0660.\u0660\u0665"), "/feeds/0/rho"),
    "a negative ceiling": (put("/privacy/ceilings/sierra-members", "-1"), "/privacy/ceilings/sierra-members"),
    "another definition": (put("/privacy/definition", "epsilon"), "/privacy/definition"),
    "another relation": (put("/privacy/relation", "change_one"), "/privacy/relation"),
    "another unit": (put("/privacy/unit", "person_across_providers"), "/privacy/unit"),
    "an approval without a reason": (
        put("/privacy/approvals", {"sierra-members": {"name": "Ann"}}),
        "/privacy/approvals/sierra-members/reason",
    ),
    "a grant to the operator": (put("/grants/0/role", "operator"), "/grants/0/role"),
    "a mask of one": (put("/rules/small_cells", {"mask_below": 1}), "/rules/small_cells/mask_below"),
    "min_payers zero": (put("/rules/min_payers", 0), "/rules/min_payers"),
    "an empty title": (put("/title", ""), "/title"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_draft_that_makes_no_sense_is_refused_with_a_pointer(small: SmallExchange, name: str) -> None:
    change, pointer, fault = FAULTS[name]

    assert_refused(small, change, "contract-invalid", pointer, fault)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_draft_is_refused_with_a_pointer(small: SmallExchange, name: str) -> None:
    change, pointer = MALFORMED[name]

    assert_refused(small, change, "input-invalid", pointer, "field_invalid")


def assert_refused(small: SmallExchange, change: Change, code: str, pointer: str, fault: str) -> None:
    document = deepcopy(small_contract())
    change(document)

    answered = small.post(BRAND, "/v1/contracts", document)

    assert_problem(answered, 422, code, pointer, fault)
    assert small.get(BRAND, "/v1/contracts").get_json() == {"contracts": []}


def test_all_faults_of_a_draft_are_named_at_once(small: SmallExchange) -> None:
    document = deepcopy(small_contract())
    for change in (put("/rules/min_payers", 9), put("/feeds/0/k", 99), put("/privacy/delta", "1")):
        change(document)

    answered = small.post(BRAND, "/v1/contracts", document)

    pointers = {error["pointer"] for error in answered.get_json()["errors"]}
    assert pointers == {"/rules/min_payers", "/feeds/0/k", "/privacy/delta"}


def test_the_budget_named_as_enough_is_enough(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url)
    document = deepcopy(small_contract())
    document["feeds"][0]["rho"] = "0.000000001"
    (fault,) = small.post(BRAND, "/v1/contracts", document).get_json()["errors"]

    document["feeds"][0]["rho"] = fault["detail"].split("from ")[1].split(" ")[0]

    assert small.post(BRAND, "/v1/contracts", document).status_code == 201
    assert small.post(BRAND, f"/v1/contracts/{CONTRACT}/proposal").status_code == 200


def test_an_approved_ceiling_above_the_default_is_taken(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url)
    document = deepcopy(small_contract())
    document["privacy"]["ceilings"]["sierra-members"] = "0.2"
    document["privacy"]["approvals"] = {"sierra-members": {"name": "Ann", "reason": "a two-year study"}}

    answered = small.post(BRAND, "/v1/contracts", document)

    assert answered.status_code == 201
    assert answered.get_json()["document"]["privacy"]["approvals"]["sierra-members"]["name"] == "Ann"
