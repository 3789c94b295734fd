"""Faults of roll-ups: of time towards a finer grain, and of dimensions whose values are not each held once."""

from collections.abc import Iterator, Mapping, Sequence

from contracts.drafting.document import RESERVED_NAMES
from contracts.parties import JsonObject
from contracts.periods import Grain
from contracts.refusals import Fault
from contracts.terms import repeated


def rollup_faults(document: JsonObject) -> Iterator[Fault]:
    order = [grain.value for grain in Grain]
    for coarse, fine in document["rollups"].get("period", {}).items():
        if order.index(coarse) <= order.index(fine):
            yield Fault(f"/rollups/period/{coarse}", "rollup_reversed", f"a {fine} does not roll up to a {coarse}")
    declared = document["rollups"].get("dimensions") or {}
    for name, rollup in declared.items():
        yield from _rollup(f"/rollups/dimensions/{name}", name, rollup, declared, document["vocabularies"])
    yield from _told_twice(document["feeds"], declared)


def coarser_than(names: set[str], declared: Mapping[str, JsonObject]) -> set[str]:
    """By what whatever goes by these names can be asked as well, through any number of roll-ups."""
    found = set[str]()
    for name in declared:
        below, seen = declared[name]["of"], {name}
        while below not in names and below in declared and below not in seen:
            seen.add(below)
            below = declared[below]["of"]
        found |= {name} if below in names else set()
    return found


def finest_of(name: str, declared: Mapping[str, JsonObject]) -> str:
    """What a dimension is made of in the end; a circle, which has a fault of its own, ends where it began."""
    seen = set[str]()
    while name in declared and name not in seen:
        seen.add(name)
        name = declared[name]["of"]
    return name


def _rollup(
    at: str,
    name: str,
    rollup: JsonObject,
    declared: Mapping[str, JsonObject],
    vocabularies: Mapping[str, Sequence[str]],
) -> Iterator[Fault]:
    of, groups = rollup["of"], rollup["groups"]
    if name in RESERVED_NAMES:
        yield Fault(at, "name_reserved", f"{name} is a word of the exchange; choose another name")
    if of not in vocabularies and of not in declared:
        known = ", ".join([*vocabularies, *(other for other in declared if other != name)])
        yield Fault(f"{at}/of", "dimension_unknown", f"the dimensions are {known}")
        return
    if name in _below(name, declared):
        yield Fault(f"{at}/of", "rollup_circular", f"{name} is made of itself; roll up from fine to coarse only")
        return
    yield from _group_faults(f"{at}/groups", of, groups, vocabularies.get(of) or declared[of]["groups"])
    if name in vocabularies and set(groups) != set(vocabularies[name]):
        known = ", ".join(vocabularies[name])
        yield Fault(f"{at}/groups", "values_differ", f"feeds go by {name} too, so its values are those: {known}")


def _group_faults(at: str, of: str, groups: Mapping[str, list[str]], finer: Sequence[str]) -> Iterator[Fault]:
    """Each value of the finer dimension is held by one group."""
    known = set(finer)
    for value, held in groups.items():
        if not known.issuperset(held):
            yield Fault(f"{at}/{value}", "value_unknown", f"{of} is one of {', '.join(finer)}")
    listed = [part for held in groups.values() for part in held]
    for part in sorted(repeated(listed)):
        yield Fault(at, "value_repeated", f"{part} stands twice; each {of} is in one of the groups")
    left = known.difference(listed)
    if left:
        missing = ", ".join(value for value in finer if value in left)
        yield Fault(at, "value_ungrouped", f"each {of} is in one of the groups; in none yet: {missing}")


def _below(name: str, declared: Mapping[str, JsonObject]) -> set[str]:
    """All that a dimension is made of; itself, too, where that goes in a circle."""
    found, of = set[str](), declared[name]["of"]
    while of not in found:
        found.add(of)
        of = declared[of]["of"] if of in declared else of
    return found


def _told_twice(feeds: Sequence[JsonObject], declared: Mapping[str, JsonObject]) -> Iterator[Fault]:
    for i, feed in enumerate(feeds):
        listed = set(feed["dimensions"])
        for j, name in enumerate(feed["dimensions"]):
            finer = _below(name, declared) & listed if name in declared else set[str]()
            if finer - {name}:
                message = f"{', '.join(sorted(finer))} tells {name} already: leave it out, and ask by it all the same"
                yield Fault(f"/feeds/{i}/dimensions/{j}", "rollup_in_feed", message)
