"""A question that cannot be answered gets a problem document that lists what would do."""

from dataclasses import dataclass, field

import pytest

from tests.http.answers import ADHERENCE, FILLS, SUPPORT, answer, post
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import (
    BRAND,
    CONTRACT,
    PAYERS,
    SmallExchange,
    adherence_feed,
    fills_feed,
    small_contract,
    support_feed,
)

LONG = "x" * 3000


@dataclass(frozen=True)
class Bad:
    """A question, what must come back, and words that must be in the fault's text."""

    statistic: str
    query: dict[str, str]
    pointer: str
    fault: str
    says: tuple[str, ...] = field(default=())


FILLS_ONLY = {"feed": "fills"}
BAD = {
    "an unknown dimension": Bad(
        "pdc_pooled", {"by": "planet"}, "/by", "dimension_unknown", ("region", "sex", "month", "quarter", "year")
    ),
    "a dimension of another feed": Bad("pdc_pooled", {"by": "adherence_band"}, "/by", "dimension_unknown"),
    "a dimension that one side lacks": Bad(
        "joint_table", {"by": "sex"}, "/by", "dimension_unknown", ("together", "by region")
    ),
    "by payer": Bad("pdc_pooled", {"by": "payer"}, "/by", "dimension_unknown"),
    "an empty name among others": Bad("pdc_pooled", {"by": "region,,sex"}, "/by", "dimension_unknown"),
    "a name of great length": Bad("pdc_pooled", {"by": LONG}, "/by", "dimension_unknown"),
    "a name in capitals": Bad("pdc_pooled", {"by": "REGION"}, "/by", "dimension_unknown"),
    "a finer grain than the feed's": Bad("adherence_rate", {"by": "month"}, "/by", "grain_unknown", ("year",)),
    "too many dimensions": Bad(
        "counts", FILLS_ONLY | {"by": "region,sex,month,quarter"}, "/by", "too_many_dimensions", ("3",)
    ),
    "a dimension twice": Bad("pdc_pooled", {"by": "sex,sex"}, "/by", "dimension_repeated", ("sex is named twice",)),
    "two grains": Bad("pdc_pooled", {"by": "month,year"}, "/by", "dimension_repeated", ("month and year",)),
    "a dimension that the statistic itself uses": Bad(
        "adherence_rate", {"by": "adherence_band"}, "/by", "dimension_in_use", ("counts",)
    ),
    "a filter of a dimension in use": Bad(
        "psp_penetration", {"where": "coverage:other"}, "/where", "dimension_in_use", ("coverage",)
    ),
    "an unknown filter dimension": Bad("pdc_pooled", {"where": "planet:mars"}, "/where", "dimension_unknown"),
    "an unknown filter value": Bad(
        "pdc_pooled", {"where": "region:east"}, "/where", "value_unknown", ("north", "south")
    ),
    "one unknown value of two": Bad("pdc_pooled", {"where": "region:north,region:east"}, "/where", "value_unknown"),
    "a filter without a value": Bad("pdc_pooled", {"where": "region:"}, "/where", "value_unknown", ("north", "south")),
    "an empty filter": Bad("pdc_pooled", {"where": ""}, "/where", "filter_invalid", ("dimension:value",)),
    "an empty list of dimensions": Bad("pdc_pooled", {"by": ""}, "/by", "dimension_unknown", ("region", "sex")),
    "an empty list of measures": Bad(
        "counts", FILLS_ONLY | {"measures": ""}, "/measures", "measure_unknown", ("members",)
    ),
    "an empty feed": Bad("counts", {"feed": ""}, "/feed", "feed_unsuitable", ("fills", "support")),
    "a filter without a colon": Bad("pdc_pooled", {"where": "region"}, "/where", "filter_invalid"),
    "a filter without a dimension": Bad("pdc_pooled", {"where": ":north"}, "/where", "filter_invalid"),
    "a filter of time": Bad("pdc_pooled", {"where": "month:2025-01"}, "/where", "dimension_unknown"),
    "periods outside the feed": Bad(
        "pdc_pooled", {"periods": "2024"}, "/periods", "period_invalid", ("2025-01", "2025-12")
    ),
    "periods that are none": Bad("pdc_pooled", {"periods": "spring"}, "/periods", "period_invalid", ("2025-Q1",)),
    "periods reversed": Bad("pdc_pooled", {"periods": "2025-06..2025-03"}, "/periods", "period_invalid", ("after",)),
    "a part of a year for a yearly feed": Bad(
        "adherence_rate", {"periods": "2025-01..2025-06"}, "/periods", "period_invalid", ("year",)
    ),
    "a range open at its start": Bad("pdc_pooled", {"periods": "..2025-03"}, "/periods", "period_invalid"),
    "a range open at its end": Bad("pdc_pooled", {"periods": "2025-03.."}, "/periods", "period_invalid"),
    "three ends": Bad("pdc_pooled", {"periods": "2025-01..2025-02..2025-03"}, "/periods", "period_invalid"),
    "a thirteenth month": Bad("pdc_pooled", {"periods": "2025-13"}, "/periods", "period_invalid"),
    "year zero": Bad("pdc_pooled", {"periods": "0000"}, "/periods", "period_invalid"),
    "a feed that does not suit": Bad("pdc_pooled", {"feed": "support"}, "/feed", "feed_unsuitable", ("fills",)),
    "a feed that is not there": Bad("counts", {"feed": "stays"}, "/feed", "feed_unsuitable", ("fills", "support")),
    "a feed needed": Bad(
        "counts",
        {},
        "/feed",
        "feed_needed",
        ("say which", "fills (month, 2025-01..2025-12; by ", "adherence", "support"),
    ),
    "an unknown measure": Bad(
        "counts", FILLS_ONLY | {"measures": "stays"}, "/measures", "measure_unknown", ("members", "days_covered")
    ),
    "a measure of the other side": Bad(
        "joint_table", {"measures": "members"}, "/measures", "measure_unknown", ("enrolled",)
    ),
    "a measure twice": Bad(
        "counts",
        FILLS_ONLY | {"measures": "members,days_covered,members"},
        "/measures",
        "measure_repeated",
        ("members",),
    ),
    "a measure of the brand twice": Bad(
        "joint_table", {"measures": "enrolled,enrolled"}, "/measures", "measure_repeated", ("enrolled",)
    ),
    "full confidence": Bad("pdc_pooled", {"confidence": "1"}, "/confidence", "confidence_invalid", ("0.999",)),
    "confidence just too high": Bad("pdc_pooled", {"confidence": "0.9991"}, "/confidence", "confidence_invalid"),
    "confidence of a coin": Bad("pdc_pooled", {"confidence": "0.5"}, "/confidence", "confidence_invalid"),
    "negative confidence": Bad("pdc_pooled", {"confidence": "-0.95"}, "/confidence", "confidence_invalid"),
}


