"""Small requests that ask for much work, or for many faults: both are bounded, and the answer says by how much."""

import time
from itertools import combinations
from typing import Any

import pytest

from contracts.canonical import canonical_bytes, canonical_size
from contracts.drafting.plans import MAX_DRAWS, MAX_DRAWS_TOGETHER, MAX_MARGINS_TOGETHER
from contracts.parties import JsonObject
from contracts.refusals import MAX_FAULTS
from contracts.succession import next_version
from privacy.shares import _shares_of_margins
from privacy.strategy import FeedDesign, Table, count_draws
from tests.support.small_exchange import BRAND, CONTRACT, SmallExchange, small_contract, support_feed

PLACES = ("/v1/contracts", "/v1/contract-previews")


def document_of(feeds: int, *, dimensions: int, measures: int = 1, tables: int = 0, size: int = 2) -> JsonObject:
    """Feeds that are alike, of dimensions of one size, and of so many of their tables, the smallest first."""
    names = [f"d{i}" for i in range(dimensions)]
    subsets = [list(by) for count in range(dimensions + 1) for by in combinations(names, count)]
    feed = support_feed(
        dimensions=names,
        measures={f"m{i}": {"unit": "persons", "bound": 1} for i in range(measures)},
        invariants=[],
        expected={},
        tables=[{"by": by} for by in subsets[:tables]],
        rho="0.1",
    )
    document = small_contract(feeds=[{**feed, "name": f"feed{i}"} for i in range(feeds)])
    document["vocabularies"] = {name: [f"v{i}" for i in range(size)] for name in names} or {"none": ["a"]}
    document["privacy"]["ceilings"] = {"helix-members": "100"}
    document["privacy"]["approvals"] = {"helix-members": {"name": "A", "reason": "a test"}}
    return document


def draws_of(document: JsonObject) -> int:
    feed = document["feeds"][0]
    sizes = {name: len(document["vocabularies"][name]) for name in feed["dimensions"]}
    tables = tuple(Table(tuple(table["by"])) for table in feed["tables"])
    return count_draws(FeedDesign(sizes, dict.fromkeys(feed["measures"], 1), {}, tables))


def answer(small: SmallExchange, place: str, document: JsonObject) -> tuple[int, Any]:
    body = document if place == PLACES[0] else {"document": document, "accuracy": []}
    response = small.post(BRAND, place, body)
    return response.status_code, response.get_json()


@pytest.mark.parametrize("place", PLACES)
def test_a_plan_of_more_draws_than_a_release_may_have_is_refused_with_what_to_keep(
    small: SmallExchange, place: str
) -> None:
    margins = draws_of(document_of(1, dimensions=4))
    most = MAX_DRAWS // margins
    status, problem = answer(small, place, document_of(1, dimensions=4, measures=most + 1))
    assert status == 422
    (fault,) = problem["errors"]
    assert fault["code"] == "plan_too_large"
    assert fault["pointer"].endswith("/feeds/0/measures")
    assert f"{margins * (most + 1)} draws" in fault["detail"]
    assert f"keep at most {most} measures" in fault["detail"]

    status, problem = answer(small, place, document_of(1, dimensions=4, measures=most))
    assert status < 300, problem


def test_the_draws_of_all_feeds_are_bounded_together(small: SmallExchange) -> None:
    document = document_of(31, dimensions=0, measures=100)
    status, problem = answer(small, PLACES[0], document)
    assert status == 422
    (fault,) = problem["errors"]
    assert (fault["pointer"], fault["code"]) == ("/feeds", "plan_too_large")
    assert f"{31 * 100} draws" in fault["detail"]
    assert str(MAX_DRAWS_TOGETHER) in fault["detail"]


@pytest.mark.parametrize("place", PLACES)
def test_margins_beyond_what_is_weighed_are_refused_before_any_is(small: SmallExchange, place: str) -> None:
    before = _shares_of_margins.cache_info().misses
    status, problem = answer(small, place, document_of(50, dimensions=8, tables=40))
    assert status == 422
    (fault,) = problem["errors"]
    assert fault["code"] == "plan_too_large"
    assert f"{50 * 2**8} margins" in fault["detail"]
    assert str(MAX_MARGINS_TOGETHER) in fault["detail"]
    assert _shares_of_margins.cache_info().misses == before


