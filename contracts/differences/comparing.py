"""Two versions of a contract side by side."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from contracts.canonical import digest_of
from contracts.differences.meaning import Group, group_of, pools_text, words
from contracts.differences.trees import Change, Kind, changes
from contracts.ledger.statements import ceilings
from contracts.parties import JsonObject
from contracts.rendering.losses import loss_text
from contracts.succession import without_plans
from contracts.terms import FeedTerms, Terms, read_terms
from privacy.plan import MeasurementPlan
from privacy.strategy import BudgetTooSmall, make_plan
from privacy.units import rho_text

# More are counted and not told: two large documents could else have megabytes of them for an answer.
MAX_DIFFERENCES: Final = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """One term that differs. Of what was added there is no old pointer, of what was removed no new one.

    old_omitted, new_omitted: how many further values of a list are not in old and in new.
    """

    group: Group
    kind: Kind
    old_pointer: str | None
    new_pointer: str | None
    old: Any
    new: Any
    words: str
    old_omitted: int = 0
    new_omitted: int = 0


@dataclass(frozen=True, slots=True)
class Omitted:
    """How many differences below one field of the document are not told one by one."""

    group: Group
    pointer: str
    count: int


@dataclass(frozen=True, slots=True)
class Differences:
    """consequences: what the differences together do to losses and to releases. differences: by group, the first
    MAX_DIFFERENCES of them; omitted: the others."""

    consequences: tuple[str, ...]
    differences: tuple[Difference, ...]
    omitted: tuple[Omitted, ...] = ()


def compare(old: JsonObject, new: JsonObject) -> Differences:
    """All that differs. Raises ValueError, KeyError or TypeError for documents that make no sense."""
    old_terms, new_terms = read_terms(old), read_terms(new)
    order, plans = list(Group), [*_plans(old, new)]
    different = (each for each in changes(without_plans(old), without_plans(new)) if not _follows(each, old, new))
    found = sorted(different, key=lambda change: order.index(group_of(change)))
    room = MAX_DIFFERENCES - len(plans)
    told = [*(_difference(change, old_terms, new_terms) for change in found[:room]), *plans]
    pools = pools_text(old_terms, new_terms)
    consequences = (*_losses(old_terms, new_terms), *_generations(old_terms, new_terms), *pools, *_unplanned(old, new))
    return Differences(
        consequences, tuple(sorted(told, key=lambda each: order.index(each.group))), tuple(_omitted(found[room:]))
    )


def _difference(change: Change, old: Terms, new: Terms) -> Difference:
    return Difference(
        group_of(change), change.kind, change.old_pointer, change.new_pointer, change.old, change.new,
        words(change, old, new), *change.omitted,
    )  # fmt: skip


def _omitted(untold: list[Change]) -> Iterator[Omitted]:
    pointers = ((group_of(each), each.new_pointer or each.old_pointer or "") for each in untold)
    for (group, field), count in Counter((group, pointer.split("/")[1]) for group, pointer in pointers).items():
        yield Omitted(group, f"/{field}", count)


def _follows(change: Change, old: JsonObject, new: JsonObject) -> bool:
    """Another version names another one before it: that goes without saying."""
    return change.names == ("previous_digest",) and old["version"] != new["version"]


def _unplanned(old: JsonObject, new: JsonObject) -> Iterator[str]:
    if _is_planned(old) is not _is_planned(new):
        which = "first" if _is_planned(new) else "second"
        yield f"The {which} has no measurement plans yet: they are made of its other terms when it is proposed."


def _is_planned(document: JsonObject) -> bool:
    return any(feed.get("plan") for feed in document["feeds"])


def _plans(old: JsonObject, new: JsonObject) -> Iterator[Difference]:
    """A plan follows from the other terms, so it is told by its size, cost and digest; and where both have theirs."""
    if not (_is_planned(old) and _is_planned(new)):
        return
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
        ("whose records it is linked to", old.linked, new.linked),
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
