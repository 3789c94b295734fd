"""Two versions of a contract side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from contracts.canonical import digest_of
from contracts.differences.meaning import Group, group_of, words
from contracts.differences.trees import Kind, changes
from contracts.ledger.statements import ceilings
from contracts.parties import JsonObject
from contracts.rendering.losses import loss_text
from contracts.terms import FeedTerms, Terms, read_terms
from privacy.plan import MeasurementPlan
from privacy.strategy import BudgetTooSmall, make_plan
from privacy.units import rho_text


@dataclass(frozen=True, slots=True)
class Difference:
    """One term that differs. Of what was added there is no old pointer, of what was removed no new one."""

    group: Group
    kind: Kind
    old_pointer: str | None
    new_pointer: str | None
    old: Any
    new: Any
    words: str


@dataclass(frozen=True, slots=True)
class Differences:
    """consequences: what the differences together do to losses and to releases. differences: by group."""

    consequences: tuple[str, ...]
    differences: tuple[Difference, ...]


def compare(old: JsonObject, new: JsonObject) -> Differences:
    """All that differs. Raises ValueError, KeyError or TypeError for documents that make no sense."""
    old_terms, new_terms = read_terms(old), read_terms(new)
    found = [
        Difference(
            group_of(change), change.kind, change.old_pointer, change.new_pointer, change.old, change.new,
            words(change, old_terms, new_terms),
        )
        for change in changes(_without_plans(old), _without_plans(new))
    ]  # fmt: skip
    found += _plans(old, new)
    order = list(Group)
    consequences = (*_losses(old_terms, new_terms), *_generations(old_terms, new_terms))
    return Differences(consequences, tuple(sorted(found, key=lambda each: order.index(each.group))))


def _without_plans(document: JsonObject) -> JsonObject:
    feeds = [{name: value for name, value in feed.items() if name != "plan"} for feed in document["feeds"]]
    return {**document, "feeds": feeds}


def _plans(old: JsonObject, new: JsonObject) -> Iterator[Difference]:
    """A plan follows from the other terms, so it is told by its size, cost and digest."""
    olds, news = _plans_by_feed(old), _plans_by_feed(new)
    for feed in dict.fromkeys((*olds, *news)):
        (old_pointer, before), (new_pointer, after) = olds.get(feed, (None, None)), news.get(feed, (None, None))
        if before == after:
            continue
        if before is None or after is None:
            kind, said = (Kind.ADDED, "is added") if before is None else (Kind.REMOVED, "is removed")
            said = f"{said}: {_plan_text(before or after or {})}"
        else:
            kind, said = Kind.CHANGED, f"{_plan_text(after)} instead of {_plan_text(before)}"
        pointers = (None if before is None else old_pointer, None if after is None else new_pointer)
        yield Difference(Group.COMPUTED, kind, *pointers, before, after, f"the measurement plan of {feed}: {said}")


def _plans_by_feed(document: JsonObject) -> dict[str, tuple[str, JsonObject | None]]:
    return {
        feed["name"]: (f"/feeds/{i}/plan", _summary(feed["plan"]) if feed.get("plan") else None)
        for i, feed in enumerate(document["feeds"])
    }


def _summary(plan: JsonObject) -> JsonObject:
    return {"draws": len(plan["draws"]), "charge_nano": plan["charge_nano"], "sha256": digest_of(plan)}


def _plan_text(summary: JsonObject) -> str:
    return f"{summary['draws']} draws at rho {rho_text(summary['charge_nano'])} a release"


def _losses(old: Terms, new: Terms) -> Iterator[str]:
    before, after = ceilings(old), ceilings(new)
    pairs = [("one person in every population of the contract", before.everything, after.everything)]
    if max(before.providers_at_most, after.providers_at_most) > 1:
        pairs.insert(0, ("the unit of the contract", before.of_unit, after.of_unit))
    for who, lost, now in pairs:
        if lost != now:
            yield f"The most that {who} may lose goes from {loss_text(lost)} to {loss_text(now)}."


def _generations(old: Terms, new: Terms) -> Iterator[str]:
    """Releases belong to one generation of a feed, and the losses of generations add."""
    unchanged = []
    for feed in new.feeds:
        before = old.find_feed(feed.name)
        causes = _causes(before, feed) if before else []
        if before is None:
            yield f"The feed {feed.name} starts without releases, and its loss adds to that of the others."
        elif causes:
            yield (
                f"The feed {feed.name} is a new generation, since {_listed(causes)} changed: it starts without "
                "releases, and its loss adds to what the old one has cost."
            )
        else:
            unchanged.append(feed.name)
    for feed in old.feeds:
        if new.find_feed(feed.name) is None:
            yield f"The feed {feed.name} ends; what its releases have cost stays in the ledger."
    if unchanged:
        yield f"Unchanged in all that their loss rests on, with their releases and account: {', '.join(unchanged)}."


def _causes(old: FeedTerms, new: FeedTerms) -> list[str]:
    """What of that on which a generation rests (contracts/terms.py) differs."""
    pairs = (
        ("who posts it", old.provider, new.provider),
        ("the length of a period", old.grain, new.grain),
        ("k", old.k, new.k),
        ("its dimensions or their values", [*old.vocabularies.items()], [*new.vocabularies.items()]),
        ("its measures or their bounds", old.bounds, new.bounds),
    )
    causes = [name for name, before, after in pairs if before != after]
    return causes or ([] if _plan_of(old) == _plan_of(new) else ["its measurement plan"])


def _plan_of(feed: FeedTerms) -> MeasurementPlan | None:
    """The frozen one, or that which a proposal would make; None where the budget is too small for any."""
    try:
        return feed.plan or make_plan(feed.design, feed.charge_nano)
    except BudgetTooSmall:
        return None


def _listed(causes: list[str]) -> str:
    return " and ".join([", ".join(causes[:-1]), causes[-1]] if causes[1:] else causes)