@pytest.fixture
def asked(agreed: SmallExchange) -> SmallExchange:
    """With one period of each feed released."""
    post(agreed, "fills", {key: rows for key, rows in FILLS.items() if key[1] == "2025-01"})
    post(agreed, "adherence", {key: rows for key, rows in ADHERENCE.items() if key[1] == "2025"})
    post(agreed, "support", {key: rows for key, rows in SUPPORT.items() if key[1] == "2025-01"})
    return agreed


def test_what_a_bad_question_would_have_to_be_is_in_the_answer(asked: SmallExchange) -> None:
    """All in one exchange, since a question changes nothing; every failing one is named."""
    wrong = []
    for name, bad in BAD.items():
        answered = asked.ask(BRAND, bad.statistic, **bad.query)
        body = answered.get_json()
        faults = [e for e in body.get("errors", []) if (e["pointer"], e["code"]) == (bad.pointer, bad.fault)]
        fits = answered.status_code == 422 and body.get("type") == "urn:parley:problem:question-invalid"
        if not (fits and faults and all(word in faults[0]["detail"] for word in bad.says)):
            wrong.append((name, answered.status_code, body.get("errors", body.get("rows"))))
    assert not wrong


@pytest.mark.parametrize("confidence", ["nan", "inf", "-inf", "high", "", "0.95,0.9"])
def test_a_confidence_that_is_no_number_is_refused(asked: SmallExchange, confidence: str) -> None:
    answered = asked.ask(BRAND, "pdc_pooled", confidence=confidence)

    assert_problem(answered, 422, "input-invalid", "/confidence")
    assert answered.get_json()["errors"][0]["detail"] == "above 0.5 and at most 0.999"


@pytest.mark.parametrize("confidence", ["0.501", "0.999"])
def test_the_edges_of_confidence_are_answered(asked: SmallExchange, confidence: str) -> None:
    assert answer(asked, "adherence_rate", confidence=confidence)["confidence"] == float(confidence)


def test_an_unknown_query_parameter_is_refused(asked: SmallExchange) -> None:
    answered = asked.ask(BRAND, "pdc_pooled", groupby="region")

    assert_problem(answered, 422, "input-invalid", "/groupby")
    assert "there are by, periods, where" in answered.get_json()["errors"][0]["detail"]


def test_a_feed_that_is_not_there_is_one_fault(asked: SmallExchange) -> None:
    assert len(asked.ask(BRAND, "counts", feed="stays").get_json()["errors"]) == 1


def test_all_faults_of_a_question_are_named_at_once(asked: SmallExchange) -> None:
    question = {"by": "planet", "where": "region:east", "periods": "2020", "confidence": "2"}
    answered = asked.ask(BRAND, "pdc_pooled", **question)

    assert_problem(answered, 422, "question-invalid")
    assert {error["pointer"] for error in answered.get_json()["errors"]} == {"/by", "/where", "/periods", "/confidence"}


