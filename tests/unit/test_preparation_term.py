"""`preparation_sha256` of a feed: signed and told, and no part of what a loss rests on."""

from typing import Any

import pytest
from marshmallow import ValidationError

from api.schemas.contracts import ContractDocumentSchema
from contracts.agreeing import with_plans
from contracts.canonical import digest_of
from contracts.differences.comparing import compare
from contracts.differences.meaning import Group
from contracts.drafting.meanings import meaning_faults
from contracts.evidence.duties import duties
from contracts.parties import JsonObject
from contracts.terms import FeedTerms, read_terms
from tests.support.small_exchange import fills_feed, small_contract
from tests.unit.evidence import given
from tests.unit.test_rendering import text_of

NAMED, OTHER = "ab" * 32, "cd" * 32


def agreed(**terms: Any) -> JsonObject:
    loaded: JsonObject = ContractDocumentSchema().load(small_contract(feeds=[fills_feed(**terms)]))
    return with_plans(loaded)


def feed_of(whole: JsonObject) -> FeedTerms:
    return read_terms(whole).feeds[0]


def told(old: JsonObject, new: JsonObject) -> list[tuple[Group, str]]:
    return [(each.group, each.words) for each in compare(old, new).differences]


def test_a_contract_without_the_term_keeps_its_form() -> None:
    """As other defaults are written out, its digest would change under those who signed it."""
    (feed,) = agreed()["feeds"]

    assert "preparation_sha256" not in feed
    assert feed_of(agreed()).preparation_sha256 is None
    assert "made of claims" not in text_of(agreed())


def test_the_term_is_signed_and_the_loss_does_not_rest_on_it() -> None:
    named, other = agreed(preparation_sha256=NAMED), agreed(preparation_sha256=OTHER)

    assert feed_of(named).preparation_sha256 == NAMED
    assert len({digest_of(each) for each in (agreed(), named, other, agreed(preparation_sha256=None))}) == 4
    assert feed_of(named).generation == feed_of(other).generation == feed_of(agreed()).generation
    assert feed_of(named).plan == feed_of(agreed()).plan


@pytest.mark.parametrize("value", ["", "AB" * 32, "ab" * 31, "ab" * 32 + "\n", 7, ["ab" * 32]])
def test_the_term_is_a_digest_or_null(value: object) -> None:
    with pytest.raises(ValidationError) as invalid:
        agreed(preparation_sha256=value)

    assert list(invalid.value.messages_dict["feeds"][0]) == ["preparation_sha256"]


def test_the_contract_in_words_names_the_definitions() -> None:
    assert f"the definitions with SHA-256 {NAMED}" in text_of(agreed(preparation_sha256=NAMED))
    assert "the provider's own definitions" in text_of(agreed(preparation_sha256=None))


def test_the_evidence_names_them_as_a_duty() -> None:
    whole = agreed(preparation_sha256=NAMED)

    (rules,) = (feed.rules for feed in duties(given(whole), read_terms(whole)).feeds)
    (others,) = (feed.rules for feed in duties(given(agreed()), read_terms(agreed())).feeds)

    assert [rule for rule in rules if rule not in others] == [
        f"Cells are made of claims by the definitions with SHA-256 {NAMED}, and by no others."
    ]


def test_an_amendment_that_names_others_says_what_it_does_to_earlier_releases() -> None:
    ((group, words),) = told(agreed(preparation_sha256=NAMED), agreed(preparation_sha256=OTHER))

    assert group is Group.PRIVACY
    assert f"those with SHA-256 {OTHER}, instead of those with SHA-256 {NAMED}" in words
    assert words.endswith("releases so far were made by the earlier ones")


def test_naming_none_any_more_is_said_and_null_is_as_good_as_nothing() -> None:
    ((_, words),) = told(agreed(preparation_sha256=NAMED), agreed())
    ((_, same),) = told(agreed(), agreed(preparation_sha256=None))

    assert f"the provider's own, instead of those with SHA-256 {NAMED}" in words
    assert same.endswith("the provider's own, instead of the provider's own")


def test_an_amendment_may_name_others_and_go_on_with_the_releases() -> None:
    before = [given(agreed(preparation_sha256=NAMED)).record]

    assert list(meaning_faults(agreed(preparation_sha256=OTHER), before)) == []
    assert list(meaning_faults(agreed(preparation_sha256=NAMED, life_table="starts"), before)) != []
