"""What one person adds to each measure: cut to the contract's bound before anything is summed, in whole numbers.

The exchange refuses cells that break an invariant of the feed, so every person keeps every invariant. Where a person
does not (because of a cut, or because the claims say so), measures are lowered, never raised: of each broken invariant
the left side, of which the measure named first keeps as much as it can, over and over until all hold. That ends, since
whole numbers of at least 0 only fall; who is not settled after PASSES adds 0 to every measure, which keeps any
invariant. What is left of one person depends on that person's own amounts, the bounds and the invariants alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from adapters.preparation.engine import Engine
from contracts.invariants import Invariant
from contracts.preparation.definitions import FeedDefinition
from contracts.preparation.meanings import meant_measure
from contracts.preparation.measures import MEASURES, MEMBERS
from contracts.terms import FeedTerms

PASSES: Final = 64


def amounts(feed: FeedTerms, definition: FeedDefinition) -> dict[str, str]:
    """By measure of the feed, what a person's facts say of it, as SQL."""
    meant = {name: MEASURES[meant_measure(name, definition)] for name in feed.measures}
    return {
        name: "CAST(1 AS BIGINT)" if measure == MEMBERS else f"COALESCE({measure.column}, 0)"
        for name, measure in meant.items()
    }


def clipped(amount: str, bound: int) -> str:
    """From 0 to the bound, both included."""
    return f"CAST(GREATEST(0, LEAST({amount}, {bound})) AS BIGINT)"


def column(number: int) -> str:
    """The column of a feed's measure: named by its place, since its name may mean something to the engine."""
    return f"amount_{number}"


def create_bounded(engine: Engine, feed: FeedTerms, select: str) -> int:
    """The table `bounded`, a row a person: its stratum, and its amounts within bounds and invariants. select: gives
    `stratum`, and amounts as the facts have them. How many persons had a measure lowered for an invariant."""
    names = tuple(feed.measures)
    cut = ", ".join(f"{clipped(column(i), feed.bounds[name])} AS {column(i)}" for i, name in enumerate(names))
    engine.create_table("bounded", f"SELECT stratum, {cut}, FALSE AS lowered FROM ({select})")  # noqa: S608
    if not feed.invariants:
        return 0
    broken = " OR ".join(_broken(invariant, names) for invariant in feed.invariants)
    for _ in range(PASSES):
        if not _any(engine, broken):
            break
        engine.create_table("bounded", _one_pass(feed.invariants, names, broken))
    else:
        nothing = ", ".join(f"CASE WHEN {broken} THEN 0 ELSE {column(i)} END AS {column(i)}" for i in range(len(names)))
        engine.create_table("bounded", f"SELECT stratum, {nothing}, lowered FROM bounded")  # noqa: S608
    ((lowered,),) = engine.rows("SELECT count(*) FROM bounded WHERE lowered")
    return int(lowered)


def _any(engine: Engine, condition: str) -> bool:
    return engine.rows(f"SELECT EXISTS (SELECT 1 FROM bounded WHERE {condition})") == [(True,)]  # noqa: S608


def _one_pass(invariants: Sequence[Invariant], names: Sequence[str], broken: str) -> str:
    """Every invariant once, in the order of the contract."""
    kept = ", ".join(column(i) for i in range(len(names)))
    select = f"SELECT stratum, {kept}, lowered OR {broken} AS lowered FROM bounded"  # noqa: S608
    for invariant in invariants:
        for name, amount in _lowered(_weights(invariant, names)):
            select = f"SELECT * REPLACE (CAST({amount} AS BIGINT) AS {name}) FROM ({select})"  # noqa: S608
    return select


def _lowered(weights: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """With weights w > 0 on the left and v > 0 on the right: room = sum v y; the first x becomes min(x, room // w) and
    takes w times that of the room, and so on: each where those before it have been lowered already."""
    room = " + ".join(f"{-weight} * {name}::HUGEINT" for name, weight in weights.items() if weight < 0) or "0::HUGEINT"
    for name, weight in weights.items():
        if weight > 0:
            yield name, f"LEAST({name}, ({room}) // {weight})"
            room += f" - {weight} * {name}::HUGEINT"


def _broken(invariant: Invariant, names: Sequence[str]) -> str:
    total = " + ".join(f"{weight} * {name}::HUGEINT" for name, weight in _weights(invariant, names).items())
    return f"({total or '0'} > 0)"


def _weights(invariant: Invariant, names: Sequence[str]) -> Mapping[str, int]:
    """By column, its weight on the left less that on the right: the invariant says that their sum is at most 0."""
    weights: dict[str, int] = {}
    for sign, side in ((1, invariant.left), (-1, invariant.right)):
        for coefficient, measure in side:
            name = column(names.index(measure))
            weights[name] = weights.get(name, 0) + sign * coefficient
    return {name: weight for name, weight in weights.items() if weight}
