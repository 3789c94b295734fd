"""Roll-ups as one feed has them: by which coarser dimensions its cells can be summed, and what each value holds.

They follow from the contract and no feed, so that feeds which meet by a dimension have its values in one order: that of
its vocabulary, where it has one, and else that in which the finer dimension first names them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.terms.clauses import DimensionRollup

Vocabularies = Mapping[str, tuple[str, ...]]
Groups = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RolledUp:
    """A coarser dimension of a feed. of: the feed's own dimension that it is made of; groups: its values, in the order
    in which answers show them, each with those of `of` that it holds."""

    of: str
    groups: Groups


def rolled_up_in(
    dimensions: Sequence[str], vocabularies: Vocabularies, rollups: Sequence[DimensionRollup]
) -> dict[str, RolledUp]:
    """The coarser dimensions of a feed of these dimensions, through any number of roll-ups, by name."""
    declared = {rollup.name: rollup for rollup in rollups}
    found = {}
    for name in sorted(declared):
        steps = list(_down_from(name, declared)) if name not in dimensions else []
        own = next((i for i, step in enumerate(steps) if step.of in dimensions), None)
        if own is not None:
            groups = _through(steps[: own + 1])
            order = _order_of(name, steps, vocabularies)
            found[name] = RolledUp(steps[own].of, {value: groups[value] for value in order if value in groups})
    return found


def _down_from(name: str, declared: Mapping[str, DimensionRollup]) -> Iterator[DimensionRollup]:
    """The roll-ups from a dimension down to the finest that it is made of. A circle ends where it began."""
    seen = set[str]()
    while name in declared and name not in seen:
        seen.add(name)
        yield declared[name]
        name = declared[name].of


def _through(steps: Sequence[DimensionRollup]) -> Groups:
    """What the first of the roll-ups holds of that which the last is made of."""
    groups = steps[0].groups
    for step in steps[1:]:
        groups = {
            value: tuple(finer for part in parts for finer in step.groups.get(part, ()))
            for value, parts in groups.items()
        }
    return groups


def _order_of(name: str, steps: Sequence[DimensionRollup], vocabularies: Vocabularies) -> tuple[str, ...]:
    """By a list of the document and never by its objects, whose members have no order."""
    if name in vocabularies:
        return vocabularies[name]
    finer, below = steps[0].of, steps[1:]
    order = _order_of(finer, below, vocabularies) if below or finer in vocabularies else ()
    holding = {part: value for value, parts in steps[0].groups.items() for part in parts}
    return tuple(dict.fromkeys(holding[part] for part in order if part in holding))
