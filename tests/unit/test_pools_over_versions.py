"""Pools through amendments: no two answers of one asker, under whatever versions, are fewer than min_payers apart.

Payers join, leave and come back, and min_payers goes up and down, while periods are posted and restated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.in_force import InForce
from contracts.parties import Role
from contracts.records import ReleaseRecord
from contracts.statistics.as_of import find_number, names_of
from contracts.statistics.pools import open_releases
from contracts.terms import Party, Terms
from tests.unit.terms import NOW, a_release, some_terms

BRAND = "helix"
RESTATEMENTS = 2
EXAMPLE = some_terms()
FEEDS = tuple(replace(feed, restatements=RESTATEMENTS) for feed in EXAMPLE.feeds)
HOUR = timedelta(hours=1)

Piece = tuple[str, int]
Version = tuple[str, int]  # its payers, and min_payers


def terms_with(payers: str, min_payers: int) -> Terms:
    parties = tuple(Party(name, Role.PAYER, f"{name}-members") for name in payers)
    rules = replace(EXAMPLE.rules, min_payers=min_payers)
    return replace(EXAMPLE, parties=(*parties, Party(BRAND, Role.BRAND, "helix-patients")), rules=rules, feeds=FEEDS)


class Story:
    """What happened to a contract and to one period of it, an hour after another."""

    def __init__(self, payers: str = "abc", min_payers: int = 3, step: timedelta = HOUR) -> None:
        self._now, self._step = NOW, step
        self.versions: list[InForce] = []
        self.releases: list[ReleaseRecord] = []
        self.amend(payers, min_payers)

    def amend(self, payers: str, min_payers: int) -> None:
        self._now += self._step
        terms = replace(terms_with(payers, min_payers), version=len(self.versions) + 1)
        self.versions.append(InForce(terms, self._now))

    def post(self, names: str, provisional: bool = False) -> None:
        for name in names:
            self._now += self._step
            number = sum(release.provider == name for release in self.releases)
            release = replace(a_release(name), id=f"{name}{number}", restatement=number, provisional=provisional)
            under = self.versions[-1].terms.version
            self.releases.append(replace(release, released_at=self._now, contract_version=under))

    @property
    def payers(self) -> tuple[str, ...]:
        return self.versions[-1].terms.providers_of(FEEDS[0])

    def seen(self, asker: str = BRAND, as_of: str = "latest") -> str:
        """Whose numbers are in the answer."""
        return "".join(sorted(name for name, _ in self.pool(asker, as_of)))

    def pool(self, asker: str, as_of: str) -> frozenset[Piece]:
        opened = open_releases(self.versions, FEEDS[0], asker, self.releases, as_of)
        return frozenset((release.provider, release.restatement) for release in opened.get("2025-01", []))


def test_who_joins_is_not_told_apart_in_the_periods_of_before() -> None:
    story = Story("abc")
    story.post("abc")
    story.amend("abcd", 3)
    assert story.seen() == "abc"
    story.post("d")
    assert story.seen() == "abc"
    assert story.seen("d") == "abcd"


def test_all_in_one_instant_is_told_apart_by_version() -> None:
    story = Story("abc", step=timedelta(0))
    story.post("abc")
    story.amend("abcd", 3)
    story.post("d")
    assert story.seen() == "abc"


def test_those_who_join_are_a_step_of_their_own_once_they_are_enough() -> None:
    story = Story("abc")
    story.post("abc")
    story.amend("abcdef", 3)
    story.post("de")
    assert story.seen() == "abc"
    story.post("f")
    assert story.seen() == "abcdef"


def test_who_joins_before_a_period_opens_is_one_of_its_payers() -> None:
    story = Story("abc")
    story.post("ab")
    story.amend("abcd", 3)
    story.post("c")
    assert story.seen() == ""
    story.post("d")
    assert story.seen() == "abcd"


def test_a_period_that_was_open_closes_when_one_of_its_payers_leaves_and_opens_when_it_is_back() -> None:
    story = Story("abcd")
    story.post("abcd")
    assert story.seen() == "abcd"
    story.amend("abc", 3)
    assert story.seen() == ""
    assert story.seen("a") == ""
    story.amend("abcd", 3)
    assert story.seen() == "abcd"


def test_the_steps_that_nobody_left_stay_open() -> None:
    story = Story("abcdef")
    story.post("abcdef")
    story.amend("abdef", 3)
    assert story.seen() == "def"


def test_who_leaves_before_a_period_opens_is_waited_for_no_longer() -> None:
    story = Story("abcd")
    story.post("abc")
    assert story.seen() == ""
    story.amend("abc", 3)
    assert story.seen() == "abc"


def test_a_smaller_min_payers_is_for_periods_that_begin_under_it() -> None:
    story = Story("abc", 3)
    story.post("a")
    story.amend("abc", 1)
    assert story.seen() == ""
    story.post("bc")
    assert story.seen() == "abc"

    begun = Story("abc", 3)
    begun.amend("abc", 1)
    begun.post("a")
    assert begun.seen() == "a"


def test_a_larger_min_payers_makes_small_steps_one_or_closes_them() -> None:
    story = Story("abcdefg", 2)
    story.post("abcd")
    assert story.seen() == "abcd"
    story.amend("abcdefg", 3)
    assert story.seen() == "abcd"
    story.post("ef")
    assert story.seen() == "abcd"
    story.post("g")
    assert story.seen() == "abcdefg"

    small = Story("abcdefg", 2)
    small.post("ab")
    assert small.seen() == "ab"
    small.amend("abcdefg", 3)
    small.post("cdefg")
    assert small.seen() == "cdefg"


def test_what_others_saw_while_the_asker_was_no_party_it_did_not_see() -> None:
    story = Story("abc", 1)
    story.post("c")
    assert story.seen("b") == "c"
    story.amend("ade", 1)
    story.post("ade")
    story.amend("abcde", 4)
    assert story.seen("b") == ""


def test_a_restatement_that_was_open_to_a_part_of_a_larger_step_stays_closed() -> None:
    story = Story("abcd", 2)
    story.post("abcd")
    story.post("ab")
    assert story.seen(as_of="restatement_1") == "ab"
    story.amend("abcd", 3)
    story.post("cd")
    assert story.seen(as_of="restatement_1") == ""
    assert story.seen(as_of="latest") == "abcd"


@pytest.mark.parametrize("period", ["2024-12", "2027-01"])
def test_a_period_that_an_amendment_took_out_of_the_feed_is_not_answered_from(period: str) -> None:
    versions = [InForce(terms_with("abc", 3), NOW)]
    releases = [a_release(name, period) for name in "abc"]
    assert open_releases(versions, FEEDS[0], BRAND, releases) == {}


# --- any history

ACTS = st.one_of(
    st.tuples(st.sets(st.sampled_from("abcdefg"), min_size=1).map(lambda names: "".join(sorted(names))),
              st.integers(1, 4)),
    st.sampled_from("abcdefg"),
    st.sampled_from("abcdefg"),
    st.sampled_from(["abc", "abcd", "abcdef", "abcdefg", "gfedcba", "defg"]),
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """What was open to an asker at one time, without what is its own. least: the largest min_payers since the first
    release of the period. before: every piece that was open under the versions before."""

    pieces: frozenset[Piece]
    least: int
    before: frozenset[Piece]


def views(first: Version, acts: Sequence[str | Version], asker: str, provisional: int) -> list[View]:
    """Of every moment and measurement. What its asker could not ask, having left, nobody saw."""
    story, least = Story(*first), 0
    found: list[View] = []
    before: frozenset[Piece] = frozenset()
    for act in acts:
        if isinstance(act, tuple):
            story.amend(*act)
            before = frozenset().union(*(view.pieces for view in found))
        else:
            story.post("".join(name for name in act if name in story.payers
                               and sum(each.provider == name for each in story.releases) <= RESTATEMENTS),
                       provisional=len(story.releases) < provisional)  # fmt: skip
        if story.releases:
            least = max(least, story.versions[-1].terms.rules.min_payers)
        if asker == BRAND or asker in story.payers:
            for as_of in names_of(FEEDS[0]):
                others = frozenset(piece for piece in story.pool(asker, as_of) if piece[0] != asker)
                found.append(View(others, least, before))
    return list(dict.fromkeys(found))


def whose(pieces: frozenset[Piece]) -> set[str]:
    return {name for name, _ in pieces}


@given(
    first=st.tuples(st.sampled_from(["abc", "abcd", "abcdef", "abcdefg"]), st.integers(1, 4)),
    acts=st.lists(ACTS, max_size=12),
    asker=st.sampled_from([BRAND, "a", "b"]),
    provisional=st.integers(0, 6),
)
def test_no_two_answers_under_any_versions_are_fewer_than_min_payers_apart(
    first: Version, acts: list[str | Version], asker: str, provisional: int
) -> None:
    found = views(first, acts, asker, provisional)
    for view in found:
        assert not view.pieces or len(whose(view.pieces)) >= view.least
        assert len(whose(view.pieces)) == len(view.pieces), "two measurements of one payer"
    for earlier, later in combinations(found, 2):
        apart = whose(earlier.pieces) ^ whose(later.pieces)
        assert not apart or len(apart) >= earlier.least
        # What is open for the first time is open under the largest min_payers there has been.
        for number in range(RESTATEMENTS + 1):
            one, other = ({piece for piece in view.pieces if piece[1] == number} for view in (earlier, later))
            if (other - one) - later.before:
                assert len(one ^ other) >= later.least


def test_the_names_of_measurements_are_all_walked_through() -> None:
    assert {find_number(as_of, FEEDS[0]) for as_of in names_of(FEEDS[0])} == {None, 0, 1, 2}
