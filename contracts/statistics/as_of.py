"""Which measurement of each period an answer rests on, by name.

0 is the first measurement of a period; 1, 2, ... are its scheduled restatements, each of which measures it anew.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from contracts.periods import Period
from contracts.refusals import NothingReleased
from contracts.terms import FeedTerms

LATEST: Final = "latest"
FIRST: Final = "first"
FINAL: Final = "final"
_RESTATEMENT: Final = "restatement_"


def names_of(feed: FeedTerms) -> tuple[str, ...]:
    """The names that a question about this feed may use."""
    return (LATEST, FIRST, FINAL, *(f"{_RESTATEMENT}{n}" for n in range(1, feed.restatements + 1)))


def find_number(as_of: str, feed: FeedTerms) -> int | None:
    """The measurement that a name of this feed fixes; None for the latest, which each period decides for itself.

    The final one is the last that the contract schedules: the first where it schedules no restatement.
    """
    if as_of == LATEST:
        return None
    if as_of in (FIRST, FINAL):
        return 0 if as_of == FIRST else feed.restatements
    return int(as_of.removeprefix(_RESTATEMENT))


def nothing_released(
    feed: FeedTerms, periods: Sequence[Period], as_of: str, first_is_open: bool, term: str
) -> NothingReleased:
    """The refusal, in words that follow from the contract and the calendar alone: never from who has posted what.

    first_is_open: whether the asker would be answered as of the first measurement. term: the clause that refuses.
    """
    if as_of in (LATEST, FIRST) or not periods:
        return NothingReleased(
            f"Nothing of {feed.name} is open to you yet in the periods asked, as of {as_of}: too few providers have "
            "posted, or one whose pool was open has left. A pool opens with the contract's min_payers besides the "
            "asker.",
            feed=feed.name,
            term=term,
        )
    number = find_number(as_of, feed) or 0
    what = f"restatement {number}" if number else "a first measurement from after the run-out"
    first = "`as_of=first` is open to you." if first_is_open else "`as_of=first` is not open to you either."
    return NothingReleased(
        f"Nothing of {feed.name} is open to you as of {as_of}: {what} of the periods asked has not been posted by "
        f"enough providers. It is due {_due(feed, periods, number)}. {first}",
        feed=feed.name,
        term=term,
    )


def _due(feed: FeedTerms, periods: Sequence[Period], number: int) -> str:
    days = [_due_day(feed, period, number) for period in (periods[0], periods[-1])]
    if len(periods) == 1:
        return f"from {days[0]}"
    return f"from {days[0]} (of {periods[0]}) to {days[-1]} (of {periods[-1]})"


def _due_day(feed: FeedTerms, period: Period, number: int) -> date:
    """Of number 0 the day on which it is final: the first after the run-out."""
    return feed.earliest(period, number) if number else period.last_day + timedelta(days=feed.run_out_days + 1)
