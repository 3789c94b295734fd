"""Every way in which a draft can make no sense gets a fault with a pointer; nothing of such a draft is kept."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import date, timedelta
from math import prod
from pathlib import Path
from shutil import copyfile
from typing import Any
from uuid import uuid4

import pytest

from api.cli.contract_text import say_contract, say_what_is_signed
from api.schemas.contracts import ContractDocumentSchema
from contracts.parties import JsonObject, Role
from contracts.records import ContractRecord, Stage
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange, small_contract, support_feed

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


def across(most: int) -> Change:
    return all_of(put("/privacy/unit", "person_across_providers"), put("/privacy/max_providers", most))


def brand_alone(document: JsonObject) -> None:
    """Only the brand's feed is left, and so only its population posts."""
    document["feeds"] = document["feeds"][2:]
    document["privacy"]["ceilings"] = {"helix-members": "0.1"}


BY_SEX = {"dimension": "sex", "organisation": "helix"}

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
    "an empty vocabulary": (put("/vocabularies/region", []), "/vocabularies/region", "vocabulary_empty"),
    "a value twice": (put("/vocabularies/sex/-", "F"), "/vocabularies/sex", "value_repeated"),
    # feeds
    "a feed twice": (put("/feeds/1/name", "fills"), "/feeds", "feed_repeated"),
    "a linked feed without its flag": (put("/feeds/0/link", "linked"), "/feeds/0/linked", "linked_missing"),
    "a flag without a linked feed": (put("/feeds/0/linked", BY_SEX), "/feeds/0/linked", "linked_unused"),
    "a linked feed of the brand": (
        all_of(put("/feeds/2/link", "linked"), put("/feeds/2/linked", BY_SEX | {"dimension": "region"})),
        "/feeds/2/link",
        "linked_provider",
    ),
    "a flag that is no dimension of the feed": (
        all_of(put("/feeds/0/link", "linked"), put("/feeds/0/linked", BY_SEX | {"dimension": "coverage"})),
        "/feeds/0/linked/dimension",
        "dimension_unknown",
    ),
    "a flag of one value": (
        all_of(put("/feeds/0/link", "linked"), put("/feeds/0/linked", BY_SEX), put("/vocabularies/sex", ["F"])),
        "/feeds/0/linked/dimension",
        "linked_flag_constant",
    ),
    "a flag that payers tell themselves": (
        all_of(
            put("/feeds/0/link", "linked"),
            put("/feeds/0/linked", BY_SEX | {"dimension": "adherence_band"}),
            put("/feeds/0/dimensions/-", "adherence_band"),
            put("/vocabularies/adherence_band", ["p00_80", "p80_100"]),
        ),
        "/feeds/0/linked/dimension",
        "dimension_is_outcome",
    ),
    "a flag in a feed that is not linked by it": (
        all_of(
            put("/feeds/0/link", "linked"),
            put("/feeds/0/linked", BY_SEX | {"dimension": "region"}),
        ),
        "/feeds/1/dimensions/0",
        "linked_dimension_unlinked",
    ),
    "a flag of a payer": (
        all_of(put("/feeds/0/link", "linked"), put("/feeds/0/linked", BY_SEX | {"organisation": "sierra"})),
        "/feeds/0/linked/organisation",
        "linked_organisation",
    ),
    "a linked feed that the brand's ceiling does not pay for": (
        all_of(put("/feeds/0/link", "linked"), put("/feeds/0/linked", BY_SEX)),
        "/privacy/ceilings/helix-members",
        "ceiling_too_low",
    ),
    "a linked feed to a brand without a ceiling": (
        all_of(
            put("/feeds/0/link", "linked"),
            put("/feeds/0/linked", BY_SEX),
            put("/feeds/2", ABSENT),
            put("/privacy/ceilings/helix-members", ABSENT),
        ),
        "/privacy/ceilings",
        "ceilings_incomplete",
    ),
    "an unknown dimension": (put("/feeds/0/dimensions/0", "planet"), "/feeds/0/dimensions/0", "dimension_unknown"),
    "a dimension listed twice": (put("/feeds/0/dimensions/-", "region"), "/feeds/0/dimensions", "dimension_repeated"),
    "a key space too large": (huge, "/feeds/0/dimensions", "key_space_too_large"),
    "a table by another feed's dimension": (
        put("/feeds/0/tables", [{"by": ["region"]}, {"by": ["coverage"]}]),
        "/feeds/0/tables/1/by/0",
        "dimension_unknown",
    ),
    "a table by a dimension twice": (
        put("/feeds/0/tables", [{"by": ["region", "region"]}]),
        "/feeds/0/tables/0/by",
        "dimension_repeated",
    ),
    "a table twice, in another order": (
        put("/feeds/0/tables", [{"by": ["region", "sex"]}, {"by": []}, {"by": ["sex", "region"], "weight": 2}]),
        "/feeds/0/tables/2",
        "table_repeated",
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
    "restatements without run-out": (
        all_of(put("/feeds/0/run_out_days", 0), put("/feeds/0/restatements", 1)),
        "/feeds/0/restatements",
        "restatements_without_run_out",
    ),
    "more restatements than days of run-out": (
        all_of(put("/feeds/0/run_out_days", 2), put("/feeds/0/restatements", 3)),
        "/feeds/0/restatements",
        "restatements_without_run_out",
    ),
    "a contract that expires with its last period": (
        put("/feeds/0/last_period", "2027-12"),
        "/feeds/0/last_period",
        "posting_after_expiry",
    ),
    "a feed after its contract": (
        all_of(put("/feeds/2/first_period", "2028-01"), put("/feeds/2/last_period", "2028-12")),
        "/feeds/2/last_period",
        "posting_after_expiry",
    ),
    "a last restatement after its contract": (
        all_of(put("/expires", "2026-07-31"), put("/feeds/0/restatements", 2), put("/feeds/0/run_out_days", 212)),
        "/feeds/0/last_period",
        "posting_after_expiry",
    ),
    "the last year of the calendar": (
        all_of(
            put("/expires", "9999-12-31"),
            put("/feeds/1/first_period", "9998"),
            put("/feeds/1/last_period", "9999"),
            put("/feeds/1/run_out_days", 3650),
        ),
        "/feeds/1/last_period",
        "posting_after_expiry",
    ),
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
    "a ceiling of a population that posts nothing": (
        put("/feeds", [support_feed()]),
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
    "several providers without a maximum": (
        put("/privacy/unit", "person_across_providers"),
        "/privacy/max_providers",
        "max_providers_missing",
    ),
    "a maximum for one provider": (put("/privacy/max_providers", 2), "/privacy/max_providers", "max_providers_unused"),
    "more providers than post": (across(5), "/privacy/max_providers", "max_providers_too_large"),
    "several providers where one posts": (all_of(across(2), brand_alone), "/privacy/unit", "providers_too_few"),
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
    "version true": (put("/version", True), "/version"),
    "a version of nothing": (put("/version", 0), "/version"),
    "a digest that is none": (put("/previous_digest", "0" * 63), "/previous_digest"),
    "no id": (put("/id", ABSENT), "/id"),
    "an id with a slash": (put("/id", "dsc/small"), "/id"),
    "an id that ends in a new line": (put("/id", "dsc-small\n"), "/id"),
    "an id in capitals": (put("/id", "DSC"), "/id"),
    "no parties": (put("/parties", []), "/parties"),
    "parties that are none": (put("/parties", "all"), "/parties"),
    "an operator as a party": (put("/parties/0/role", "operator"), "/parties/0/role"),
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
    "a budget of absurd size": (put("/feeds/0/rho", "1e400"), "/feeds/0/rho"),
    "a budget of sixty digits": (put("/feeds/0/rho", "9" * 60), "/feeds/0/rho"),
    "a budget of sixty decimals": (put("/feeds/0/rho", f"0.{'1' * 60}"), "/feeds/0/rho"),
    "an expected size of zero": (put("/feeds/0/expected", {"members": 0}), "/feeds/0/expected/members"),
    "an expected size in a text": (put("/feeds/0/expected", {"members": "20"}), "/feeds/0/expected/members"),
    "another life table": (put("/feeds/0/life_table", "deaths"), "/feeds/0/life_table"),
    "one provider as a maximum": (put("/privacy/max_providers", 1), "/privacy/max_providers"),
    "measured elsewhere": (put("/feeds/0/measured", "elsewhere"), "/feeds/0/measured"),
    "half a restatement": (put("/feeds/0/restatements", 0.5), "/feeds/0/restatements"),
    "a negative ceiling": (put("/privacy/ceilings/sierra-members", "-1"), "/privacy/ceilings/sierra-members"),
    "another definition": (put("/privacy/definition", "epsilon"), "/privacy/definition"),
    "another relation": (put("/privacy/relation", "change_one"), "/privacy/relation"),
    "another unit": (put("/privacy/unit", "person_within_prescriber"), "/privacy/unit"),
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
    assert small.get(BRAND, "/v1/contracts").get_json()["contracts"] == []


def test_all_faults_of_a_draft_are_named_at_once(small: SmallExchange) -> None:
    document = deepcopy(small_contract())
    for change in (put("/rules/min_payers", 9), put("/feeds/0/k", 99), put("/privacy/delta", "1")):
        change(document)

    answered = small.post(BRAND, "/v1/contracts", document)

    pointers = {error["pointer"] for error in answered.get_json()["errors"]}
    assert pointers == {"/rules/min_payers", "/feeds/0/k", "/privacy/delta"}


# --- the nearest thing that works, works


def faults_of(small: SmallExchange, document: JsonObject) -> list[JsonObject]:
    answered = small.post(BRAND, "/v1/contracts", document)
    assert answered.status_code == 422, answered.get_json()
    return list(answered.get_json()["errors"])


SAID: dict[str, tuple[Change, str]] = {
    "min_payers": (put("/rules/min_payers", 4), "write 3 or less"),
    "a low ceiling": (put("/privacy/ceilings/sierra-members", "0.09"), "write at least 0.1, or lower a feed"),
    "a low ceiling for much": (put("/feeds/0/rho", "0.2"), "write at least 0.25 (above 0.1 it needs an approval)"),
    "a month": (put("/feeds/0/last_period", "2026-13"), "there is no month 13; a month is written like 2025-03"),
    "a misspelt term": (put("/feeds/0/restatement", 1), "is not a field here; restatements is"),
    "an unheard-of term": (put("/surprise", 1), "is not a field here"),
    "a missing term": (put("/feeds/0/k", ABSENT), "is required"),
    "too large a number": (put("/feeds/0/restatements", 101), "a whole number from 0 to 100"),
    "no number": (put("/feeds/0/restatements", "1"), "a whole number from 0 to 100"),
    "no text": (put("/feeds/0/name", 1), "a text"),
    "no list": (put("/parties", "all"), "a list"),
    "too few": (put("/parties", []), "a length from 2 to 100"),
    "another choice": (put("/feeds/0/grain", "week"), "one of month, quarter, year"),
}


@pytest.mark.parametrize("name", SAID)
def test_a_fault_says_what_to_write(small: SmallExchange, name: str) -> None:
    change, said = SAID[name]
    document = deepcopy(small_contract())
    change(document)

    assert [fault["detail"] for fault in faults_of(small, document) if said in fault["detail"]]


def test_of_two_providers_the_maximum_is_two_and_of_two_payers_the_default_pool_never_opens(
    small: SmallExchange,
) -> None:
    document = deepcopy(small_contract())
    del document["parties"][2], document["rules"]["min_payers"], document["privacy"]["ceilings"]["sierra-members"]
    document["feeds"].pop()
    del document["privacy"]["ceilings"][f"{BRAND}-members"]
    document["privacy"]["unit"] = "person_across_providers"

    said = {fault["pointer"]: fault["detail"] for fault in faults_of(small, document)}

    assert said["/privacy/max_providers"].endswith("at most: write 2")
    assert "a pool of 3 (the default, where it is left out)" in said["/rules/min_payers"]
    assert said["/rules/min_payers"].endswith("write 1 or 2")


@pytest.mark.parametrize("restatements", [0, 2])
def test_the_budget_named_as_enough_is_enough(migrated_sqlite_url: str, restatements: int) -> None:
    small = SmallExchange(migrated_sqlite_url)
    document = deepcopy(small_contract())
    document["feeds"][0] |= {"rho": "0.000000001", "restatements": restatements}
    (fault,) = faults_of(small, document)

    document["feeds"][0]["rho"] = fault["detail"].split("from ")[1].split(" ")[0]

    assert small.post(BRAND, "/v1/contracts", document).status_code == 201
    assert small.post(BRAND, f"/v1/contracts/{CONTRACT}/proposal").status_code == 200


@pytest.mark.parametrize(
    ("last", "restatements", "due"),
    [("2027-12", 0, "2028-01-01"), ("2027-09", 3, "2027-12-30"), ("9999-11", 0, "9999-12-01")],
)
def test_the_expiry_named_as_late_enough_is_the_first_that_is(
    migrated_sqlite_url: str, last: str, restatements: int, due: str
) -> None:
    """With a run-out of 90 days, which counts only where the last period is restated."""
    small = SmallExchange(migrated_sqlite_url)
    document = deepcopy(small_contract(expires=str(date.fromisoformat(due) - timedelta(days=1))))
    document["feeds"][0] |= {
        "first_period": f"{last[:4]}-01",
        "last_period": last,
        "k": 1,
        "restatements": restatements,
    }
    (fault,) = faults_of(small, document)
    assert (fault["pointer"], fault["code"]) == ("/feeds/0/last_period", "posting_after_expiry")
    assert f"set `expires` to {due} or later" in fault["detail"]

    document["expires"] = due

    assert small.post(BRAND, "/v1/contracts", document).status_code == 201
    assert small.post(BRAND, f"/v1/contracts/{CONTRACT}/proposal").status_code == 200


@pytest.mark.parametrize(("restatements", "last"), [(0, "9999-12"), (1, "9999-10")])
def test_no_expiry_is_named_beyond_the_calendar(small: SmallExchange, restatements: int, last: str) -> None:
    document = deepcopy(small_contract(expires="9999-12-31"))
    document["feeds"][0] |= {"first_period": "9999-01", "last_period": last, "k": 1, "restatements": restatements}

    (fault,) = faults_of(small, document)

    assert fault["detail"].endswith("after the contract expired: end the feed earlier")


FITTING = {
    "one dimension too large": ({"region": 40, "sex": 2}, 1, "drop sex, or give region at most 20 values"),
    "only the largest can go": ({"region": 41, "sex": 30}, 1, "drop region, or give region at most 1 values"),
    "several measures": ({"region": 20, "sex": 2}, 3, "drop region, or give region at most 6 values"),
    "several dimensions too large": ({"region": 50, "sex": 45, "age": 2}, 1, "drop region and sex"),
    "too many measures": ({"region": 2}, 41, "measure at most 40 things, without dimensions"),
}


@pytest.mark.parametrize("name", FITTING)
def test_a_key_space_above_the_configured_limit_is_refused_with_one_that_fits(
    migrated_sqlite_url: str, name: str
) -> None:
    sizes, measures, advice = FITTING[name]
    small = SmallExchange(migrated_sqlite_url, settings_changes={"PARLEY_MAX_CELLS": "40"})
    document = small_contract(feeds=[support_feed(dimensions=list(sizes), invariants=[], rho="0.1")])
    document["vocabularies"] = {dimension: many_values(size) for dimension, size in sizes.items()}
    document["feeds"][0]["measures"] = {f"m{i}": {"unit": "persons", "bound": 1} for i in range(measures)}
    document["privacy"]["ceilings"] = {"helix-members": "0.1"}

    (fault,) = faults_of(small, document)

    assert (fault["pointer"], fault["code"]) == ("/feeds/0/dimensions", "key_space_too_large")
    assert "at most 40 are taken here" in fault["detail"]
    assert fault["detail"].endswith(advice)
    for fits in follow(advice, sizes, measures):
        changed = deepcopy(document)
        changed["vocabularies"] |= {dimension: many_values(size) for dimension, size in fits.items()}
        changed["feeds"][0] |= {"dimensions": list(fits)}
        changed["feeds"][0]["measures"] = {f"m{i}": {"unit": "persons", "bound": 1} for i in range(min(measures, 40))}
        changed["id"] = f"dsc-{len(fits)}-{sum(fits.values())}"
        assert small.post(BRAND, "/v1/contracts", changed).status_code == 201, fits


def follow(advice: str, sizes: dict[str, int], measures: int) -> list[dict[str, int]]:
    """The dimensions after each way out that the advice names; one value more would be too much."""
    ways = []
    for part in advice.split(", or "):
        words = part.split()
        if words[0] == "drop":
            ways.append({name: size for name, size in sizes.items() if name not in words})
        elif words[0] == "give":
            fits = sizes | {words[1]: int(words[4])}
            assert measures * prod((fits | {words[1]: int(words[4]) + 1}).values()) > 40
            ways.append(fits)
        else:
            ways.append({})
    return ways


def test_the_largest_k_and_the_known_dimensions_are_named(small: SmallExchange) -> None:
    document = deepcopy(small_contract())
    document["feeds"][0] |= {"k": 13, "tables": [{"by": ["planet"]}]}

    told = {fault["code"]: fault["detail"] for fault in faults_of(small, document)}

    assert "write 12 or less" in told["k_too_large"]
    assert told["dimension_unknown"].endswith("there are region, sex")


ABSURD = ["9" * 60, f"0.{'0' * 59}1", "1e400", "1e-400"]
BUDGETS = [*ABSURD, "0", "0.0", "-0.05", "Infinity", "-Infinity", "NaN", "sNaN", ""]


@pytest.mark.parametrize("rho", BUDGETS)
@pytest.mark.parametrize("pointer", ["/feeds/0/rho", "/privacy/ceilings/sierra-members"])
def test_a_budget_that_no_account_can_hold_is_refused_at_drafting_and_at_proposal(
    small: SmallExchange, pointer: str, rho: str
) -> None:
    document = deepcopy(small_contract())
    put(pointer, rho)(document)
    (fault,) = [fault for fault in faults_of(small, document) if fault["pointer"] == pointer]
    assert fault["code"] in ("field_invalid", "budget_invalid")
    assert "0.05" in fault["detail"] or "at most 1000" in fault["detail"] or "at least one nano-rho" in fault["detail"]

    answered = propose_stored(small, put(pointer, rho))

    assert_problem(answered, 422, "contract-invalid", pointer, "budget_invalid")


@pytest.mark.parametrize("rho", [0.05, 1, None, True, ["0.05"], {"rho": "0.05"}])
def test_a_budget_that_is_no_text_is_told_how_to_be_written(small: SmallExchange, rho: object) -> None:
    document = deepcopy(small_contract())
    put("/feeds/0/rho", rho)(document)

    (fault,) = faults_of(small, document)

    assert fault["pointer"] == "/feeds/0/rho"
    assert rho is None or "like '0.05'" in fault["detail"]


@pytest.mark.parametrize("name", ["an empty vocabulary", "k above the term", "the last year of the calendar"])
def test_a_stored_draft_that_makes_no_sense_is_refused_at_proposal_too(small: SmallExchange, name: str) -> None:
    change, pointer, fault = FAULTS[name]

    assert_problem(propose_stored(small, change), 422, "contract-invalid", pointer, fault)


def propose_stored(small: SmallExchange, change: Change) -> Any:
    """Propose a draft that came into the database by another way than the door. Its drafter is a party of its own, so
    that nobody else sees it."""
    loaded = ContractDocumentSchema().load(small_contract(id=f"dsc-{uuid4()}"))
    loaded["parties"] += [{"organisation": "foreigner", "role": "payer", "population": "foreigner-members"}]
    loaded["privacy"]["ceilings"] |= {"foreigner-members": "0.1"}
    change(loaded)
    record = ContractRecord(loaded["id"], 1, Stage.DRAFT, loaded, None, "foreigner", small.clock.now())
    with small.wiring.database.writing() as stores:
        stores.contracts.add(record)
    return small.post("foreigner", f"/v1/contracts/{loaded['id']}/proposal")


def test_an_approved_ceiling_above_the_default_is_taken(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url)
    document = deepcopy(small_contract())
    document["privacy"]["ceilings"]["sierra-members"] = "0.2"
    document["privacy"]["approvals"] = {"sierra-members": {"name": "Ann", "reason": "a two-year study"}}

    answered = small.post(BRAND, "/v1/contracts", document)

    assert answered.status_code == 201
    assert answered.get_json()["document"]["privacy"]["approvals"]["sierra-members"]["name"] == "Ann"


def test_restatements_and_measuring_at_source_are_taken_and_said_before_a_signature(
    migrated_sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    small = SmallExchange(migrated_sqlite_url)
    document = deepcopy(small_contract())
    document["feeds"][0] |= {"restatements": 2, "run_out_days": 2, "measured": "source"}
    document["feeds"][2] |= {"restatements": 1}
    document["grants"][0]["statistics"].append("persistence_curve")
    assert small.post(BRAND, "/v1/contracts", document).status_code == 201

    proposed = small.post(BRAND, f"/v1/contracts/{CONTRACT}/proposal").get_json()

    # k first measurements and two restatements of each of the twelve months share the ceiling of rho 0.05.
    assert 0.99 * 50_000_000 < (12 + 2 * 12) * proposed["document"]["feeds"][0]["plan"]["charge_nano"] <= 50_000_000
    say_contract(proposed)
    told = "fills: every period is measured again 2 times within 2 days; the provider draws the noise on its premises"
    shown = capsys.readouterr().out
    assert told in shown
    assert "support: every period is measured again once within 30 days" in shown
    assert "granted, but its feeds cannot answer: persistence_curve\n" in shown
    say_what_is_signed(proposed, "Ann", "Privacy Officer")
    assert "granted, but its feeds cannot answer: persistence_curve\n" in capsys.readouterr().out
