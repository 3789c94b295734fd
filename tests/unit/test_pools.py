"""A pool of payers opens by min_payers, grows by as many, and never lets one payer be subtracted out."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import ReleaseRecord
from contracts.statistics.pools import open_releases
from contracts.terms import Terms
from tests.unit.terms import a_release, some_terms

BRAND = "helix"


def opened(terms: Terms, asker: str, releases: list[ReleaseRecord], feed: str = "fills") -> dict[str, list[str]]:
    """Providers by period, as the asker sees them."""
    found = terms.find_feed(feed)
    assert found is not None
    by_period = open_releases(terms, found, asker, releases)
    return {period: [release.provider for release in pool] for period, pool in by_period.items()}


def steps(terms: Terms, asker: str, order: str) -> list[list[str]]:
    """What is open after each of the providers has posted, one after another."""
    releases = [a_release(provider) for provider in order]
    return [opened(terms, asker, releases[:n]).get("2025-01", []) for n in range(len(releases) + 1)]


def test_nothing_is_open_before_min_payers_have_posted() -> None:
    assert [len(seen) for seen in steps(some_terms(payers=3), BRAND, "abc")] == [0, 0, 0, 3]


def test_a_pool_grows_by_min_payers_and_its_last_step_takes_in_the_rest() -> None:
    assert [len(seen) for seen in steps(some_terms(payers=7), BRAND, "abcdefg")] == [0, 0, 0, 3, 3, 3, 3, 7]


def test_those_who_posted_first_are_in_the_pool_first() -> None:
    assert steps(some_terms(payers=7), BRAND, "gcaebdf")[5] == ["g", "c", "a"]


def test_the_asker_is_not_counted_and_sees_its_own_with_the_others() -> None:
    terms = some_terms(payers=7)
    assert [len(seen) for seen in steps(terms, "a", "abcdefg")] == [0, 0, 0, 0, 4, 4, 4, 7]
    assert steps(terms, "a", "bcdefga")[3] == ["b", "c", "d"]
    assert steps(terms, "a", "bcadefg")[4] == ["b", "c", "a", "d"]


def test_a_pool_that_would_leave_too_few_for_a_step_waits_for_all() -> None:
    assert [len(seen) for seen in steps(some_terms(payers=5), BRAND, "abcde")] == [0, 0, 0, 0, 0, 5]


def test_an_asker_never_sees_fewer_than_min_payers_others() -> None:
    assert all(seen == [] for seen in steps(some_terms(payers=3), "a", "abc"))


def test_a_minimum_of_one_opens_each_as_it_comes() -> None:
    assert [len(seen) for seen in steps(some_terms(payers=3, min_payers=1), BRAND, "abc")] == [0, 1, 2, 3]


def test_each_period_opens_by_itself() -> None:
    releases = [a_release(provider, "2025-02") for provider in "abc"] + [a_release("a", "2025-01")]
    assert opened(some_terms(payers=7), BRAND, releases) == {"2025-02": ["a", "b", "c"]}


def test_releases_of_other_feeds_do_not_count() -> None:
    releases = [a_release("a"), a_release("b"), a_release("c", feed="adherence")]
    assert opened(some_terms(payers=7), BRAND, releases) == {}


def test_a_feed_of_the_brand_is_open_at_once() -> None:
    releases = [a_release(BRAND, feed="support"), a_release("a")]
    assert opened(some_terms(payers=3), "a", releases, "support") == {"2025-01": [BRAND]}


@given(
    payers=st.integers(1, 7),
    min_payers=st.integers(2, 4),
    order=st.permutations("abcdefg"),
    asker=st.sampled_from(["a", "b", BRAND]),
)
def test_two_successive_openings_never_differ_by_fewer_than_min_payers(
    payers: int, min_payers: int, order: list[str], asker: str
) -> None:
    everyone = "abcdefg"[:payers]
    posting = [name for name in order if name in everyone]
    terms = some_terms(payers=payers, min_payers=min_payers)
    others = set(everyone) - {asker}
    before: set[str] = set()
    for n in range(len(posting) + 1):
        seen = set(steps(terms, asker, "".join(posting[:n]))[-1]) - {asker}
        assert before <= seen
        grown = len(seen - before)
        assert grown == 0 or grown >= min_payers
        assert len(seen) == 0 or len(seen) >= min_payers
        before = seen
    assert before == (others if len(others) >= min_payers else set())


@pytest.mark.parametrize("order", list(permutations("abcd")))
def test_the_same_posts_in_any_order_open_the_same_pool_in_the_end(order: tuple[str, ...]) -> None:
    assert set(steps(some_terms(payers=4), BRAND, "".join(order))[-1]) == set("abcd")
