"""What the names of a feed mean under its definition: the definition's word, or else the name itself."""

from collections.abc import Mapping

from contracts.preparation.definitions import FeedDefinition, FromClaims
from contracts.preparation.dimensions import SOURCES, Source
from contracts.preparation.measures import MEASURES, Measure
from contracts.terms import FeedTerms


def meant_measure(name: str, definition: FeedDefinition) -> str:
    return definition.measures.get(name, name)


def meant_source(name: str, definition: FeedDefinition) -> FromClaims:
    return definition.dimensions.get(name, FromClaims(name))


def measures_of(feed: FeedTerms, meanings: Mapping[str, str]) -> list[Measure]:
    """Of the catalogue, by the feed's names; what is in no catalogue is left out."""
    names = (meanings.get(name, name) for name in feed.measures)
    return [MEASURES[name] for name in names if name in MEASURES]


def sources_of(feed: FeedTerms, meanings: Mapping[str, FromClaims]) -> list[Source]:
    """The same of dimensions."""
    names = (meanings[name].source if name in meanings else name for name in feed.dimensions)
    return [SOURCES[name] for name in names if name in SOURCES]
