"""The small-cell rule of a contract: noisy figures of few persons are not shown.

A display rule on noisy values, after inference, within one answer. Not protection: that is what the noise is for, and
what one answer hides may follow from others, since totals are never the sum of what is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from contracts.invariants import Invariant
from contracts.statistics.questions import Filter
from contracts.statistics.slices import Estimate, Slice
from contracts.terms import FeedTerms, Rules
from privacy.arrays import Flags, Floats

PERSONS = "persons"
NOTE = (
    "Suppressed: the contract's small-cell rule, /rules/small_cells, hides noisy figures of few persons. It is a rule "
    "of display, not the protection of anyone, which is the noise; what is hidden here may follow from what is shown "
    "beside it, since parts add up to their whole, and from other answers."
)


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate, one entry a row, what it is called, and where the small-cell rule hides it."""

    name: str
    estimate: Estimate
    hidden: Flags


def make_figure(part: Slice, measure: str, rules: Rules, narrowed: Filter | None = None) -> Figure:
    """The sums of a measure, hidden where they are small themselves or made of few persons."""
    estimate = part.estimate(measure, narrowed)
    behind = [part.estimate(name, narrowed) for name in persons_behind(part.feed, measure) if name != measure]
    hidden = [in_small_cell(each.values, rules.mask_below) for each in (estimate, *behind)]
    name = measure + "".join(f" of {' or '.join(values)}" for values in (narrowed or {}).values())
    return Figure(name, estimate, np.logical_or.reduce(hidden))


def make_count(part: Slice, measure: str, rules: Rules) -> Figure:
    """The sums of a measure as a count of its own: persons are hidden with what remains of those who hold them, too.

    Else `members` and `adherent` beside each other would tell the few who are not adherent. Told by the contract's
    invariants, two measures at a time and within one answer: a rule of display, which what several figures tell
    together, or several answers, may get around.
    """
    figure = make_figure(part, measure, rules)
    rests = [part.estimate(whole).values - figure.estimate.values for whole in wholes_of(part.feed, measure)]
    hidden = [figure.hidden, *(in_small_cell(rest, rules.mask_below) for rest in rests)]
    return replace(figure, hidden=np.logical_or.reduce(hidden))


def in_small_cell(values: Floats, mask_below: int | None) -> Flags:
    """Where a noisy count is, rounded in either way, from 1 to one below `mask_below`."""
    if mask_below is None:
        return np.zeros(np.shape(values), dtype=bool)
    return np.asarray((values >= 0.5) & (values <= mask_below - 0.5))


def persons_behind(feed: FeedTerms, measure: str) -> tuple[str, ...]:
    """The measures in persons that a measure is made of.

    One in persons is its own. Another is made of those that bound it through the feed's invariants, as in
    days_covered <= treatment_days <= 31 * members; of all of the feed where no invariant says of which.
    """
    persons = [name for name, terms in feed.measures.items() if terms.unit == PERSONS]
    if measure in persons:
        return (measure,)
    bounding = _bounding(feed.invariants, measure)
    return tuple(name for name in persons if name in bounding) or tuple(persons)


def wholes_of(feed: FeedTerms, measure: str) -> tuple[str, ...]:
    """The measures in persons that hold one in persons: `members`, by `adherent + other <= members`."""
    persons = [name for name, terms in feed.measures.items() if terms.unit == PERSONS]
    if measure not in persons:
        return ()
    # No more than each one of the other side: of `a <= b + c` or `a <= 2 * b` neither b nor c holds a.
    holding = [each for each in feed.invariants if [coefficient for coefficient, _ in each.right] == [1]]
    found = _bounding(holding, measure)
    return tuple(name for name in persons if name in found and name != measure)


def _bounding(invariants: Sequence[Invariant], measure: str) -> set[str]:
    """The measures above this one, through any number of invariants."""
    found, left = set[str](), [measure]
    while left:
        below = left.pop()
        for invariant in invariants:
            if below in [name for _, name in invariant.left]:
                above = {name for _, name in invariant.right} - found
                left += above
                found |= above
    return found
