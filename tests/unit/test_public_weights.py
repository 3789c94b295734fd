"""Public weights of a contract: what is refused, what is said of them, and what differs."""

from collections.abc import Callable
from typing import Any

import pytest

from api.schemas.contracts import ContractDocumentSchema
from contracts.agreeing import with_plans
from contracts.drafting.standards import standard_faults
from contracts.parties import JsonObject
from contracts.rendering.contract import contract_page
from contracts.terms import read_terms
from tests.support.small_exchange import small_contract

Change = Callable[[JsonObject], Any]


def weights(**by_sex: int) -> list[JsonObject]:
    return [{"stratum": {"sex": sex}, "weight": weight} for sex, weight in by_sex.items()]


def standard(**changes: Any) -> JsonObject:
    named = {"name": "census", "source": "Census 2020", "by": ["sex"], "weights": weights(F=51, M=49)}
    return {**named, **changes}


def faults(*standards: JsonObject, **terms: Any) -> list[tuple[str, str]]:
    document = ContractDocumentSchema().load(small_contract(standards=list(standards), **terms))
    return [(fault.pointer, fault.code) for fault in standard_faults(document)]


def test_sound_weights_are_taken_and_read() -> None:
    both = standard(name="both", by=["region", "sex"], weights=[
        {"stratum": {"sex": sex, "region": region}, "weight": weight}
        for sex, region, weight in (("F", "north", 3), ("F", "south", 0), ("M", "north", 2), ("M", "south", 10**12))
    ])  # fmt: skip

    assert faults(standard(), both) == []
    read = read_terms(ContractDocumentSchema().load(small_contract(standards=[both]))).standards[0]
    assert read.weights[("south", "M")] == 10**12
    assert read.weights[("south", "F")] == 0


@pytest.mark.parametrize(
    ("wrong", "pointer", "code"),
    [
        (standard(by=["sex", "sex"]), "by", "dimension_repeated"),
        (standard(by=["age"]), "by", "standard_without_feed"),
        # One feed by sex and another by adherence_band, and none by both.
        (standard(by=["sex", "adherence_band"]), "by", "standard_without_feed"),
        (standard(weights=weights(F=1)), "weights", "strata_missing"),
        (standard(weights=weights(F=0, M=0)), "weights", "weights_zero"),
        (standard(weights=[*weights(F=1, M=1), *weights(F=2)]), "weights/2/stratum", "stratum_repeated"),
        (standard(weights=[*weights(F=1, M=1), *weights(X=2)]), "weights/2/stratum", "stratum_unknown"),
        (standard(weights=[*weights(F=1, M=1), {"stratum": {"region": "north"}, "weight": 1}]), "weights/2/stratum",
         "stratum_unknown"),
    ],
)  # fmt: skip
def test_weights_that_could_not_be_used_are_refused(wrong: JsonObject, pointer: str, code: str) -> None:
    assert faults(wrong) == [(f"/standards/0/{pointer}", code)]


def test_two_sets_of_one_name_are_refused() -> None:
    assert faults(standard(), standard(source="another")) == [("/standards", "standard_repeated")]


def test_more_strata_than_a_thousand_are_refused() -> None:
    many = [str(n) for n in range(501)]
    vocabularies = small_contract()["vocabularies"] | {"sex": many}
    wrong = standard(by=["region", "sex"])
    assert faults(wrong, vocabularies=vocabularies) == [("/standards/0/by", "standard_too_large")]


def test_weights_may_go_by_what_a_feed_rolls_up_to() -> None:
    rollups = {"dimensions": {"coast": {"of": "region", "groups": {"east": ["north"], "west": ["south"]}}}}
    by_coast = [{"stratum": {"coast": coast}, "weight": 1} for coast in ("east", "west")]
    assert faults(standard(by=["coast"], weights=by_coast), rollups=rollups) == []
    assert faults(standard(by=["coast"], weights=by_coast[:1]), rollups=rollups) == [
        ("/standards/0/weights", "strata_missing")
    ]


def test_the_contract_in_words_says_each_weight() -> None:
    document = with_plans(ContractDocumentSchema().load(small_contract(standards=[standard()])))

    sections = {section.title: section for section in contract_page(document, None).sections}

    said = repr(sections["Public weights"])
    assert all(words in said for words in ("census, by sex: Census 2020", "sex F", "51", "sex M", "49"))
    assert "Further terms" not in sections
