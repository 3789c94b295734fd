"""A pool of payers opens by min_payers, grows by as many, and never lets one payer be subtracted out.

Not over time, and not over the measurements of a period that is restated.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.in_force import InForce
from contracts.records import ReleaseRecord
from contracts.statistics.as_of import names_of
from contracts.statistics.pools import open_releases
from contracts.terms import FeedTerms, Terms
from tests.unit.terms import NOW, a_release, some_terms

BRAND = "helix"


def opened(terms: Terms, asker: str, releases: list[ReleaseRecord], feed: str = "fills") -> dict[str, list[str]]:
    """Providers by period, as the asker sees them."""
    found = terms.find_feed(feed)
    assert found is not None
    by_period = open_releases([InForce(terms, NOW)], found, asker, releases)
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


# --- restated periods

Piece = tuple[str, int]  # who posted, and which measurement of the period
Pool = frozenset[Piece]
RESTATEMENTS = 2


def restated_terms(*, payers: int = 7, min_payers: int = 3, restatements: int = RESTATEMENTS) -> Terms:
    terms = some_terms(payers=payers, min_payers=min_payers)
    return replace(terms, feeds=tuple(replace(feed, restatements=restatements) for feed in terms.feeds))


def stored(pieces: Sequence[Piece], provisional: int = 0, feed: str = "fills") -> list[ReleaseRecord]:
    """Releases of one period in the order posted; the first so many came before its run-out was over."""
    return [
        replace(a_release(name, feed=feed), id=f"{name}{number}", restatement=number, provisional=place < provisional)
        for place, (name, number) in enumerate(pieces)
    ]


def pool(
    terms: Terms, asker: str, pieces: Sequence[Piece], as_of: str, provisional: int = 0, feed: str = "fills"
) -> Pool:
    found = terms.find_feed(feed)
    assert found is not None
    opened = open_releases([InForce(terms, NOW)], found, asker, stored(pieces, provisional, feed), as_of)
    return frozenset((release.provider, release.restatement) for release in opened.get("2025-01", []))


def of(names: str, number: int) -> list[Piece]:
    return [(name, number) for name in names]


def test_an_answer_never_rests_on_two_measurements_of_one_provider() -> None:
    terms = restated_terms(payers=3)
    assert pool(terms, BRAND, of("abc", 0) + of("abc", 1), "latest") == set(of("abc", 1))
    assert pool(terms, BRAND, of("abc", 0) + of("abc", 1), "first") == set(of("abc", 0))


def test_a_restatement_opens_in_the_steps_of_the_first_measurement() -> None:
    terms = restated_terms()
    # g, f and e restated first, but the first step of the pool is a, b and c.
    pieces = of("abcdefg", 0) + of("gfe", 1)
    assert pool(terms, BRAND, pieces, "restatement_1") == set()
    assert pool(terms, BRAND, [*pieces, *of("abc", 1)], "restatement_1") == set(of("abc", 1))
    assert pool(terms, BRAND, [*pieces, *of("abcd", 1)], "restatement_1") == set(of("abcdefg", 1))


def test_the_latest_never_loses_payers() -> None:
    terms = restated_terms()
    pieces = of("abcdefg", 0) + of("abcdef", 1)
    assert pool(terms, BRAND, pieces, "latest") == set(of("abcdefg", 0))
    assert pool(terms, BRAND, [*pieces, ("g", 1)], "latest") == set(of("abcdefg", 1))


def test_the_latest_may_pass_over_a_restatement_that_some_left_out() -> None:
    terms = restated_terms(payers=3)
    assert pool(terms, BRAND, of("abc", 0) + of("ab", 1) + of("abc", 2), "latest") == set(of("abc", 2))


def test_the_final_is_the_last_scheduled_and_never_provisional() -> None:
    terms = restated_terms(payers=3)
    twice = of("abc", 0) + of("abc", 1)
    assert pool(terms, BRAND, twice, "final") == set()
    assert pool(terms, BRAND, [*twice, *of("abc", 2)], "final", provisional=6) == set(of("abc", 2))

    once = restated_terms(payers=3, restatements=0)
    assert pool(once, BRAND, of("abc", 0), "final") == set(of("abc", 0))
    assert pool(once, BRAND, of("abc", 0), "final", provisional=1) == set()
    assert pool(once, BRAND, of("abc", 0), "latest", provisional=1) == set(of("abc", 0))


def test_the_asker_sees_its_own_of_the_measurement_asked_and_of_the_latest_its_newest() -> None:
    terms = restated_terms(payers=4)
    pieces = of("abcd", 0) + of("bcd", 1)
    assert pool(terms, "a", pieces, "restatement_1") == set(of("bcd", 1))
    assert pool(terms, "a", pieces, "latest") == {*of("bcd", 1), ("a", 0)}
    assert pool(terms, "a", [*of("abcd", 0), ("a", 1)], "latest") == set(of("abcd", 0))


def test_the_brands_own_feed_is_open_in_every_measurement() -> None:
    pieces = [(BRAND, 0), (BRAND, 1)]
    terms = restated_terms()
    found = {
        as_of: pool(terms, "a", pieces, as_of, provisional=1, feed="support") for as_of in names_of(support(terms))
    }
    assert found == {
        "latest": {(BRAND, 1)},
        "first": {(BRAND, 0)},
        "final": set(),
        "restatement_1": {(BRAND, 1)},
        "restatement_2": set(),
    }


def support(terms: Terms) -> FeedTerms:
    found = terms.find_feed("support")
    assert found is not None
    return found


@st.composite
def histories(draw: st.DrawFn) -> tuple[Terms, list[Piece], int]:
    """Terms, what was posted in which order, and how much of it before the run-out was over.

    Each payer posts its measurements in order, and may stop after any of them.
    """
    payers = draw(st.integers(2, 7))
    min_payers = draw(st.integers(2, 3))
    names = "abcdefg"[:payers]
    turns = draw(st.lists(st.sampled_from(names), max_size=payers * (RESTATEMENTS + 1)))
    if draw(st.booleans()):
        # All are done in the end: few random turns ever get there.
        turns += draw(st.permutations(names * (RESTATEMENTS + 1)))
    posted: dict[str, int] = defaultdict(int)
    pieces = []
    for name in turns:
        if posted[name] <= RESTATEMENTS:
            pieces.append((name, posted[name]))
            posted[name] += 1
    return restated_terms(payers=payers, min_payers=min_payers), pieces, draw(st.integers(0, len(pieces)))


def views(terms: Terms, asker: str, pieces: list[Piece], provisional: int) -> set[Pool]:
    """Every pool that the asker can ever see of the period, without what it posted itself."""
    names = names_of(terms.feeds[0])
    seen = {pool(terms, asker, pieces[:n], as_of, provisional) for n in range(len(pieces) + 1) for as_of in names}
    return {frozenset(piece for piece in found if piece[0] != asker) for found in seen}


@given(histories(), st.sampled_from([BRAND, "a", "b"]))
def test_no_difference_of_two_answers_is_over_fewer_than_min_payers(
    history: tuple[Terms, list[Piece], int], asker: str
) -> None:
    terms, pieces, provisional = history
    for one, other in combinations(views(terms, asker, pieces, provisional), 2):
        assert len({name for name, _ in one ^ other}) >= terms.rules.min_payers


@given(histories(), st.sampled_from([BRAND, "a", "b"]))
def test_no_combination_of_answers_isolates_fewer_than_min_payers(
    history: tuple[Terms, list[Piece], int], asker: str
) -> None:
    """Pieces that are in exactly the same pools can only be told together, whatever is added and subtracted."""
    terms, pieces, provisional = history
    pools = views(terms, asker, pieces, provisional)
    together: dict[frozenset[Pool], set[str]] = defaultdict(set)
    for piece in pieces:
        if piece[0] != asker:
            together[frozenset(found for found in pools if piece in found)].add(piece[0])
    together.pop(frozenset(), None)
    assert all(len(names) >= terms.rules.min_payers for names in together.values())


@given(histories(), st.sampled_from([BRAND, "a", "b"]))
def test_over_time_pools_gain_payers_and_never_lose_one(history: tuple[Terms, list[Piece], int], asker: str) -> None:
    terms, pieces, provisional = history
    for as_of in names_of(terms.feeds[0]):
        before: set[str] = set()
        for n in range(len(pieces) + 1):
            found = pool(terms, asker, pieces[:n], as_of, provisional)
            names = {name for name, _ in found}
            assert len(names) == len(found), "two measurements of one provider"
            assert before <= names
            before = names
