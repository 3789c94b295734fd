"""Which measurement of each period an answer rests on, by name.

0 is the first measurement of a period; 1, 2, ... are its scheduled restatements, each of which measures it anew.
"""

from typing import Final

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