@pytest.mark.slow
@pytest.mark.parametrize(("statistic", "feed"), [("counts", "support"), ("joint_table", None)])
def test_leaving_measures_out_does_not_get_around_the_most_rows(
    small: SmallExchange, statistic: str, feed: str | None
) -> None:
    names = [f"m{i}" for i in range(20)]
    wide = support_feed(measures={name: {"unit": "persons", "bound": 1} for name in names}, invariants=[])
    document = small_contract(feeds=[fills_feed(), wide])
    document["vocabularies"] = document["vocabularies"] | {"region": ["north", *(f"r{i}" for i in range(99))]}
    small.agree(document)
    post(small, "fills", {(name, "2025-01"): [] for name in PAYERS})
    post(small, "support", {(BRAND, "2025-01"): []})
    # 20 measures in 100 regions and 12 months are 24,000 rows.
    question = {"by": "region,month"} | ({"feed": feed} if feed else {})

    for measures in ({}, {"measures": ",".join(names)}):
        refused = small.ask(BRAND, statistic, **question, **measures)
        assert_problem(refused, 422, "question-invalid", "/by", "too_many_rows")
    rows = answer(small, statistic, **question, measures=",".join(names[:15]))["rows"]
    assert len(rows) == 15 * 1200 + (1200 if statistic == "joint_table" else 0)


def test_a_name_that_is_no_statistics_is_not_found_and_the_nearest_is_named(asked: SmallExchange) -> None:
    answered = asked.ask(BRAND, "adherance_rate")

    assert_problem(answered, 404, "statistic-not-found")
    assert "did you mean adherence_rate?" in answered.get_json()["detail"]
    assert "pdc_pooled" in answered.get_json()["offered"]


def test_a_statistic_that_the_contract_does_not_grant_is_refused(small: SmallExchange) -> None:
    small.agree(small_contract(grants=[{"role": "brand", "statistics": ["counts"], "by_at_most": 1}]))

    refused = small.ask(BRAND, "adherence_rate")
    assert_problem(refused, 403, "not-granted")
    assert refused.get_json()["granted"] == ["counts"]
    assert_problem(small.ask("blueridge", "counts"), 403, "not-granted")
    assert small.get("blueridge", f"/v1/contracts/{CONTRACT}/statistics").get_json() == {"statistics": []}


def test_a_granted_statistic_that_no_feed_can_answer_says_what_is_missing(small: SmallExchange) -> None:
    grants = [{"role": "brand", "statistics": ["cost_pmpm", "counts"], "by_at_most": 1}]
    small.agree(small_contract(grants=grants))

    answered = small.ask(BRAND, "cost_pmpm")
    assert_problem(answered, 422, "question-invalid", "/feed", "feed_missing")
    listed = small.get(BRAND, f"/v1/contracts/{CONTRACT}/statistics").get_json()["statistics"]
    assert {line["name"]: bool(line["missing"]) for line in listed} == {"cost_pmpm": True, "counts": False}


def test_a_grain_that_the_contract_does_not_roll_up_to_is_unknown(small: SmallExchange) -> None:
    small.agree(small_contract(rollups={"period": {"quarter": "month"}}))

    answered = small.ask(BRAND, "pdc_pooled", by="year")

    assert_problem(answered, 422, "question-invalid", "/by", "grain_unknown")


def test_a_contract_without_the_feed_that_a_statistic_needs_says_which(small: SmallExchange) -> None:
    small.agree(small_contract(feeds=[fills_feed(), support_feed()]))

    answered = small.ask(BRAND, "adherence_rate")

    assert_problem(answered, 422, "question-invalid", "/feed", "feed_missing")
    (fault,) = answered.get_json()["errors"]
    assert "adherence_band" in fault["detail"]
    assert "fills" in fault["detail"]


def test_of_two_feeds_that_suit_one_must_be_named(small: SmallExchange) -> None:
    twins = [fills_feed(rho="0.02"), fills_feed(name="refills", rho="0.02"), adherence_feed(), support_feed()]
    small.agree(small_contract(feeds=twins))

    answered = small.ask(BRAND, "pdc_pooled")

    assert_problem(answered, 422, "question-invalid", "/feed", "feed_needed")
    assert answered.get_json()["detail"] == "Several of the contract's feeds could answer this."
    assert "refills" in answered.get_json()["errors"][0]["detail"]


def test_bands_that_do_not_split_at_80_cannot_tell_who_is_adherent(small: SmallExchange) -> None:
    document = small_contract()
    bands = {"adherence_band": ["low", "p60_90", "p90_100"]}
    document["vocabularies"] = document["vocabularies"] | bands
    small.agree(document)
    rows = [{"region": "north", "adherence_band": "p60_90", "members": 1000}]
    post(small, "adherence", {(name, "2025"): rows for name in PAYERS})

    assert_problem(small.ask(BRAND, "adherence_rate"), 422, "question-invalid")
