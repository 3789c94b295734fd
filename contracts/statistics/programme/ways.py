"""The three ways to tell a programme's effect, which of them a question means, and which others its contract allows."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from contracts.refusals import Fault, QuestionInvalid
from contracts.statistics.declarations import Asked, Computed, Need, Statistic
from contracts.statistics.programme.bounded import bounds_of, needs_of_bounds
from contracts.statistics.programme.linked import by_flag, need_linked
from contracts.statistics.programme.outcomes import Outcome
from contracts.statistics.programme.rollout import in_differences, need_across
from contracts.statistics.questions import Question
from contracts.statistics.slices import Slice
from contracts.terms import Terms


@dataclass(frozen=True, slots=True)
class _Way:
    """A way whose needs the contract meets. feeds: by need, those that it could be asked of."""

    name: str
    find: partial[Statistic]
    feeds: tuple[tuple[str, ...], ...]

    @property
    def known(self) -> set[str]:
        return {name for names in self.feeds for name in names}

    def __str__(self) -> str:
        return f"{self.name}, of {' and '.join(' or '.join(names) for names in self.feeds)}"


def find_way(declared: Statistic, outcome: Outcome, asked: Asked) -> Statistic:
    """Of three ways the one that tells most, and that can use every feed that the question names. Raises
    QuestionInvalid."""
    ways = list(_ways(declared, outcome, asked))
    meant = [way for way in ways if set(asked.question.feeds) <= way.known]
    if meant:
        return _saying(meant[0].find(), meant[0], [way for way in _reachable(ways) if way is not meant[0]])
    if ways and asked.question.feeds:
        message = f"{declared.name} can be asked of the feeds of one of these: {_listed(ways)}"
        fault = Fault("/feed", "feed_unsuitable", message)
        raise QuestionInvalid("The contract's feeds cannot answer this.", faults=(fault,))
    # What it lacks is said of the way that takes least.
    return bounds_of(declared, outcome, asked)


def _ways(declared: Statistic, outcome: Outcome, asked: Asked) -> Iterator[_Way]:
    """Those that the contract allows, the one that tells most first."""
    rollout = asked.terms.rollout
    found: list[tuple[str, tuple[Need, ...], partial[Statistic]]] = [
        ("a linked feed", (need_linked(outcome),), partial(by_flag, declared, outcome, asked))
    ]
    if rollout is not None:
        find = partial(in_differences, declared, outcome, rollout, asked)
        found.append(("difference in differences", (need_across(outcome, rollout),), find))
    if outcome.of_persons:
        bounds = partial(bounds_of, declared, outcome, asked)
        found.append(("bounds", needs_of_bounds(outcome, asked), bounds))
    for name, needs, find in found:
        feeds = tuple(tuple(feed.name for feed in asked.feeds if need.fits(feed)) for need in needs)
        if all(feeds):
            yield _Way(name, find, feeds)


def _reachable(ways: list[_Way]) -> list[_Way]:
    """Those that can be had by naming feeds: what none before them could use."""
    return [way for i, way in enumerate(ways) if not any(way.known <= earlier.known for earlier in ways[:i])]


def _saying(statistic: Statistic, way: _Way, others: list[_Way]) -> Statistic:
    """With a note of the way taken, and of what else could be asked. It depends on the contract and the feeds named."""
    note = f"The way taken: {way.name}."
    if others:
        note += f" Name the feeds for another that this contract allows: {_listed(others)}."

    def noted(question: Question, terms: Terms, slices: tuple[Slice, ...]) -> Computed:
        computed = statistic.compute(question, terms, slices)
        return replace(computed, notes=(*computed.notes, note))

    return replace(statistic, compute=noted)


def _listed(ways: list[_Way]) -> str:
    return "; ".join(map(str, ways))
