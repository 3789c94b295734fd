"""The steps in which one period of a feed of payers is open to one asker, through all versions of the contract.

A step that was ever open holds its payers for good, and every pool is made of whole steps: whoever joins later is in a
later step, and a step of which a payer has left is closed until that payer is back
(docs/decisions/0021-pools-over-versions.md). Folded from releases and versions alone, anew for each question.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts.in_force import InForce
from contracts.records import ReleaseRecord
from contracts.terms import FeedTerms

Piece = tuple[str, int]  # who posted, and which measurement of the period


@dataclass(frozen=True, slots=True)
class Reign:
    """A stretch of time in which the same parties posted the feed and asked under the same min_payers.

    since: its first instant, and its version, for what was released in that instant.
    """

    since: tuple[datetime, int]
    payers: frozenset[str]
    parties: frozenset[str]
    min_payers: int


def reigns_of(versions: Iterable[InForce], feed: FeedTerms) -> list[Reign]:
    """Of the versions that answer from the feed as it is now, oldest first."""
    found = list[Reign]()
    for version in versions:
        if version.has(feed):
            terms = version.terms
            reign = Reign(
                (version.since, terms.version),
                frozenset(terms.providers_of(feed)),
                frozenset(party.organisation for party in terms.parties),
                terms.rules.min_payers,
            )
            if not found or replace(reign, since=found[-1].since) != found[-1]:
                found.append(reign)
    return found


@dataclass(slots=True)
class Steps:
    """Where the steps of a period stand. others: its payers now, without the asker. min_payers: the largest since the
    first release of the period. seen: what was open under the versions before."""

    others: frozenset[str] = frozenset()
    min_payers: int = 0
    steps: list[tuple[str, ...]] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    seen: set[Piece] = field(default_factory=set)

    def open_of(self, number: int, posted: Iterable[Piece]) -> list[str]:
        """The others whose measurement of this number is open: whole steps, until the first that has not posted it."""
        found = list[str]()
        have = set(posted)
        for step in self.steps:
            if self.others.issuperset(step):
                before = sum((name, number) in self.seen for name in step)
                # Steps made one by a larger min_payers: where a part was open before, the rest would be told apart.
                if before not in (0, len(step)) or any((name, number) not in have for name in step):
                    break
                found += step
        return found

    def begin(self, others: frozenset[str], min_payers: int) -> None:
        """Under another version. Where min_payers rises, smaller steps are one from now on, or closed for good."""
        self.others = others
        if min_payers <= self.min_payers:
            return
        self.min_payers = min_payers
        whole, part = list[tuple[str, ...]](), tuple[str, ...]()
        for step in self.steps:
            part += step
            if len(part) >= min_payers:
                whole.append(part)
                part = ()
        if whole:
            whole[-1] += part
        else:
            self.closed.update(part)
        self.steps = whole

    def grow(self, order: Iterable[str]) -> None:
        """Take in who has posted the first measurement, in this order, by min_payers; the last step takes the rest."""
        taken = self.closed.union(*self.steps)
        waiting = [name for name in order if name in self.others and name not in taken]
        left = len(self.others - taken)
        while len(waiting) >= self.min_payers:
            size = self.min_payers if left >= 2 * self.min_payers else left
            if size > len(waiting):
                return
            self.steps.append(tuple(waiting[:size]))
            waiting, left = waiting[size:], left - size


def steps_of(reigns: Sequence[Reign], asker: str, releases: Sequence[ReleaseRecord]) -> Steps:
    """releases: all of one period, in the order stored, of those too who have left."""
    starts = [reign.since for reign in reigns]
    found, posted, at = Steps(), list[Piece](), None
    for release in releases:
        now = max(0, bisect_right(starts, (release.released_at, release.contract_version)) - 1)
        at = now if at is None else _pass(found, reigns, asker, posted, at, now)
        posted.append((release.provider, release.restatement))
    if at is not None:
        _pass(found, reigns, asker, posted, at, len(reigns) - 1)
        _rule(found, reigns[-1], asker, posted)
    return found


def _pass(found: Steps, reigns: Sequence[Reign], asker: str, posted: Sequence[Piece], at: int, now: int) -> int:
    """What was open at the end of each reign that is over, and seen by the asker if it was a party then."""
    for reign in reigns[at:now]:
        _rule(found, reign, asker, posted)
        for number in {number for _, number in posted if asker in reign.parties}:
            found.seen.update((name, number) for name in found.open_of(number, posted))
    return max(at, now)


def _rule(found: Steps, reign: Reign, asker: str, posted: Sequence[Piece]) -> None:
    found.begin(reign.payers - {asker}, reign.min_payers)
    found.grow(name for name, number in posted if number == 0)
