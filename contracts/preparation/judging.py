"""All that is wrong with the definitions of a feed, at once: in the text of the file, and beside the contract.

What only the claims can tell (`checking`, by the tables that they give) is said when they have been read.
"""

from collections.abc import Callable, Collection
from typing import Final

from contracts.preparation.checking import BIRTH_DAY, preparation_faults
from contracts.preparation.definitions import Definitions
from contracts.preparation.dimensions import SOURCES
from contracts.preparation.measures import MEASURES
from contracts.preparation.reading import DefinitionsFile, DefinitionsInvalid, definitions_for, feed_faults
from contracts.refusals import Fault
from contracts.terms import FeedTerms

# What claims can give at most.
ANYTHING: Final = frozenset({BIRTH_DAY, "stays"}).union(
    *(measure.needs for measure in MEASURES.values()), *(source.needs for source in SOURCES.values())
)
_UNKNOWN: Final = ("measure_unknown", "dimension_unknown", "value_unknown")


def definitions_of(
    feed: FeedTerms, feeds: Collection[FeedTerms], read: Callable[[], DefinitionsFile] | None
) -> Definitions:
    """feed: the one that is prepared, of the contract's `feeds`. read: gives the file, or raises DefinitionsInvalid;
    None: everything is by default. Raises DefinitionsInvalid."""
    if read is None:
        found = definitions_for(feeds, None)
        faults = preparation_faults(feed, found.feeds[feed.name], ANYTHING)
    else:
        try:
            file = read()
        except DefinitionsInvalid as invalid:
            raise DefinitionsInvalid([*invalid.faults, *_also(feed, feeds, invalid.readable)]) from None
        faults = [*feed_faults(feeds, file), *preparation_faults(feed, file.definition_of(feed), ANYTHING)]
        if not faults:
            found = definitions_for(feeds, file)
    if faults:
        raise DefinitionsInvalid(faults)
    return found


def _also(feed: FeedTerms, feeds: Collection[FeedTerms], file: DefinitionsFile | None) -> list[Fault]:
    """Beside faults of the text: names that there are not. Whatever else seems wrong may follow from those faults."""
    if file is None:
        return []
    stated = file.feeds.get(feed.name, {})
    read = {f"/feeds/{feed.name}/{key}/{name}" for key in ("measures", "dimensions") for name in stated.get(key, {})}
    beside = preparation_faults(feed, file.definition_of(feed), ANYTHING)
    unknown = [fault for fault in beside if fault.pointer in read and fault.code in _UNKNOWN]
    return [*feed_faults(feeds, file), *unknown]
