"""Terms that could not be kept are refused before anybody signs; thousands that can be kept are taken."""

import sys
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from api.schemas.contracts import ContractDocumentSchema
from contracts.drafting.grant_terms import grant_faults, purpose_faults
from contracts.granting import permit
from contracts.parties import JsonObject
from contracts.records import ContractRecord, Stage
from contracts.signing import sign
from contracts.statistics.catalogue import GRANTABLE
from contracts.statistics.questions import Question
from contracts.terms import read_terms
from tests.http.answers import answer
from tests.http.terms import contract, grant
from tests.http.test_bad_input import assert_problem
from tests.http.test_drafting import Change, all_of
from tests.http.test_drafting import put as at
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    PAYERS,
    START,
    NoNoise,
    SmallExchange,
    fills,
    fills_feed,
)


@pytest.fixture
def exact(migrated_sqlite_url: str) -> SmallExchange:
    return SmallExchange(migrated_sqlite_url, noise=NoNoise())


# --- drafting


FAULTS: dict[str, tuple[Change, str, str]] = {
    "a grant of a party twice": (
        all_of(at("/grants/0/organisation", "sierra"), at("/grants/-", grant("payer", organisation="sierra"))),
        "/grants",
        "grant_repeated",
    ),
    "a grant for a stranger": (
        at("/grants/0/organisation", "foreigner"),
        "/grants/0/organisation",
        "grant_party_unknown",
    ),
    "a grant for a party of another role": (
        at("/grants/0/organisation", BRAND),
        "/grants/0/organisation",
        "grant_party_unknown",
    ),
    "a dimension of no feed": (
        at("/grants/0/dimensions", ["region", "adherence_band"]),
        "/grants/0/dimensions/1",
        "dimension_unknown",
    ),
    "a dimension of a feed that is not granted": (
        all_of(at("/grants/0/dimensions", ["sex"]), at("/grants/0/feeds", ["support"])),
        "/grants/0/dimensions/0",
        "dimension_unknown",
    ),
    "a grain of time that no feed has": (
        all_of(at("/rollups", {}), at("/grants/0/dimensions", ["month", "quarter"])),
        "/grants/0/dimensions/1",
        "dimension_unknown",
    ),
    "a dimension granted twice": (
        at("/grants/0/dimensions", ["region", "region"]),
        "/grants/0/dimensions",
        "dimension_repeated",
    ),
    "a feed that is not there": (at("/grants/0/feeds", ["fills", "stays"]), "/grants/0/feeds/1", "feed_unknown"),
    "a feed granted twice": (at("/grants/0/feeds", ["fills", "fills"]), "/grants/0/feeds", "feed_repeated"),
    **{
        f"periods from {first!r}": (
            at("/grants/0/periods", {"first": first, "last": "2026"}),
            "/grants/0/periods/first",
            "period_invalid",
        )
        for first in ("soon", "2025-13", "2025-02-30", "2025-2-3", "20250101", "2025-W01-1", "0000", "2025-01..2025-02")
    },
    "periods reversed": (
        at("/grants/0/periods", {"first": "2025-03", "last": "2025-02-28"}),
        "/grants/0/periods/last",
        "periods_reversed",
    ),
    "periods before the feeds": (
        at("/grants/0/periods", {"first": "2020", "last": "2024"}),
        "/grants/0/periods",
        "periods_outside_feeds",
    ),
    "less than one period": (
        at("/grants/0/periods", {"first": "2025-01-02", "last": "2025-02-27"}),
        "/grants/0/periods",
        "periods_outside_feeds",
    ),
    "a purpose that the contract does not allow": (
        at("/grants/0/purposes", ["outcomes_research", "teaching"]),
        "/grants/0/purposes/1",
        "purpose_unknown",
    ),
    "a granted purpose twice": (
        at("/grants/0/purposes", ["outcomes_research"] * 2),
        "/grants/0/purposes",
        "purpose_repeated",
    ),
    "its own purpose once more": (at("/purposes", ["outcomes_research"]), "/purposes", "purpose_repeated"),
    "a prohibition twice": (at("/prohibited", ["underwriting"] * 2), "/prohibited", "purpose_repeated"),
    "its own purpose prohibited": (at("/prohibited", ["outcomes_research"]), "/purpose", "purpose_prohibited"),
    "a further purpose prohibited": (
        all_of(at("/purposes", ["quality", "teaching"]), at("/prohibited", ["teaching"])),
        "/purposes/1",
        "purpose_prohibited",
    ),
}