def test_a_feed_is_optimised_once_however_many_accuracies_are_wanted(small: SmallExchange) -> None:
    document = document_of(1, dimensions=5, tables=11, size=3)
    wanted = [f"counts.m0:d{i}={width}" for i in range(5) for width in (20, 200)]
    before = _shares_of_margins.cache_info().misses
    response = small.post(BRAND, PLACES[1], {"document": document, "accuracy": wanted})
    assert response.status_code == 200
    assert len(response.get_json()["budgets"]) == len(wanted)
    assert _shares_of_margins.cache_info().misses == before + 1


@pytest.mark.slow
def test_the_largest_preview_found_takes_seconds_and_not_minutes(small: SmallExchange) -> None:
    """Before the bounds one of 4 kB took a minute. The limit is generous: machines are busy."""
    wanted = [f"counts.m0:d{i},d{j}={width}" for i, j in ((0, 1), (2, 3), (4, 5)) for width in (5, 50, 500)]
    start = time.process_time()
    response = small.post(
        BRAND,
        PLACES[1],
        {"document": document_of(2, dimensions=8, tables=100), "accuracy": [f"feed0/{w}" for w in wanted]},
    )
    assert response.status_code == 200, response.get_json()
    assert time.process_time() - start < 15


def test_a_flood_of_faults_is_cut_and_says_so(small: SmallExchange) -> None:
    document = small_contract()
    document["feeds"][0]["tables"] = [{"by": [f"z{j}" for j in range(8)]} for _ in range(100)]
    _, problem = answer(small, PLACES[0], document)
    assert len(problem["errors"]) == MAX_FAULTS
    assert problem["errors_truncated"] is True


def test_a_flood_of_misspelt_members_is_cut_too(small: SmallExchange) -> None:
    _, problem = answer(small, PLACES[0], {**small_contract(), **{f"x{i}": 1 for i in range(1000)}})
    assert problem["type"].endswith("input-invalid")
    assert len(problem["errors"]) == MAX_FAULTS
    assert problem["errors_truncated"] is True


@pytest.mark.parametrize(("faults", "cut"), [(MAX_FAULTS, False), (MAX_FAULTS + 1, True)])
def test_only_faults_that_are_left_out_are_said_to_be(small: SmallExchange, faults: int, cut: bool) -> None:
    document = small_contract()
    document["feeds"][0]["invariants"] = ["nonsense"] * faults
    _, problem = answer(small, PLACES[0], document)
    assert len(problem["errors"]) == MAX_FAULTS
    assert problem.get("errors_truncated", False) is cut


@pytest.mark.parametrize("place", PLACES)
def test_a_document_of_more_than_a_mebibyte_is_refused_whole(small: SmallExchange, place: str) -> None:
    document = small_contract()
    words = [f"v{i}".ljust(60, "x") for i in range(1000)]
    document["vocabularies"] |= {f"d{i}": words for i in range(17)}
    status, problem = answer(small, place, document)
    assert status == 422
    (fault,) = problem["errors"]
    assert fault["code"] == "contract_too_large"
    assert "1048576 or less" in fault["detail"]

    del document["vocabularies"]["d0"]
    status, problem = answer(small, place, document)
    assert status < 300, problem


def test_the_size_of_a_document_is_that_of_its_canonical_form() -> None:
    document = small_contract(title='"\\/\x7f\u0141\U0001f600\t\n', purposes=["\x1f", "\u2028"], nothing=None, yes=True)
    assert canonical_size(document) == len(canonical_bytes(document))


@pytest.mark.slow
def test_two_documents_that_have_nothing_in_common_are_compared_in_no_time(small: SmallExchange) -> None:
    """Before the bounds, 10 s and 50 MB for 11 MB of documents."""
    agreed = small.agree()
    for number, letter in ((2, "a"), (3, "b")):
        document = next_version(agreed["document"], agreed["digest"])
        document["vocabularies"] |= {
            f"junk{d}": [f"{letter}{d}-{i}".ljust(60, "x") for i in range(1000)] for d in range(16)
        }
        assert small.post(BRAND, f"/v1/contracts/{CONTRACT}/versions", document).status_code == 201
        agreed = small.post(BRAND, f"/v1/contracts/{CONTRACT}/proposal").get_json()
        assert agreed["version"] == number
    start = time.process_time()
    found = small.get(BRAND, f"/v1/contracts/{CONTRACT}/differences")
    assert time.process_time() - start < 3
    assert len(found.data) < 1_000_000
    assert sum(each["new_omitted"] for each in found.get_json()["differences"]) == 16 * 950
