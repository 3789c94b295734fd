"""Which periods a register should know of, and does not: persons may be in them, and room for them is used up.

The guarantee holds over all that was ever posted. A register that was lost, or put back from a copy, or is the wrong
one, would let persons be in more than k periods, and nothing downstream could see it.
"""

from collections.abc import Collection
from datetime import date

from contracts.periods import Period
from contracts.terms import FeedTerms


def unseen_periods(
    feed: FeedTerms,
    periods: Collection[Period],
    today: date,
    seen: Collection[int],
    never_posted: Collection[Period],
    *,
    restated: bool,
) -> tuple[Period, ...]:
    """Periods that may have been posted, and of which the register knows nothing. periods: which are to be prepared,
    restated: anew. seen: by index. None where k is every period: then nobody can be in too many.

    Only a period that is over can have been posted. A feed that is in the register goes on in the order of time: its
    periods to be prepared were not posted yet, or the exchange would refuse them, and those after them come later. A
    restatement may come after any period; and of a feed that is new to the register, so may the first, unless no other
    period is over.
    """
    if feed.k >= len(feed.periods):
        return ()
    over = [each for each in feed.periods if each.last_day < today]
    if seen and not restated:
        doubtful = [each for each in over if each < max(periods) and each not in periods]
    elif restated or len(over) > 1:
        doubtful = over
    else:
        doubtful = [each for each in over if each not in periods]
    return tuple(each for each in doubtful if each.index not in seen and each not in never_posted)


def as_ranges(periods: Collection[Period]) -> str:
    """As `--periods` takes them: 2025-01..2025-03,2025-07"""
    runs: list[list[Period]] = []
    for period in sorted(periods):
        if runs and period.index == runs[-1][-1].index + 1:
            runs[-1].append(period)
        else:
            runs.append([period])
    return ",".join(f"{run[0]}..{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