SETTLEMENT: JsonObject = {
    "statistic": "pdc_pooled",
    "target": "0.70",
    "period": "2025-Q4",
    "as_of": "final",
    "decide_at": "0.9",
    "undecided": "the base rebate applies",
}


def settle(**changes: Any) -> Change:
    return at("/settlement", SETTLEMENT | changes)


FAULTS |= {
    "a settlement on no statistic": (settle(statistic="mood"), "/settlement/statistic", "statistic_unknown"),
    "a settlement on what nobody may ask": (
        all_of(settle(), *(at(f"/grants/{i}/statistics", ["counts", "pdc_pooled"]) for i in (0, 1))),
        "/settlement/statistic",
        "settlement_not_granted",
    ),
    "a settlement on a count": (settle(statistic="counts"), "/settlement/statistic", "settlement_unsuitable"),
    "a settlement that two feeds could answer": (
        all_of(settle(), at("/feeds/-", fills_feed(name="refills"))),
        "/settlement/statistic",
        "settlement_ambiguous",
    ),
    "a settlement of a feed that lacks the measures": (
        settle(feed="support"),
        "/settlement/feed",
        "settlement_feed_unsuitable",
    ),
    "a settlement of no feed": (settle(feed="nothing"), "/settlement/feed", "settlement_feed_unsuitable"),
    "a share above one": (settle(target="1.5"), "/settlement/target", "target_invalid"),
    "a share of all": (settle(target="1"), "/settlement/target", "target_invalid"),
    "a share of none": (settle(target="0.0"), "/settlement/target", "target_invalid"),
    "a confidence of a coin": (settle(decide_at="0.5"), "/settlement/decide_at", "decide_at_invalid"),
    "certainty": (settle(decide_at="1"), "/settlement/decide_at", "decide_at_invalid"),
    "a settlement of no period": (settle(period="spring"), "/settlement/period", "period_invalid"),
    "a settlement after the feed": (settle(period="2026"), "/settlement/period", "settlement_without_feed"),
    "a settlement of a part of a period": (
        all_of(settle(period="2025-01"), at("/feeds/0/grain", "quarter"), at("/feeds/0/first_period", "2025-Q1"),
               at("/feeds/0/last_period", "2025-Q4"), at("/feeds/0/k", 4)),
        "/settlement/period",
        "settlement_without_feed",
    ),
    "a settlement on a feed that nobody is granted": (
        all_of(settle(), *(at(f"/grants/{i}/feeds", ["support"]) for i in (0, 1))),
        "/settlement/period",
        "settlement_out_of_reach",
    ),
    "a settlement over more than is granted": (
        all_of(settle(), *(at(f"/grants/{i}/periods", {"first": "2025-Q3", "last": "2025-11"}) for i in (0, 1))),
        "/settlement/period",
        "settlement_out_of_reach",
    ),
    "a settlement over the expiry": (
        all_of(settle(), at("/feeds/0/run_out_days", 730)),
        "/settlement/period",
        "settlement_after_expiry",
    ),
    "a settlement on the provider's word": (
        all_of(settle(), at("/feeds/0/measured", "source")),
        "/settlement/accept_measured_at_source",
        "source_not_accepted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_term_that_could_not_be_kept_is_refused_at_drafting(small: SmallExchange, name: str) -> None:
    change, pointer, fault = FAULTS[name]
    document = deepcopy(contract(grant("payer"), grant()))
    change(document)

    answered = small.post(BRAND, "/v1/contracts", document)

    assert_problem(answered, 422, "contract-invalid", pointer, fault)
    assert small.get(BRAND, "/v1/contracts").get_json()["contracts"] == []


@pytest.mark.parametrize(
    "change",
    [
        settle(),
        settle(period="2025", decide_at="0.501"),
        all_of(
            settle(), at("/grants/0/feeds", ["support"]), at("/grants/1/periods", {"first": "2025-10", "last": "2025"})
        ),
        all_of(settle(feed="refills"), at("/feeds/-", fills_feed(name="refills"))),
        all_of(settle(), at("/feeds/0/run_out_days", 729)),
        all_of(settle(accept_measured_at_source=True), at("/feeds/0/measured", "source")),
        at("/grants/0/periods", {"first": "2025-01-01", "last": "2025-01-31"}),
        at("/grants/0/dimensions", ["region", "coverage", "month", "quarter", "year"]),
    ],
)
def test_a_term_at_the_very_edge_is_taken(small: SmallExchange, change: Change) -> None:
    document = deepcopy(contract(grant("payer"), grant()))
    change(document)

    answered = small.post(BRAND, "/v1/contracts", document)

    assert answered.status_code == 201, answered.get_json()


# --- thousands of terms


def vast(feeds: int, *, size: int = 1000, names: int = 100) -> JsonObject:
    """The longest lists that are taken: of statistics, dimensions, feeds, purposes and prohibitions, in a grant of each
    party and role."""
    dimensions = [f"d{i}" for i in range(names)]
    many: JsonObject = {"first_period": "2025-01", "last_period": "2025-12", "invariants": [], "rho": "0.002"}
    many["measures"] = {"members": {"unit": "persons", "bound": 1}}
    chosen = [fills_feed(name=f"feed{i}", dimensions=dimensions[i : i + 1], **many) for i in range(feeds)]
    document = contract(feeds=chosen, purposes=[f"p{i}" for i in range(names)])
    narrow = {
        "statistics": ["counts", *(sorted(GRANTABLE) * 10)][:names],
        "dimensions": ["month", "quarter", "year", *dimensions[:feeds]],
        "feeds": [feed["name"] for feed in chosen],
        "purposes": [document["purpose"], *document["purposes"]],
        "periods": {"first": "2025", "last": "2025"},
    }
    parties = [(party["role"], party["organisation"]) for party in document["parties"]]
    whose = [*parties, ("payer", None), ("brand", None)]
    document["grants"] = [grant(role, organisation=name, **narrow) for role, name in whose]
    document["vocabularies"] = {name: [f"v{j}" for j in range(size)] for name in dimensions}
    document["prohibited"] = [f"x{i}" for i in range(names)]
    document["privacy"]["ceilings"] = {f"{name}-members": "0.1" for name in PAYERS}
    return document


class Name(str):
    """A name whose every comparison is a call, so that a search through a list counts as what it is."""

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        return str.__hash__(self)


def named(document: Any) -> Any:
    if isinstance(document, dict):
        return {named(key): named(value) for key, value in document.items()}
    if isinstance(document, list):
        return [named(value) for value in document]
    return Name(document) if isinstance(document, str) else document


def calls_of(work: Callable[[], object]) -> int:
    """How many functions are called, Python's own included."""
    count = 0

    def counting(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.slow
def test_a_contract_of_thousands_of_terms_is_drafted_signed_and_asked(exact: SmallExchange) -> None:
    document = vast(50)
    assert sum(len(values) for values in document["vocabularies"].values()) == 100_000
    exact.agree(document)
    for name in PAYERS:
        body = fills(rows=[{"d49": "v999", "members": 100}], feed="feed49")
        assert exact.submit(name, body).status_code == 201

    answered = answer(exact, "counts", feed="feed49", by="d49", where="d49:v999", purpose="p99")

    assert [row["value"] for row in answered["rows"]] == [pytest.approx(300)]
    for query in ({"where": "d49:v1000"}, {"by": "d50"}, {"purpose": "x99"}, {"feed": "feed50"}):
        assert exact.ask(BRAND, "counts", **{"feed": "feed49"} | query).status_code in (403, 422)
    assert len(exact.get("sierra", f"/v1/contracts/{CONTRACT}/statistics").get_json()["grant"]["feeds"]) == 50


def test_a_signer_of_the_longest_name_and_title_can_sign(exact: SmallExchange) -> None:
    assert exact.post(BRAND, "/v1/contracts", contract(grant())).status_code == 201
    view = exact.post(BRAND, f"/v1/contracts/{CONTRACT}/proposal").get_json()
    jws = sign(view["document"], exact.signing_keys["sierra"], "\u0141" * 200, "\u5b98" * 200)

    assert exact.post("sierra", f"/v1/contracts/{CONTRACT}/signatures", {"jws": jws}).status_code == 201


def test_twice_the_terms_are_at_most_twice_the_work() -> None:
    def check(document: JsonObject) -> Callable[[], object]:
        return lambda: [*purpose_faults(document), *grant_faults(document, GRANTABLE)]

    def ask(document: JsonObject) -> Callable[[], object]:
        record = ContractRecord(CONTRACT, 1, Stage.PROPOSED, document, None, BRAND, START)
        terms = read_terms(document)
        party = terms.find_party(BRAND)
        assert party is not None
        question = Question("counts", feeds=("feed0",), by=("d0", "month"), purpose="p0")
        return lambda: permit(record, terms, party, question)

    half, whole = (named(ContractDocumentSchema().load(vast(n, size=10, names=2 * n))) for n in (25, 50))
    for work in (check, ask, lambda document: lambda: read_terms(document)):
        few, many = calls_of(work(half)), calls_of(work(whole))
        assert few > 50
        assert many < 2.2 * few
